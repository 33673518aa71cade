package solve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// thereWorld makes up a repository and what a node has of it: the same builds and
// others, of each name one.
func thereWorld(r *rand.Rand, shape shape) (packages []small, s func(testing.TB) *Solver) {
	available := randomPackages(r, shape)
	available = available[:min(len(available), 8)]
	var node []small
	for _, p := range available {
		if len(node) == 5 || r.IntN(2) == 0 || slices.ContainsFunc(node, func(have small) bool { return have.name == p.name }) {
			continue
		}
		if r.IntN(3) == 0 {
			p.evr = fmt.Sprintf("%d-%d", 1+r.IntN(3), 1+r.IntN(2))
		}
		p.repo = "node"
		node = append(node, p)
	}
	packages = append(node, available...)
	return packages, func(t testing.TB) *Solver {
		return NewSolver(smallPool(t, packages, rpm.Repo{ID: "node", Installed: true}))
	}
}

// TestThereProperties makes up nodes. In every answer what is new is closed, what
// held on the node still holds, nothing of the node goes without a successor or
// gets older, and something leads to every new package; and when trying everything
// finds an answer, so does the solver.
func TestThereProperties(t *testing.T) {
	solved, refused, changed := 0, 0, 0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(17, seed))
		shape := randomShape(r)
		shape.arches = []string{"noarch"} // the rules of architectures have tests of their own
		packages, solver := thereWorld(r, shape)
		s := solver(t)
		for range 4 {
			job := Job{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0, KeepNode: r.IntN(4) > 0}
			for range 1 + r.IntN(2) {
				job.Requests = append(job.Requests, packages[r.IntN(len(packages))].name)
			}
			res, err := s.Solve(t.Context(), job)
			show := func() string { return fmt.Sprintf("%+v\n%s", job, listing(packages)) }
			if errors.Is(err, manifest.ErrUnsolvable) {
				refused++
				if !job.Best && !s.splits() && thereBruteForce(t, s, job) {
					t.Errorf("refused, though there is an answer: %s\n%v", show(), err)
				}
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if solved++; len(res.Gone) > 0 {
				changed++
			}
			if err := validThere(s, job, res); err != nil {
				t.Errorf("%v: %s; gone %v: %s", err, outcome(s, res, nil), res.Gone, show())
			}
		}
	}
	if solved < 700 || refused < 300 || changed < 200 {
		t.Errorf("%d solved, %d of them with changes, %d refused: the nodes tell nothing", solved, changed, refused)
	}
}

// splits reports whether something obsoletes what the node has: the rules for
// packages that were split forbid what is valid.
func (s *Solver) splits() bool { return len(s.replacers()) > 0 }

// validThere says what is wrong with an answer beside a node.
func validThere(s *Solver, job Job, res *Result) error {
	before, after := map[rpm.ID]bool{rpm.System: true}, map[rpm.ID]bool{rpm.System: true}
	for _, id := range s.there {
		before[id], after[id] = true, true
	}
	for _, g := range res.Gone {
		delete(after, g.Package)
		if g.By == 0 {
			return fmt.Errorf("%s goes, and nothing comes for it", s.pool.NEVRA(g.Package))
		}
		heir, old := &s.info[g.By], &s.info[g.Package]
		if job.KeepNode && heir.name == old.name && s.pool.CompareEVR(heir.evr, old.evr) < 0 {
			return fmt.Errorf("%s gets older", s.pool.NEVRA(g.Package))
		}
	}
	for _, id := range res.Packages {
		after[id] = true
		if len(res.Why(id)) == 0 {
			return fmt.Errorf("nothing leads to %s", s.pool.NEVRA(id))
		}
	}
	return holdsAfter(s, before, after)
}

