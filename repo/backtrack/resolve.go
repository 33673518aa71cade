package backtrack

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// DefaultRounds is the bound that pip sets: far above what any real set needs.
const DefaultRounds = 200_000

// optimism is the share of the rounds that may be spent in jumping back over
// decisions that only seem unrelated to a conflict. When they are spent, the
// search starts again from where it began to jump and steps back one by one,
// which misses less.
const optimism = 0.1

// exhaustion is the share of the rounds that the exhaustive search may take
// after the other found nothing.
const exhaustion = 0.05

// criterion is what is known about one identifier. It is never changed, only
// replaced: states share it.
type criterion[R, C comparable] struct {
	candidates   []C
	information  []Information[R, C]
	incompatible []C
	asked        []string // other identifiers whose requirements shaped candidates
}

func (c *criterion[R, C]) requirements() []R {
	out := make([]R, len(c.information))
	for i, info := range c.information {
		out[i] = info.Requirement
	}
	return out
}

// state is what is decided at one depth of the search.
type state[R, C comparable] struct {
	pins     map[string]C
	order    []string // identifiers in pins, the last decided last
	criteria map[string]*criterion[R, C]
	causes   []Information[R, C]
}

func (s *state[R, C]) clone() *state[R, C] {
	return &state[R, C]{
		pins:     maps.Clone(s.pins),
		order:    slices.Clone(s.order),
		criteria: maps.Clone(s.criteria),
		causes:   slices.Clone(s.causes),
	}
}

func (s *state[R, C]) pin(identifier string, candidate C) {
	if _, ok := s.pins[identifier]; ok {
		s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == identifier })
	}
	s.pins[identifier] = candidate
	s.order = append(s.order, identifier)
}

// popPin takes back the last decision.
func (s *state[R, C]) popPin() (identifier string, candidate C, ok bool) {
	if len(s.order) == 0 {
		return "", candidate, false
	}
	identifier = s.order[len(s.order)-1]
	candidate = s.pins[identifier]
	s.order = s.order[:len(s.order)-1]
	delete(s.pins, identifier)
	return identifier, candidate, true
}

// conflict says that a criterion has no candidate left.
type conflict[R, C comparable] struct{ criterion *criterion[R, C] }

func (*conflict[R, C]) Error() string { return "requirements conflict" }

type search[R, C comparable] struct {
	provider   Provider[R, C]
	states     []*state[R, C]
	saved      []*state[R, C] // where optimistic jumps began, nil before the first
	optimistic bool
}

func (s *search[R, C]) top() *state[R, C] { return s.states[len(s.states)-1] }

// Resolve searches one candidate for everything that requirements lead to, in
// at most rounds decisions. The errors are *Impossible, *TooDeep,
// *Inconsistent, the context's and those of the provider.
func Resolve[R, C comparable](ctx context.Context, provider Provider[R, C], requirements []R, rounds int) (*Result[R, C], error) {
	s := &search[R, C]{provider: provider, optimistic: true}
	s.states = []*state[R, C]{{pins: map[string]C{}, criteria: map[string]*criterion[R, C]{}}}
	var root C
	for _, r := range requirements {
		if err := s.require(ctx, s.top().criteria, r, root); err != nil {
			if c, ok := errors.AsType[*conflict[R, C]](err); ok {
				return nil, &Impossible[R, C]{Causes: c.criterion.information, Proven: true}
			}
			return nil, err
		}
	}
	// The first state stays as it is, so that the first decision can be undone.
	s.push()
	start := s.top().clone()
	err := s.run(ctx, rounds)
	impossible, failed := errors.AsType[*Impossible[R, C]](err)
	if err != nil && !failed {
		return nil, err
	}
	if !failed {
		result := s.top().result()
		if closed, err := s.closed(ctx, result); closed || err != nil {
			return result, err
		}
		impossible = &Impossible[R, C]{Causes: s.top().causes}
	}
	return s.exhaust(ctx, start, impossible, int(float64(rounds)*exhaustion))
}

// closed says whether a result holds all that its candidates depend on. An
// identifier that was decided, opened and settled again by its old candidate
// has lost what that candidate required.
func (s *search[R, C]) closed(ctx context.Context, result *Result[R, C]) (bool, error) {
	for _, candidate := range result.Pins {
		dependencies, err := s.provider.Dependencies(ctx, candidate)
		if err != nil {
			return false, err
		}
		for _, r := range dependencies {
			pin, ok := result.Pins[s.provider.Identify(r)]
			if !ok || !s.provider.Satisfied(r, pin) {
				return false, nil
			}
		}
	}
	return true, nil
}

func (s *search[R, C]) push() { s.states = append(s.states, s.top().clone()) }

func (s *search[R, C]) run(ctx context.Context, rounds int) error {
	started, cutoff := -1, 0
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.optimistic && s.saved != nil {
			if started < 0 {
				started = round
				cutoff = int(float64(rounds-round) * optimism)
			}
			if round-started >= cutoff {
				s.rollback()
				continue
			}
		}
		done, err := s.round(ctx)
		if done || err != nil {
			return err
		}
	}
	return &TooDeep{Rounds: rounds}
}

// round decides one identifier, or goes back. It says whether all is decided.
func (s *search[R, C]) round(ctx context.Context) (bool, error) {
	open, settled := s.split()
	if len(open) == 0 {
		return true, nil
	}
	name := s.choose(s.top(), open)
	causes, err := s.decide(ctx, name)
	if err != nil {
		return false, err
	}
	if causes != nil {
		return false, s.retreat(ctx, causes)
	}
	// What a candidate required that no longer stands does not count.
	var undone []string
	for _, id := range settled {
		if !s.pinSatisfies(id) {
			undone = append(undone, id)
		}
	}
	s.forget(undone)
	s.push()
	return false, nil
}

