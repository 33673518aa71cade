//go:build oracle

package solve

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"pgbundle/repo/rpm"
)

// relationTags are the tags of name, version and flags of a kind of dependency.
var relationTags = map[string][3]int{
	"provides": {1047, 1113, 1112}, "requires": {1049, 1050, 1048}, "conflicts": {1054, 1055, 1053}, "obsoletes": {1090, 1115, 1114},
	"recommends": {5046, 5047, 5048}, "suggests": {5049, 5050, 5051}, "supplements": {5052, 5053, 5054}, "enhances": {5055, 5056, 5057},
}

// packageFile writes a package as an RPM without files.
func packageFile(t *testing.T, folder string, n int, p small) string {
	t.Helper()
	epoch, version, release := rpm.SplitEVR(p.evr)
	meta := rpmpack.RPMMetaData{Name: p.name, Version: version, Release: release, Arch: p.arch, Epoch: rpmpack.NoEpoch}
	if epoch != "" {
		fmt.Sscan(epoch, &meta.Epoch)
	}
	r, err := rpmpack.NewRPM(meta)
	if err != nil {
		t.Fatal(err)
	}
	for kind, tags := range relationTags {
		var names, versions []string
		var flags []uint32
		if kind == "provides" {
			names, versions, flags = []string{p.name}, []string{p.evr}, []uint32{8}
		}
		for _, d := range p.deps[kind] {
			name, want := readCapability(d)
			if strings.HasPrefix(d, "(") || want == nil {
				names, versions, flags = append(names, d), append(versions, ""), append(flags, 0)
				continue
			}
			flag := uint32(0)
			for op, bit := range map[rpm.Op]uint32{rpm.LT: 2, rpm.GT: 4, rpm.EQ: 8} {
				if want.op&op != 0 {
					flag |= bit
				}
			}
			names, versions, flags = append(names, name), append(versions, want.evr), append(flags, flag)
		}
		if len(names) > 0 {
			r.AddCustomTag(tags[0], rpmpack.EntryStringSlice(names))
			r.AddCustomTag(tags[1], rpmpack.EntryStringSlice(versions))
			r.AddCustomTag(tags[2], rpmpack.EntryUint32(flags))
		}
	}
	path := filepath.Join(folder, fmt.Sprintf("%05d.rpm", n))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// installRoot makes an install root in whose RPM database packages stand, in the
// order given. It returns those that do: rpm takes no package along with one of the
// same transaction that obsoletes it.
func installRoot(t *testing.T, packages []small) (string, []small) {
	t.Helper()
	root, files := t.TempDir(), t.TempDir()
	var list strings.Builder
	for i, p := range packages {
		fmt.Fprintln(&list, packageFile(t, files, i, p))
	}
	manifest := filepath.Join(files, "list")
	if err := os.WriteFile(manifest, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rpm", "--root", root, "--define", "_transaction_color 3", "-i", "--justdb", "--nodeps", "--force", "--noorder", "--ignorearch", "--nosignature", "--nodigest", manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	out, err := exec.Command("rpm", "--root", root, "-qa", "--qf", "%{NAME}-%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}.%{ARCH}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Fields(string(out))
	in := slices.DeleteFunc(slices.Clone(packages), func(p small) bool { return !slices.Contains(have, p.name+"-"+p.evr+"."+p.arch) })
	if len(in) < len(packages)*9/10 {
		t.Fatalf("the root has %d of %d packages", len(in), len(packages))
	}
	return root, in
}

// thereSolver loads repositories beside packages that a node has.
func thereSolver(t *testing.T, there []small, sources []source) *Solver {
	t.Helper()
	pool := rpm.NewPool()
	system := pool.AddRepo(rpm.Repo{ID: "@System", Installed: true})
	for _, p := range there {
		addSmall(t, pool, system, p)
	}
	loadInto(t, pool, sources)
	return NewSolver(pool)
}

// TestOracleThere holds random small repositories against dnf in install roots
// that have packages of their own: some the same, some older or newer, some
// broken.
func TestOracleThere(t *testing.T) {
	for _, test := range []struct {
		name        string
		sources     []source
		installOnly bool
		rounds      int
	}{
		{"plain", []source{{id: "main", priority: 99, cost: 1000}}, false, 6},
		{"install only", []source{{id: "main", priority: 99, cost: 1000}}, true, 2},
		{"two repositories", []source{{id: "main", priority: 99, cost: 1000}, {id: "more", priority: 50, cost: 500}}, true, 3},
	} {
		for round := range test.rounds {
			t.Run(fmt.Sprintf("%s %d", test.name, round), func(t *testing.T) {
				r := rand.New(rand.NewPCG(21+uint64(len(test.name)), uint64(round)))
				packages, goals, _ := drawWorlds(r, test.installOnly, false)
				packages, goals = firstWorlds(packages, goals, 150)
				root, there := installRoot(t, drawThere(r, packages, test.installOnly))
				sources := spread(t, r, packages, test.sources)
				s := thereSolver(t, there, sources)
				answers := askOracle(t, sources, goals, "--root", root)
				compareWorlds(t, s, append(marked(there), packages...), goals, answers)
			})
		}
	}
}

// firstWorlds keeps the first of made-up repositories: dnf reads the whole database
// of a root for every goal.
func firstWorlds(packages []small, goals []oracleGoal, count int) ([]small, []oracleGoal) {
	end := fmt.Sprintf("w%03d", count)
	return slices.DeleteFunc(packages, func(p small) bool { return p.name >= end }),
		slices.DeleteFunc(goals, func(g oracleGoal) bool { return g.Requests[0] >= end })
}

// TestOracleThereReal asks for packages of EL 9 on nodes that have some of them:
// closures of random packages, with other builds here and there.
func TestOracleThereReal(t *testing.T) {
	sources := el9Sources(t)
	plain := el9Solver(t)
	all := solvable(t, plain)
	for round := range 12 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(33, uint64(round)))
			root, there := installRoot(t, drawNode(t, plain, all, r))
			s := thereSolver(t, there, sources)
			goals := drawGoals(s, r, 60)
			for range 60 {
				g := oracleGoal{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0}
				for range 1 + r.IntN(12) {
					g.Requests = append(g.Requests, all[r.IntN(len(all))])
				}
				goals = append(goals, g)
			}
			compareWithOracle(t, s, goals, askOracle(t, sources, goals, "--root", root))
			t.Logf("the node has %d packages", len(there))
		})
	}
}

