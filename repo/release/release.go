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

	"pgbundle/manifest"
	"pgbundle/repo"
)

// maxSums bounds a checksum file, in bytes; etcd's has some 2 kB.
const maxSums = 1 << 20

// SumsName is the name of the checksum file of a release.
const SumsName = "SHA256SUMS"

// goArch is the word of release files for each of RPM's architectures.
var goArch = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}

// Request asks for one tarball of a release: a repo.Source. Releases lie in a
// tree as v<version>/<name>-v<version>-linux-<arch>.tar.gz, or a single one at
// its top, as two downloaded files do.
type Request struct {
	ID      string    // of the source in a lock
	Tree    repo.Tree // the folder of all releases
	Cross   repo.Tree // a second place with the same checksum file, compared when it answers; nil: none
	Name    string    // "etcd"
	Version string    // "3.5.16"
	// Size finds the size in bytes of a file of the tree whose digest is known:
	// the checksum file does not tell it.
	Size func(ctx context.Context, path, sha256 string) (int64, error)
	// Note is told when the second place could not be compared; nil: nobody is.
	Note func(text string)
}

// Resolve finds the tarball for the target. A version or an architecture that
// the release does not have is of class manifest.ErrUnsolvable; two places that
// disagree are manifest.ErrDamaged.
func (r Request) Resolve(ctx context.Context, target manifest.Target) ([]manifest.Artifact, error) {
	fail := func(err error) ([]manifest.Artifact, error) {
		return nil, fmt.Errorf("resolve %s %s: %w", r.Name, r.Version, err)
	}
	folder, sums, err := r.sums(ctx, r.Tree)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("there is no such release: %w", err)))
	}
	if err != nil {
		return fail(err)
	}
	file := FileName(r.Name, r.Version, target.Arch)
	digest, ok := sums[file]
	if !ok {
		return fail(manifest.Classify(manifest.ErrUnsolvable,
			fmt.Errorf("the release has no %s; it has %s", file, strings.Join(names(sums), ", "))))
	}
	if err := r.compare(ctx, file, digest); err != nil {
		return fail(err)
	}
	from := path.Join(folder, file)
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

// compare looks the digest up in the second place, too. That place may be out
// of reach, but it must not disagree: nothing else anchors the checksum file,
// which is not signed.
func (r Request) compare(ctx context.Context, file, digest string) error {
	if r.Cross == nil {
		return nil
	}
	_, sums, err := r.sums(ctx, r.Cross)
	if err != nil && r.Note == nil {
		return nil
	}
	if err != nil {
		r.Note(fmt.Sprintf("%s %s: its checksums could not be compared with a second place: %s", r.Name, r.Version, err))
		return nil
	}
	if other := sums[file]; other != digest {
		return manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("%s has the digest %s in one place and %q in another: one of them was tampered with", file, digest, other))
	}
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
