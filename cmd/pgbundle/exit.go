package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

var errInterrupted = errors.New("interrupted: nothing was left half done; the same command again does what is missing")

// usageError is a wrong command line, with the way to a right one.
type usageError struct{ text, try string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return manifest.ErrUsage }

// hinted adds a way out to an error of the logic.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// withHint adds a hint to an error, if there is one.
func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// withStrictHint adds the ways out to a refusal of --strict. The flag other asks
// for another target.
func withStrictHint(err error, other string) error {
	if _, ok := errors.AsType[*build.StrictError](err); !ok {
		return err
	}
	return withHint(err, "leave out --strict, choose an older build with --pin NAME=EVR, or ask for another "+other)
}

const exitText = `Exit status:
   0  done
   1  failed: network, disk, a lock that moved, a bug
   2  wrong usage or spec
   3  content is damaged or not what its digest says
   4  signature: missing, wrong or by a stranger
   5  no solution, or the target does not fit
   130  interrupted`

// exitStatus maps an error to the status of the process. It is the only place
// that knows these numbers.
func exitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return 130
	case errors.Is(err, manifest.ErrUsage), strings.HasPrefix(err.Error(), "Required flag"), strings.HasPrefix(err.Error(), "No help topic"):
		return 2
	case errors.Is(err, manifest.ErrSignature):
		return 4
	case errors.Is(err, manifest.ErrDamaged):
		return 3
	case errors.Is(err, manifest.ErrUnsolvable):
		return 5
	default:
		return 1
	}
}

// report prints an error for a person: every line under the program's name, then
// what to try. With the format json it is one line for a machine.
func report(w io.Writer, err error, format string) {
	hint, try := "", ""
	if h, ok := errors.AsType[*hinted](err); ok {
		hint = h.hint
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		try = u.try
	}
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		_ = e.Encode(errorLine{"error", strings.TrimRight(err.Error(), "\n"), exitStatus(err), hint, try, problemsOf(err)}) // stderr: nobody is left to tell
		return
	}
	for i, line := range strings.Split(strings.TrimRight(err.Error(), "\n"), "\n") {
		if i == 0 {
			fmt.Fprintf(w, "pgbundle: %s\n", line)
		} else {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
	if try != "" {
		fmt.Fprintf(w, "try: %s\n", try)
	}
}

// errorLine is the last of the JSON lines on stderr when a command fails.
type errorLine struct {
	Event  string `json:"event"` // "error"
	Text   string `json:"text"`
	Status int    `json:"status"` // of the process
	Hint   string `json:"hint,omitempty"`
	Try    string `json:"try,omitempty"`

	Problems []any `json:"problems,omitempty"` // why packages cannot be resolved: docs/formats.md
}

// problemsOf are the problems of a refusal, as data.
func problemsOf(err error) []any {
	var list []any
	for _, p := range build.Problems(err) {
		list = append(list, p)
	}
	return list
}

// logFormat finds the value of --log-format on a command line, which may be
// wrong before any flag of it is understood.
func logFormat(args []string) string {
	format := ""
	for i, word := range args {
		if word == "--" {
			break
		}
		name, value, joined := strings.Cut(word, "=")
		if name != "--log-format" && name != "-log-format" {
			continue
		}
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		format = value
	}
	return format
}
