package solve

import "slices"

// Learning: when a rule cannot be met, the decisions that led there are followed
// back to the one of the last level that they all go through (the first unique
// implication point). A rule against that decision is learnt, and the search
// goes back to the level at which it forces something.

// decidePropagate takes a free decision at the next level, or none when l is 0,
// and propagates; conflicts are learnt from. It returns the level that the
// search is at afterwards: the next one, an earlier one after a conflict, 0 when
// there is no solution.
func (x *search) decidePropagate(level int32, l lit) int32 {
	if l != 0 {
		level++
		x.decide(l, level, 0)
	}
	for {
		failed := x.propagate(level)
		if failed == 0 {
			return level
		}
		if level == 1 || x.cancelled() {
			x.failed = failed
			return 0
		}
		lits, back, used := x.analyse(failed, level)
		x.revert(back)
		level = back
		x.learn(lits, level, used)
	}
}

// learn adds a rule of which all but the first literal are false.
func (x *search) learn(lits []lit, level int32, used []int32) {
	i := x.mark()
	x.addRule(lits)
	x.learntFromRules = append(x.learntFromRules, used)
	if len(lits) > 1 {
		r := &x.rules[i]
		r.w1, r.w2 = lits[0], lits[1]
		for _, l := range lits[2:] {
			if x.levelOf(l) > x.levelOf(r.w2) {
				r.w2 = l
			}
		}
		x.watch(i)
	}
	x.decide(lits[0], level, i)
}

// levelOf is the level at which the package of a literal was decided.
func (x *search) levelOf(l lit) int32 {
	at := x.level[abs(l)]
	if at < 0 {
		return -at
	}
	return at
}

func abs(l lit) lit {
	if l < 0 {
		return -l
	}
	return l
}

// analyse derives the rule to learn from a rule that failed at a level, with
// the level to go back to and the rules that it was derived from. Literals that
// were decided at level 1 hold for ever and are left out of the rule, but what
// decided them counts as used.
func (x *search) analyse(failed, level int32) (lits []lit, back int32, used []int32) {
	x.seen.clear()
	back = 1
	lits = []lit{0}
	facts, here := 0, 0 // marked literals of level 1 and of this level still to be looked at
	note := func(i int32) {
		used = append(used, i)
		for _, l := range x.rules[i].lits {
			if x.isTrue(l) || x.seen.has(idOf(l)) {
				continue
			}
			switch at := x.levelOf(l); {
			case at == 1:
				facts++
			case at == level:
				here++
			case lits[0] == 0:
				lits, back = append(lits, l), max(back, at)
			default:
				continue // the rule is complete, only facts are followed
			}
			x.seen.add(idOf(l))
		}
	}
	note(failed)
	for n := len(x.decisions) - 1; here > 0 || facts > 0; n-- {
		d := x.decisions[n]
		if !x.seen.has(idOf(d.lit)) {
			continue
		}
		switch at := x.levelOf(d.lit); {
		case at == 1:
			facts--
		case at == level:
			if here--; here == 0 {
				lits[0] = -d.lit
				continue
			}
		default:
			continue // stands in the rule
		}
		if d.why > 0 {
			note(d.why)
		}
	}
	return slices.Clip(lits), back, used
}
