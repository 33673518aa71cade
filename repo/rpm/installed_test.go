package rpm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// pack is a package with its dependencies by kind, each list separated by ", ".
type pack struct {
	name, evr, arch string
	deps            map[string]string
}

// onNode has each kind of dependency, and paths.
var onNode = []pack{
	{"base", "1:2-3", "x86_64", map[string]string{
		"provides": "base = 1:2-3, base(x86-64) = 1:2-3, libbase.so()(64bit), virtual", "requires": "held = 1-1, (extra >= 1 if extra), /bin/sh",
		"conflicts": "rival < 2, rival2", "obsoletes": "former < 1:5", "recommends": "declined", "suggests": "zebra, (x or y)",
		"supplements": "(base and langpacks-de)", "enhances": "something", "files": "/usr/bin/base tool, /etc/base.conf",
	}},
	{"held", "1-1", "noarch", map[string]string{"provides": "held = 1-1"}},
}

var inRepository = []pack{
	{"held", "2-1", "noarch", map[string]string{"provides": "held = 2-1"}},
	{"library", "1-1", "x86_64", map[string]string{"provides": "libbase.so()(64bit), virtual, /usr/bin/base-tool, /etc/base.conf"}},
	{"capability", "1-1", "noarch", map[string]string{"requires": "libbase.so()(64bit), base(x86-64) >= 1:2"}},
	{"path", "1-1", "noarch", map[string]string{"requires": "/etc/base.conf"}},
	{"upgrade", "1-1", "noarch", map[string]string{"requires": "held >= 2"}},
	{"rival", "1-1", "noarch", map[string]string{"provides": "rival = 1-1"}},
	{"former", "1:4-1", "noarch", map[string]string{"provides": "former = 1:4-1"}},
	{"eager", "1-1", "noarch", map[string]string{"recommends": "declined"}},
	{"declined", "1-1", "noarch", map[string]string{"provides": "declined = 1-1"}},
	{"choosy", "1-1", "noarch", map[string]string{"requires": "animal"}},
	{"ant", "1-1", "noarch", map[string]string{"provides": "animal"}},
	{"zebra", "1-1", "noarch", map[string]string{"provides": "animal, zebra = 1-1"}},
}

// kindsOf are the lists of a package by kind.
func kindsOf(p *rpm.Package) map[string]*[]rpm.Dep {
	return map[string]*[]rpm.Dep{
		"provides": &p.Provides, "requires": &p.Requires, "conflicts": &p.Conflicts, "obsoletes": &p.Obsoletes,
		"recommends": &p.Recommends, "suggests": &p.Suggests, "supplements": &p.Supplements, "enhances": &p.Enhances,
	}
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ", ")
}

// add puts packages into a repository as the readers of metadata do.
func add(t *testing.T, pool *rpm.Pool, repo rpm.Repo, packs []pack) {
	t.Helper()
	ops := map[string]rpm.Op{"<": rpm.LT, ">=": rpm.GT | rpm.EQ, "=": rpm.EQ}
	id := pool.AddRepo(repo)
	for _, p := range packs {
		pkg := rpm.Package{Name: pool.InternString(p.name), EVR: pool.InternString(p.evr), Arch: pool.InternString(p.arch), Repo: id}
		for kind, deps := range kindsOf(&pkg) {
			for _, text := range split(p.deps[kind]) {
				name, op, epoch, version, release := text, rpm.Op(0), "", "", ""
				if words := strings.Fields(text); len(words) == 3 && text[0] != '(' {
					name, op = words[0], ops[words[1]]
					epoch, version, release = rpm.SplitEVR(words[2])
				}
				*deps = append(*deps, pool.Capability([]byte(name), op, []byte(epoch), []byte(version), []byte(release)))
			}
		}
		added := pool.Add(pkg)
		for _, path := range split(p.deps["files"]) {
			pool.AddFile(added, []byte(path))
		}
	}
}

// throughFacts returns packages as the facts of a node tell them, read again.
func throughFacts(t *testing.T, packs []pack) []manifest.Package {
	t.Helper()
	n := manifest.Node{Version: manifest.NodeVersion, Collected: manifest.Collected{By: "pgbundle", Time: time.Unix(0, 0)}}
	for _, p := range packs {
		d := func(kind string) []string { return split(p.deps[kind]) }
		n.Packages = append(n.Packages, manifest.Package{
			Name: p.name, EVR: p.evr, Arch: p.arch, Provides: d("provides"), Requires: d("requires"), Conflicts: d("conflicts"), Obsoletes: d("obsoletes"),
			Recommends: d("recommends"), Suggests: d("suggests"), Supplements: d("supplements"), Enhances: d("enhances"), Files: d("files"),
		})
	}
	text, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := manifest.ParseNode(text)
	if err != nil {
		t.Fatal(err)
	}
	return back.Packages
}

