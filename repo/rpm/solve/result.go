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
	// Packages is what is to be installed, by name, architecture and id. What a
	// node has already is not in it.
	Packages []rpm.ID
	// Gone is what the node then no longer has, by name, architecture and id.
	Gone []Gone
	// Requested are the packages that were taken for each request.
	Requested []Taken

	solver *Solver
	edges  func() map[rpm.ID][]Link
}

// Gone is a package of a node that makes room.
type Gone struct {
	Package rpm.ID
	// By is what takes its place: another build of its name, else what obsoletes
	// it, which the node may have had; 0 when nothing does and it is just removed.
	By rpm.ID
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
	There                       // the node has it
	Requires                    // another package requires it
	Averts                      // it averts a conditional conflict of another package
	Accompanies                 // another package of its name, for a lesser architecture, is only taken along with it
	Recommends                  // another package recommends it
	Supplements                 // it supplements another package
	Replaces                    // it takes the place of a package that the node had
)

// String gives the verb of a relation.
func (r Relation) String() string {
	return [...]string{"requested", "is on the node", "requires", "would conflict without", "comes along with", "recommends", "is supplemented by", "is replaced by"}[r]
}

// Link says that By leads to Package, by the dependency Dep. For a request By is
// 0 and Request says which; for what the node has By is 0 too.
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
		switch id := idOf(d.lit); {
		case d.lit > 0 && id > rpm.System && !x.info[id].there:
			r.Packages = append(r.Packages, id)
		case d.lit < 0 && x.info[id].there:
			r.Gone = append(r.Gone, Gone{Package: id})
		}
	}
	slices.SortFunc(r.Packages, x.compareNames)
	slices.SortFunc(r.Gone, func(a, b Gone) int { return x.compareNames(a.Package, b.Package) })
	for i := range r.Gone {
		r.Gone[i].By = x.heirOf(r.Gone[i].Package, slices.Concat(r.Packages, x.there))
	}
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

// heirOf returns the package among some that is installed and takes the place of
// one of the node.
func (x *search) heirOf(old rpm.ID, packages []rpm.ID) rpm.ID {
	heir := rpm.ID(0)
	for _, id := range packages {
		me, was := &x.info[id], &x.info[old]
		switch {
		case !x.installed(id):
		case me.name == was.name && me.arch == was.arch:
			return id
		case me.name == was.name && me.fitsBeside(was), heir == 0 && slices.Contains(x.of(id).obsoletes, old):
			heir = id
		}
	}
	return heir
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

// Why returns the shortest chain from a request, or from a package that the node
// has, to a package, the beginning first. It is empty for a package that is not in
// the result.
func (r *Result) Why(id rpm.ID) []Link {
	// Breadth first from the package back to a request, strong links first.
	next := map[rpm.ID]Link{} // by requirer: the link that goes on from it
	queue := []rpm.ID{id}
	seen := map[rpm.ID]bool{id: true}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, link := range r.edges()[at] {
			if link.Relation == Request || link.Relation == There {
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
	all := slices.Concat(r.Packages, r.staying())
	for _, id := range all {
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
	for _, id := range s.there {
		edges[id] = append(edges[id], Link{Package: id, Relation: There})
	}
	for _, id := range all {
		pkg := s.pool.Package(id)
		for _, d := range pkg.Requires {
			add(Requires, d, id, s.meets(d, id)...)
		}
		for _, d := range pkg.Conflicts {
			add(Averts, d, id, s.averts(d)...)
		}
		add(Accompanies, 0, id, s.twins(id)...)
	}
	for _, id := range all {
		pkg := s.pool.Package(id)
		for _, d := range pkg.Recommends {
			add(Recommends, d, id, s.meets(d, id)...)
		}
		for _, d := range pkg.Supplements {
			for _, q := range s.meets(d, 0) { // it may meet the dependency by itself, too
				if in.has(q) {
					add(Supplements, d, q, id)
				}
			}
		}
	}
	for _, g := range r.Gone {
		for _, id := range r.Packages {
			if s.info[id].name == s.info[g.Package].name || slices.Contains(s.of(id).obsoletes, g.Package) {
				add(Replaces, 0, g.Package, id)
			}
		}
	}
	return edges
}

// staying lists the packages of the node that are not gone.
func (r *Result) staying() []rpm.ID {
	var out []rpm.ID
	for _, id := range r.solver.there {
		if !slices.ContainsFunc(r.Gone, func(g Gone) bool { return g.Package == id }) {
			out = append(out, id)
		}
	}
	return out
}

// meets returns the packages that a dependency of a package could bring: none
// when the package meets it by itself. Of a rich one these are all that the
// solver could take for it, such as left sides and else branches, and a condition
// that spares the else branch.
func (s *Solver) meets(d rpm.Dep, by rpm.ID) []rpm.ID {
	if isComplex(s.pool, d) {
		return positives(normalise(s.pool, d, cnf))
	}
	providers := s.pool.Providers(d)
	if slices.Contains(providers, by) {
		return nil
	}
	return providers
}

// twins returns the builds of a package's name and version for better
// architectures.
func (s *Solver) twins(id rpm.ID) []rpm.ID {
	me := &s.info[id]
	return keep(slices.Clone(s.pool.ByName(me.name)), func(q rpm.ID) bool {
		return s.info[q].evr == me.evr && s.info[q].class() > 0 && s.info[q].class() < me.class()
	})
}

// averts returns the packages that a conditional conflict could need to be there.
func (s *Solver) averts(d rpm.Dep) []rpm.ID {
	if !isComplex(s.pool, d) {
		return nil
	}
	return positives(invert(normalise(s.pool, d, dnf)))
}

// positives returns the packages that blocks name without a negation, ascending.
func positives(b blocks) []rpm.ID {
	var out []rpm.ID
	for _, block := range b.list {
		for _, l := range block {
			if l > 0 {
				out = append(out, rpm.ID(l))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
