package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"pgbundle/bundle"
	"pgbundle/install"
	"pgbundle/manifest"
)

// notBundle says of what plainly is no bundle what it is, and what is to be
// named instead; words puts that into a command line. What may be a bundle, if
// a damaged one, passes, and what cannot be read: that is told where it is
// opened.
func notBundle(path string, words func(string) string) error {
	info, err := os.Stat(path)
	what, instead := "", ""
	switch {
	case err != nil:
	case info.IsDir():
		what, instead = notFolder(path)
	case info.Mode().IsRegular():
		what, instead = notArchive(path)
	}
	if what == "" {
		return nil
	}
	return &usageError{path + " is " + what, words(instead)}
}

// inRelease refuses a release that is installed in a bundle's place: it has a
// receipt that names it. Any other receipt.yaml is a file that is not in order.
func inRelease(path string, words func(string) string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil // told where it is opened
	}
	text, err := beginning(filepath.Join(real, "receipt.yaml"), 1<<20)
	if err != nil {
		return nil
	}
	if r, err := install.ParseReceipt(text); err != nil || r.Release != filepath.Base(real) {
		return nil
	}
	return &usageError{path + " is a release that is installed here, and no bundle: pgbundle status --verify compares it", words("FILE")}
}

// has says whether something of one of these names is in a folder.
func has(folder string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, err := os.Lstat(filepath.Join(folder, name))
		return err == nil
	})
}

// notFolder says what a folder is when there is no bundle in it; empty when
// there is one.
func notFolder(path string) (what, instead string) {
	heads := []string{manifest.ManifestName, manifest.SumsName} // without the first it is one that was damaged
	if has(path, heads...) || has(filepath.Join(path, bundle.TopFolder), heads...) {
		return "", ""
	}
	if in := unpackedAbove(path); in != "" {
		return "a folder of an unpacked bundle, not the bundle", in
	}
	what = "a folder, and holds no bundle: there is no " + manifest.ManifestName + " in it"
	archives, err := filepath.Glob(filepath.Join(escapeGlob(path), "patroni-airgap-bundle-*.tar.gz"))
	switch {
	case err != nil || len(archives) == 0:
		return what, "FILE.tar.gz"
	case len(archives) > 1:
		what = fmt.Sprintf("a folder with %d archives", len(archives))
	default:
		what = "the folder that the archive lies in"
	}
	return what, archives[0]
}

// escapeGlob lets filepath.Glob take a path as it is.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// unpackedAbove is the unpacked bundle that a file or folder lies in; empty
// when there is none.
func unpackedAbove(path string) string {
	for range 3 { // as deep as folders of a bundle that people would name
		path = filepath.Join(path, "..")
		if has(path, manifest.ManifestName) && has(path, manifest.SumsName) {
			return path
		}
	}
	return ""
}

// kind is what a file is by the bytes at an offset.
type kind struct {
	at    int
	magic string
	what  string
}

// kinds are files that are mistaken for a bundle.
var kinds = []kind{
	{0, "\xed\xab\xee\xdb", "an RPM"}, {0, "\x7fELF", "a program"}, {0, "PK\x03\x04", "a zip archive or a wheel"}, {0, "\xfd7zXZ\x00", "an xz archive"},
	{0, "BZh", "a bzip2 archive"}, {0, "\x28\xb5\x2f\xfd", "a zstd archive"}, {257, "ustar", "a tar archive that is not compressed: a bundle stays as it was built"},
	{0, "untrusted comment:", "a key or a signature"},
}

// notArchive says what a file is that is no archive of a bundle; empty when it
// may be one.
func notArchive(path string) (what, instead string) {
	begin, err := beginning(path, 512)
	if err != nil || len(begin) == 0 || bytes.HasPrefix(begin, []byte("\x1f\x8b")) {
		return "", ""
	}
	if in := unpackedAbove(path); in != "" {
		return "one file of an unpacked bundle, not the bundle", in
	}
	if archive, ok := strings.CutSuffix(path, ".sha256"); ok {
		return "the digest beside the bundle, not the bundle", archive
	}
	for _, k := range kinds {
		if len(begin) > k.at && bytes.HasPrefix(begin[k.at:], []byte(k.magic)) {
			return k.what, "FILE.tar.gz"
		}
	}
	if isText(begin) {
		return "a text file, and no bundle", "FILE.tar.gz"
	}
	return "", ""
}

// beginning is the first bytes of a file. A pipe is not waited for.
func beginning(path string, n int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fs.ErrInvalid)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}

// isText says whether bytes, the last of which may be cut, are text.
func isText(data []byte) bool {
	for range utf8.UTFMax {
		if utf8.Valid(data) {
			break
		}
		data = data[:max(0, len(data)-1)]
	}
	return len(data) > 0 && utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r\f", r) })
}
