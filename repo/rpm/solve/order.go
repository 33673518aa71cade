package solve

import (
	"cmp"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// traits are what the order of candidates looks at; most packages never are.
type traits struct {
	old     bool      // there is a newer build of this name and architecture, be it hidden
	offers  []offer   // what it provides in a version
	locales []rpm.Dep // its requirements that start with "locales-"
}

// offer is a capability that a package provides up to a version.
type offer struct {
	name rpm.Dep
	evr  rpm.Str
}

// order sorts candidates, the preferred first: new builds before old ones, the
// newest of what several provide, names that the node has, packages for installed
// locales, suggested ones.
func (x *search) order(ids []rpm.ID, m mode) {
	stable(ids, rankIf(func(id rpm.ID) bool { return !x.traitsOf(id).old }))
	x.orderByOffers(ids)
	if m == modeChoose {
		stable(ids, rankIf(x.nameIsThere))
	}
	stable(ids, func(id rpm.ID) int { return -x.localeScore(id) })
	x.readWishes()
	stable(ids, rankIf(func(id rpm.ID) bool { return x.info[id].there || x.wished.suggests(id) || x.enhances(id) }))
}

// nameIsThere reports whether the node has a build of the name of a package.
func (x *search) nameIsThere(id rpm.ID) bool {
	return len(x.there) > 0 && slices.ContainsFunc(x.pool.ByName(x.info[id].name), x.isThere)
}

// rankIf ranks what satisfies a condition first.
func rankIf(good func(rpm.ID) bool) func(rpm.ID) int {
	return func(id rpm.ID) int {
		if good(id) {
			return 0
		}
		return 1
	}
}

// stable sorts by a small rank and keeps the order of equals.
func stable(ids []rpm.ID, rank func(rpm.ID) int) {
	type ranked struct {
		id   rpm.ID
		rank int
	}
	all := make([]ranked, len(ids))
	sorted := true
	for i, id := range ids {
		all[i] = ranked{id, rank(id)}
		sorted = sorted && (i == 0 || all[i-1].rank <= all[i].rank)
	}
	if sorted {
		return
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	for i := range all {
		ids[i] = all[i].id
	}
}

func (s *Solver) traitsOf(id rpm.ID) *traits {
	if t := s.traits[id].Load(); t != nil {
		return t
	}
	t := &traits{old: s.isOld(id), offers: s.offers(id)}
	for _, d := range s.pool.Package(id).Requires {
		if strings.HasPrefix(s.pool.DepString(d), "locales-") {
			t.locales = append(t.locales, d)
		}
	}
	s.traits[id].Store(t)
	return t
}

func (s *Solver) isOld(id rpm.ID) bool {
	me := &s.info[id]
	if me.there {
		return false
	}
	for _, q := range s.pool.ByName(me.name) {
		other := &s.info[q]
		if q == id || other.arch != me.arch {
			continue
		}
		if other.there || other.priority < me.priority ||
			other.priority == me.priority && s.pool.CompareEVR(other.evr, me.evr) > 0 {
			return true
		}
	}
	return false
}

// offers lists the provides with =, < or <=. Long hexadecimal versions are
// digests, which do not compare.
func (s *Solver) offers(id rpm.ID) []offer {
	var out []offer
	for _, d := range s.pool.Package(id).Provides {
		r, ok := s.pool.RelOf(d)
		if !ok || r.Op != rpm.EQ && r.Op != rpm.LT && r.Op != rpm.LT|rpm.EQ {
			continue
		}
		if r.Op == rpm.EQ && isDigest(s.pool.DepString(r.EVR)) {
			continue
		}
		out = append(out, offer{r.Name, rpm.Str(r.EVR)})
	}
	return out
}

func isDigest(s string) bool {
	return len(s) >= 4 && strings.Trim(s, "0123456789abcdef") == ""
}

// orderByOffers prefers the packages that provide newer versions of what others
// provide too: for every capability a package is as bad as the number of better
// offers by other packages before it.
func (x *search) orderByOffers(ids []rpm.ID) {
	type entry struct {
		offer
		place int
	}
	var all []entry
	for place, id := range ids {
		for _, o := range x.traitsOf(id).offers {
			all = append(all, entry{o, place})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if a.name != b.name {
			return cmp.Compare(a.name, b.name)
		}
		return x.matchEVR(b.evr, a.evr)
	})
	badness := make(map[rpm.ID]int, len(ids))
	worse := 0
	for i, e := range all {
		switch {
		case i == 0 || all[i-1].name != e.name:
			worse = 0
		case all[i-1].place != e.place && x.matchEVR(all[i-1].evr, e.evr) > 0:
			worse++
		}
		badness[ids[e.place]] += worse
	}
	stable(ids, func(id rpm.ID) int { return badness[id] })
}

// matchEVR compares two versions; a missing release equals any.
func (s *Solver) matchEVR(a, b rpm.Str) int {
	if a == b {
		return 0
	}
	return compareLoosely(s.pool.String(a), s.pool.String(b))
}

// localeScore ranks packages that require a locale: those of an installed one
// first, those of one that the node had next, then English, then those of none.
func (x *search) localeScore(id rpm.ID) int {
	locales := x.traitsOf(id).locales
	if len(locales) == 0 {
		return 1
	}
	score := 0
	for _, d := range locales {
		if strings.HasPrefix(x.pool.DepString(d), "locales-en") {
			score = max(score, 2)
		} else if providers := x.pool.Providers(d); slices.ContainsFunc(providers, x.installed) {
			score = max(score, 4)
		} else if slices.ContainsFunc(providers, x.isThere) {
			score = max(score, 3)
		}
	}
	return score
}
