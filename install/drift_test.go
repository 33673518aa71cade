package install

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
)

// controlled is a control node whose venv was made: an image has none, so it is
// laid down here as control.Build leaves it.
func controlled(t *testing.T) (s *site, dir string) {
	t.Helper()
	s = newSite(t)
	res := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: controller})
	dir = s.path(res.Path)
	for name, mode := range map[string]fs.FileMode{"venv/bin/ansible": 0o755, "venv/lib/a.py": 0o644, "venv/lib/empty/": 0o755} {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(p, mode))
		} else {
			must(t, os.WriteFile(p, []byte(name), mode))
		}
		must(t, os.Chmod(p, mode))
	}
	for _, folder := range []string{"venv", "venv/bin", "venv/lib"} {
		must(t, os.Chmod(filepath.Join(dir, folder), 0o755))
	}
	must(t, os.Symlink("/usr/bin/python3.11", filepath.Join(dir, "venv/bin/python")))
	must(t, s.record(t, res.Release))
	if st := s.status(t); !st.Whole {
		t.Fatalf("status %+v", st.Releases)
	}
	return s, dir
}

// record notes in the receipt of a release what lies in its venv.
func (s *site) record(t *testing.T, name string) error {
	t.Helper()
	i := s.open(t)
	st, err := i.read()
	must(t, err)
	r := st.find(name)
	root, err := os.OpenRoot(r.dir)
	must(t, err)
	defer root.Close()
	receipt := *r.receipt
	receipt.Pending = nil
	p := &placement{Installation: i, name: name, dir: r.dir, root: root}
	return p.record(&receipt)
}

func TestDriftOfModes(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		mode   fs.FileMode
		detail string
	}{
		"release folder":   {".", 0o777, "mode drwxrwxrwx, made with drwxr-xr-x"},
		"closed to users":  {".", 0o700, "mode drwx------"},
		"sticky folder":    {"wheels", 0o755 | fs.ModeSticky, "mode dtrwxr-xr-x"},
		"folder":           {"wheels/control", 0o775, "mode drwxrwxr-x"},
		"setuid":           {"pgbundle", 0o755 | fs.ModeSetuid, "mode urwxr-xr-x, placed with -rwxr-xr-x"},
		"setgid":           {"pgbundle", 0o755 | fs.ModeSetgid, "mode grwxr-xr-x"},
		"receipt":          {"receipt.yaml", 0o666, "mode -rw-rw-rw-, written with -rw-r--r--"},
		"list":             {madeName, 0o600, "mode -rw-------"},
		"venv":             {"venv", 0o777, "mode drwxrwxrwx"},
		"folder of venv":   {"venv/bin", 0o775, "mode drwxrwxr-x"},
		"empty folder":     {"venv/lib/empty", 0o775, "others than its owner may write to it"},
		"lost x":           {"venv/bin/ansible", 0o644, "mode -rw-r--r--, placed with -rwxr-xr-x"},
		"gained x":         {"venv/lib/a.py", 0o755, "mode -rwxr-xr-x, placed with -rw-r--r--"},
		"nothing left":     {"venv/lib/a.py", 0, "mode ----------"},
		"writable in venv": {"venv/lib/a.py", 0o664, "mode -rw-rw-r--"},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := controlled(t)
			must(t, os.Chmod(filepath.Join(dir, c.path), c.mode))
			st := s.status(t)
			if d := st.Releases[0].Drift; st.Whole || len(d) != 1 || d[0].Path != c.path || !strings.Contains(d[0].Detail, c.detail) {
				t.Errorf("drift %+v, want %s: %s", d, c.path, c.detail)
			}
		})
	}
}

func TestDriftOfOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for _, path := range []string{"pgbundle", "wheels", "receipt.yaml", "venv/bin/ansible", "venv/bin/python", "venv/lib", "venv/lib/empty"} {
		for name, to := range map[string]owner{"user": {1000, 0}, "group": {0, 1000}} {
			t.Run(name+" of "+path, func(t *testing.T) {
				s, dir := controlled(t)
				must(t, os.Lchown(filepath.Join(dir, path), int(to.uid), int(to.gid)))
				st := s.status(t)
				if d := st.Releases[0].Drift; st.Whole || len(d) != 1 || d[0].Path != path || !strings.Contains(d[0].Detail, "owned by "+to.String()) {
					t.Errorf("drift %+v", d)
				}
			})
		}
	}
}

func TestDriftOfTheReleasesOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s, dir := controlled(t)
	give := func(uid, gid int) {
		must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Lchown(path, uid, gid)) }))
	}
	drift := func(booted bool) []Drift {
		i := s.open(t)
		st, err := i.read()
		must(t, err)
		d, err := st.releases[0].compare(t.Context(), booted, 0, s)
		must(t, err)
		return d
	}
	give(1000, 1000)
	if d := drift(false); len(d) > 0 {
		t.Errorf("an image made by an ordinary user: %+v", d)
	}
	if d := drift(true); len(d) != 1 || d[0].Path != "." {
		t.Errorf("a booted node: %+v", d)
	}
	give(0, 1000)
	if d := drift(false); len(d) != 1 || d[0].Path != "." {
		t.Errorf("an image of root's with a group of its own: %+v", d)
	}
}

