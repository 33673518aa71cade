// Command pgbundle carries a PostgreSQL high-availability cluster across an
// air gap. It parses flags, prints and exits; what it does stands in the
// packages below bundle and, for the other side of the gap, install. Only this
// package reads the environment, the terminal and the clock.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends what does not listen
	status := run(ctx, os.Args, host{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv:   os.Getenv,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
		screen:   term.IsTerminal(int(os.Stdout.Fd())),
	})
	stop()
	os.Exit(status)
}

// host is what the program sees of the machine around it, so that a test can
// put another in its place.
type host struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	terminal       bool // stderr is a terminal
	screen         bool // stdout is one too
}

// checkedWriter remembers the first failure to write, so that a result that
// nobody got is no success.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// run runs one command line and returns the exit status. A command that was
// interrupted says so instead of the error that the interruption caused.
func run(ctx context.Context, args []string, h host) int {
	out := &checkedWriter{w: h.stdout}
	h.stdout = out
	app := newApp(h)
	err := app.RunContext(ctx, permute(app, args))
	if err == nil && out.err != nil {
		err = fmt.Errorf("write the result: %w", out.err)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, errInterrupted) {
		err = errInterrupted
	}
	if err != nil {
		report(h.stderr, err, logFormat(args))
	}
	return exitStatus(err)
}
