package solve

import (
	"cmp"
	"slices"

	"pgbundle/repo/rpm"
)

// Before a search the packages that could matter are gathered, and the rules of
// those only are taken. What is gathered decides the answer in two places: the
// rules that keep inferior architectures out look at gathered packages only, and
// a package that is merely recommended or suggested counts even when weak
// dependencies are not followed.

// gather fills the set of involved packages from the candidates of the jobs.
func (x *search) gather() {
	x.involved.clear()
	x.todo = x.todo[:0]
	x.involve(rpm.System)
	for _, id := range x.goal.nearby {
		x.involve(id)
	}
	for i := range x.goal.jobs {
		for _, id := range x.goal.jobs[i].candidates {
			x.involve(id)
		}
	}
	for {
		x.followReach()
		if !x.involveSupplementing() {
			return
		}
	}
}

func (x *search) involve(id rpm.ID) {
	if !x.involved.has(id) {
		x.involved.add(id)
		x.todo = append(x.todo, id)
	}
}

func (x *search) followReach() {
	for len(x.todo) > 0 {
		id := x.todo[len(x.todo)-1]
		x.todo = x.todo[:len(x.todo)-1]
		for _, next := range x.of(id).reach {
			x.involve(next)
		}
	}
}

// involveSupplementing adds the packages that might come to supplement or to
// enhance an involved one; false when there was none.
func (x *search) involveSupplementing() bool {
	before := len(x.todo)
	for _, id := range x.weakly {
		if x.involved.has(id) {
			continue
		}
		c := x.of(id)
		possible := func(d *condition) bool { return d.possible(&x.involved) }
		if slices.ContainsFunc(c.supplements, possible) || slices.ContainsFunc(c.enhances, possible) {
			x.involve(id)
		}
	}
	return len(x.todo) > before
}

// takeRules sets up the rules of the search: those of the packages in libsolv's
// order, of the jobs, of the architectures, of the best builds.
func (x *search) takeRules() {
	x.rules = append(x.rules[:0], rule{}) // index 0 is no rule
	x.takePackageRules()
	x.jobsFrom = x.mark()
	for i := range x.goal.jobs {
		x.addRule(x.goal.jobs[i].rule(x.goal.jobs[i].candidates))
	}
	for _, id := range x.goal.barred {
		x.addRule([]lit{-lit(id)})
	}
	x.archFrom = x.mark()
	x.takeArchRules()
	x.bestFrom = x.mark()
	if x.goal.best {
		x.takeBestRules()
	}
	x.learntFrom = x.mark()
}

// mark is the index of the rule that comes next.
func (x *search) mark() int32 { return int32(len(x.rules)) }

func (x *search) addRule(lits []lit) { x.rules = append(x.rules, rule{lits: lits}) }

// takePackageRules goes from the last loaded package to the first, as the rules
// sort by their first literal.
func (x *search) takePackageRules() {
	foreign := x.foreignRules()
	x.involved.descending(func(id rpm.ID) {
		n := 0
		for n < len(foreign) && foreign[n][0] <= -lit(id) {
			n++
		}
		own := x.of(id).rules
		if n == 0 {
			x.takeAll(own)
			return
		}
		x.takeAll(sortRules(slices.Concat(foreign[:n], own)))
		foreign = foreign[n:]
	})
	x.takeAll(foreign)
}

// takeAll appends rules, but for those that forbid a package that nobody asks
// for anyway.
func (x *search) takeAll(rules [][]lit) {
	for _, r := range rules {
		if len(r) != 2 || r[1] > 0 || x.involved.has(rpm.ID(-r[1])) {
			x.addRule(r)
		}
	}
}

// foreignRules are the rules of involved packages that belong to the place of a
// package loaded later.
func (x *search) foreignRules() [][]lit {
	var out [][]lit
	x.involved.ascending(func(id rpm.ID) {
		for _, r := range x.of(id).foreign {
			if len(r) > 2 || x.involved.has(rpm.ID(-r[0])) {
				out = append(out, r)
			}
		}
	})
	slices.SortStableFunc(out, func(a, b []lit) int { return cmp.Compare(a[0], b[0]) })
	return out
}

// takeArchRules keeps builds for an inferior architecture out, unless a build of
// the same version for the best one comes along. Names of which a request means
// such a build are free of it.
func (x *search) takeArchRules() {
	x.involved.ascending(func(id rpm.ID) {
		builds := x.pool.ByName(x.info[id].name)
		if first := slices.IndexFunc(builds, x.involved.has); builds[first] == id {
			x.takeArchRulesOf(builds)
		}
	})
}

func (x *search) takeArchRulesOf(builds []rpm.ID) {
	best := int32(0)
	for _, p := range builds {
		if s := x.info[p].score; x.involved.has(p) && s > 1 && (best == 0 || s < best) {
			best = s
		}
	}
	from := x.mark()
	for _, p := range builds {
		if s := x.info[p].score; !x.involved.has(p) || s == 1 || s>>16 == best>>16 {
			continue
		}
		if x.goal.asks(p) {
			x.rules = x.rules[:from]
			return
		}
		x.addRule(x.archRule(p, builds, best))
	}
}

// archRule says: not p, or else a build of its version that fits best.
func (x *search) archRule(p rpm.ID, builds []rpm.ID, best int32) []lit {
	rule := []lit{-lit(p)}
	for _, q := range builds {
		in := &x.info[q]
		if in.evr == x.info[p].evr && x.involved.has(q) && (in.score == 1 || in.score>>16 == best>>16) {
			rule = append(rule, lit(q))
		}
	}
	return rule
}

// takeBestRules asks for one of the best candidates of each job.
func (x *search) takeBestRules() {
	x.bestOf = x.bestOf[:0]
	for i := range x.goal.jobs {
		candidates := x.goal.jobs[i].candidates
		best := x.filter(slices.Clone(candidates), modeRecommend)
		if len(best) < len(candidates) {
			x.addRule(x.goal.jobs[i].rule(best))
			x.bestOf = append(x.bestOf, i)
		}
	}
}
