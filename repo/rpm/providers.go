package rpm

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// providerIndex finds the packages that provide a name. It is built by Prepare;
// answers to relations are kept.
type providerIndex struct {
	start []uint32 // by Str: where the entries of the name start; one more at the end
	id    []ID     // ascending within a name
	dep   []Dep    // the provide itself, beside id

	names  []uint32 // as start, over the packages of each name
	byName []ID

	paths map[Str][]ID                  // owners of files that a dependency names
	memo  []atomic.Pointer[[]ID]        // by relation; later relations have none
	plain map[Str]*atomic.Pointer[[]ID] // names with more entries than packages
	asked *sync.Map                     // set of Str: see NeedFiles
}

var none = []ID{}

// Prepare sets up the pool for questions, for machines of an architecture in
// RPM's word ("x86_64"). It is to be called again after packages, files or
// relations were added.
func (p *Pool) Prepare(arch string) {
	p.setArch(arch)
	p.buildProvides()
	p.buildNames()
	p.index.memo = make([]atomic.Pointer[[]ID], len(p.rels.rels))
	p.index.paths = p.ownersOfPaths()
	p.index.asked = new(sync.Map)
}

// each calls f for every package.
func (p *Pool) each(f func(ID, *Package)) {
	for id := System; int(id) < p.count; id++ {
		f(id, p.Package(id))
	}
}

// installable calls f for every package that runs on the machine: no other
// provides anything.
func (p *Pool) installable(f func(ID, *Package)) {
	p.each(func(id ID, pkg *Package) {
		if p.ArchScore(pkg.Arch) != 0 {
			f(id, pkg)
		}
	})
}

// nameOf returns the name of a provide: of `name = evr` or of a plain name.
func (p *Pool) nameOf(d Dep) Str {
	for d.IsRel() {
		d = p.rels.rels[d&^relBit].Name
	}
	return Str(d)
}

func (p *Pool) buildProvides() {
	x := &p.index
	x.start = make([]uint32, len(p.spans)+1)
	p.installable(func(_ ID, pkg *Package) {
		for _, d := range pkg.Provides {
			x.start[p.nameOf(d)+1]++
		}
	})
	total := prefixSums(x.start)
	x.id, x.dep = make([]ID, total), make([]Dep, total)
	next := slices.Clone(x.start)
	p.installable(func(id ID, pkg *Package) {
		for _, d := range pkg.Provides {
			n := p.nameOf(d)
			x.id[next[n]], x.dep[next[n]] = id, d
			next[n]++
		}
	})
	x.plain = make(map[Str]*atomic.Pointer[[]ID])
	for n := range len(x.start) - 1 {
		if ids := x.id[x.start[n]:x.start[n+1]]; hasRepeats(ids) {
			x.plain[Str(n)] = new(atomic.Pointer[[]ID])
		}
	}
}

func hasRepeats(ids []ID) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return true
		}
	}
	return false
}

func (p *Pool) buildNames() {
	x := &p.index
	x.names = make([]uint32, len(p.spans)+1)
	p.each(func(_ ID, pkg *Package) { x.names[pkg.Name+1]++ })
	x.byName = make([]ID, prefixSums(x.names))
	next := slices.Clone(x.names)
	p.each(func(id ID, pkg *Package) {
		x.byName[next[pkg.Name]] = id
		next[pkg.Name]++
	})
}

// prefixSums turns counts, each one place to the right, into starts and returns
// their sum.
func prefixSums(counts []uint32) uint32 {
	sum := uint32(0)
	for i, n := range counts {
		sum += n
		counts[i] = sum
	}
	return sum
}

// ByName returns the packages of a name, ascending, hidden ones included. The
// result is not to be changed.
func (p *Pool) ByName(name Str) []ID {
	x := &p.index
	if int(name)+1 >= len(x.names) {
		return nil
	}
	return x.byName[x.names[name]:x.names[name+1]]
}

// Providers returns the packages that meet a dependency, ascending, hidden ones
// and the package that asks included, those of other machines and src not. A provide without a version meets every
// version; `with` and `without` are decided on one package; `and`, `or` and the
// left side of `if` and `unless` are unions; rpmlib(...) is met by System. The
// result is kept and not to be changed.
func (p *Pool) Providers(d Dep) []ID {
	r, ok := p.RelOf(d)
	if !ok {
		return p.providersOfName(Str(d))
	}
	i := int(d &^ relBit)
	if i >= len(p.index.memo) {
		return p.providersOfRel(r)
	}
	if have := p.index.memo[i].Load(); have != nil {
		return *have
	}
	ids := p.providersOfRel(r)
	p.index.memo[i].Store(&ids)
	return ids
}

