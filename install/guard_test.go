package install

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/install/node"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// What somebody else put beside the releases is his, and a folder that only
// ends in .d is none of ours.
func TestUninstallLeavesWhatIsNotOurs(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.install(t, Options{Bundle: b.path, Roles: target})
	s.write(t, DefaultBase+".d/notes/mine", "mine")
	s.write(t, "/etc/profile.d/a.sh", "a")
	done, err := s.open(t).Uninstall(t.Context(), true)
	must(t, err)
	if !slices.Contains(done.Left, DefaultBase+".d/notes") {
		t.Errorf("left %v", done.Left)
	}
	n, err := node.Open(s.root, nil)
	must(t, err)
	i, err := New(Config{Node: n, Base: "/etc/profile", Now: time.Now})
	must(t, err)
	_, err = i.Uninstall(t.Context(), true)
	must(t, err)
	for _, name := range []string{DefaultBase + ".d/notes/mine", "/etc/profile.d/a.sh"} {
		if _, err := os.Stat(s.path(name)); err != nil {
			t.Error(err)
		}
	}
}

// The repository file of another base stays when this one is uninstalled.
func TestUninstallOfAnotherBase(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	n, err := node.Open(s.root, nil)
	must(t, err)
	other, err := New(Config{Node: n, Base: "/srv/other", Now: time.Now})
	must(t, err)
	_, err = other.Install(t.Context(), Options{Bundle: b.path, Roles: target})
	must(t, err)
	here, err := New(Config{Node: n, Base: DefaultBase, Now: time.Now})
	must(t, err)
	_, err = here.Uninstall(t.Context(), true)
	must(t, err)
	if st, err := other.Status(t.Context(), StatusOptions{Verify: true}); err != nil || !st.Whole {
		t.Errorf("%+v (%v)", st, err)
	}
}

// A node has one repository file and one link to the program, and so one base:
// a second one takes neither.
func TestOneBase(t *testing.T) {
	s, b, two := newSite(t), pack(t, content("one"), nil), pack(t, content("two"), nil)
	at := func(base string) *Installation {
		n, err := node.Open(s.root, nil)
		must(t, err)
		i, err := New(Config{Node: n, Base: base, Now: time.Now})
		must(t, err)
		return i
	}
	install := func(base string, b made) error {
		_, err := at(base).Install(t.Context(), Options{Bundle: b.path, Roles: target})
		return err
	}
	must(t, install("/srv/pg", b))
	must(t, install("/srv/pg", two))
	before := s.listing(t)
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, manifest.ErrUnsolvable) || !strings.Contains(err.Error(), "pgbundle uninstall --base-dir /srv/pg") {
			t.Errorf("%s: %v", what, err)
		}
		if after := s.listing(t); !slices.Equal(before, after) {
			t.Errorf("%s: changed:\n%v\n%v", what, before, after)
		}
	}
	refused("install", install(DefaultBase, b))
	_, err := at(DefaultBase).Install(t.Context(), Options{Bundle: b.path, Roles: target, DryRun: true})
	refused("dry run", err)

	// By the repository file alone, and by the link alone.
	link := s.path(programLinks[0])
	must(t, os.Remove(link))
	before = s.listing(t)
	refused("without the link", install(DefaultBase, b))
	must(t, os.Symlink("/srv/pg/pgbundle", link))
	must(t, os.Remove(s.path(repositoryFile)))
	before = s.listing(t)
	refused("without the repository file", install(DefaultBase, b))
	_, err = at(DefaultBase).Rollback(t.Context(), "")
	refused("rollback", err)
	if at(DefaultBase).elsewhere() != "/srv/pg" || at("/srv/pg").elsewhere() != "" {
		t.Error("which base is whose?")
	}

	// The same base by another way is no other, and one that is gone is none.
	must(t, install("/srv/pg", two))
	must(t, os.Symlink("srv", s.path("/data")))
	must(t, install("/data/pg", two))
	must(t, install("/srv/pg", two))
	_, err = at("/srv/pg").Uninstall(t.Context(), false)
	must(t, err)
	must(t, install(DefaultBase, b))
}

// A release of an image is finished only where its signature is trusted.
func TestTrustedToFinish(t *testing.T) {
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	keys := []sign.PublicKey{key.Public()}
	for _, signed := range []bool{true, false} {
		s, by := newSite(t), &key
		if !signed {
			by = nil
		}
		b := pack(t, content("one"), by)
		s.install(t, Options{Bundle: b.path, Roles: target})
		state, err := s.open(t).read()
		must(t, err)
		r := state.find(state.active)
		if by, err := r.trusted(b.raw, nil); by != "" || err != nil {
			t.Errorf("without a key: %q, %v", by, err)
		}
		if by, err := r.trusted(b.raw, keys); signed != (err == nil) || signed != (by == key.ID()) || !signed && !errors.Is(err, manifest.ErrSignature) {
			t.Errorf("signed %v: %v", signed, err)
		}
	}
}

