//go:build oracle

package solve

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestOracleFilters holds excludepkgs and includepkgs of each of two repositories,
// globs among them, against dnf; the repositories share packages, and differ in
// priority or cost in some rounds.
func TestOracleFilters(t *testing.T) {
	for round := range 6 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(77, uint64(round)))
			packages, goals, _ := drawWorlds(r, false, false)
			sources := spread(t, r, packages, []source{
				{id: "main", priority: 99, cost: 1000}, {id: "more", priority: []int{99, 50, 99}[round%3], cost: []int{1000, 1000, 500}[round%3]},
			})
			args := make([]source, len(sources))
			for i := range sources {
				sources[i].exclude = drawPatterns(r, packages, 6)
				if r.IntN(2) == 0 {
					sources[i].include = append(drawPatterns(r, packages, 40), "w*[a-f]", "w??[02468]*")
				}
				args[i] = sources[i]
				args[i].folder += ",excludepkgs=" + strings.Join(sources[i].exclude, "|")
				if len(sources[i].include) > 0 {
					args[i].folder += ",includepkgs=" + strings.Join(sources[i].include, "|")
				}
			}
			s := NewSolver(loadPool(t, sources))
			compareWorlds(t, s, packages, goals, askOracle(t, args, goals))
		})
	}
}

// drawPatterns makes up patterns in every form that a package may be called by.
func drawPatterns(r *rand.Rand, packages []small, percent int) []string {
	out := []string{"w??5a", "w?1[0-9]b-2*", "*c.i686", "w0?[!3]d"}
	for _, p := range packages {
		if r.IntN(100) >= percent {
			continue
		}
		version, _, _ := strings.Cut(p.evr, "-")
		out = append(out, []string{
			p.name, p.name + "." + p.arch, p.name + "-" + version, p.name + "-" + p.evr, p.name + "-" + p.evr + "." + p.arch,
			p.name + "-0:" + p.evr, p.name + "-0:" + p.evr + "." + p.arch, p.name + "-*." + p.arch, p.name + "-[12]-*", p.name[:4] + "*.noarch",
		}[r.IntN(10)])
	}
	return out
}
