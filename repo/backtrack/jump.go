package backtrack

import (
	"context"
	"maps"
	"slices"
)

// retreat goes back to a state from which the search can go on, and notes why.
// The error is *Impossible when there is none.
func (s *search[R, C]) retreat(ctx context.Context, causes []Information[R, C]) error {
	ok, err := s.jump(ctx, causes)
	if err != nil {
		return err
	}
	if !ok && s.optimistic && s.saved != nil {
		s.rollback()
		return nil
	}
	if !ok {
		return &Impossible[R, C]{Causes: causes}
	}
	s.top().causes = causes
	return nil
}

// rollback gives up optimistic jumps and goes on from where they began.
func (s *search[R, C]) rollback() {
	s.optimistic = false
	s.states, s.saved = s.saved, nil
}

func (s *search[R, C]) save() {
	s.saved = make([]*state[R, C], len(s.states))
	for i, st := range s.states {
		s.saved[i] = st.clone()
	}
}

// jump drops the state in which nothing could be pinned, and with it decisions
// until one that has to do with the causes; that decision is taken back and its
// candidate excluded. It says whether anything is left to try.
func (s *search[R, C]) jump(ctx context.Context, causes []Information[R, C]) (bool, error) {
	involved := map[string]bool{}
	for _, c := range causes {
		involved[s.provider.Identify(c.Requirement)] = true
		if !c.Root() {
			involved[s.provider.IdentifyCandidate(c.Parent)] = true
		}
	}
	for len(s.states) >= 3 {
		s.states = s.states[:len(s.states)-1]
		broken, name, candidate, ok, err := s.culprit(ctx, involved)
		if !ok || err != nil {
			return false, err
		}
		s.push()
		ok, err = s.exclude(ctx, broken, name, candidate)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// culprit pops states until one whose last decision may have caused the
// conflict: its candidate depends on something involved.
func (s *search[R, C]) culprit(ctx context.Context, involved map[string]bool) (broken *state[R, C], name string, candidate C, ok bool, err error) {
	for {
		if len(s.states) == 0 {
			return nil, "", candidate, false, nil
		}
		// The popped state loses its last pin, so a saved copy is taken before.
		broken = s.top()
		if len(broken.order) == 0 {
			return nil, "", candidate, false, nil
		}
		name = broken.order[len(broken.order)-1]
		saveAfter := s.optimistic && s.saved == nil && !involved[name]
		s.states = s.states[:len(s.states)-1]
		if saveAfter && len(s.states) > 0 {
			s.save()
		}
		_, candidate, _ = broken.popPin()
		if !s.optimistic && !involved[name] {
			return broken, name, candidate, true, nil
		}
		dependencies, err := s.provider.Dependencies(ctx, candidate)
		if err != nil {
			return nil, "", candidate, false, err
		}
		related := slices.ContainsFunc(dependencies, func(r R) bool { return involved[s.provider.Identify(r)] })
		if related || len(broken.pins) == 0 {
			return broken, name, candidate, true, nil
		}
		if len(s.states) <= 1 {
			return nil, "", candidate, false, nil
		}
	}
}

// exclude marks candidate, and what the broken state had excluded, as
// incompatible in the current state. It says whether every identifier still
// has a candidate.
func (s *search[R, C]) exclude(ctx context.Context, broken *state[R, C], name string, candidate C) (bool, error) {
	for _, id := range slices.Sorted(maps.Keys(broken.criteria)) {
		if ok, err := s.excludeOf(ctx, id, broken.criteria[id].incompatible); !ok || err != nil {
			return false, err
		}
	}
	return s.excludeOf(ctx, name, []C{candidate})
}

func (s *search[R, C]) excludeOf(ctx context.Context, identifier string, incompatible []C) (bool, error) {
	criteria := s.top().criteria
	old := criteria[identifier]
	if len(incompatible) == 0 || old == nil {
		return true, nil
	}
	next := &criterion[R, C]{information: old.information, incompatible: slices.Clone(old.incompatible), asked: old.asked}
	for _, c := range incompatible {
		if !slices.Contains(next.incompatible, c) {
			next.incompatible = append(next.incompatible, c)
		}
	}
	requirements := func(id string) []R {
		if c := criteria[id]; c != nil {
			return c.requirements()
		}
		return nil
	}
	var err error
	next.candidates, err = s.provider.Candidates(ctx, identifier, requirements, next.incompatible)
	if err != nil || len(next.candidates) == 0 {
		return false, err
	}
	criteria[identifier] = next
	return true, nil
}
