package solve

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"pgbundle/repo/rpm"
)

// Result is a closure. Its methods may be called from many goroutines.
type Result struct {
	// Packages is what is to be installed, by name, architecture and id.
	Packages []rpm.ID
	// Requested are the packages that were taken for each request.
	Requested []Taken

	solver *Solver
	edges  func() map[rpm.ID][]Link
}

// Taken says which package met a request.
type Taken struct {
	Request string
	Package rpm.ID
}

// Relation says how a package leads to another.
type Relation uint8

// The relations, the strongest first.
const (
	Request     Relation = iota // a request meant the package
	Requires                    // another package requires it
	Averts                      // it averts a conditional conflict of another package
	Recommends                  // another package recommends it
	Supplements                 // it supplements another package
)

// String gives the verb of a relation.
func (r Relation) String() string {
	return [...]string{"requested", "requires", "would conflict without", "recommends", "is supplemented by"}[r]
}

// Link says that By leads to Package, by the dependency Dep. For a request By is
// 0 and Request says which.
type Link struct {
	Package  rpm.ID
	By       rpm.ID
	Relation Relation
	Dep      rpm.Dep
	Request  string
}

// result reads the answer off a finished search.
func (x *search) result() *Result {
	r := &Result{solver: x.Solver}
	for _, d := range x.decisions {
		if id := rpm.ID(d.lit); id > rpm.System {
			r.Packages = append(r.Packages, id)
		}
	}
	slices.SortFunc(r.Packages, x.compareNames)
	for i := range x.goal.jobs {
		for _, id := range x.goal.jobs[i].candidates {
			if x.installed(id) && x.stands(&x.goal.jobs[i]) {
				r.Requested = append(r.Requested, Taken{x.goal.jobs[i].request, id})
			}
		}
	}
	r.edges = sync.OnceValue(r.findEdges)
	return r
}

func (s *Solver) compareNames(a, b rpm.ID) int {
	p, q := &s.info[a], &s.info[b]
	return cmp.Or(
		strings.Compare(s.pool.String(p.name), s.pool.String(q.name)),
		strings.Compare(s.pool.String(p.arch), s.pool.String(q.arch)),
		cmp.Compare(a, b),
	)
}

// WantedBy lists what leads to a package: requests first, then packages in the
// order of Packages.
func (r *Result) WantedBy(id rpm.ID) []Link { return r.edges()[id] }

// Why returns the shortest chain from a request to a package, the request first.
// It is empty for a package that is not in the result.
func (r *Result) Why(id rpm.ID) []Link {
	// Breadth first from the package back to a request, strong links first.
	next := map[rpm.ID]Link{} // by requirer: the link that goes on from it
	queue := []rpm.ID{id}
	seen := map[rpm.ID]bool{id: true}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, link := range r.edges()[at] {
			if link.Relation == Request {
				chain := []Link{link}
				for at != id {
					chain = append(chain, next[at])
					at = next[at].Package
				}
				return chain
			}
			if !seen[link.By] {
				seen[link.By] = true
				next[link.By] = link
				queue = append(queue, link.By)
			}
		}
	}
	return nil
}

func (r *Result) findEdges() map[rpm.ID][]Link {
	s := r.solver
	in := newIDSet(s.pool.Len())
	for _, id := range r.Packages {
		in.add(id)
	}
	edges := make(map[rpm.ID][]Link, len(r.Packages))
	add := func(relation Relation, d rpm.Dep, by rpm.ID, to ...rpm.ID) {
		for _, id := range to {
			if by != id && in.has(id) {
				edges[id] = append(edges[id], Link{Package: id, By: by, Relation: relation, Dep: d})
			}
		}
	}
	for _, t := range r.Requested {
		edges[t.Package] = append(edges[t.Package], Link{Package: t.Package, Relation: Request, Request: t.Request})
	}
	for _, id := range r.Packages {
		pkg := s.pool.Package(id)
		for _, d := range pkg.Requires {
			add(Requires, d, id, s.meets(d, id)...)
		}
		for _, d := range pkg.Conflicts {
			add(Averts, d, id, s.averts(d)...)
		}
	}
	for _, id := range r.Packages {
		pkg := s.pool.Package(id)
		for _, d := range pkg.Recommends {
			add(Recommends, d, id, s.meets(d, id)...)
		}
		for _, d := range pkg.Supplements {
			for _, q := range s.meets(d, id) {
				if in.has(q) {
					add(Supplements, d, q, id)
				}
			}
		}
	}
	return edges
}

// meets returns the packages that a dependency of a package could bring: none
// when the package meets it by itself. Of a rich one these are left sides and
// else branches, and a condition that spares the else branch.
func (s *Solver) meets(d rpm.Dep, by rpm.ID) []rpm.ID {
	if r, ok := s.pool.RelOf(d); ok && isComplex(s.pool, d) {
		switch r.Op {
		case rpm.OpIf, rpm.OpUnless:
			out := s.meets(r.Name, by)
			if other, rel := s.pool.RelOf(r.EVR); rel && other.Op == rpm.OpElse {
				out = slices.Concat(out, s.meets(other.EVR, by), s.meets(other.Name, by))
			}
			return out
		case rpm.OpAnd, rpm.OpOr:
			return slices.Concat(s.meets(r.Name, by), s.meets(r.EVR, by))
		}
	}
	providers := s.pool.Providers(d)
	if slices.Contains(providers, by) {
		return nil
	}
	return providers
}

// averts returns the packages that a conditional conflict could need to be there.
func (s *Solver) averts(d rpm.Dep) []rpm.ID {
	if !isComplex(s.pool, d) {
		return nil
	}
	var out []rpm.ID
	for _, block := range invert(normalise(s.pool, d, dnf)).list {
		for _, l := range block {
			if l > 0 {
				out = append(out, rpm.ID(l))
			}
		}
	}
	return out
}
