package solve

import (
	"cmp"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// Unsolvable says that a job has no answer, with every problem that was found:
// each one stands without the others. Callers find it with errors.AsType, and
// what it is about by the kinds of the reasons of Problem.Chain.
type Unsolvable struct {
	Problems []*Problem
}

// Error gives the problems as lines, see Problem.String.
func (u *Unsolvable) Error() string {
	text := ""
	for i, p := range u.Problems {
		if i > 0 {
			text += "\n"
		}
		text += p.String()
	}
	return text
}

// Unwrap makes the error manifest.ErrUnsolvable.
func (u *Unsolvable) Unwrap() error { return manifest.ErrUnsolvable }

// Problem is one reason why there is no answer: requests that cannot be met,
// alone or together, and what led to that. Reasons has one for each request.
type Problem struct {
	Requests []string
	Reasons  []*Reason

	solver *Solver
}

// Kind is the sort of a reason: which of its fields say something.
type Kind uint8

// The sorts of reasons.
const (
	NoMatch       Kind = iota // Request means no package; Hints say what is near
	AllFiltered               // Request means packages that are all filtered out
	PinNoMatch                // Request is a pin that no build fits
	Requested                 // Request is met by Offered
	BestRequested             // Request must be met by the newest build: Offered
	Missing                   // Packages require Dep, which nothing provides
	Unmet                     // Packages require Dep, which Offered provide
	Conflict                  // Packages conflict with Dep, which is Other
	Obsoletion                // Packages obsolete Dep, which is Other
	SameName                  // Packages and Other cannot both be installed
	Filtered                  // Packages are filtered out: Filter says how, By by what
	BadArch                   // Packages do not run on the machine
	InferiorArch              // Packages are for an inferior architecture
	PinnedAway                // Packages are ruled out by the pin By
	Joined                    // Packages bring Offered along: the group of Request says so
	Split                     // Packages replace a part of what the node has, and only come along with Offered, which replace the rest
	Incompatible              // Packages need the combination Dep, which is not to be had
	RichConflict              // Packages conflict with the combination Dep
)

// String gives the word for a kind in JSON.
func (k Kind) String() string {
	return [...]string{
		NoMatch: "no-match", AllFiltered: "all-filtered", PinNoMatch: "pin-no-match", Requested: "requested", BestRequested: "best-requested",
		Missing: "missing", Unmet: "unmet", Conflict: "conflict", Obsoletion: "obsoletion", SameName: "same-name", Filtered: "filtered",
		BadArch: "bad-arch", InferiorArch: "inferior-arch", PinnedAway: "pinned-away", Joined: "joined", Split: "split", Incompatible: "incompatible", RichConflict: "rich-conflict",
	}[k]
}

// Reason is a link of the chain: why Packages, or a request, cannot be had.
// Because says why each of what Offered names cannot be had either.
type Reason struct {
	Kind     Kind
	Request  string
	Packages []rpm.ID // that the reason holds for alike
	Alike    []rpm.ID // other builds that fail alike, by another version of Dep
	Dep      rpm.Dep
	Other    rpm.ID
	HeldBy   rpm.ID // a package of the node that needs Other, which is on the node, too
	Offered  []rpm.ID
	Filter   rpm.Why // of all Packages, which are of one repository then
	By       string  // the patterns, the module stream NAME:STREAM, or the pin
	InPart   bool    // something has the name of Dep, in another version or without these symbols
	Hints    []string
	Because  []*Reason
}

// explain tells why the search failed; then it leaves the requests of that
// problem out and looks for further ones.
func (x *search) explain() []*Problem {
	var problems []*Problem
	for {
		p, jobs := x.problem()
		problems = append(problems, p)
		rest := *x.goal
		rest.jobs = nil
		for i := range x.goal.jobs {
			if !slices.Contains(jobs, i) {
				rest.jobs = append(rest.jobs, x.goal.jobs[i])
			}
		}
		if len(jobs) == 0 || len(rest.jobs) == 0 {
			return problems
		}
		x.begin(x.ctx, &rest)
		if solved, err := x.run(false); solved || err != nil {
			return problems
		}
	}
}

// problem explains the rule that failed, and returns the places of the jobs that
// are part of it.
func (x *search) problem() (*Problem, []int) {
	e := &explainer{search: x, against: map[rpm.ID][]int32{}, told: map[rpm.ID]bool{}}
	var jobs, best []int
	for _, i := range x.core() {
		for _, l := range x.rules[i].lits {
			if l < 0 {
				e.against[idOf(l)] = append(e.against[idOf(l)], i)
			}
		}
		switch {
		case i >= x.bestFrom && i < x.bestTo:
			best = append(best, x.bestOf[i-x.bestFrom])
			jobs = append(jobs, x.bestOf[i-x.bestFrom])
		case i >= x.jobsFrom && int(i-x.jobsFrom) < len(x.goal.jobs):
			jobs = append(jobs, int(i-x.jobsFrom))
		}
	}
	slices.Sort(jobs)
	jobs = slices.Compact(jobs)
	p := &Problem{solver: x.Solver}
	for _, i := range jobs {
		p.Requests = append(p.Requests, x.goal.jobs[i].request)
		p.Reasons = append(p.Reasons, e.request(i, slices.Contains(best, i)))
	}
	p.Requests = slices.Compact(p.Requests)
	return p, jobs
}

// core returns the rules that cannot all be met, ascending: the one that failed
// and those that forced its literals. A learnt rule stands for what it was
// derived from.
func (x *search) core() []int32 {
	why := make(map[rpm.ID]int32, len(x.decisions))
	for _, d := range x.decisions {
		why[idOf(d.lit)] = d.why
	}
	seen := map[int32]bool{0: true}
	todo := []int32{x.failed}
	var out []int32
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[i] {
			continue
		}
		seen[i] = true
		if i >= x.learntFrom {
			todo = append(todo, x.learntFromRules[i-x.learntFrom]...)
			continue
		}
		out = append(out, i)
		for _, l := range x.rules[i].lits {
			if x.isFalse(l) && x.levelOf(l) == 1 {
				todo = append(todo, why[idOf(l)])
			}
		}
	}
	slices.Sort(out)
	return out
}