// No verb follows a link in the place of the releases or the logs.
func TestLinksInTheImageLeadNowhere(t *testing.T) {
	b := pack(t, content("one"), nil)
	outside := t.TempDir()
	keep := []string{"000000000000-target", ".pgbundle-install-x", "history.yaml"}
	for _, name := range keep {
		must(t, os.WriteFile(filepath.Join(outside, name), []byte("mine"), 0o600))
	}
	s := newSite(t)
	must(t, os.MkdirAll(s.path("/opt"), 0o755))
	must(t, os.MkdirAll(s.path("/var/log"), 0o755))
	must(t, os.Symlink(outside, s.path(DefaultBase+".d")))
	must(t, os.Symlink(outside, s.path(LogFolder)))
	i := s.open(t)
	_, install := i.Install(t.Context(), Options{Bundle: b.path, Roles: target})
	_, rollback := i.Rollback(t.Context(), legacyRelease)
	_, uninstall := i.Uninstall(t.Context(), true)
	_, status := i.Status(t.Context(), StatusOptions{})
	for n, err := range []error{install, rollback, uninstall, status} {
		if !errors.Is(err, manifest.ErrUnsolvable) {
			t.Errorf("verb %d: %v", n, err)
		}
	}
	must(t, os.Remove(s.path(DefaultBase+".d")))
	if _, err := i.Install(t.Context(), Options{Bundle: b.path, Roles: target}); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(s.note, func(n string) bool { return strings.Contains(n, "/var/log/pgbundle is no folder") }) {
		t.Errorf("notes %v", s.note)
	}
	var left []string
	entries, err := os.ReadDir(outside)
	must(t, err)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	slices.Sort(keep)
	if !slices.Equal(left, keep) {
		t.Errorf("outside of the image is now %v", left)
	}
}

// A link of somebody's to his own pgbundle names no base, and is left alone.
func TestAStrangersProgram(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, "/opt/tools/pgbundle", "his")
	must(t, os.MkdirAll(s.path("/usr/local/bin"), 0o755))
	must(t, os.Symlink("/opt/tools/pgbundle", s.path("/usr/local/bin/pgbundle")))
	i := s.open(t)
	if i.Base() != DefaultBase {
		t.Errorf("base %s", i.Base())
	}
	s.install(t, Options{Bundle: b.path, Roles: target})
	if _, err := i.Uninstall(t.Context(), true); err != nil {
		t.Error(err)
	}
	if to, err := os.Readlink(s.path("/usr/local/bin/pgbundle")); err != nil || to != "/opt/tools/pgbundle" {
		t.Errorf("%q (%v)", to, err)
	}
}

func TestAFolderThatIsNotOfOlderScripts(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, DefaultBase+"/data/precious", "x")
	before := s.listing(t)
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: b.path, Roles: target}); !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("%v", err)
	}
	if after := s.listing(t); !slices.Equal(before, after) {
		t.Errorf("changed:\n%v\n%v", before, after)
	}
}

// What a kill after the rename leaves must not let an older bundle in.
func TestOlderIsRefusedWithoutHistory(t *testing.T) {
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	o := func(b made) Options {
		return Options{Bundle: b.path, Roles: target, Keys: []sign.PublicKey{key.Public()}}
	}
	newer := pack(t, content("new"), &key, func(m *manifest.Manifest) { m.Lock.Time = built.AddDate(0, 1, 0) })
	s := newSite(t)
	s.install(t, o(newer))
	for _, history := range []string{"", "version: 1\nnewest: 0001-01-01T00:00:00Z\nactivations: []\n", "not: [yaml"} {
		s.write(t, DefaultBase+".d/history.yaml", history)
		if _, err := s.open(t).Install(t.Context(), o(pack(t, content("old"), &key))); !errors.Is(err, manifest.ErrSignature) {
			t.Errorf("with history %q: %v", history, err)
		}
	}
	// A bundle that nobody vouches for must not lock the signed ones out.
	s = newSite(t)
	s.install(t, Options{Bundle: pack(t, content("future"), nil, func(m *manifest.Manifest) { m.Lock.Time = built.AddDate(70, 0, 0) }).path, Roles: target})
	s.install(t, o(newer))
}

func TestDamagedHistoryIsWrittenAnew(t *testing.T) {
	s := newSite(t)
	first := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	s.write(t, DefaultBase+".d/history.yaml", "not: [yaml")
	second := s.install(t, Options{Bundle: pack(t, content("two"), nil).path, Roles: target})
	if done, err := s.open(t).Rollback(t.Context(), ""); err != nil || done.To != first.Release || done.From != second.Release {
		t.Errorf("%+v (%v)", done, err)
	}
}

// A rerun that has nothing to place removes nothing.
func TestKeepIsNotForgotten(t *testing.T) {
	s := newSite(t)
	var last made
	for _, word := range []string{"one", "two", "three"} {
		last = pack(t, content(word), nil)
		s.install(t, Options{Bundle: last.path, Roles: target, Keep: 3})
	}
	if res := s.install(t, Options{Bundle: last.path, Roles: target}); len(res.Removed) > 0 {
		t.Errorf("removed %v", res.Removed)
	}
}

