package install

import (
	"os"
	"slices"
	"testing"

	"pgbundle/install/node"
)

// A receipt that is renewed in its release, by install --finish or by a key
// that vouches later, is written beside its place. What a kill leaves of that is
// no drift, is told, and goes with the next run, whatever that is.
func TestKilledWhileReceiptIsRenewed(t *testing.T) {
	s, one, two := newSite(t), pack(t, content("one"), nil), pack(t, content("two"), nil)
	s.install(t, Options{Bundle: one.path, Roles: target})
	res := s.install(t, Options{Bundle: two.path, Roles: target})
	for name, again := range map[string]func() error{
		"install": func() error {
			_, err := s.open(t).Install(t.Context(), Options{Bundle: two.path, Roles: target})
			return err
		},
		"rollback": func() error { _, err := s.open(t).Rollback(t.Context(), res.Release); return err },
	} {
		left := []string{res.Path + "/" + node.Prefix + "receipt.yaml.123", DefaultBase + ".d/" + one.id + "-target/" + node.Prefix + "receipt.yaml.4"}
		for _, path := range left {
			s.write(t, path, "version: 1")
		}
		st := s.status(t)
		slices.Sort(left)
		if slices.Sort(st.Left); !st.Whole || !slices.Equal(st.Left, left) {
			t.Errorf("%s: whole %v, left %v, want %v", name, st.Whole, st.Left, left)
		}
		must(t, again())
		for _, path := range left {
			if _, err := os.Lstat(s.path(path)); err == nil {
				t.Errorf("%s: %s is still there", name, path)
			}
		}
	}
}

// The history is written after the exchange; the run after a kill between the
// two notes both that the older scripts' folder was active and what is now.
func TestKilledBeforeExchangeIsNoted(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, DefaultBase+"/rpms/old.rpm", "old")
	res := s.install(t, Options{Bundle: b.path, Roles: target})
	must(t, os.Remove(s.path(DefaultBase+".d/"+historyName)))
	s.install(t, Options{Bundle: b.path, Roles: target})
	h, err := readHistory(s.path(DefaultBase + ".d"))
	must(t, err)
	var names []string
	for _, a := range h.Activations {
		names = append(names, a.Release)
	}
	if want := []string{legacyRelease, res.Release}; !slices.Equal(names, want) {
		t.Errorf("the history has %v, want %v", names, want)
	}
}

// A folder has its name only with its mode, whatever the umask and wherever the
// run that made it was killed.
func TestFolderIsNamedWithItsMode(t *testing.T) {
	s := newSite(t)
	// As a kill before the name leaves it.
	must(t, os.MkdirAll(s.path("/opt/"+node.Prefix+"patroni-airgap.d"), 0o700))
	must(t, node.MakeFolders(s.path(DefaultBase+".d/x")))
	for _, folder := range []string{DefaultBase + ".d", DefaultBase + ".d/x"} {
		if info, err := os.Stat(s.path(folder)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v (%v)", folder, info, err)
		}
	}
	entries, err := os.ReadDir(s.path("/opt"))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v (%v)", entries, err)
	}
}
