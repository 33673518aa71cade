package backtrack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// need allows versions low..high of a name.
type need struct {
	name      string
	low, high int
}

type pkg struct {
	name     string
	version  int
	needs    []*need
	unusable bool
}

// world is a provider over a handful of made-up packages, newest first.
type world struct {
	packages map[string][]*pkg
	asked    int
}

func (w *world) Identify(n *need) string         { return n.name }
func (w *world) IdentifyCandidate(p *pkg) string { return p.name }
func (w *world) Satisfied(n *need, p *pkg) bool  { return n.low <= p.version && p.version <= n.high }
func (w *world) Dependencies(_ context.Context, p *pkg) ([]*need, error) {
	if p.unusable {
		return nil, &Unusable{fmt.Errorf("%s %d is broken", p.name, p.version)}
	}
	return p.needs, nil
}
func (w *world) Preference(string, View[*need, *pkg]) []int { return nil }
func (w *world) Candidates(_ context.Context, id string, needs func(string) []*need, incompatible []*pkg) ([]*pkg, error) {
	w.asked++
	var out []*pkg
next:
	for _, p := range w.packages[id] {
		for _, n := range needs(id) {
			if !w.Satisfied(n, p) {
				continue next
			}
		}
		if !slices.Contains(incompatible, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// parse reads lines "name version: name low high, name low high".
func parse(text string) *world {
	w := &world{packages: map[string][]*pkg{}}
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		p := &pkg{}
		fmt.Sscan(head, &p.name, &p.version)
		if strings.TrimSpace(tail) == "broken" {
			p.unusable, tail = true, ""
		}
		p.needs = parseNeeds(tail)
		w.packages[p.name] = append(w.packages[p.name], p)
	}
	for _, ps := range w.packages {
		slices.SortFunc(ps, func(a, b *pkg) int { return b.version - a.version })
	}
	return w
}

func parseNeeds(text string) (out []*need) {
	for part := range strings.SplitSeq(text, ",") {
		n := &need{}
		if _, err := fmt.Sscan(part, &n.name, &n.low, &n.high); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func render(r *Result[*need, *pkg]) string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(r.Pins)) {
		out = append(out, fmt.Sprintf("%s=%d", id, r.Pins[id].version))
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	tests := []struct{ name, world, want, pins string }{
		{"newest", "a 1:\na 2:", "a 0 9", "a=2"},
		{"follows dependencies", "a 2: b 0 9\nb 1:\nb 3: c 0 9\nc 7:", "a 0 9", "a=2 b=3 c=7"},
		{"goes back to an older candidate", "a 2: b 2 2\na 1: b 1 1\nb 1:\nb 2:\nc 1: b 1 1", "a 0 9, c 0 9", "a=1 b=1 c=1"},
		{"drops what a candidate that was given up wanted", "a 2: x 1 1, b 5 5\na 1:\nb 5: z 1 1\nx 1:\nz 1: a 1 1", "a 0 9", "a=1"},
		{"passes over a broken candidate", "a 3: broken\na 2:", "a 0 9", "a=2"},
		{"goes back when all are broken", "a 2: b 0 9\na 1:\nb 1: broken", "a 0 9", "a=1"},
		{"cycle", "a 1: b 0 9\nb 1: a 0 9", "a 0 9", "a=1 b=1"},
		{"same name asked twice", "a 1:\na 2:\na 3:", "a 0 2, a 2 9", "a=2"},
		{"nothing asked", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(t.Context(), parse(tt.world), parseNeeds(tt.want), DefaultRounds)
			if err != nil {
				t.Fatal(err)
			}
			if render(got) != tt.pins {
				t.Errorf("got %q, want %q", render(got), tt.pins)
			}
		})
	}
}

func TestImpossibleNamesItsCauses(t *testing.T) {
	w := parse("a 1: c 1 1\nb 1: c 2 2\nc 1:\nc 2:")
	_, err := Resolve(t.Context(), w, parseNeeds("a 0 9, b 0 9"), DefaultRounds)
	impossible, ok := errors.AsType[*Impossible[*need, *pkg]](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var causes []string
	for _, c := range impossible.Causes {
		parent := "root"
		if !c.Root() {
			parent = c.Parent.name
		}
		causes = append(causes, fmt.Sprintf("%s wants %s %d..%d", parent, c.Requirement.name, c.Requirement.low, c.Requirement.high))
	}
	if got := strings.Join(causes, "; "); got != "a wants c 1..1; b wants c 2..2" {
		t.Errorf("causes: %s", got)
	}
}

func TestImpossibleAtTheRoot(t *testing.T) {
	_, err := Resolve(t.Context(), parse("a 1:"), parseNeeds("a 0 9, a 2 2"), DefaultRounds)
	impossible, ok := errors.AsType[*Impossible[*need, *pkg]](err)
	if !ok || len(impossible.Causes) != 2 {
		t.Fatalf("got %v", err)
	}
}

func TestTooDeepAndCancel(t *testing.T) {
	w := parse("a 1: b 0 9\nb 1: c 0 9\nc 1:")
	_, err := Resolve(t.Context(), w, parseNeeds("a 0 9"), 2)
	if _, ok := errors.AsType[*TooDeep](err); !ok {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Resolve(ctx, w, parseNeeds("a 0 9"), 20); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAgainstBruteForce compares many small random worlds with a search over
// every combination: a solution is found exactly when there is one, and it
// holds and is closed.
func TestAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	solved := 0
	for range 6000 {
		w, roots := randomWorld(rng)
		want := solvable(w, roots, map[string]*pkg{})
		got, err := Resolve(t.Context(), w, roots, 20_000)
		if (err == nil) != want {
			t.Fatalf("solvable %v, got %v\n%s", want, err, dump(w, roots))
		}
		if err == nil {
			solved++
			check(t, w, roots, got)
		}
	}
	if solved < 1000 || solved > 5500 {
		t.Errorf("%d of 6000 worlds have a solution: the test does not test", solved)
	}
}

func randomWorld(rng *rand.Rand) (*world, []*need) {
	names := []string{"a", "b", "c", "d", "e"}
	random := func() *need {
		low := 1 + rng.IntN(4)
		return &need{names[rng.IntN(len(names))], low, low + rng.IntN(2)}
	}
	w := &world{packages: map[string][]*pkg{}}
	for _, name := range names {
		for v := 4; v >= 1; v-- {
			p := &pkg{name: name, version: v}
			for range rng.IntN(4) {
				if n := random(); n.name != name {
					p.needs = append(p.needs, n)
				}
			}
			w.packages[name] = append(w.packages[name], p)
		}
	}
	var roots []*need
	for range 1 + rng.IntN(3) {
		roots = append(roots, random())
	}
	return w, roots
}

// solvable tries every choice for the first open need.
func solvable(w *world, open []*need, chosen map[string]*pkg) bool {
	if len(open) == 0 {
		return true
	}
	n := open[0]
	if p := chosen[n.name]; p != nil {
		return w.Satisfied(n, p) && solvable(w, open[1:], chosen)
	}
	for _, p := range w.packages[n.name] {
		if !w.Satisfied(n, p) {
			continue
		}
		chosen[n.name] = p
		if solvable(w, append(slices.Clone(open[1:]), p.needs...), chosen) {
			return true
		}
		delete(chosen, n.name)
	}
	return false
}

func check(t *testing.T, w *world, roots []*need, got *Result[*need, *pkg]) {
	t.Helper()
	reached := map[string]bool{}
	var visit func(n *need)
	visit = func(n *need) {
		p := got.Pins[n.name]
		if p == nil || !w.Satisfied(n, p) {
			t.Fatalf("%s %d..%d is not met\n%s", n.name, n.low, n.high, dump(w, roots))
		}
		if !reached[n.name] {
			reached[n.name] = true
			for _, d := range p.needs {
				visit(d)
			}
		}
	}
	for _, n := range roots {
		visit(n)
	}
	if len(reached) != len(got.Pins) {
		t.Fatalf("%d pins, %d needed\n%s", len(got.Pins), len(reached), dump(w, roots))
	}
}

func dump(w *world, roots []*need) string {
	var b strings.Builder
	write := func(needs []*need) {
		for _, n := range needs {
			fmt.Fprintf(&b, " %s %d %d,", n.name, n.low, n.high)
		}
		b.WriteByte('\n')
	}
	b.WriteString("roots:")
	write(roots)
	for _, name := range slices.Sorted(maps.Keys(w.packages)) {
		for _, p := range w.packages[name] {
			fmt.Fprintf(&b, "%s %d:", p.name, p.version)
			write(p.needs)
		}
	}
	return b.String()
}