// explainer turns the rules of a core into reasons, from the requests down.
type explainer struct {
	*search
	against map[rpm.ID][]int32 // rules of the core with the negation of a package
	told    map[rpm.ID]bool    // packages whose reasons were given
}

// request explains why a job cannot be met; best says that only its newest
// builds count.
func (e *explainer) request(i int, best bool) *Reason {
	j := &e.goal.jobs[i]
	r := &Reason{Kind: Requested, Request: j.request, Offered: j.candidates}
	if best {
		r.Kind = BestRequested
		r.Offered = e.filter(slices.Clone(j.candidates), modeRecommend)
		if len(j.candidates) > len(r.Offered) {
			r.Hints = e.olderBuild(j, r.Offered)
		}
	}
	r.Because = e.all(r.Offered)
	return r
}

// all explains why none of some packages can be had, the newest builds first;
// equal reasons are joined.
func (e *explainer) all(ids []rpm.ID) []*Reason {
	var out []*Reason
	for _, id := range e.newestFirst(ids) {
		if e.told[id] {
			continue
		}
		e.told[id] = true
		for _, i := range e.against[id] {
			for _, r := range e.describe(id, i) {
				out = e.join(out, r)
			}
		}
	}
	for _, r := range out {
		if len(r.Offered) > 0 {
			r.Because = e.all(r.Offered)
		}
	}
	return out
}

func (s *Solver) newestFirst(ids []rpm.ID) []rpm.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b rpm.ID) int {
		p, q := &s.info[a], &s.info[b]
		return cmp.Or(
			strings.Compare(s.pool.String(p.name), s.pool.String(q.name)),
			s.pool.CompareEVR(q.evr, p.evr),
			cmp.Compare(p.score, q.score),
			cmp.Compare(a, b),
		)
	})
	return ids
}

