//go:build oracle

package solve

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func (g *oracleGoal) firstOfGroup() string {
	if len(g.Group) == 0 {
		return ""
	}
	return g.Group[0].Name
}

// TestOracleGroups holds groups of random small repositories against dnf: names
// that are not there, packages that go with another one, several architectures.
func TestOracleGroups(t *testing.T) {
	for round := range 6 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(31, uint64(round)))
			var packages []small
			var goals []oracleGoal
			for w := range 400 {
				prefix := fmt.Sprintf("w%03d", w)
				shape := randomShape(r)
				in := world(randomPackages(r, shape), prefix)
				packages = append(packages, in...)
				for range 8 {
					g := oracleGoal{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0, Group: drawGroup(r, shape, prefix)}
					if r.IntN(2) == 0 {
						g.Requests = append(g.Requests, in[r.IntN(len(in))].name)
					}
					goals = append(goals, g)
				}
			}
			sources := []source{{id: "main", folder: writeRepo(t, packages), priority: 99, cost: 1000}}
			s := NewSolver(loadPool(t, sources))
			compareWorlds(t, s, packages, goals, askOracle(t, sources, goals))
		})
	}
}

// drawGroup makes up a group of the packages of one world.
func drawGroup(r *rand.Rand, s shape, prefix string) []groupPackage {
	var out []groupPackage
	for _, n := range r.Perm(s.names + 1)[:1+r.IntN(s.names)] {
		p := groupPackage{Name: prefix + string(rune('a'+n)), BaseArch: r.IntN(8) == 0}
		switch r.IntN(3) {
		case 0:
			p.With = prefix + s.capability(r)
		case 1:
			if r.IntN(3) == 0 {
				p.With = prefix + s.plain(r)
			}
		}
		out = append(out, p)
	}
	return out
}
