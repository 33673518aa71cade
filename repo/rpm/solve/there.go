package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// A node that has packages already puts more rules into a search. Each of its
// packages has an update rule: it stays, or one of what may take its place comes.
// The requests are decided first, then each package of the node in turn, which
// stays unless it cannot.

// archLimit says whether what takes the place of a package may be for another
// architecture class.
type archLimit bool

const (
	anyArch  archLimit = false
	sameArch archLimit = true
)

// updates lists what may take the place of a package that the node has: other
// builds of its name, and packages that obsolete it; of these the ones that also
// provide its name where there are such.
func (x *search) updates(id rpm.ID, limit archLimit) []rpm.ID {
	me := &x.info[id]
	fits := func(q rpm.ID) bool {
		return me.fitsBeside(&x.info[q]) && (limit == anyArch || me.mayBecome(&x.info[q]))
	}
	var out []rpm.ID
	kept := x.goal.keepNode && limit == sameArch
	named := false // some obsolete it and provide its name
	for _, q := range x.pool.Providers(rpm.Dep(me.name)) {
		other := &x.info[q]
		switch {
		case q == id, !other.there && x.pool.Package(q).Hidden:
			continue
		case kept && x.takesAway(q, id):
			continue
		case !me.fitsBeside(other):
			continue
		case other.name == me.name:
		case slices.Contains(x.of(q).obsoletes, id):
			named = true
		default:
			continue
		}
		if fits(q) {
			out = append(out, q)
		}
	}
	if named || kept {
		return out
	}
	return append(out, keep(slices.Clone(x.replacers()[id]), fits)...)
}

// mayBecome reports whether policy lets the architecture of a package change to
// that of another: within its class, and to or from none.
func (i *info) mayBecome(other *info) bool {
	return i.arch == other.arch || i.score == 1 || other.score == 1 || i.class() == other.class()
}

// indexReplacers lists by package of the node the installable ones of other names
// that obsolete it.
func (s *Solver) indexReplacers() map[rpm.ID][]rpm.ID {
	out := map[rpm.ID][]rpm.ID{}
	if len(s.there) == 0 {
		return out
	}
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if !s.info[id].installable {
			continue
		}
		for _, d := range s.pool.Package(id).Obsoletes {
			for _, q := range s.pool.Named(d) {
				if s.info[q].there && s.info[q].name != s.info[id].name && !slices.Contains(out[q], id) {
					out[q] = append(out[q], id)
				}
			}
		}
	}
	return out
}

// takeUpdateRules adds the update rule of every package of the node. Packages
// that may be there several times take no other's place, but for the very same
// build and what they obsolete.
func (x *search) takeUpdateRules() {
	if x.updateOf == nil {
		x.updateOf = map[rpm.ID]int32{}
	}
	clear(x.updateOf)
	x.replaced.clear()
	for _, id := range x.there {
		me := &x.info[id]
		updates := keep(x.updates(id, sameArch), func(q rpm.ID) bool {
			other := &x.info[q]
			same := other.name == me.name && other.evr == me.evr && other.arch == me.arch
			return !other.multiversion || same || slices.Contains(x.of(q).obsoletes, id)
		})
		x.updateOf[id] = x.mark()
		x.addRule(literals(append([]rpm.ID{id}, updates...)))
	}
}

// freeReplaced turns the update rules off of those packages of the node that all
// candidates of a job would replace: who asks for an older build gets it, unless
// the goal allows no downgrade.
func (x *search) freeReplaced() {
	if len(x.there) == 0 {
		return
	}
	for i := range x.goal.jobs {
		candidates := x.goal.jobs[i].candidates
		if x.goal.jobs[i].with != 0 || slices.ContainsFunc(candidates, x.isThere) {
			continue
		}
		for _, old := range x.replacedByAll(candidates) {
			if x.goal.keepNode && slices.ContainsFunc(candidates, func(id rpm.ID) bool { return x.takesAway(id, old) }) {
				continue
			}
			x.replaced.add(old)
			x.rules[x.updateOf[old]].off = true
		}
	}
}

// takesAway reports whether a package in the place of one of the node would be a
// removal or a downgrade.
func (s *Solver) takesAway(id, old rpm.ID) bool {
	return s.info[id].name != s.info[old].name || s.isOlder(id, old)
}

