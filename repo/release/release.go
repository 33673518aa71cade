// Package release takes tarballs that a project publishes with a checksum file
// beside them, as etcd does: SHA256SUMS names every file of a release with its
// digest. It owns that file's format and the look into the tarball; it must not
// know which host a release lies on.
package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"pgbundle/manifest"
	"pgbundle/repo"
)

// maxSums bounds a checksum file, in bytes; etcd's has some 2 kB.
const maxSums = 1 << 20

// SumsName is the name of the checksum file of a release.
const SumsName = "SHA256SUMS"

// goArch is the word of release files for each of RPM's architectures.
var goArch = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}

// Place is one place where releases lie.
type Place struct {
	Host string    // two places on one host cannot vouch for each other
	Tree repo.Tree // the folder of all releases
}

// Request asks for one tarball of a release: a repo.Source. Releases lie in a
// tree as v<version>/<name>-v<version>-linux-<arch>.tar.gz, or a single one at
// its top, as two downloaded files do.
type Request struct {
	ID      string  // of the source in a lock
	Places  []Place // that hold the same, the preferred first
	Name    string  // "etcd"
	Version string  // "3.5.16"
	// Size finds the size in bytes of a file of the places whose digest is known:
	// the checksum file does not tell it.
	Size func(ctx context.Context, path, sha256 string) (int64, error)
	// Alone is told when the checksums come from one host and no other was there
	// to compare them with, and why; nil: nobody is.
	Alone func(reason string)
}

// Resolve finds the tarball for the target. A version or an architecture that
// the release does not have is of class manifest.ErrUnsolvable; two places that
// disagree are manifest.ErrDamaged.
func (r Request) Resolve(ctx context.Context, target manifest.Target) ([]manifest.Artifact, error) {
	fail := func(err error) ([]manifest.Artifact, error) {
		return nil, fmt.Errorf("resolve %s %s: %w", r.Name, r.Version, err)
	}
	answers := r.ask(ctx)
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	i := slices.IndexFunc(answers, func(a answer) bool { return a.err == nil })
	if i < 0 {
		return fail(refusal(answers))
	}
	first := answers[i]
	file := FileName(r.Name, r.Version, target.Arch)
	digest, ok := first.sums[file]
	if !ok {
		return fail(manifest.Classify(manifest.ErrUnsolvable,
			fmt.Errorf("the release has no %s; it has %s", file, strings.Join(names(first.sums), ", "))))
	}
	if err := r.compare(answers, first, file); err != nil {
		return fail(err)
	}
	from := path.Join(first.folder, file)
	size, err := r.Size(ctx, from, digest)
	if err != nil {
		return fail(err)
	}
	return []manifest.Artifact{{
		Path: path.Join(r.Name, file), Kind: manifest.Release, Name: r.Name, Version: r.Version, Arch: target.Arch,
		Size: size, SHA256: digest,
		From:  manifest.Origin{Source: r.ID, Path: from, Size: size, SHA256: digest},
		Roles: []manifest.Role{manifest.TargetNode}, WantedBy: []string{r.Name},
	}}, nil
}

// answer is what one place says of the release.
type answer struct {
	host   string
	folder string // where the files of the release lie in the place
	sums   map[string]string
	err    error
}

// ask reads the checksum file of every place, all at once: one that is down
// takes its time.
func (r Request) ask(ctx context.Context) []answer {
	answers := make([]answer, len(r.Places))
	var wg sync.WaitGroup
	for i, p := range r.Places {
		wg.Go(func() {
			a := answer{host: p.Host}
			a.folder, a.sums, a.err = r.sums(ctx, p.Tree)
			answers[i] = a
		})
	}
	wg.Wait()
	return answers
}

// refusal is the error when no place has the checksum file.
func refusal(answers []answer) error {
	var errs []error
	missing := len(answers) > 0
	for _, a := range answers {
		errs = append(errs, a.err)
		missing = missing && errors.Is(a.err, fs.ErrNotExist)
	}
	err := errors.Join(errs...)
	switch {
	case missing:
		return manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("there is no such release: %w", err))
	case err == nil:
		return errors.New("no place is named that has it")
	}
	return err
}

// FileName is the name of a release's tarball for Linux on an architecture.
func FileName(name, version, arch string) string {
	return fmt.Sprintf("%s-v%s-linux-%s.tar.gz", name, version, goArch[arch])
}

// sums reads the checksum file of the release and tells the folder that it lies in.
func (r Request) sums(ctx context.Context, tree repo.Tree) (folder string, sums map[string]string, err error) {
	folder = "v" + r.Version
	f, err := tree.Open(ctx, folder+"/"+SumsName)
	if errors.Is(err, fs.ErrNotExist) {
		if top, topErr := tree.Open(ctx, SumsName); topErr == nil {
			f, folder, err = top, "", nil
		}
	}
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSums+1))
	if err != nil {
		return "", nil, err
	}
	sums, err = ParseSums(data)
	return folder, sums, err
}

// compare looks the digest up in all other places. Another host may be out of
// reach, but it must not disagree: nothing else anchors the checksum file, which
// is not signed.
func (r Request) compare(answers []answer, first answer, file string) error {
	vouched := false
	var reasons []string
	for _, a := range answers {
		if a.err != nil {
			reasons = append(reasons, a.err.Error())
			continue
		}
		if a.sums[file] != first.sums[file] {
			return manifest.Classify(manifest.ErrDamaged,
				fmt.Errorf("%s has the digest %s on %s and %q on %s: one of them was tampered with",
					file, first.sums[file], first.host, a.sums[file], a.host))
		}
		vouched = vouched || a.host != first.host
	}
	if vouched || r.Alone == nil {
		return nil
	}
	if len(reasons) == 0 {
		reasons = []string{"no other host is named"}
	}
	r.Alone(strings.Join(reasons, "; "))
	return nil
}

// ParseSums reads a checksum file as shasum and sha256sum write it: 64 hex
// digits, a space, a space or an asterisk, a file name. The digests come back in
// lower case, by name. What is no such file is of class manifest.ErrDamaged.
func ParseSums(data []byte) (map[string]string, error) {
	if len(data) > maxSums {
		return nil, damaged("read %s: longer than %d bytes", SumsName, maxSums)
	}
	sums := map[string]string{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < 67 || line[64] != ' ' || line[65] != ' ' && line[65] != '*' {
			return nil, damaged("read %s: line %d is no digest and file name", SumsName, n)
		}
		digest, name := strings.ToLower(line[:64]), strings.TrimPrefix(line[66:], "./")
		if strings.Trim(digest, "0123456789abcdef") != "" {
			return nil, damaged("read %s: line %d has no SHA-256", SumsName, n)
		}
		if other, twice := sums[name]; twice && other != digest {
			return nil, damaged("read %s: line %d gives %q another digest than before", SumsName, n, name)
		}
		sums[name] = digest
	}
	if len(sums) == 0 {
		return nil, damaged("read %s: it names no file", SumsName)
	}
	return sums, nil
}

func names(sums map[string]string) []string {
	list := make([]string, 0, len(sums))
	for name := range sums {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func damaged(format string, args ...any) error {
	return manifest.Classify(manifest.ErrDamaged, fmt.Errorf(format, args...))
}
