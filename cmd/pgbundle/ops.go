package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"pgbundle/install/deploy"
)

func opsCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "ops",
		Usage: "run the cluster of a site directory: status, switchover, tuning, restart, …",
		Description: `Each runs a playbook of the site directory and prints its answer; with --json the
answer as data. Any member that is up will do: none of them needs a certain node.

` + runText,
		Subcommands: []*cli.Command{
			opsStatus(h), opsSwitchover(h), opsTuning(h), opsRestart(h), opsVerify(h), opsConnection(h), opsUninstall(h),
		},
	}
}

// opsOf makes a command of an operation that its flags describe.
func opsOf(h host, name, usage, description string, flags []cli.Flag, op func(*cli.Context) (deploy.Operation, error)) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Description: description, ArgsUsage: "[-- options for ansible-playbook]",
		Flags: append(flags, append(runFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error {
			o, err := op(c)
			if err != nil {
				return err
			}
			return runOps(c, h, o, nil)
		},
	}
}

func opsStatus(h host) *cli.Command {
	return &cli.Command{
		Name: "cluster-status", Usage: "tell who leads, who follows, and how far behind", ArgsUsage: "[-- options for ansible-playbook]",
		Description: `Examples:
   pgbundle ops cluster-status
   pgbundle ops cluster-status --watch --interval 5s`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "again and again, until Ctrl-C"},
			&cli.DurationFlag{Name: "interval", Usage: "wait `TIME` in between", Value: 2 * time.Second},
		}, append(runFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error {
			switch {
			case c.IsSet("interval") && !c.Bool("watch"):
				return &usageError{"--interval means nothing without --watch", "pgbundle ops cluster-status --watch"}
			case c.Duration("interval") <= 0:
				return &usageError{fmt.Sprintf("--interval %s: takes a time like 2s", c.Duration("interval")), ""}
			case c.Bool("watch"):
				return watch(c, h)
			}
			return runOps(c, h, deploy.ClusterStatus(), nil)
		},
	}
}

func opsSwitchover(h host) *cli.Command {
	return opsOf(h, "switchover", "make another node the leader", `Writes stop for a few seconds; nothing that was acknowledged is lost.

Examples:
   pgbundle ops switchover --to pg-node-2`,
		[]cli.Flag{&cli.StringFlag{Name: "to", Usage: "the next leader is `NODE`"}},
		func(c *cli.Context) (deploy.Operation, error) {
			if c.String("to") == "" {
				return deploy.Operation{}, &usageError{"switchover needs to know who is to lead", "pgbundle ops switchover --to NODE"}
			}
			return deploy.Switchover(c.String("to")), nil
		})
}

func opsTuning(h host) *cli.Command {
	return opsOf(h, "apply-tuning", "bring the site's tuning into the running cluster", `Without a flag what the site says is applied; a flag holds this once: to keep it, set it
in group_vars/all/main.yml. What needs a restart is shown as Pending restart.

Examples:
   pgbundle ops apply-tuning
   pgbundle ops apply-tuning --profile medium --restart
   pgbundle ops apply-tuning --synchronous on`,
		[]cli.Flag{
			&cli.StringFlag{Name: "profile", Usage: "the tuning profile `NAME`: " + strings.Join(deploy.Profiles, ", ")},
			&cli.IntFlag{Name: "max-connections", Usage: "allow `N` connections, whatever the profile says"},
			&cli.StringFlag{Name: "synchronous", Usage: "synchronous replication `on` or off"},
			&cli.BoolFlag{Name: "restart", Usage: "restart what a changed value needs, node by node"},
		},
		func(c *cli.Context) (deploy.Operation, error) {
			t := deploy.Tuning{Profile: c.String("profile"), MaxConnections: c.Int("max-connections"), Restart: c.Bool("restart")}
			if c.IsSet("max-connections") && t.MaxConnections < 1 {
				return deploy.Operation{}, &usageError{fmt.Sprintf("--max-connections %d: takes 1 or more", t.MaxConnections), ""}
			}
			if word := c.String("synchronous"); c.IsSet("synchronous") {
				on := word == "on"
				if !on && word != "off" {
					return deploy.Operation{}, &usageError{fmt.Sprintf("--synchronous %q: takes on or off", word), ""}
				}
				t.Synchronous = &on
			}
			return deploy.ApplyTuning(t), nil
		})
}

func opsRestart(h host) *cli.Command {
	return opsOf(h, "restart", "restart PostgreSQL node by node, the leader last", `Waits until each node is well again before the next.

Examples:
   pgbundle ops restart
   pgbundle ops restart --only-pending`,
		[]cli.Flag{&cli.BoolFlag{Name: "only-pending", Usage: "only nodes that a changed value waits for"}},
		func(c *cli.Context) (deploy.Operation, error) { return deploy.Restart(c.Bool("only-pending")), nil })
}