// isOlder reports whether a package is an older build of another.
func (s *Solver) isOlder(id, than rpm.ID) bool {
	is, was := &s.info[id], &s.info[than]
	return is.name == was.name && s.pool.CompareEVR(is.evr, was.evr) < 0
}

// replacedByAll lists the packages of the node that each of some others replaces.
func (x *search) replacedByAll(candidates []rpm.ID) []rpm.ID {
	var common []rpm.ID
	for i, id := range candidates {
		olds := x.replaces(id)
		if i == 0 {
			common = olds
		}
		common = slices.DeleteFunc(common, func(q rpm.ID) bool { return !slices.Contains(olds, q) })
	}
	return common
}

// replaces lists the packages of the node whose place a package would take: those
// of its name first, unless it may be there several times, then what it obsoletes.
func (x *search) replaces(id rpm.ID) []rpm.ID {
	var out []rpm.ID
	if !x.info[id].multiversion {
		out = x.formerBuilds(id)
	}
	for _, q := range x.of(id).obsoletes {
		if x.info[q].there && !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	return out
}

// formerBuilds lists the builds of its name that the node has and a package does
// not go beside.
func (s *Solver) formerBuilds(id rpm.ID) []rpm.ID {
	var out []rpm.ID
	for _, q := range s.pool.ByName(s.info[id].name) {
		if s.info[q].there && s.info[id].fitsBeside(&s.info[q]) {
			out = append(out, q)
		}
	}
	return out
}

// settleThere decides for the packages of the node, one after the other: each
// stays, or where it cannot gives its place to the best of what may take it.
// After a conflict it goes on with the package that led to it.
func (x *search) settleThere(level int32) int32 {
	start := level
	for n := 0; n < len(x.there); n++ {
		id := x.there[x.thereAt]
		before := level
		if open := x.openUpdates(id); len(open) > 0 {
			level = x.choose(level, open)
		} else if x.open(id) {
			level = x.decidePropagate(level, lit(id))
		} else { // it is decided
			x.thereAt = (x.thereAt + 1) % len(x.there)
			continue
		}
		switch {
		case level < start:
			return level
		case level < before:
			n = -1 // all around once more
		case level == before:
			n--
		default:
			x.thereAt = (x.thereAt + 1) % len(x.there)
		}
	}
	x.thereAt = 0
	return level
}

// openUpdates lists the undecided packages that may take the place of one that
// has to go; none when one of them is in.
func (x *search) openUpdates(id rpm.ID) []rpm.ID {
	if x.level[id] >= 0 || x.replaced.has(id) {
		return nil
	}
	open := x.open1[:0]
	for _, l := range x.rules[x.updateOf[id]].lits {
		if x.level[l] > 0 {
			return nil
		}
		if x.level[l] == 0 {
			open = append(open, rpm.ID(l))
		}
	}
	x.open1 = open
	return open
}

// dropUndecided lets go what nothing holds of the node: a package whose place a
// job is free to take.
func (x *search) dropUndecided(level int32) (after int32, again bool) {
	for _, id := range x.there {
		if !x.open(id) {
			continue
		}
		before := level
		if level = x.decidePropagate(level, -lit(id)); level < before {
			return level, true
		}
	}
	return level, false
}

// wantedByThere reorders the candidates of a job, since the node's packages are
// not decided yet when jobs are: first what they recommend or what supplements
// them, among these and among the others first what they suggest or what enhances
// them.
func (x *search) wantedByThere(ids []rpm.ID, level int32) []rpm.ID {
	if len(ids) < 2 || len(x.there) == 0 {
		return ids
	}
	decided := len(x.decisions)
	var lent []rpm.ID
	for _, id := range x.there {
		if x.open(id) {
			lent = append(lent, id)
			x.decide(lit(id), level+1, 0)
		}
	}
	if len(lent) == 0 {
		return ids
	}
	x.readWishes()
	stable(ids, rankIf(func(id rpm.ID) bool { return x.info[id].there || x.wished.suggests(id) || x.enhances(id) }))
	stable(ids, rankIf(func(id rpm.ID) bool { return x.info[id].there || x.wished.recommends(id) || x.supplements(id) }))
	for _, id := range lent {
		x.level[id] = 0
	}
	x.decisions = x.decisions[:decided]
	x.wishesStale = true
	return ids
}
