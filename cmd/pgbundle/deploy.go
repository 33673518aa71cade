package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/install"
	"pgbundle/install/deploy"
)

const runText = `Options for ansible-playbook that are not listed here go behind --, unchanged.
Passwords are asked for here and handed to Ansible in files that nobody else can
read, and that are gone once it has read them. Only you can read the log of a run.`

func deployCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "deploy",
		Usage:     "turn the hosts of a site directory into the cluster",
		ArgsUsage: "[-- options for ansible-playbook]",
		Description: `Runs site.yml of the site directory that it is started in (pgbundle init writes one).
With --offline the hosts install everything out of the bundle that is on them; without
it from their repositories and the internet. What is as it should be is not changed, so
that it can be run again at any time.

Before Ansible starts, everything that is known to go wrong is told at once and refused
with status 5 (2 where another command line would do), and so is an ssh host key that
nobody has accepted yet, with the fingerprint to compare. Status 1: a host failed;
status 5 too: the playbook's own preflight refused the hosts, and changed nothing.

` + runText + `

Examples:
   pgbundle deploy --offline --ask-vault-pass -K
   pgbundle deploy --offline --vault-password-file ~/.vault --tags patroni,pgbouncer
   pgbundle deploy --offline --limit pg-node-2 --check --diff
   pgbundle deploy -e @more.yml -- --start-at-task "etcd : start it" -vvv`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "offline", Usage: "install out of the bundle on each host"},
		}, append(runFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error { return runDeploy(c, h) },
	}
}

// runFlags are those of everything that runs a playbook, under the names that
// ansible-playbook has for them.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "site", Usage: "as if started in the site directory `DIR`", Value: "."},
		&cli.StringFlag{Name: "base-dir", Usage: "refuse a site that uses another base than `DIR` (default: the one that site.yml imports from)"},
		&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "take the hosts from `FILE` (default: as ansible.cfg says)"},
		&cli.StringSliceFlag{Name: "tags", Aliases: []string{"t"}, Usage: "only what has one of `TAGS`: preflight, common, etcd, …"},
		&cli.StringSliceFlag{Name: "skip-tags", Usage: "all but what has one of `TAGS`"},
		&cli.StringFlag{Name: "limit", Aliases: []string{"l"}, Usage: "only the hosts and groups of `PATTERN`"},
		&cli.BoolFlag{Name: "check", Aliases: []string{"C"}, Usage: "change nothing, say what would be changed"},
		&cli.BoolFlag{Name: "diff", Aliases: []string{"D"}, Usage: "write into the log how files change"},
		&cli.BoolFlag{Name: "ask-vault-pass", Aliases: []string{"J", "ask-vault-password"}, Usage: "ask for the password of the vault"},
		&cli.StringSliceFlag{Name: "vault-password-file", Aliases: []string{"vault-pass-file"}, Usage: "take the password of the vault from `FILE`"},
		&cli.StringSliceFlag{Name: "extra-vars", Aliases: []string{"e"}, Usage: "set `NAME=VALUE`, or what @FILE says; secrets by @FILE alone"},
		&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "log in as `USER`"},
		&cli.BoolFlag{Name: "ask-become-pass", Aliases: []string{"K"}, Usage: "ask for the password for sudo on the hosts"},
		&cli.StringFlag{Name: "become-password-file", Aliases: []string{"become-pass-file"}, Usage: "take the password for sudo from `FILE`"},
		&cli.BoolFlag{Name: "ask-pass", Aliases: []string{"k"}, Usage: "ask for the password for ssh (needs sshpass)"},
		&cli.StringFlag{Name: "connection-password-file", Aliases: []string{"conn-pass-file"}, Usage: "take the password for ssh from `FILE`"},
		&cli.StringFlag{Name: "private-key", Aliases: []string{"key-file"}, Usage: "log in with the key in `FILE`"},
		&cli.StringFlag{Name: "log-dir", EnvVars: []string{"PGBUNDLE_LOG_DIR"}, Usage: "write the log into `DIR` (default: .pgbundle/log of the site, for root " + install.LogFolder + ")"},
		&cli.IntFlag{Name: "forks", Aliases: []string{"f"}, Usage: "work on `N` hosts at once (default: as ansible.cfg says)"},
	}
}

