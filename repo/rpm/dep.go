package rpm

import "strings"

// Dep is a capability or a condition over capabilities: a Str, or with relBit
// set an index into the pool's relations. Equal Deps have equal ids.
type Dep uint32

const relBit = 1 << 30

// IsRel reports whether a dep is a relation, see Pool.RelOf.
func (d Dep) IsRel() bool { return d&relBit != 0 }

// Str returns the name of a dep that is not a relation.
func (d Dep) Str() Str { return Str(d) }

// Op is the operator of a relation: a comparison of versions, which is a set of
// GT, EQ and LT, or one of the words of a rich dependency.
type Op uint8

// Comparisons, to be combined.
const (
	GT Op = 1
	EQ Op = 2
	LT Op = 4
)

// Operators of rich dependencies. `(A if B else C)` is A OpIf (B OpElse C), and
// chains nest to the right.
const (
	OpAnd Op = 16 + iota
	OpOr
	OpIf
	OpUnless
	OpElse
	OpWith
	OpWithout
)

// IsRich reports whether the operator joins two capabilities.
func (o Op) IsRich() bool { return o >= OpAnd }

var opText = map[Op]string{
	GT: ">", EQ: "=", GT | EQ: ">=", LT: "<", LT | GT: "<>", LT | EQ: "<=", LT | EQ | GT: "<=>",
	OpAnd: "and", OpOr: "or", OpIf: "if", OpUnless: "unless", OpElse: "else", OpWith: "with", OpWithout: "without",
}

// String gives the operator as it stands in a dependency.
func (o Op) String() string { return opText[o] }

// Rel is a relation: `Name Op EVR`. EVR is a version, or for a rich operator
// the right side.
type Rel struct {
	Name Dep
	EVR  Dep
	Op   Op
}

// relTable interns relations.
type relTable struct {
	rels  []Rel
	slots []uint32 // index+1; length a power of two
}

func (t *relTable) init() { t.slots = make([]uint32, 4096) }

func (t *relTable) intern(r Rel) Dep {
	mask := uint32(len(t.slots) - 1)
	i := r.hash() & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if t.rels[t.slots[i]-1] == r {
			return Dep(t.slots[i]-1) | relBit
		}
	}
	t.rels = append(t.rels, r)
	t.slots[i] = uint32(len(t.rels))
	if len(t.rels)*4 > len(t.slots)*3 {
		t.grow()
	}
	return Dep(len(t.rels)-1) | relBit
}

// lookup returns the dep of a relation that was interned, and 0 for any other.
func (t *relTable) lookup(r Rel) Dep {
	mask := uint32(len(t.slots) - 1)
	for i := r.hash() & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if t.rels[t.slots[i]-1] == r {
			return Dep(t.slots[i]-1) | relBit
		}
	}
	return 0
}

func (t *relTable) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	mask := uint32(len(t.slots) - 1)
	for n, r := range t.rels {
		i := r.hash() & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = uint32(n + 1)
	}
}

// hash mixes the three numbers of a relation; the constants are odd and random.
func (r Rel) hash() uint32 {
	h := uint64(r.Name)*0x9e3779b97f4a7c15 ^ uint64(r.EVR)*0xc2b2ae3d27d4eb4f ^ uint64(r.Op)*0x165667b19e3779f9
	h ^= h >> 29
	return uint32(h * 0xbf58476d1ce4e5b9 >> 32)
}

// Rel returns the dep `name op evr`.
func (p *Pool) Rel(name Dep, op Op, evr Dep) Dep {
	return p.rels.intern(Rel{Name: name, EVR: evr, Op: op})
}

// RelOf returns the relation of a dep; false when it is a plain name.
func (p *Pool) RelOf(d Dep) (Rel, bool) {
	if !d.IsRel() {
		return Rel{}, false
	}
	return p.rels.rels[d&^relBit], true
}

// DepString writes a dep as it stands in a package: `name`, `name >= evr`,
// `(a or b)`.
func (p *Pool) DepString(d Dep) string {
	r, ok := p.RelOf(d)
	if !ok {
		return p.String(Str(d))
	}
	var b strings.Builder
	if r.Op.IsRich() {
		b.WriteByte('(')
		p.writeRich(&b, r)
		b.WriteByte(')')
	} else {
		b.WriteString(p.DepString(r.Name) + " " + r.Op.String() + " " + p.DepString(r.EVR))
	}
	return b.String()
}

// writeRich writes a rich relation without its parentheses, so that the right
// side of a chain needs none.
func (p *Pool) writeRich(b *strings.Builder, r Rel) {
	b.WriteString(p.DepString(r.Name))
	b.WriteString(" " + r.Op.String() + " ")
	right, ok := p.RelOf(r.EVR)
	chain := right.Op == r.Op && (r.Op == OpAnd || r.Op == OpOr || r.Op == OpWith)
	if ok && (chain || right.Op == OpElse) {
		p.writeRich(b, right)
		return
	}
	b.WriteString(p.DepString(r.EVR))
}
