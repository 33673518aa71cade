package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"pgbundle/install/facts"
	"pgbundle/install/node"
	"pgbundle/manifest"
)

func factsCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "facts",
		Usage: "write down what this machine is like",
		Description: `Reads this machine and writes what an install on it, or a build for it, has to know:
system, architecture, interpreters, packages with what they provide and require,
module streams, excludes and version locks, memory, disks, interfaces, ports, SELinux,
FIPS, crypto policy, fapolicyd, sudo's path, umask, time.

It needs no root and no network and changes nothing. The document is YAML for people
to read before it leaves the network: it holds no environment, no command line, no
user, no host name, no hardware address and no password. What could not be found out
stands under "unknown" with the reason; as root less is unknown.

Examples:
   pgbundle facts
   pgbundle facts -o node1.yaml
   sudo pgbundle facts --json | jq .unknown`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` instead of stdout"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runFacts(c, h) },
	}
}

func runFacts(c *cli.Context, h host) error {
	if c.Args().Present() {
		return &usageError{fmt.Sprintf("facts takes no operand: %q", c.Args().First()), "pgbundle facts -o " + c.Args().First()}
	}
	when := time.Now()
	if fixed, err := epoch(h); err != nil {
		return err
	} else if !fixed.IsZero() {
		when = fixed
	}
	here, err := node.Open("/", nil)
	if err != nil {
		return err
	}
	from := facts.Of(here)
	from.User, from.Program, from.Time = os.Geteuid(), "pgbundle "+programVersion(), when
	n, err := facts.Collect(c.Context, from)
	if err != nil {
		return err
	}
	text, err := factsText(n, c.Bool("json"))
	if err != nil {
		return err
	}
	if name := c.String("output"); name != "" {
		if err := renameio.WriteFile(name, text, 0o644); err != nil {
			if p, ok := errors.AsType[*fs.PathError](err); ok {
				err = p.Err // its path is that of a temporary file
			}
			return fmt.Errorf("write facts to %s: %w", name, err)
		}
		return nil
	}
	_, err = h.stdout.Write(text)
	return err
}

// factsText is the document as it is written.
func factsText(n *manifest.Node, asJSON bool) ([]byte, error) {
	text, err := n.Marshal() // also for JSON: it refuses what is not fit to be read
	if err != nil || !asJSON {
		return text, err
	}
	var b bytes.Buffer
	err = writeJSON(&b, n)
	return b.Bytes(), err
}
