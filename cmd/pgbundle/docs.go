package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// docsCommand prints the reference out of the commands themselves, so that it
// cannot say anything else than they do.
func docsCommand(h host) *cli.Command {
	return &cli.Command{
		Name: "docs", Hidden: true,
		Action: func(c *cli.Context) error {
			fmt.Fprintf(h.stdout, "# Reference\n\nMade by `make docs` from the program's own help.\n\n%s\n", c.App.Description)
			fmt.Fprint(h.stdout, "\n## Global options\n\n--help goes with every command, --version stands alone.\n")
			writeOptions(h.stdout, c.App.VisibleFlags())
			for _, command := range c.App.Commands {
				writeReference(h.stdout, command, "pgbundle")
			}
			return nil
		},
	}
}

func writeReference(w io.Writer, c *cli.Command, parent string) {
	if c.Hidden {
		return
	}
	path := parent + " " + c.Name
	fmt.Fprintf(w, "\n## %s\n\n%s.\n\n", path, strings.ToUpper(c.Usage[:1])+c.Usage[1:])
	if len(c.Subcommands) == 0 {
		fmt.Fprintf(w, "    %s\n\n", strings.TrimSpace(path+" [options] "+c.ArgsUsage))
	}
	if text := strings.TrimSuffix(strings.TrimSuffix(c.Description, exitText), "\n\n"); text != "" {
		fmt.Fprintf(w, "%s\n", text)
	}
	writeOptions(w, c.VisibleFlags())
	for _, sub := range c.Subcommands {
		writeReference(w, sub, path)
	}
}

func writeOptions(w io.Writer, flags []cli.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprint(w, "\n| option | meaning |\n| --- | --- |\n")
	for _, f := range flags {
		option, meaning, _ := strings.Cut(f.String(), "\t")
		fmt.Fprintf(w, "| `%s` | %s |\n", option, strings.ReplaceAll(meaning, "|", "\\|"))
	}
}
