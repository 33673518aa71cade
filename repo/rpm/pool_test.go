package rpm

import (
	"slices"
	"sync"
	"testing"
)

// testPool builds packages from their dependency texts.
type testPool struct {
	*Pool
	t    *testing.T
	repo RepoID
}

func newTestPool(t *testing.T) *testPool {
	t.Helper()
	p := NewPool()
	return &testPool{p, t, p.AddRepo(Repo{ID: "test", Priority: 99})}
}

func (p *testPool) dep(s string) Dep {
	p.t.Helper()
	d, err := p.ParseDep(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *testPool) deps(list []string) []Dep {
	p.t.Helper()
	var out []Dep
	for _, s := range list {
		out = append(out, p.dep(s))
	}
	return out
}

func (p *testPool) pkg(nevra string, provides ...string) ID {
	p.t.Helper()
	n, ok := ParseNEVRA(nevra)
	if !ok {
		p.t.Fatalf("%s is no NEVRA", nevra)
	}
	return p.Add(Package{
		Name:     p.InternString(n.Name),
		EVR:      p.InternEVR([]byte(n.Epoch), []byte(n.Version), []byte(n.Release)),
		Arch:     p.InternString(n.Arch),
		Repo:     p.repo,
		Provides: p.deps(provides),
	})
}

func (p *testPool) providers(dep string) []string {
	p.t.Helper()
	out := []string{}
	for _, id := range p.Providers(p.dep(dep)) {
		if id == System {
			out = append(out, "system")
			continue
		}
		out = append(out, p.NEVRA(id))
	}
	return out
}

func TestProviders(t *testing.T) {
	p := newTestPool(t)
	a := p.pkg("a-1.0-1.x86_64", "cap", "lib = 2.0", "both")
	p.pkg("b-2:1.0-1.x86_64", "lib = 2.0-3", "lib = 5")
	p.pkg("c-1.0-1.noarch", "cap = 3", "low < 5", "both", "cap = 3")
	src := p.pkg("a-1.0-1.src", "cap")
	arm := p.pkg("a-1.0-1.aarch64", "cap")
	for _, id := range []ID{a, src, arm} {
		p.AddFile(id, []byte("/usr/bin/a"))
	}
	p.AddFile(a, []byte("/usr/bin/other"))
	asked := []struct {
		dep  string
		want []string
	}{
		{"cap", []string{"a-1.0-1.x86_64", "c-1.0-1.noarch"}},
		{"cap >= 9", []string{"a-1.0-1.x86_64"}}, // a provide without a version meets all
		{"cap = 3-7", []string{"a-1.0-1.x86_64", "c-1.0-1.noarch"}},
		{"lib", []string{"a-1.0-1.x86_64", "b-2:1.0-1.x86_64"}},
		{"lib = 2.0-9", []string{"a-1.0-1.x86_64"}}, // the provide has no release
		{"lib > 2.0", []string{"b-2:1.0-1.x86_64"}},
		{"lib = 5", []string{"b-2:1.0-1.x86_64"}},
		{"lib = 6", []string{}},
		{"low = 1", []string{"c-1.0-1.noarch"}},
		{"low > 4", []string{"c-1.0-1.noarch"}},
		{"low >= 5", []string{}},
		{"b > 1.0", []string{"b-2:1.0-1.x86_64"}}, // the epoch
		{"a = 1.0", []string{"a-1.0-1.x86_64"}},
		{"a > 1.0", []string{}},
		{"(cap or lib)", []string{"a-1.0-1.x86_64", "b-2:1.0-1.x86_64", "c-1.0-1.noarch"}},
		{"(both with cap = 3)", []string{"a-1.0-1.x86_64", "c-1.0-1.noarch"}},
		{"(both with a)", []string{"a-1.0-1.x86_64"}},
		{"(both without a)", []string{"c-1.0-1.noarch"}},
		{"(lib >= 5 if a)", []string{"b-2:1.0-1.x86_64"}},
		{"(lib >= 5 if a else c)", []string{"b-2:1.0-1.x86_64", "c-1.0-1.noarch"}},
		{"/usr/bin/a", []string{"a-1.0-1.x86_64"}},
		{"rpmlib(PayloadIsZstd) <= 5.4.18-1", []string{"system"}},
		{"rpmlib(X)", []string{"system"}},
		{"nothing", []string{}},
	}
	for _, q := range asked { // intern all first, as loading does
		p.dep(q.dep)
	}
	p.Prepare("x86_64")
	for range 2 { // computed, then kept
		for _, q := range asked {
			if got := p.providers(q.dep); !slices.Equal(got, q.want) {
				t.Errorf("%s: got %v, want %v", q.dep, got, q.want)
			}
		}
	}
	if got := p.providers("/usr/bin/other"); !slices.Equal(got, []string{"a-1.0-1.x86_64"}) {
		t.Errorf("a path that was named after Prepare: got %v", got)
	}
}

func TestAddKeepsDependencies(t *testing.T) {
	p := newTestPool(t)
	id := p.pkg("a-1-1.x86_64", "z", "a = 1-1", "z", "y")
	var got []string
	for _, d := range p.Package(id).Provides {
		got = append(got, p.DepString(d))
	}
	if want := []string{"z", "a = 1-1", "y"}; !slices.Equal(got, want) {
		t.Errorf("provides: got %v, want %v", got, want)
	}
	src := p.pkg("a-1-1.src")
	if len(p.Package(src).Provides) != 0 {
		t.Error("a source package provides itself")
	}
}

func TestNeedFiles(t *testing.T) {
	p := newTestPool(t)
	p.pkg("a-1-1.x86_64")
	p.dep("/usr/bin/x")
	d := p.dep("/usr/libexec/x")
	p.dep("/usr/libexec/unasked")
	p.Prepare("x86_64")
	p.providers("/usr/bin/x")
	p.providers("/usr/libexec/x")
	if got := p.NeedFiles(); !slices.Equal(got, []Str{d.Str()}) {
		t.Errorf("got %v, want [%v]", got, d)
	}
	p.FilesLoaded()
	p.Prepare("x86_64")
	p.providers("/usr/libexec/x")
	if got := p.NeedFiles(); len(got) != 0 {
		t.Errorf("after the file lists: %v", got)
	}
}

func TestNamed(t *testing.T) {
	p := newTestPool(t)
	p.pkg("a-1-1.x86_64")
	p.pkg("a-2-1.x86_64")
	p.pkg("b-1-1.x86_64", "a = 1-1")
	d := p.dep("a < 2")
	p.Prepare("x86_64")
	if got := p.Named(d); !slices.Equal(got, []ID{2}) {
		t.Errorf("got %v, want [2]", got)
	}
	if got := p.ByName(p.Lookup("a")); !slices.Equal(got, []ID{2, 3}) {
		t.Errorf("by name: got %v, want [2 3]", got)
	}
}

func TestArchScore(t *testing.T) {
	p := NewPool()
	p.Prepare("x86_64")
	for arch, want := range map[string]int{"noarch": 1, "x86_64": 0x10001, "i686": 0x30001, "src": 0, "aarch64": 0} {
		if got := p.ArchScore(p.Lookup(arch)); got != want {
			t.Errorf("%s: got %#x, want %#x", arch, got, want)
		}
	}
}

// TestProvidersFromManyGoroutines is for the race detector.
func TestProvidersFromManyGoroutines(t *testing.T) {
	p := newTestPool(t)
	for _, v := range []string{"1", "2", "3"} {
		p.pkg("a-"+v+"-1.x86_64", "cap = "+v, "cap = 9", "/opt/a")
	}
	deps := p.deps([]string{"cap", "cap >= 2", "(cap with a < 3)", "/opt/a", "a > 1"})
	p.Prepare("x86_64")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, d := range deps {
				if len(p.Providers(d)) == 0 {
					t.Errorf("nothing provides %s", p.DepString(d))
				}
				p.NeedFiles()
			}
		})
	}
	wg.Wait()
}
