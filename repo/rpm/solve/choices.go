package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// Choice rules narrow a requirement that a package of the node, or an update of
// one, could meet as well as something unrelated: the related ones are preferred.
// They are weak: one that leaves no solution, or turns out needless, is dropped.

// takeChoiceRules adds a choice rule for each requirement that has the choice.
func (x *search) takeChoiceRules() {
	x.choiceOf = x.choiceOf[:0]
	if len(x.there) == 0 {
		return
	}
	barred := x.barredArches()
	for i := int32(1); i < x.updatesFrom; i++ {
		rule := x.choiceRule(i, barred)
		if rule == nil {
			continue
		}
		if last := len(x.choiceOf); last > 0 && slices.Equal(rule, x.rules[x.choicesFrom+int32(last)-1].lits) {
			continue
		}
		x.addRule(rule)
		x.choiceOf = append(x.choiceOf, i)
	}
}

// barredArches is the set of packages that an architecture rule forbids outright.
func (x *search) barredArches() map[rpm.ID]bool {
	barred := map[rpm.ID]bool{}
	for i := x.archFrom; i < x.bestFrom; i++ {
		if lits := x.rules[i].lits; len(lits) == 1 {
			barred[idOf(lits[0])] = true
		}
	}
	return barred
}

// choiceRule narrows rule i, or returns nil when there is nothing to narrow.
func (x *search) choiceRule(i int32, barred map[rpm.ID]bool) []lit {
	lits := x.rules[i].lits
	if lits[0] >= 0 || len(lits) == 1 || len(lits) == 2 && lits[1] < 0 {
		return nil
	}
	rule := []lit{lits[0]}
	for _, l := range lits[1:] {
		if l < 0 {
			rule = append(rule, l)
		}
	}
	var olds []rpm.ID // of the node: met by itself, or updated by a candidate
	unrelated := false
	for _, l := range lits {
		if l < 0 {
			continue
		}
		id := rpm.ID(l)
		old := id
		if !x.info[id].there {
			if old = x.predecessor(id); old == 0 {
				unrelated = true
				continue
			}
			if barred[id] || !x.mayFollow(old, id) {
				continue
			}
		}
		olds = append(olds, old)
		rule = append(rule, l)
	}
	if !unrelated || len(olds) == 0 || !x.couldLeave(olds, lits) {
		return nil
	}
	return rule
}

// predecessor is the package of the node that a package is a later build or the
// successor of, 0 when there is none.
func (x *search) predecessor(id rpm.ID) rpm.ID {
	if same := x.formerBuilds(id); len(same) > 0 {
		return same[0]
	}
	for _, q := range x.of(id).obsoletes {
		if x.info[q].there {
			return q
		}
	}
	return 0
}

// mayFollow reports whether policy lets a package take the place of one that the
// node has.
func (x *search) mayFollow(old, id rpm.ID) bool {
	return !(x.goal.keepNode && x.takesAway(id, old)) && x.info[old].mayBecome(&x.info[id])
}

// couldLeave reports whether an update of one of some packages would no longer
// meet a rule.
func (x *search) couldLeave(olds []rpm.ID, lits []lit) bool {
	return slices.ContainsFunc(olds, func(old rpm.ID) bool {
		return slices.ContainsFunc(x.rules[x.updateOf[old]].lits, func(l lit) bool { return !slices.Contains(lits, l) })
	})
}

// dropChoice drops the last choice rule that the failure rests on. It returns
// false when it rests on none.
func (x *search) dropChoice() bool {
	last := int32(0)
	for _, i := range x.core() {
		if x.isChoice(i) {
			last = max(last, i)
		}
	}
	if last == 0 {
		return false
	}
	x.turnOff(last)
	return true
}

func (x *search) isChoice(i int32) bool { return i >= x.choicesFrom && i < x.learntFrom }

// turnOff drops a choice rule, and the others that keep out one of the candidates
// that it kept out.
func (x *search) turnOff(i int32) {
	x.rules[i].off = true
	kept := x.rules[i].lits
	freed := slices.DeleteFunc(slices.Clone(x.narrowed(i)), func(l lit) bool { return l < 0 || slices.Contains(kept, l) })
	for k := x.choicesFrom; k < x.learntFrom; k++ {
		if slices.ContainsFunc(x.narrowed(k), func(l lit) bool { return slices.Contains(freed, l) }) {
			x.rules[k].off = true
		}
	}
}

// narrowed is the rule that a choice rule narrows.
func (x *search) narrowed(i int32) []lit { return x.rules[x.choiceOf[i-x.choicesFrom]].lits }

// isNeedless reports whether a solution took a candidate that a choice rule keeps
// out: then the rule was met by chance or by way of another, and stands in the way
// of a better solution.
func (x *search) isNeedless(i int32) bool {
	r := &x.rules[i]
	return !r.off && slices.ContainsFunc(x.narrowed(i), func(l lit) bool {
		return l > 0 && x.isTrue(l) && !slices.Contains(r.lits, l)
	})
}

// dropNeedlessChoices drops the choice rules that a solution got around; false
// when there was none.
func (x *search) dropNeedlessChoices() bool {
	dropped := false
	for i := x.choicesFrom; i < x.learntFrom; i++ {
		if x.isNeedless(i) {
			x.turnOff(i)
			dropped = true
		}
	}
	return dropped
}

// restart takes all decisions back. What was learnt stays, unless it was learnt
// from a rule that was dropped.
func (x *search) restart() {
	x.reset()
	for i := x.learntFrom; i < x.mark(); i++ {
		x.rules[i].off = slices.ContainsFunc(x.learntFromRules[i-x.learntFrom], func(from int32) bool { return x.rules[from].off })
	}
}