// join appends a reason, or adds its package to one that says the same.
func (e *explainer) join(list []*Reason, r *Reason) []*Reason {
	id := r.Packages[0]
	for _, have := range list {
		switch {
		case have.Kind != r.Kind || have.Filter != r.Filter || have.By != r.By || r.Filter != rpm.Visible && e.repoOf(have.Packages[0]) != e.repoOf(id):
		case have.Dep == r.Dep && have.Other == r.Other && slices.Equal(have.Offered, r.Offered):
			if !slices.Contains(have.Packages, id) {
				have.Packages = append(have.Packages, id)
			}
			return list
		case r.Dep != 0 && r.Other == 0 && e.info[have.Packages[0]].name == e.info[id].name &&
			e.nameOf(have.Dep) == e.nameOf(r.Dep):
			have.Alike = append(have.Alike, id)
			return list
		}
	}
	return append(list, r)
}

// describe says what a rule with the negation of a package means. It is one
// reason, but for a package that misses several things at once.
func (e *explainer) describe(id rpm.ID, i int32) []*Reason {
	lits := e.rules[i].lits
	r := &Reason{Packages: []rpm.ID{id}}
	joins := e.companion(i, id)
	switch {
	case joins != nil:
		r.Kind, r.Request, r.Offered = Joined, joins.request, joins.candidates
	case i >= e.bestTo:
		r.Kind, r.Offered = Split, positives(blocks{list: [][]lit{lits}})
	case i >= e.archFrom:
		r.Kind = InferiorArch
	case i >= e.jobsFrom:
		r.Kind, r.By = PinnedAway, e.pinOf(e.goal, id)
	case len(lits) == 1:
		return e.describeImpossible(id)
	case len(lits) == 2 && lits[0] < 0 && lits[1] < 0:
		e.describeClash(r, id, idOf(lits[0]+lits[1]+lit(id)))
		r.HeldBy = e.holder(r.Other)
	default:
		e.describeRequires(r, id, lits)
	}
	return []*Reason{r}
}

// describeImpossible says why a package can never be installed.
func (e *explainer) describeImpossible(id rpm.ID) []*Reason {
	pkg := e.pool.Package(id)
	who := []rpm.ID{id}
	switch {
	case pkg.Hidden:
		return []*Reason{e.filtered(id)}
	case !e.info[id].installable:
		return []*Reason{{Kind: BadArch, Packages: who}}
	}
	var out []*Reason
	for _, d := range pkg.Requires {
		switch complex := isComplex(e.pool, d); {
		case complex && e.canNotHold(normalise(e.pool, d, cnf), never):
			out = append(out, &Reason{Kind: Incompatible, Packages: who, Dep: d, Hints: e.missingParts(d)})
		case !complex && len(e.pool.Providers(d)) == 0:
			r := &Reason{Kind: Missing, Packages: who, Dep: d}
			r.Hints, r.InPart = e.nearCapability(d)
			out = append(out, r)
		}
	}
	for _, d := range pkg.Conflicts {
		if isComplex(e.pool, d) && e.canNotHold(normalise(e.pool, d, dnf), always) {
			out = append(out, &Reason{Kind: RichConflict, Packages: who, Dep: d})
		}
	}
	if len(out) == 0 { // a complex dependency came down to this package alone
		out = append(out, &Reason{Kind: Incompatible, Packages: who})
	}
	return out
}

func (e *explainer) canNotHold(b blocks, v verdict) bool {
	return b.verdict == v || b.verdict == tooLarge
}

