package backtrack

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// blame is a set of identifiers: as long as all of them keep their pins, what
// failed fails again.
type blame map[string]bool

// errBudget ends an exhaustive search that takes too long.
var errBudget = errors.New("search budget spent")

// exhaust searches again from start, depth first, going back only over
// decisions that are shown to have no part in a failure (conflict-directed
// backjumping), so it finds a solution whenever there is one. It returns found
// when there is none; its causes are the better explanation.
func (s *search[R, C]) exhaust(ctx context.Context, start *state[R, C], found *Impossible[R, C], budget int) (*Result[R, C], error) {
	solution, _, err := s.descend(ctx, start, &budget)
	switch {
	case errors.Is(err, errBudget):
		return nil, found
	case err != nil:
		return nil, err
	case solution == nil:
		found.Proven = true
		return nil, found
	}
	return solution.result(), nil
}

// descend decides everything that is open at a state. Without a solution it
// returns who is to blame.
func (s *search[R, C]) descend(ctx context.Context, at *state[R, C], budget *int) (*state[R, C], blame, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var open []string
	for _, id := range slices.Sorted(maps.Keys(at.criteria)) {
		if _, pinned := at.pins[id]; !pinned {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return at, nil, nil
	}
	name := s.choose(at, open)
	guilty := s.explain(at.criteria[name], at.criteria)
	for _, candidate := range at.criteria[name].candidates {
		if *budget--; *budget < 0 {
			return nil, nil, errBudget
		}
		next, why, err := s.extend(ctx, at, name, candidate)
		if err != nil {
			return nil, nil, err
		}
		if next != nil {
			var solution *state[R, C]
			solution, why, err = s.descend(ctx, next, budget)
			if solution != nil || err != nil {
				return solution, nil, err
			}
			if !why[name] {
				return nil, why, nil
			}
		}
		maps.Copy(guilty, why)
	}
	delete(guilty, name)
	return nil, guilty, nil
}

// extend pins a candidate and adds its dependencies. The state is nil when that
// cannot be, with who is to blame.
func (s *search[R, C]) extend(ctx context.Context, at *state[R, C], name string, candidate C) (*state[R, C], blame, error) {
	criteria, err := s.withDependencies(ctx, at, candidate)
	if c, ok := errors.AsType[*conflict[R, C]](err); ok {
		return nil, s.explain(c.criterion, at.criteria), nil
	}
	if _, ok := errors.AsType[*Unusable](err); ok {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	next := at.clone()
	next.criteria = criteria
	next.pin(name, candidate)
	for id, pin := range next.pins {
		for _, info := range criteria[id].information {
			if !s.provider.Satisfied(info.Requirement, pin) {
				why := s.explain(criteria[id], criteria)
				why[id] = true
				return nil, why, nil
			}
		}
	}
	return next, nil, nil
}

// explain returns whose requirements left a criterion with the candidates that
// it has.
func (s *search[R, C]) explain(c *criterion[R, C], criteria map[string]*criterion[R, C]) blame {
	out := blame{}
	add := func(c *criterion[R, C]) {
		for _, info := range c.information {
			if !info.Root() {
				out[s.provider.IdentifyCandidate(info.Parent)] = true
			}
		}
	}
	add(c)
	for _, id := range c.asked {
		if other := criteria[id]; other != nil {
			add(other)
		}
	}
	return out
}