// answer solves requests and tells what comes, and with a minus what goes.
func answer(t *testing.T, pool *rpm.Pool, request string) string {
	t.Helper()
	add(t, pool, rpm.Repo{ID: "main", Priority: 99, Cost: 1000}, inRepository)
	pool.Prepare("x86_64")
	r, err := solve.NewSolver(pool).Solve(t.Context(), solve.Job{Requests: strings.Fields(request), Weak: true})
	if errors.Is(err, manifest.ErrUnsolvable) {
		return "refused"
	} else if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, id := range r.Packages {
		out = append(out, pool.NEVRA(id))
	}
	for _, g := range r.Gone {
		out = append(out, "-"+pool.NEVRA(g.Package))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// A node's packages mean the same whether they come from its facts or not: every
// list comes through, and is one that an answer hangs on.
func TestInstalledThroughFacts(t *testing.T) {
	direct := func() *rpm.Pool {
		pool := rpm.NewPool()
		add(t, pool, rpm.Repo{ID: "@System", Installed: true}, onNode)
		return pool
	}
	told := func(packages []manifest.Package) *rpm.Pool {
		pool := rpm.NewPool()
		pool.AddInstalled(packages)
		return pool
	}
	facts := throughFacts(t, onNode)
	if diff := cmp.Diff(words(direct()), words(told(facts))); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		request, want string
		without       func(p *manifest.Package) // lets the answer be another
	}{
		{"capability", "capability-1-1.noarch", func(p *manifest.Package) { p.Provides = nil }},
		{"path", "path-1-1.noarch", func(p *manifest.Package) { p.Files = nil }},
		{"upgrade", "refused", func(p *manifest.Package) { p.Requires = nil }},
		{"rival", "refused", func(p *manifest.Package) { p.Conflicts = nil }},
		{"former", "", func(p *manifest.Package) { p.Obsoletes = nil }}, // what obsoletes it is there
		{"eager", "eager-1-1.noarch", func(p *manifest.Package) { p.Recommends = nil }},
		{"choosy", "choosy-1-1.noarch zebra-1-1.noarch", func(p *manifest.Package) { p.Suggests = nil }},
	} {
		t.Run(c.request, func(t *testing.T) {
			if got := answer(t, direct(), c.request); got != c.want {
				t.Errorf("made directly: %s; want %s", got, c.want)
			}
			if got := answer(t, told(facts), c.request); got != c.want {
				t.Errorf("through facts: %s; want %s", got, c.want)
			}
			less := slices.Clone(facts)
			c.without(&less[0])
			if got := answer(t, told(less), c.request); got == c.want {
				t.Errorf("without the list it is the same: %s", got)
			}
		})
	}
}

// words are the packages of a pool, one text for each list.
func words(pool *rpm.Pool) []string {
	pool.Prepare("x86_64")
	var out []string
	for id := rpm.ID(2); int(id) < pool.Len(); id++ { // 1 is the system itself
		pkg := pool.Package(id)
		out = append(out, pool.NEVRA(id), strings.Join(pool.FilesOf(id), ", "))
		for kind, deps := range kindsOf(pkg) {
			text := kind + ":"
			for _, d := range *deps {
				text += " " + pool.DepString(d) + ","
			}
			out = append(out, text)
		}
		slices.Sort(out[len(out)-len(kindsOf(pkg)):])
	}
	return out
}

// A dependency that is none is a name that nothing has.
func TestInstalledOddDependency(t *testing.T) {
	pool := rpm.NewPool()
	pool.AddInstalled([]manifest.Package{{Name: "a", EVR: "1-1", Arch: "noarch", Provides: []string{"b"}, Requires: []string{"b >=", "b"}}})
	pool.Prepare("x86_64")
	odd, plain := pool.Package(rpm.System + 1).Requires[0], pool.Package(rpm.System + 1).Requires[1]
	if pool.DepString(odd) != "b >=" || len(pool.Providers(odd)) != 0 || len(pool.Providers(plain)) != 1 {
		t.Errorf("%q has %v, b has %v", pool.DepString(odd), pool.Providers(odd), pool.Providers(plain))
	}
}
