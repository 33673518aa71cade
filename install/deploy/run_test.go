package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgbundle/manifest"
)

// stage is a site with a release whose Ansible is a shell script.
type stage struct {
	site, base, temp, logs string
	notes                  told
	options                RunOptions
}

// newStage makes one. The script is what ansible-playbook does; it has events in
// $EVENTS.
func newStage(t *testing.T, script string) *stage {
	t.Helper()
	top := t.TempDir()
	s := &stage{site: filepath.Join(top, "site"), base: filepath.Join(top, "base"), temp: filepath.Join(top, "temp"), logs: filepath.Join(top, "logs")}
	if err := os.Mkdir(s.temp, 0o700); err != nil {
		t.Fatal(err)
	}
	hostvars := map[string]any{"ansible_connection": "local", "patroni_name": "pg1"}
	for _, name := range siteSecrets {
		hostvars[name] = "SENTINEL"
	}
	inv, err := json.Marshal(map[string]any{
		"_meta": map[string]any{"hostvars": map[string]any{"n1": hostvars, "n2": hostvars}}, "patroni_cluster": map[string]any{"hosts": []string{"n1", "n2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "site/ansible.cfg", "[defaults]\ninventory = hosts.yml\n", 0o644)
	s.write(t, "site/site.yml", "- import_playbook: "+s.base+"/playbook/site.yml\n", 0o644)
	s.write(t, "site/inventory.json", string(inv), 0o644)
	s.write(t, "base/playbook/site.yml", "[]\n", 0o644)
	s.write(t, "base/playbook/plugins/callback/pgbundle_events.py", "", 0o644)
	s.write(t, "base/venv/bin/ansible-inventory", "#!/bin/sh\ncat inventory.json\n", 0o755)
	s.write(t, "base/venv/bin/ansible-playbook", "#!/bin/sh\nEVENTS=/dev/fd/$PGBUNDLE_EVENTS_FD\n"+script, 0o755)
	s.options = RunOptions{
		Operation: Deploy(), Site: s.site, Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + top}, LogFolder: s.logs, TempFolders: []string{s.temp},
		Program: "test", Now: time.Now, Observer: &s.notes,
	}
	return s
}

func (s *stage) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.site), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) prepare(t *testing.T) *Run {
	t.Helper()
	run, err := Prepare(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	return run
}

const oneGood = `echo '{"event":"start"}
{"event":"play","stage":"etcd","name":"etcd: x","hosts":1}
{"event":"host","host":"n1","task":"x","status":"changed"}
{"event":"stats","hosts":{"n1":{"ok":1,"changed":1}},"custom":{"pgbundle":{"text":"well"}}}' >$EVENTS
`

// TestPasswordsReachAnsible and nobody else: not its command line, not the log,
// and they are gone as soon as it has read them.
func TestPasswordsReachAnsible(t *testing.T) {
	s := newStage(t, `
for word; do case $last in --become-password-file|--vault-password-file) cat "$word"; stat -c %a "$word" "$(dirname "$word")"; file=$word;; esac; last=$word; done >read
printf '%s\n' "$@" >argv; env >env
`+oneGood+`
for n in 1 2 3 4 5 6 7 8 9 10; do [ -e "$file" ] || break; sleep 0.2; done
[ -e "$file" ] && echo there >left
echo said
`)
	s.options.AskBecome, s.options.AskVault = true, true
	s.options.Ask = func(_ context.Context, prompt string) (string, error) {
		return "hidden " + strings.Fields(prompt)[2], nil
	}
	run := s.prepare(t)
	res, err := run.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(s.site, name))
		if err != nil && name != "left" {
			t.Fatal(err)
		}
		return string(data)
	}
	if got := read("read"); got != "hidden the\n600\n700\nhidden sudo\n600\n700\n" {
		t.Errorf("Ansible read %q", got)
	}
	log, err := os.ReadFile(res.Log)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"argv": read("argv"), "env": read("env"), "log": string(log)} {
		if strings.Contains(text, "hidden") || strings.Contains(text, "SENTINEL") {
			t.Errorf("a password in %s:\n%s", name, text)
		}
	}
	if read("left") != "" {
		t.Error("the passwords stayed")
	}
	if !strings.HasSuffix(string(log), "said\n") {
		t.Errorf("log: %s", log)
	}
	if info, err := os.Stat(res.Log); err != nil || info.Mode() != 0o600 {
		t.Errorf("log: %v %v", info, err)
	}
	if res.Text() != "well" || res.Hosts["n1"].Changed != 1 {
		t.Errorf("%+v", res)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// TestWatch runs the same thing again, with the passwords.
func TestWatch(t *testing.T) {
	s := newStage(t, `cat "$5" >>read || exit 9
`+oneGood)
	s.options.AskBecome = true
	s.options.Ask = func(context.Context, string) (string, error) { return "word", nil }
	s.options.ExtraVars = []string{"a=b"}
	run := s.prepare(t)
	run.args = append([]string{"1", "2", "3"}, run.args[1:]...)
	run.Again = true
	for range 2 {
		if _, err := run.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(s.site, "read")); err != nil || string(data) != "word\nword\n" {
		t.Errorf("%q %v", data, err)
	}
}

func TestHowRunsEnd(t *testing.T) {
	fail := func(stage, status string) string {
		return `cat >$EVENTS <<'END'
{"event":"play","stage":"` + stage + `","hosts":2}
{"event":"host","host":"n1","task":"x","status":"` + status + `","msg":"no\nway"}
{"event":"host","host":"n2","task":"x","status":"` + status + `","msg":"no\nway"}
{"event":"stats","hosts":{},"custom":{}}
END
exit 2
`
	}
	for name, c := range map[string]struct {
		script string
		class  error
		has    string
	}{
		"a host fails":            {fail("etcd", "failed"), nil, "deploy: 2 hosts failed:\nn1, n2: etcd: x: no\n  way"},
		"preflight refuses":       {fail("preflight", "failed"), manifest.ErrUnsolvable, "n1, n2: preflight: x: no"},
		"a host is away":          {fail("preflight", "unreachable"), nil, "n1, n2: unreachable: no\n  way\n  try ssh n1 true"},
		"it does not parse":       {"echo 'ERROR! no such role'; exit 4", nil, "exit status 4:\nERROR! no such role"},
		"collections are missing": {`echo "ERROR! couldn't resolve module/action 'ansible.posix.sysctl'."; exit 4`, nil, "sysctl'.\nthis Ansible has not all collections"},
		"an option it hates":      {"echo 'ansible-playbook: error: unrecognized arguments: --x'; exit 2", manifest.ErrUsage, "unrecognized arguments: --x"},
		"it is not what it says":  {"kill -9 $$", nil, "exit status -1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newStage(t, c.script).prepare(t).Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.has) {
				t.Fatalf("%v, want %q", err, c.has)
			}
			for _, class := range []error{manifest.ErrUnsolvable, manifest.ErrUsage} {
				if errors.Is(err, class) != (class == c.class) {
					t.Errorf("%v: of class %v", err, class)
				}
			}
		})
	}
}

