package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is how long programs may take to end and to give back the lock.
const soon = 2 * time.Second

// TestMain is also the pgbundle that gets killed: it takes a lock and runs a
// program.
func TestMain(m *testing.M) {
	folder := os.Getenv("NODE_TEST_LOCK")
	if folder == "" {
		os.Exit(m.Run())
	}
	n, err := Open("/", nil)
	if err == nil {
		var lock *os.File
		if lock, err = Lock(folder); err == nil {
			n.Hold(lock)
			_, err = n.Run(context.Background(), Command{Args: []string{"sh", "-c", os.Getenv("NODE_TEST_SCRIPT")}})
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func booted(t *testing.T) *Node {
	t.Helper()
	n, err := Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// asRoot skips a test of what only root can promise: a namespace of processes.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: others have no namespace of processes")
	}
}

// A grandchild of a pgbundle that is killed must not work on: the next run
// sweeps the folder that it writes to, and waits for the lock that it holds.
func TestKilledWithGrandchildren(t *testing.T) {
	asRoot(t)
	for name, script := range map[string]string{
		"a child of a shell":   `sleep 300 & echo > "$0"; wait`,
		"a session of its own": `setsid sleep 300 & echo > "$0"; wait`,
		"an orphan":            `(setsid sleep 300 &); echo > "$0"; sleep 300`,
		"deaf to signals":      `(trap '' TERM INT HUP; sleep 300; sleep 300) & echo > "$0"; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			started := filepath.Join(folder, "started")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "NODE_TEST_LOCK="+folder, "NODE_TEST_SCRIPT="+strings.ReplaceAll(script, "$0", started))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			within(t, 10*time.Second, "start of the program", func() bool { _, err := os.Stat(started); return err == nil })
			if _, err := Lock(folder); !errors.Is(err, ErrBusy) {
				t.Fatalf("lock of a run at work: %v", err)
			}
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			within(t, soon, "lock", func() bool {
				f, err := Lock(folder)
				if err == nil {
					f.Close()
				}
				return err == nil
			})
		})
	}
}

// within tries again and again.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, limit)
		}
	}
}

func TestCancelEndsGrandchildren(t *testing.T) {
	for name, script := range map[string]string{
		"a child":              `sleep 8 & wait`,
		"a session of its own": `setsid sleep 8 & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := booted(t).Run(ctx, Command{Args: []string{"sh", "-c", script}})
			if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > soon {
				t.Errorf("%v after %s", err, took)
			}
		})
	}
}

// What a program leaves behind ends with it: nothing of a step runs on beside
// the next one.
func TestNothingIsLeftBehind(t *testing.T) {
	asRoot(t)
	left := filepath.Join(t.TempDir(), "left")
	begin := time.Now()
	out, err := booted(t).Run(t.Context(), Command{Args: []string{"sh", "-c", `(setsid sh -c 'sleep 1; echo > "$0"' "$0" &); echo done`, left}})
	if err != nil || out.Stdout != "done\n" || time.Since(begin) > 900*time.Millisecond {
		t.Fatalf("%+v, %v after %s", out, err, time.Since(begin))
	}
	time.Sleep(1500 * time.Millisecond)
	if _, err := os.Stat(left); err == nil {
		t.Error("it wrote after its parent had ended")
	}
}

