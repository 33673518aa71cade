package solve

import "pgbundle/repo/rpm"

// rule is a set of literals of which one must hold. The first two places to be
// watched, and the next rules that watch the same literal.
type rule struct {
	lits   []lit
	w1, w2 lit
	n1, n2 int32
	off    bool // does not count
}

// decision is one literal that was decided, in order. why is the rule that
// forced it, 0 when it was free.
type decision struct {
	lit lit
	why int32
}

// watcher returns the head of the list of rules that watch a literal.
func (x *search) watcher(l lit) *int32 { return &x.watches[int(l)+x.middle] }

// installed, refused and open tell the state of a package.
func (x *search) installed(id rpm.ID) bool { return x.level[id] > 0 }
func (x *search) open(id rpm.ID) bool      { return x.level[id] == 0 }

func (x *search) isTrue(l lit) bool {
	if l > 0 {
		return x.level[l] > 0
	}
	return x.level[-l] < 0
}

func (x *search) isFalse(l lit) bool {
	if l > 0 {
		return x.level[l] < 0
	}
	return x.level[-l] > 0
}

// decide notes a literal at a level.
func (x *search) decide(l lit, level, why int32) {
	if l > 0 {
		x.level[l] = level
	} else {
		x.level[-l] = -level
	}
	x.decisions = append(x.decisions, decision{l, why})
}

// watchAll sets up the watches, so that each list is in ascending rule order.
func (x *search) watchAll() {
	clear(x.watches)
	for i := len(x.rules) - 1; i > 0; i-- {
		if r := &x.rules[i]; len(r.lits) > 1 {
			r.w1, r.w2 = r.lits[0], r.lits[1]
			x.watch(int32(i))
		}
	}
}

// watch puts a rule at the front of the lists of its two watched literals.
func (x *search) watch(i int32) {
	r := &x.rules[i]
	first, second := x.watcher(r.w1), x.watcher(r.w2)
	r.n1, *first = *first, i
	r.n2, *second = *second, i
}

// propagate draws the consequences of the decisions at a level. It returns a
// rule that cannot be met any more, or 0.
func (x *search) propagate(level int32) int32 {
	for x.propagated < len(x.decisions) {
		gone := -x.decisions[x.propagated].lit
		x.propagated++
		at := x.watcher(gone)
		for *at != 0 {
			i := *at
			r := &x.rules[i]
			other, next := r.w2, &r.n1
			if gone != r.w1 {
				other, next = r.w1, &r.n2
			}
			if r.off || x.isTrue(other) {
				at = next
				continue
			}
			if l := x.freeLiteral(r, other); l != 0 {
				if next == &r.n1 {
					r.w1 = l
				} else {
					r.w2 = l
				}
				*at = *next
				to := x.watcher(l)
				*next, *to = *to, i
				continue
			}
			if x.isFalse(other) {
				return i
			}
			x.decide(other, level, i)
			at = next
		}
	}
	return 0
}

// freeLiteral finds a literal to watch: not false and not the other watched one.
func (x *search) freeLiteral(r *rule, other lit) lit {
	if len(r.lits) == 2 {
		return 0
	}
	for _, l := range r.lits {
		if l != other && !x.isFalse(l) {
			return l
		}
	}
	return 0
}

// assertUnits decides the rules of one literal, in order. It returns the rule
// that contradicts an earlier one, or 0.
func (x *search) assertUnits() int32 {
	x.decide(lit(rpm.System), 1, 0)
	for i := int32(1); i < x.mark(); i++ {
		r := &x.rules[i]
		if len(r.lits) != 1 || r.off || x.isTrue(r.lits[0]) {
			continue
		}
		if x.isFalse(r.lits[0]) {
			if i >= x.learntFrom { // what it was learnt from was learnt from itself
				r.off = true
				continue
			}
			return i
		}
		x.decide(r.lits[0], 1, i)
	}
	return 0
}

// revert takes back the decisions above a level, and the branches that were
// opened at it or above.
func (x *search) revert(level int32) {
	for n := len(x.decisions) - 1; n >= 0; n-- {
		id := x.decisions[n].lit
		if id < 0 {
			id = -id
		}
		if at := x.level[id]; at <= level && at >= -level {
			break
		}
		x.level[id] = 0
		x.decisions = x.decisions[:n]
	}
	x.propagated = len(x.decisions)
	n := len(x.branches)
	for n > 0 && x.branches[n-1].level >= level {
		n--
	}
	x.branches = x.branches[:n]
	if x.wishesRead > len(x.decisions) {
		x.wishesStale = true
	}
}

// idOf is the package of a literal.
func idOf(l lit) rpm.ID { return rpm.ID(abs(l)) }
