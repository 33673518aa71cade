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

// gather fills the set of involved packages from what the node has, what could
// take the place of that, and the candidates of the jobs.
func (x *search) gather() {
	x.involved.clear()
	x.todo = x.todo[:0]
	x.involve(rpm.System)
	for _, id := range x.there {
		x.involve(id)
		for _, q := range x.updates(id, anyArch) {
			x.involve(q)
		}
	}
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
	x.updatesFrom = x.mark()
	x.takeUpdateRules()
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
	x.bestTo = x.mark()
	x.takeSplitRules()
	x.choicesFrom = x.mark()
	x.takeChoiceRules()
	x.learntFrom = x.mark()
	x.freeReplaced()
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
// such a build are free of it. What the node has may stay for an inferior
// architecture, and be followed by others for it, where it never had a companion
// for the best.
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
		if in := &x.info[p]; x.involved.has(p) && !in.there && in.score > 1 && (best == 0 || in.score < best) {
			best = in.score
		}
	}
	if best == 0 {
		return
	}
	kept := x.keptClasses(builds, best>>16)
	from := x.mark()
	for _, p := range builds {
		in := &x.info[p]
		if !x.involved.has(p) || in.score == 1 || in.class() == best>>16 || !in.there && slices.Contains(kept, in.class()) {
			continue
		}
		rule := x.archRule(p, builds, best>>16)
		if in.there && !slices.ContainsFunc(rule[1:], func(l lit) bool { return x.info[l].there }) {
			continue // it stands alone on the node
		}
		if x.goal.asks(p) {
			x.rules = x.rules[:from]
			return
		}
		x.addRule(rule)
	}
}

// keptClasses lists the inferior architecture classes in which the node has a
// build of a name without one of its version for the best class.
func (x *search) keptClasses(builds []rpm.ID, best int32) []int32 {
	var kept []int32
	for _, p := range builds {
		in := &x.info[p]
		if in.there && in.score > 1 && in.class() != best && len(x.companions(p, builds, best)) == 0 {
			kept = append(kept, in.class())
		}
	}
	return kept
}

// companions lists the builds of the version of p for the best architecture class
// and for none.
func (x *search) companions(p rpm.ID, builds []rpm.ID, best int32) []rpm.ID {
	var out []rpm.ID
	for _, q := range builds {
		in := &x.info[q]
		if in.evr == x.info[p].evr && in.arch != x.info[p].arch && in.score > 0 && (in.score == 1 || in.class() == best) {
			out = append(out, q)
		}
	}
	return out
}

// archRule says: not p, or else a companion of it.
func (x *search) archRule(p rpm.ID, builds []rpm.ID, best int32) []lit {
	rule := []lit{-lit(p)}
	for _, q := range x.companions(p, builds, best) {
		if x.involved.has(q) {
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
