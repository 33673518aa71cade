package solve

import (
	"iter"
	"slices"

	"pgbundle/repo/rpm"
)

// Cause is the line of the chain that matters most: the first requirement that
// nothing meets, else where the chain first ends, and not where it only goes on
// with what was told before.
func (p *Problem) Cause() string { return p.line(p.cause()) }

// Requirement is the first requirement of the chain that nothing meets. It is
// empty when packages exclude each other instead.
func (p *Problem) Requirement() string {
	if r := p.cause(); r.unmet() {
		return p.solver.pool.DepString(r.Dep)
	}
	return ""
}

func (p *Problem) cause() *Reason {
	var end *Reason
	for r := range p.Chain() {
		if r.unmet() {
			return r
		}
		if len(r.Because) == 0 && (end == nil || !end.isEnd() && r.isEnd()) {
			end = r
		}
	}
	return end
}

// isEnd reports whether a reason needs none of its own.
func (r *Reason) isEnd() bool {
	return r.Kind != Requested && r.Kind != BestRequested && r.Kind != Unmet
}

func (r *Reason) unmet() bool { return r.Dep != 0 && (r.Kind == Missing || r.Kind == Incompatible) }

// isAbout reports whether a package of one of some names is part of the chain.
func (p *Problem) isAbout(names map[rpm.Str]bool) bool {
	for r := range p.Chain() {
		ids := slices.Concat(r.Packages, r.Alike, r.Offered, []rpm.ID{r.Other})
		if slices.ContainsFunc(ids, func(id rpm.ID) bool { return id != 0 && names[p.solver.info[id].name] }) {
			return true
		}
	}
	return false
}

// Chain walks the reasons, each before what it is because of.
func (p *Problem) Chain() iter.Seq[*Reason] {
	return func(yield func(*Reason) bool) { walk(p.Reasons, yield) }
}

func walk(list []*Reason, yield func(*Reason) bool) bool {
	for _, r := range list {
		if !yield(r) || !walk(r.Because, yield) {
			return false
		}
	}
	return true
}