func opsVerify(h host) *cli.Command {
	return opsOf(h, "verify-cluster", "try the cluster out, from etcd to a row written through the VIP", `Examples:
   pgbundle ops verify-cluster
   pgbundle ops verify-cluster --tags etcd,patroni`,
		nil, func(*cli.Context) (deploy.Operation, error) { return deploy.VerifyCluster(), nil })
}

func opsConnection(h host) *cli.Command {
	return opsOf(h, "connection-info", "tell where applications and people connect", `Examples:
   pgbundle ops connection-info
   pgbundle ops connection-info --show-passwords --ask-vault-pass`,
		[]cli.Flag{&cli.BoolFlag{Name: "show-passwords", Usage: "print the passwords too; no log is kept then"}},
		func(c *cli.Context) (deploy.Operation, error) {
			return deploy.ConnectionInfo(c.Bool("show-passwords")), nil
		})
}

func opsUninstall(h host) *cli.Command {
	return &cli.Command{
		Name: "uninstall", Usage: "take the cluster away from its hosts, its databases included", ArgsUsage: "[-- options for ansible-playbook]",
		Description: `Asks for the cluster's name on a terminal; a script says --yes. What pgbundle install
put on the hosts stays, unless --remove-bundle is given.

Examples:
   pgbundle ops uninstall
   pgbundle ops uninstall --yes --keep-data`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "do not ask"},
			&cli.BoolFlag{Name: "remove-bundle", Usage: "take away the bundle on the hosts too"},
			&cli.BoolFlag{Name: "keep-data", Usage: "leave the databases where they are"},
		}, append(runFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error {
			sure := c.Bool("yes") || c.Bool("check")
			if !sure && !asksHere(h) {
				return &usageError{"uninstall asks for the cluster's name, and there is no terminal to ask on", "pgbundle ops uninstall --yes"}
			}
			op := deploy.Uninstall(deploy.Removal{Bundle: c.Bool("remove-bundle"), KeepData: c.Bool("keep-data")})
			return runOps(c, h, op, func(run *deploy.Run) error {
				if sure {
					return nil
				}
				return confirm(c.Context, h, run.Cluster(), c.Bool("keep-data"))
			})
		},
	}
}

// asksHere says whether a person can be asked.
func asksHere(h host) bool {
	in, ok := h.stdin.(*os.File)
	return ok && term.IsTerminal(int(in.Fd()))
}

// confirm goes on only when the cluster's name is typed.
func confirm(ctx context.Context, h host, cluster string, keep bool) error {
	what := "with all of its databases"
	if keep {
		what = "and leaves its databases"
	}
	fmt.Fprintf(h.stderr, "This takes the cluster %s away from its hosts %s.\nType its name to go on: ", cluster, what)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(h.stdin).ReadString('\n')
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answers:
		if line != cluster || line == "" {
			return &usageError{"that is not its name: nothing was changed", ""}
		}
		return nil
	}
}

// runOps runs an operation and prints its answer.
func runOps(c *cli.Context, h host, op deploy.Operation, ready func(*deploy.Run) error) error {
	res, err := runPlaybook(c, h, op, ready)
	if res == nil {
		return err
	}
	if printErr := writeAnswer(h.stdout, res, err, c.Bool("json")); printErr != nil {
		return errors.Join(err, printErr)
	}
	return err
}

// writeAnswer prints what a playbook has answered. One that failed may have
// answered too.
func writeAnswer(w io.Writer, res *deploy.Result, failure error, asJSON bool) error {
	switch {
	case res.Answer != nil && asJSON:
		return writeJSON(w, res.Answer)
	case asJSON:
		return writeRan(w, res, failure)
	case res.Text() != "":
		_, err := fmt.Fprintln(w, res.Text())
		return err
	}
	writeRun(w, res, failure)
	return nil
}

// watch prints the status again and again. What cannot be asked just now, as in
// a failover, is told and asked again.
func watch(c *cli.Context, h host) error {
	o, err := runOptions(c, h, deploy.ClusterStatus(), deploy.Silent{})
	if err != nil {
		return err
	}
	run, err := deploy.Prepare(c.Context, o)
	if err != nil {
		return err
	}
	defer run.Close()
	run.Again = true
	for {
		res, err := run.Start(c.Context)
		if c.Context.Err() != nil {
			return run.Close() // as asked for
		}
		if h.screen && !c.Bool("json") {
			fmt.Fprint(h.stdout, "\x1b[H\x1b[2J")
		}
		switch {
		case err != nil:
			report(h.stderr, err, c.String("log-format"))
		case c.Bool("json"):
			err = writeLine(h.stdout, res.Answer)
		default:
			_, err = fmt.Fprintf(h.stdout, "%s\n%s\n", time.Now().Format(time.TimeOnly), res.Text())
		}
		if err != nil && res == nil {
			return err
		}
		select {
		case <-c.Context.Done():
			return run.Close()
		case <-time.After(c.Duration("interval")):
		}
	}
}
