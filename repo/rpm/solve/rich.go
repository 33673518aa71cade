package solve

import (
	"slices"

	"pgbundle/repo/rpm"
)

// lit is a literal of a rule: an id says "install it", a negative id "do not".
type lit = int32

// form is a normal form of a condition over installed packages.
type form bool

const (
	cnf form = false // all blocks must hold, in a block one literal
	dnf form = true  // one block must hold, in a block all literals
)

// blocks is a condition in a normal form. Literals are ascending in a block.
type blocks struct {
	verdict verdict
	list    [][]lit
}

type verdict uint8

const (
	depends verdict = iota
	never
	always
	tooLarge // the form would not fit: nobody writes such a dependency but to do harm
)

// maxFormLiterals bounds the work on one normal form: two lists of some hundred
// providers multiplied fit well.
const maxFormLiterals = 1 << 20

// normaliser brings one dependency into a normal form, within a budget.
type normaliser struct {
	pool *rpm.Pool
	left int // literals that may still be written
}

func newNormaliser(pool *rpm.Pool) *normaliser { return &normaliser{pool, maxFormLiterals} }

// spend takes n literals from the budget; false when it is used up.
func (z *normaliser) spend(n int) bool {
	z.left -= n
	return z.left >= 0
}

// isComplex reports whether a dependency is more than a list of providers: it
// joins conditions that are decided by several packages.
func isComplex(pool *rpm.Pool, d rpm.Dep) bool {
	r, ok := pool.RelOf(d)
	if !ok || !r.Op.IsRich() {
		return false
	}
	switch r.Op {
	case rpm.OpAnd, rpm.OpIf, rpm.OpUnless:
		return true
	}
	return isComplex(pool, r.Name) || isComplex(pool, r.EVR)
}

// normalise brings a dependency into a normal form.
func normalise(pool *rpm.Pool, d rpm.Dep, f form) blocks {
	return newNormaliser(pool).dep(d, f)
}

func (z *normaliser) dep(d rpm.Dep, f form) blocks {
	r, ok := z.pool.RelOf(d)
	switch {
	case !z.spend(1):
		return blocks{verdict: tooLarge}
	case ok && (r.Op == rpm.OpAnd || r.Op == rpm.OpOr):
		return z.combine(z.dep(r.Name, f), z.dep(r.EVR, f), r.Op == rpm.OpAnd, f)
	case ok && (r.Op == rpm.OpIf || r.Op == rpm.OpUnless):
		return z.condition(r, f)
	}
	return z.leaf(z.pool.Providers(d), f)
}

// condition rewrites a condition with and, or and not:
//
//	A if B             A or not B
//	A if B else C      (A or not B) and (B or C)
//	A unless B         A and not B
//	A unless B else C  (A and not B) or (B and C)
func (z *normaliser) condition(r rpm.Rel, f form) blocks {
	unless := r.Op == rpm.OpUnless
	condition := r.EVR
	other, hasElse := z.pool.RelOf(condition)
	hasElse = hasElse && other.Op == rpm.OpElse
	if hasElse {
		condition = other.Name
	}
	out := z.combine(z.dep(r.Name, f), invert(z.dep(condition, !f)), unless, f)
	if hasElse {
		otherwise := z.combine(z.dep(condition, f), z.dep(other.EVR, f), unless, f)
		out = z.combine(out, otherwise, !unless, f)
	}
	return out
}

func (z *normaliser) leaf(providers []rpm.ID, f form) blocks {
	if !z.spend(len(providers)) {
		return blocks{verdict: tooLarge}
	}
	if len(providers) == 0 {
		return blocks{verdict: never}
	}
	if providers[0] == rpm.System {
		return blocks{verdict: always}
	}
	if f == cnf {
		return blocks{list: [][]lit{literals(providers)}}
	}
	list := make([][]lit, len(providers))
	for i, id := range providers {
		list[i] = []lit{lit(id)}
	}
	return blocks{list: list}
}

func literals(ids []rpm.ID) []lit {
	out := make([]lit, len(ids))
	for i, id := range ids {
		out[i] = lit(id)
	}
	return out
}

// invert negates a condition, which turns one normal form into the other.
func invert(b blocks) blocks {
	switch b.verdict {
	case never:
		return blocks{verdict: always}
	case always:
		return blocks{verdict: never}
	}
	for _, block := range b.list {
		for i := range block {
			block[i] = -block[i]
		}
		slices.Reverse(block)
	}
	return b
}

// combine joins two conditions of one form by and, else by or.
func (z *normaliser) combine(a, b blocks, and bool, f form) blocks {
	absorbing, neutral := always, never
	if and {
		absorbing, neutral = never, always
	}
	switch {
	case a.verdict == absorbing || b.verdict == absorbing:
		return blocks{verdict: absorbing}
	case a.verdict == tooLarge || b.verdict == tooLarge:
		return blocks{verdict: tooLarge}
	case a.verdict == neutral:
		return b
	case b.verdict == neutral:
		return a
	case and == (f == cnf):
		return blocks{list: append(a.list, b.list...)}
	}
	return z.distribute(a.list, b.list, f)
}