// split returns the identifiers that need a decision, and the others, sorted.
func (s *search[R, C]) split() (open, settled []string) {
	for _, id := range slices.Sorted(maps.Keys(s.top().criteria)) {
		if s.pinSatisfies(id) {
			settled = append(settled, id)
		} else {
			open = append(open, id)
		}
	}
	return open, settled
}

func (s *search[R, C]) pinSatisfies(identifier string) bool {
	pin, ok := s.top().pins[identifier]
	if !ok {
		return false
	}
	for _, info := range s.top().criteria[identifier].information {
		if !s.provider.Satisfied(info.Requirement, pin) {
			return false
		}
	}
	return true
}

func (s *search[R, C]) choose(at *state[R, C], open []string) string {
	if len(open) == 1 {
		return open[0]
	}
	view := View[R, C]{at}
	if n, ok := s.provider.(Narrower[R, C]); ok {
		if narrowed := n.Narrow(open, view); len(narrowed) > 0 {
			open = narrowed
		}
	}
	best := open[0]
	if len(open) == 1 {
		return best
	}
	rank := s.provider.Preference(best, view)
	for _, id := range open[1:] {
		r := s.provider.Preference(id, view)
		if c := slices.Compare(r, rank); c < 0 || c == 0 && id < best {
			best, rank = id, r
		}
	}
	return best
}

// require adds a requirement to criteria. The error is a *conflict when
// nothing is left that meets it.
func (s *search[R, C]) require(ctx context.Context, criteria map[string]*criterion[R, C], requirement R, parent C) error {
	id := s.provider.Identify(requirement)
	old := criteria[id]
	next := &criterion[R, C]{}
	if old != nil {
		next.information = slices.Clone(old.information)
		next.incompatible = old.incompatible
	}
	next.information = append(next.information, Information[R, C]{requirement, parent})
	requirements := func(other string) []R {
		if other == id {
			return next.requirements()
		}
		next.asked = append(next.asked, other)
		if c := criteria[other]; c != nil {
			return c.requirements()
		}
		return nil
	}
	var err error
	next.candidates, err = s.provider.Candidates(ctx, id, requirements, next.incompatible)
	if err != nil {
		return err
	}
	if len(next.candidates) == 0 {
		return &conflict[R, C]{next}
	}
	criteria[id] = next
	return nil
}

// decide pins the first candidate of name whose dependencies can join. When
// none can, it returns why: never nil and empty at once.
func (s *search[R, C]) decide(ctx context.Context, name string) ([]Information[R, C], error) {
	own := s.top().criteria[name]
	var causes []Information[R, C]
	blame := func(c *criterion[R, C]) {
		for _, info := range c.information {
			if !slices.Contains(causes, info) {
				causes = append(causes, info)
			}
		}
	}
	for _, candidate := range own.candidates {
		criteria, err := s.withDependencies(ctx, s.top(), candidate)
		if c, ok := errors.AsType[*conflict[R, C]](err); ok {
			blame(c.criterion)
			continue
		}
		if _, ok := errors.AsType[*Unusable](err); ok {
			blame(own)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, info := range own.information {
			if !s.provider.Satisfied(info.Requirement, candidate) {
				return nil, &Inconsistent{Identifier: name}
			}
		}
		s.top().criteria = criteria
		s.top().pin(name, candidate)
		return nil, nil
	}
	if causes == nil {
		causes = []Information[R, C]{}
	}
	return causes, nil
}

func (s *search[R, C]) withDependencies(ctx context.Context, at *state[R, C], candidate C) (map[string]*criterion[R, C], error) {
	dependencies, err := s.provider.Dependencies(ctx, candidate)
	if err != nil {
		return nil, err
	}
	criteria := maps.Clone(at.criteria)
	for _, r := range dependencies {
		if err := s.require(ctx, criteria, r, candidate); err != nil {
			return nil, err
		}
	}
	return criteria, nil
}

// forget removes what candidates of the given identifiers required.
func (s *search[R, C]) forget(parents []string) {
	if len(parents) == 0 {
		return
	}
	for id, c := range s.top().criteria {
		keep := slices.DeleteFunc(slices.Clone(c.information), func(info Information[R, C]) bool {
			return !info.Root() && slices.Contains(parents, s.provider.IdentifyCandidate(info.Parent))
		})
		if len(keep) != len(c.information) {
			s.top().criteria[id] = &criterion[R, C]{c.candidates, keep, c.incompatible, c.asked}
		}
	}
}

// result keeps what the caller's requirements lead to: a pin may be left over
// from a candidate that was given up.
func (top *state[R, C]) result() *Result[R, C] {
	names := make(map[C]string, len(top.pins))
	for id, c := range top.pins {
		names[c] = id
	}
	children := map[string][]string{}
	var todo []string
	for id, c := range top.criteria {
		for _, info := range c.information {
			if info.Root() {
				todo = append(todo, id)
			} else if parent, ok := names[info.Parent]; ok {
				children[parent] = append(children[parent], id)
			}
		}
	}
	out := &Result[R, C]{Pins: map[string]C{}, Information: map[string][]Information[R, C]{}}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, seen := out.Pins[id]; seen {
			continue
		}
		out.Pins[id] = top.pins[id]
		out.Information[id] = top.criteria[id].information
		todo = append(todo, children[id]...)
	}
	return out
}
