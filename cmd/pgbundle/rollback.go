package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func rollbackCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "rollback",
		Usage: "switch back to the release that was active before",
		Description: `Compares the former release with what was installed, and switches to it in one step.
It switches files: packages that are installed and services that run stay as they are;
what takes them back is a deploy from the control node, after a rollback there too.

Examples:
   pgbundle rollback
   pgbundle rollback --to 3f2a9c01b7de-target`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "switch to `RELEASE`, by its name in pgbundle status"},
		}, append(nodeFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error { return runRollback(c, h) },
	}
}

func runRollback(c *cli.Context, h host) error {
	i, progress, err := openNode(c, h)
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	done, err := i.Rollback(c.Context, c.String("to"))
	if err != nil {
		return installHint(c, err)
	}
	closeProgress(progress)
	if c.Bool("json") {
		return writeJSON(h.stdout, done)
	}
	fmt.Fprintf(h.stdout, "active   %s -> %s\n", i.Base(), done.To)
	if done.From != "" {
		fmt.Fprintf(h.stdout, "before   %s\n", done.From)
	}
	fmt.Fprint(h.stdout, `files were switched: packages that are installed and services that run are as before
to take them back too, after a rollback on every node, on the control node:
   pgbundle deploy --offline
`)
	return nil
}

func uninstallCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "uninstall",
		Usage: "take away what install put on this node",
		Description: `Removes the releases, the link to them, the repository file and the links to the
program. Packages that are installed and services that run stay as they are, and so
do logs, history and what older scripts left, unless --purge is given. The trusted
keys in ` + trustedKeys + ` are never touched.

Examples:
   pgbundle uninstall
   pgbundle uninstall --purge`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove logs, history and what older scripts left too"},
		}, append(nodeFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error { return runUninstall(c, h) },
	}
}

func runUninstall(c *cli.Context, h host) error {
	i, progress, err := openNode(c, h)
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	done, err := i.Uninstall(c.Context, c.Bool("purge"))
	if err != nil {
		return installHint(c, err)
	}
	closeProgress(progress)
	if c.Bool("json") {
		return writeJSON(h.stdout, done)
	}
	for _, list := range []struct {
		word  string
		names []string
	}{{"removed", done.Releases}, {"removed", done.Paths}, {"left", done.Left}} {
		for _, name := range list.names {
			fmt.Fprintf(h.stdout, "%-8s %s\n", list.word, name)
		}
	}
	if len(done.Releases)+len(done.Paths) == 0 {
		fmt.Fprintf(h.stdout, "nothing is installed below %s\n", i.Base())
	}
	return nil
}
