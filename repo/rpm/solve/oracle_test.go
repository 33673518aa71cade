//go:build oracle

package solve

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// The oracle is dnf itself: scripts/oracle/dnf_goals.py.

// oracleGoal is a line of the oracle's input.
type oracleGoal struct {
	Requests []string       `json:"requests"`
	Weak     bool           `json:"weak"`
	Best     bool           `json:"best"`
	Group    []groupPackage `json:"group,omitempty"`
}

// groupPackage is a package of a group that is asked for besides.
type groupPackage struct {
	Name     string `json:"name"`
	With     string `json:"with,omitempty"`
	BaseArch bool   `json:"base_arch,omitempty"`
}

// job is a goal as it is asked here.
func (g *oracleGoal) job() Job {
	j := Job{Requests: g.Requests, Weak: g.Weak, Best: g.Best}
	if len(g.Group) > 0 {
		j.Groups = []Group{{Request: "@group"}}
	}
	for _, p := range g.Group {
		want := GroupPackage{Name: p.Name, With: p.With}
		if p.BaseArch {
			want.Arch = "x86_64"
		}
		j.Groups[0].Packages = append(j.Groups[0].Packages, want)
	}
	return j
}

// oracleAnswer is a line of its output.
type oracleAnswer struct {
	Packages []string `json:"packages"`
	Gone     []string `json:"gone"`
	Error    string   `json:"error"`
}

