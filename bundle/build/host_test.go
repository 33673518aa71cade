package build

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgbundle/manifest"
)

// elHost is an EL host with everything that its dnf reads.
func elHost() Host {
	return Host{
		EL:   true,
		Conf: fstest.MapFS{"dnf.conf": {Data: []byte("[main]\ngpgcheck=1\nexcludepkgs=kernel*\nsslverify=1\n")}},
		Repos: []fs.FS{
			fstest.MapFS{
				"rocky.repo": {Data: []byte("[baseos]\nbaseurl=https://$host/$contentdir/$releasever/BaseOS/$basearch/os/\ngpgkey=file:///etc/pki/rpm-gpg/A\n  file:///etc/pki/rpm-gpg/B\n" +
					"[debug]\nenabled=0\nbaseurl=https://$nowhere/\n")},
				"a.repo": {Data: []byte("[odd]\nbaseurl=https://e.org/$arch\nproxy=http://p.e.org\nsslverify=0\nskip_if_unavailable=1\nexclude=foo\n")},
			},
			fstest.MapFS{"more.repo": {Data: []byte("[baseos]\nbaseurl=https://other/\n[extra]\nbaseurl=https://e.org/extra\n")}},
		},
		Vars: []fs.FS{
			fstest.MapFS{"contentdir": {Data: []byte("pub/rocky\n")}},
			fstest.MapFS{"contentdir": {Data: []byte("loses\n")}, "host": {Data: []byte("dl.e.org\n")}},
		},
	}
}

func TestHostRepositories(t *testing.T) {
	spec := Spec{Target: "rhel9.4"}.WithDefaults()
	src, notes, err := FindSources(spec, elHost())
	if err != nil {
		t.Fatal(err)
	}
	if ids := src.ids(); ids != "odd, baseos, extra" {
		t.Fatalf("repositories: %s", ids)
	}
	odd, baseos := src.Repos[0], src.Repos[1]
	if got := baseos.BaseURLs[0]; got != "https://dl.e.org/pub/rocky/9.4/BaseOS/x86_64/os" {
		t.Errorf("baseurl %s", got)
	}
	if !slices.Equal(baseos.GPGKeys, []string{"file:///etc/pki/rpm-gpg/A", "file:///etc/pki/rpm-gpg/B"}) {
		t.Errorf("keys %v", baseos.GPGKeys)
	}
	if !slices.Equal(odd.Exclude, []string{"kernel*", "foo"}) {
		t.Errorf("excludes %v", odd.Exclude)
	}
	if odd.BaseURLs[0] != "https://e.org/x86_64" || !odd.SkipIfUnavailable {
		t.Errorf("%+v", odd)
	}
	want := []string{
		"repository odd: its proxy option is passed over: HTTPS_PROXY and NO_PROXY say which way to go",
		"repository odd: sslverify=0 is passed over: name its authority with --cacert or sslcacert",
	}
	if !slices.Equal(notes, want) {
		t.Errorf("notes\n%s", strings.Join(notes, "\n"))
	}
}

func TestHostWithoutRepositories(t *testing.T) {
	spec := Spec{Repos: []string{"host"}}.WithDefaults()
	for name, host := range map[string]Host{
		"no folder": {},
		"none on":   {Repos: []fs.FS{fstest.MapFS{"a.repo": {Data: []byte("[a]\nenabled=0\n")}}}},
	} {
		_, _, err := FindSources(spec, host)
		if !errors.Is(err, manifest.ErrUsage) || !strings.Contains(err.Error(), "this host has no enabled repository: name a set or a .repo file with --repos") {
			t.Errorf("%s: %v", name, err)
		}
	}
	host := elHost()
	host.Conf = fstest.MapFS{"dnf.conf": {Data: []byte("[main]\nnonsense\n")}}
	if _, _, err := FindSources(spec, host); !errors.Is(err, manifest.ErrUsage) || !strings.Contains(err.Error(), "read dnf.conf: line 2: want KEY=VALUE") {
		t.Errorf("broken dnf.conf: %v", err)
	}
}