// describeClash says why two packages exclude each other.
func (e *explainer) describeClash(r *Reason, id, other rpm.ID) {
	for _, pair := range [][2]rpm.ID{{id, other}, {other, id}} {
		pkg := e.pool.Package(pair[0])
		for _, d := range pkg.Conflicts {
			if !isComplex(e.pool, d) && slices.Contains(e.pool.Providers(d), pair[1]) {
				r.Kind, r.Packages, r.Dep, r.Other = Conflict, []rpm.ID{pair[0]}, d, pair[1]
				return
			}
		}
		for _, d := range pkg.Obsoletes {
			if slices.Contains(e.pool.Named(d), pair[1]) {
				r.Kind, r.Packages, r.Dep, r.Other = Obsoletion, []rpm.ID{pair[0]}, d, pair[1]
				return
			}
		}
	}
	if e.info[id].name == e.info[other].name {
		r.Kind, r.Other = SameName, other
		return
	}
	r.Other = other
	e.describeRich(r, id, []lit{-lit(max(id, other)), -lit(min(id, other))})
}

// holder returns a package of the node that needs another one of it, by a rule of
// the core; 0 when there is none.
func (e *explainer) holder(held rpm.ID) rpm.ID {
	if held == 0 || !e.info[held].there {
		return 0
	}
	for _, id := range e.there {
		for _, i := range e.against[id] {
			if i < e.updatesFrom && slices.Contains(e.rules[i].lits, lit(held)) {
				return id
			}
		}
	}
	return 0
}

// describeRequires finds the dependency that a rule comes from.
func (e *explainer) describeRequires(r *Reason, id rpm.ID, lits []lit) {
	for _, l := range lits {
		if l > 0 {
			r.Offered = append(r.Offered, rpm.ID(l))
		}
	}
	for _, d := range e.pool.Package(id).Requires {
		if !isComplex(e.pool, d) && slices.Equal(e.pool.Providers(d), r.Offered) {
			r.Kind, r.Dep = Unmet, d
			return
		}
	}
	e.describeRich(r, id, lits)
}

// describeRich finds the complex dependency that a rule comes from, of the
// package itself or of another that the rule names.
func (e *explainer) describeRich(r *Reason, id rpm.ID, lits []lit) {
	owners := []rpm.ID{id}
	for _, l := range lits {
		if l < 0 && idOf(l) != id {
			owners = append(owners, idOf(l))
		}
	}
	for _, owner := range owners {
		pkg := e.pool.Package(owner)
		if owner == r.Other {
			r.Other = id
		}
		for _, d := range pkg.Requires {
			if e.comesFrom(owner, d, lits, (*compiler).complexRequires) {
				r.Kind, r.Packages, r.Dep, r.Hints = Incompatible, []rpm.ID{owner}, d, e.missingParts(d)
				return
			}
		}
		for _, d := range pkg.Conflicts {
			if e.comesFrom(owner, d, lits, (*compiler).complexConflicts) {
				r.Kind, r.Packages, r.Dep = RichConflict, []rpm.ID{owner}, d
				return
			}
		}
	}
}

// comesFrom reports whether a complex dependency of a package yields a rule.
func (e *explainer) comesFrom(id rpm.ID, d rpm.Dep, lits []lit, read func(*compiler, rpm.Dep)) bool {
	if !isComplex(e.pool, d) {
		return false
	}
	c := compiler{Solver: e.Solver, id: id, out: &compiled{}, there: e.info[id].there}
	read(&c, d)
	return slices.ContainsFunc(slices.Concat(c.out.rules, c.out.foreign), func(rule []lit) bool {
		return slices.Equal(rule, lits)
	})
}

// missingParts names the capabilities in a complex dependency that nothing
// provides.
func (e *explainer) missingParts(d rpm.Dep) []string {
	r, ok := e.pool.RelOf(d)
	switch {
	case ok && r.Op.IsRich() && r.Op != rpm.OpWith && r.Op != rpm.OpWithout:
		return append(e.missingParts(r.Name), e.missingParts(r.EVR)...)
	case len(e.pool.Providers(d)) == 0:
		return []string{"nothing provides " + e.pool.DepString(d)}
	}
	return nil
}
