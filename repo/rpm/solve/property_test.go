package solve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// TestProperties makes up repositories, for one architecture and for two, and
// jobs with pins. Every answer must be valid and hold nothing that no request
// leads to; when trying all subsets finds an answer, so must the solver; and a
// refusal must be about requests that have no answer by themselves.
func TestProperties(t *testing.T) {
	solved, refused := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(11, seed))
		shape := randomShape(r)
		packages := withTwins(r, randomPackages(r, shape))
		packages = packages[:min(len(packages), 10)]
		pool := smallPool(t, packages)
		s := NewSolver(pool)
		for range 4 {
			job := Job{Weak: r.IntN(2) == 0}
			for range 1 + r.IntN(2) {
				job.Requests = append(job.Requests, packages[r.IntN(len(packages))].name)
			}
			if r.IntN(4) == 0 {
				p := packages[r.IntN(len(packages))]
				job.Pins = []string{p.name + "=" + p.evr}
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

// withTwins gives some packages for i686 a build of the same version for x86_64
// beside them: chance alone rarely does.
func withTwins(r *rand.Rand, packages []small) []small {
	var out []small
	for _, p := range packages {
		out = append(out, p)
		twin := small{name: p.name, evr: p.evr, arch: "x86_64", deps: map[string][]string{"requires": p.deps["requires"]}}
		same := func(q small) bool { return q.name == p.name && q.evr == p.evr && q.arch == "x86_64" }
		if p.arch == "i686" && r.IntN(2) == 0 && !slices.ContainsFunc(packages, same) {
			out = append(out, twin)
		}
	}
	return out
}

// checkJob solves a job and holds the answer to what it promises. It returns
// whether there was one.
func checkJob(t *testing.T, s *Solver, job Job, packages []small) bool {
	t.Helper()
	show := func() string { return listing(packages) }
	r, err := s.Solve(t.Context(), job)
	if err != nil {
		if !errors.Is(err, manifest.ErrUnsolvable) {
			t.Fatal(err)
		}
		if other := bruteForce(s, job); other != nil {
			t.Errorf("%+v: refused, but %v is an answer\n%v\n%s", job, outcome(s, &Result{Packages: other}, nil), err, show())
		}
		if err := explained(t, s, job, err); err != nil {
			t.Errorf("%+v: %v\n%s", job, err, show())
		}
		return false
	}
	if err := valid(s.pool, r.Packages); err != nil {
		t.Errorf("%+v: %v: %s\n%s", job, outcome(s, r, nil), err, show())
	}
	g, _ := s.readJob(job)
	if err := stepped(s, g, r.Packages); err != nil {
		t.Errorf("%+v: %v: %s\n%s", job, err, outcome(s, r, nil), show())
	}
	for _, id := range r.Packages {
		if g.bars(id) {
			t.Errorf("%+v: %s is ruled out by the pin\n%s", job, s.pool.NEVRA(id), show())
		}
		if len(r.Why(id)) == 0 && !slices.ContainsFunc(r.Packages, func(id rpm.ID) bool { return supplementsAll(s.pool, id) }) {
			t.Errorf("%+v: nothing leads to %s in %s\n%s", job, s.pool.NEVRA(id), outcome(s, r, nil), show())
		}
	}
	return true
}

// supplementsAll reports whether a package supplements what holds without any
// other, (a if nothing) say.
func supplementsAll(pool *rpm.Pool, id rpm.ID) bool {
	return slices.ContainsFunc(pool.Package(id).Supplements, func(d rpm.Dep) bool {
		return depHolds(pool, d, map[rpm.ID]bool{id: true}, 0)
	})
}

// explained says what is wrong with a refusal: each of its problems must have a
// cause, and requests that have no answer without the others.
func explained(t *testing.T, s *Solver, job Job, err error) error {
	t.Helper()
	u, ok := errors.AsType[*Unsolvable](err)
	if !ok || len(u.Problems) == 0 {
		return fmt.Errorf("refused without a problem: %w", err)
	}
	for _, p := range u.Problems {
		switch cause := p.cause(); {
		case len(p.Requests) == 0:
			return fmt.Errorf("a problem of no request: %v", p)
		case cause == nil || !cause.isEnd():
			return fmt.Errorf("a problem without a cause:\n%v", p)
		}
		lesser := false // than a build that only another request leads to
		for r := range p.Chain() {
			lesser = lesser || r.Kind == InferiorArch
		}
		if lesser {
			continue
		}
		alone := job
		alone.Requests = p.Requests
		if _, err := s.Solve(t.Context(), alone); err == nil {
			return fmt.Errorf("%q have an answer by themselves, and this is no reason:\n%v", p.Requests, p)
		}
	}
	return nil
}

// stepped says what is wrong with the architectures of an answer: what is for a
// lesser one than its name has, and has no build of its version for the better one
// beside it, is asked for itself, or nothing in the answer requires the better.
func stepped(s *Solver, g *goal, packages []rpm.ID) error {
	required := map[rpm.ID]bool{}
	for _, p := range packages {
		for _, d := range s.pool.Package(p).Requires {
			providers := s.pool.Providers(d)
			if isComplex(s.pool, d) || slices.Contains(providers, p) {
				continue
			}
			for _, q := range providers {
				required[q] = true
			}
		}
	}
	for _, p := range packages {
		me := &s.info[p]
		for _, q := range s.pool.ByName(me.name) {
			in := &s.info[q]
			lesser := me.score > 1 && in.installable && in.score > 1 && in.class() < me.class()
			beside := slices.ContainsFunc(packages, func(t rpm.ID) bool {
				return s.info[t].name == me.name && s.info[t].evr == me.evr && s.info[t].class() == in.class()
			})
			if lesser && required[q] && !beside && !slices.ContainsFunc(s.pool.ByName(me.name), g.asks) {
				return fmt.Errorf("%s without %s", s.pool.NEVRA(p), s.pool.NEVRA(q))
			}
		}
	}
	return nil
}

// keepsToArch reports whether a set holds no package for a lesser architecture
// than its name has, but along with the same version for the best one. The solver
// asks for less: only builds that a request leads to count as the best.
func keepsToArch(s *Solver, ids []rpm.ID, in map[rpm.ID]bool) bool {
	for _, p := range ids {
		best := p
		for _, q := range s.pool.ByName(s.info[p].name) {
			if in := &s.info[q]; in.installable && in.score > 1 && in.score < s.info[best].score {
				best = q
			}
		}
		alone := s.info[p].score > 1 && s.info[best].class() != s.info[p].class()
		for _, q := range s.pool.ByName(s.info[p].name) {
			if in[q] && s.info[q].evr == s.info[p].evr && s.info[q].class() == s.info[best].class() {
				alone = false
			}
		}
		if alone {
			return false
		}
	}
	return true
}

// bruteForce tries every set of packages, the smaller numbers first.
func bruteForce(s *Solver, job Job) []rpm.ID {
	g, problems := s.readJob(job)
	if len(problems) > 0 {
		return nil
	}
	for set := range 1 << (s.pool.Len() - 2) {
		var ids []rpm.ID
		in := map[rpm.ID]bool{}
		for i := range s.pool.Len() - 2 {
			if set>>i&1 != 0 {
				ids = append(ids, rpm.ID(i+2))
				in[rpm.ID(i+2)] = true
			}
		}
		if meetsJobs(g, in) && !slices.ContainsFunc(ids, g.bars) && keepsToArch(s, ids, in) && valid(s.pool, ids) == nil && !conflictsWithItself(s.pool, ids, in) {
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
			if err := explained(t, s, job, err); err != nil {
				t.Error(err)
			}
			return
		}
		if err := valid(s.pool, result.Packages); err != nil {
			t.Error(err)
		}
	})
}
