package solve

import (
	"cmp"
	"slices"

	"pgbundle/repo/rpm"
)

// Group is a request for the packages of a group, as comps lists them. They come
// behind all other requests, each like a name that was asked for, and those that
// no repository has do not count.
type Group struct {
	Request  string // as it was asked for: "@core"
	Packages []GroupPackage
}

// GroupPackage is a package of a group.
type GroupPackage struct {
	Name string
	Arch string // only builds for this architecture; "" takes any
	// With is a capability: the package is wanted along with each package that
	// provides it, and by itself not at all. "" wants it always.
	With string
}

// Lacking lists the packages of a group that no repository has.
func (s *Solver) Lacking(g Group) []string {
	var names []string
	for _, p := range g.Packages {
		if len(s.buildsOf(p)) == 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// buildsOf returns the visible builds of a package of a group.
func (s *Solver) buildsOf(p GroupPackage) []rpm.ID {
	builds := slices.Clone(s.pool.ByName(s.pool.Lookup(p.Name)))
	return keep(builds, func(id rpm.ID) bool {
		return s.visible(id) && (p.Arch == "" || s.pool.String(s.info[id].arch) == p.Arch)
	})
}

// addGroup adds the jobs of a group to a goal. A package that goes with a
// capability is what dnf asks libsolv for as `(name if capability)`: any provider
// of the name will do, and there is one job for each package that could bring the
// capability. The providers count as involved even when there is none.
func (s *Solver) addGroup(g *goal, group Group) {
	for _, p := range group.Packages {
		builds := s.buildsOf(p)
		if len(builds) == 0 {
			continue
		}
		if p.With == "" {
			g.jobs = append(g.jobs, job{request: group.Request, candidates: g.spare(s.withObsoleters(builds))})
			continue
		}
		providers := g.spare(s.pool.Providers(rpm.Dep(s.pool.Lookup(p.Name))))
		g.nearby = append(g.nearby, providers...)
		for _, q := range s.matchCapability(p.With) {
			if !slices.Contains(providers, q) {
				g.jobs = append(g.jobs, job{request: group.Request, candidates: providers, with: q})
			}
		}
	}
}

// spare removes the builds that a pin rules out, unless that leaves none: then
// the pin is the reason why there is no answer.
func (g *goal) spare(ids []rpm.ID) []rpm.ID {
	if left := slices.DeleteFunc(slices.Clone(ids), g.bars); len(left) > 0 {
		return left
	}
	return ids
}

// rule asks for one of some candidates of the job, if what it goes with is there.
func (j *job) rule(candidates []rpm.ID) []lit {
	if j.with == 0 {
		return literals(candidates)
	}
	return append([]lit{-lit(j.with)}, literals(candidates)...)
}

// stands reports whether a job counts in an answer: what it goes with is there.
func (x *search) stands(j *job) bool { return j.with == 0 || x.installed(j.with) }

// companion returns the job that a rule is of when a package is what that job
// goes with.
func (e *explainer) companion(i int32, id rpm.ID) *job {
	at := int(i - e.jobsFrom)
	if i >= e.bestFrom && int(i-e.bestFrom) < len(e.bestOf) {
		at = e.bestOf[i-e.bestFrom]
	}
	if at < 0 || at >= len(e.goal.jobs) || e.goal.jobs[at].with != id {
		return nil
	}
	return &e.goal.jobs[at]
}

// Near returns the words of a list that are nearest to a word, the nearest first,
// for a message.
func Near(word string, list []string) []string {
	limit := 1 + len(word)/5
	near := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return distance(word, s, limit) > limit })
	slices.SortFunc(near, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(word, a, limit), distance(word, b, limit)), cmp.Compare(a, b))
	})
	near = slices.Compact(near)
	return near[:min(len(near), maxSuggestions)]
}
