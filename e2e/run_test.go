//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// evidence is what a run leaves for somebody who was not there.
type evidence struct {
	mu sync.Mutex // parts of a test may run at once

	World   string             `json:"world"`
	NotRun  []string           `json:"notRun"` // what this world cannot show
	Started time.Time          `json:"started"`
	Passed  bool               `json:"passed"`
	Bed     map[string]float64 `json:"bedSeconds"`
	Tools   map[string]string  `json:"tools"`
	Facts   map[string]any     `json:"facts"`
	Steps   []step             `json:"steps"`
}

// step is one command that was run.
type step struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Cut     bool     `json:"networkCut"`
	Status  int      `json:"status"`
	Seconds float64  `json:"seconds"`
	Output  string   `json:"output"` // its end
}

// tools are those whose word the evidence rests on.
func tools() map[string]string {
	found := map[string]string{}
	for _, args := range [][]string{{"dnf", "--version"}, {"rpm", "--version"}, {"createrepo_c", "--version"}, {"tar", "--version"}, {"minisign", "-v"}} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			out = []byte(err.Error())
		}
		found[args[0]], _, _ = strings.Cut(string(out), "\n")
	}
	return found
}

// write leaves the evidence in dir, also of a run that failed.
func (e *evidence) write(t *testing.T, dir, name string) {
	e.Passed = !t.Failed()
	data, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Errorf("write evidence: %v", err)
	}
}

func (e *evidence) step(s step) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Steps = append(e.Steps, s)
}

func (e *evidence) fact(name string, value any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Facts[name] = value
}

// command is one to be run, in the open or with the network cut.
type command struct {
	name string
	dir  string
	env  []string // beside the test's own; of a command in a root: all of it
	cut  bool     // in a network of its own, with nothing but its loopback
	root string   // in this root, with the bundle at /bundle
	args []string
}

// enter mounts what a program in a root needs, in a mount namespace that goes
// away with it. $1 is the root, $2 the bundle; what follows is the command.
const enter = `set -e; root=$1 bundle=$2; shift 2
mkdir -p "$root/bundle"; mount --bind "$bundle" "$root/bundle"; mount -o remount,bind,ro "$root/bundle"
mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 "$@"`

func (s *site) wrapped(c command) []string {
	args := c.args
	if c.root != "" {
		args = append([]string{"unshare", "--mount", "sh", "-c", enter, "sh", c.root, s.bundle}, append(c.env, args...)...)
	}
	if c.cut {
		args = append([]string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}, args...)
	}
	return args
}

// run runs a command and notes it in the evidence.
func (s *site) run(t *testing.T, c command) (output string, status int) {
	t.Helper()
	args := s.wrapped(c)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "LC_ALL=C.UTF-8")
	if c.root == "" {
		cmd.Env = append(cmd.Env, c.env...)
	}
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	status = cmd.ProcessState.ExitCode()
	s.evidence.step(step{
		Name: c.name, Command: c.args, Cut: c.cut, Status: status,
		Seconds: time.Since(began).Round(time.Millisecond).Seconds(), Output: tail(string(out)),
	})
	return string(out), status
}

// must runs a command that has to succeed.
func (s *site) must(t *testing.T, c command) string {
	t.Helper()
	out, status := s.run(t, c)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s\n%s", c.name, status, strings.Join(c.args, " "), tail(out))
	}
	return out
}

// refused runs a command that has to fail, and say these words.
func (s *site) refused(t *testing.T, c command, words string) {
	t.Helper()
	out, status := s.run(t, c)
	if status == 0 || !strings.Contains(out, words) {
		t.Errorf("%s: exit status %d, want a refusal that says %q\n%s", c.name, status, words, tail(out))
	}
}

// tail is the end of an output, where a failure says what it is.
func tail(out string) string { return out[max(0, len(out)-4000):] }
