package solve

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// shape says what random packages are made of.
type shape struct {
	names, builds int // builds: at most so many of a name
	deps          int // in each list at most
	rich, weak    bool
	arches        []string
}

func randomShape(r *rand.Rand) shape {
	s := shape{names: 3 + r.IntN(8), builds: 1 + r.IntN(3), deps: 1 + r.IntN(3), rich: r.IntN(2) == 0, weak: r.IntN(2) == 0}
	s.arches = []string{"noarch"}
	if r.IntN(2) == 0 {
		s.arches = []string{"x86_64", "x86_64", "i686", "noarch"}
	}
	return s
}

// randomPackages makes up a repository.
func randomPackages(r *rand.Rand, s shape) []small {
	var out []small
	seen := map[string]bool{}
	for n := range s.names {
		for range 1 + r.IntN(s.builds) {
			p := small{
				name: string(rune('a' + n)),
				evr:  fmt.Sprintf("%d-%d", 1+r.IntN(3), 1+r.IntN(2)),
				arch: s.arches[r.IntN(len(s.arches))],
				deps: map[string][]string{},
			}
			if key := p.name + p.evr + p.arch; seen[key] {
				continue
			} else {
				seen[key] = true
			}
			fill := func(kind string, chance int, dep func() string) {
				for r.IntN(10) < chance && len(p.deps[kind]) < s.deps {
					p.deps[kind] = append(p.deps[kind], dep())
				}
			}
			any := func() string { return s.dep(r) }
			plain := func() string { return s.plain(r) }
			fill("provides", 3, func() string { return s.provide(r) })
			fill("requires", 6, any)
			fill("conflicts", 2, any)
			fill("obsoletes", 1, plain)
			if s.weak {
				fill("recommends", 3, any)
				fill("suggests", 2, any)
				fill("supplements", 2, any)
				fill("enhances", 1, any)
			}
			out = append(out, p)
		}
	}
	return out
}

// capability is the name of a package, or one that packages share.
func (s shape) capability(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return string(rune('x' + r.IntN(3)))
	}
	return string(rune('a' + r.IntN(s.names)))
}

func (s shape) provide(r *rand.Rand) string {
	name := string(rune('x' + r.IntN(3)))
	if r.IntN(2) == 0 {
		return name
	}
	return fmt.Sprintf("%s = %d", name, 1+r.IntN(3))
}

func (s shape) plain(r *rand.Rand) string {
	name := s.capability(r)
	if r.IntN(3) > 0 {
		return name
	}
	op := []string{"=", "<", "<=", ">", ">="}[r.IntN(5)]
	if r.IntN(3) == 0 {
		return fmt.Sprintf("%s %s %d-%d", name, op, 1+r.IntN(3), 1+r.IntN(2))
	}
	return fmt.Sprintf("%s %s %d", name, op, 1+r.IntN(3))
}

func (s shape) dep(r *rand.Rand) string {
	if !s.rich || r.IntN(2) == 0 {
		return s.plain(r)
	}
	return s.richDep(r, 0)
}

// richDep makes up a rich dependency, nested up to three deep.
func (s shape) richDep(r *rand.Rand, depth int) string {
	operand := func() string {
		if depth < 2 && r.IntN(4) == 0 {
			return s.richDep(r, depth+1)
		}
		return s.plain(r)
	}
	switch op := r.IntN(7); op {
	case 0, 1:
		word := []string{" and ", " or "}[op]
		parts := []string{operand(), operand()}
		if r.IntN(4) == 0 {
			parts = append(parts, operand())
		}
		return "(" + strings.Join(parts, word) + ")"
	case 2, 3:
		return "(" + s.plain(r) + []string{" with ", " without "}[op-2] + s.plain(r) + ")"
	case 4:
		return "(" + operand() + " if " + operand() + " else " + operand() + ")"
	case 5:
		return "(" + operand() + " unless " + operand() + ")"
	default:
		return "(" + operand() + " if " + operand() + ")"
	}
}
