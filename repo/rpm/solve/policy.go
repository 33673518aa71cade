package solve

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// mode says how far candidates are narrowed and ordered.
type mode uint8

const (
	modeChoose     mode = iota // narrow and order: the first is taken
	modeNoReorder              // narrow only
	modeRecommend              // narrow by what the packages are, not by what is installed
	modeSupplement             // order only
)

// filter narrows undecided candidates to the ones worth taking and orders them,
// in place.
func (x *search) filter(ids []rpm.ID, m mode) []rpm.ID {
	if m != modeSupplement {
		ids = x.bestPriority(ids)
		ids = x.bestArch(ids)
		ids = x.bestBuilds(ids)
		ids = x.notObsoleted(ids)
		if m == modeRecommend {
			return ids
		}
		ids = x.recommended(ids)
		if m == modeNoReorder {
			return ids
		}
	}
	if len(ids) > 1 {
		x.order(ids, m)
	}
	return ids
}

// keep keeps the packages that satisfy a condition, in place.
func keep(ids []rpm.ID, good func(rpm.ID) bool) []rpm.ID {
	out := ids[:0]
	for _, id := range ids {
		if good(id) {
			out = append(out, id)
		}
	}
	return out
}

// bestPriority keeps the packages of the repositories of best priority, and what
// the node has.
func (x *search) bestPriority(ids []rpm.ID) []rpm.ID {
	if len(ids) < 2 {
		return ids
	}
	best := int32(math.MaxInt32)
	for _, id := range ids {
		if in := &x.info[id]; !in.there {
			best = min(best, in.priority)
		}
	}
	return keep(ids, func(id rpm.ID) bool { return x.info[id].there || x.info[id].priority == best })
}

// bestArch keeps the best architecture and noarch. Noarch alone removes nothing.
func (x *search) bestArch(ids []rpm.ID) []rpm.ID {
	if len(ids) < 2 {
		return ids
	}
	best := int32(0)
	for _, id := range ids {
		if s := x.info[id].score; s > 1 && (best == 0 || s < best) {
			best = s
		}
	}
	if best == 0 {
		return ids
	}
	return keep(ids, func(id rpm.ID) bool {
		s := x.info[id].score
		return s == 1 || s>>16 == best>>16
	})
}

// bestBuilds sorts by name and keeps the highest version of each; of equal ones
// the best architecture, the node's own, the cheapest repository, the first loaded.
func (x *search) bestBuilds(ids []rpm.ID) []rpm.ID {
	if len(ids) < 2 {
		return ids
	}
	slices.SortFunc(ids, x.compareBuilds)
	out := ids[:1]
	for _, id := range ids[1:] {
		last := &out[len(out)-1]
		best, this := &x.info[*last], &x.info[id]
		switch {
		case best.name != this.name:
			out = append(out, id)
		case best.evr != this.evr && x.pool.CompareEVR(best.evr, this.evr) < 0:
			*last = id
		}
	}
	return out
}

func (x *search) compareBuilds(a, b rpm.ID) int {
	p, q := &x.info[a], &x.info[b]
	if p.name != q.name {
		if c := strings.Compare(x.pool.String(p.name), x.pool.String(q.name)); c != 0 {
			return c
		}
	}
	if p.score != q.score && p.score > 1 && q.score > 1 {
		return cmp.Compare(p.score, q.score)
	}
	if p.there != q.there {
		if p.there {
			return -1
		}
		return 1
	}
	if p.cost != q.cost {
		return cmp.Compare(p.cost, q.cost)
	}
	return cmp.Compare(a, b)
}

// notObsoleted drops the packages that another candidate obsoletes, unless they
// obsolete each other, directly or around.
func (x *search) notObsoleted(ids []rpm.ID) []rpm.ID {
	edges := x.obsoleting(ids)
	if edges == nil {
		return ids
	}
	reach := make([]idSet, len(ids)) // by place: the places that are reached
	for i := range ids {
		reach[i] = newIDSet(len(ids))
		todo := []int{i}
		for len(todo) > 0 {
			from := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, to := range edges[from] {
				if !reach[i].has(rpm.ID(to)) {
					reach[i].add(rpm.ID(to))
					todo = append(todo, to)
				}
			}
		}
	}
	var out []rpm.ID
	for i, id := range ids {
		obsoleted := false
		for j := range ids {
			if reach[j].has(rpm.ID(i)) && !reach[i].has(rpm.ID(j)) {
				obsoleted = true
			}
		}
		if !obsoleted {
			out = append(out, id)
		}
	}
	return append(ids[:0], out...)
}

// obsoleting returns by place the places of the candidates that are obsoleted,
// nil when there is none.
func (x *search) obsoleting(ids []rpm.ID) [][]int {
	if len(ids) < 2 {
		return nil
	}
	var edges [][]int
	for i, id := range ids {
		for _, q := range x.of(id).obsoletes {
			to := slices.Index(ids, q)
			if to < 0 || x.info[q].name == x.info[id].name {
				continue
			}
			if edges == nil {
				edges = make([][]int, len(ids))
			}
			edges[i] = append(edges[i], to)
		}
	}
	return edges
}

// recommended keeps the candidates that an installed package recommends, or
// that supplement one, if there is any, and with them what the node has.
func (x *search) recommended(ids []rpm.ID) []rpm.ID {
	fresh := 0
	for _, id := range ids {
		if !x.info[id].there {
			fresh++
		}
	}
	if fresh < 2 {
		return ids
	}
	x.readWishes()
	wanted := func(id rpm.ID) bool { return x.wished.recommends(id) || x.supplements(id) }
	if !slices.ContainsFunc(ids, func(id rpm.ID) bool { return !x.info[id].there && wanted(id) }) {
		return ids
	}
	return keep(ids, func(id rpm.ID) bool { return x.info[id].there || wanted(id) })
}

// supplements reports whether one of its Supplements holds for a package.
func (x *search) supplements(id rpm.ID) bool { return x.anyHolds(x.of(id).supplements) }

// enhances reports whether one of its Enhances holds for a package.
func (x *search) enhances(id rpm.ID) bool { return x.anyHolds(x.of(id).enhances) }

func (x *search) anyHolds(list []*condition) bool {
	for _, c := range list {
		if c.holds(x.installed) {
			return true
		}
	}
	return false
}
