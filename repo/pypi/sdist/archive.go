// Package sdist turns the source archive of a pure Python project into a wheel
// without running any of its code, so no Python is needed and the same archive
// always gives the same bytes. It reads what setuptools left in the archive
// (egg-info, PKG-INFO) and the literal parts of setup.py, setup.cfg and
// pyproject.toml; whatever a build would have to compute is refused. It knows
// no index and no target.
package sdist

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// Bounds of an archive.
const (
	MaxArchive  = 128 << 20 // bytes, packed
	maxUnpacked = 512 << 20
	maxMembers  = 50_000
)

// Unsupported is the error of an archive that cannot become a wheel here.
// Metadata is what is known of it nevertheless: METADATA, or nil.
type Unsupported struct {
	Reason   string
	Metadata []byte
}

func (e *Unsupported) Error() string { return "cannot make a wheel: " + e.Reason }

func unsupported(format string, args ...any) error {
	return &Unsupported{Reason: fmt.Sprintf(format, args...)}
}

// archive is the content of a source archive below its top folder.
type archive struct {
	top   string // "name-version"
	files map[string][]byte
}

// read unpacks a .tar.gz or .zip into memory.
func read(data []byte) (*archive, error) {
	if len(data) > MaxArchive {
		return nil, fmt.Errorf("read source archive: larger than %d bytes", MaxArchive)
	}
	a := &archive{files: map[string][]byte{}}
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		err = a.readTar(data)
	case bytes.HasPrefix(data, []byte("PK")):
		err = a.readZip(data)
	default:
		return nil, unsupported("the archive is neither .tar.gz nor .zip")
	}
	if err != nil {
		return nil, fmt.Errorf("read source archive: %w", err)
	}
	return a, a.strip()
}

// budget bounds what unpacking may yield.
type budget struct {
	bytes   int64
	members int
}

func (b *budget) read(r io.Reader) ([]byte, error) {
	if b.members++; b.members > maxMembers {
		return nil, fmt.Errorf("more than %d members: %w", maxMembers, manifest.ErrDamaged)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxUnpacked-b.bytes+1))
	if b.bytes += int64(len(data)); b.bytes > maxUnpacked {
		return nil, fmt.Errorf("larger than %d bytes when unpacked: %w", maxUnpacked, manifest.ErrDamaged)
	}
	return data, err
}

func (a *archive) readTar(data []byte) error {
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
	}
	// Padding between members is read too, so the whole stream is bounded.
	r := tar.NewReader(io.LimitReader(gz, maxUnpacked+maxMembers*1024))
	var b budget
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
		}
		// A link is no source file; one that is needed will be missed.
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := b.read(r)
		if err != nil {
			return err
		}
		if err := a.add(h.Name, content); err != nil {
			return err
		}
	}
}

func (a *archive) readZip(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
	}
	var b budget
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
		}
		content, err := b.read(r)
		r.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if err := a.add(f.Name, content); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) add(name string, content []byte) error {
	clean := strings.TrimPrefix(name, "./")
	if clean == "" || path.IsAbs(clean) || path.Clean(clean) != clean || strings.HasPrefix(clean, "../") || strings.ContainsAny(clean, "\\\x00\n\r") {
		return fmt.Errorf("member %q leaves the archive's folder: %w", name, manifest.ErrDamaged)
	}
	if _, twice := a.files[clean]; twice {
		return fmt.Errorf("member %q stands there twice: %w", name, manifest.ErrDamaged)
	}
	a.files[clean] = content
	return nil
}

// strip removes the top folder, which all members share.
func (a *archive) strip() error {
	files := map[string][]byte{}
	for name, content := range a.files {
		top, rest, ok := strings.Cut(name, "/")
		if !ok || a.top != "" && top != a.top {
			return unsupported("its members are not in one top folder")
		}
		a.top = top
		files[rest] = content
	}
	if a.top == "" {
		return unsupported("the archive is empty")
	}
	a.files = files
	return nil
}

// names lists the files, sorted.
func (a *archive) names() []string {
	out := make([]string, 0, len(a.files))
	for name := range a.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// eggInfo finds the egg-info folder that setuptools wrote: at the top, or in
// the folder that packages lie in. ok is false when there is none.
func (a *archive) eggInfo() (folder string, ok bool) {
	for _, name := range a.names() {
		if path.Base(name) != "SOURCES.txt" || !strings.HasSuffix(path.Dir(name), ".egg-info") {
			continue
		}
		found := path.Dir(name)
		if !ok || strings.Count(found, "/") < strings.Count(folder, "/") {
			folder, ok = found, true
		}
	}
	return folder, ok
}

// lines reads a text file of the archive: its lines without blanks, none when
// there is no such file.
func (a *archive) lines(name string) []string {
	var out []string
	for line := range strings.Lines(string(a.files[name])) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