func TestRunStatus(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		has    string
	}{
		"good":            {[]string{"true"}, 0, ""},
		"bad":             {[]string{"sh", "-c", "echo oh >&2; exit 7"}, 7, "oh"},
		"killed":          {[]string{"sh", "-c", "kill -9 $$"}, 137, ""},
		"ended":           {[]string{"sh", "-c", "kill -15 $$"}, 143, ""},
		"not there":       {[]string{"no-such-program"}, 127, "not found"},
		"no program":      {[]string{"/etc"}, 126, ""},
		"a shell's own":   {[]string{"shift"}, 127, "not found"},
		"words as given":  {[]string{"printf", "%s|", "a b", "$HOME", "*", ""}, 0, "a b|$HOME|*||"},
		"umask":           {[]string{"sh", "-c", "umask"}, 0, "0022"},
		"no first of all": {[]string{"sh", "-c", `test $$ -ne 1 && echo "$PATH $HOME $LC_ALL $(pwd)"`}, 0, programPath + " / C /"},
		"signals work":    {[]string{"sh", "-c", "trap 'exit 5' TERM; kill -TERM $$; exit 6"}, 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := booted(t).Run(t.Context(), Command{Args: c.args})
			if err != nil || out.Status != c.status || !strings.Contains(out.Text(), c.has) {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

// systemctl would refuse every answer of systemd if its namespace had no such
// process. One that stands for it says where it is.
func TestSystemctlIsOutside(t *testing.T) {
	asRoot(t)
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	fake := filepath.Join(t.TempDir(), "systemctl")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\nreadlink /proc/self/ns/pid\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, outside := range map[string]bool{fake: true, filepath.Join(filepath.Dir(fake), "other"): false} {
		if !outside {
			if err := os.Link(fake, program); err != nil {
				t.Fatal(err)
			}
		}
		out, err := booted(t).Run(t.Context(), Command{Args: []string{program}})
		if is := strings.TrimSpace(out.Stdout); err != nil || is == "" || (is == own) != outside {
			t.Errorf("%s is in %q, we are in %q (%v)", program, is, own, err)
		}
	}
}

// A root who may make no namespace, as in many containers, runs programs all
// the same, and an ordinary user does, too.
func TestRunWithoutNamespace(t *testing.T) {
	asRoot(t)
	if os.Getenv("NODE_TEST_BOUND") != "" {
		var log strings.Builder
		n := booted(t)
		n.LogTo(&log)
		if out, err := n.Run(t.Context(), Command{Args: []string{"echo", "here"}}); err != nil || out.Stdout != "here\n" || !strings.Contains(log.String(), "no namespace of processes: ") {
			t.Errorf("%+v, %v\n%s", out, err, log.String())
		}
		begin := time.Now()
		_, err := n.Run(t.Context(), Command{Args: []string{"sh", "-c", "setsid sleep 5 & exit 0"}})
		if err == nil || !strings.Contains(err.Error(), "something that it started has not") || time.Since(begin) > soon {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		return
	}
	for name, bound := range map[string][]string{
		"root": {"--bounding-set", "-sys_admin"}, "user": {"--reuid", "65534", "--clear-groups"},
	} {
		t.Run(name, func(t *testing.T) {
			tests := "^(TestRunWithoutNamespace|TestCancelEndsGrandchildren|TestRunStatus)$"
			cmd := exec.Command("setpriv", append(bound, copied(t), "-test.v", "-test.run", tests)...)
			cmd.Dir, cmd.Env = "/", append(os.Environ(), "NODE_TEST_BOUND=1")
			if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "--- PASS: TestR")+strings.Count(string(out), "--- PASS: TestC") < 2 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// copied is this program where every user can run it.
func copied(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "node-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "node.test"), data, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "node.test")
}

func TestRunNotStarted(t *testing.T) {
	if _, err := booted(t).Run(t.Context(), Command{Args: []string{"true"}, Dir: "/no/such/folder"}); err == nil {
		t.Error("it ran in a folder that is not there")
	}
}

// A stream is bounded, and what went before stays whole.
func TestRunKeepsSoMuch(t *testing.T) {
	out, err := booted(t).Run(t.Context(), Command{Args: []string{"sh", "-c", "echo begin; head -c 20000000 /dev/zero; echo end >&2"}})
	if err != nil || !out.Cut || len(out.Stdout) != maxOutput || !strings.HasPrefix(out.Stdout, "begin\n") || out.Stderr != "end\n" {
		t.Errorf("%d bytes, %q, %v", len(out.Stdout), out.Stderr, err)
	}
}
