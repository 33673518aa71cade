package control

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// programs answers in place of a node's own, and makes the folders that a real
// one would.
type programs struct {
	o    Options
	made string   // the program that makes the environment
	ran  []string // the words of each command line that tell it apart, and "trust"
	env  []string
	fail map[string]node.Output // by the same words
	list string                 // what ansible-galaxy lists
}

func (p *programs) Run(_ context.Context, c node.Command) (node.Output, error) {
	word := strings.Join(c.Args[1:min(len(c.Args), 3)], " ")
	if strings.HasPrefix(word, "-m pip") {
		word = "-m pip " + c.Args[3]
	}
	p.ran, p.env = append(p.ran, word), c.Env
	if out, ok := p.fail[word]; ok {
		return out, nil
	}
	switch word {
	case "-m venv":
		p.made = c.Args[0]
		dir := filepath.Join(c.Args[3], "lib/python"+p.o.Python+"/site-packages")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return node.Output{}, err
		}
		return node.Output{}, os.WriteFile(filepath.Join(dir, "program"), nil, 0o700)
	case "--version":
		return node.Output{Stdout: "ansible-playbook [core 2.15.13]\n"}, nil
	case "collection list":
		return node.Output{Stdout: p.list}, nil
	}
	return node.Output{}, nil
}

