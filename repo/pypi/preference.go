package pypi

import (
	"math"
	"slices"
)

// promotion is how many conflicts an open identifier takes part in before it
// is decided ahead of the others, as in pip 26.
const promotion = 5

// Narrow lets the interpreter be decided first, then what the last conflict was
// about, then what is in conflicts again and again.
func (s *session) Narrow(open []string, v view) []string {
	involved := map[string]bool{}
	for _, cause := range v.Causes() {
		ids := []string{cause.Requirement.id}
		if !cause.Root() {
			ids = append(ids, cause.Parent.id)
		}
		for _, id := range ids {
			involved[id] = true
			if _, pinned := v.Pinned(id); !pinned {
				if s.conflicts[id]++; s.conflicts[id] >= promotion {
					s.promoted[id] = true
				}
			}
		}
	}
	if slices.Contains(open, pythonID) {
		return []string{pythonID}
	}
	for _, first := range []map[string]bool{involved, s.promoted} {
		narrowed := slices.DeleteFunc(slices.Clone(open), func(id string) bool { return !first[id] })
		if len(narrowed) > 0 {
			return narrowed
		}
	}
	return open
}

// Preference ranks an identifier: those first that leave the least choice.
func (s *session) Preference(id string, v view) []int {
	var exact, pinned, bounded, limited bool
	for _, info := range v.Information(id) {
		w := info.Requirement
		exact = exact || w.exact != nil
		pinned = pinned || w.specifiers.Pinned()
		bounded = bounded || w.specifiers.Bounded()
		limited = limited || len(w.specifiers) > 0
	}
	order, asked := s.order[id]
	if !asked {
		order = math.MaxInt
	}
	return []int{last(!s.promoted[id]), last(!exact), last(!pinned), last(!bounded), order, last(!limited)}
}

func last(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
