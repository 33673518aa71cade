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

// libdnf loads the same repositories, prints which packages its module filter
// hides, and then for each line of stdin the packages that provide it.
const libdnf = `
import sys, dnf, hawkey, dnf.conf
base = dnf.Base(dnf.conf.Conf())
root, data = sys.argv[1:3]
base.conf.cachedir = root + "/cache"
base.conf.installroot = root + "/root"
base.conf.module_platform_id = "platform:el9"
base.conf.substitutions["arch"] = "x86_64"
base.conf.substitutions["basearch"] = "x86_64"
base.conf.substitutions["releasever"] = "9"
for name in ("baseos", "appstream"):
    base.repos.add_new_repo(name, base.conf, baseurl=["file://%s/el9/%s" % (data, name)])
base.fill_sack(load_system_repo=False)
every = hawkey.Query(base.sack, flags=hawkey.IGNORE_EXCLUDES)
seen = set(str(p) + "@" + p.reponame for p in base.sack.query())
print("hidden", *sorted(x for x in (str(p) + "@" + p.reponame for p in every) if x not in seen))
for line in sys.stdin:
    dep = hawkey.Reldep(base.sack, line.rstrip("\n"))
    q = hawkey.Query(base.sack, flags=hawkey.IGNORE_EXCLUDES).filter(provides=dep)
    print("provides", *sorted(str(p) + "@" + p.reponame for p in q))
`

// TestLibdnfOracle compares what is hidden, and who provides every dependency
// that any package of EL 9 has, with libdnf.
func TestLibdnfOracle(t *testing.T) {
	data, err := filepath.Abs(realData(t))
	if err != nil {
		t.Fatal(err)
	}
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
	cmd := exec.Command("/usr/bin/python3", "-c", libdnf, t.TempDir(), data)
	cmd.Stdin = strings.NewReader(strings.Join(asked, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	next := func() string {
		if !lines.Scan() {
			t.Fatalf("libdnf stopped: %v, %v", lines.Err(), cmd.Wait())
		}
		return lines.Text()
	}
	var hidden []rpm.ID
	for id := rpm.System + 1; int(id) < pool.Len(); id++ {
		if pool.Package(id).Hidden {
			hidden = append(hidden, id)
		}
	}
	if got, want := "hidden"+names(pool, hidden), next(); got != want {
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
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d dependencies, %d differ; %d hidden", len(deps), differ, len(hidden))
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