// The way to a base as it is written is as important as where it leads.
func TestALinkOnTheWayThatAUserMayChange(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: another user's folder has to be made")
	}
	s := newSite(t)
	must(t, os.MkdirAll(s.path("/home/user"), 0o755))
	must(t, os.MkdirAll(s.path("/data"), 0o755))
	must(t, os.Symlink("/data", s.path("/home/user/link")))
	must(t, os.Chown(s.path("/home/user"), 1000, 1000))
	n, err := node.Open(s.root, nil)
	must(t, err)
	if got, err := Look(n, "/home/user/link/pg"); err != nil || got.Loose != "/home/user" {
		t.Errorf("loose %q (%v)", got.Loose, err)
	}
}

func TestLegacyComesBack(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, DefaultBase+"/rpms/old.rpm", "old")
	s.write(t, repositoryFile, "[patroni-airgap]\ngpgcheck=0\n")
	s.install(t, Options{Bundle: b.path, Roles: target})
	// As a kill right after the exchange leaves it.
	must(t, os.Remove(s.path(DefaultBase+".d/history.yaml")))
	s.install(t, Options{Bundle: b.path, Roles: target})
	if done, err := s.open(t).Rollback(t.Context(), ""); err != nil || done.To != legacyRelease {
		t.Fatalf("%+v (%v)", done, err)
	}
	if _, err := s.open(t).Uninstall(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(s.path(DefaultBase))
	if err != nil || !info.IsDir() {
		t.Errorf("%v (%v)", info, err)
	}
	if got, err := os.ReadFile(s.path(DefaultBase + "/rpms/old.rpm")); err != nil || string(got) != "old" {
		t.Errorf("%q (%v)", got, err)
	}
	if got, err := os.ReadFile(s.path(repositoryFile)); err != nil || !strings.Contains(string(got), "gpgcheck=0") {
		t.Errorf("%q (%v)", got, err)
	}
}

// When the switch fails, what came before it is taken back.
func TestFailedSwitchIsTakenBack(t *testing.T) {
	s := newSite(t)
	s.write(t, repositoryFile, "[patroni-airgap]\ngpgcheck=0\n")
	b := pack(t, content("one"), nil)
	i := s.open(t)
	state, err := i.read()
	must(t, err)
	must(t, os.MkdirAll(s.path(DefaultBase+".d"), 0o755))
	r := &release{name: b.id + "-target", receipt: &Receipt{}}
	must(t, os.MkdirAll(s.path("/opt/"+node.Prefix+"patroni-airgap/in-the-way"), 0o755))
	if err := i.activate(t.Context(), state, &Result{}, r); err == nil {
		t.Fatal("it was switched")
	}
	if got, err := os.ReadFile(s.path(repositoryFile)); err != nil || string(got) != "[patroni-airgap]\ngpgcheck=0\n" {
		t.Errorf("%q (%v)", got, err)
	}
	if _, err := os.Lstat(s.path("/usr/local/bin/pgbundle")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the program's link: %v", err)
	}
}

func TestRollbackLeavesAForeignLink(t *testing.T) {
	s := newSite(t)
	for _, word := range []string{"one", "two"} {
		s.install(t, Options{Bundle: pack(t, content(word), nil).path, Roles: target})
	}
	must(t, errors.Join(os.Remove(s.path(DefaultBase)), os.Symlink("/somewhere", s.path(DefaultBase))))
	if _, err := s.open(t).Rollback(t.Context(), ""); !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("%v", err)
	}
}

// What is here needs no room again.
func TestWishReckonsWithWhatIsHere(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	need := func(roles []manifest.Role) int64 {
		state, err := s.open(t).read()
		must(t, err)
		opened := openBundle(t, b)
		return state.wish(opened, roles, false).Need
	}
	whole := need(target)
	s.install(t, Options{Bundle: b.path, Roles: target})
	if again := need(target); again >= whole || again != ownBytes {
		t.Errorf("need %d the first time, %d again", whole, again)
	}
	both := []manifest.Role{manifest.Control, manifest.TargetNode}
	all, _ := Needs(openBundle(t, b).Manifest(), both)
	if more := need(both); more >= all {
		t.Errorf("need %d for a role that is added, %d without what is here", more, all)
	}
}

// An image that cannot be locked is not written to without the lock; there
// preflight does not ask who it is that installs.
func TestAnImageThatCannotBeLocked(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can open any folder")
	}
	s, b := newSite(t), pack(t, content("one"), nil)
	i := s.open(t)
	must(t, os.Chmod(s.root, 0o311)) // to be entered, and not to be opened
	defer os.Chmod(s.root, 0o755)
	if _, err := i.Install(t.Context(), Options{Bundle: b.path, Roles: target}); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "lock ") {
		t.Errorf("%v", err)
	}
}
