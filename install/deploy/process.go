package deploy

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// waitDelay is how long what a program has left behind may keep us waiting.
const waitDelay = 2 * time.Second

// bounded keeps the first bytes of a stream and lets the rest pass. The buffer
// has a name: as an embedded one it would read from the stream by itself.
type bounded struct {
	kept  bytes.Buffer
	limit int
	more  bool // than limit
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.kept.Len()
	b.more = b.more || len(p) > room
	b.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}

// started runs a program to its end on one thread, since its death signal is
// bound to the thread that starts it. The channels tell how its start and its
// end went.
func started(cmd *exec.Cmd) (start, end <-chan error) {
	starts, ends := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		starts <- err
		if err == nil {
			ends <- cmd.Wait()
		}
	}()
	return starts, ends
}

// runTool runs a small program, which dies with us and with its context.
func runTool(cmd *exec.Cmd) error {
	cmd.SysProcAttr = alone(syscall.SIGKILL)
	cmd.Cancel = func() error { return signalGroup(cmd, syscall.SIGKILL) }
	start, end := started(cmd)
	if err := <-start; err != nil {
		return err
	}
	return <-end
}

// runAnsible runs ansible-playbook in a session of its own: it has no terminal
// to ask on, and gets a signal from us once, not from the terminal as well. When
// ctx ends it is asked to end, with all that it has started, as Ctrl-C would;
// when kill is closed it is not asked any more. The error is one of starting,
// of ctx, or an *exec.ExitError.
func runAnsible(ctx context.Context, cmd *exec.Cmd, kill <-chan struct{}, note func(string)) error {
	cmd.SysProcAttr = alone(syscall.SIGINT) // so that it ends what it has started
	start, end := started(cmd)
	if err := <-start; err != nil {
		return err
	}
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
	}
	note("interrupted: waiting for ansible-playbook to end; once more ends it at once")
	_ = signalGroup(cmd, syscall.SIGINT) // it may have ended just now
	select {
	case <-end:
	case <-kill:
		_ = signalGroup(cmd, syscall.SIGKILL)
		<-end
	}
	_ = signalGroup(cmd, syscall.SIGKILL) // whoever did not hear
	return ctx.Err()
}

// signalGroup sends a signal to a program and everything in its process group.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) error {
	return syscall.Kill(-cmd.Process.Pid, signal)
}

// exitCode is the exit status of a program that ended by itself.
func exitCode(err error) (int, bool) {
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, err == nil
	}
	return ended.ExitCode(), true
}
