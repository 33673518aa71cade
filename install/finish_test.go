package install

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
)

// finishes runs the steps of Finish on the active release of an image: what
// runs the node's own programs is left out there.
func (s *site) finishes(t *testing.T) error {
	t.Helper()
	return s.finishesAs(t, &Result{})
}

func (s *site) finishesAs(t *testing.T, res *Result) error {
	t.Helper()
	i := s.open(t)
	st, err := i.read()
	must(t, err)
	r := st.find(st.active)
	raw, err := os.ReadFile(filepath.Join(r.dir, manifest.ManifestName))
	must(t, err)
	m, err := manifest.ParseManifest(raw)
	must(t, err)
	return i.finish(t.Context(), st, r, m, res)
}

// An image passes through many hands before it boots: nothing of it is run
// that is not as it was placed.
func TestFinishRefusesDrift(t *testing.T) {
	for name, path := range map[string]string{"wheel": "wheels/control/ansible_core.whl", "program": "pgbundle", "extra": "wheels/control/more.whl"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			res := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: controller})
			s.write(t, res.Path+"/venv/bin/python", "half")
			s.write(t, res.Path+"/"+path, "altered")
			before := s.listing(t)
			err := s.finishes(t)
			if !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "install its bundle again") {
				t.Errorf("finished: %v", err)
			}
			if after := s.listing(t); !slices.Equal(before, after) {
				t.Errorf("changed:\n%v\n%v", before, after)
			}
		})
	}
}

func TestPolicyIsPendingUntilTheReleaseIsTheNodes(t *testing.T) {
	s := newSite(t)
	res := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: controller})
	if st := s.status(t); !slices.Equal(st.Pending, []string{stepVenv, stepPolicy}) {
		t.Fatalf("pending %v", st.Pending)
	}
	s.write(t, res.Path+"/venv/bin/python", "half of a finish that was killed")
	repos := s.path(filepath.Dir(repositoryFile))
	must(t, errors.Join(os.RemoveAll(repos), os.WriteFile(repos, nil, 0o644)))
	for range 2 {
		if err := s.finishes(t); err == nil {
			t.Fatal("finished without a repository file")
		}
		i := s.open(t)
		st, err := i.read()
		must(t, err)
		if r := st.find(res.Release); !slices.Equal(r.receipt.Pending, []string{stepPolicy}) {
			t.Errorf("pending %v", r.receipt.Pending)
		}
	}
	if _, err := os.Lstat(s.path(res.Path + "/venv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half venv: %v", err)
	}
	must(t, os.Remove(repos))
	for range 2 {
		must(t, s.finishes(t))
		if st := s.status(t); len(st.Pending) > 0 || !st.Whole || len(st.Releases[0].Receipt.Pending) > 0 {
			t.Errorf("status %+v", st)
		}
	}
}

// The list is written before the receipt: a kill between them is no drift as
// long as the venv is to be made anew.
func TestListOfAPendingVenv(t *testing.T) {
	s := newSite(t)
	res := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: controller})
	s.write(t, res.Path+"/venv/bin/python", "half")
	s.write(t, res.Path+"/"+madeName, "half")
	must(t, os.Chmod(s.path(res.Path+"/"+madeName), 0o644))
	if st := s.status(t); !st.Whole {
		t.Errorf("drift %+v", st.Releases[0].Drift)
	}
	res = s.install(t, Options{Bundle: pack(t, content("two"), nil).path, Roles: target})
	s.write(t, res.Path+"/"+madeName, "x")
	if d := s.status(t).Releases[0].Drift; len(d) != 1 || d[0].Path != madeName {
		t.Errorf("a target has no venv: %+v", d)
	}
}

// An image that was filled where no key was trusted is vouched for by the keys
// of the node: status says so from then on, and what is older is refused.
func TestFinishVouches(t *testing.T) {
	secret, public := testKeys(t, 1)
	s := newSite(t)
	s.install(t, Options{Bundle: pack(t, content("one"), &secret[0]).path, Roles: target})
	must(t, s.finishes(t))
	if st := s.status(t); st.Releases[0].Authenticated {
		t.Errorf("nobody vouched: %+v", st.Releases[0].Receipt)
	}
	must(t, s.finishesAs(t, &Result{Authenticated: true, By: secret[0].ID()}))
	if st := s.status(t); !st.Whole || !st.Releases[0].Authenticated || st.Releases[0].By != secret[0].ID() {
		t.Errorf("status %+v", st.Releases[0].Receipt)
	}
	older := pack(t, content("old"), &secret[0], func(m *manifest.Manifest) { m.Lock.Time = built.AddDate(0, -1, 0) })
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: older.path, Roles: target, Keys: public}); !errors.Is(err, manifest.ErrSignature) || !strings.Contains(err.Error(), "an older one is refused") {
		t.Errorf("an older bundle: %v", err)
	}
}