// A file that somebody else could change is placed anew, not linked.
func TestFileOfAnotherOwnerIsNotLinked(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s, b := newSite(t), pack(t, content("one"), nil)
	first := s.install(t, Options{Bundle: b.path, Roles: target})
	const rpm, etcd = "/rpms/haproxy-2.4-1.el9.x86_64.rpm", "/etcd/etcd-v3.5.16.tar.gz"
	must(t, os.Chown(s.path(first.Path+rpm), 1000, 0))
	second := s.install(t, Options{Bundle: b.path, Roles: controller})
	for path, linked := range map[string]bool{rpm: false, etcd: true} {
		one, err1 := os.Stat(s.path(first.Path + path))
		two, err2 := os.Stat(s.path(second.Path + path))
		if err := errors.Join(err1, err2); err != nil || os.SameFile(one, two) != linked {
			t.Errorf("%s: linked %v (%v)", path, !linked, err)
		} else if ownerOf(two) != rootOwner {
			t.Errorf("%s is owned by %s", path, ownerOf(two))
		}
	}
}

func TestDriftOfKinds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		path   string
	}{
		"folder is a link": {func(dir string) error {
			return errors.Join(os.Rename(dir+"/wheels", dir+"/venv/lib/empty/x"), os.Symlink("venv/lib/empty/x", dir+"/wheels"))
		}, "wheels"},
		"link in the venv":      {func(dir string) error { return os.Symlink("/tmp/x.pyc", dir+"/venv/lib/x.pyc") }, "venv/lib/x.pyc"},
		"module in the venv":    {func(dir string) error { return os.WriteFile(dir+"/venv/lib/b.py", nil, 0o644) }, "venv/lib/b.py"},
		"compiled for everyone": {func(dir string) error { return writable(dir + "/venv/lib/b.pyc") }, "venv/lib/b.pyc"},
		"line of the list":      {func(dir string) error { return os.WriteFile(dir+"/"+madeName, []byte("x\n"), 0o644) }, madeName},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := controlled(t)
			must(t, c.change(dir))
			found := false
			for _, d := range s.status(t).Releases[0].Drift {
				found = found || d.Path == c.path
			}
			if !found {
				t.Errorf("drift %+v, want %s", s.status(t).Releases[0].Drift, c.path)
			}
		})
	}
	s, dir := controlled(t)
	must(t, errors.Join(os.MkdirAll(dir+"/venv/lib/__pycache__", 0o700), os.WriteFile(dir+"/venv/lib/__pycache__/a.cpython-311.pyc", nil, 0o600)))
	if st := s.status(t); !st.Whole {
		t.Errorf("Python compiled a module later: %+v", st.Releases[0].Drift)
	}
}

func writable(path string) error {
	return errors.Join(os.WriteFile(path, nil, 0o644), os.Chmod(path, 0o666))
}

// TestListIsSha256sums lets the real sha256sum read the list.
func TestListIsSha256sums(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip(err)
	}
	_, dir := controlled(t)
	check := exec.Command("sha256sum", "--strict", "-c", madeName)
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil || string(out) != "venv/bin/ansible: OK\nvenv/lib/a.py: OK\n" {
		t.Errorf("%s%v", out, err)
	}
}

func TestListRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		make func(venv string) error
		want string
	}{
		"file's name": {func(v string) error { return os.WriteFile(v+"/für", nil, 0o644) }, `path "venv/für": a byte other than printable ASCII`},
		"link's name": {func(v string) error { return os.Symlink("x", v+"/für") }, `path "venv/für": a byte other than printable ASCII`},
		"link's text": {func(v string) error { return os.Symlink("f\xfcr", v+"/link") }, `link "venv/link" to "f\xfcr"`},
		"mode":        {func(v string) error { return writable(v + "/file") }, "venv/file: mode -rw-rw-rw-: only"},
		"pipe":        {func(v string) error { return syscall.Mkfifo(v+"/pipe", 0o600) }, "venv/pipe: mode prw"},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := controlled(t)
			must(t, c.make(dir+"/venv"))
			before, err := os.ReadFile(dir + "/receipt.yaml")
			must(t, err)
			if err := s.record(t, filepath.Base(dir)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("recorded: %v, want %s", err, c.want)
			}
			if after, err := os.ReadFile(dir + "/receipt.yaml"); err != nil || string(after) != string(before) {
				t.Errorf("the receipt was written all the same (%v)", err)
			}
		})
	}
}

func FuzzMadeLine(f *testing.F) {
	sum := strings.Repeat("0a", 32)
	f.Add(sum + "  venv/a  b\n")
	f.Add(sum + " *venv/*a\n")
	f.Add(sum + "\n")
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := parseMade(line)
		if !ok {
			return
		}
		mark := map[uint32]string{0o644: plainMark, 0o755: runnableMark}[got.Mode]
		if again := got.SHA256 + mark + got.Path; again != strings.TrimSuffix(line, "\n") || mark == "" || len(got.SHA256) != len(manifest.Digest(nil)) {
			t.Errorf("%q became %+v", line, got)
		}
	})
}
