//go:build oracle

package solve

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

// writeRepo writes packages as a repository that dnf reads.
func writeRepo(t *testing.T, packages []small) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="%d">
`, len(packages))
	for i, p := range packages {
		epoch, version, release := rpm.SplitEVR(p.evr)
		if epoch == "" {
			epoch = "0"
		}
		fmt.Fprintf(&b, `<package type="rpm"><name>%s</name><arch>%s</arch><version epoch="%s" ver="%s" rel="%s"/>
<checksum type="sha256" pkgid="YES">%064x</checksum><summary/><description/><time file="1" build="1"/>
<size package="1" installed="1" archive="1"/><location href="%s-%s.%s.rpm"/><format>
`, p.name, p.arch, epoch, version, release, i+1, p.name, p.evr, p.arch)
		for _, kind := range kinds {
			if len(p.deps[kind]) == 0 && kind != "provides" {
				continue
			}
			fmt.Fprintf(&b, "<rpm:%s>\n", kind)
			if kind == "provides" {
				fmt.Fprintf(&b, `<rpm:entry name="%s" flags="EQ" epoch="%s" ver="%s" rel="%s"/>`+"\n", p.name, epoch, version, release)
			}
			for _, d := range p.deps[kind] {
				b.WriteString(entry(d))
			}
			fmt.Fprintf(&b, "</rpm:%s>\n", kind)
		}
		b.WriteString("</format></package>\n")
	}
	b.WriteString("</metadata>\n")
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "repodata"), 0o755); err != nil {
		t.Fatal(err)
	}
	primary := []byte(b.String())
	index := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>
<data type="primary"><checksum type="sha256">%x</checksum><location href="repodata/primary.xml"/><timestamp>1</timestamp><size>%d</size></data>
</repomd>
`, sha256.Sum256(primary), len(primary))
	for name, data := range map[string][]byte{"primary.xml": primary, "repomd.xml": []byte(index)} {
		if err := os.WriteFile(filepath.Join(folder, "repodata", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

var flags = map[rpm.Op]string{
	rpm.EQ: "EQ", rpm.LT: "LT", rpm.GT: "GT", rpm.LT | rpm.EQ: "LE", rpm.GT | rpm.EQ: "GE",
}

// entry writes a dependency.
func entry(d string) string {
	escape := func(s string) string {
		var b bytes.Buffer
		xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	name, want := readCapability(d)
	if strings.HasPrefix(d, "(") || want == nil {
		return fmt.Sprintf(`<rpm:entry name="%s"/>`+"\n", escape(d))
	}
	epoch, version, release := rpm.SplitEVR(want.evr)
	if epoch == "" {
		epoch = "0"
	}
	rel := ""
	if release != "" {
		rel = fmt.Sprintf(` rel="%s"`, release)
	}
	return fmt.Sprintf(`<rpm:entry name="%s" flags="%s" epoch="%s" ver="%s"%s/>`+"\n", escape(name), flags[want.op], epoch, version, rel)
}

// world gives the names of a made-up repository a prefix, so that many of them
// stand in one without touching.
func world(packages []small, prefix string) []small {
	var out []small
	for _, p := range packages {
		q := p
		q.name = prefix + p.name
		q.deps = map[string][]string{}
		for kind, list := range p.deps {
			for _, d := range list {
				q.deps[kind] = append(q.deps[kind], prefixNames(d, prefix))
			}
		}
		out = append(out, q)
	}
	return out
}

// prefixNames gives every name of a dependency a prefix.
func prefixNames(d, prefix string) string {
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(d))
	if !strings.HasPrefix(d, "(") {
		return prefix + d
	}
	for i, w := range words {
		operator := strings.Contains(" ( ) and or if else unless with without < <= = >= > ", " "+w+" ")
		if !operator && (i == 0 || !strings.ContainsAny(words[i-1], "<=>")) {
			words[i] = prefix + w
		}
	}
	return strings.NewReplacer("( ", "(", " )", ")").Replace(strings.Join(words, " "))
}

// isInstallOnly reports whether names of a case mean something to dnf itself, so
// that they cannot be given a prefix.
func (c *smallCase) isInstallOnly() bool {
	return strings.Contains(c.packages, "kernel") || strings.Contains(c.packages, "installonlypkg")
}

// TestOracleInstallOnly holds the pinned cases of packages that may be there in
// several builds against dnf, each in a repository of its own.
func TestOracleInstallOnly(t *testing.T) {
	for _, test := range smallCases {
		if !test.isInstallOnly() {
			continue
		}
		sources := []source{{id: "main", folder: writeRepo(t, parseSmall(t, test.packages)), priority: 99, cost: 1000}}
		job := readRequest(test.request)
		g := oracleGoal{Requests: job.Requests, Weak: job.Weak, Best: job.Best}
		s := NewSolver(loadPool(t, sources))
		r, err := s.Solve(t.Context(), job)
		if diff := difference(s, r, err, askOracle(t, sources, []oracleGoal{g})[0]); diff != "" {
			t.Errorf("%s: %+v: %s\n%s", test.name, g, diff, test.packages)
		}
	}
}

// TestOracleCases holds the pinned cases against dnf. Cases with hidden packages
// need more than a repository and stand apart.
func TestOracleCases(t *testing.T) {
	var packages []small
	var goals []oracleGoal
	var cases []smallCase
	for i, test := range smallCases {
		if strings.Contains(test.packages, "hidden") || test.isInstallOnly() ||
			strings.Contains(test.packages, "rpmlib") || strings.Contains(test.packages, "b(") {
			continue
		}
		prefix := fmt.Sprintf("w%03d", i)
		packages = append(packages, world(parseSmall(t, test.packages), prefix)...)
		job := readRequest(test.request)
		for j := range job.Requests {
			job.Requests[j] = prefix + job.Requests[j]
		}
		goals = append(goals, oracleGoal{Requests: job.Requests, Weak: job.Weak, Best: job.Best})
		cases = append(cases, test)
	}
	sources := []source{{id: "main", folder: writeRepo(t, packages), priority: 99, cost: 1000}}
	s, answers := NewSolver(loadPool(t, sources)), askOracle(t, sources, goals)
	for i, test := range cases {
		g := goals[i]
		r, err := s.Solve(t.Context(), g.job())
		if diff := difference(s, r, err, answers[i]); diff != "" {
			t.Errorf("%s: %+v: %s\n%s", test.name, g, diff, test.packages)
		}
	}
	t.Logf("%d cases", len(cases))
}

// TestOracleWorlds holds random small repositories, full of rich and weak
// dependencies, against dnf: in one repository or spread over two, with
// priorities and costs, with packages that may be installed several times, with
// excludes.
func TestOracleWorlds(t *testing.T) {
	one := []source{{id: "main", priority: 99, cost: 1000}}
	two := func(priority, cost int) []source {
		return []source{{id: "main", priority: 99, cost: 1000}, {id: "more", priority: priority, cost: cost}}
	}
	for _, test := range []struct {
		name        string
		sources     []source
		installOnly bool
		exclude     bool
		rounds      int
	}{
		{"plain", one, false, false, 8},
		{"install only", one, true, false, 3},
		{"excludes", one, false, true, 3},
		{"two repositories", two(99, 1000), false, false, 2},
		{"preferred repository", two(50, 1000), false, false, 3},
		{"cheap repository", two(99, 500), false, false, 3},
		{"everything", two(50, 500), true, true, 4},
	} {
		for round := range test.rounds {
			t.Run(fmt.Sprintf("%s %d", test.name, round), func(t *testing.T) {
				r := rand.New(rand.NewPCG(7+uint64(len(test.name)), uint64(round)))
				packages, goals, exclude := drawWorlds(r, test.installOnly, test.exclude)
				sources, args := spread(t, r, packages, test.sources), []string(nil)
				for i := range sources {
					sources[i].exclude = exclude
				}
				for _, e := range exclude {
					args = append(args, "--exclude", e)
				}
				s := NewSolver(loadPool(t, sources))
				compareWorlds(t, s, packages, goals, askOracle(t, sources, goals, args...))
			})
		}
	}
}

// drawWorlds makes up 400 repositories in one, goals that stay within one of
// them each, and packages to exclude.
func drawWorlds(r *rand.Rand, installOnly, excludes bool) (packages []small, goals []oracleGoal, exclude []string) {
	for w := range 400 {
		prefix := fmt.Sprintf("w%03d", w)
		in := world(randomPackages(r, randomShape(r)), prefix)
		for i := range in {
			if installOnly && in[i].name[4] < 'd' {
				in[i].deps["provides"] = append(in[i].deps["provides"], "installonlypkg(kernel)")
			}
			if excludes && r.IntN(8) == 0 {
				exclude = append(exclude, in[i].name+"-"+in[i].evr+"."+in[i].arch)
			}
		}
		packages = append(packages, in...)
		for range 8 {
			g := oracleGoal{Weak: r.IntN(2) == 0, Best: r.IntN(2) == 0}
			for range 1 + r.IntN(3) {
				p := in[r.IntN(len(in))]
				request := p.name
				if r.IntN(3) == 0 {
					request += "-" + p.evr + "." + p.arch
				}
				g.Requests = append(g.Requests, request)
			}
			goals = append(goals, g)
		}
	}
	return packages, goals, exclude
}

// spread writes packages into repositories at random, some into several.
func spread(t *testing.T, r *rand.Rand, packages []small, sources []source) []source {
	t.Helper()
	out := slices.Clone(sources)
	parts := make([][]small, len(out))
	for _, p := range packages {
		first := r.IntN(len(out))
		for i := range out {
			if i == first || r.IntN(5) == 0 {
				parts[i] = append(parts[i], p)
			}
		}
	}
	for i := range out {
		out[i].folder = writeRepo(t, parts[i])
	}
	return out
}

// compareWorlds compares answers and shows the world of a goal that differs.
func compareWorlds(t *testing.T, s *Solver, packages []small, goals []oracleGoal, answers []oracleAnswer) {
	t.Helper()
	different, refused, broken := 0, 0, 0
	for i, g := range goals {
		r, err := s.Solve(t.Context(), g.job())
		if answers[i].Error != "" {
			refused++
		}
		diff := difference(s, r, err, answers[i])
		if diff == "" {
			continue
		}
		if isBroken(s, answers[i]) {
			broken++
			continue
		}
		if different++; different > 3 {
			continue
		}
		prefix := append(slices.Clone(g.Requests), g.firstOfGroup())[0][:4]
		var lines []string
		for _, p := range packages {
			if strings.HasPrefix(p.name, prefix) {
				lines = append(lines, p.String())
			}
		}
		t.Errorf("%+v: %s\n%s", g, diff, strings.ReplaceAll(strings.Join(lines, "\n"), prefix, ""))
	}
	t.Logf("%d goals, %d refused by dnf, %d different, %d where dnf's answer is broken", len(goals), refused, different, broken)
}

// isBroken reports whether an answer of dnf does not hold. libsolv before 0.7.24
// may decide for a package that only the condition of a rich dependency names
// without looking at what that package requires in turn.
func isBroken(s *Solver, a oracleAnswer) bool {
	var ids []rpm.ID
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		name := s.pool.NEVRA(id) + "@" + s.pool.Repo(s.pool.Package(id).Repo).ID
		if slices.Contains(a.Packages, name) {
			ids = append(ids, id)
		}
	}
	if len(s.there) == 0 {
		return valid(s.pool, ids) != nil
	}
	before, after := map[rpm.ID]bool{rpm.System: true}, map[rpm.ID]bool{rpm.System: true}
	for _, id := range s.there {
		before[id] = true
		after[id] = !slices.Contains(a.Gone, s.pool.NEVRA(id))
	}
	for _, id := range ids {
		after[id] = true
	}
	return holdsAfter(s, before, after) != nil
}
