// Package pep440 orders the versions of Python packages and says which of them
// a specifier allows (PEP 440, as the packaging library 26 reads it). It knows
// no package, no index and no resolver.
package pep440

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxVersion bounds the length of a version in bytes.
const maxVersion = 512

// Version is a parsed version. Numbers are kept as digits, since nothing
// bounds them: dates with seconds are in use.
type Version struct {
	epoch   string
	release []string
	pre     string // "a", "b", "rc" or ""
	preN    string
	post    string // digits, "" without a post-release
	dev     string // digits, "" without a development release
	local   []string
}

// Parse reads a version in any spelling that PEP 440 (appendix B) normalises.
func Parse(text string) (Version, error) {
	bad := func() (Version, error) {
		return Version{}, fmt.Errorf("parse version %q: not a PEP 440 version", clip(text))
	}
	s := strings.ToLower(strings.TrimSpace(text))
	if len(s) > maxVersion {
		return bad()
	}
	v, rest, ok := scan(strings.TrimPrefix(s, "v"))
	if !ok || rest != "" {
		return bad()
	}
	return v, nil
}

// scan reads the longest version that s starts with.
func scan(s string) (v Version, rest string, ok bool) {
	n, s := digits(s)
	if n == "" {
		return v, s, false
	}
	v.epoch = "0"
	if strings.HasPrefix(s, "!") {
		v.epoch = trim(n)
		if n, s = digits(s[1:]); n == "" {
			return v, s, false
		}
	}
	v.release = append(v.release, trim(n))
	for strings.HasPrefix(s, ".") {
		n, after := digits(s[1:])
		if n == "" {
			break
		}
		v.release = append(v.release, trim(n))
		s = after
	}
	if letter, n, after, ok := suffix(s, preNames); ok {
		v.pre, v.preN, s = preNames[letter], n, after
	}
	if n, after := digits(strings.TrimPrefix(s, "-")); strings.HasPrefix(s, "-") && n != "" {
		v.post, s = trim(n), after
	} else if _, n, after, ok := suffix(s, postNames); ok {
		v.post, s = n, after
	}
	if _, n, after, ok := suffix(s, devNames); ok {
		v.dev, s = n, after
	}
	if strings.HasPrefix(s, "+") {
		var part string
		for part, s = alnum(s[1:]); part != ""; part, s = alnum(s[1:]) {
			v.local = append(v.local, part)
			if s == "" || !strings.ContainsRune("-_.", rune(s[0])) {
				break
			}
		}
		if part == "" {
			return v, s, false
		}
	}
	return v, s, true
}

var (
	preNames = map[string]string{
		"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "rc": "rc", "a": "a", "b": "b", "c": "rc",
	}
	postNames = map[string]string{"post": "post", "rev": "post", "r": "post"}
	devNames  = map[string]string{"dev": "dev"}
)

// suffix reads [sep] letters [sep [digits]] when letters is one of names. A
// separator before missing digits belongs to it only at the end or before
// another suffix, as in the regular expression of PEP 440.
func suffix(s string, names map[string]string) (letters, number, rest string, ok bool) {
	s = separator(s)
	for name := range names {
		if strings.HasPrefix(s, name) && len(name) > len(letters) {
			letters = name
		}
	}
	if letters == "" {
		return "", "", "", false
	}
	s = s[len(letters):]
	number, rest = digits(separator(s))
	if number == "" {
		// The separator may be the next suffix's, or a dangling one: both match.
		return letters, "0", dangling(s), true
	}
	return letters, trim(number), rest, true
}

// dangling drops a separator that nothing which could use it follows.
func dangling(s string) string {
	after := separator(s)
	if after == s || after == "" {
		return after
	}
	for _, names := range []map[string]string{postNames, devNames} {
		for name := range names {
			if strings.HasPrefix(after, name) {
				return s
			}
		}
	}
	return after
}

func separator(s string) string {
	if s != "" && strings.ContainsRune("-_.", rune(s[0])) {
		return s[1:]
	}
	return s
}

func digits(s string) (number, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

func alnum(s string) (part, rest string) {
	i := 0
	for i < len(s) && ('0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'z') {
		i++
	}
	if part, _ = digits(s[:i]); len(part) == i && i > 0 {
		return trim(part), s[i:]
	}
	return s[:i], s[i:]
}

// trim removes leading zeros.
func trim(number string) string {
	if t := strings.TrimLeft(number, "0"); t != "" {
		return t
	}
	return "0"
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// String returns the normal form.
func (v Version) String() string {
	var b strings.Builder
	b.WriteString(v.Public())
	if len(v.local) > 0 {
		b.WriteString("+" + strings.Join(v.local, "."))
	}
	return b.String()
}

// Public returns the normal form without the local part.
func (v Version) Public() string {
	s := v.Base()
	if v.pre != "" {
		s += v.pre + v.preN
	}
	if v.post != "" {
		s += ".post" + v.post
	}
	if v.dev != "" {
		s += ".dev" + v.dev
	}
	return s
}

// Base returns epoch and release alone.
func (v Version) Base() string {
	s := strings.Join(v.release, ".")
	if v.epoch != "0" {
		s = v.epoch + "!" + s
	}
	return s
}

// PreRelease says whether it is an alpha, beta, candidate or development release.
func (v Version) PreRelease() bool { return v.pre != "" || v.dev != "" }

// PostRelease says whether it is a post-release.
func (v Version) PostRelease() bool { return v.post != "" }

// Compare orders versions: -1, 0 or +1.
func (v Version) Compare(w Version) int {
	if c := v.comparePublic(w); c != 0 {
		return c
	}
	return compareLocal(v.local, w.local)
}

func (v Version) comparePublic(w Version) int {
	if c := compareNumbers(v.epoch, w.epoch); c != 0 {
		return c
	}
	if c := compareRelease(v.release, w.release); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(v.preRank(), w.preRank()), compareNumbers(v.preN, w.preN)); c != 0 {
		return c
	}
	// No post-release comes before any, a development release before none.
	if c := cmp.Or(cmp.Compare(rank(v.post), rank(w.post)), compareNumbers(v.post, w.post)); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(rank(w.dev), rank(v.dev)), compareNumbers(v.dev, w.dev))
}

// preRank orders what stands where a pre-release does: a bare development
// release comes first, a release without either last.
func (v Version) preRank() int {
	switch {
	case v.pre == "" && v.post == "" && v.dev != "":
		return 0
	case v.pre == "":
		return 4
	case v.pre == "rc":
		return 3
	case v.pre == "b":
		return 2
	}
	return 1
}

func rank(number string) int { return min(len(number), 1) }

// compareNumbers compares digits without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func compareRelease(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if c := compareNumbers(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// at returns a part of a release, which goes on in zeros for ever.
func at(release []string, i int) string {
	if i < len(release) {
		return release[i]
	}
	return "0"
}

// compareLocal orders local parts: numbers after words, longer after shorter.
func compareLocal(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		nx, ny := isNumber(x), isNumber(y)
		switch {
		case nx && ny:
			return compareNumbers(x, y)
		case nx:
			return 1
		case ny:
			return -1
		}
		return cmp.Compare(x, y)
	})
}

func isNumber(s string) bool {
	return s != "" && '0' <= s[len(s)-1] && s[len(s)-1] <= '9' && allDigits(s)
}

func allDigits(s string) bool {
	n, _ := digits(s)
	return len(n) == len(s)
}
