package solve

import (
	"fmt"
	"strings"

	"pgbundle/repo/rpm"
)

// What a text names at most; the values hold everything.
const (
	maxNamed  = 3  // packages in a row
	maxSame   = 6  // reasons side by side
	maxNested = 12 // levels
)

// String writes the chain of a problem, one reason a line, indented below what
// it explains.
func (p *Problem) String() string {
	var b strings.Builder
	p.write(&b, p.Reasons, 0)
	return strings.TrimSuffix(b.String(), "\n")
}

func (p *Problem) write(b *strings.Builder, reasons []*Reason, depth int) {
	if depth >= maxNested {
		return
	}
	indent := strings.Repeat("  ", depth)
	for i, r := range reasons {
		if depth > 0 && i == maxSame {
			fmt.Fprintf(b, "%sand %d more\n", indent, len(reasons)-i)
			return
		}
		fmt.Fprintf(b, "%s%s%s\n", indent, p.line(r), alike(len(r.Alike)))
		for _, hint := range r.Hints {
			fmt.Fprintf(b, "%s  (%s)\n", indent, hint)
		}
		p.write(b, r.Because, depth+1)
	}
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
		return fmt.Sprintf("%s %s with %s provided by %s", who, verb("conflicts", "conflict"), s.pool.DepString(r.Dep), s.pool.NEVRA(r.Other))
	case Obsoletion:
		return fmt.Sprintf("%s %s %s provided by %s", who, verb("obsoletes", "obsolete"), s.pool.DepString(r.Dep), s.pool.NEVRA(r.Other))
	case SameName:
		return fmt.Sprintf("cannot install both %s and %s", who, s.pool.NEVRA(r.Other))
	case Filtered:
		return fmt.Sprintf("%s %s filtered out by %s filtering", who, verb("is", "are"), s.filterOf(r.Packages[0]))
	case BadArch:
		return fmt.Sprintf("%s %s not run on this architecture", who, verb("does", "do"))
	case InferiorArch:
		return fmt.Sprintf("%s %s not for the best architecture", who, verb("is", "are"))
	case Joined:
		return fmt.Sprintf("%s %s along what %s goes with: %s", who, verb("brings", "bring"), r.Request, s.list(r.Offered))
	case PinnedAway:
		return fmt.Sprintf("%s %s ruled out by a pin", who, verb("is", "are"))
	}
	return s.richLine(r, who, verb)
}

// richLine writes a reason that comes from a complex dependency.
func (s *Solver) richLine(r *Reason, who string, verb func(one, several string) string) string {
	with := ""
	if r.Other != 0 {
		with = " along with " + s.pool.NEVRA(r.Other)
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

// filterOf gives dnf's word for the filter that hides a package.
func (s *Solver) filterOf(id rpm.ID) string {
	switch s.pool.Package(id).HiddenWhy {
	case rpm.Modular:
		return "modular"
	case rpm.NotIncluded:
		return "include"
	}
	return "exclude"
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
		names = append(names, s.pool.NEVRA(id))
	}
	if more := len(ids) - len(names); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
