package solve

import (
	"context"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// PassedOver is a newer build than the one that was taken, or what obsoletes it.
type PassedOver struct {
	Newer, Taken rpm.ID
	// Problem says why the newer one would not do along with the requests. It is
	// nil when it would: the older one was the better choice for another reason.
	Problem *Problem
}

// PassedOver lists for each package of the answer to a job the newest build of
// its name and architecture when that was not taken; for one that was asked for
// by name also the newest that goes by another name now. Builds that are filtered
// out or in a repository of lower priority do not count, nor does what somebody
// decided: builds that a pin or a request rules out, and those that such a
// decision holds back.
func (s *Solver) PassedOver(ctx context.Context, j Job, r *Result) ([]PassedOver, error) {
	g, _ := s.readJob(j)
	var out []PassedOver
	for _, taken := range r.Packages {
		if newer := s.newerBuild(taken, g); newer != 0 {
			out = append(out, PassedOver{Newer: newer, Taken: taken})
		}
	}
	for _, t := range r.Requested {
		if successor := s.successor(t, g, r); successor != 0 {
			out = append(out, PassedOver{Newer: successor, Taken: t.Package})
		}
	}
	decided := s.decided(j, g, out, r)
	for i := range out {
		var err error
		if out[i].Problem, err = s.tooNew(ctx, out[i].Newer, g, r); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(p PassedOver) bool {
		return decided[s.info[p.Newer].name] || decided[s.info[p.Taken].name] || p.Problem != nil && p.Problem.isAbout(decided)
	}), nil
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

// successor returns the newest build that obsoletes what was taken for a request
// that means both, 0 when there is none or it was taken too.
func (s *Solver) successor(t Taken, g *goal, r *Result) rpm.ID {
	best := rpm.ID(0)
	for i := range g.jobs {
		if g.jobs[i].request != t.Request || !g.jobs[i].means(t.Package) {
			continue
		}
		for _, q := range g.jobs[i].candidates {
			in := &s.info[q]
			if in.installable && in.priority <= s.info[t.Package].priority && slices.Contains(s.of(q).obsoletes, t.Package) &&
				!slices.Contains(r.Packages, q) && (best == 0 || s.pool.CompareEVR(in.evr, s.info[best].evr) > 0) {
				best = q
			}
		}
	}
	return best
}

// decided returns the names whose build was chosen by hand: by a pin, or by a
// request that means the older build and not the newer one. What was built from
// the same source was chosen along with it.
func (s *Solver) decided(j Job, g *goal, list []PassedOver, r *Result) map[rpm.Str]bool {
	names := map[rpm.Str]bool{}
	for _, pin := range j.Pins {
		name, _, _ := strings.Cut(pin, "=")
		names[s.pool.Lookup(strings.TrimSpace(name))] = true
	}
	for _, p := range list {
		for i := range g.jobs {
			if g.jobs[i].means(p.Taken) && !g.jobs[i].means(p.Newer) {
				names[s.info[p.Newer].name] = true
			}
		}
	}
	sources := map[rpm.Str]bool{}
	for _, id := range r.Packages {
		if source := s.pool.Package(id).SourceRPM; source != 0 && names[s.info[id].name] {
			sources[source] = true
		}
	}
	for _, id := range r.Packages {
		if sources[s.pool.Package(id).SourceRPM] {
			names[s.info[id].name] = true
		}
	}
	return names
}

// tooNew says why a build would not do: along with the requests or, when it is
// asked for itself, along with what was taken for the others. The second tells
// of two requests whose newest builds exclude each other.
func (s *Solver) tooNew(ctx context.Context, newer rpm.ID, g *goal, r *Result) (*Problem, error) {
	exactly := func(id rpm.ID) job { return job{request: s.pool.NEVRA(id), candidates: []rpm.ID{id}} }
	with := *g
	with.jobs = append([]job{exactly(newer)}, g.jobs...)
	problem, err := s.firstProblem(ctx, &with)
	if problem != nil || err != nil || !g.asks(newer) {
		return problem, err
	}
	with.jobs = with.jobs[:1]
	for _, t := range r.Requested {
		if s.info[t.Package].name != s.info[newer].name {
			with.jobs = append(with.jobs, exactly(t.Package))
		}
	}
	return s.firstProblem(ctx, &with)
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
