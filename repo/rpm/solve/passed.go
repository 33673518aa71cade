package solve

import (
	"context"

	"pgbundle/repo/rpm"
)

// PassedOver is a newer build than the one that was taken.
type PassedOver struct {
	Newer, Taken rpm.ID
	// Problem says why the newer one would not do along with the requests. It is
	// nil when it would: the older one was the better choice for another reason.
	Problem *Problem
}

// PassedOver lists for each package of the answer to a job the newest build of
// its name and architecture when that was not taken. Builds that are filtered
// out, ruled out by a pin or in a repository of lower priority do not count.
func (s *Solver) PassedOver(ctx context.Context, j Job, r *Result) ([]PassedOver, error) {
	g, _ := s.readJob(j)
	var out []PassedOver
	for _, taken := range r.Packages {
		newer := s.newerBuild(taken, g)
		if newer == 0 {
			continue
		}
		with := *g
		with.jobs = append([]job{{s.pool.NEVRA(newer), []rpm.ID{newer}}}, g.jobs...)
		problem, err := s.firstProblem(ctx, &with)
		if err != nil {
			return nil, err
		}
		out = append(out, PassedOver{newer, taken, problem})
	}
	return out, nil
}

// newerBuild returns the newest build that could have stood in for a package, 0
// when that is the package itself.
func (s *Solver) newerBuild(taken rpm.ID, g *goal) rpm.ID {
	best := taken
	for _, q := range s.pool.ByName(s.info[taken].name) {
		in, have := &s.info[q], &s.info[best]
		if in.arch == have.arch && in.installable && in.priority <= have.priority &&
			!g.bars(q) && s.pool.CompareEVR(in.evr, have.evr) > 0 {
			best = q
		}
	}
	if best == taken {
		return 0
	}
	return best
}

// firstProblem returns one problem of a goal, nil when it can be met.
func (s *Solver) firstProblem(ctx context.Context, g *goal) (*Problem, error) {
	x := s.searches.Get().(*search)
	defer s.searches.Put(x)
	x.begin(ctx, g)
	solved, err := x.run(false)
	if solved || err != nil {
		return nil, err
	}
	p, _ := x.problem()
	return p, nil
}
