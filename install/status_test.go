package install

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/install/node"
	"pgbundle/manifest/sign"
)

// one finding, and status goes on.
func wantFinding(t *testing.T, st *Status, words string) {
	t.Helper()
	if st.Whole || len(st.Findings) != 1 || !strings.Contains(st.Findings[0], words) || len(st.Releases) == 0 || st.Active == "" {
		t.Errorf("%s: status %+v", words, st)
	}
}

func TestStatusOfADamagedHistory(t *testing.T) {
	s := newSite(t)
	s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	s.write(t, DefaultBase+".d/history.yaml", "version: 1\nfoo: bar\n")
	wantFinding(t, s.status(t), "history.yaml")
}

func TestStatusOfTheProgramLinks(t *testing.T) {
	local, second := programLinks[0], programLinks[1]
	s := newSite(t)
	s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	link := func(name, target string) {
		t.Helper()
		must(t, errors.Join(os.RemoveAll(s.path(name)), os.MkdirAll(filepath.Dir(s.path(name)), 0o755), os.Symlink(target, s.path(name))))
	}
	must(t, os.Remove(s.path(local)))
	wantFinding(t, s.status(t), local+" is not there")

	// Another base's, where one is installed.
	must(t, os.MkdirAll(s.path("/srv/pg.d/0123456789ab-target"), 0o755))
	must(t, os.Symlink("/srv/pg/pgbundle", s.path(local)))
	n, err := node.Open(s.root, nil)
	must(t, err)
	i, err := New(Config{Node: n, Base: DefaultBase, Now: time.Now})
	must(t, err)
	st, err := i.Status(t.Context(), StatusOptions{})
	must(t, err)
	wantFinding(t, st, local+" goes to /srv/pg/pgbundle")
	must(t, os.RemoveAll(s.path("/srv")))

	// Somebody's own is left alone by install, and told.
	for name, make := range map[string]func(){
		"file": func() { must(t, os.Remove(s.path(local))); s.write(t, local, "\x7fELF") },
		"link": func() { link(local, "/opt/tools/pgbundle") },
	} {
		make()
		if st := s.status(t); !st.Whole || len(st.Notes) != 1 || !strings.Contains(st.Notes[0], local+" is not ours") {
			t.Errorf("%s: status %+v", name, st)
		}
	}
	link(local, DefaultBase+"/pgbundle")
	if st := s.status(t); !st.Whole || len(st.Notes) > 0 {
		t.Errorf("status %+v", st)
	}
	link(second, "/opt/tools/pgbundle")
	if st := s.status(t); !st.Whole || len(st.Notes) != 1 || !strings.Contains(st.Notes[0], second) {
		t.Errorf("status %+v", st)
	}
}

func TestStatusChecksSignatures(t *testing.T) {
	keys := make([]sign.PrivateKey, 2)
	for n := range keys {
		key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{byte(n + 7)}, 256)))
		must(t, err)
		keys[n] = key
	}
	s := newSite(t)
	res := s.install(t, Options{Bundle: pack(t, content("one"), &keys[0]).path, Roles: target})
	other := s.install(t, Options{Bundle: pack(t, content("two"), &keys[0]).path, Roles: target})
	says := func(want string, o StatusOptions) {
		t.Helper()
		st, err := s.open(t).Status(t.Context(), o)
		must(t, err)
		for _, r := range st.Releases {
			if r.Name == res.Release && (want == "" && r.Authentic != "" || !strings.Contains(r.Authentic, want)) {
				t.Errorf("%q, want %q", r.Authentic, want)
			}
		}
	}
	says("", StatusOptions{})
	says("no trusted key", StatusOptions{Verify: true})
	for _, verify := range []bool{false, true} {
		says("signed by "+keys[0].ID(), StatusOptions{Verify: verify, Keys: []sign.PublicKey{keys[1].Public(), keys[0].Public()}})
		says("trust", StatusOptions{Verify: verify, Keys: []sign.PublicKey{keys[1].Public()}})
	}
	// Another manifest that the key signed is not this release's.
	for _, name := range []string{"manifest.yaml", "manifest.yaml.minisig"} {
		data, err := os.ReadFile(s.path(other.Path + "/" + name))
		must(t, err)
		s.write(t, res.Path+"/"+name, string(data))
	}
	says("not the one that was installed", StatusOptions{Keys: []sign.PublicKey{keys[0].Public()}})
}

// What a run that is at work has not finished is its, and not left by one that
// did not end. Asking keeps no run from its work.
func TestStatusWhileARunIsAtWork(t *testing.T) {
	s := newSite(t)
	res := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	partial := DefaultBase + ".d/0123456789ab-target"
	s.write(t, partial+"/"+marker, "")
	s.write(t, DefaultBase+".d/"+node.Prefix+"scratch-1/x", "")
	left := []string{DefaultBase + ".d/" + node.Prefix + "scratch-1", partial}

	unlock, err := s.open(t).lock()
	must(t, err)
	st := s.status(t)
	if !st.Running || !st.Whole || len(st.Left) > 0 || st.Active != res.Release {
		t.Errorf("while it is at work: %+v", st)
	}
	if r := st.Releases[1]; !r.Unfinished || r.Fault != "it is not finished yet" {
		t.Errorf("the release that is being placed: %+v", r)
	}
	unlock()
	st = s.status(t)
	if st.Running || !slices.Equal(st.Left, left) || st.Releases[1].Unfinished || st.Releases[1].Fault != errUnfinished.Error() {
		t.Errorf("when it has ended: %+v", st)
	}
}

func TestStatusKeepsNoRunFromItsWork(t *testing.T) {
	s := newSite(t)
	done := make(chan struct{})
	asked := make(chan error)
	go func() {
		var err error
		for err == nil {
			select {
			case <-done:
				asked <- nil
				return
			default:
				_, err = node.Locked(s.root)
			}
		}
		asked <- err
	}()
	for range 300 {
		unlock, err := s.open(t).lock()
		if err != nil {
			t.Error(err)
			break
		}
		unlock()
	}
	close(done)
	must(t, <-asked)
}
