package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// A package that was split into several is obsoleted by each of them, with the
// same words. When the node has it, and one of its successors comes, the others
// come too.

// takeSplitRules adds, for each successor of a package of the node, one rule for
// every other name that obsoletes it in the same words.
func (x *search) takeSplitRules() {
	if len(x.there) == 0 {
		return
	}
	for _, d := range x.splitWords() {
		groups := x.successors(d)
		if len(groups) < 2 {
			continue
		}
		for g, group := range groups {
			for _, id := range group {
				if x.info[id].there {
					continue
				}
				for k, other := range groups {
					if k != g {
						x.addRule(append([]lit{-lit(id)}, literals(other)...))
					}
				}
			}
		}
	}
}

// splitWords lists the obsoletes that name a package of the node.
func (x *search) splitWords() []rpm.Dep {
	var words []rpm.Dep
	for _, old := range x.there {
		for _, id := range x.replacers()[old] {
			for _, d := range x.pool.Package(id).Obsoletes {
				hits := func(q rpm.ID) bool { return x.info[q].there && x.info[old].fitsBeside(&x.info[q]) }
				if slices.ContainsFunc(x.pool.Named(d), hits) && !slices.Contains(words, d) {
					words = append(words, d)
				}
			}
		}
	}
	return words
}

// successors groups by name, the names in order, the packages that obsolete a
// package of the node in some words.
func (x *search) successors(d rpm.Dep) [][]rpm.ID {
	var all []rpm.ID
	for _, old := range x.pool.Named(d) {
		if !x.info[old].there {
			continue
		}
		for _, id := range slices.Concat(x.replacers()[old], x.pool.ByName(x.info[old].name)) {
			if x.info[old].fitsBeside(&x.info[id]) && slices.Contains(x.pool.Package(id).Obsoletes, d) && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	var groups [][]rpm.ID
	for _, best := range x.notObsoleted(x.bestBuilds(slices.Clone(all))) {
		group := keep(slices.Clone(all), func(id rpm.ID) bool { return x.info[id].name == x.info[best].name })
		groups = append(groups, group)
	}
	return groups
}
