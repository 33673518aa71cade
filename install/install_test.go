package install

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/bundle"
	"pgbundle/install/node"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// site is an image to install into, and bundles to install.
type site struct {
	root string
	now  time.Time
	note []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	old := syscall.Umask(0o077) // as on a hardened node
	t.Cleanup(func() { syscall.Umask(old) })
	s := &site{root: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.write(t, "/etc/os-release", "ID=rhel\nID_LIKE=fedora\nVERSION_ID=\"9.4\"\nNAME=\"Red Hat Enterprise Linux\"\n")
	return s
}

func (s *site) path(p string) string { return filepath.Join(s.root, p) }

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.path(name)), 0o755), os.WriteFile(s.path(name), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func (s *site) Stage(string, int64) {}
func (s *site) Add(int64)           {}
func (s *site) Note(text string)    { s.note = append(s.note, text) }

func (s *site) open(t *testing.T) *Installation {
	t.Helper()
	n, err := node.Open(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	i, err := New(Config{Node: n, Program: "1.0-test", Progress: s, Now: func() time.Time { s.now = s.now.Add(time.Minute); return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (s *site) install(t *testing.T, o Options) *Result {
	t.Helper()
	res, err := s.open(t).Install(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (s *site) status(t *testing.T) *Status {
	t.Helper()
	st, err := s.open(t).Status(t.Context(), StatusOptions{Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// listing is every path below the image with what it is, but for the logs.
func (s *site) listing(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := strings.TrimPrefix(path, s.root) + " " + info.Mode().String()
		if info.Mode()&fs.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			text += " -> " + target
		} else if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + manifest.Digest(data)
		}
		if !strings.HasPrefix(text, "/var") {
			list = append(list, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// content are the files of a small bundle; word makes bundles differ.
func content(word string) map[string][]byte {
	return map[string][]byte{
		"pgbundle":                          []byte("\x7fELF " + word),
		"airgap-install.sh":                 []byte("#!/bin/sh\n"),
		"rpms/haproxy-2.4-1.el9.x86_64.rpm": bytes.Repeat([]byte(word), 40000),
		"rpms/empty.rpm":                    {},
		"rpms/repodata/repomd.xml":          []byte("<repomd/>" + word),
		keyFile:                             []byte("-----BEGIN PGP"),
		"wheels/target/patroni-3.3.11.whl":  []byte("patroni " + word),
		"wheels/target/requirements.lock":   []byte("patroni==3.3.11\n"),
		"wheels/control/ansible_core.whl":   []byte("ansible " + word),
		"etcd/etcd-v3.5.16.tar.gz":          []byte("etcd"),
		"collections/requirements.yml":      []byte("collections: []\n"),
	}
}

// made is a bundle on this host.
type made struct {
	path string
	id   string
	raw  []byte
}

var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// pack writes a bundle of files; edit may change its manifest, key signs it.
func pack(t *testing.T, files map[string][]byte, key *sign.PrivateKey, edit ...func(*manifest.Manifest)) made {
	t.Helper()
	m := &manifest.Manifest{
		Version: 1,
		Lock: manifest.Lock{
			Version: 1, Spec: strings.Repeat("5", 64), Time: built,
			Target: manifest.Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.11", NodePython: "3.11"},
		},
		Checked: []manifest.Check{{Name: "closure", Result: "closed"}},
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		mode := uint32(0o644)
		if path == programName || strings.HasSuffix(path, ".sh") {
			mode = 0o755
		}
		m.Files = append(m.Files, manifest.File{Path: path, Size: int64(len(files[path])), Mode: mode, SHA256: manifest.Digest(files[path])})
	}
	for _, e := range edit {
		e(m)
	}
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	c := bundle.Content{Manifest: raw, Open: func(_ context.Context, path string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files[path])), nil
	}}
	if key != nil {
		if c.Signature, err = sign.Manifest(*key, raw); err != nil {
			t.Fatal(err)
		}
	}
	out := made{path: filepath.Join(t.TempDir(), "bundle.tar.gz"), id: manifest.BundleID(raw), raw: raw}
	f, err := os.Create(out.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := bundle.Write(t.Context(), f, c, bundle.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return out
}

func openBundle(t *testing.T, b made) *bundle.Bundle {
	t.Helper()
	opened, err := bundle.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// unpack is a bundle as tar leaves it.
func unpack(t *testing.T, b made) string {
	t.Helper()
	folder := t.TempDir()
	opened, err := bundle.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	m := opened.Manifest()
	write := func(name string, data []byte, mode uint32) {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600), os.Chmod(path, fs.FileMode(mode))); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range m.Files {
		r, err := opened.Open(t.Context(), f.Path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		write(f.Path, data, f.Mode)
	}
	write(manifest.ManifestName, opened.RawManifest(), 0o644)
	write(manifest.SumsName, bundle.SHA256Sums(m, opened.RawManifest()), 0o644)
	return folder
}

var (
	target     = []manifest.Role{manifest.TargetNode}
	controller = []manifest.Role{manifest.Control}
)

func TestInstallIntoAnImage(t *testing.T) {
	b := pack(t, content("one"), nil)
	for name, source := range map[string]string{"archive": b.path, "folder": unpack(t, b)} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			res := s.install(t, Options{Bundle: source, Roles: target})
			want := b.id + "-target"
			if res.Release != want || !res.Placed || !res.Switched || res.Authenticated {
				t.Errorf("result %+v", res)
			}
			if to, _ := os.Readlink(s.path(DefaultBase)); to != "patroni-airgap.d/"+want {
				t.Errorf("the base links to %q", to)
			}
			for path, data := range content("one") {
				got, err := os.ReadFile(s.path(DefaultBase + ".d/" + want + "/" + path))
				if !wanted(path, target) {
					if !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s is there (%v): no target needs it", path, err)
					}
				} else if !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes (%v), want %d", path, len(got), err, len(data))
				}
			}
			for path, mode := range map[string]fs.FileMode{"": 0o755, "/pgbundle": 0o755, "/rpms": 0o755, "/rpms/repodata/repomd.xml": 0o644, "/receipt.yaml": 0o644} {
				if info, err := os.Stat(s.path(DefaultBase + ".d/" + want + path)); err != nil || info.Mode().Perm() != mode {
					t.Errorf("mode of %q: %v (%v), want %v", path, info.Mode(), err, mode)
				}
			}
			if to, _ := os.Readlink(s.path("/usr/local/bin/pgbundle")); to != "/opt/patroni-airgap/pgbundle" {
				t.Errorf("the program's link goes to %q", to)
			}
			st := s.status(t)
			if !st.Whole || st.Active != want || !slices.Equal(st.Pending, []string{stepProof, stepPolicy}) {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestInstallTwiceChangesNothing(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.install(t, Options{Bundle: b.path, Roles: target})
	before := s.listing(t)
	res := s.install(t, Options{Bundle: b.path, Roles: target})
	if res.Placed || res.Switched {
		t.Errorf("the second run placed or switched: %+v", res)
	}
	if after := s.listing(t); !slices.Equal(before, after) {
		t.Errorf("changed:\n%v\n%v", before, after)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	before := s.listing(t)
	res := s.install(t, Options{Bundle: b.path, Roles: target, DryRun: true})
	if !res.Placed || !res.Switched || res.Release == "" {
		t.Errorf("the plan: %+v", res)
	}
	if after := s.listing(t); !slices.Equal(before, after) {
		t.Errorf("changed:\n%v\n%v", before, after)
	}
	if _, err := os.Stat(s.path("/var")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a dry run wrote a log")
	}
}

func TestRollbackAndKeep(t *testing.T) {
	s := newSite(t)
	var names []string
	for _, word := range []string{"one", "two", "three"} {
		names = append(names, s.install(t, Options{Bundle: pack(t, content(word), nil).path, Roles: target}).Release)
	}
	st := s.status(t)
	if len(st.Releases) != 2 || st.Active != names[2] {
		t.Fatalf("releases %+v, want the last two", st.Releases)
	}
	done, err := s.open(t).Rollback(t.Context(), "")
	if err != nil || done.To != names[1] || done.From != names[2] {
		t.Fatalf("rolled back %+v (%v), want to %s", done, err, names[1])
	}
	if st := s.status(t); st.Active != names[1] || !st.Whole {
		t.Errorf("status %+v", st)
	}
	if done, err := s.open(t).Rollback(t.Context(), ""); err != nil || done.To != names[2] {
		t.Errorf("a second rollback goes forth again: %+v (%v)", done, err)
	}
	if _, err := s.open(t).Rollback(t.Context(), names[0]); !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("rolled back to a release that was removed: %v", err)
	}
}

func TestRollbackRefusesDrift(t *testing.T) {
	s := newSite(t)
	first := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	second := s.install(t, Options{Bundle: pack(t, content("two"), nil).path, Roles: target})
	s.write(t, first.Path+"/rpms/empty.rpm", "x")
	if _, err := s.open(t).Rollback(t.Context(), ""); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("rolled back to a drifted release: %v", err)
	}
	if st := s.status(t); st.Active != second.Release || st.Whole {
		t.Errorf("status %+v", st)
	}
}

func TestAddARole(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	first := s.install(t, Options{Bundle: b.path, Roles: target})
	second := s.install(t, Options{Bundle: b.path, Roles: controller})
	if second.Release != b.id+"-both" || second.Former != first.Release {
		t.Fatalf("result %+v", second)
	}
	const rpm = "/rpms/haproxy-2.4-1.el9.x86_64.rpm"
	one, err1 := os.Stat(s.path(first.Path + rpm))
	two, err2 := os.Stat(s.path(second.Path + rpm))
	if err1 != nil || err2 != nil || !os.SameFile(one, two) {
		t.Errorf("%s is not linked (%v, %v)", rpm, err1, err2)
	}
	if st := s.status(t); !st.Whole || len(st.Releases) != 2 {
		t.Errorf("status %+v", st)
	}
	// A drifted file is not linked on: its bytes are placed anew.
	s = newSite(t)
	first = s.install(t, Options{Bundle: b.path, Roles: target})
	s.write(t, first.Path+rpm, "drifted")
	second = s.install(t, Options{Bundle: b.path, Roles: controller})
	if got, err := os.ReadFile(s.path(second.Path + rpm)); err != nil || !bytes.Equal(got, content("one")[rpm[1:]]) {
		t.Errorf("%d bytes (%v)", len(got), err)
	}
}

func TestDriftIsFoundAndReplaced(t *testing.T) {
	b := pack(t, content("one"), nil)
	for name, change := range map[string]func(t *testing.T, s *site, dir string){
		"bytes":   func(t *testing.T, s *site, dir string) { s.write(t, dir+"/etcd/etcd-v3.5.16.tar.gz", "etcD") },
		"missing": func(t *testing.T, s *site, dir string) { must(t, os.Remove(s.path(dir+"/rpms/empty.rpm"))) },
		"extra":   func(t *testing.T, s *site, dir string) { s.write(t, dir+"/rpms/more.rpm", "") },
		"mode":    func(t *testing.T, s *site, dir string) { must(t, os.Chmod(s.path(dir+"/pgbundle"), 0o777)) },
		"link": func(t *testing.T, s *site, dir string) {
			p := s.path(dir + "/rpms/empty.rpm")
			must(t, errors.Join(os.Remove(p), os.Symlink("/dev/null", p)))
		},
		"manifest": func(t *testing.T, s *site, dir string) { s.write(t, dir+"/manifest.yaml", string(b.raw)+"\n") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			first := s.install(t, Options{Bundle: b.path, Roles: target})
			change(t, s, first.Path)
			if st := s.status(t); st.Whole || len(st.Releases[0].Drift) != 1 {
				t.Errorf("status %+v", st)
			}
			second := s.install(t, Options{Bundle: b.path, Roles: target})
			if second.Release != b.id+"-target.1" || !second.Placed {
				t.Errorf("result %+v", second)
			}
			if st := s.status(t); st.Active != second.Release || st.Releases[0].Drift == nil || len(st.Releases[0].Drift) != 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLegacyFolderIsKept(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, DefaultBase+"/rpms/old.rpm", "old")
	s.write(t, repositoryFile, "[patroni-airgap]\ngpgcheck=0\n")
	res := s.install(t, Options{Bundle: b.path, Roles: target})
	if res.Former != legacyRelease {
		t.Errorf("former %q", res.Former)
	}
	if got, err := os.ReadFile(s.path(DefaultBase + ".d/legacy/rpms/old.rpm")); err != nil || string(got) != "old" {
		t.Errorf("what older scripts placed: %q (%v)", got, err)
	}
	if st := s.status(t); !st.Whole || st.Active != res.Release {
		t.Errorf("status %+v", st)
	}
	if done, err := s.open(t).Rollback(t.Context(), ""); err != nil || done.To != legacyRelease {
		t.Fatalf("%+v (%v)", done, err)
	}
	if got, err := os.ReadFile(s.path(repositoryFile)); err != nil || !strings.Contains(string(got), "gpgcheck=0") {
		t.Errorf("the repository file of older scripts: %q (%v)", got, err)
	}
	if got, err := os.ReadFile(s.path(DefaultBase + "/rpms/old.rpm")); err != nil || string(got) != "old" {
		t.Errorf("through the link: %q (%v)", got, err)
	}
}

func TestOlderSignedBundleIsRefused(t *testing.T) {
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	keys := []sign.PublicKey{key.Public()}
	newer := pack(t, content("new"), &key, func(m *manifest.Manifest) { m.Lock.Time = built.AddDate(0, 1, 0) })
	older := pack(t, content("old"), &key)
	s := newSite(t)
	if res := s.install(t, Options{Bundle: newer.path, Roles: target, Keys: keys}); !res.Authenticated || res.By != key.ID() {
		t.Errorf("result %+v", res)
	}
	before := s.listing(t)
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: older.path, Roles: target, Keys: keys}); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("an older bundle: %v", err)
	}
	unsigned := pack(t, content("unsigned"), nil)
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: unsigned.path, Roles: target, Keys: keys}); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("an unsigned bundle: %v", err)
	}
	if after := s.listing(t); !slices.Equal(before, after) {
		t.Errorf("changed:\n%v\n%v", before, after)
	}
	s.install(t, Options{Bundle: older.path, Roles: target, Keys: keys, AllowOlder: true})
}

func TestDamagedBundleLeavesNothing(t *testing.T) {
	b := pack(t, content("one"), nil)
	data, err := os.ReadFile(b.path)
	must(t, err)
	for _, at := range []int{len(data) / 3, len(data) / 2, len(data) - 600} {
		s := newSite(t)
		before := s.listing(t)
		damaged := filepath.Join(t.TempDir(), "damaged.tar.gz")
		changed := bytes.Clone(data)
		changed[at] ^= 4
		must(t, os.WriteFile(damaged, changed, 0o600))
		if _, err := s.open(t).Install(t.Context(), Options{Bundle: damaged, Roles: target}); !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("a bit at %d: %v", at, err)
		}
		// The releases folder itself may have been made.
		after := slices.DeleteFunc(s.listing(t), func(l string) bool { return strings.HasPrefix(l, "/opt ") || l == "/opt/patroni-airgap.d drwxr-xr-x" })
		if !slices.Equal(before, after) {
			t.Errorf("a bit at %d changed:\n%v\n%v", at, before, after)
		}
	}
}

func TestReservedNamesAreRefused(t *testing.T) {
	for _, name := range []string{"receipt.yaml", ".incomplete", "venv/bin/python", "VENV.sha256sums", ".pgbundle-install-x"} {
		files := content("one")
		files[name] = []byte("x")
		s, b := newSite(t), pack(t, files, nil)
		if _, err := s.open(t).Install(t.Context(), Options{Bundle: b.path, Roles: target}); !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecondRunIsRefused(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	must(t, os.MkdirAll(s.path("/opt"), 0o755))
	f, err := node.Lock(s.root)
	must(t, err)
	defer f.Close()
	before := s.listing(t)
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: b.path, Roles: target}); !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("a running install: %v", err)
	}
	if _, err := s.open(t).Rollback(t.Context(), ""); !errors.Is(err, node.ErrBusy) {
		t.Errorf("rollback: %v", err)
	}
	if after := s.listing(t); !slices.Equal(before, after) {
		t.Errorf("changed:\n%v\n%v", before, after)
	}
}

func TestUninstall(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	before := s.listing(t)
	s.install(t, Options{Bundle: b.path, Roles: target})
	done, err := s.open(t).Uninstall(t.Context(), true)
	if err != nil || len(done.Releases) != 1 {
		t.Fatalf("%+v (%v)", done, err)
	}
	folders := func(l string) bool {
		for _, f := range []string{"/opt ", "/etc/yum.repos.d ", "/usr ", "/usr/local ", "/usr/local/bin "} {
			if strings.HasPrefix(l, f) {
				return true
			}
		}
		return false
	}
	if after := slices.DeleteFunc(s.listing(t), folders); !slices.Equal(before, after) {
		t.Errorf("left:\n%v\n%v", before, after)
	}
	if _, err := s.open(t).Uninstall(t.Context(), false); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestLeftoversAreSwept(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	for _, name := range []string{"/opt/.pgbundle-install-patroni-airgap", DefaultBase + ".d/.pgbundle-install-trash-x/y", "/etc/yum.repos.d/.pgbundle-install-a", "/usr/local/bin/.pgbundle-install-b",
		DefaultBase + ".d/" + b.id + "-target/rpms/half.rpm", DefaultBase + ".d/0123456789ab-target/.incomplete"} {
		s.write(t, name, "left")
	}
	s.install(t, Options{Bundle: b.path, Roles: target})
	for _, l := range s.listing(t) {
		if strings.Contains(l, ".pgbundle-install-") || strings.Contains(l, "0123456789ab") || strings.Contains(l, "half") {
			t.Errorf("still there: %s", l)
		}
	}
	if st := s.status(t); !st.Whole || len(st.Left) > 0 {
		t.Errorf("status %+v", st)
	}
}

func TestAnotherBase(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	must(t, os.MkdirAll(s.path("/data/real"), 0o755))
	must(t, os.Symlink("/data/real", s.path("/srv")))
	n, err := node.Open(s.root, nil)
	must(t, err)
	i, err := New(Config{Node: n, Base: "/srv/pg", Now: time.Now})
	must(t, err)
	if _, err := i.Install(t.Context(), Options{Bundle: b.path, Roles: target}); err != nil {
		t.Fatal(err)
	}
	if to, _ := os.Readlink(s.path("/data/real/pg")); to != "pg.d/"+b.id+"-target" {
		t.Errorf("the base links to %q", to)
	}
	if found := s.open(t); found.Base() != "/srv/pg" {
		t.Errorf("found base %s", found.Base())
	}
	text, err := os.ReadFile(s.path(repositoryFile))
	if err != nil || !strings.Contains(string(text), "baseurl=file:///srv/pg/rpms\n") {
		t.Errorf("%s (%v)", text, err)
	}
	for _, bad := range []string{"opt", "/", "/opt/../x", "/opt/a b", "/opt/x\n"} {
		if _, err := New(Config{Node: n, Base: bad}); !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("base %q: %v", bad, err)
		}
	}
}

func TestALinkOutOfTheImage(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	outside := t.TempDir()
	must(t, os.Symlink(outside, s.path("/opt")))
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: b.path, Roles: target}); err != nil {
		t.Logf("refused: %v", err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("written outside of the image: %v (%v)", left, err)
	}
}

func FuzzReceipt(f *testing.F) {
	r := Receipt{Version: 1, Release: "0123456789ab-target.1", Bundle: "0123456789ab", Manifest: "0123456789ab" + strings.Repeat("0", 52), Roles: target, Pending: []string{stepProof}}
	data, err := marshal(&r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseReceipt(data)
		if err != nil {
			return
		}
		again, err := marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseReceipt(again); err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}