// askOracle answers goals with dnf. Answers are kept in the temporary folder,
// by the digest of the question.
func askOracle(t *testing.T, sources []source, goals []oracleGoal, more ...string) []oracleAnswer {
	t.Helper()
	script, err := filepath.Abs("../../../scripts/oracle/dnf_goals.py")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{script}, more...)
	for _, s := range sources {
		args = append(args, "--repo", fmt.Sprintf("%s=%s,priority=%d,cost=%d", s.id, s.folder, s.priority, s.cost))
	}
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	for _, g := range goals {
		if err := enc.Encode(g); err != nil {
			t.Fatal(err)
		}
	}
	digest := sha256.New()
	fmt.Fprintf(digest, "%s\n%q\n%s", text, args, input.Bytes())
	kept := filepath.Join(os.TempDir(), "pgbundle-oracle", hex.EncodeToString(digest.Sum(nil)[:12]))
	out, err := os.ReadFile(kept)
	if err != nil {
		cmd := exec.Command("/usr/bin/python3", append(args, "--state", t.TempDir())...)
		cmd.Stdin = &input
		cmd.Stderr = os.Stderr
		if out, err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(kept, out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var answers []oracleAnswer
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var a oracleAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(goals) {
		t.Fatalf("the oracle answered %d of %d goals", len(answers), len(goals))
	}
	return answers
}

// compareWithOracle solves goals on two goroutines and compares every answer.
func compareWithOracle(t *testing.T, s *Solver, goals []oracleGoal, answers []oracleAnswer) {
	t.Helper()
	var next, refused, different atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(goals); i = next.Add(1) - 1 {
				g, want := goals[i], answers[i]
				r, err := s.Solve(t.Context(), g.job())
				if want.Error != "" {
					refused.Add(1)
				}
				if diff := difference(s, r, err, want); diff != "" && different.Add(1) <= 20 {
					t.Errorf("%+v: %s", g, diff)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d goals, %d of them refused by dnf, %d different", len(goals), refused.Load(), different.Load())
}

func difference(s *Solver, r *Result, err error, want oracleAnswer) string {
	switch {
	case err != nil && !errors.Is(err, manifest.ErrUnsolvable):
		return err.Error()
	case err != nil && want.Error == "":
		return fmt.Sprintf("refused, dnf takes %d packages: %v", len(want.Packages), err)
	case err == nil && want.Error != "":
		return fmt.Sprintf("%d packages, dnf refuses: %s", len(r.Packages), want.Error)
	case err != nil:
		return ""
	}
	var ours []string
	for _, id := range r.Packages {
		ours = append(ours, s.pool.NEVRA(id)+"@"+s.pool.Repo(s.pool.Package(id).Repo).ID)
	}
	var gone []string
	for _, g := range r.Gone {
		gone = append(gone, s.pool.NEVRA(g.Package))
	}
	slices.Sort(ours)
	slices.Sort(gone)
	if slices.Equal(ours, want.Packages) && slices.Equal(gone, want.Gone) {
		return ""
	}
	return fmt.Sprintf("only here: %v; only dnf: %v; gone only here: %v; only with dnf: %v",
		without(ours, want.Packages), without(want.Packages, ours), without(gone, want.Gone), without(want.Gone, gone))
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// newest returns the NEVRA of the newest visible build of a name.
func newest(s *Solver, name string) string {
	best := rpm.ID(0)
	for _, id := range s.pool.ByName(s.pool.Lookup(name)) {
		in := &s.info[id]
		if !in.installable || in.class() > 1 {
			continue
		}
		if best == 0 || s.pool.CompareEVR(s.info[best].evr, in.evr) < 0 {
			best = id
		}
	}
	return s.pool.NEVRA(best)
}

// TestOracleNames asks for every name of EL 9 alone, by name and by the newest
// build, with and without weak dependencies.
func TestOracleNames(t *testing.T) {
	sources := el9Sources(t)
	s := el9Solver(t)
	all := names(s)
	for _, test := range []struct {
		name    string
		request func(string) string
	}{
		{"name", func(n string) string { return n }},
		{"newest", func(n string) string { return newest(s, n) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var goals []oracleGoal
			for _, n := range all {
				for _, weak := range []bool{false, true} {
					goals = append(goals, oracleGoal{Requests: []string{test.request(n)}, Weak: weak, Best: true})
				}
			}
			compareWithOracle(t, s, goals, askOracle(t, sources, goals))
		})
	}
}

// drawGoals draws joint requests: old builds and builds for i686 among them, by
// name and by exact build.
func drawGoals(s *Solver, r *rand.Rand, count int) []oracleGoal {
	all := names(s)
	var builds []rpm.ID
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if s.info[id].installable {
			builds = append(builds, id)
		}
	}
	pick := func(kind int) string {
		switch kind {
		case 0:
			return all[r.IntN(len(all))]
		case 1:
			return newest(s, all[r.IntN(len(all))])
		case 2:
			return s.pool.NEVRA(builds[r.IntN(len(builds))])
		}
		id := builds[r.IntN(len(builds))]
		return s.pool.String(s.info[id].name) + "." + s.pool.String(s.info[id].arch)
	}
	sizes := []int{1, 1, 2, 2, 3, 5, 8, 12, 20, 40}
	var goals []oracleGoal
	for range count {
		kind, mixed := r.IntN(4), r.IntN(3) == 0
		g := oracleGoal{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0}
		for range sizes[r.IntN(len(sizes))] {
			if mixed {
				kind = r.IntN(4)
			}
			g.Requests = append(g.Requests, pick(kind))
		}
		goals = append(goals, g)
	}
	return goals
}

// TestOracleRandom asks for random joint requests; with repository priorities
// and costs too.
func TestOracleRandom(t *testing.T) {
	plain := el9Sources(t)
	with := func(change func([]source)) []source {
		out := slices.Clone(plain)
		change(out)
		return out
	}
	for _, test := range []struct {
		name    string
		sources []source
		count   int
	}{
		{"plain", plain, 5000},
		{"appstream preferred", with(func(s []source) { s[1].priority = 10 }), 2000},
		{"baseos preferred", with(func(s []source) { s[0].priority = 10 }), 1000},
		{"appstream cheap", with(func(s []source) { s[1].cost = 10 }), 1000},
		{"other order", []source{plain[1], plain[0]}, 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewSolver(loadPool(t, test.sources))
			goals := drawGoals(s, rand.New(rand.NewPCG(9, uint64(len(test.name)))), test.count)
			compareWithOracle(t, s, goals, askOracle(t, test.sources, goals))
		})
	}
}

// solvable keeps the names that can be installed, so that joint goals are not
// all refused.
func solvable(t *testing.T, s *Solver) []string {
	var out []string
	for _, n := range names(s) {
		if _, err := s.Solve(t.Context(), Job{Requests: []string{n}, Best: true}); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// TestOracleJoint asks for many packages together that can each be installed
// alone: what exercises conflicts and second thoughts.
func TestOracleJoint(t *testing.T) {
	sources := el9Sources(t)
	s := el9Solver(t)
	all := solvable(t, s)
	r := rand.New(rand.NewPCG(9, 40))
	var goals []oracleGoal
	for range 3000 {
		g := oracleGoal{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0}
		for range []int{3, 7, 12, 40}[r.IntN(4)] {
			n := all[r.IntN(len(all))]
			if r.IntN(2) == 0 {
				n = newest(s, n)
			}
			g.Requests = append(g.Requests, n)
		}
		goals = append(goals, g)
	}
	compareWithOracle(t, s, goals, askOracle(t, sources, goals))
}

// TestOracleForms asks in all the forms that a request may have.
func TestOracleForms(t *testing.T) {
	sources := el9Sources(t)
	s := el9Solver(t)
	requests := strings.Fields(`
		bash bash.x86_64 glibc.i686 glibc* glibc-langpack-d? python3.1[12] bash-5.1.8 bash-5.1.8-2.el9
		bash-0:5.1.8-2.el9.x86_64 ansible-core-1:2.14* nosuchpackage nosuchpackage* glibc.* openssl-libs.*
		/usr/bin/perl /usr/sbin/httpd /usr/bin/nosuch /etc/passwd perl(Carp) libssl.so.3()(64bit) libc.so.6
		webserver config(bash) *-devel-nosuch bash.aarch64 bash.src java-headless mysql* httpd-* python3-p*`)
	requests = append(requests, "perl(Carp) >= 1", "perl(Carp) > 99", "bash = 5.1.8-2.el9", "python3-dnf >= 4", "a  b", "glibc <= 2.34", "font(:lang=en)", "glibc=2.34", "glibc>=2.34")
	var goals []oracleGoal
	for _, q := range requests {
		for i := range 4 {
			goals = append(goals, oracleGoal{Requests: []string{q}, Weak: i&1 != 0, Best: i&2 != 0})
		}
	}
	compareWithOracle(t, s, goals, askOracle(t, sources, goals))
}

// dnfCauses are the forms of libdnf's problem texts that a chain can end with:
// the cause itself, and not a step on the way to it.
var dnfCauses = regexp.MustCompile(strings.Join([]string{
	`nothing provides (.+?) needed by `,
	`package \S+ conflicts with (.+?) provided by `,
	`package \S+ obsoletes (.+?) provided by `,
	`cannot install both (\S+) and `,
	`package (\S+) is filtered out by `,
	`package (\S+) does not have a compatible architecture`,
	`(\S+) has inferior architecture`,
	`package \S+ requires (\(.+\)), but none of the providers can be installed`,
}, "|"))

// causes returns what dnf names as the end of its chain: a capability, or a
// package that may not be taken.
func (a oracleAnswer) causes() []string {
	var out []string
	for part := range strings.SplitSeq(strings.ReplaceAll(a.Error, "; ", " / "), " / ") {
		if m := dnfCauses.FindStringSubmatch(part); m != nil {
			out = append(out, strings.Join(m[1:], ""))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestOracleReasons holds the chain of every name that dnf refuses to dnf's own
// problem text. The text here must name a cause that dnf names; and the values
// behind it, which are not cut, all that dnf names, but for the versions: builds
// that fail alike are told of once.
func TestOracleReasons(t *testing.T) {
	sources := el9Sources(t)
	s := el9Solver(t)
	var goals []oracleGoal
	for _, n := range names(s) {
		goals = append(goals, oracleGoal{Requests: []string{newest(s, n)}, Best: true})
	}
	answers := askOracle(t, sources, goals)
	refused, other, fewer := 0, 0, 0
	for i, a := range answers {
		if a.Error == "" {
			continue
		}
		refused++
		_, err := s.Solve(t.Context(), Job{Requests: goals[i].Requests, Best: true})
		causes := a.causes()
		if err == nil || !slices.ContainsFunc(causes, func(c string) bool { return strings.Contains(err.Error(), c) }) {
			if other++; other <= 20 {
				t.Errorf("%v: dnf names %q:\n%s\nhere:\n%v", goals[i].Requests, causes, a.Error, err)
			}
		} else if left := without(unversioned(causes), unversioned(ends(err))); len(left) > 0 {
			if fewer++; fewer <= 20 {
				t.Errorf("%v: the chain lacks %q:\n%s\nhere:\n%v", goals[i].Requests, left, a.Error, err)
			}
		}
	}
	t.Logf("%d names, %d of them refused by dnf; %d where no cause agrees, %d where one lacks", len(goals), refused, other, fewer)
}

// TestOracleHidden asks for the names whose every build is in a module stream that
// is not enabled: dnf says so, and here each build's stream is named.
func TestOracleHidden(t *testing.T) {
	s := el9Solver(t)
	seen := names(s)
	var goals []oracleGoal
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if name := s.pool.String(s.info[id].name); s.pool.Package(id).Hidden && !slices.Contains(seen, name) {
			seen = append(seen, name)
			goals = append(goals, oracleGoal{Requests: []string{name}, Best: true})
		}
	}
	for i, a := range askOracle(t, el9Sources(t), goals) {
		_, err := s.Solve(t.Context(), Job{Requests: goals[i].Requests, Best: true})
		if !strings.Contains(a.Error, "filtered out by modular filtering") || !errors.Is(err, manifest.ErrUnsolvable) ||
			!strings.Contains(err.Error(), "filtered out: the module stream ") {
			t.Errorf("%v: dnf says %q, here:\n%v", goals[i].Requests, a.Error, err)
		}
	}
	t.Logf("%d names", len(goals))
}

// unversioned cuts the versions off capabilities.
func unversioned(list []string) []string {
	out := slices.Clone(list)
	for i := range out {
		if !strings.HasPrefix(out[i], "(") {
			out[i], _, _ = strings.Cut(out[i], " ")
		}
	}
	return out
}

// ends returns what the chains of a refusal name, in dnf's terms.
func ends(err error) []string {
	var out []string
	u, _ := errors.AsType[*Unsolvable](err)
	for _, p := range u.Problems {
		for r := range p.Chain() {
			for _, id := range slices.Concat(r.Packages, r.Alike, []rpm.ID{r.Other}) {
				out = append(out, p.solver.pool.NEVRA(id))
			}
			if r.Dep != 0 {
				out = append(out, p.solver.pool.DepString(r.Dep))
			}
		}
	}
	return out
}
