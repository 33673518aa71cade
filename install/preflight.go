package install

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// Severity is how much a finding matters.
type Severity string

const (
	SeverityError   Severity = "error"   // nothing is installed
	SeverityWarning Severity = "warning" // it may go wrong later, or could not be looked at
	SeverityNote    Severity = "note"    // good to know
)

// rank orders severities, worst first.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityError, SeverityWarning, SeverityNote}, s)
}

// Finding is one thing that preflight has to say about a node.
type Finding struct {
	Check    string   `json:"check"` // "python", "space": a word that does not change
	Severity Severity `json:"severity"`
	Detail   string   `json:"detail"`
	Hint     string   `json:"hint,omitempty"` // the way out
}

// Wish is what somebody wants of a node.
type Wish struct {
	Roles  []manifest.Role // at least one
	Base   string          // the node's path of the link: "/opt/patroni-airgap"
	There  Place           // what is at Base now: see Look
	Other  string          // another base that something is installed below; empty: none
	Need   int64           // bytes that the release will take: see Needs
	Inodes int64           // files and folders of it
	Image  bool            // the node is an image: nothing is run in it yet
	Busy   bool            // another pgbundle is at work on the node
}

func (w Wish) has(role manifest.Role) bool { return slices.Contains(w.Roles, role) }

// Preflight holds a bundle against a node and returns everything that it finds,
// worst first. It is a pure function of what it is given. What is not known of
// the node is a warning, with the reason, and never a pass.
func Preflight(m *manifest.Manifest, n *manifest.Node, w Wish) []Finding {
	p := &preflight{m: m, n: n, w: w}
	for _, check := range []func(){
		p.running, p.user, p.system, p.release, p.arch, p.contents, p.python, p.tools, p.excludes,
		p.base, p.mounts, p.space, p.selinux, p.fips, p.cryptoPolicy, p.fapolicyd,
	} {
		check()
	}
	slices.SortStableFunc(p.found, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return p.found
}

// Refused says with everything that speaks against it, and the ways out, that
// the node does not fit; nil when nothing does. The error is of class
// manifest.ErrUnsolvable.
func Refused(findings []Finding) error {
	var lines []string
	for _, f := range findings {
		if f.Severity != SeverityError {
			continue
		}
		line := f.Check + ": " + f.Detail
		if f.Hint != "" {
			line += ": " + f.Hint
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	return manifest.Classify(manifest.ErrUnsolvable, errors.New("the node does not fit, and nothing was changed:\n"+strings.Join(lines, "\n")))
}

// preflight is one run of Preflight.
type preflight struct {
	m     *manifest.Manifest
	n     *manifest.Node
	w     Wish
	found []Finding
}

func (p *preflight) add(s Severity, check, hint, format string, args ...any) {
	p.found = append(p.found, Finding{Check: check, Severity: s, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

// unknown warns that a fact could not be found out. Of an image much cannot;
// then it is looked at when the install is finished.
func (p *preflight) unknown(check, fact string) {
	severity, hint := SeverityWarning, ""
	if p.w.Image {
		severity, hint = SeverityNote, "pgbundle install --finish looks at it on the booted system"
	}
	why, ok := p.n.Why(fact)
	if !ok {
		why = "nothing is known of it"
	}
	p.add(severity, check, hint, "could not be looked at: %s", why)
}
