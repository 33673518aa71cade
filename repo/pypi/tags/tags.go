// Package tags knows which wheels a target can run: the compatibility tags of
// CPython on glibc in the order of preference (PEP 425, PEP 600), and what the
// file name of a wheel says. It knows no index and no version order.
package tags

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Target is an interpreter on a platform.
type Target struct {
	Major, Minor int    // of CPython
	Arch         string // "x86_64" or "aarch64"
	Glibc        [2]int // major and minor: {2, 34} on EL 9
}

// Set is the tags that a target supports. Lower ranks are preferred.
type Set struct {
	rank map[string]int
	list []string
}

// legacy names the older tags of a glibc version (PEP 513, 571, 599).
var legacy = map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

// oldest is the lowest minor of glibc 2 that wheels were built for.
var oldest = map[string]int{"x86_64": 5, "aarch64": 17}

// For lists the tags of a target.
func For(t Target) (*Set, error) {
	platforms, err := platforms(t)
	if err != nil {
		return nil, err
	}
	if t.Major != 3 || t.Minor < 8 || t.Minor > 99 {
		return nil, fmt.Errorf("wheel tags of Python %d.%d: only CPython 3.8 and later is supported", t.Major, t.Minor)
	}
	s := &Set{rank: map[string]int{}}
	cp := func(minor int) string { return "cp3" + strconv.Itoa(minor) }
	own := cp(t.Minor)
	for _, abi := range []string{own, "abi3", "none"} {
		s.add(own, abi, platforms...)
	}
	for minor := t.Minor - 1; minor >= 2; minor-- {
		s.add(cp(minor), "abi3", platforms...)
	}
	pure := []string{"py3" + strconv.Itoa(t.Minor), "py3"}
	for minor := t.Minor - 1; minor >= 0; minor-- {
		pure = append(pure, "py3"+strconv.Itoa(minor))
	}
	for _, py := range pure {
		s.add(py, "none", platforms...)
	}
	s.add(own, "none", "any")
	for _, py := range pure {
		s.add(py, "none", "any")
	}
	return s, nil
}

func platforms(t Target) ([]string, error) {
	last, ok := oldest[t.Arch]
	if !ok {
		return nil, fmt.Errorf("wheel tags of architecture %q: only x86_64 and aarch64 are supported", t.Arch)
	}
	if t.Glibc[0] != 2 || t.Glibc[1] < last || t.Glibc[1] > 999 {
		return nil, fmt.Errorf("wheel tags of glibc %d.%d on %s: only 2.%d and later is supported", t.Glibc[0], t.Glibc[1], t.Arch, last)
	}
	var out []string
	for minor := t.Glibc[1]; minor >= last; minor-- {
		out = append(out, fmt.Sprintf("manylinux_2_%d_%s", minor, t.Arch))
		if name := legacy[minor]; name != "" {
			out = append(out, name+"_"+t.Arch)
		}
	}
	return append(out, "linux_"+t.Arch), nil
}

func (s *Set) add(interpreter, abi string, platforms ...string) {
	for _, platform := range platforms {
		tag := interpreter + "-" + abi + "-" + platform
		if _, ok := s.rank[tag]; !ok {
			s.rank[tag] = len(s.list)
			s.list = append(s.list, tag)
		}
	}
}

// List returns the tags, the preferred first.
func (s *Set) List() []string { return slices.Clone(s.list) }

// Rank returns the best rank of a wheel's tags; false when the target supports
// none of them.
func (s *Set) Rank(w *Wheel) (int, bool) {
	best, ok := 0, false
	for _, interpreter := range w.Interpreters {
		for _, abi := range w.ABIs {
			for _, platform := range w.Platforms {
				rank, supported := s.rank[interpreter+"-"+abi+"-"+platform]
				if supported && (!ok || rank < best) {
					best, ok = rank, true
				}
			}
		}
	}
	return best, ok
}

// Wheel is what the file name of a wheel says (PEP 427, "File name convention").
type Wheel struct {
	Name    string // as written
	Version string // as written
	Build   Build
	// Interpreters, ABIs and Platforms are the parts of the compressed tag set.
	Interpreters, ABIs, Platforms []string
}

// Build is a build tag: a number and what follows it. The zero value stands
// for none and comes before any other.
type Build struct {
	Given  bool
	Number int
	Rest   string
}

// maxName bounds a file name in bytes, maxTags each part of its tag set.
const (
	maxName = 512
	maxTags = 32
)

// isName says whether pip takes a text for the name of a project in a wheel.
func isName(s string) bool {
	return !strings.Contains(s, "__") && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
}

// isInterpreter says the same of an interpreter's tag.
func isInterpreter(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// ParseWheel reads the file name of a wheel.
func ParseWheel(filename string) (*Wheel, error) {
	stem, ok := strings.CutSuffix(filename, ".whl")
	parts := strings.Split(stem, "-")
	if !ok || len(filename) > maxName || len(parts) < 5 || len(parts) > 6 || slices.Contains(parts, "") {
		return nil, fmt.Errorf("parse wheel name %q: not NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl", filename)
	}
	w := &Wheel{Name: parts[0], Version: parts[1]}
	if !isName(w.Name) {
		return nil, fmt.Errorf("parse wheel name %q: %q is no name of a project in a wheel", filename, w.Name)
	}
	tag := parts[len(parts)-3:]
	w.Interpreters, w.ABIs, w.Platforms = split(tag[0]), split(tag[1]), split(tag[2])
	if len(w.Interpreters) > maxTags || len(w.ABIs) > maxTags || len(w.Platforms) > maxTags {
		return nil, fmt.Errorf("parse wheel name %q: more than %d tags", filename, maxTags)
	}
	if slices.Contains(w.ABIs, "") || slices.Contains(w.Platforms, "") {
		return nil, fmt.Errorf("parse wheel name %q: an empty tag", filename)
	}
	for _, tag := range w.Interpreters {
		if !isInterpreter(tag) {
			return nil, fmt.Errorf("parse wheel name %q: %q is no interpreter", filename, tag)
		}
	}
	if len(parts) == 6 {
		digits := len(parts[2]) - len(strings.TrimLeft(parts[2], "0123456789"))
		number, err := strconv.Atoi(parts[2][:digits])
		if err != nil {
			return nil, fmt.Errorf("parse wheel name %q: build tag %q does not start with a number", filename, parts[2])
		}
		w.Build = Build{Given: true, Number: number, Rest: parts[2][digits:]}
	}
	return w, nil
}

func split(set string) []string { return strings.Split(strings.ToLower(set), ".") }

// Tags returns the tags of the file name as they stand there, for messages.
func (w *Wheel) Tags() string {
	return strings.Join(w.Interpreters, ".") + "-" + strings.Join(w.ABIs, ".") + "-" + strings.Join(w.Platforms, ".")
}

// Compare orders build tags: -1, 0 or +1. The higher is preferred.
func (b Build) Compare(o Build) int {
	switch {
	case b.Given != o.Given && o.Given:
		return -1
	case b.Given != o.Given:
		return 1
	case b.Number != o.Number && b.Number < o.Number:
		return -1
	case b.Number != o.Number:
		return 1
	}
	return strings.Compare(b.Rest, o.Rest)
}