// holdsAfter reads all packages of a state anew: a new package must be whole, one
// of the node as whole as it was before.
func holdsAfter(s *Solver, before, after map[rpm.ID]bool) error {
	for id, is := range after {
		if id == rpm.System || !is {
			continue
		}
		pkg, there := s.pool.Package(id), s.info[id].there
		for _, d := range pkg.Requires {
			if !depHolds(s.pool, d, after, 0) && !(there && !depHolds(s.pool, d, before, 0)) {
				return fmt.Errorf("%s requires %s", s.pool.NEVRA(id), s.pool.DepString(d))
			}
		}
		for _, d := range pkg.Conflicts {
			if isComplex(s.pool, d) {
				continue // what such a one says of its own package is forgiven, see valid
			}
			for _, q := range s.pool.Providers(d) {
				if after[q] && q != id && !(there && s.info[q].there) {
					return fmt.Errorf("%s conflicts with %s", s.pool.NEVRA(id), s.pool.NEVRA(q))
				}
			}
		}
		for _, q := range s.of(id).obsoletes {
			if after[q] && !(there && s.info[q].there) {
				return fmt.Errorf("%s obsoletes %s", s.pool.NEVRA(id), s.pool.NEVRA(q))
			}
		}
		for _, q := range s.pool.ByName(pkg.Name) {
			if after[q] && q != id && !(there && s.info[q].there) && !s.info[q].multiversion && s.info[q].fitsBeside(&s.info[id]) {
				return fmt.Errorf("%s and %s", s.pool.NEVRA(id), s.pool.NEVRA(q))
			}
		}
	}
	return nil
}

// thereBruteForce tries every set of packages. Worlds with complex conflicts are
// passed over, of which some rules forgive what they say of their own package, and
// nodes with complex requirements, of which a part that held must hold on.
func thereBruteForce(t *testing.T, s *Solver, job Job) bool {
	t.Helper()
	g, problems := s.readJob(job)
	if len(problems) > 0 {
		return false
	}
	x := newSearch(s)
	x.begin(context.Background(), g)
	n := s.pool.Len() - 2
	before := map[rpm.ID]bool{rpm.System: true}
	for _, id := range s.there {
		before[id] = true
	}
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		complex := func(d rpm.Dep) bool { return isComplex(s.pool, d) }
		if pkg := s.pool.Package(id); slices.ContainsFunc(pkg.Conflicts, complex) || s.info[id].there && slices.ContainsFunc(pkg.Requires, complex) {
			return false
		}
	}
	for set := range 1 << n {
		after := map[rpm.ID]bool{rpm.System: true}
		for i := range n {
			if set>>i&1 != 0 {
				after[rpm.ID(i+2)] = true
			}
		}
		succeeded := true
		for _, id := range s.there {
			if !after[id] && !slices.ContainsFunc(x.rules[x.updateOf[id]].lits, func(l lit) bool { return after[idOf(l)] }) {
				succeeded = false
			}
		}
		if succeeded && meetsJobs(g, after) && holdsAfter(s, before, after) == nil {
			return true
		}
	}
	return false
}

// FuzzSolveThere makes up a node and a job from a seed.
func FuzzSolveThere(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed), seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, requests uint8, weak bool) {
		r := rand.New(rand.NewPCG(seed, 5))
		packages, solver := thereWorld(r, randomShape(r))
		s := solver(t)
		job := Job{Weak: weak, Best: r.IntN(2) == 0, KeepNode: r.IntN(2) == 0}
		for range requests%4 + 1 {
			p := packages[r.IntN(len(packages))]
			job.Requests = append(job.Requests, []string{p.name, p.name + "." + p.arch, p.name + "*", "x >= 2"}[r.IntN(4)])
		}
		res, err := s.Solve(t.Context(), job)
		if errors.Is(err, manifest.ErrUnsolvable) && err.Error() != "" {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for _, g := range res.Gone {
			if g.By == 0 {
				t.Errorf("%s goes, and nothing comes for it", s.pool.NEVRA(g.Package))
			}
		}
	})
}
