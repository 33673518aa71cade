//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// box is a node of the bed without its systemd: the same image, entered with
// mounts and a network of its own for one command at a time. It starts within
// milliseconds, and all that was ever written in it lies in one folder.
type box struct {
	image string
	carry string // read-only at /srv
	dir   string // its upper is what was written
}

// enterBox mounts what the node's fstab would and runs a command as root of a
// hardened node does. Nothing forks: the command has the process id of the shell.
const enterBox = `set -e; image=$1 box=$2 carry=$3; shift 3; umask 022
mount -t overlay overlay -o "lowerdir=$image,upperdir=$box/upper,workdir=$box/work" "$box/root"
cd "$box/root"
mount --bind "$carry" srv; mount -o remount,bind,ro srv
mount -t proc proc proc; mount --rbind /dev dev
for at in tmp var/tmp; do mount -t tmpfs -o nosuid,nodev,noexec tmpfs $at; done
mount --bind home home; mount -o remount,bind,nosuid,nodev,noexec home
umask 077
if [ "$1" = image ]; then shift; exec "$@"; fi
exec chroot . /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin "$@"`

// ran is how a command in a box ended.
type ran struct {
	out, err string
	status   int // -1: killed
	took     time.Duration
	left     time.Duration // how long something that it started lived on
	ended    int           // runs before it that were not killed in time
}

// command is a command in the box; the words before a program are variables of
// its environment.
func (b *box) command(words ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"--mount", "--net", "sh", "-c", enterBox, "sh", b.image, b.dir, b.carry}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a command to its end, or kills pgbundle so long after it was started
// when after is not negative. What it had started has to be gone soon.
func (b *box) run(after time.Duration, words ...string) (*ran, error) {
	cmd := b.command(words...)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	began := started(cmd.Process.Pid)
	if after >= 0 {
		time.Sleep(time.Until(began.Add(after)))
		cmd.Process.Kill()
	}
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		cmd.Process.Kill()
		return nil, fmt.Errorf("%s: not done after two minutes", strings.Join(words, " "))
	}
	r := &ran{out: out.String(), err: text.String(), status: cmd.ProcessState.ExitCode(), took: time.Since(began)}
	var err error
	r.left, err = b.emptied()
	return r, err
}

// started waits until a process that was forked is pgbundle, or has ended.
func started(pid int) time.Time {
	for {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || string(name) == "pgbundle\n" {
			return time.Now()
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if i := bytes.LastIndexByte(stat, ')'); i > 0 && bytes.HasPrefix(stat[i:], []byte(") Z")) {
			return time.Now()
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// emptied waits until no process is left that sees the box's mounts, however it
// is called and whosever child it has become.
func (b *box) emptied() (time.Duration, error) {
	upper := []byte("upperdir=" + b.dir + "/upper")
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		found, err := filepath.Glob("/proc/[0-9]*/mountinfo")
		if err != nil {
			return 0, err
		}
		var still []string
		for _, mounts := range found {
			if text, _ := os.ReadFile(mounts); bytes.Contains(text, upper) {
				words, _ := os.ReadFile(filepath.Join(filepath.Dir(mounts), "cmdline"))
				still = append(still, strings.ReplaceAll(string(words), "\x00", " "))
			}
		}
		took := time.Since(began)
		if len(still) == 0 {
			return took, nil
		}
		if took > 3*time.Second {
			return took, fmt.Errorf("alive after %v: %s", took, strings.Join(still, "; "))
		}
	}
}

// must runs a command that has to succeed.
func (b *box) must(words ...string) (*ran, error) {
	r, err := b.run(-1, words...)
	if err == nil && r.status != 0 {
		err = fmt.Errorf("%s: exit status %d\n%s", strings.Join(words, " "), r.status, tail(r.out+r.err))
	}
	return r, err
}

// status asks the program itself.
func (b *box) status() (*verdict, error) {
	r, err := b.run(-1, "/srv/pgbundle", "status", "--verify", "--json")
	if err != nil {
		return nil, err
	}
	v := &verdict{}
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		return nil, fmt.Errorf("status: exit status %d: %w\n%s", r.status, err, tail(r.out+r.err))
	}
	if (r.status == 0) != v.Whole {
		return v, fmt.Errorf("status: exit status %d, and whole is %v", r.status, v.Whole)
	}
	return v, nil
}

// reset makes the box a node on which what lies in snapshot was written; empty:
// nothing yet.
func (b *box) reset(snapshot string) error {
	for _, name := range []string{"upper", "work", "root"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(b.dir, name)), os.MkdirAll(filepath.Join(b.dir, name), 0o755)); err != nil {
			return err
		}
	}
	if snapshot == "" {
		return nil
	}
	return clone(snapshot, filepath.Join(b.dir, "upper"))
}

// keep makes a snapshot of the box.
func (b *box) keep(snapshot string) error {
	return errors.Join(os.MkdirAll(snapshot, 0o755), clone(filepath.Join(b.dir, "upper"), snapshot))
}

// clone copies a folder with all that an overlay knows of its files.
func clone(from, to string) error {
	out, err := exec.Command("cp", "-a", from+"/.", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w\n%s", from, err, out)
	}
	return nil
}

// state is what was written in the box.
func (b *box) state() (state, error) { return stateOf(filepath.Join(b.dir, "upper")) }