func options(t *testing.T) Options {
	t.Helper()
	top := t.TempDir()
	o := Options{Release: filepath.Join(top, "release"), Scratch: filepath.Join(top, "scratch"), Python: "3.11"}
	for _, dir := range []string{o.Scratch, filepath.Join(o.Release, collections)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"community-general-8.6.8.tar.gz", "fixture-early-0.1.0-beta.1.tar.gz", asked} {
		if err := os.WriteFile(filepath.Join(o.Release, collections, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func listed(o Options, text string) string {
	return `{"` + o.Release + `/venv/lib/python3.11/site-packages/ansible_collections": {` + text + `}}`
}

const both = `"community.general": {"version": "8.6.8"}, "fixture.early": {"version": "0.1.0-beta.1"}`

func TestBuildInOrder(t *testing.T) {
	o := options(t)
	p := &programs{o: o, list: listed(o, both)}
	o.Trust = func(context.Context) error { p.ran = append(p.ran, "trust"); return nil }
	if err := Build(t.Context(), p, o); err != nil {
		t.Fatal(err)
	}
	want := []string{"-m venv", "trust", "-m pip install", "trust", "collection install", "-m compileall", "trust", "--version", "-m pip check", "collection list"}
	if !slices.Equal(p.ran, want) {
		t.Errorf("ran %q\nwant %q", p.ran, want)
	}
	for _, want := range []string{"HOME=" + o.Scratch, "TMPDIR=" + o.Scratch + "/tmp", "PIP_CONFIG_FILE=/dev/null", "LC_ALL=C.UTF-8"} {
		if !slices.Contains(p.env, want) {
			t.Errorf("no %s in %q", want, p.env)
		}
	}
	for name, mode := range map[string]fs.FileMode{"lib": 0o755, "lib/python3.11/site-packages/program": 0o755} {
		if info, err := os.Stat(filepath.Join(o.Release, Venv, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestBuildFails(t *testing.T) {
	for _, c := range []struct {
		name, at string
		out      node.Output
		list     string
		class    error
		not      bool // of no class
		has      string
	}{
		{name: "no such Python", at: "-m venv", out: node.Output{Stderr: "sh: exec: python3.11: not found", Status: 127}, class: manifest.ErrUnsolvable, has: "python3.11 is not on this node"},
		{name: "no ensurepip", at: "-m venv", out: node.Output{Stdout: "Error: Command '…' returned non-zero exit status 1.", Status: 1}, has: "returned non-zero"},
		{name: "another digest", at: "-m pip install", out: node.Output{Stderr: "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", Status: 1}, class: manifest.ErrDamaged, has: "HASHES"},
		{name: "no archive", at: "-m pip install", out: node.Output{Stderr: "ERROR: Wheel 'jinja2' located at /opt/x/jinja2-3.1.6-py3-none-any.whl is invalid.\n", Status: 1}, class: manifest.ErrDamaged, has: "invalid"},
		{name: "another word for it", at: "-m pip install", out: node.Output{Stderr: "ERROR: the option is invalid, or No matching distribution found for it\n", Status: 1}, not: true, has: "the option"},
		{name: "invalid elsewhere", at: "collection install", out: node.Output{Stderr: "ERROR! the requirement 'x is invalid'. THESE DO NOT MATCH THE HASHES", Status: 1}, not: true, has: "is invalid"},
		{name: "no wheel", at: "-m pip install", out: node.Output{Stderr: "ERROR: No matching distribution found for jinja2==3.1.6", Status: 1}, class: manifest.ErrUnsolvable, has: "jinja2"},
		{name: "killed", at: "-m pip install", out: node.Output{Status: 137}, has: "exit status 137"},
		{name: "collections refused", at: "collection install", out: node.Output{Stderr: "ERROR! Failed to resolve", Status: 1}, has: "Failed to resolve"},
		{name: "disk full", at: "-m compileall", out: node.Output{Stdout: "*** Error compiling '/v/x.py'...\nOSError: [Errno 28] No space left on device\n", Status: 1}, has: "No space left"},
		{name: "a folder that cannot be read", at: "-m compileall", out: node.Output{Stdout: oldPython + "Can't list '/v/y'\n", Status: 1}, has: "Can't list"},
		{name: "a folder skipped", at: "-m compileall", out: node.Output{Stdout: "Can't list '/v/y'\n"}, has: "Can't list"},
		{name: "no memory", at: "-m compileall", out: node.Output{Stdout: oldPython + "*** Error compiling '/v/y.py'...\nSorry: MemoryError: \n", Status: 1}, has: "MemoryError"},
		{name: "no module", at: "-m compileall", out: node.Output{Stderr: "/v/bin/python: No module named compileall\n", Status: 1}, has: "No module named"},
		{name: "a worker killed", at: "-m compileall", out: node.Output{Stdout: oldPython, Stderr: "Traceback (most recent call last):\n  File \"x\", line 1\nconcurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated abruptly\n", Status: 1}, has: "BrokenProcessPool"},
		{name: "no reason", at: "-m compileall", out: node.Output{Stdout: "*** Error compiling '/v/x.py'...\n", Status: 1}, has: "for 0 reasons"},
		{name: "nothing said", at: "-m compileall", out: node.Output{Status: 1}, has: "compileall: 0 files"},
		{name: "killed later", at: "-m compileall", out: node.Output{Stdout: oldPython, Status: 137}, has: "exit status 137"},
		{name: "does not start", at: "--version", out: node.Output{Stderr: "Permission denied", Status: 126}, has: "Permission denied"},
		{name: "starts with something else", at: "--version", out: node.Output{Stdout: "hello"}, has: `says "hello"`},
		{name: "packages miss one another", at: "-m pip check", out: node.Output{Stdout: "ansible-core requires jinja2, which is not installed.", Status: 1}, has: "requires jinja2"},
		{name: "a collection is not found", list: `"community.general": {"version": "8.6.8"}`, has: `fixture.early 0.1.0-beta.1 (found: "")`},
		{name: "another version is found", list: strings.Replace(both, "8.6.8", "8.6.9", 1), has: `community.general 8.6.8 (found: "8.6.9")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			list := c.list
			if list == "" {
				list = both
			}
			p := &programs{o: o, list: listed(o, list), fail: map[string]node.Output{}}
			if c.at != "" {
				p.fail[c.at] = c.out
			}
			err := Build(t.Context(), p, o)
			if err == nil || !strings.Contains(err.Error(), c.has) || c.class != nil && !errors.Is(err, c.class) {
				t.Fatalf("%v, want %q of class %v", err, c.has, c.class)
			}
			if c.not && (errors.Is(err, manifest.ErrDamaged) || errors.Is(err, manifest.ErrUnsolvable)) {
				t.Errorf("%v has a class", err)
			}
			if c.at != "" && p.ran[len(p.ran)-1] != c.at {
				t.Errorf("went on: %q", p.ran)
			}
		})
	}
}

// oldPython is what compileall says of a file of Python 2.
const oldPython = "*** Error compiling '/v/x.py'...\n  File \"/v/x.py\", line 1\n    print 'x'\n    ^^^^^^^^^\nSyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?\n\n"

// TestBuildCompilesWhatItCan: a test file of Python 2 in a collection is no
// reason to refuse the bundle. Two processes write into each other's lines.
func TestBuildCompilesWhatItCan(t *testing.T) {
	o := options(t)
	site := o.Release + "/venv/lib/python3.11/site-packages/"
	p := &programs{o: o, list: listed(o, both), fail: map[string]node.Output{"-m compileall": {Status: 1,
		Stdout: "*** Error compiling '" + site + "a/x.py'...*** Error compiling \"" + site + "it's.py\"...\n" +
			"SyntaxError: source code string cannot contain null bytes\n\n\nSorry: IndentationError: unindent does not match any outer indentation level (x.py, line 3)\n" + oldPython,
		Stderr: site + "w.py:1: SyntaxWarning: \"is\" with a literal. Did you mean \"==\"?\n  x = 1 is 1\n"}}}
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	if err := Build(t.Context(), p, o); err != nil {
		t.Fatal(err)
	}
	if want := "files of the venv that are not for Python 3.11 were left without byte code: a/x.py, it's.py, "; len(notes) != 1 || !strings.HasPrefix(notes[0], want) {
		t.Errorf("%q", notes)
	}
}

// The interpreter that was found fit is the one that is used, whatever PATH has
// before it.
func TestBuildWithTheInterpreterGiven(t *testing.T) {
	for given, want := range map[string]string{"": "python3.11", "/usr/bin/python3.11": "/usr/bin/python3.11"} {
		o := options(t)
		o.Interpreter = given
		p := &programs{o: o, list: listed(o, both)}
		if err := Build(t.Context(), p, o); err != nil || p.made != want {
			t.Errorf("made with %s, want %s (%v)", p.made, want, err)
		}
	}
}

func TestBuildOnce(t *testing.T) {
	o := options(t)
	if err := os.Symlink("/nowhere", filepath.Join(o.Release, Venv)); err != nil {
		t.Fatal(err)
	}
	p := &programs{o: o}
	if err := Build(t.Context(), p, o); err == nil || len(p.ran) > 0 {
		t.Errorf("%v, ran %q", err, p.ran)
	}
}
