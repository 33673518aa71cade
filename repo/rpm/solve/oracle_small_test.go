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

// askSmall solves goals over one repository of many worlds here and with dnf.
func askSmall(t *testing.T, packages []small, goals []oracleGoal) (s *Solver, dnf []oracleAnswer) {
	t.Helper()
	sources := []source{{"main", writeRepo(t, packages), 99, 1000}}
	return NewSolver(loadPool(t, sources)), askOracle(t, sources, goals)
}

// TestOracleCases holds the pinned cases against dnf. Cases with hidden packages
// or the kernel need more than a repository and stand apart.
func TestOracleCases(t *testing.T) {
	var packages []small
	var goals []oracleGoal
	var cases []smallCase
	for i, test := range smallCases {
		if strings.Contains(test.packages, "hidden") || strings.Contains(test.packages, "kernel") ||
			strings.Contains(test.packages, "rpmlib") || strings.Contains(test.packages, "b(") {
			continue
		}
		prefix := fmt.Sprintf("w%03d", i)
		packages = append(packages, world(parseSmall(t, test.packages), prefix)...)
		job := readRequest(test.request)
		for j := range job.Requests {
			job.Requests[j] = prefix + job.Requests[j]
		}
		goals = append(goals, oracleGoal{job.Requests, job.Weak, job.Best})
		cases = append(cases, test)
	}
	s, answers := askSmall(t, packages, goals)
	for i, test := range cases {
		g := goals[i]
		r, err := s.Solve(t.Context(), Job{Requests: g.Requests, Weak: g.Weak, Best: g.Best})
		if diff := difference(s, r, err, answers[i]); diff != "" {
			t.Errorf("%s: %+v: %s\n%s", test.name, g, diff, test.packages)
		}
	}
	t.Logf("%d cases", len(cases))
}

// TestOracleWorlds holds random small repositories, full of rich and weak
// dependencies, against dnf.
func TestOracleWorlds(t *testing.T) {
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(round)))
			var packages []small
			var goals []oracleGoal
			for w := range 400 {
				prefix := fmt.Sprintf("w%03d", w)
				in := world(randomPackages(r, randomShape(r)), prefix)
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
			s, answers := askSmall(t, packages, goals)
			compareWorlds(t, s, packages, goals, answers)
		})
	}
}

// compareWorlds compares answers and shows the world of a goal that differs.
func compareWorlds(t *testing.T, s *Solver, packages []small, goals []oracleGoal, answers []oracleAnswer) {
	t.Helper()
	different, refused := 0, 0
	for i, g := range goals {
		r, err := s.Solve(t.Context(), Job{Requests: g.Requests, Weak: g.Weak, Best: g.Best})
		if answers[i].Error != "" {
			refused++
		}
		diff := difference(s, r, err, answers[i])
		if diff == "" {
			continue
		}
		if different++; different > 3 {
			continue
		}
		prefix := g.Requests[0][:4]
		var lines []string
		for _, p := range packages {
			if strings.HasPrefix(p.name, prefix) {
				lines = append(lines, p.String())
			}
		}
		t.Errorf("%+v: %s\n%s", g, diff, strings.ReplaceAll(strings.Join(lines, "\n"), prefix, ""))
	}
	t.Logf("%d goals, %d refused by dnf, %d different", len(goals), refused, different)
}
