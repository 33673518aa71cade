package main

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"
)

// version is set by the linker; a plain go build has the module's own.
var version string

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func newApp(h host) *cli.App {
	app := &cli.App{
		Name:    "pgbundle",
		Usage:   "carry a PostgreSQL high-availability cluster across an air gap",
		Version: programVersion(),
		Description: `On a host with internet, build makes one file that holds everything a cluster of
PostgreSQL, Patroni, etcd, PgBouncer, HAProxy and Keepalived needs on RHEL 9
nodes without a network, and proves that it is complete before anyone carries it.

   pgbundle build --pg 16 --etcd 3.5.16 --target rhel9.4
   pgbundle verify patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz

On a node, install puts it in its place, and status, rollback and uninstall go on
from there. On the control node, deploy makes the cluster of a site directory, and
ops runs it.

` + exitText,
		Commands: []*cli.Command{
			buildCommand(h), lockCommand(h), resolveCommand(h), verifyCommand(h), inspectCommand(h), factsCommand(h),
			signCommand(h), keygenCommand(h), installCommand(h), statusCommand(h), rollbackCommand(h), uninstallCommand(h),
			initCommand(h), deployCommand(h), opsCommand(h), completionCommand(h), docsCommand(h),
		},
		Writer: h.stdout, ErrWriter: h.stderr, Reader: h.stdin,
		HideHelpCommand: true, Suggest: true, EnableBashCompletion: true,
		DisableSliceFlagSeparator: true, // requirements hold commas
		ExitErrHandler:            func(*cli.Context, error) {},
		CommandNotFound:           nil,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{fmt.Sprintf("unknown command %q", c.Args().First()), "pgbundle --help"}
			}
			return cli.ShowAppHelp(c)
		},
	}
	app.OnUsageError = usage
	for _, c := range app.Commands {
		finish(c, "pgbundle")
	}
	return app
}

// finish gives a command and those below it what all of them share.
func finish(c *cli.Command, parent string) {
	path := parent + " " + c.Name
	c.OnUsageError = usage
	c.HideHelpCommand = true
	if len(c.Subcommands) > 0 {
		c.Action = func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return &usageError{fmt.Sprintf("unknown command %q", path[len("pgbundle "):]+" "+ctx.Args().First()), path + " --help"}
			}
			return cli.ShowSubcommandHelp(ctx)
		}
	} else {
		run := c.Action
		c.Action = func(ctx *cli.Context) error {
			if err := noEmptyFlags(ctx, path); err != nil {
				return err
			}
			return run(ctx)
		}
		if c.Description != "" {
			c.Description += "\n\n" + exitText
		}
	}
	for _, sub := range c.Subcommands {
		finish(sub, path)
	}
}

// noEmptyFlags refuses a flag without a value: a variable of a script that is not
// set, as in --index-url "$MIRROR", does not mean the default.
func noEmptyFlags(c *cli.Context, path string) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		empty := false
		switch f.(type) {
		case *cli.StringFlag:
			empty = c.String(name) == ""
		case *cli.StringSliceFlag:
			empty = slices.Contains(c.StringSlice(name), "")
		}
		if empty && c.IsSet(name) {
			return &usageError{"--" + name + " is empty: is a variable not set?", path + " --help"}
		}
	}
	return nil
}

// commandPath is a command as it is typed after the program's name.
func commandPath(c *cli.Context) string {
	path := c.Command.Name
	for _, at := range c.Lineage() {
		if at.Command != nil && slices.Contains([]string{"resolve", "ops"}, at.Command.Name) && path != at.Command.Name {
			path = at.Command.Name + " " + path
			break
		}
	}
	return path
}

func usage(c *cli.Context, err error, _ bool) error {
	try := "pgbundle --help"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "pgbundle" {
		try = "pgbundle " + commandPath(c) + " --help"
	}
	return &usageError{err.Error(), try}
}

// operand returns the one operand of a command.
func operand(c *cli.Context, name string) (string, error) {
	if c.NArg() != 1 {
		return "", &usageError{fmt.Sprintf("%s takes one %s, not %d", commandPath(c), name, c.NArg()),
			"pgbundle " + commandPath(c) + " --help"}
	}
	return c.Args().First(), nil
}
