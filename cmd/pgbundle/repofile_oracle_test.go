//go:build oracle

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/internal/fixture"
)

// askDNF prints what dnf would install for a name out of a folder of .repo files,
// on an empty system: "nevra repository", one a line.
const askDNF = `
import sys, dnf
base = dnf.Base()
c = base.conf
c.config_file_path, c.reposdir, c.installroot, c.cachedir = "/dev/null", [sys.argv[1]], sys.argv[2] + "/root", sys.argv[2] + "/cache"
c.module_platform_id, c.install_weak_deps, c.best = "platform:el9", False, True
c.substitutions["releasever"], c.substitutions["arch"], c.substitutions["basearch"] = "9", "x86_64", "x86_64"
base.read_all_repos()
base.fill_sack(load_system_repo=False)
base.install(sys.argv[3])
base.resolve()
for item in base.transaction:
    p = item.pkg
    print(p.name + "-" + (str(p.epoch) + ":" if p.epoch else "") + p.version + "-" + p.release + "." + p.arch, p.reponame)
`

// TestRepoFileOracle holds dnf's answer against ours where options of a .repo file
// decide: the packages, and the repository that each comes from.
func TestRepoFileOracle(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, url := world.Start(t)
	section := func(id, repo, options string) string {
		return "[" + id + "]\nname=" + id + "\nbaseurl=" + url + "/rpm/" + repo + "/$basearch\ngpgcheck=0\n" + options
	}
	repos := func(base, copied, appstream, newer, epel string) string {
		return section("base", "baseos", base) + section("copy", "baseos", copied) + section("appstream", "appstream", appstream) +
			section("newer", "bad-stranger", newer) + section("epel", "epel", epel)
	}
	for _, c := range []struct{ name, repos string }{
		{"plain", repos("", "", "", "", "")},
		{"priority", repos("", "", "", "priority=100\n", "")},
		{"better priority of an older build", repos("", "priority=10\n", "", "", "priority=1\n")},
		{"cost", repos("cost=2000\n", "cost=500\n", "", "", "")},
		{"excludepkgs by name", repos("", "", "", "excludepkgs=acl\n", "")},
		{"excludepkgs by glob and NEVRA", repos("excludepkgs=g*-common foo\n", "excludepkgs=acl-2.3.1-4.el9.x86_64\n", "", "exclude=a?l\n", "")},
		{"excludepkgs by name.arch", repos("", "", "", "excludepkgs=acl.x86_64, tar\n", "")},
		{"includepkgs", repos("", "", "", "includepkgs=tar htop\n", "")},
		{"includepkgs less excludepkgs", repos("", "", "includepkgs=haproxy* postgresql*\nexcludepkgs=haproxy-2.4.22*\n", "includepkgs=acl\nexcludepkgs=acl\n", "")},
		{"module_hotfixes", repos("", "", "module_hotfixes=1\n", "", "")},
		{"disabled", repos("enabled=0\n", "", "", "enabled=0\n", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "repos", "test.repo")
			if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.repos), 0o644); err != nil {
				t.Fatal(err)
			}
			answers := 0
			for _, name := range []string{"acl", "tar", "haproxy", "postgresql-server", "libselinux"} {
				want, dnfErr := exec.Command("/usr/bin/python3", "-c", askDNF, filepath.Dir(file), dir, name).Output()
				cmd := exec.Command(filepath.Join(programFolder(t), "pgbundle-linux-amd64"), "resolve", "rpm", "--repos", file, "--cache", filepath.Join(dir, "ours"), "--json", name)
				out, ourErr := cmd.Output()
				if (dnfErr == nil) != (ourErr == nil) {
					t.Errorf("%s: dnf %v, we %v", name, dnfErr, ourErr)
					continue
				}
				if dnfErr != nil {
					continue
				}
				answers++
				var list []struct{ NEVRA, Source string }
				if err := json.Unmarshal(out, &list); err != nil {
					t.Fatal(err)
				}
				got := make([]string, len(list))
				for i, p := range list {
					got[i] = p.NEVRA + " " + p.Source
				}
				expected := strings.Split(strings.TrimSpace(string(want)), "\n")
				slices.Sort(got)
				slices.Sort(expected)
				if !slices.Equal(got, expected) {
					t.Errorf("%s:\nwe  %s\ndnf %s", name, strings.Join(got, "\n    "), strings.Join(expected, "\n    "))
				}
			}
			if answers < 3 {
				t.Errorf("dnf had an answer to %d requests alone", answers)
			}
		})
	}
}
