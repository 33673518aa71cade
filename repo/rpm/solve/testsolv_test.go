//go:build oracle

package solve

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// testtags are the tags of dependencies in libsolv's testtags format.
var testtags = map[string]string{
	"provides": "Prv", "requires": "Req", "conflicts": "Con", "obsoletes": "Obs",
	"recommends": "Rec", "suggests": "Sug", "supplements": "Sup", "enhances": "Enh",
}

// testtagsOperators are the operators of rich dependencies there.
var testtagsOperators = strings.NewReplacer(" and ", " & ", " or ", " | ", " if ", " <IF> ", " unless ", " <UNLESS> ",
	" else ", " <ELSE> ", " with ", " + ", " without ", " - ")

// writeTestcase writes a case as testsolv reads it, with the flags that libdnf sets.
func writeTestcase(s *Solver, packages []small, job Job) string {
	var b strings.Builder
	b.WriteString("repo main 0 testtags <inline>\n#>=Ver: 3.0\n")
	for _, p := range packages {
		epoch, version, release := rpm.SplitEVR(p.evr)
		if epoch != "" {
			version = epoch + ":" + version
		}
		fmt.Fprintf(&b, "#>=Pkg: %s %s %s %s\n", p.name, version, release, p.arch)
		for _, kind := range kinds {
			for _, d := range p.deps[kind] {
				fmt.Fprintf(&b, "#>=%s: %s\n", testtags[kind], testtagsOperators.Replace(d))
			}
			if kind == "provides" {
				fmt.Fprintf(&b, "#>=Prv: %s = %s\n", p.name, p.evr)
			}
		}
	}
	b.WriteString("system x86_64 rpm\npoolflags implicitobsoleteusescolors whatprovideswithdisabled\nsolverflags yumobsoletes keeporphans bestobeypolicy urpmreorder keepexplicitobsoletes")
	if !job.Weak {
		b.WriteString(" ignorerecommended")
	}
	b.WriteString("\n")
	for _, name := range installOnly {
		fmt.Fprintf(&b, "job multiversion provides %s\n", name)
	}
	g, _ := s.readJob(job)
	for _, j := range g.jobs {
		how := "oneof"
		if len(j.candidates) == 1 {
			how = "pkg"
		}
		b.WriteString("job install " + how)
		for _, id := range j.candidates {
			fmt.Fprintf(&b, " %s@main", s.pool.NEVRA(id))
		}
		if job.Best {
			b.WriteString(" [forcebest]")
		}
		b.WriteString("\n")
	}
	b.WriteString("result transaction,problems <inline>\n")
	return b.String()
}

// TestTestsolv holds the pinned cases against libsolv's own test program. Real
// metadata does not tell some of the rules from their absence; each of these has
// a case here that does.
func TestTestsolv(t *testing.T) {
	program, err := exec.LookPath("testsolv")
	if err != nil {
		t.Fatalf("libsolv-tools is missing: %v", err)
	}
	count := 0
	for _, test := range smallCases {
		packages := parseSmall(t, test.packages)
		// testsolv knows no hidden packages, and takes Recommends in the order of the
		// file where dnf takes that of its cache. The jobs are read here.
		s := NewSolver(smallPool(t, packages))
		job := readRequest(test.request)
		if _, problems := s.readJob(job); len(problems) > 0 || strings.Contains(test.packages, "hidden") ||
			slices.ContainsFunc(packages, func(p small) bool { return len(p.deps["recommends"]) > 1 }) {
			continue
		}
		count++
		file := filepath.Join(t.TempDir(), "case.t")
		if err := os.WriteFile(file, []byte(writeTestcase(s, packages, job)), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), program, "-r", file).Output()
		if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
			t.Fatal(err)
		}
		want := "refused"
		if !strings.Contains(string(out), "problem ") {
			want = strings.Join(installs(string(out)), " ")
		}
		r, err := s.Solve(t.Context(), job)
		got := "refused"
		if err == nil {
			var list []string
			for _, id := range r.Packages {
				list = append(list, s.pool.NEVRA(id))
			}
			slices.Sort(list)
			got = strings.Join(list, " ")
		} else if !errors.Is(err, manifest.ErrUnsolvable) {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: install %s: %s, testsolv %s\n%s", test.name, test.request, got, want, test.packages)
		}
	}
	t.Logf("%d cases", count)
}

// installs reads the packages off a transaction.
func installs(out string) []string {
	var list []string
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "install" {
			list = append(list, strings.TrimSuffix(words[1], "@main"))
		}
	}
	slices.Sort(list)
	return list
}
