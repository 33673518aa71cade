package policy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgbundle/install/node"
)

// machine is a node below a folder. Its daemon reads the list when it is asked
// to, and takes its time.
type machine struct {
	root     string
	active   string // what systemctl says
	enabled  string
	slow     int // how often the daemon is asked before it knows
	deaf     bool
	restore  node.Output
	ran      []string
	database string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{root: t.TempDir(), active: "active", enabled: "enabled"}
	m.write(t, "/etc/fapolicyd/fapolicyd.conf", "", 0o644)
	m.write(t, "/sys/fs/selinux/enforce", "1", 0o644)
	return m
}

func (m *machine) Path(p string) (string, error) { return filepath.Join(m.root, p), nil }

func (m *machine) Run(_ context.Context, c node.Command) (node.Output, error) {
	m.ran = append(m.ran, c.Args[0]+" "+c.Args[1])
	switch c.Args[0] + " " + c.Args[1] {
	case "systemctl is-active":
		return answer(m.active, "active"), nil
	case "systemctl is-enabled":
		return answer(m.enabled, "enabled"), nil
	case "fapolicyd-cli --update":
		if m.deaf {
			return node.Output{Stderr: "Open: /run/fapolicyd/fapolicyd.fifo -> No such file or directory", Status: 1}, nil
		}
		data, err := os.ReadFile(filepath.Join(m.root, TrustFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return node.Output{}, err
		}
		m.database = string(data)
		return node.Output{Stdout: "Fapolicyd was notified\n"}, nil
	case "sh -c":
		if m.slow--; m.slow >= 0 {
			return node.Output{Status: 1}, nil
		}
		var out node.Output
		for line := range strings.Lines(m.database) {
			if strings.HasPrefix(line, c.Args[4]) {
				out.Stdout += "filedb " + line
			}
		}
		return out, nil
	case "sha256sum --":
		var out node.Output
		for _, path := range c.Args[2:] {
			data, err := os.ReadFile(filepath.Join(m.root, path))
			if err != nil {
				return node.Output{Stderr: "sha256sum: " + path + ": Permission denied", Status: 1}, nil
			}
			out.Stdout += fmt.Sprintf("%x  %s\n", sha256.Sum256(data), path)
		}
		return out, nil
	case "restorecon -RF":
		return m.restore, nil
	}
	return node.Output{}, fmt.Errorf("%q is not expected", c.Args)
}

func answer(text, yes string) node.Output {
	if text == yes {
		return node.Output{Stdout: text + "\n"}
	}
	return node.Output{Stdout: text + "\n", Status: 3}
}

func (m *machine) write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	host := filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(host), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(host, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// list is the trust file; "" when there is none.
func (m *machine) list(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.root, TrustFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

const (
	one = "/opt/patroni-airgap.d/one-both"
	two = "/opt/patroni-airgap.d/one-both.2" // the name of the first begins it
)

// release lays down one of everything.
func (m *machine) release(t *testing.T, dir string) {
	t.Helper()
	for path, mode := range map[string]fs.FileMode{
		"pgbundle": 0o755, "airgap-install.sh": 0o755, "venv/bin/ansible": 0o755, "venv/lib/python3.11/site-packages/a.py": 0o644,
		"venv/lib/python3.11/site-packages/__pycache__/a.cpython-311.pyc": 0o644, "venv/lib/python3.11/site-packages/_a.abi3.so": 0o644,
		"venv/lib/python3.11/site-packages/lib/libx.so.1.2": 0o644, "playbook/roles/x/templates/run.sh.j2": 0o644,
		// none of these is run or loaded
		"manifest.yaml": 0o644, "rpms/a.rpm": 0o644, "wheels/control/a.whl": 0o644, "etcd/etcd.tar.gz": 0o644, "playbook/site.yml": 0o644,
		"venv/lib/python3.11/site-packages/setuptools/script (dev).tmpl": 0o644,
	} {
		m.write(t, filepath.Join(dir, path), path, mode)
	}
	if err := os.Symlink("/usr/bin/python3.11", filepath.Join(m.root, dir, "venv/bin/python")); err != nil {
		t.Fatal(err)
	}
}

func wantList(dirs ...string) string {
	var lines []string
	for _, dir := range dirs {
		for _, path := range []string{"airgap-install.sh", "pgbundle", "playbook/roles/x/templates/run.sh.j2", "venv/bin/ansible",
			"venv/lib/python3.11/site-packages/__pycache__/a.cpython-311.pyc", "venv/lib/python3.11/site-packages/_a.abi3.so",
			"venv/lib/python3.11/site-packages/a.py", "venv/lib/python3.11/site-packages/lib/libx.so.1.2"} {
			lines = append(lines, fmt.Sprintf("%s/%s %d %x\n", dir, path, len(path), sha256.Sum256([]byte(path))))
		}
	}
	if lines == nil {
		return ""
	}
	slices.Sort(lines)
	return "# Written by pgbundle: what may be run and loaded of its releases.\n" + strings.Join(lines, "")
}

func apply(t *testing.T, m *machine, dirs ...string) Result {
	t.Helper()
	r, err := Apply(t.Context(), m, dirs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestApply(t *testing.T) {
	old := syscall.Umask(0o077) // as on a hardened node
	t.Cleanup(func() { syscall.Umask(old) })
	m := newMachine(t)
	m.release(t, one)
	m.release(t, two)
	if r := apply(t, m, one); r["fapolicyd"] != "8 files listed" || r["selinux"] != "labelled" {
		t.Errorf("%v", r)
	}
	if got := m.list(t); got != wantList(one) {
		t.Errorf("got\n%s\nwant\n%s", got, wantList(one))
	}
	// The daemon reads it as a user of its own.
	for path, mode := range map[string]os.FileMode{TrustFile: 0o644, filepath.Dir(TrustFile): 0o755} {
		if info, err := os.Stat(filepath.Join(m.root, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	apply(t, m, one, two)
	if got := m.list(t); got != wantList(one, two) {
		t.Errorf("got\n%s\nwant\n%s", got, wantList(one, two))
	}
	if apply(t, m, two); m.list(t) != wantList(two) || m.database != wantList(two) {
		t.Errorf("left\n%s", m.list(t))
	}
	if apply(t, m); m.list(t) != "" || m.database != "" {
		t.Errorf("left\n%s", m.list(t))
	}
}

// TestDriftIsNotTrusted: who changes a file of a release cannot have it listed
// by the next run, save by making the release anew.
func TestDriftIsNotTrusted(t *testing.T) {
	m := newMachine(t)
	m.release(t, one)
	apply(t, m, one)
	m.write(t, one+"/venv/lib/python3.11/site-packages/a.py", "import evil", 0o644)
	m.write(t, one+"/playbook/more.py", "import evil", 0o644)
	if apply(t, m, one); m.list(t) != wantList(one) {
		t.Errorf("listed\n%s", m.list(t))
	}
	if err := Trust(t.Context(), m, one); err != nil || !strings.Contains(m.list(t), one+"/playbook/more.py 11 ") {
		t.Errorf("%v, listed\n%s", err, m.list(t))
	}
}

func TestTrustLeavesOthers(t *testing.T) {
	m := newMachine(t)
	m.slow = 1
	m.release(t, one)
	m.release(t, two)
	for _, dir := range []string{two, one, one} {
		if err := Trust(t.Context(), m, dir); err != nil {
			t.Fatal(err)
		}
	}
	if m.list(t) != wantList(one, two) {
		t.Errorf("listed\n%s", m.list(t))
	}
	if slices.Contains(m.ran, "restorecon -RF") {
		t.Error("labels were touched")
	}
}

// TestRewritten: fapolicyd-cli --file rewrites every list, with a head of its own.
func TestRewritten(t *testing.T) {
	m := newMachine(t)
	m.release(t, one)
	m.release(t, two)
	_, lines, _ := strings.Cut(wantList(one), "\n")
	m.write(t, TrustFile, "# AUTOGENERATED FILE VERSION 2\n# This file contains a list of trusted files\n#\n#  FULL PATH        SIZE                             SHA256\n"+
		"# /home/user/my-ls 157984 61a9960bf7d255a85811f4afcac51067b8f2e4c75e21cf4f2af95319d4ed1b87\n"+lines, 0o644)
	if apply(t, m, one, two); m.list(t) != wantList(one, two) {
		t.Errorf("listed\n%s", m.list(t))
	}
}

func TestNotActive(t *testing.T) {
	t.Run("nothing there", func(t *testing.T) {
		m := &machine{root: t.TempDir()}
		m.release(t, one)
		if r := apply(t, m, one); r["fapolicyd"] != NotActive || r["selinux"] != NotActive || len(m.ran) > 0 {
			t.Errorf("%v, ran %q", r, m.ran)
		}
	})
	t.Run("installed and off", func(t *testing.T) {
		m := newMachine(t)
		m.active, m.enabled = "inactive", "disabled"
		m.release(t, one)
		if r := apply(t, m, one); r["fapolicyd"] != NotActive || m.list(t) != "" {
			t.Errorf("%v, listed\n%s", r, m.list(t))
		}
	})
	t.Run("off until the next boot", func(t *testing.T) {
		m := newMachine(t)
		m.active = "inactive"
		m.release(t, one)
		if r := apply(t, m, one); !strings.Contains(r["fapolicyd"], "not running") || m.list(t) != wantList(one) || m.database != "" {
			t.Errorf("%v, listed\n%s", r, m.list(t))
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *machine)
		has    string
	}{
		{"a blank in a name", func(t *testing.T, m *machine) { m.write(t, one+"/playbook/a b.py", "", 0o644) }, `"/opt/patroni-airgap.d/one-both/playbook/a b.py"`},
		{"an escape in a name", func(t *testing.T, m *machine) { m.write(t, one+"/venv/bin/a%20b", "", 0o755) }, `a%20b`},
		{"a line break in a name", func(t *testing.T, m *machine) { m.write(t, one+"/venv/bin/a\n/bin/evil", "", 0o755) }, `a\n/bin/evil`},
		{"the daemon does not hear", func(t *testing.T, m *machine) { m.deaf = true }, "fapolicyd.fifo -> No such file"},
		{"the list is not ours", func(t *testing.T, m *machine) { m.write(t, TrustFile, "junk\n", 0o644) }, `the line "junk" is not expected`},
		{"labels fail", func(t *testing.T, m *machine) {
			m.restore = node.Output{Stderr: "restorecon: Could not set context for /opt/x:  Operation not permitted", Status: 255}
		}, "Operation not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.release(t, one)
			c.change(t, m)
			if _, err := Apply(t.Context(), m, []string{one}); err == nil || !strings.Contains(err.Error(), c.has) {
				t.Errorf("%v, want %q", err, c.has)
			}
		})
	}
}

// TestAwaitEnds: a daemon that never learns is an error, and so is an end of
// patience.
func TestAwaitEnds(t *testing.T) {
	m := newMachine(t)
	want := []entry{{path: one + "/pgbundle", size: 1, sha256: strings.Repeat("0", 64)}}
	if err := await(t.Context(), m, want, 0); err == nil || !strings.Contains(err.Error(), "does not know "+one+"/pgbundle") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := await(ctx, m, want, pause); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	m.database = want[0].path + " 2 " + want[0].sha256 + "\n"
	if err := await(t.Context(), m, want, 0); err == nil {
		t.Error("another size was taken")
	}
}

// FuzzParse: what is read is written so that it is read again, and every line
// is one that fapolicyd reads as it was meant.
func FuzzParse(f *testing.F) {
	f.Add(wantList(one, two))
	f.Add("# AUTOGENERATED FILE VERSION 2\n/a 0 " + strings.Repeat("aB", 32) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parse(text)
		if err != nil {
			return
		}
		written := string(format(list))
		again, err := parse(written)
		if err != nil || string(format(again)) != written {
			t.Fatalf("%v: %q, then %q", err, written, format(again))
		}
		for line := range strings.Lines(written) {
			var path, sum string
			var size uint64
			if line[0] == '#' {
				continue
			}
			// fapolicyd: sscanf "%4096s %lu %64s"
			if n, err := fmt.Sscanf(line, "%s %d %s\n", &path, &size, &sum); n != 3 || err != nil || len(sum) != 64 || path[0] != '/' {
				t.Errorf("%q: %v", line, err)
			}
		}
	})
}
