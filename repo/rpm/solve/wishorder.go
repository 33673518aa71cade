package solve

import (
	"cmp"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// The Recommends of a package are followed one after the other, and when two do
// not go together the first wins. dnf does not see them in the order of the
// metadata: its cache of a repository numbers strings and relations by how often
// they occur there, and keeps each list sorted by number, strings first. Strings
// that occur equally often are in bytewise order, relations in the order in
// which they were first met.

// uses counts how often a repository's packages name a string or a relation.
type uses struct {
	strs, rels []uint32
}

const relIndex = 1<<30 - 1

func count(list *[]uint32, i int) {
	if i >= len(*list) {
		*list = append(*list, make([]uint32, max(i+1, 2*len(*list))-len(*list))...)
	}
	(*list)[i]++
}

func at(list []uint32, i int) uint32 {
	if i >= len(list) {
		return 0
	}
	return list[i]
}

func (u *uses) addDep(pool *rpm.Pool, d rpm.Dep) {
	for d.IsRel() {
		r, _ := pool.RelOf(d)
		count(&u.rels, int(d&relIndex))
		u.addDep(pool, r.EVR)
		d = r.Name
	}
	count(&u.strs, int(d))
}

// countUses counts for every repository.
func (s *Solver) countUses() []uses {
	out := make([]uses, s.pool.Repos())
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		pkg := s.pool.Package(id)
		u := &out[pkg.Repo]
		for _, str := range [...]rpm.Str{pkg.Name, pkg.EVR, pkg.Arch, pkg.Vendor, s.otherSourceName(pkg)} {
			if str != 0 {
				count(&u.strs, int(str))
			}
		}
		for _, list := range [...][]rpm.Dep{
			pkg.Provides, pkg.Requires, pkg.Conflicts, pkg.Obsoletes,
			pkg.Recommends, pkg.Suggests, pkg.Supplements, pkg.Enhances,
		} {
			for _, d := range list {
				u.addDep(s.pool, d)
			}
		}
	}
	return out
}

// otherSourceName is the name of the source package when it differs from the
// name of the package: the cache keeps it as one more use of that string.
func (s *Solver) otherSourceName(pkg *rpm.Package) rpm.Str {
	name := s.pool.String(pkg.SourceRPM)
	for range 2 { // the version and the release
		name, _, _ = cutLast(name, '-')
	}
	if name == s.pool.String(pkg.Name) {
		return 0
	}
	return s.pool.Lookup(name)
}

// wishOrder returns the places of the Recommends of a package in the order in
// which they are followed.
func (s *Solver) wishOrder(id rpm.ID) []int {
	if have := s.wishOrders[id].Load(); have != nil {
		return *have
	}
	pkg := s.pool.Package(id)
	order := make([]int, len(pkg.Recommends))
	for i := range order {
		order[i] = i
	}
	if len(order) > 1 {
		u := &s.uses()[pkg.Repo]
		slices.SortStableFunc(order, func(i, j int) int { return u.compare(s.pool, pkg.Recommends[i], pkg.Recommends[j]) })
	}
	s.wishOrders[id].Store(&order)
	return order
}

func (u *uses) compare(pool *rpm.Pool, a, b rpm.Dep) int {
	switch {
	case a.IsRel() && b.IsRel():
		i, j := int(a&relIndex), int(b&relIndex)
		return cmp.Or(cmp.Compare(at(u.rels, j), at(u.rels, i)), cmp.Compare(i, j))
	case a.IsRel():
		return 1
	case b.IsRel():
		return -1
	}
	return cmp.Or(
		cmp.Compare(at(u.strs, int(b)), at(u.strs, int(a))),
		strings.Compare(pool.String(rpm.Str(a)), pool.String(rpm.Str(b))),
	)
}
