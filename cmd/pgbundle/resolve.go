package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

func resolveCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "resolve",
		Usage: "say what would come, and why",
		Description: `Examples:
   pgbundle resolve rpm --repo el9=https://mirror.example/BaseOS/x86_64/os/ haproxy
   pgbundle resolve wheel --python 3.11 'patroni[etcd3]>=3.0.3'
   pgbundle resolve collection 'community.general:>=8'`,
		Subcommands: []*cli.Command{resolveRPMCommand(h), resolveWheelCommand(h), resolveCollectionCommand(h)},
	}
}

func whyFlag() cli.Flag {
	return &cli.StringFlag{Name: "why", Usage: "say what wants `NAME` instead of listing all"}
}

func resolveRPMCommand(h host) *cli.Command {
	flags := append(rpmFlags(),
		&cli.StringFlag{Name: "arch", Usage: "the nodes' `ARCH`: x86_64 or aarch64", Value: "x86_64"},
		&cli.StringFlag{Name: "releasever", Usage: "the nodes' `RELEASE`, the value of $releasever: 9, or a minor such as 9.4", Value: "9"},
		&cli.StringFlag{Name: "pg", Usage: "PostgreSQL `MAJOR` whose repository a set includes", Value: "16"},
		&cli.BoolFlag{Name: "weak", Usage: "follow weak dependencies too"},
		&cli.BoolFlag{Name: "each", Usage: "solve every NAME apart: one JSON object a line"},
		whyFlag(), jsonFlag())
	flags = slices.Concat(flags, pinFlags(), moduleFlags(), factsFlags())
	return &cli.Command{
		Name:      "rpm",
		Usage:     "close a set of RPM requirements on an empty system or on a node, as dnf would",
		ArgsUsage: "NAME…",
		Description: `NAME is a package, a glob, a NEVRA, a capability, a /path or a @group; "-" reads
names from stdin, one a line. Prints one NEVRA a line. A newest build that cannot be
met is passed over for the newest that can, and stderr says so. With --each, which
passes none over, a NAME without a solution is a line with its error, and the exit
status is 0. With --json a refusal is its problems, as data.

With --node the packages of that node are there already: the answer is what would
be new on it, upgraded or of another vendor, and with --json a list with
an object for each node. Nothing of the node is removed or downgraded, and anything
but new packages takes --allow-upgrades. Its excludes and version locks count.

Examples:
   pgbundle resolve rpm --repo baseos=/srv/baseos --repo appstream=/srv/appstream haproxy
   pgbundle resolve rpm --repos rocky --arch aarch64 --why openssl-libs keepalived
   pgbundle resolve rpm --repos rocky --enable-module postgresql:15 postgresql-server
   pgbundle resolve rpm --repos ./site.repo --each - < names
   pgbundle resolve rpm --repos rocky @core '@Minimal Install'
   pgbundle resolve rpm --repos rocky --node node1.yaml --node node2.yaml haproxy
   pgbundle resolve rpm --repos rocky --pin postgresql16-server=16.4 postgresql16-contrib`,
		Flags:  append(flags, networkFlags()...),
		Action: func(c *cli.Context) error { return runResolveRPM(c, h) },
	}
}

// releaseForm is what dnf knows of EL 9 as $releasever.
var releaseForm = regexp.MustCompile(`^9(\.([0-9]|1[0-9]))?$`)

func runResolveRPM(c *cli.Context, h host) error {
	names, err := namesOf(c, h)
	if err != nil {
		return err
	}
	spec := build.Spec{Target: "rhel" + c.String("releasever"), Arch: c.String("arch"), PostgreSQL: c.String("pg"),
		Pins: c.StringSlice("pin"), Strict: c.Bool("strict"), AllowUpgrades: c.Bool("allow-upgrades"),
		Modules: c.StringSlice("enable-module"), DisableModules: c.StringSlice("disable-module")}
	if !releaseForm.MatchString(c.String("releasever")) {
		return &usageError{fmt.Sprintf("--releasever %q: takes 9, or a minor like 9.4", c.String("releasever")), "pgbundle resolve rpm --releasever 9"}
	}
	if err := reposOf(c, &spec); err != nil {
		return err
	}
	spec = spec.WithDefaults()
	if err := spec.Check(); err != nil {
		return err
	}
	o, err := optionsOf(c, h, spec, &notes{w: h.stderr})
	if err != nil {
		return err
	}
	if c.IsSet("node") {
		return runResolveNodes(c, h, o, names)
	}
	closure, err := build.OpenRPMs(c.Context, o)
	if err != nil {
		return err
	}
	for _, flag := range []string{"why", "strict"} {
		if c.Bool("each") && c.IsSet(flag) {
			return &usageError{"--" + flag + " is about one closure, and --each makes many", ""}
		}
	}
	if c.Bool("each") {
		return closure.Each(c.Context, names, c.Bool("weak"), runtime.NumCPU(), eachWriter(h.stdout))
	}
	resolved, notes, err := closure.Solve(c.Context, names, c.Bool("weak"))
	if err != nil {
		return refuseRPM(c, h, withStrictHint(err, "--releasever"))
	}
	for _, text := range notes {
		o.Progress.Note(text)
	}
	for _, a := range resolved {
		if a.PassedOver != nil {
			o.Progress.Note(a.PassedOver.String())
		}
	}
	return writeResolved(h.stdout, c, resolved, func(a build.Resolved) string { return a.NEVRA })
}

