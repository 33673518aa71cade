package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// permute moves the flags of a command line before its operands, as GNU
// getopt_long does, since the flag package below cli stops at the first
// operand. Whatever follows "--" stays as it is.
func permute(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	out := []string{args[0]}
	rest := args[1:]
	commands, known := app.Commands, app.Flags
	var operands []string
	flush := func() {
		out = append(out, operands...)
		operands = nil
	}
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			if len(rest) > 0 || len(operands) > 0 {
				out = append(out, word)
			}
			flush()
			return append(out, rest...)
		case len(word) > 1 && word[0] == '-':
			out = append(out, word)
			if takesValue(known, word) && len(rest) > 0 {
				out = append(out, rest[0])
				rest = rest[1:]
			}
		default:
			if c := find(commands, word); c != nil && len(operands) == 0 {
				out = append(out, word)
				commands, known = c.Subcommands, c.Flags
				continue
			}
			operands = append(operands, word)
			commands = nil
		}
	}
	flush()
	return out
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue reports whether a flag is followed by its value in a word of its
// own: it is known, it is not a switch, and it has no "=".
func takesValue(flags []cli.Flag, word string) bool {
	if strings.Contains(word, "=") {
		return false
	}
	name := strings.TrimLeft(word, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isSwitch := f.(*cli.BoolFlag)
			return !isSwitch
		}
	}
	return false
}
