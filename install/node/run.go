package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
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
	Status         int // exit status; 128 + the signal when one ended it, as shells say
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

// Run runs a program of the booted node. It dies with this process, also when
// that is killed, and inherits what Hold was given. Its umask is 022 whatever
// ours is: what it makes has to be readable by all.
func (n *Node) Run(ctx context.Context, c Command) (Output, error) {
	if !n.Booted() {
		return Output{}, fmt.Errorf("run %s: %w", c.Args[0], ErrImage)
	}
	// The death signal is bound to the thread that starts the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	shell := append([]string{"-c", `umask 022; exec "$@"`, "sh"}, c.Args...)
	cmd := exec.CommandContext(ctx, "/bin/sh", shell...)
	cmd.Env = append([]string{"PATH=" + programPath, "HOME=/", "LC_ALL=C"}, c.Env...)
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.ExtraFiles = n.held
	cmd.SysProcAttr = dieWithParent()
	stdout, stderr := &limited{limit: maxOutput}, &limited{limit: maxOutput}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	fmt.Fprintf(n.Log(), "+ %s\n", strings.Join(c.Args, " "))
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
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

// Hold lets every program that is run from now on inherit f, until drop is
// called: a lock on it is held until the last of them has ended.
func (n *Node) Hold(f *os.File) (drop func()) {
	n.held = append(n.held, f)
	return func() { n.held = slices.DeleteFunc(n.held, func(g *os.File) bool { return g == f }) }
}

// limited keeps the first bytes of a stream and lets the rest pass.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), l.limit-l.Len())])
	return len(p), nil
}
