package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// wished knows what the installed packages recommend and suggest. Marks are
// numbers of the reading they belong to, so that starting anew is cheap.
type wished struct {
	recommended, suggested []uint32
	reading                uint32
	complex                []rpm.ID // installed packages with complex wishes
}

func newWished(n int) wished {
	return wished{recommended: make([]uint32, n), suggested: make([]uint32, n)}
}

func (w *wished) recommends(id rpm.ID) bool { return w.recommended[id] == w.reading }
func (w *wished) suggests(id rpm.ID) bool   { return w.suggested[id] == w.reading }

// readWishes brings the marks up to the last decision.
func (x *search) readWishes() {
	w := &x.wished
	if x.wishesStale {
		x.wishesStale = false
		x.wishesRead = 0
		w.reading++
		w.complex = w.complex[:0]
	}
	if x.wishesRead == len(x.decisions) {
		return
	}
	for ; x.wishesRead < len(x.decisions); x.wishesRead++ {
		if id := x.decisions[x.wishesRead].lit; id > 0 {
			c := x.of(rpm.ID(id))
			rich := x.markPlain(c.recommends, w.recommended)
			if x.markPlain(c.suggests, w.suggested) || rich {
				w.complex = append(w.complex, rpm.ID(id))
			}
		}
	}
	for _, id := range w.complex {
		x.markBlocks(x.of(id).recommends, w.recommended)
		x.markBlocks(x.of(id).suggests, w.suggested)
	}
}

// markPlain marks the providers of wishes; true when some are complex.
func (x *search) markPlain(list []wish, marks []uint32) (rich bool) {
	for _, w := range list {
		rich = rich || w.blocks != nil
		for _, p := range w.providers {
			marks[p] = x.wished.reading
		}
	}
	return rich
}

// markBlocks marks the positive literals of the blocks whose conditions hold.
func (x *search) markBlocks(list []wish, marks []uint32) {
	for _, w := range list {
		for _, block := range w.blocks {
			if !x.conditionsHold(block) {
				continue
			}
			for _, l := range block {
				if l > 0 {
					marks[l] = x.wished.reading
				}
			}
		}
	}
}

// conditionsHold reports whether all negative literals of a block are false.
func (x *search) conditionsHold(block []lit) bool {
	for _, l := range block {
		if l > 0 {
			break // ascending
		}
		if !x.isFalse(l) {
			return false
		}
	}
	return true
}

// unmet appends the undecided candidates of a wish that nothing installed
// meets, leaving out what skip says.
func (x *search) unmet(to []rpm.ID, w *wish, skip func(rpm.ID) bool) []rpm.ID {
	if w.blocks == nil {
		if slices.ContainsFunc(w.providers, x.installed) {
			return to
		}
		for _, p := range w.providers {
			if x.open(p) && !skip(p) {
				to = append(to, p)
			}
		}
		return to
	}
	for _, block := range w.blocks {
		if !x.conditionsHold(block) || slices.ContainsFunc(block, x.isPositiveTrue) {
			continue
		}
		for _, l := range block {
			if l > 0 && x.level[l] == 0 && !skip(rpm.ID(l)) {
				to = append(to, rpm.ID(l))
			}
		}
	}
	return to
}

func (x *search) isPositiveTrue(l lit) bool { return l > 0 && x.level[l] > 0 }

// decideWeak installs what is recommended and what supplements, when every rule
// is met. more says that it did something, so that the rules are to be looked at
// again.
func (x *search) decideWeak(level int32) (after int32, more bool) {
	wanted, supplementing := x.weakCandidates()
	switch len(wanted) {
	case 0:
		return level, false
	case 1:
		return x.decidePropagate(level, lit(wanted[0])), true
	}
	wanted = x.filter(wanted, modeRecommend)
	x.best.clear()
	for _, id := range wanted {
		x.best.add(id)
	}
	decided := len(x.decisions)
	after, ok := x.installSupplementing(level, keep(supplementing, x.best.has))
	if !ok || len(x.decisions) < decided {
		return after, true
	}
	return x.installRecommended(after, decided), true
}

