package manifest

import (
	"fmt"
	"strings"
)

// CheckPath says what is wrong with a path in a bundle, or nil. A path is
// relative, slash-separated and clean, of printable ASCII without backslashes:
// it must mean the same to every tar, in SHA256SUMS and on every file system.
func CheckPath(path string) error {
	if path == "" {
		return fmt.Errorf("path is empty")
	}
	if len(path) > 1024 {
		return fmt.Errorf("path %q…: longer than 1024 bytes", path[:40])
	}
	for _, c := range []byte(path) {
		if c < ' ' || c > '~' || c == '\\' {
			return fmt.Errorf("path %q: a byte other than printable ASCII", path)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return fmt.Errorf("path %q: absolute, or an empty segment", path)
		case ".", "..":
			return fmt.Errorf("path %q: a segment %q", path, segment)
		}
		if segment[0] == ' ' || segment[len(segment)-1] == ' ' {
			return fmt.Errorf("path %q: a space at the edge of a segment", path)
		}
	}
	return nil
}

// pathSet finds paths that cannot lie in one folder together: doubles, twins
// that differ only in case, and a file where another path has a folder.
type pathSet struct {
	files   map[string]string // lower case → as written
	folders map[string]string
}

func (s *pathSet) add(f *findings, path string) {
	if err := CheckPath(path); err != nil {
		f.add("%w", err)
		return
	}
	if s.files == nil {
		s.files, s.folders = map[string]string{}, map[string]string{}
	}
	folded := strings.ToLower(path)
	if other, ok := s.files[folded]; ok {
		f.add("path %q: there is %q already", path, other)
	} else if other, ok := s.folders[folded]; ok {
		f.add("path %q: it is the folder %q of another file", path, other)
	}
	s.files[folded] = path
	for i, c := range []byte(path) {
		if c != '/' {
			continue
		}
		folder := path[:i]
		folded := folded[:i]
		if other, ok := s.files[folded]; ok {
			f.add("path %q: its folder %q is the file %q", path, folder, other)
		}
		if other, ok := s.folders[folded]; ok && other != folder {
			f.add("path %q: its folder is written %q elsewhere", path, other)
		}
		s.folders[folded] = folder
	}
}
