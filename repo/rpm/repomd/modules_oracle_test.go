//go:build oracle

package repomd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// dnfModules prints for each line of stdin, folders of repositories and a module
// state, what is visible then. What "dnf module" would refuse is an error.
const dnfModules = `
import json, logging, os, sys, tempfile
import dnf, dnf.exceptions, dnf.module.module_base, libdnf
logging.disable(logging.CRITICAL)
IN_DEFAULTS = libdnf.module.ModulePackageContainer.ModuleErrorType_ERROR_IN_DEFAULTS
for line in sys.stdin:
    ask = json.loads(line)
    conf = dnf.conf.Conf()
    with tempfile.TemporaryDirectory() as state:
        for name in ("installroot", "cachedir", "logdir", "persistdir", "modulesdir", "moduledefaultsdir"):
            os.mkdir(os.path.join(state, name))
            setattr(conf, name, os.path.join(state, name))
        conf.module_platform_id = "platform:el9"
        conf.substitutions.update(arch="x86_64", basearch="x86_64", releasever="9")
        conf.plugins = False
        base = dnf.Base(conf)
        for i, (folder, hotfixes) in enumerate(ask["repos"]):
            repo = base.repos.add_new_repo("r%d" % i, conf, baseurl=["file://" + folder])
            repo.module_hotfixes = hotfixes
        base.fill_sack(load_system_repo=False)
        modules = dnf.module.module_base.ModuleBase(base)
        answer = None
        for do, names in (modules.disable, ask["disable"]), (modules.enable, ask["enable"]):
            try:
                if names:
                    do(names)
            except dnf.exceptions.MarkingErrors as err:
                solver = err.module_depsolv_errors and err.module_depsolv_errors[1] != IN_DEFAULTS
                if err.no_match_group_specs or err.error_group_specs or (solver and do == modules.enable):
                    answer = "error"
        print(answer or " ".join(sorted(str(p) + "@" + p.reponame for p in base.sack.query())))
        base.close()
`

// madeRepo is a made-up repository with modules.
type madeRepo struct {
	files    memory
	hotfixes bool
	modules  string
}

// randomModules makes up a repository: streams of few modules that require each
// other, some in several builds, their packages, and packages of the same names.
func randomModules(r *rand.Rand, at int) madeRepo {
	names := []string{"a", "b", "c"}
	var text, packages strings.Builder
	seen := map[string]bool{}
	pack := func(name, version, release string) {
		if key := name + version + release; !seen[key] {
			seen[key] = true
			p := strings.ReplaceAll(primaryPackage(name, version, ""), "1.el9", release)
			packages.WriteString(strings.ReplaceAll(p, sumOf(name), sumOf(name+version+release)))
		}
	}
	for _, name := range names {
		if r.IntN(3) == 0 {
			fmt.Fprintf(&text, "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: %s\n  stream: \"%d\"\n  profiles:\n    \"1\": []\n...\n", name, 1+r.IntN(2))
		}
		for build := range r.IntN(5) {
			version := fmt.Sprint(1+at, ".", build)
			fmt.Fprintf(&text, "---\ndocument: modulemd\nversion: 2\ndata:\n  name: %s\n  stream: \"%d\"\n  version: %d\n  context: %s\n  arch: x86_64\n  summary: x\n  description: x\n  license:\n    module: [MIT]\n",
				name, []int{1, 2, 10}[r.IntN(3)], 1+build+10*at, []string{"aaaa", "bbbb"}[r.IntN(2)])
			if r.IntN(3) > 0 {
				text.WriteString("  dependencies:\n  - requires:\n")
				for _, other := range append([]string{"platform"}, names...) {
					streams := []string{"1"}
					switch {
					case other == name || r.IntN(2) == 0:
						continue
					case other == "platform":
						if streams[0] = "el9"; r.IntN(8) == 0 {
							streams[0] = "el8"
						}
					default:
						streams = [][]string{{}, {"1"}, {"2"}, {"2", "1"}, {"-1"}, {"10"}, {"1", "10"}}[r.IntN(7)]
					}
					for i, s := range streams {
						streams[i] = fmt.Sprintf("%q", s)
					}
					fmt.Fprintf(&text, "      %s: [%s]\n", other, strings.Join(streams, ", "))
				}
			}
			fmt.Fprintf(&text, "  artifacts:\n    rpms:\n    - %s-0:%s-1.module.x86_64\n...\n", name, version)
			pack(name, version, "1.module")
		}
	}
	pack(names[r.IntN(3)], fmt.Sprint(50+at), "1.plain")
	pack("other", fmt.Sprint(50+at), "1.plain")
	m := memory{}
	primary, modules := []byte(primaryHead+packages.String()+primaryTail), strings.ReplaceAll(text.String(), "requires:\n  artifacts", "requires: {}\n  artifacts")
	data := []string{m.add("primary", "primary.xml", primary, len(primary))}
	if modules != "" {
		data = append(data, m.add("modules", "modules.yaml", []byte(modules), len(modules)))
	}
	m.index("1", data...)
	return madeRepo{m, r.IntN(6) == 0, modules}
}

