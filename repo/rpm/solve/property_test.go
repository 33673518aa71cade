package solve

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// TestProperties makes up repositories. Every answer must be valid and hold
// nothing that no request leads to; and when trying all subsets finds an answer,
// so must the solver.
func TestProperties(t *testing.T) {
	solved, refused := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(11, seed))
		shape := randomShape(r)
		shape.arches = []string{"noarch"} // the architecture rules forbid what is valid
		packages := randomPackages(r, shape)
		packages = packages[:min(len(packages), 10)]
		pool := smallPool(t, packages)
		s := NewSolver(pool)
		for range 4 {
			job := Job{Weak: r.IntN(2) == 0}
			for range 1 + r.IntN(2) {
				job.Requests = append(job.Requests, packages[r.IntN(len(packages))].name)
			}
			if checkJob(t, s, job, packages) {
				solved++
			} else {
				refused++
			}
		}
	}
	if solved < 300 || refused < 300 {
		t.Errorf("%d solved, %d refused: the repositories tell nothing", solved, refused)
	}
}

// checkJob solves a job and holds the answer to what it promises. It returns
// whether there was one.
func checkJob(t *testing.T, s *Solver, job Job, packages []small) bool {
	t.Helper()
	show := func() string {
		var lines []string
		for _, p := range packages {
			lines = append(lines, p.String())
		}
		return strings.Join(lines, "\n")
	}
	r, err := s.Solve(t.Context(), job)
	if err != nil {
		if !errors.Is(err, manifest.ErrUnsolvable) {
			t.Fatal(err)
		}
		if other := bruteForce(s, job); other != nil {
			t.Errorf("%+v: refused, but %v is an answer\n%v\n%s", job, outcome(s, &Result{Packages: other}, nil), err, show())
		}
		return false
	}
	if err := valid(s.pool, r.Packages); err != nil {
		t.Errorf("%+v: %v: %s\n%s", job, outcome(s, r, nil), err, show())
	}
	for _, id := range r.Packages {
		if len(r.Why(id)) == 0 {
			t.Errorf("%+v: nothing leads to %s in %s\n%s", job, s.pool.NEVRA(id), outcome(s, r, nil), show())
		}
	}
	return true
}

// bruteForce tries every set of packages, the smaller numbers first.
func bruteForce(s *Solver, job Job) []rpm.ID {
	g, _ := s.readJob(job)
	for set := range 1 << (s.pool.Len() - 2) {
		var ids []rpm.ID
		in := map[rpm.ID]bool{}
		for i := range s.pool.Len() - 2 {
			if set>>i&1 != 0 {
				ids = append(ids, rpm.ID(i+2))
				in[rpm.ID(i+2)] = true
			}
		}
		if meetsJobs(g, in) && valid(s.pool, ids) == nil && !conflictsWithItself(s.pool, ids, in) {
			return ids
		}
	}
	return nil
}

// conflictsWithItself reports whether a rich conflict holds when the package
// that has it counts too, or when it does not: libsolv forgives what a package
// does to itself in plain conflicts only.
func conflictsWithItself(pool *rpm.Pool, ids []rpm.ID, in map[rpm.ID]bool) bool {
	for _, id := range ids {
		for _, d := range pool.Package(id).Conflicts {
			if isComplex(pool, d) && (depHolds(pool, d, in, 0) || depHolds(pool, d, in, id)) {
				return true
			}
		}
	}
	return false
}

func meetsJobs(g *goal, in map[rpm.ID]bool) bool {
	for _, j := range g.jobs {
		met := false
		for _, id := range j.candidates {
			met = met || in[id]
		}
		if !met {
			return false
		}
	}
	return true
}

// FuzzSolve makes up a repository and a job from a seed.
func FuzzSolve(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed), seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, requests uint8, weak bool) {
		r := rand.New(rand.NewPCG(seed, 3))
		shape := randomShape(r)
		packages := randomPackages(r, shape)
		s := NewSolver(smallPool(t, packages))
		job := Job{Weak: weak, Best: r.IntN(2) == 0}
		for range requests%4 + 1 {
			p := packages[r.IntN(len(packages))]
			job.Requests = append(job.Requests, []string{p.name, p.name + "." + p.arch, p.name + "-" + p.evr, p.name + "*", "x >= 2"}[r.IntN(5)])
		}
		result, err := s.Solve(t.Context(), job)
		if err != nil {
			if !errors.Is(err, manifest.ErrUnsolvable) || err.Error() == "" {
				t.Fatal(err)
			}
			return
		}
		if err := valid(s.pool, result.Packages); err != nil {
			t.Error(err)
		}
	})
}
