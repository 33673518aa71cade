package solve

import (
	"cmp"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// compiled is what a package means to a search. It does not depend on the job.
type compiled struct {
	rules   [][]lit  // rules that start with -id, in order, without duplicates
	foreign [][]lit  // rules that start with the negation of a package loaded later
	reach   []rpm.ID // packages that become involved when this one is

	recommends, suggests  []wish
	supplements, enhances []*condition
	obsoletes             []rpm.ID // other packages that this one obsoletes
}

// wish is one Recommends or Suggests: providers, or blocks when it is complex.
type wish struct {
	providers []rpm.ID
	blocks    [][]lit
}

// colourOf tells 32 bit from 64 bit architectures: two builds of one name may
// stand side by side only when they have no colour in common.
func colourOf(arch string) uint8 {
	switch {
	case arch == "noarch":
		return 3
	case strings.Contains(arch, "64"), arch == "s390x":
		return 2
	}
	return 1
}

// of returns what a package means, compiling it at the first call.
func (s *Solver) of(id rpm.ID) *compiled {
	if c := s.compiled[id].Load(); c != nil {
		return c
	}
	c := s.compile(id)
	s.compiled[id].Store(c)
	return c
}

// compiler collects the rules of one package. Of a package that the node has only
// those count that hold on the node: what is broken there is not mended.
type compiler struct {
	*Solver
	id    rpm.ID
	out   *compiled
	there bool
}

func (s *Solver) compile(id rpm.ID) *compiled {
	c := compiler{Solver: s, id: id, out: &compiled{}}
	if id == rpm.System {
		return c.out
	}
	pkg := s.pool.Package(id)
	c.there = s.info[id].there
	if !s.info[id].installable && !c.there {
		c.add(-lit(id))
	}
	for _, d := range pkg.Requires {
		c.requires(d)
	}
	for _, d := range pkg.Conflicts {
		c.conflicts(d)
	}
	for _, d := range pkg.Obsoletes {
		c.obsoletes(d)
	}
	c.sameName()
	c.out.recommends = c.wishes(pkg.Recommends)
	c.out.suggests = c.wishes(pkg.Suggests)
	for _, d := range pkg.Supplements {
		c.out.supplements = append(c.out.supplements, compileCondition(s.pool, d))
	}
	for _, d := range pkg.Enhances {
		c.out.enhances = append(c.out.enhances, compileCondition(s.pool, d))
	}
	c.out.rules = sortRules(c.out.rules)
	slices.Sort(c.out.reach)
	c.out.reach = slices.Clip(slices.Compact(c.out.reach))
	return c.out
}

// add takes a rule whose literals are ascending.
func (c *compiler) add(rule ...lit) {
	if rule[0] == -lit(c.id) {
		c.out.rules = append(c.out.rules, rule)
	} else {
		c.out.foreign = append(c.out.foreign, rule)
	}
}

// exclude adds the rule that this package and another do not go together.
func (c *compiler) exclude(q rpm.ID) {
	c.add(-lit(max(c.id, q)), -lit(min(c.id, q)))
}

// addBlock adds a block of a normal form as a rule of this package. A block
// that the package meets by itself says nothing.
func (c *compiler) addBlock(block []lit) {
	n := lit(c.id)
	if _, has := slices.BinarySearch(block, n); has || c.there && !c.holdsNow(block) {
		return
	}
	at, has := slices.BinarySearch(block, -n)
	if !has {
		block = slices.Insert(block, at, -n)
	}
	c.add(block...)
	for _, l := range block {
		if l > 0 {
			c.out.reach = append(c.out.reach, rpm.ID(l))
		}
	}
}

// holdsNow reports whether a block holds on the node as it is.
func (c *compiler) holdsNow(block []lit) bool {
	return slices.ContainsFunc(block, func(l lit) bool { return c.info[abs(l)].there == (l > 0) })
}

// isThere reports whether the node has a package.
func (s *Solver) isThere(id rpm.ID) bool { return s.info[id].there }

func (c *compiler) requires(d rpm.Dep) {
	if isComplex(c.pool, d) {
		c.complexRequires(d)
		return
	}
	providers := c.pool.Providers(d)
	switch {
	case len(providers) > 0 && providers[0] == rpm.System, c.there && !slices.ContainsFunc(providers, c.isThere):
		return
	case len(providers) == 0:
		c.add(-lit(c.id))
		return
	}
	if _, itself := slices.BinarySearch(providers, c.id); itself {
		return
	}
	c.out.reach = append(c.out.reach, providers...)
	rule := make([]lit, len(providers)+1)
	rule[0] = -lit(c.id)
	for i, p := range providers {
		rule[i+1] = lit(p)
	}
	c.add(rule...)
}

func (c *compiler) complexRequires(d rpm.Dep) {
	b := normalise(c.pool, d, cnf)
	if (b.verdict == never || b.verdict == tooLarge) && !c.there {
		c.add(-lit(c.id))
	}
	for _, block := range b.list {
		c.addBlock(block)
	}
}

func (c *compiler) conflicts(d rpm.Dep) {
	if isComplex(c.pool, d) {
		c.complexConflicts(d)
		return
	}
	for _, q := range c.pool.Providers(d) {
		if q != c.id && !(c.there && c.info[q].there) {
			c.exclude(q)
		}
	}
}

func (c *compiler) complexConflicts(d rpm.Dep) {
	b := normalise(c.pool, d, dnf)
	if (b.verdict == always || b.verdict == tooLarge) && !c.there {
		c.add(-lit(c.id))
	}
	b = invert(b)
	for _, block := range b.list {
		if len(block) != 1 || block[0] != -lit(c.id) { // a package does not conflict with itself
			c.addBlock(block)
		}
	}
}

// obsoletes by name and version of the other package itself, never by what it
// provides besides.
func (c *compiler) obsoletes(d rpm.Dep) {
	for _, q := range c.pool.Named(d) {
		if q == c.id {
			continue
		}
		c.out.obsoletes = append(c.out.obsoletes, q)
		if !(c.there && c.info[q].there) {
			c.exclude(q)
		}
	}
}

// sameName keeps builds of one name apart, and makes the builds of this version
// for a better architecture involved, so that they can be stepped together.
func (c *compiler) sameName() {
	me := &c.info[c.id]
	for _, q := range c.pool.ByName(me.name) {
		other := &c.info[q]
		if q < c.id && (c.clash(me, other) || c.clash(other, me)) {
			c.exclude(q)
		}
		if other.evr == me.evr && other.score > 1 && other.score < me.score {
			c.out.reach = append(c.out.reach, q)
		}
	}
}

// clash reports whether a, by its own rules, forbids b of the same name. What
// the node has forbids nothing. Of two builds that may be there several times one
// may be too old to say so: the node's then gives way.
func (c *compiler) clash(a, b *info) bool {
	same := a.evr == b.evr && a.arch == b.arch
	switch {
	case a.there:
		return false
	case a.multiversion && !same && (!b.there || b.multiversion):
		return false
	}
	return a.fitsBeside(b)
}

// fitsBeside reports whether the colours of two builds meet, so that one takes
// the place of the other.
func (i *info) fitsBeside(other *info) bool {
	return i.arch == other.arch || i.colour&other.colour != 0
}

func (c *compiler) wishes(deps []rpm.Dep) []wish {
	var out []wish
	for _, d := range deps {
		if !isComplex(c.pool, d) {
			providers := c.pool.Providers(d)
			c.out.reach = append(c.out.reach, providers...)
			out = append(out, wish{providers: providers})
			continue
		}
		blocks := normalise(c.pool, d, cnf).list
		out = append(out, wish{blocks: blocks})
		for _, block := range blocks {
			for _, l := range block {
				if l > 0 {
					c.out.reach = append(c.out.reach, rpm.ID(l))
				}
			}
		}
		c.reachPositive(d, false)
	}
	return out
}

// reachPositive makes the packages involved that a complex dependency could ask
// for: left sides and else branches as they stand, conditions negated.
func (c *compiler) reachPositive(d rpm.Dep, negated bool) {
	r, ok := c.pool.RelOf(d)
	switch {
	case ok && (r.Op == rpm.OpAnd || r.Op == rpm.OpOr):
		c.reachPositive(r.Name, negated)
		c.reachPositive(r.EVR, negated)
	case ok && (r.Op == rpm.OpIf || r.Op == rpm.OpUnless):
		c.reachPositive(r.Name, negated)
		if other, rel := c.pool.RelOf(r.EVR); rel && other.Op == rpm.OpElse {
			c.reachPositive(other.EVR, negated)
			c.reachPositive(other.Name, !negated)
		} else {
			c.reachPositive(r.EVR, !negated)
		}
	case !negated:
		c.out.reach = append(c.out.reach, c.pool.Providers(d)...)
	}
}

// sortRules brings rules into libsolv's order and removes duplicates.
func sortRules(rules [][]lit) [][]lit {
	slices.SortFunc(rules, compareRules)
	return slices.Clip(slices.CompactFunc(rules, func(a, b []lit) bool { return slices.Equal(a, b) }))
}

// compareRules orders by the first literal, then by the others with missing ones
// as 0, except that a rule of up to two literals is before a longer one that
// starts alike.
func compareRules(a, b []lit) int {
	if a[0] != b[0] {
		return cmp.Compare(a[0], b[0])
	}
	if len(a) <= 2 || len(b) <= 2 {
		if c := cmp.Compare(second(a), second(b)); c != 0 || len(a) == len(b) {
			return c
		}
		return cmp.Compare(min(len(a), 3), min(len(b), 3))
	}
	for i := 1; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return cmp.Compare(a[i], b[i])
		}
	}
	switch {
	case len(a) > len(b):
		return cmp.Compare(a[len(b)], 0)
	case len(a) < len(b):
		return cmp.Compare(0, b[len(a)])
	}
	return 0
}

func second(rule []lit) lit {
	if len(rule) < 2 {
		return 0
	}
	return rule[1]
}
