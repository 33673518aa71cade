package pep440

import (
	"fmt"
	"slices"
	"strings"
)

// maxSpecifiers bounds the clauses of one set.
const maxSpecifiers = 256

// Specifier is one clause, such as ">=1.2" or "==1.*".
type Specifier struct {
	Op   string // "==" "!=" "<=" ">=" "<" ">" "~=" "==="
	Text string // the version as it was written, with ".*"

	version  Version
	wildcard bool
}

// Specifiers is a set of clauses that must all hold. The empty set allows
// every version.
type Specifiers []Specifier

// operators in the order in which they are recognised.
var operators = []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"}

// ParseSpecifier reads one clause.
func ParseSpecifier(text string) (Specifier, error) {
	s := strings.TrimSpace(text)
	i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(s, op) })
	if i < 0 {
		return Specifier{}, fmt.Errorf("parse specifier %q: no operator", clip(text))
	}
	c := Specifier{Op: operators[i]}
	c.Text = strings.TrimSpace(s[len(c.Op):])
	if c.Op == "===" {
		if strings.ContainsAny(c.Text, " \t;)") || len(c.Text) > maxVersion {
			return Specifier{}, fmt.Errorf("parse specifier %q: not one version", clip(text))
		}
		return c, nil
	}
	bare, wildcard := strings.CutSuffix(c.Text, ".*")
	v, err := Parse(bare)
	if err != nil {
		return Specifier{}, fmt.Errorf("parse specifier %q: %w", clip(text), err)
	}
	c.version, c.wildcard = v, wildcard
	if why := c.invalid(); why != "" {
		return Specifier{}, fmt.Errorf("parse specifier %q: %s", clip(text), why)
	}
	return c, nil
}

// invalid says what an operator does not allow beside it.
func (c Specifier) invalid() string {
	switch equal := c.Op == "==" || c.Op == "!="; {
	case c.wildcard && !equal:
		return `".*" needs == or !=`
	case c.wildcard && (c.version.PreRelease() || c.version.PostRelease() || len(c.version.local) > 0):
		return `".*" follows a release only`
	case len(c.version.local) > 0 && !equal:
		return "a local version needs == or !="
	case c.Op == "~=" && len(c.version.release) < 2:
		return "~= needs at least two parts"
	}
	return ""
}

// ParseSpecifiers reads clauses separated by commas; empty ones are ignored.
func ParseSpecifiers(text string) (Specifiers, error) {
	var out Specifiers
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		c, err := ParseSpecifier(part)
		if err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > maxSpecifiers {
			return nil, fmt.Errorf("parse specifier %q: more than %d clauses", clip(text), maxSpecifiers)
		}
	}
	return out, nil
}

// String returns the clause without spaces.
func (c Specifier) String() string { return c.Op + c.Text }

// String returns the clauses separated by commas, in the order given.
func (s Specifiers) String() string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = c.String()
	}
	return strings.Join(parts, ",")
}

// Contains says whether a version satisfies the clause, pre-releases included.
func (c Specifier) Contains(v Version) bool {
	switch c.Op {
	case "===":
		return strings.EqualFold(v.String(), c.Text)
	case "==":
		return c.equal(v)
	case "!=":
		return !c.equal(v)
	case "<=":
		return v.comparePublic(c.version) <= 0
	case ">=":
		return v.comparePublic(c.version) >= 0
	case "<":
		// "<2" does not mean a candidate for 2.
		limit := c.version
		if !limit.PreRelease() {
			limit.dev, limit.local = "0", nil
		}
		return v.Compare(limit) < 0
	case ">":
		// ">2" means neither a post-release nor a local version of 2.
		if v.comparePublic(c.version) <= 0 {
			return false
		}
		return c.version.PostRelease() || c.version.dev != "" || !sameBase(v, c.version)
	}
	return v.comparePublic(c.version) >= 0 && hasPrefix(v, c.version, len(c.version.release)-1)
}

func (c Specifier) equal(v Version) bool {
	switch {
	case c.wildcard:
		return hasPrefix(v, c.version, len(c.version.release))
	case len(c.version.local) > 0:
		return v.Compare(c.version) == 0
	}
	return v.comparePublic(c.version) == 0
}

// hasPrefix says whether v has the epoch and the first n parts of the release
// of prefix.
func hasPrefix(v, prefix Version, n int) bool {
	if v.epoch != prefix.epoch {
		return false
	}
	for i := range n {
		if at(v.release, i) != prefix.release[i] {
			return false
		}
	}
	return true
}

// sameBase says whether versions differ at most in what follows a pre-release.
func sameBase(v, w Version) bool {
	return v.epoch == w.epoch && compareRelease(v.release, w.release) == 0 && v.pre == w.pre && v.preN == w.preN
}

// Contains says whether a version satisfies every clause, pre-releases included.
func (s Specifiers) Contains(v Version) bool {
	for _, c := range s {
		if !c.Contains(v) {
			return false
		}
	}
	return true
}

// Pinned says whether a clause allows one version only: == or === without ".*".
func (s Specifiers) Pinned() bool {
	return slices.ContainsFunc(s, func(c Specifier) bool { return c.Op == "===" || c.Op == "==" && !c.wildcard })
}

// Bounded says whether a clause sets an upper limit.
func (s Specifiers) Bounded() bool {
	return slices.ContainsFunc(s, func(c Specifier) bool {
		return c.Op == "<" || c.Op == "<=" || c.Op == "~=" || c.Op == "==" && c.wildcard
	})
}

// NamesPreRelease says whether a clause names a pre-release, which allows them.
func (s Specifiers) NamesPreRelease() bool {
	return slices.ContainsFunc(s, func(c Specifier) bool {
		if c.Op == "===" {
			v, err := Parse(c.Text)
			return err == nil && v.PreRelease()
		}
		return c.Op != "!=" && c.version.PreRelease()
	})
}

// Filter returns the items that the set allows, in their order. Pre-releases
// are among them when the set names one, or when nothing else is left (PEP 440,
// "Handling of pre-releases").
func Filter[T any](s Specifiers, items []T, version func(T) Version) []T {
	pre := s.NamesPreRelease()
	var all, final []T
	for _, item := range items {
		v := version(item)
		if !s.Contains(v) {
			continue
		}
		all = append(all, item)
		if !v.PreRelease() {
			final = append(final, item)
		}
	}
	if pre || len(final) == 0 {
		return all
	}
	return final
}