// runResolveNodes answers for nodes.
func runResolveNodes(c *cli.Context, h host, o build.Options, names []string) error {
	for _, flag := range []string{"each", "why"} {
		if c.IsSet(flag) {
			return &usageError{"--" + flag + " is not for --node, whose answer is what changes on the node", ""}
		}
	}
	list, err := build.ResolveForNodes(c.Context, o, names, c.Bool("weak"))
	if len(list) == 0 {
		return err
	}
	if c.Bool("json") {
		err = cmp.Or(writeJSON(h.stdout, list), err)
	} else {
		writeTransactions(h.stdout, list)
	}
	return upgradeHint(err)
}

// refuseRPM puts the problems of a refusal on stdout when JSON is asked for, and
// returns the error.
func refuseRPM(c *cli.Context, h host, err error) error {
	if problems := problemsOf(err); c.Bool("json") && len(problems) > 0 {
		if err := writeJSON(h.stdout, map[string]any{"problems": problems}); err != nil {
			return err
		}
	}
	return err
}

// eachWriter writes one object for each name, in the order of the names.
func eachWriter(w io.Writer) func(name string, packages []string, err error) error {
	type line struct {
		Name     string   `json:"name"`
		Packages []string `json:"packages,omitempty"`
		Error    string   `json:"error,omitempty"`
		Problems []any    `json:"problems,omitempty"`
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(name string, packages []string, err error) error {
		l := line{Name: name, Packages: packages}
		if err != nil {
			l.Error, l.Problems = err.Error(), problemsOf(err)
		}
		return e.Encode(l)
	}
}

func resolveCollectionCommand(h host) *cli.Command {
	flags := append(galaxyFlags(),
		&cli.StringFlag{Name: "ansible-core", Usage: "the `VERSION` that has to run them", Value: "2.15.13"},
		whyFlag(), jsonFlag())
	return &cli.Command{
		Name:      "collection",
		Usage:     "resolve Ansible collections that an ansible-core can run",
		ArgsUsage: "NAMESPACE.NAME[:RANGE]…",
		Description: `Prints "namespace.name version file sha256", one a line.

Examples:
   pgbundle resolve collection 'community.general:>=8' ansible.posix
   pgbundle resolve collection --ansible-core 2.16.3 community.postgresql`,
		Flags:  append(flags, networkFlags()...),
		Action: func(c *cli.Context) error { return runResolveCollection(c, h) },
	}
}

func runResolveCollection(c *cli.Context, h host) error {
	names, err := namesOf(c, h)
	if err != nil {
		return err
	}
	o, err := optionsOf(c, h, build.Spec{GalaxyURL: c.String("galaxy-url")}.WithDefaults(), &notes{w: h.stderr})
	if err != nil {
		return err
	}
	resolved, err := build.ResolveCollections(c.Context, o, names, c.String("ansible-core"))
	if err != nil {
		return err
	}
	return writeResolved(h.stdout, c, resolved, func(r build.Resolved) string {
		return fmt.Sprintf("%s %s %s %s", r.Name, r.Version, r.File, r.SHA256)
	})
}

// namesOf returns the operands; a "-" among them stands for the lines of stdin.
func namesOf(c *cli.Context, h host) ([]string, error) {
	var names []string
	for _, arg := range c.Args().Slice() {
		if arg != "-" {
			names = append(names, arg)
			continue
		}
		lines := bufio.NewScanner(h.stdin)
		for lines.Scan() {
			if name := strings.TrimSpace(lines.Text()); name != "" {
				names = append(names, name)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read names from stdin: %w", err)
		}
	}
	if len(names) == 0 {
		return nil, &usageError{commandPath(c) + " takes at least one name", "pgbundle " + commandPath(c) + " --help"}
	}
	return names, nil
}

// writeResolved prints what was resolved, or why one name of it is wanted.
func writeResolved(w io.Writer, c *cli.Context, list []build.Resolved, line func(build.Resolved) string) error {
	if name := c.String("why"); name != "" {
		chains := build.WhyResolved(list, name)
		if len(chains) == 0 {
			return manifest.Classify(manifest.ErrUnsolvable, errors.New("--why "+name+": nothing of that name would come"))
		}
		if c.Bool("json") {
			return writeJSON(w, chains)
		}
		for _, chain := range chains {
			fmt.Fprintln(w, strings.Join(chain, "\n  wanted by "))
		}
		return nil
	}
	if c.Bool("json") {
		return writeJSON(w, list)
	}
	for _, r := range list {
		fmt.Fprintln(w, line(r))
	}
	return nil
}