func (p *Pool) providersOfName(name Str) []ID {
	ids := p.declared(name)
	if text := p.String(name); len(text) > 0 && text[0] == '/' {
		return p.providersOfPath(name, text, ids)
	} else if len(ids) == 0 && strings.HasPrefix(text, "rpmlib(") {
		return []ID{System}
	}
	return ids
}

// declared returns the packages with a provide of that name, of any version.
func (p *Pool) declared(name Str) []ID {
	x := &p.index
	ids, _ := p.entries(name)
	memo, repeats := x.plain[name]
	if !repeats {
		return ids
	}
	if have := memo.Load(); have != nil {
		return *have
	}
	ids = slices.Compact(slices.Clone(ids))
	memo.Store(&ids)
	return ids
}

// entries returns the provides of a name and whose they are, ascending.
func (p *Pool) entries(name Str) ([]ID, []Dep) {
	x := &p.index
	if int(name)+1 >= len(x.start) {
		return none, nil
	}
	from, to := x.start[name], x.start[name+1]
	return x.id[from:to:to], x.dep[from:to]
}

func (p *Pool) providersOfRel(r Rel) []ID {
	switch r.Op {
	case OpAnd, OpOr:
		return union(p.Providers(r.Name), p.Providers(r.EVR))
	case OpIf, OpUnless:
		if right, ok := p.RelOf(r.EVR); ok && right.Op == OpElse {
			return union(p.Providers(r.Name), p.Providers(right.EVR))
		}
		return p.Providers(r.Name)
	case OpWith:
		return intersection(p.Providers(r.Name), p.Providers(r.EVR))
	case OpWithout:
		return difference(p.Providers(r.Name), p.Providers(r.EVR))
	case OpElse:
		return none
	}
	return p.providersOfRange(r)
}

// providersOfRange answers `name op evr`.
func (p *Pool) providersOfRange(r Rel) []ID {
	if r.Name.IsRel() {
		return none // nothing but an architecture could stand here, which dnf does not write
	}
	name := Str(r.Name)
	ids, provides := p.entries(name)
	var out []ID
	for i, id := range ids {
		if len(out) > 0 && out[len(out)-1] == id {
			continue
		}
		if p.overlaps(provides[i], r.Op, Str(r.EVR)) {
			out = append(out, id)
		}
	}
	if text := p.String(name); len(text) > 0 && text[0] == '/' {
		return union(out, p.index.paths[name])
	} else if len(ids) == 0 && strings.HasPrefix(text, "rpmlib(") {
		return []ID{System}
	}
	return out
}

// overlaps reports whether a provide and the range `op evr` of the same name
// have a version in common.
func (p *Pool) overlaps(provide Dep, op Op, evr Str) bool {
	pr, versioned := p.RelOf(provide)
	switch {
	case !versioned || pr.Op.IsRich():
		return true
	case pr.Op == GT|EQ|LT || op == GT|EQ|LT:
		return true
	case pr.Op&op&(GT|LT) != 0:
		return true
	case Str(pr.EVR) == evr:
		return pr.Op&op&EQ != 0
	}
	switch c := compareEVR(p.bytes(Str(pr.EVR)), p.bytes(evr)); c {
	case -2: // the provide has no release
		return pr.Op&EQ != 0
	case 2:
		return op&EQ != 0
	case 0:
		return pr.Op&op&EQ != 0
	default:
		if c < 0 {
			return op&LT != 0 || pr.Op&GT != 0
		}
		return op&GT != 0 || pr.Op&LT != 0
	}
}

// Named returns the packages whose own name and version a dependency means,
// ascending: what Obsoletes asks. Other provides do not count.
func (p *Pool) Named(d Dep) []ID {
	r, ok := p.RelOf(d)
	if !ok {
		return p.ByName(Str(d))
	}
	if r.Op.IsRich() || r.Name.IsRel() {
		return nil
	}
	var out []ID
	for _, id := range p.ByName(Str(r.Name)) {
		if p.matchesOwn(p.Package(id), r) {
			out = append(out, id)
		}
	}
	return out
}

func (p *Pool) matchesOwn(pkg *Package, r Rel) bool {
	self := p.rels.lookup(Rel{Name: Dep(pkg.Name), Op: EQ, EVR: Dep(pkg.EVR)})
	return self != 0 && p.overlaps(self, r.Op, Str(r.EVR))
}

// union merges two ascending lists.
func union(a, b []ID) []ID {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]ID, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func intersection(a, b []ID) []ID {
	return filter(a, b, true)
}

func difference(a, b []ID) []ID {
	return filter(a, b, false)
}

// filter keeps the elements of a that are, or are not, in b.
func filter(a, b []ID, in bool) []ID {
	out := []ID{}
	for _, id := range a {
		for len(b) > 0 && b[0] < id {
			b = b[1:]
		}
		if (len(b) > 0 && b[0] == id) == in {
			out = append(out, id)
		}
	}
	return out
}