// TestInterrupt sends one signal to all that Ansible has started, waits for it,
// and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		kill   bool
	}{
		"it ends":       {`trap 'echo INT >>signals; kill %1; exit 99' INT; echo '{"event":"play","stage":"x","hosts":1}' >$EVENTS; sleep 300 & echo $! >child; wait`, false},
		"it is deaf":    {`trap 'echo INT >>signals' INT; echo '{"event":"play","stage":"x","hosts":1}' >$EVENTS; sleep 300 & echo $! >child; while :; do wait; sleep 0.1; done`, true},
		"it forks deaf": {`trap 'echo INT >>signals; exit 99' INT; (trap '' INT; exec sleep 300) & echo $! >child; echo '{"event":"play","stage":"x","hosts":1}' >$EVENTS; wait`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.script)
			kill := make(chan struct{})
			s.options.Kill = kill
			run := s.prepare(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := run.Start(ctx)
				ended <- err
			}()
			child := s.wait(t, "child")
			cancel()
			if c.kill {
				s.wait(t, "signals")
				close(kill)
			}
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("it does not end")
			}
			if got := s.wait(t, "signals"); got != "INT" {
				t.Errorf("signals: %q", got)
			}
			for n := 0; !gone(child); n++ { // the kernel takes its time
				if n == 100 {
					t.Fatalf("process %s is still there", child)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

// wait waits for a file of the site with a line in it.
func (s *stage) wait(t *testing.T, name string) string {
	t.Helper()
	for range 300 {
		if data, err := os.ReadFile(filepath.Join(s.site, name)); err == nil && strings.HasSuffix(string(data), "\n") {
			return strings.TrimSpace(string(data))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s", name)
	return ""
}

// gone says whether a process has ended, though nobody may have asked how.
func gone(pid string) bool {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(data), ") Z ")
}
