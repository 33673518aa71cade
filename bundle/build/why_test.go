package build

import (
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// TestWhyOfDelta holds that what is on the target is no request.
func TestWhyOfDelta(t *testing.T) {
	pkg := func(name string, wantedBy ...string) manifest.Artifact {
		return manifest.Artifact{Path: "rpms/" + name + ".rpm", Kind: manifest.RPM, Name: name, Version: "1-1", WantedBy: wantedBy}
	}
	lock := &manifest.Lock{
		Profile:   manifest.Delta,
		Requests:  []manifest.Request{{Kind: manifest.RPM, Want: "haproxy"}, {Kind: manifest.RPM, Want: "perl(Foo)"}},
		Artifacts: []manifest.Artifact{pkg("libs", "coreutils"), pkg("lua", "haproxy"), pkg("perl-Foo", "perl-Foo"), pkg("perl-Bar", "perl-Foo")},
	}
	for name, want := range map[string]string{
		"libs":     "libs 1-1, coreutils, which the target has",
		"lua":      "lua 1-1, the request haproxy",
		"perl-Bar": "perl-Bar 1-1, perl-Foo, the request perl-Foo",
	} {
		chains := Why(lock, name)
		if len(chains) != 1 || strings.Join(chains[0], ", ") != want {
			t.Errorf("%s: %q, want %q", name, chains, want)
		}
	}
}

// TestUpgradeIsNoRequest holds that a package is not wanted by the older build of
// it that a node has.
func TestUpgradeIsNoRequest(t *testing.T) {
	r := &RPMs{pool: rpm.NewPool(), arch: "x86_64"}
	r.pool.AddInstalled([]manifest.Package{{Name: "libs", EVR: "1-1", Arch: "x86_64"}})
	r.pool.AddPackages(rpm.Repo{ID: "repo", Priority: 99}, []manifest.Package{
		{Name: "libs", EVR: "2-1", Arch: "x86_64"}, {Name: "app", EVR: "1-1", Arch: "x86_64", Requires: []string{"libs >= 2"}},
	})
	r.prepare()
	res, err := r.solver.Solve(t.Context(), solve.Job{Requests: []string{"app"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range res.Packages {
		if got := r.resolved(id, res.WantedBy(id)); !slices.Equal(got.WantedBy, []string{"app"}) {
			t.Errorf("%s is wanted by %q", got.NEVRA, got.WantedBy)
		}
	}
}
