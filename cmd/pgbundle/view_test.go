package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/install/deploy"
)

// play tells a view of two stages, one of which goes wrong.
func play(v view) {
	v.Note("a note")
	v.Stage(deploy.Stage{Name: "preflight", Hosts: 2})
	v.Task("preflight", "look")
	v.Host(deploy.Host{Name: "n1", Task: "look", Status: deploy.OK}, deploy.Stage{Name: "preflight", Hosts: 2, OK: 1})
	v.Done(deploy.Stage{Name: "preflight", Hosts: 2, OK: 2, Seconds: 3})
	v.Stage(deploy.Stage{Name: "etcd", Hosts: 1})
	v.Task("etcd", "start it, which takes a name that is longer than the terminal is wide")
	v.Host(deploy.Host{Name: "n1", Task: "start it", Status: deploy.Failed, Message: "no\nway"}, deploy.Stage{Name: "etcd", Hosts: 1, Failed: 1})
	v.Host(deploy.Host{Name: "n2", Task: "start it", Status: deploy.Unreachable, Message: "away"}, deploy.Stage{Name: "etcd", Hosts: 1, Failed: 1, Unreachable: 1})
	v.Done(deploy.Stage{Name: "etcd", Hosts: 2, Failed: 1, Unreachable: 1, Seconds: 125})
	v.Close()
}

func TestLineView(t *testing.T) {
	var b bytes.Buffer
	play(&lineView{w: &b})
	want := `note: a note
preflight: 2 hosts
preflight: 2 ok, 0 changed, 0 failed in 3 s
etcd: 1 host
failed: n1: start it: no
unreachable: n2: away
etcd: 0 ok, 0 changed, 1 failed, 1 unreachable in 2 min 05 s
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

// TestLiveView renders what a terminal would show: lines that stay, and at no
// time a line that is too long.
func TestLiveView(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	play(newLiveView(&b, func() time.Time { return now }, func() int { return 50 }))
	var stays []string
	for line := range strings.Lines(b.String()) {
		parts := strings.Split(strings.TrimRight(line, "\n"), "\r\x1b[K")
		for _, part := range parts[:len(parts)-1] {
			if len([]rune(part)) > 49 {
				t.Errorf("too long: %q", part)
			}
		}
		stays = append(stays, parts[len(parts)-1])
	}
	want := []string{
		"note: a note", "preflight      3 s  2 ok, 0 changed, 0 failed", "failed: n1: start it: no", "unreachable: n2: away",
		"etcd       2 min 05 s  0 ok, 0 changed, 1 failed, 1 unreachable",
	}
	if strings.Join(stays, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", stays)
	}
	if !strings.Contains(b.String(), "etcd           0 s  0 ok, 0 changed, 0 failed") {
		t.Errorf("no live line in %q", b.String())
	}
}

func TestJSONView(t *testing.T) {
	var b bytes.Buffer
	play(&jsonView{w: &b})
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 10 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		var event struct{ Event string }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Event == "" {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestInterruptPlaybook sends Ctrl-C to a deploy: Ansible gets it once and is
// waited for, and a second one ends it.
func TestInterruptPlaybook(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		signals []os.Signal
		status  int
	}{
		"once":           {[]string{"deploy"}, []os.Signal{os.Interrupt}, 130},
		"terminated":     {[]string{"deploy"}, []os.Signal{syscall.SIGTERM}, 130},
		"twice":          {[]string{"deploy", "--tags", "deaf"}, []os.Signal{os.Interrupt, os.Interrupt}, 130},
		"watch is ended": {[]string{"ops", "cluster-status", "--watch"}, []os.Signal{os.Interrupt}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := interruptedSite(t)
			cmd := exec.Command(filepath.Join(programFolder(t), "pgbundle-linux-amd64"), c.command...)
			cmd.Dir = site
			cmd.Env = append(os.Environ(), "PGBUNDLE_LOG_DIR="+filepath.Join(site, "logs"))
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := make(chan string, 100)
			go func() {
				for in := bufio.NewScanner(stderr); in.Scan(); {
					lines <- in.Text()
				}
				close(lines)
			}()
			waitFor(t, filepath.Join(site, "child"))
			for n, signal := range c.signals {
				if n > 0 {
					waitFor(t, filepath.Join(site, "signals"))
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			var said []string
			for line := range lines {
				said = append(said, line)
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d:\n%s", got, c.status, strings.Join(said, "\n"))
			}
			if c.status == 130 && !strings.Contains(strings.Join(said, "\n"), "interrupted: the hosts stay as they are now") {
				t.Errorf("%s", strings.Join(said, "\n"))
			}
			if signals := waitFor(t, filepath.Join(site, "signals")); signals != "INT" {
				t.Errorf("Ansible got %q", signals)
			}
			child := waitFor(t, filepath.Join(site, "child"))
			for n := 0; ; n++ { // the kernel takes its time
				stat, err := os.ReadFile("/proc/" + child + "/stat")
				if err != nil || strings.Contains(string(stat), ") Z ") {
					break
				}
				if n == 100 {
					t.Fatalf("process %s is still there", child)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

// interruptedSite is a site whose Ansible does not end by itself; with the tag
// deaf it does not for a signal either.
func interruptedSite(t *testing.T) string {
	t.Helper()
	site := t.TempDir()
	base := filepath.Join(site, "base")
	secrets := ""
	for _, name := range []string{"postgres_superuser_password", "postgres_replication_password", "patroni_rewind_password", "app_db_password", "patroni_restapi_password",
		"pgbouncer_admin_password", "haproxy_stats_password", "keepalived_auth_pass", "etcd_root_password", "etcd_patroni_password"} {
		secrets += `, "` + name + `": "x"`
	}
	for name, text := range map[string]string{
		"ansible.cfg":                  "[defaults]\n",
		"site.yml":                     "- import_playbook: " + base + "/playbook/site.yml\n",
		"playbooks/cluster-status.yml": "- import_playbook: " + base + "/playbook/playbooks/cluster-status.yml\n",
		"base/playbook/site.yml":       "- {hosts: all, tags: deaf}\n",
		"base/playbook/playbooks/cluster-status.yml":        "[]\n",
		"base/playbook/plugins/callback/pgbundle_events.py": "",
		"base/venv/bin/ansible-inventory": `#!/bin/sh
echo '{"_meta": {"hostvars": {"n1": {"ansible_connection": "local"` + secrets + `}}}, "all": {"hosts": ["n1"]}}'
`,
		"base/venv/bin/ansible-playbook": `#!/bin/sh
case "$*" in *deaf*) trap 'echo INT >>signals' INT;; *) trap 'echo INT >>signals; exit 99' INT;; esac
sleep 300 & echo $! >child
while :; do wait; sleep 0.1; done
`,
	} {
		path := filepath.Join(site, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return site
}

// waitFor waits for a file with a line in it.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	for range 600 {
		if data, err := os.ReadFile(path); err == nil && strings.HasSuffix(string(data), "\n") {
			return strings.TrimSpace(string(data))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s", path)
	return ""
}