// place writes a repository into a folder.
func (m madeRepo) place(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, data := range m.files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestDNFModules holds module states over random repositories against dnf.
func TestDNFModules(t *testing.T) {
	type world struct {
		repos []madeRepo
		opts  ModuleOptions
	}
	r := rand.New(rand.NewPCG(5, 8))
	var worlds []world
	var input bytes.Buffer
	for range 150 {
		var repos []madeRepo
		var folders [][2]any
		for at := range 1 + r.IntN(2) {
			repos = append(repos, randomModules(r, at))
			folders = append(folders, [2]any{repos[at].place(t), repos[at].hotfixes})
		}
		for range 4 {
			opts := ModuleOptions{Enabled: []string{}, Disabled: []string{}, Platform: "el9"}
			for _, name := range []string{"a", "b", "c"} {
				switch r.IntN(4) {
				case 0:
					opts.Enabled = append(opts.Enabled, name+":"+[]string{"1", "2", "10"}[r.IntN(3)])
				case 1:
					if r.IntN(2) == 0 {
						opts.Disabled = append(opts.Disabled, name)
					}
				}
			}
			worlds = append(worlds, world{repos, opts})
			if err := json.NewEncoder(&input).Encode(map[string]any{"repos": folders, "enable": opts.Enabled, "disable": opts.Disabled}); err != nil {
				t.Fatal(err)
			}
		}
	}
	answers := askPython(t, dnfModules, input.String(), len(worlds))
	refused, different := 0, 0
	for i, w := range worlds {
		if answers[i] == "error" {
			refused++
		}
		if got := visibleIn(t, w.repos, w.opts); got != answers[i] {
			if different++; different < 4 {
				t.Errorf("%+v:\ngot %s\ndnf %s", w.opts, got, answers[i])
				for _, m := range w.repos {
					t.Logf("hotfixes %v\n%s", m.hotfixes, m.modules)
				}
			}
		}
	}
	t.Logf("%d states, %d refused by dnf, %d different", len(worlds), refused, different)
}

func visibleIn(t *testing.T, repos []madeRepo, opts ModuleOptions) string {
	t.Helper()
	var inputs []Input
	for i, m := range repos {
		inputs = append(inputs, Input{Repo: rpm.Repo{ID: fmt.Sprint("r", i), ModuleHotfixes: m.hotfixes}, Tree: m.files})
	}
	pool := rpm.NewPool()
	_, err := Load(t.Context(), pool, inputs, Options{Modules: opts})
	if errors.Is(err, manifest.ErrUnsolvable) {
		return "error"
	} else if err != nil {
		t.Fatal(err)
	}
	var visible []string
	for id := rpm.System + 1; int(id) < pool.Len(); id++ {
		if !pool.Package(id).Hidden {
			visible = append(visible, pool.NEVRA(id)+"@"+pool.Repo(pool.Package(id).Repo).ID)
		}
	}
	slices.Sort(visible)
	return strings.Join(visible, " ")
}
