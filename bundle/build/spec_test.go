package build

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pgbundle/manifest"
)

func TestUnsafePatroni(t *testing.T) {
	for requirement, want := range map[string]bool{
		"patroni[etcd3]>=3.0.3,<4": false,
		"patroni":                  false,
		"patroni>=2":               false, // the constraint keeps it above the floor
		"patroni~=3.0":             false,
		"patroni==4.0.7":           false,
		"patroni<4,!=3.0.3":        false,
		"patroni<=3.0.3":           false,
		"patroni==3.0.2":           true,
		"patroni<3.0.3":            true,
		"patroni<3":                true,
		"patroni==3.0.*,<3.0.3":    true,
		"patroni==2.*":             true,
	} {
		if got := unsafePatroni(requirement); got != want {
			t.Errorf("unsafePatroni(%q) = %v", requirement, got)
		}
	}
}

func TestSpecCheckNamesEveryMistake(t *testing.T) {
	s := Spec{PostgreSQL: "9.6", Etcd: "4", Target: "rhel8", Arch: "arm", NodePython: "3", ControlPython: "3.12", Patroni: "==3.0.2", With: []string{"barman"}}
	err := s.WithDefaults().Check()
	if !errors.Is(err, manifest.ErrUsage) {
		t.Fatalf("class of %v", err)
	}
	for _, want := range []string{"postgresql", "etcd", "target", "arch", "node python", "control python", "patroni", "with"} {
		if !strings.Contains(err.Error(), want+" \"") {
			t.Errorf("nothing about %s in:\n%s", want, err)
		}
	}
	if err := (Spec{}).WithDefaults().Check(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// TestDigestIsAboutWhatNotWhere holds that a mirror needs no new lock.
func TestDigestIsAboutWhatNotWhere(t *testing.T) {
	digest := func(change func(*Spec)) string {
		s := Spec{Repositories: map[string]string{"baseos": "https://one.example/"}}
		change(&s)
		d, err := s.WithDefaults().Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := digest(func(*Spec) {})
	for name, test := range map[string]struct {
		change func(*Spec)
		equal  bool
	}{
		"mirror":         {func(s *Spec) { s.Repositories["baseos"] = "/srv/mirror" }, true},
		"index":          {func(s *Spec) { s.IndexURL = "https://index.example/" }, true},
		"said defaults":  {func(s *Spec) { s.PostgreSQL, s.Python = "16", "3.9" }, true},
		"other major":    {func(s *Spec) { s.PostgreSQL = "15" }, false},
		"one more repo":  {func(s *Spec) { s.Repositories["epel"] = "https://one.example/" }, false},
		"one more part":  {func(s *Spec) { s.With = []string{"pgbackrest"} }, false},
		"another minor":  {func(s *Spec) { s.Target = "rhel9.4" }, false},
		"another python": {func(s *Spec) { s.NodePython = "3.11" }, false},
	} {
		if got := digest(test.change) == same; got != test.equal {
			t.Errorf("%s: equal is %v", name, got)
		}
	}
}

func TestPlacedName(t *testing.T) {
	long := "charset_normalizer-3.5.2-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl"
	for name, test := range map[string]struct{ file, arch, want string }{
		"short stays":        {"six-1.16.0-py2.py3-none-any.whl", "x86_64", "six-1.16.0-py2.py3-none-any.whl"},
		"long loses tags":    {long, "x86_64", "charset_normalizer-3.5.2-cp311-cp311-manylinux2014_x86_64.whl"},
		"none for this arch": {long, "aarch64", long},
	} {
		if got := placedName(test.file, test.arch); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func lockOf(artifacts ...manifest.Artifact) *manifest.Lock {
	return &manifest.Lock{Artifacts: artifacts}
}

func TestChanges(t *testing.T) {
	rpm := func(name, version, digest string) manifest.Artifact {
		return manifest.Artifact{Path: "rpms/" + name + "-" + version + ".rpm", Kind: manifest.RPM, Name: name, Version: version, SHA256: digest}
	}
	wheel := func(role, version string) manifest.Artifact {
		return manifest.Artifact{Path: "wheels/" + role + "/a-" + version + ".whl", Kind: manifest.Wheel, Name: "a", Version: version}
	}
	old := lockOf(rpm("gone", "1", "x"), rpm("new", "1", "x"), rpm("bytes", "1", "x"), rpm("same", "1", "x"), wheel("control", "1"), wheel("target", "1"))
	now := lockOf(rpm("come", "1", "x"), rpm("new", "2", "y"), rpm("bytes", "1", "y"), rpm("same", "1", "x"), wheel("control", "2"), wheel("target", "1"))
	want := []string{"~ rpm bytes 1, other bytes", "+ rpm come 1", "- rpm gone 1", "~ rpm new 2, was 1", "~ wheel a 2, was 1"}
	if diff := cmp.Diff(want, Changes(old, now)); diff != "" {
		t.Error(diff)
	}
	if got := Changes(nil, now); got != nil {
		t.Errorf("without a lock before: %v", got)
	}
}

func TestWhy(t *testing.T) {
	rpm := func(name string, by ...string) manifest.Artifact {
		return manifest.Artifact{Path: "rpms/" + name + ".rpm", Kind: manifest.RPM, Name: name, Version: "1", WantedBy: by}
	}
	lock := lockOf(rpm("haproxy", "haproxy"), rpm("pcre", "haproxy", "glib"), rpm("glib", "pcre"), rpm("cap", "libx.so"))
	for name, want := range map[string][][]string{
		"pcre":    {{"pcre 1", "haproxy", "the request haproxy"}},
		"glib":    {{"glib 1", "pcre", "haproxy", "the request haproxy"}},
		"haproxy": {{"haproxy 1", "the request haproxy"}},
		"cap":     {{"cap 1", "the request libx.so"}},
		"absent":  nil,
	} {
		if diff := cmp.Diff(want, Why(lock, name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestInOrder holds that results come in the order of the names, and that the
// first failure of the user ends it.
func TestInOrder(t *testing.T) {
	names := strings.Split(strings.Repeat("a b c d e f g ", 200), " ")
	for _, jobs := range []int{1, 2, 8} {
		var got []string
		err := inOrder(t.Context(), jobs, names, func(n string) (string, error) { return n + n, nil },
			func(_, value string, _ error) error { got = append(got, value[:len(value)/2]); return nil })
		if err != nil || !cmp.Equal(got, names) {
			t.Fatalf("%d jobs: %v, %d of %d results", jobs, err, len(got), len(names))
		}
		stop := errors.New("enough")
		n := 0
		err = inOrder(t.Context(), jobs, names, func(n string) (string, error) { return n, nil },
			func(string, string, error) error {
				if n++; n == 3 {
					return stop
				}
				return nil
			})
		if !errors.Is(err, stop) || n != 3 {
			t.Fatalf("%d jobs: %v after %d", jobs, err, n)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte("0\n\n0"))
	f.Add([]byte("- a\n"))
	f.Add([]byte("packages: a\nwith: {b: c}\n"))
	f.Add([]byte("postgresql: \"16\"\netcd: 3.5.16\nwith: [pgbackrest]\nrepositories: {a: b}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		f, err := ReadSpec("pgbundle.yaml", data)
		if err != nil {
			if strings.Contains(err.Error(), "build.Spec") || strings.Contains(err.Error(), "unmarshal") {
				t.Fatalf("Go's words in %v", err)
			}
			if !errors.Is(err, manifest.ErrUsage) {
				t.Fatalf("class of %v", err)
			}
			return
		}
		if f.Check(f.Spec) == nil {
			s := f.Spec.WithDefaults()
			if _, err := s.Digest(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
