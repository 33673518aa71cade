package solve

import (
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// What a text names at most; the values hold everything.
const (
	maxNamed  = 3  // packages in a row
	maxSame   = 6  // reasons side by side
	maxNested = 12 // levels
)

// String writes a problem as lines: the chain of its reasons, each indented below
// what it explains. A chain that has steps between a request and the cause is
// led by the cause. A hint is given once.
func (p *Problem) String() string {
	w := chainWriter{p: p, told: map[string]bool{}}
	if cause := p.cause(); p.depth(p.Reasons, cause) > 1 {
		w.line(p.line(cause)+alike(len(cause.Alike)), 0)
		w.hints(cause.Hints, 1)
		w.in = 1
	}
	w.reasons(p.Reasons, 0)
	return strings.TrimSuffix(w.text.String(), "\n")
}

// depth is how far below some reasons one of them is, -1 when it is not there.
func (p *Problem) depth(reasons []*Reason, of *Reason) int {
	for _, r := range reasons {
		if r == of {
			return 0
		}
		if d := p.depth(r.Because, of); d >= 0 {
			return d + 1
		}
	}
	return -1
}

// chainWriter writes a chain, all of it further in by some steps.
type chainWriter struct {
	p    *Problem
	text strings.Builder
	in   int
	told map[string]bool // hints
}

// reasons writes reasons and what they are because of. What the same packages
// lack besides is told in few words.
func (w *chainWriter) reasons(list []*Reason, depth int) {
	if depth >= maxNested {
		return
	}
	list = w.p.withoutSymbols(list)
	for i, r := range list {
		if depth > 0 && i == maxSame {
			w.line(fmt.Sprintf("and %d more", len(list)-i), depth)
			for _, r := range list[i:] {
				w.hints(r.Hints, depth+1)
			}
			return
		}
		if i > 0 && r.lacksLike(list[i-1]) {
			w.line("nor "+w.p.solver.pool.DepString(r.Dep), depth)
		} else {
			w.line(w.p.line(r)+alike(len(r.Alike)), depth)
		}
		w.hints(r.Hints, depth+1)
		w.reasons(r.Because, depth+1)
	}
}

func (w *chainWriter) line(text string, depth int) {
	fmt.Fprintf(&w.text, "%s%s\n", strings.Repeat("  ", w.in+depth), text)
}

func (w *chainWriter) hints(list []string, depth int) {
	for _, hint := range list {
		if !w.told[hint] {
			w.told[hint] = true
			w.line("("+hint+")", depth)
		}
	}
}

// lacksLike reports whether a reason is that the packages of another one lack
// something else.
func (r *Reason) lacksLike(o *Reason) bool {
	return r.Kind == Missing && o.Kind == Missing && slices.Equal(r.Packages, o.Packages) && slices.Equal(r.Alike, o.Alike)
}

// withoutSymbols leaves out that symbols of a library are missing where the whole
// library is, for the same packages.
func (p *Problem) withoutSymbols(reasons []*Reason) []*Reason {
	gone := map[string]*Reason{} // by library
	for _, r := range reasons {
		if r.Kind == Missing {
			gone[p.solver.pool.DepString(r.Dep)] = r
		}
	}
	return slices.DeleteFunc(slices.Clone(reasons), func(r *Reason) bool {
		if r.Kind != Missing {
			return false
		}
		library, symbols, ok := cutSymbols(p.solver.pool.DepString(r.Dep))
		whole := gone[library]
		return ok && symbols != "" && whole != nil && slices.Equal(whole.Packages, r.Packages)
	})
}

// line writes one reason.
func (p *Problem) line(r *Reason) string {
	s := p.solver
	who := s.list(r.Packages)
	verb := func(one, several string) string {
		if len(r.Packages) == 1 {
			return one
		}
		return several
	}
	switch r.Kind {
	case NoMatch:
		return fmt.Sprintf("no package matches %s", r.Request)
	case AllFiltered:
		return fmt.Sprintf("every package that matches %s is left out", r.Request)
	case PinNoMatch:
		return fmt.Sprintf("no build fits the pin %s", r.Request)
	case Requested:
		return fmt.Sprintf("requested %s%s", r.Request, s.means(r))
	case BestRequested:
		return fmt.Sprintf("requested %s: the newest build is %s", r.Request, s.list(r.Offered))
	case Missing:
		return fmt.Sprintf("nothing provides %s needed by %s", s.pool.DepString(r.Dep), who)
	case Unmet:
		return fmt.Sprintf("%s %s %s, provided by %s", who, verb("requires", "require"), s.pool.DepString(r.Dep), s.list(r.Offered))
	case Conflict:
		return fmt.Sprintf("%s %s with %s provided by %s", who, verb("conflicts", "conflict"), s.pool.DepString(r.Dep), s.other(r))
	case Obsoletion:
		return fmt.Sprintf("%s %s %s provided by %s", who, verb("obsoletes", "obsolete"), s.pool.DepString(r.Dep), s.other(r))
	case SameName:
		if older := s.info[r.Packages[0]].evr; r.HeldBy == 0 && s.info[r.Other].there && s.pool.CompareEVR(older, s.info[r.Other].evr) < 0 {
			return fmt.Sprintf("%s %s older than %s, which stays", who, verb("is", "are"), s.label(r.Other))
		}
		return fmt.Sprintf("cannot install both %s and %s", who, s.other(r))
	case Filtered:
		return fmt.Sprintf("%s %s filtered out: %s", who, verb("is", "are"), s.filterText(r))
	case BadArch:
		return fmt.Sprintf("%s %s not run on %s", who, verb("does", "do"), s.pool.Arch())
	case InferiorArch:
		return fmt.Sprintf("%s %s only taken along with the same version for %s", who, verb("is", "are"), s.pool.Arch())
	case Joined:
		return fmt.Sprintf("%s %s along what %s goes with: %s", who, verb("brings", "bring"), r.Request, s.list(r.Offered))
	case Split:
		return fmt.Sprintf("%s %s a part of what the node has, and only %s along with the rest: %s", who, verb("replaces", "replace"), verb("comes", "come"), s.list(r.Offered))
	case PinnedAway:
		return fmt.Sprintf("%s %s ruled out by the pin %s", who, verb("is", "are"), r.By)
	}
	return s.richLine(r, who, verb)
}

// richLine writes a reason that comes from a complex dependency.
func (s *Solver) richLine(r *Reason, who string, verb func(one, several string) string) string {
	with := ""
	if r.Other != 0 {
		with = " along with " + s.label(r.Other)
	}
	switch {
	case r.Dep == 0:
		return fmt.Sprintf("%s %s itself", who, verb("excludes", "exclude"))
	case r.Kind == RichConflict:
		return fmt.Sprintf("%s %s with %s%s", who, verb("conflicts", "conflict"), s.pool.DepString(r.Dep), with)
	}
	return fmt.Sprintf("%s %s %s, which cannot be met%s", who, verb("requires", "require"), s.pool.DepString(r.Dep), with)
}

// means says what a request is met by, unless it says so itself.
func (s *Solver) means(r *Reason) string {
	if len(r.Offered) == 1 && s.pool.NEVRA(r.Offered[0]) == r.Request {
		return ""
	}
	return ", met by " + s.list(r.Offered)
}

// other names the package in the way, and what of the node needs it.
func (s *Solver) other(r *Reason) string {
	if r.HeldBy != 0 {
		return s.label(r.Other) + ", which " + s.pool.NEVRA(r.HeldBy) + " needs"
	}
	return s.label(r.Other)
}

// label names a package, and says so when the node has it.
func (s *Solver) label(id rpm.ID) string {
	if s.info[id].there {
		return s.pool.NEVRA(id) + " (on the node)"
	}
	return s.pool.NEVRA(id)
}

// filterText says what hides the packages of a reason.
func (s *Solver) filterText(r *Reason) string {
	switch repo := s.repoOf(r.Packages[0]); r.Filter {
	case rpm.Excluded:
		return fmt.Sprintf("excludepkgs=%s of repository %s names %s", r.By, repo, them(r.Packages))
	case rpm.NotIncluded:
		return fmt.Sprintf("includepkgs=%s of repository %s does not name %s", r.By, repo, them(r.Packages))
	case rpm.NodeExcluded:
		return fmt.Sprintf("excludepkgs=%s of the node names %s", r.By, them(r.Packages))
	case rpm.NodeNotIncluded:
		return fmt.Sprintf("includepkgs=%s of the node does not name %s", r.By, them(r.Packages))
	case rpm.NotCarried:
		return fmt.Sprintf("the bundle does not carry %s", them(r.Packages))
	case rpm.Locked:
		return fmt.Sprintf("the version lock %s of the node keeps %s out", r.By, them(r.Packages))
	case rpm.Shadowed:
		return fmt.Sprintf("the module stream %s, which is enabled, has packages of that name", r.By)
	}
	return fmt.Sprintf("the module stream %s is not enabled", r.By)
}

func them(ids []rpm.ID) string {
	if len(ids) == 1 {
		return "it"
	}
	return "them"
}

// alike counts the builds that fail in the same way.
func alike(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and 1 other build likewise"
	}
	return fmt.Sprintf(", and %d other builds likewise", n)
}

// list names packages, the newest first, and counts the rest.
func (s *Solver) list(ids []rpm.ID) string {
	var names []string
	for _, id := range s.newestFirst(ids)[:min(len(ids), maxNamed)] {
		names = append(names, s.label(id))
	}
	if more := len(ids) - len(names); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
