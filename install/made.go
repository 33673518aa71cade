package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

const (
	venvFolder = "venv"
	// madeName lists the files of the venv, as sha256sum does: they are made on
	// the node, so that no manifest knows them.
	madeName = "venv.SHA256SUMS"
)

// maxMade bounds the list of what was made, in bytes.
const maxMade = 64 << 20

// What is before a name in the list. sha256sum takes both alike; the second
// marks a file that may be run, since a venv has files of two modes.
const (
	plainMark    = "  " // mode 0644
	runnableMark = " *" // mode 0755
)

// listMade lists what is in the venv: a line as of sha256sum for each file, and
// where each link goes. Both are empty where there is no venv. What could not
// be written down, or not be compared later, is an error.
func listMade(root *os.Root) (list []byte, links map[string]string, err error) {
	var b bytes.Buffer
	err = fs.WalkDir(root.FS(), venvFolder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if name == venvFolder && errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			}
			return err
		case d.IsDir():
			return nil
		}
		if err := manifest.CheckPath(name); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if links == nil {
				links = map[string]string{}
			}
			links[name], err = readLink(root, name)
			return err
		}
		line, err := madeLine(root, name, d)
		b.WriteString(line)
		return err
	})
	return b.Bytes(), links, err
}

// readLink is where a link goes, in letters that every reader of a receipt
// takes alike.
func readLink(root *os.Root, name string) (string, error) {
	target, err := root.Readlink(name)
	if err == nil && !isPlain(target) {
		err = fmt.Errorf("link %q to %q: it has letters that cannot be written down", name, target)
	}
	return target, err
}

// isPlain says whether a text is one printable line without quotes.
func isPlain(text string) bool { return strconv.Quote(text) == `"`+text+`"` }

// madeLine is the line of a file in the list.
func madeLine(root *os.Root, name string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	mark := plainMark
	switch info.Mode() { // the type too
	case 0o644:
	case 0o755:
		mark = runnableMark
	default:
		return "", fmt.Errorf("%s: mode %s: only files of mode 0644 and 0755 are made", name, info.Mode())
	}
	sum, err := digestOf(root, name)
	return sum + mark + name + "\n", err
}

// parseMade reads a line of the list. It says nothing of sizes: -1.
func parseMade(line string) (f manifest.File, ok bool) {
	line = strings.TrimSuffix(line, "\n")
	const digits = 64 // of a sha256
	if len(line) <= digits+len(plainMark) {
		return manifest.File{Path: line}, false
	}
	f = manifest.File{SHA256: line[:digits], Path: line[digits+len(plainMark):], Size: -1, Mode: 0o644}
	switch line[digits : digits+len(plainMark)] {
	case runnableMark:
		f.Mode = 0o755
	case plainMark:
	default:
		return f, false
	}
	return f, true
}
