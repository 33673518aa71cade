package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// branch is a decision that had more than one candidate, in the order of the
// policy. The decision was taken at level+1.
type branch struct {
	candidates []rpm.ID
	taken      []bool // tried, beside candidates
	level      int32
}

func (x *search) openBranch(level int32, candidates []rpm.ID) {
	b := branch{slices.Clone(candidates), make([]bool, len(candidates)), level}
	b.taken[0] = true
	x.branches = append(x.branches, b)
}

// minimise looks whether an earlier choice turned out needless: another of its
// candidates was installed later anyway, or is recommended while the one that
// was taken is not. The earliest such choice is made again.
func (x *search) minimise(level int32) (after int32, improved bool) {
	found, place := -1, 0
	for n := len(x.branches) - 1; n >= 0; n-- {
		if p := x.betterCandidate(&x.branches[n]); p >= 0 {
			found, place = n, p
		}
	}
	if found < 0 {
		return level, false
	}
	b := x.branches[found]
	x.revert(b.level)
	b.taken[place] = true
	x.branches = append(x.branches, b)
	return x.decidePropagate(b.level, lit(b.candidates[place])), true
}

// betterCandidate returns the place of a candidate of a branch that should have
// been taken, or -1.
func (x *search) betterCandidate(b *branch) int {
	for i, id := range b.candidates {
		if !b.taken[i] && x.level[id] > b.level {
			return i
		}
	}
	x.readWishes()
	wanted := func(id rpm.ID) bool { return x.wished.recommends(id) || x.supplements(id) }
	better := -1
	for i, id := range b.candidates {
		switch {
		case b.taken[i] && x.installed(id) && wanted(id):
			return -1
		case !b.taken[i] && better < 0 && wanted(id):
			better = i
		}
	}
	return better
}
