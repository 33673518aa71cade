package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Command is one program of the node with its arguments.
type Command struct {
	Args []string // the program first: a name looked up in PATH, or an absolute path
	Env  []string // beside PATH, HOME and LC_ALL=C, which are always set; nothing is inherited
	Dir  string   // working folder; "/" when empty
}

// Output is what a program that ended has said.
type Output struct {
	Stdout, Stderr string
	Status         int  // exit status; 128 + the signal when one ended it, as shells say
	Cut            bool // it said more than is kept of one stream: 16 MiB
}

// Text is all that a program said, stderr last.
func (o Output) Text() string { return strings.TrimSpace(o.Stdout + "\n" + o.Stderr) }

// Runner runs programs of a node. An error means that the program could not be
// started or was ended by the context; an exit status other than 0 is none.
type Runner interface {
	Run(ctx context.Context, c Command) (Output, error)
}

// ErrImage says that a program cannot be run since the node is not booted.
var ErrImage = errors.New("the node is not booted: its programs cannot be run")

// programPath is where a node's programs are looked for, whatever root's own
// PATH is.
const programPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxOutput bounds what is kept of one stream, in bytes.
const maxOutput = 16 << 20

// waitDelay is how long a program that was ended, or has ended, may keep others
// waiting by what it started and left behind.
const waitDelay = time.Second

// way is how a program is started: with whom it ends.
type way struct {
	attributes *syscall.SysProcAttr
	script     string           // of the shell that runs it: sets the umask, and passes on its exit status
	refused    func(error) bool // says that the system does not allow this way; nil: always does
}

// direct lets the program take the place of the shell, and get the signal that
// was meant for it.
const direct = `umask 022; exec "$@"`

// Run runs a program of the booted node. As root it gets a namespace of
// processes: when this process dies, also when it is killed, when ctx ends, and
// when the program itself does, the kernel ends everything that the program has
// started. So what Hold was given is free as soon as Run returns or we are
// dead, and no one else writes on. Where there are no namespaces, only the
// program itself dies with us. Its umask is 022 whatever ours is: what it makes
// has to be readable by all.
func (n *Node) Run(ctx context.Context, c Command) (Output, error) {
	if !n.Booted() {
		return Output{}, fmt.Errorf("run %s: %w", c.Args[0], ErrImage)
	}
	// The death signal is bound to the thread that starts the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdout, stderr := &limited{limit: maxOutput}, &limited{limit: maxOutput}
	fmt.Fprintf(n.Log(), "+ %s\n", strings.Join(c.Args, " "))
	err := n.run(ctx, c, stdout, stderr)
	out := Output{Stdout: stdout.kept.String(), Stderr: stderr.kept.String(), Cut: stdout.cut || stderr.cut}
	io.WriteString(n.Log(), out.Stdout+out.Stderr)
	if ctx.Err() != nil {
		return out, fmt.Errorf("run %s: %w", c.Args[0], ctx.Err())
	}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		out.Status = exitStatus(ended)
		fmt.Fprintf(n.Log(), "= status %d\n", out.Status)
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	return out, nil
}

// asksOutside says whether a program does nothing but ask the node's services,
// over a socket. systemctl will not speak with a systemd whose process id its
// namespace does not have. It starts nothing that could outlive it.
func asksOutside(program string) bool { return filepath.Base(program) == "systemctl" }

// run starts a program in the first way that the system allows, and waits.
func (n *Node) run(ctx context.Context, c Command, stdout, stderr io.Writer) error {
	list := ways()
	if asksOutside(c.Args[0]) {
		list = list[len(list)-1:]
	}
	for _, w := range list {
		cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", w.script, "sh"}, c.Args...)...)
		cmd.Env = append([]string{"PATH=" + programPath, "HOME=/", "LC_ALL=C"}, c.Env...)
		cmd.Dir = cmp.Or(c.Dir, "/")
		cmd.ExtraFiles = n.held
		cmd.SysProcAttr = w.attributes
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.Cancel = func() error { return endAll(cmd.Process) }
		cmd.WaitDelay = waitDelay
		err := cmd.Start()
		if err != nil && w.refused != nil && w.refused(err) {
			fmt.Fprintf(n.Log(), "no namespace of processes: %v\n", err)
			continue
		}
		if err == nil {
			err = cmd.Wait()
		}
		if errors.Is(err, exec.ErrWaitDelay) {
			_ = endAll(cmd.Process) // as far as it can be reached
			return errors.New("it has ended, but something that it started has not")
		}
		return err
	}
	return errors.ErrUnsupported
}

// Hold lets every program that is run from now on inherit f, until drop is
// called: a lock on it is held until the last of them has ended.
func (n *Node) Hold(f *os.File) (drop func()) {
	n.held = append(n.held, f)
	return func() { n.held = slices.DeleteFunc(n.held, func(g *os.File) bool { return g == f }) }
}

// limited keeps the first bytes of a stream and lets the rest pass. The buffer
// has a name: as an embedded one it would read from the stream by itself.
type limited struct {
	kept  bytes.Buffer
	limit int
	cut   bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.limit - l.kept.Len()
	l.cut = l.cut || len(p) > room
	l.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}
