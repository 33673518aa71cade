package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// person is somebody at a terminal, who reads stderr.
type person struct {
	lines *bufio.Reader
	out   io.Writer
}

// terminalOf is the person who types into stdin; nil when that is no terminal.
func terminalOf(h host) *person {
	if terminalIn(h) == nil {
		return nil
	}
	return &person{lines: bufio.NewReader(h.stdin), out: h.stderr}
}

// terminalIn is stdin when it is a terminal, else nil.
func terminalIn(h host) *os.File {
	if in, ok := h.stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		return in
	}
	return nil
}

// Ask reads a line, until the context ends.
func (p *person) Ask(ctx context.Context, question, fallback string) (string, error) {
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	fmt.Fprintf(p.out, "%s: ", question)
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := p.lines.ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-answers:
		if errors.Is(a.err, io.EOF) {
			fmt.Fprintln(p.out)
			return "", &usageError{"the input ended before the last question", "pgbundle init --help"}
		}
		if a.err != nil {
			return "", fmt.Errorf("read the answer: %w", a.err)
		}
		return strings.TrimSpace(a.line), nil
	}
}

// Refuse tells why an answer was not taken.
func (p *person) Refuse(reason string) { fmt.Fprintf(p.out, "  %s\n", reason) }

// askSecret reads a line from the terminal without showing it; instead is what
// somebody without one can give.
func askSecret(ctx context.Context, h host, prompt, instead string) (string, error) {
	in := terminalIn(h)
	if in == nil {
		return "", &usageError{"no terminal to ask for the " + prompt + " on", instead}
	}
	fmt.Fprintf(h.stderr, "%s: ", prompt)
	defer fmt.Fprintln(h.stderr)
	return readPassword(ctx, int(in.Fd()))
}
