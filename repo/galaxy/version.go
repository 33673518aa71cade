package galaxy

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// isVersion reports whether a text is a version as Galaxy takes it: SemVer 2.0
// with all three numbers.
func isVersion(text string) bool {
	core, _, _ := strings.Cut(strings.ReplaceAll(text, "+", "-"), "-")
	return len(text) <= 128 && semver.IsValid("v"+text) && strings.Count(core, ".") == 2
}

// compareVersions orders versions by SemVer 2.0, section 11; build metadata
// does not count, so it breaks ties as text.
func compareVersions(a, b string) int {
	if c := semver.Compare("v"+a, "v"+b); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

func isPreRelease(version string) bool { return semver.Prerelease("v"+version) != "" }

// Range is a comma-separated list of bounds, all of which hold.
type Range []bound

type bound struct{ op, version string }

const maxBounds = 32

// ParseRange reads a range as ansible-galaxy does: "*" and "" are every version,
// a version without operator is that one, and missing numbers are zero.
func ParseRange(text string) (Range, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxBounds {
		return nil, fmt.Errorf("version range of %d bounds: at most %d are read", len(parts), maxBounds)
	}
	var r Range
	for _, part := range parts {
		part = strings.TrimSpace(part)
		if part == "" || part == "*" {
			continue
		}
		op := "=="
		for _, candidate := range []string{"==", "!=", ">=", "<=", "=", ">", "<"} {
			if rest, ok := strings.CutPrefix(part, candidate); ok {
				op, part = candidate, strings.TrimSpace(rest)
				break
			}
		}
		if op == "=" {
			op = "=="
		}
		if part == "*" && op == "==" {
			continue
		}
		if len(part) > 128 || !semver.IsValid("v"+part) {
			return nil, fmt.Errorf("version range %.200q: %.130q is no version", text, part)
		}
		r = append(r, bound{op, part})
	}
	return r, nil
}

// Contains reports whether a version is in the range.
func (r Range) Contains(version string) bool {
	return !slices.ContainsFunc(r, func(b bound) bool { return !b.holds(version) })
}

func (b bound) holds(version string) bool {
	c := semver.Compare("v"+version, "v"+b.version)
	switch b.op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c < 0
}

// pins reports whether the range names exactly this version, which lets in a
// pre-release.
func (r Range) pins(version string) bool {
	return slices.ContainsFunc(r, func(b bound) bool { return b.op == "==" && b.holds(version) })
}

func (r Range) String() string {
	if len(r) == 0 {
		return "*"
	}
	var words []string
	for _, b := range r {
		words = append(words, b.op+b.version)
	}
	return strings.Join(words, ",")
}

// CheckRequest says what is wrong with a request for a collection, if anything.
func CheckRequest(text string) error {
	_, _, err := parseRequest(text)
	return err
}

// parseRequest reads "namespace.name", "namespace.name:RANGE" or
// "namespace.name>=1".
func parseRequest(text string) (Name, Range, error) {
	i := strings.IndexAny(text, ":=<>!*")
	if i < 0 {
		i = len(text)
	}
	name, err := ParseName(strings.TrimSpace(text[:i]))
	if err != nil {
		return name, nil, err
	}
	r, err := ParseRange(strings.TrimPrefix(text[i:], ":"))
	if err != nil {
		return name, nil, fmt.Errorf("collection %s: %w", name, err)
	}
	return name, r, nil
}
