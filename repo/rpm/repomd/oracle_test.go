//go:build oracle

package repomd

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

// libdnfLoad loads the same repositories with libdnf.
const libdnfLoad = `
import sys, dnf, hawkey, dnf.conf, dnf.module.module_base
root, data = sys.argv[1:3]
def load():
    base = dnf.Base(dnf.conf.Conf())
    base.conf.cachedir = root + "/cache"
    base.conf.installroot = root + "/root"
    base.conf.module_platform_id = "platform:el9"
    base.conf.substitutions["arch"] = "x86_64"
    base.conf.substitutions["basearch"] = "x86_64"
    base.conf.substitutions["releasever"] = "9"
    for name in ("baseos", "appstream"):
        base.repos.add_new_repo(name, base.conf, baseurl=["file://%s/el9/%s" % (data, name)])
    base.fill_sack(load_system_repo=False)
    return base
def hidden(base):
    every = hawkey.Query(base.sack, flags=hawkey.IGNORE_EXCLUDES)
    seen = set(str(p) + "@" + p.reponame for p in base.sack.query())
    print("hidden", *sorted(x for x in (str(p) + "@" + p.reponame for p in every) if x not in seen))
`

// libdnfModules prints, for each line of stdin, what the module filter hides
// when these streams are enabled.
const libdnfModules = libdnfLoad + `
for line in sys.stdin:
    base = load()
    dnf.module.module_base.ModuleBase(base).enable(line.split())
    hidden(base)
    base.close()
`

// libdnfProviders prints what the module filter hides, and then for each line
// of stdin the packages that provide it.
const libdnfProviders = libdnfLoad + `
base = load()
hidden(base)
for line in sys.stdin:
    dep = hawkey.Reldep(base.sack, line.rstrip("\n"))
    q = hawkey.Query(base.sack, flags=hawkey.IGNORE_EXCLUDES).filter(provides=dep)
    print("provides", *sorted(str(p) + "@" + p.reponame for p in q))
`

// TestLibdnfOracle compares what is hidden, and who provides every dependency
// that any package of EL 9 has, with libdnf.
func TestLibdnfOracle(t *testing.T) {
	pool, repos := loadReal(t)
	if err := LoadFiles(context.Background(), pool, repos); err != nil {
		t.Fatal(err)
	}
	pool.Prepare("x86_64")
	deps := dependencies(pool)
	asked := make([]string, len(deps))
	for i, d := range deps {
		asked[i] = pool.DepString(d)
	}
	next := askLibdnf(t, libdnfProviders, asked)
	if got, want := hidden(pool), next(); got != want {
		t.Errorf("hidden:\ngot  %s\nwant %s", got, want)
	}
	differ := 0
	for i, d := range deps {
		if got, want := "provides"+names(pool, pool.Providers(d)), next(); got != want {
			if differ++; differ < 20 {
				t.Errorf("%s:\ngot  %s\nwant %s", asked[i], got, want)
			}
		}
	}
	t.Logf("%d dependencies, %d differ", len(deps), differ)
}

// askLibdnf runs a script with lines as its input, and returns what reads the
// next line of its answers.
func askLibdnf(t *testing.T, script string, lines []string) func() string {
	t.Helper()
	data, err := filepath.Abs(realData(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", script, t.TempDir(), data)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(out)
	answers.Buffer(nil, 64<<20)
	left := len(lines)
	return func() string {
		for answers.Scan() {
			if line := answers.Text(); strings.HasPrefix(line, "hidden") || strings.HasPrefix(line, "provides") {
				if left--; left == 0 {
					t.Cleanup(func() {
						if err := cmd.Wait(); err != nil {
							t.Error(err)
						}
					})
				}
				return line
			}
		}
		t.Fatalf("libdnf stopped: %v, %v", answers.Err(), cmd.Wait())
		return ""
	}
}

// hidden lists the hidden packages as the scripts do.
func hidden(pool *rpm.Pool) string {
	var ids []rpm.ID
	for id := rpm.System + 1; int(id) < pool.Len(); id++ {
		if pool.Package(id).Hidden {
			ids = append(ids, id)
		}
	}
	return "hidden" + names(pool, ids)
}

// TestLibdnfModulesOracle enables every stream of EL 9 by itself and some
// together.
func TestLibdnfModulesOracle(t *testing.T) {
	_, repos := loadReal(t)
	l := &loader{in: realInputs(t)[1]}
	l.out.Index = repos[1].Index
	modules, err := l.readModules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var sets []string
	for _, s := range modules.Streams {
		if spec := s.Name + ":" + s.Stream; !slices.Contains(sets, spec) {
			sets = append(sets, spec)
		}
	}
	sets = append(sets, sets[0]+" "+sets[len(sets)-1], strings.Join([]string{sets[1], sets[len(sets)/2], sets[len(sets)-2]}, " "))
	next := askLibdnf(t, libdnfModules, sets)
	for _, set := range sets {
		pool := rpm.NewPool()
		_, err := Load(context.Background(), pool, realInputs(t), Options{Modules: ModuleOptions{Enabled: strings.Fields(set)}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := hidden(pool), next(); got != want {
			t.Errorf("%s: %s", set, difference(strings.Fields(got), strings.Fields(want)))
		}
	}
	t.Logf("%d sets of streams", len(sets))
}

// difference names what only one of two lists has.
func difference(got, want []string) string {
	var s []string
	for _, x := range got {
		if !slices.Contains(want, x) {
			s = append(s, "+"+x)
		}
	}
	for _, x := range want {
		if !slices.Contains(got, x) {
			s = append(s, "-"+x)
		}
	}
	return fmt.Sprintf("%d hidden, libdnf %d: %s", len(got)-1, len(want)-1, strings.Join(s[:min(len(s), 8)], " "))
}

// dependencies returns every dependency of every package, once.
func dependencies(pool *rpm.Pool) []rpm.Dep {
	seen := make(map[rpm.Dep]bool)
	var deps []rpm.Dep
	for id := rpm.System + 1; int(id) < pool.Len(); id++ {
		p := pool.Package(id)
		for _, list := range [][]rpm.Dep{p.Requires, p.Conflicts, p.Obsoletes, p.Recommends, p.Suggests, p.Supplements, p.Enhances} {
			for _, d := range list {
				if !seen[d] && !strings.HasPrefix(pool.DepString(d), "rpmlib(") {
					seen[d] = true
					deps = append(deps, d)
				}
			}
		}
	}
	return deps
}

func names(pool *rpm.Pool, ids []rpm.ID) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(" %s@%s", pool.NEVRA(id), pool.Repo(pool.Package(id).Repo).ID))
	}
	slices.Sort(list)
	return strings.Join(list, "")
}
