package rpm

import (
	"slices"
	"strings"
	"testing"
)

// TestNamesIn holds which names a version lock is about: what
// dnf.subject.Subject(pattern).get_nevra_possibilities() of dnf 4.14 names.
func TestNamesIn(t *testing.T) {
	for _, test := range []struct{ pattern, want string }{
		{"foo", "foo"},
		{"foo.x86_64", "foo foo.x86_64"},
		{"foo-0:1.0-1.*", "foo"},
		{"foo-1:2", "foo"},
		{"foo-bar-1:2", "foo-bar"},
		{"foo-1.0-1.el9.x86_64", "foo foo-1.0 foo-1.0-1.el9 foo-1.0-1.el9.x86_64"},
		{"postgresql16-server", "postgresql16 postgresql16-server"},
		{"foo-*", "foo foo-*"},
		{"foo-[0-9]*", "foo foo-[0 foo-[0-9]*"},
		{"a b", ""}, {"(x)", ""}, {"", ""}, {"-", "-"}, {"x:", ""}, {"foo-1.0", "foo foo-1 foo-1.0"}, {"a-1:b-2", "a"}, {"a-b.c-d", "a a-b.c a-b.c-d"},
	} {
		names := namesIn(test.pattern)
		slices.Sort(names)
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.pattern, got, test.want)
		}
	}
}

func TestLockVersions(t *testing.T) {
	for _, test := range []struct{ name, locks, want string }{
		{"no lock", "", ""},
		{"the build that is there", "foo-0:1-1.*", "bar-1-1.noarch foo-2-1.noarch"},
		{"another build", "foo-0:2-1.*", ""},
		{"a build that nobody has", "foo-0:7-1.*", "foo-2-1.noarch"},
		{"a name", "foo", "bar-1-1.noarch"},
		{"a name with a hyphen", "foo-libs", "foo-2-1.noarch"},
		{"a ban", "!foo-2-1.noarch", "foo-2-1.noarch"},
		{"a lock and a ban", "foo !foo-2*", "bar-1-1.noarch foo-2-1.noarch"},
		{"a lock on what obsoletes another locked build", "foo-1-1.noarch bar", "foo-2-1.noarch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newTestPool(t)
			node := p.repo
			p.repos[node].Installed = true
			p.pkg("foo-1-1.noarch")
			p.repo = p.AddRepo(Repo{ID: "repo", Priority: 99})
			p.pkg("foo-2-1.noarch")
			p.pkg("foo-libs-2-1.noarch")
			p.Package(p.pkg("bar-1-1.noarch")).Obsoletes = p.deps([]string{"foo < 2"})
			p.LockVersions(strings.Fields(test.locks))
			var hidden []string
			p.each(func(id ID, pkg *Package) {
				if pkg.Hidden {
					hidden = append(hidden, p.NEVRA(id))
				}
			})
			slices.Sort(hidden)
			if got := strings.Join(hidden, " "); got != test.want {
				t.Errorf("hidden: %q, want %q", got, test.want)
			}
		})
	}
}
