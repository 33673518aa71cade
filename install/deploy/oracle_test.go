//go:build oracle

package deploy

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgbundle/install/playbook"
)

// realAnsible makes a virtual environment with the ansible-core of a bundle, by
// the oldest Python that is here.
func realAnsible(t *testing.T) string {
	t.Helper()
	venv := filepath.Join(t.TempDir(), "venv")
	for _, python := range []string{"python3.9", "python3.10", "python3.11"} {
		if exec.Command(python, "-c", "import venv").Run() != nil {
			continue
		}
		for _, args := range [][]string{{python, "-m", "venv", venv}, {venv + "/bin/pip", "install", "--quiet", "ansible-core>=2.15,<2.16"}} {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
		out, err := exec.Command(venv+"/bin/ansible-playbook", "--version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "[core 2.15.") {
			t.Fatalf("%v: %s", err, out)
		}
		t.Log(python)
		return venv
	}
	t.Fatal("no Python of 3.9 to 3.11")
	return ""
}

// realPlaybook fails in every way that a playbook can. SENTINEL is what must not
// be told.
const realPlaybook = `
- name: "preflight: look"
  hosts: all
  gather_facts: false
  tasks:
    - name: look
      ansible.builtin.assert: {that: [app_db_password == "SENTINEL-vault", offline == 1]}
      no_log: true
    - name: reach
      ansible.builtin.ping:
- name: "Etcd: the store"
  hosts: all:!away
  gather_facts: false
  serial: 1
  handlers:
    - name: restart it
      ansible.builtin.command: echo SENTINEL-argument
  tasks:
    - name: ignored
      ansible.builtin.command: sh -c 'echo why >&2; exit 3'
      ignore_errors: true
    - name: mute
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: notify
      ansible.builtin.command: echo SENTINEL-argument
      notify: restart it
    - name: included
      ansible.builtin.include_tasks: more.yml
    - name: hidden
      ansible.builtin.command: sh -c 'echo SENTINEL-hidden >&2; exit 3'
      no_log: true
      ignore_errors: true
    - name: hidden loop
      ansible.builtin.fail: {msg: "SENTINEL-item {{ item }}"}
      loop: [1, 2]
      no_log: true
      ignore_errors: true
    - name: hidden template
      ansible.builtin.fail: {msg: "SENTINEL-item"}
      no_log: "{{ app_db_password != '' }}"
      ignore_errors: true
    - block:
        - block:
            - name: caught
              ansible.builtin.fail: {msg: oh}
          always:
            - name: always
              ansible.builtin.debug: {msg: x}
      rescue:
        - name: rescue
          ansible.builtin.command: "true"
    - name: tried
      ansible.builtin.command: "false"
      register: r
      until: r.rc == 0
      retries: 2
      delay: 0
      ignore_errors: true
    - name: loop
      ansible.builtin.fail: {msg: "no {{ item }}"}
      loop: [1, 2]
      ignore_errors: true
    - name: file
      ansible.builtin.copy: {content: "SENTINEL-diff", dest: "{{ lookup('env', 'PWD') }}/file-{{ inventory_hostname }}"}
      diff: false
    - name: answer
      ansible.builtin.set_stats: {data: {pgbundle: {text: "fine", n: 1}}, per_host: false, aggregate: false}
    - name: last
      ansible.builtin.fail: {msg: [it went, wrong]}
      when: inventory_hostname == 'n2' and not ansible_check_mode
`

// witness is an Observer that remembers everything.
type witness struct {
	Silent
	mu    sync.Mutex
	lines []string
}

func (w *witness) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}
func (w *witness) Note(text string)        { w.say("note %s", text) }
func (w *witness) Task(stage, name string) { w.say("task %s %s", stage, name) }
func (w *witness) Host(h Host, _ Stage) {
	w.say("%s %s %s %s", h.Name, h.Task, h.Status, strings.ReplaceAll(h.Message, "\n", "|"))
}

// TestRealAnsible runs a playbook with the Ansible of a bundle and our callback.
func TestRealAnsible(t *testing.T) {
	s := newStage(t, "")
	if err := os.RemoveAll(filepath.Join(s.base, "venv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(realAnsible(t), filepath.Join(s.base, "venv")); err != nil {
		t.Fatal(err)
	}
	plugin, err := fs.ReadFile(playbook.FS, "plugins/callback/pgbundle_events.py")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "base/"+callbackFolder+"/pgbundle_events.py", string(plugin), 0o644)
	s.write(t, "base/playbook/site.yml", realPlaybook, 0o644)
	s.write(t, "base/playbook/more.yml", "- name: more\n  ansible.builtin.command: echo hi\n", 0o644)
	s.write(t, "site/hosts.yml", `all:
  hosts:
    n1: {ansible_connection: local}
    n2: {ansible_connection: local}
  children:
    away: {hosts: {n3: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_ssh_common_args: "-o StrictHostKeyChecking=accept-new"}}}
`, 0o644)
	vars := ""
	for _, name := range siteSecrets {
		vars += name + ": SENTINEL-vault\n"
	}
	s.write(t, "site/group_vars/all/vault.yml", vars, 0o600)
	s.write(t, "word", "SENTINEL-word\n", 0o600)
	s.write(t, "more.json", `{"offline": 1}`, 0o600)
	encrypt := exec.Command(filepath.Join(s.base, "venv/bin/ansible-vault"), "encrypt", "--vault-password-file", filepath.Join(filepath.Dir(s.site), "word"), "group_vars/all/vault.yml")
	encrypt.Dir = s.site
	if out, err := encrypt.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	w := &witness{}
	s.options.Observer, s.options.AskVault, s.options.Diff = w, true, true
	s.options.ExtraVars, s.options.More = []string{"@../more.json"}, []string{"-vvv"}
	s.options.Ask = func(context.Context, string) (string, error) { return "SENTINEL-word", nil }
	seen := sample(t)
	run := s.prepare(t)
	res, err := run.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "deploy: 2 hosts failed:\nn3: unreachable: ") || !strings.Contains(err.Error(), "\nn2: etcd: last: it went\n  wrong") {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		"n1 look ok ", "n1 ignored ignored non-zero return code: why", "n1 mute ignored non-zero return code: exit status 1", "n1 notify changed ", "n1 more changed ", "n1 hidden ignored ",
		"n1 hidden loop ignored ", "n1 hidden template ignored ", "n1 caught rescued oh", "n1 always ok ", "n1 rescue changed ", "n1 tried retry 2 tries left", "n1 tried ignored non-zero return code: exit status 1",
		"n1 loop ignored no 1|no 2", "n1 file changed ", "n1 last skipped ", "n1 restart it changed ", "n2 last failed it went|wrong", "task etcd restart it",
	} {
		if !slices.Contains(w.lines, want) {
			t.Errorf("not told: %q", want)
		}
	}
	if res.Text() != "fine" || len(res.Stages) != 2 || res.Hosts["n2"].Failed != 1 || res.Hosts["n3"].Unreachable != 1 || res.Hosts["n1"].Rescued != 1 {
		t.Errorf("%+v", res)
	}
	log, err := os.ReadFile(res.Log)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"events": strings.Join(w.lines, "\n"), "command lines": seen()} {
		// Arguments of commands on hosts are on command lines there.
		if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(text, "echo SENTINEL-argument", ""), "echo SENTINEL-hidden", ""), "SENTINEL") {
			t.Errorf("a sentinel in %s:\n%s", where, text)
		}
	}
	for _, secret := range []string{"SENTINEL-vault", "SENTINEL-word", "SENTINEL-hidden", "SENTINEL-item", "SENTINEL-diff"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}

	// With --check and one host nothing fails, and nothing is changed.
	w.lines, s.options.Check, s.options.Limit = nil, true, "n2"
	if err := os.Remove(filepath.Join(s.site, "file-n2")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.prepare(t).Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(w.lines, "\n"))
	}
	if _, err := os.Stat(filepath.Join(s.site, "file-n2")); err == nil {
		t.Error("--check made a file")
	}
}

// sample reads the command lines of all processes ten times a second, until it
// is asked what it has seen.
func sample(t *testing.T) func() string {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	lines := map[string]bool{}
	go func() {
		defer close(done)
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if data, err := os.ReadFile(file); err == nil {
					lines[strings.ReplaceAll(string(data), "\x00", " ")] = true
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() string {
		close(stop)
		<-done
		var b strings.Builder
		for line := range lines {
			if strings.Contains(line, "SENTINEL") {
				b.WriteString(line + "\n")
			}
		}
		return b.String()
	}
}
