package solve

import (
	"context"
	"slices"

	"pgbundle/repo/rpm"
)

// search is the state of one goal; it is used again for the next.
type search struct {
	*Solver
	ctx  context.Context
	goal *goal

	involved idSet
	seen     idSet // scratch of the analysis
	best     idSet // scratch of the weak phase
	todo     []rpm.ID

	rules []rule
	// Where the kinds of rules start; those of the packages are the first.
	updatesFrom, jobsFrom, archFrom, bestFrom, bestTo, choicesFrom, learntFrom int32

	updateOf        map[rpm.ID]int32 // by package of the node: its update rule
	replaced        idSet            // packages of the node that a job is free to replace
	bestOf          []int            // beside the best rules: the job
	choiceOf        []int32          // beside the choice rules: the rule that they narrow
	learntFromRules [][]int32

	level      []int32 // by id: the level of the decision, negative when refused
	watches    []int32 // by literal + middle
	middle     int
	decisions  []decision
	propagated int // decisions whose consequences are drawn
	branches   []branch
	thereAt    int   // place in there of the package to be settled next
	failed     int32 // the rule that failed at level 1
	err        error // of the context

	wished       wished
	wishesRead   int
	wishesStale  bool
	open1, open2 []rpm.ID // scratch
}

func newSearch(s *Solver) *search {
	n := s.pool.Len()
	x := &search{Solver: s, middle: n}
	x.involved, x.seen, x.best, x.replaced = newIDSet(n), newIDSet(n), newIDSet(n), newIDSet(n)
	x.level = make([]int32, n)
	x.watches = make([]int32, 2*n+1)
	x.wished = newWished(n)
	return x
}

// begin prepares the search for a goal.
func (x *search) begin(ctx context.Context, g *goal) {
	x.ctx, x.goal, x.err = ctx, g, nil
	x.learntFromRules = x.learntFromRules[:0]
	x.thereAt = 0
	x.reset()
	x.gather()
	x.takeRules()
	x.watchAll()
}

// reset takes all decisions back.
func (x *search) reset() {
	x.decisions = x.decisions[:0]
	x.branches = x.branches[:0]
	x.propagated, x.failed = 0, 0
	clear(x.level)
	x.wishesStale = true
}

// cancelled reports whether the caller gave up.
func (x *search) cancelled() bool {
	if x.err == nil {
		x.err = x.ctx.Err()
	}
	return x.err != nil
}

// run searches. It returns false when there is no solution, and an error when
// the context ended.
func (x *search) run(weak bool) (bool, error) {
	for !x.cancelled() {
		solved, anew := x.attempt(weak)
		if solved || x.err != nil || !anew && !x.dropChoice() {
			return solved, x.err
		}
		x.restart()
	}
	return false, x.err
}

// attempt searches with the rules that count. Without a solution anew says that it
// dropped choice rules which a solution got around, so that there may be a better
// one.
func (x *search) attempt(weak bool) (solved, anew bool) {
	if x.failed = x.assertUnits(); x.failed != 0 {
		return false, false
	}
	level := x.decidePropagate(1, 0)
	settled := int32(2) // the level up to which the jobs and the node's packages are decided
	for level > 0 && !x.cancelled() {
		before := level
		if level < settled {
			if level = x.decideJobs(level); level < before {
				continue
			}
			before, settled = level, level+1
			if level = x.settleThere(level); level < before {
				continue
			}
			settled = level
		}
		before = level
		if level = x.decideRules(level); level < before {
			continue
		}
		if weak {
			var more bool
			if level, more = x.decideWeak(level); more {
				continue
			}
		}
		var again bool
		if level, again = x.dropUndecided(level); again {
			continue
		}
		if x.dropNeedlessChoices() {
			return false, true
		}
		if level, again = x.minimise(level); again {
			continue
		}
		return true, false
	}
	return false, false
}

// decideJobs decides the rules of the jobs that are still open, in order, from
// the first again after a conflict.
func (x *search) decideJobs(level int32) int32 {
	start := level
	for i := x.jobsFrom; i < x.archFrom; i++ {
		open := x.openLiterals(i)
		if len(open) == 0 {
			continue
		}
		if slices.ContainsFunc(open, x.isThere) {
			open = keep(open, x.isThere)
		}
		if len(open) > 1 {
			open = x.wantedByThere(x.filter(open, modeChoose), level)
		}
		before := level
		if level = x.take(level, open); level > before {
			continue
		}
		if level < start {
			return level
		}
		i = x.jobsFrom - 1
	}
	return level
}

// decideRules decides every open rule, going round and round. In the first
// rounds a rule with several equally good candidates is put off; when nothing
// else is left the first such rule is decided, and from then on every rule at
// once.
func (x *search) decideRules(level int32) int32 {
	start := level
	putOff, settle := int32(0), false
	i := int32(0)
	for visited := int32(1); ; visited++ {
		if i++; visited >= x.mark() {
			if putOff == 0 || settle {
				return level
			}
			i, settle, visited = putOff, true, 1
		}
		if i >= x.mark() {
			i = 1
		}
		open := x.openLiterals(i)
		if len(open) == 0 {
			continue
		}
		if !settle {
			if open = x.filter(open, modeNoReorder); len(open) > 1 {
				if putOff == 0 {
					putOff = i
				}
				continue
			}
		}
		if level = x.choose(level, open); level < start {
			return level
		}
		visited = 0
	}
}

// openLiterals returns the undecided candidates of a rule that is not met: all
// its negative literals are installed, none of the positive is. Rules that
// propagation takes care of give none. The slice is scratch.
func (x *search) openLiterals(i int32) []rpm.ID {
	lits := x.rules[i].lits
	first := lits[0]
	if len(lits) < 2 || x.rules[i].off || first < 0 && (len(lits) == 2 || x.level[-first] <= 0) {
		return nil
	}
	open := x.open1[:0]
	for _, l := range lits {
		switch {
		case l < 0 && x.level[-l] <= 0, l > 0 && x.level[l] > 0:
			return nil
		case l > 0 && x.level[l] == 0:
			open = append(open, rpm.ID(l))
		}
	}
	x.open1 = open
	return open
}

// choose decides for the best of some candidates. When there was a choice it is
// kept as a branch, to be looked at again at the end.
func (x *search) choose(level int32, open []rpm.ID) int32 {
	if len(open) > 1 {
		open = x.filter(open, modeChoose)
	}
	return x.take(level, open)
}

// take decides for the first of some candidates and keeps the others as a branch.
func (x *search) take(level int32, open []rpm.ID) int32 {
	if len(open) > 1 {
		x.openBranch(level, open)
	}
	return x.decidePropagate(level, lit(open[0]))
}