// distribute multiplies two lists of blocks. Blocks that hold a literal and its
// opposite say nothing.
func (z *normaliser) distribute(a, b [][]lit, f form) blocks {
	var out [][]lit
	for _, x := range a {
		for _, y := range b {
			if !z.spend(len(x) + len(y)) {
				return blocks{verdict: tooLarge}
			}
			if merged, ok := mergeBlocks(x, y); ok {
				out = append(out, merged)
			}
		}
	}
	switch {
	case len(out) > 0:
		return blocks{list: out}
	case f == cnf:
		return blocks{verdict: always}
	}
	return blocks{verdict: never}
}

// mergeBlocks unites two ascending blocks; false when they contradict.
func mergeBlocks(x, y []lit) ([]lit, bool) {
	out := make([]lit, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] < y[0]:
			out, x = append(out, x[0]), x[1:]
		case x[0] > y[0]:
			out, y = append(out, y[0]), y[1:]
		default:
			out, x, y = append(out, x[0]), x[1:], y[1:]
		}
	}
	out = append(append(out, x...), y...)
	return out, !contradicts(out)
}

// contradicts reports whether an ascending block holds a literal and its
// opposite.
func contradicts(block []lit) bool {
	i, j := 0, len(block)-1
	for i < j && block[i] < 0 && block[j] > 0 {
		switch sum := block[i] + block[j]; {
		case sum == 0:
			return true
		case sum < 0:
			i++
		default:
			j--
		}
	}
	return false
}

// condition is a dependency to be tested against what is installed.
type condition struct {
	op        rpm.Op // 0: providers
	providers []rpm.ID
	a, b, c   *condition // c: the else branch
}

func compileCondition(pool *rpm.Pool, d rpm.Dep) *condition {
	r, ok := pool.RelOf(d)
	if ok {
		switch r.Op {
		case rpm.OpAnd, rpm.OpOr:
			return &condition{op: r.Op, a: compileCondition(pool, r.Name), b: compileCondition(pool, r.EVR)}
		case rpm.OpIf, rpm.OpUnless:
			out := &condition{op: r.Op, a: compileCondition(pool, r.Name)}
			if other, rel := pool.RelOf(r.EVR); rel && other.Op == rpm.OpElse {
				out.b, out.c = compileCondition(pool, other.Name), compileCondition(pool, other.EVR)
			} else {
				out.b = compileCondition(pool, r.EVR)
			}
			return out
		}
	}
	return &condition{providers: pool.Providers(d)}
}

// holds tests a condition against the packages that are installed. `A if B` also
// holds where B does not.
func (c *condition) holds(installed func(rpm.ID) bool) bool {
	switch c.op {
	case rpm.OpAnd:
		return c.a.holds(installed) && c.b.holds(installed)
	case rpm.OpOr:
		return c.a.holds(installed) || c.b.holds(installed)
	case rpm.OpIf, rpm.OpUnless:
		switch met := c.b.holds(installed); {
		case met == (c.op == rpm.OpIf):
			return c.a.holds(installed)
		case c.c != nil:
			return c.c.holds(installed)
		}
		return c.op == rpm.OpIf
	}
	return slices.ContainsFunc(c.providers, installed)
}

// rests reports whether a condition that holds does so because of a package that
// is newly installed, not merely because others are not, nor because of what was
// there before: `A if B` rests on A, `A if B else C` on A and B or on C, `A unless
// B` on A.
func (c *condition) rests(installed, fresh func(rpm.ID) bool) bool {
	both := func(a, b *condition) bool {
		return a.holds(installed) && b.holds(installed) && (a.rests(installed, fresh) || b.rests(installed, fresh))
	}
	switch c.op {
	case rpm.OpAnd:
		return both(c.a, c.b)
	case rpm.OpOr:
		return c.a.rests(installed, fresh) || c.b.rests(installed, fresh)
	case rpm.OpIf:
		switch {
		case c.c == nil:
			return c.a.rests(installed, fresh)
		case c.b.holds(installed):
			return both(c.a, c.b)
		}
		return c.c.rests(installed, fresh)
	case rpm.OpUnless:
		switch {
		case !c.b.holds(installed):
			return c.a.rests(installed, fresh)
		case c.c == nil:
			return false
		}
		return both(c.c, c.b)
	}
	return slices.ContainsFunc(c.providers, fresh)
}

// possible reports whether a condition might come to hold with the packages of
// a set. Conditionals always might.
func (c *condition) possible(in *idSet) bool {
	switch c.op {
	case rpm.OpAnd:
		return c.a.possible(in) && c.b.possible(in)
	case rpm.OpOr:
		return c.a.possible(in) || c.b.possible(in)
	case rpm.OpIf, rpm.OpUnless:
		return true
	}
	return slices.ContainsFunc(c.providers, in.has)
}