// runOptions are what runFlags say.
func runOptions(c *cli.Context, h host, op deploy.Operation, observer deploy.Observer) (deploy.RunOptions, error) {
	try := "pgbundle " + commandPath(c)
	if word := c.Args().First(); word != "" && !strings.HasPrefix(word, "-") {
		return deploy.RunOptions{}, &usageError{fmt.Sprintf("%s takes no operand, not %q", commandPath(c), word), try + " --help"}
	}
	for _, pair := range [][2]string{
		{"ask-become-pass", "become-password-file"}, {"ask-pass", "connection-password-file"}, {"ask-vault-pass", "vault-password-file"},
	} {
		if c.Bool(pair[0]) && c.IsSet(pair[1]) {
			return deploy.RunOptions{}, &usageError{fmt.Sprintf("--%s and --%s: one of them", pair[0], pair[1]), ""}
		}
	}
	if c.IsSet("forks") && c.Int("forks") < 1 {
		return deploy.RunOptions{}, &usageError{fmt.Sprintf("--forks %d: takes 1 or more", c.Int("forks")), ""}
	}
	site, err := filepath.Abs(c.String("site"))
	if err != nil {
		return deploy.RunOptions{}, fmt.Errorf("find the site directory: %w", err)
	}
	logs, err := logFolder(c, site)
	if err != nil {
		return deploy.RunOptions{}, err
	}
	return deploy.RunOptions{
		Operation: op, Site: site, Base: plainBase(c.String("base-dir")), Offline: c.Bool("offline"),
		Inventory: c.StringSlice("inventory"), Tags: c.StringSlice("tags"), SkipTags: c.StringSlice("skip-tags"), Limit: c.String("limit"),
		Check: c.Bool("check"), Diff: c.Bool("diff"), ExtraVars: c.StringSlice("extra-vars"), User: c.String("user"),
		PrivateKey: c.String("private-key"), Forks: c.Int("forks"), More: c.Args().Slice(),
		VaultPasswordFiles: c.StringSlice("vault-password-file"), BecomePasswordFile: c.String("become-password-file"),
		ConnectionPasswordFile: c.String("connection-password-file"),
		AskVault:               c.Bool("ask-vault-pass"), AskBecome: c.Bool("ask-become-pass"), AskConnection: c.Bool("ask-pass"),
		Ask: func(ctx context.Context, prompt string) (string, error) {
			return askSecret(ctx, h, prompt, "--vault-password-file, --become-password-file or --connection-password-file FILE")
		},
		Environ: os.Environ(), LogFolder: logs, TempFolders: []string{"/dev/shm", os.TempDir()},
		Program: programVersion(), Now: time.Now, Observer: observer, Kill: secondSignal(c.Context),
	}, nil
}

// logFolder is where the log of a run goes.
func logFolder(c *cli.Context, site string) (string, error) {
	switch dir := c.String("log-dir"); {
	case dir != "":
		return filepath.Abs(dir)
	case os.Geteuid() == 0:
		return install.LogFolder, nil
	}
	return deploy.SiteLogs(site), nil
}

// secondSignal is closed by the second signal to end: the first one ends ctx.
func secondSignal(ctx context.Context) <-chan struct{} {
	signals, kill := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		<-signals // the first
		<-signals
		close(kill)
	}()
	return kill
}

// stopped is an errInterrupted in other words.
type stopped string

func (s stopped) Error() string        { return string(s) }
func (s stopped) Is(target error) bool { return target == errInterrupted }

// runPlaybook prepares a playbook and runs it. The Result is nil when it was
// not started.
func runPlaybook(c *cli.Context, h host, op deploy.Operation, ready func(*deploy.Run) error) (*deploy.Result, error) {
	view, err := newView(h, c.Bool("quiet"), c.String("log-format"))
	if err != nil {
		return nil, err
	}
	defer view.Close()
	o, err := runOptions(c, h, op, view)
	if err != nil {
		return nil, err
	}
	run, err := deploy.Prepare(c.Context, o)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	if ready != nil {
		if err := ready(run); err != nil {
			return nil, err
		}
	}
	res, err := run.Start(c.Context)
	view.Close()
	if err = errors.Join(err, run.Close()); errors.Is(err, context.Canceled) {
		err = stopped("interrupted: the hosts stay as they are now; the same command again goes on from there")
	}
	if err != nil && res != nil && res.Log != "" {
		err = withHint(err, "what Ansible said is in "+res.Log)
	}
	return res, err
}

func runDeploy(c *cli.Context, h host) error {
	res, err := runPlaybook(c, h, deploy.Deploy(), nil)
	if c.Bool("json") {
		if jsonErr := writeRan(h.stdout, res, err); jsonErr != nil {
			return errors.Join(err, jsonErr)
		}
	} else if res != nil {
		writeRun(h.stdout, res, err)
	}
	return err
}

// ran is the result of deploy for machines, also of one that was refused.
type ran struct {
	*deploy.Result
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func writeRan(w io.Writer, res *deploy.Result, err error) error {
	out := ran{Result: res, OK: err == nil}
	if err != nil {
		out.Error = err.Error()
	}
	return writeJSON(w, out)
}

// writeRun tells a person what came of a run, host by host.
func writeRun(w io.Writer, res *deploy.Result, failure error) {
	if res.Listed != "" {
		fmt.Fprint(w, res.Listed)
		return
	}
	if len(res.Hosts) == 0 && failure != nil {
		return
	}
	changed := 0
	if len(res.Hosts) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "ok\tchanged\tfailed\tunreachable\t  host")
		for _, host := range slices.Sorted(maps.Keys(res.Hosts)) {
			n := res.Hosts[host]
			changed += n.Changed
			fmt.Fprintf(table, "%d\t%d\t%d\t%d\t  %s\n", n.OK, n.Changed, n.Failed, n.Unreachable, host)
		}
		table.Flush() // w remembers a failure
	}
	verb := "done"
	if failure != nil {
		verb = "ended"
	}
	fmt.Fprintf(w, "%s in %s: %s on %s\n", verb, span(res.Seconds), counted(changed, "change"), counted(len(res.Hosts), "host"))
	if res.Log != "" && failure == nil {
		fmt.Fprintf(w, "log: %s\n", res.Log)
	}
	if text := res.Text(); text != "" && failure == nil {
		fmt.Fprintf(w, "\n%s\n", text) // where to connect
	}
}

// counted writes a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// span writes seconds as a person reads them.
func span(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return fmt.Sprintf("%d min %02d s", int(seconds)/60, int(seconds)%60)
}

// writeLine writes a value as one line of JSON.
func writeLine(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
