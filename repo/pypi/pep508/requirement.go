// Package pep508 reads the requirements of Python packages (PEP 508) and
// evaluates their markers for an environment that is passed in: the target's,
// never this host's. It owns names, extras and markers; versions are pep440's.
package pep508

import (
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/pypi/pep440"
)

// Bounds of one requirement.
const (
	maxRequirement = 16 << 10 // bytes
	maxExtras      = 256
	maxDepth       = 50 // of parentheses in a marker
)

// Requirement is what a package, or a user, asks for.
type Requirement struct {
	Name       string   // normalised (PEP 503)
	Extras     []string // normalised (PEP 685), sorted, each once
	Specifiers pep440.Specifiers
	URL        string  // of "name @ URL", else ""
	Marker     *Marker // nil: always
}

// NormalizeName returns the one spelling of a project's or an extra's name
// (PEP 503): lower case, runs of "-", "_" and "." as one "-".
func NormalizeName(name string) string {
	var b strings.Builder
	separated := false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == '.':
			if !separated {
				b.WriteByte('-')
			}
			separated = true
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		separated = false
		b.WriteByte(c)
	}
	return b.String()
}

// ValidName says whether a name is one that a project or an extra may have
// (PEP 508, "Names").
func ValidName(name string) bool {
	return name != "" && identifier(name) == len(name)
}

// identifier returns the length of the identifier at the start of s, 0 for none.
func identifier(s string) int {
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			n = i + 1
		case i > 0 && (c == '-' || c == '_' || c == '.'):
		default:
			return n
		}
	}
	return n
}

// ParseRequirement reads one requirement.
func ParseRequirement(text string) (*Requirement, error) {
	r, err := parseRequirement(text)
	if err != nil {
		if len(text) > 120 {
			text = text[:120] + "…"
		}
		return nil, fmt.Errorf("parse requirement %q: %w", text, err)
	}
	return r, nil
}

func parseRequirement(text string) (*Requirement, error) {
	if len(text) > maxRequirement {
		return nil, fmt.Errorf("longer than %d bytes", maxRequirement)
	}
	s := strings.Trim(text, " \t\r\n")
	if strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("more than one line")
	}
	n := identifier(s)
	if n == 0 {
		return nil, fmt.Errorf("no package name")
	}
	r := &Requirement{Name: NormalizeName(s[:n])}
	s = skip(s[n:])
	var err error
	if r.Extras, s, err = parseExtras(s); err != nil {
		return nil, err
	}
	if url, ok := strings.CutPrefix(s, "@"); ok {
		r.URL, s = cutSpace(skip(url))
		if r.URL == "" {
			return nil, fmt.Errorf("no URL after @")
		}
	} else if r.Specifiers, s, err = parseVersions(s); err != nil {
		return nil, err
	}
	if s == "" {
		return r, nil
	}
	marker, ok := strings.CutPrefix(s, ";")
	if !ok {
		return nil, fmt.Errorf("unexpected %q", s)
	}
	r.Marker, err = ParseMarker(marker)
	return r, err
}

// cutSpace cuts s at the first white space and drops it.
func cutSpace(s string) (head, tail string) {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], skip(s[i:])
	}
	return s, ""
}

func skip(s string) string { return strings.TrimLeft(s, " \t") }

func parseExtras(s string) (extras []string, rest string, err error) {
	list, ok := strings.CutPrefix(s, "[")
	if !ok {
		return nil, s, nil
	}
	list, rest, ok = strings.Cut(list, "]")
	if !ok {
		return nil, "", fmt.Errorf("no ] after the extras")
	}
	if skip(list) == "" {
		return nil, skip(rest), nil
	}
	for extra := range strings.SplitSeq(list, ",") {
		if extra = strings.Trim(extra, " \t"); !ValidName(extra) {
			return nil, "", fmt.Errorf("%q is not the name of an extra", extra)
		}
		if extras = append(extras, NormalizeName(extra)); len(extras) > maxExtras {
			return nil, "", fmt.Errorf("more than %d extras", maxExtras)
		}
	}
	slices.Sort(extras)
	return slices.Compact(extras), skip(rest), nil
}

// parseVersions reads what stands before the marker: clauses, which may be in
// parentheses.
func parseVersions(s string) (specifiers pep440.Specifiers, rest string, err error) {
	end := strings.IndexByte(s, ';')
	if end < 0 {
		end = len(s)
	}
	versions := strings.Trim(s[:end], " \t")
	if inner, ok := strings.CutPrefix(versions, "("); ok {
		if inner, ok = strings.CutSuffix(inner, ")"); !ok {
			return nil, "", fmt.Errorf("no ) after the versions")
		}
		versions = strings.Trim(inner, " \t")
	}
	if versions != "" && !strings.ContainsRune("<>=!~", rune(versions[0])) {
		return nil, "", fmt.Errorf("unexpected %q", versions)
	}
	specifiers, err = pep440.ParseSpecifiers(versions)
	return specifiers, s[end:], err
}

// String returns the requirement without its marker.
func (r *Requirement) String() string {
	s := r.Name
	if len(r.Extras) > 0 {
		s += "[" + strings.Join(r.Extras, ",") + "]"
	}
	if r.URL != "" {
		return s + " @ " + r.URL
	}
	return s + r.Specifiers.String()
}