// drawNode makes up what a node has: the closure of some packages, one build in
// eight exchanged for another of its name and architecture. Paths that it owns
// stand as provides.
func drawNode(t *testing.T, s *Solver, all []string, r *rand.Rand) []small {
	t.Helper()
	job := Job{Requests: []string{"bash", "dnf"}}
	for range r.IntN(20) {
		job.Requests = append(job.Requests, all[r.IntN(len(all))])
	}
	res, err := s.Solve(t.Context(), job)
	if err != nil {
		return drawNode(t, s, all, r)
	}
	var out []small
	for _, id := range res.Packages {
		if builds := s.pool.ByName(s.info[id].name); r.IntN(8) == 0 {
			if q := builds[r.IntN(len(builds))]; s.info[q].arch == s.info[id].arch {
				id = q
			}
		}
		out = append(out, s.small(id))
	}
	slices.SortStableFunc(out, func(a, b small) int { return strings.Compare(a.name, b.name) })
	return out
}

// small describes a package of the pool, the paths that dependencies name among
// its provides.
func (s *Solver) small(id rpm.ID) small {
	pkg := s.pool.Package(id)
	p := small{name: s.pool.String(pkg.Name), evr: s.pool.String(pkg.EVR), arch: s.pool.String(pkg.Arch), deps: map[string][]string{}}
	for kind, list := range map[string][]rpm.Dep{
		"provides": pkg.Provides, "requires": pkg.Requires, "conflicts": pkg.Conflicts, "obsoletes": pkg.Obsoletes,
		"recommends": pkg.Recommends, "suggests": pkg.Suggests, "supplements": pkg.Supplements, "enhances": pkg.Enhances,
	} {
		for _, d := range list {
			p.deps[kind] = append(p.deps[kind], s.pool.DepString(d))
		}
	}
	for _, path := range s.pool.FilesOf(id) {
		if s.pool.Lookup(path) != 0 {
			p.deps["provides"] = append(p.deps["provides"], path)
		}
	}
	return p
}

// drawThere makes up what a node has of each world: builds that the repositories
// have, and others of the same names. As in rpm's database there are no two of the
// same name, but for different architectures or packages that may be there
// several times.
func drawThere(r *rand.Rand, packages []small, several bool) []small {
	var out []small
	has := map[string]bool{}
	for _, p := range packages {
		if r.IntN(3) > 0 {
			continue
		}
		if r.IntN(3) == 0 { // another build
			p.evr = fmt.Sprintf("%d-%d", 1+r.IntN(3), 1+r.IntN(3))
		}
		key := p.name + "." + p.arch
		if p.arch == "noarch" || has[p.name+".noarch"] {
			key = p.name + ".noarch"
			if has[p.name+".x86_64"] || has[p.name+".i686"] {
				continue
			}
		}
		if several && slices.Contains(p.deps["provides"], "installonlypkg(kernel)") {
			key += p.evr
		}
		if !has[key] {
			has[key] = true
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b small) int { return strings.Compare(a.name, b.name) })
	return out
}

// marked marks packages as what a node has, for a message.
func marked(there []small) []small {
	out := slices.Clone(there)
	for i := range out {
		out[i].arch += " THERE"
	}
	return out
}

// TestOracleThereCases holds the pinned cases against dnf.
func TestOracleThereCases(t *testing.T) {
	var there, packages []small
	var goals []oracleGoal
	var cases []smallCase
	for i, test := range thereCases {
		job := readThere(test.request)
		if job.KeepNode {
			continue
		}
		prefix := fmt.Sprintf("w%03d", i)
		for _, p := range world(parseSmall(t, test.packages), prefix) {
			for j, d := range p.deps["provides"] {
				p.deps["provides"][j] = strings.TrimPrefix(d, prefix+"install") // installonlypkg(kernel) is one for all
				if p.deps["provides"][j] != d {
					p.deps["provides"][j] = "install" + p.deps["provides"][j]
				}
			}
			if p.repo == "node" {
				there = append(there, p)
			} else {
				packages = append(packages, p)
			}
		}
		for j := range job.Requests {
			job.Requests[j] = prefix + job.Requests[j]
		}
		goals = append(goals, oracleGoal{Requests: job.Requests, Weak: job.Weak, Best: job.Best})
		cases = append(cases, test)
	}
	root, in := installRoot(t, there)
	if len(in) != len(there) {
		t.Fatalf("the root has %d of %d packages", len(in), len(there))
	}
	sources := []source{{id: "main", folder: writeRepo(t, packages), priority: 99, cost: 1000}}
	s, answers := thereSolver(t, there, sources), askOracle(t, sources, goals, "--root", root)
	for i, test := range cases {
		g := goals[i]
		r, err := s.Solve(t.Context(), Job{Requests: g.Requests, Weak: g.Weak, Best: g.Best})
		if diff := difference(s, r, err, answers[i]); diff != "" {
			t.Errorf("%s: %+v: %s\n%s", test.name, g, diff, test.packages)
		}
	}
	t.Logf("%d cases", len(cases))
}
