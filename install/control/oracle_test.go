//go:build oracle

package control

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgbundle/install/node"
)

// python is the interpreter of the control node: pip that comes with it is used.
const python = "3.11"

// machine runs programs of this host; the interpreter may lie outside of root's
// PATH.
type machine struct {
	run *node.Node
	bin string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	out, err := exec.Command("python"+python, "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	if err != nil {
		t.Fatalf("python%s: %v", python, err)
	}
	run, err := node.Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{run: run, bin: filepath.Dir(strings.TrimSpace(string(out)))}
}

func (m *machine) Run(ctx context.Context, c node.Command) (node.Output, error) {
	c.Env = append(slices.Clone(c.Env), "PATH="+m.bin+":/usr/bin:/bin")
	return m.run.Run(ctx, c)
}

// release has Ansible's wheels, from the index that pip is set up for, with a
// lock, and two collections that Ansible's own tool makes.
func release(t *testing.T, m *machine) Options {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Release: filepath.Join(top, "release"), Python: python, Scratch: filepath.Join(top, "scratch")}
	from := filepath.Join(o.Release, wheels)
	for _, dir := range []string{from, filepath.Join(o.Release, collections), o.Scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tool(t, from, filepath.Join(m.bin, "python"+python), "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", ".", "ansible-core>=2.15,<2.16", "setuptools", "wheel")
	tool(t, from, "sh", "-c", `for w in *.whl; do n=${w%%-*}; v=${w#*-}; echo "$n==${v%%-*} --hash=sha256:$(sha256sum "$w" | cut -d ' ' -f 1)"; done > requirements.lock`)
	tool(t, o.Release, "sh", "-c", `set -e; export HOME=$0; cd collections
		for n in one two; do ansible-galaxy collection init --init-path "$0" pgtest.$n; echo 'def main(): pass' > "$0/pgtest/$n/plugins/m.py"; echo "print 'of Python 2'" > "$0/pgtest/$n/plugins/old.py"
		sed -i "s/^version:.*/version: 1.2.$(expr length $n)-rc.1/" "$0/pgtest/$n/galaxy.yml"; ansible-galaxy collection build "$0/pgtest/$n"; done
		(echo collections:; for f in *.tar.gz; do v=${f#*-*-}; printf -- '- name: %s\n  version: %s\n' "$f" "${v%.tar.gz}"; done) > requirements.yml`, t.TempDir())
	return o
}

func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// listing is everything below top but for what names say to leave out.
func listing(t *testing.T, top string, without ...string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(without, path) {
			return fs.SkipDir
		}
		info, err := d.Info()
		list = append(list, path+" "+info.Mode().String()+" "+info.ModTime().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// world matches a line of a listing whose file every user can read or enter.
var world = regexp.MustCompile(` (L.{9}|-rw-r--r--|-rwxr-xr-x|drwxr-xr-x) [0-9]{4}-`)

func TestBuildForReal(t *testing.T) {
	m := newMachine(t)
	o := release(t, m)
	trusted := 0
	o.Trust = func(context.Context) error { trusted++; return nil }
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	before := listing(t, o.Release)
	if err := Build(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || strings.Count(notes[0], "/old.py") != 2 || strings.Count(notes[0], ",") != 1 {
		t.Errorf("notes: %q", notes)
	}
	if trusted != 3 {
		t.Errorf("trust was asked for %d times", trusted)
	}
	// The release itself has a new entry, and so another time.
	if after := listing(t, o.Release, filepath.Join(o.Release, Venv)); !slices.Equal(after[1:], before[1:]) {
		t.Errorf("was %q\nis %q", before, after)
	}
	venv := filepath.Join(o.Release, Venv)
	for _, line := range listing(t, venv) {
		if !world.MatchString(line) {
			t.Errorf("mode: %s", line)
		}
	}

	// From anywhere, with nothing set up: nothing of the release is written by
	// using it, not even by root.
	used, home := listing(t, venv), t.TempDir()
	for _, program := range []string{"ansible-playbook", "ansible-galaxy", "ansible-doc"} {
		out := tool(t, home, "env", "-i", "HOME="+home, "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", filepath.Join(venv, "bin", program), "--version")
		if !strings.Contains(out, program+" [core 2.15.") {
			t.Errorf("%s says %s", program, out)
		}
	}
	if again := listing(t, venv); !slices.Equal(again, used) {
		t.Error("using the environment changed it")
	}

	if err := Build(t.Context(), m, o); err == nil {
		t.Error("a second Build over the first one passed")
	}
}

// TestBuildRefuses damages one thing each time.
func TestBuildRefuses(t *testing.T) {
	m := newMachine(t)
	o := release(t, m)
	again := func(change func(Options)) error {
		t.Helper()
		copied := o
		copied.Release = filepath.Join(t.TempDir(), "r")
		tool(t, "/", "cp", "-r", o.Release, copied.Release)
		change(copied)
		return Build(t.Context(), m, copied)
	}
	glob := func(o Options, pattern string) string {
		found, err := filepath.Glob(filepath.Join(o.Release, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v (%v)", pattern, found, err)
		}
		return found[0]
	}
	for name, c := range map[string]struct {
		change func(Options)
		has    string
	}{
		"a wheel is gone": {func(o Options) { os.Remove(glob(o, "wheels/control/jinja2-*.whl")) }, "No matching distribution found for jinja2"},
		"a wheel is another": {func(o Options) {
			path := glob(o, "wheels/control/jinja2-*.whl")
			data, _ := os.ReadFile(path)
			data[len(data)/2] ^= 1
			os.WriteFile(path, data, 0o644)
		}, "DO NOT MATCH THE HASHES"},
		"a wheel is not in the lock": {func(o Options) {
			path := filepath.Join(o.Release, wheels, lock)
			data, _ := os.ReadFile(path)
			var kept []string
			for line := range strings.Lines(string(data)) {
				if !strings.HasPrefix(line, "MarkupSafe") && !strings.HasPrefix(line, "markupsafe") {
					kept = append(kept, line)
				}
			}
			os.WriteFile(path, []byte(strings.Join(kept, "")), 0o644)
		}, "hash"},
		"a collection is damaged": {func(o Options) {
			path := glob(o, "collections/pgtest-one-*.tar.gz")
			data, _ := os.ReadFile(path)
			os.WriteFile(path, data[:len(data)/2], 0o644)
		}, "ansible-galaxy"},
		"a collection is gone": {func(o Options) { os.Remove(glob(o, "collections/pgtest-one-*.tar.gz")) }, "ansible-galaxy"},
		"a collection is not listed": {func(o Options) {
			os.Rename(glob(o, "collections/pgtest-one-*.tar.gz"), filepath.Join(o.Release, "collections/pgtest-three-1.0.0.tar.gz"))
		}, "pgtest"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := again(c.change); err == nil || !strings.Contains(err.Error(), c.has) {
				t.Errorf("%v, want %q", err, c.has)
			}
		})
	}
}