// weakCandidates returns the packages that are recommended or supplement, and
// the latter apart. What the node's packages recommend, and what supplements them
// alone, was left out before and is left out again.
func (x *search) weakCandidates() (wanted, supplementing []rpm.ID) {
	x.best.clear()
	obsolete, declined := x.obsoleteThere(), x.declined()
	isNew := func(id rpm.ID) bool {
		if x.best.has(id) || obsolete[id] || declined[id] {
			return false
		}
		x.best.add(id)
		return true
	}
	x.involved.ascending(func(id rpm.ID) {
		c := x.of(id)
		switch {
		case x.installed(id):
			for i := range c.recommends {
				if x.info[id].there {
					break
				}
				x.open2 = x.unmet(x.open2[:0], &c.recommends[i], x.nothing)
				for _, p := range x.open2 {
					if isNew(p) {
						wanted = append(wanted, p)
					}
				}
			}
		case x.open(id) && len(c.supplements) > 0 && x.info[id].installable:
			if x.restsOnNew(id) && !x.otherBuildInstalled(id) && !obsolete[id] && !declined[id] {
				supplementing = append(supplementing, id)
			}
		}
	})
	for _, id := range supplementing {
		if isNew(id) {
			wanted = append(wanted, id)
		}
	}
	return wanted, supplementing
}

// restsOnNew is supplements, but that nothing speaks against a package is no
// reason to install it, nor is what the node had before.
func (x *search) restsOnNew(id rpm.ID) bool {
	fresh := func(id rpm.ID) bool { return x.installed(id) && !x.info[id].there && id != rpm.System }
	return slices.ContainsFunc(x.of(id).supplements, func(c *condition) bool { return c.rests(x.installed, fresh) })
}

// obsoleteThere is the set of packages that a package of the node obsoletes which
// stays.
func (x *search) obsoleteThere() map[rpm.ID]bool {
	out := map[rpm.ID]bool{}
	for _, id := range x.there {
		if x.installed(id) {
			for _, q := range x.of(id).obsoletes {
				out[q] = true
			}
		}
	}
	return out
}

// findDeclined is the set of packages that are wanted by what the node has, and
// still not there: somebody did not want them, and no weak dependency brings them
// (dnf's exclude_from_weak_autodetect). Rich dependencies do not count.
func (s *Solver) findDeclined() map[rpm.ID]bool {
	out := map[rpm.ID]bool{}
	if len(s.there) == 0 {
		return out
	}
	names := map[rpm.Str]bool{}
	for _, id := range s.there {
		names[s.info[id].name] = true
		for _, d := range s.pool.Package(id).Recommends {
			r, ok := s.pool.RelOf(d)
			if ok && r.Op.IsRich() {
				continue
			}
			if ok {
				d = r.Name // in whatever version
			}
			if providers := s.pool.Providers(d); !slices.ContainsFunc(providers, s.isThere) {
				for _, p := range providers {
					out[p] = true
				}
			}
		}
	}
	for _, id := range s.weakly {
		if names[s.info[id].name] {
			continue
		}
		for _, d := range s.pool.Package(id).Supplements {
			if r, ok := s.pool.RelOf(d); !(ok && r.Op.IsRich()) && slices.ContainsFunc(s.pool.Providers(d), s.isThere) {
				out[id] = true
			}
		}
	}
	return out
}

func (x *search) nothing(rpm.ID) bool { return false }

// otherBuildInstalled reports whether a build of the same name for another
// architecture is installed; for packages that may be there several times, any.
func (x *search) otherBuildInstalled(id rpm.ID) bool {
	me := &x.info[id]
	return slices.ContainsFunc(x.pool.ByName(me.name), func(q rpm.ID) bool {
		return x.installed(q) && (x.info[q].arch != me.arch || me.multiversion)
	})
}

// installSupplementing decides packages one by one; false when a conflict threw
// it back.
func (x *search) installSupplementing(level int32, ids []rpm.ID) (int32, bool) {
	for _, id := range x.filter(ids, modeSupplement) {
		if !x.open(id) {
			continue
		}
		before := level
		if level = x.decidePropagate(level, lit(id)); level <= before {
			return level, false
		}
	}
	return level, true
}

// installRecommended walks the first decisions, so many as were there before
// this phase, and decides one of the best candidates of each Recommends, see
// wishOrder.
func (x *search) installRecommended(level int32, decided int) int32 {
	notBest := func(p rpm.ID) bool { return !x.best.has(p) }
	for n := 0; n < decided; n++ {
		id := x.decisions[n].lit
		if id < 0 || x.info[id].there {
			continue
		}
		for _, i := range x.wishOrder(rpm.ID(id)) {
			x.open2 = x.unmet(x.open2[:0], &x.of(rpm.ID(id)).recommends[i], notBest)
			if len(x.open2) == 0 {
				continue
			}
			before := level
			if level = x.choose(level, x.open2); level <= before || len(x.decisions) < decided {
				return level
			}
		}
	}
	return level
}
