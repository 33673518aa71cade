//go:build e2e

// Package e2e tries the project in the real world: a bundle of real packages is
// built with the program itself and installed with the tools that a site has.
package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bed is the test bed: what scripts/testbed made, and where it is served.
type bed struct {
	PG           string `json:"pg"`
	Repositories string `json:"repositories"`
	Keys         string `json:"keys"`
	Etcd         string `json:"etcd"`
	Galaxy       string `json:"galaxy"`

	url      string
	root     string // of the checkout
	evidence evidence
}

// repoNames are the bed's dnf repositories, in the order of a .repo file.
func (b *bed) repoNames() []string {
	return []string{"baseos", "appstream", "epel", "pgdg-common", "pgdg" + b.PG}
}

func (b *bed) key(repo string) string {
	if strings.HasPrefix(repo, "pgdg") {
		return filepath.Join(b.Keys, "RPM-GPG-KEY-testbed-pgdg")
	}
	return filepath.Join(b.Keys, "RPM-GPG-KEY-testbed-distribution")
}

// repoFile is the .repo file of the served bed.
func (b *bed) repoFile() string {
	var text strings.Builder
	for _, r := range b.repoNames() {
		fmt.Fprintf(&text, "[%s]\nname=%s of the test bed\nbaseurl=%s/%s\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\n\n", r, r, b.url, r, b.key(r))
	}
	return text.String()
}

// openBed reads what the bed's scripts made and serves it on the loopback.
func openBed(t *testing.T) *bed {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root: dnf --installroot and network namespaces do")
	}
	name := os.Getenv("PGBUNDLE_BED")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("no test bed: run make e2e, which makes it: %v", err)
	}
	var b bed
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	if b.root, err = filepath.Abs(".."); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(b.Repositories)))
	mux.Handle("/etcd/", http.StripPrefix("/etcd/", http.FileServer(http.Dir(b.Etcd))))
	mux.Handle("/galaxy/", http.StripPrefix("/galaxy", galaxyServer(t, b.Galaxy)))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.evidence = evidence{
		Bed: "Debian 12 binaries in real RPMs, not RHEL 9; PostgreSQL " + b.PG, Started: time.Now().UTC(),
		NotRun: []string{"SELinux", "FIPS", "RHEL's own packages", "Python 3.9"},
	}
	t.Cleanup(func() { b.evidence.write(t, filepath.Join(filepath.Dir(b.Repositories), "..", "evidence")) })
	return &b
}

// evidence is what a run leaves for somebody who was not there.
type evidence struct {
	Bed     string    `json:"bed"`
	Started time.Time `json:"started"`
	NotRun  []string  `json:"notRun"`
	Steps   []step    `json:"steps"`
}

// step is one command that was run.
type step struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Cut     bool     `json:"networkCut"`
	Status  int      `json:"status"`
	Seconds float64  `json:"seconds"`
	Output  string   `json:"output"`
}

func (e *evidence) write(t *testing.T, dir string) {
	data, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bundle.json"), append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Errorf("write evidence: %v", err)
	}
}

// command is one to be run, in the open or with the network cut.
type command struct {
	name string
	dir  string
	env  []string
	cut  bool
	args []string
}

// run runs a command and notes it in the evidence.
func (b *bed) run(t *testing.T, c command) (output string, status int) {
	t.Helper()
	args := c.args
	if c.cut {
		// A namespace of its own with nothing but its loopback: no route leads out.
		args = append([]string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	status = cmd.ProcessState.ExitCode()
	if err != nil && status < 0 {
		t.Fatalf("%s: %v", c.name, err)
	}
	tail := string(out[max(0, len(out)-2000):])
	b.evidence.Steps = append(b.evidence.Steps, step{c.name, c.args, c.cut, status, time.Since(began).Seconds(), tail})
	return string(out), status
}

// must runs a command that has to succeed.
func (b *bed) must(t *testing.T, c command) string {
	t.Helper()
	out, status := b.run(t, c)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s\n%s", c.name, status, strings.Join(c.args, " "), out)
	}
	return out
}
