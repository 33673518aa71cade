package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

const lockName = "pgbundle.lock"

func specFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "read the spec from `FILE` (default: pgbundle.yaml where there is one); flags override it"},
		&cli.StringFlag{Name: "pg", Usage: "PostgreSQL `MAJOR`: 14, 15, 16 or 17 (default: 16)"},
		&cli.StringFlag{Name: "etcd", Usage: "etcd `VERSION` (default: 3.5.16)"},
		&cli.StringFlag{Name: "target", Usage: "the nodes' system: `rhel9` or a minor, rhel9.4 (default: rhel9)"},
		&cli.StringFlag{Name: "arch", Usage: "the nodes' `ARCH`: x86_64 or aarch64 (default: x86_64)"},
		&cli.StringFlag{Name: "python", Usage: "Python `VERSION` of all nodes (default: 3.9)"},
		&cli.StringFlag{Name: "node-python", Usage: "Python `VERSION` of the cluster's nodes"},
		&cli.StringFlag{Name: "control-python", Usage: "Python `VERSION` of the control node: one that its ansible-core runs on, by default 3.9 to 3.11"},
		&cli.StringFlag{Name: "patroni", Usage: "Patroni as `SPEC` (default: >=3.0.3,<4)"},
		&cli.StringFlag{Name: "psycopg", Usage: "take Patroni's driver from `SOURCE`: wheel, or rpm for the distribution's, which FIPS wants (default: wheel)"},
		&cli.StringSliceFlag{Name: "with", Usage: "an optional `PART`: pgbackrest"},
		&cli.StringSliceFlag{Name: "package", Usage: "a further RPM `NAME` for the nodes, or a @group"},
		&cli.StringSliceFlag{Name: "constraint", Usage: "narrow a wheel's version: `REQ`, such as 'urllib3<2'"},
		&cli.BoolFlag{Name: "weak", Usage: "follow weak dependencies of RPMs too"},
		&cli.StringSliceFlag{Name: "etcd-url", Usage: "folder of etcd releases: `URL` or folder; given again: mirrors"},
		&cli.StringFlag{Name: "node-binary", Usage: "the pgbundle for the nodes, where this one does not fit: `FILE`, or a folder of releases"},
	}
	return slices.Concat(flags, indexFlags(), pinFlags(), moduleFlags(), deltaFlags(), galaxyFlags())
}

func buildCommand(h host) *cli.Command {
	flags := append(specFlags(), rpmFlags()...)
	flags = append(flags, networkFlags()...)
	flags = append(flags,
		&cli.StringFlag{Name: "lock", Usage: "build exactly what `FILE` fixes: a lock, or a bundle"},
		&cli.BoolFlag{Name: "locked", Usage: "refuse instead of resolving anew when pgbundle.lock does not fit the spec"},
		&cli.StringFlag{Name: "sign", Usage: "sign the manifest with the secret `KEY` that pgbundle keygen or minisign made"},
		&cli.StringFlag{Name: "password-file", Usage: "take the password of the key from the first line of `FILE`"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print the plan and fetch nothing but metadata"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the bundle to `FILE`, or into a folder under its standard name"},
	)
	return &cli.Command{
		Name:  "build",
		Usage: "make one verified bundle for a declared target",
		Description: `Resolves what a cluster needs into pgbundle.lock, fetches it, proves that it is
closed by itself and packs it. When pgbundle.lock fits the spec, exactly what it
fixes is built again: the same lock gives the same bytes.

Examples:
   pgbundle build --pg 16 --etcd 3.5.16 --target rhel9.4
   pgbundle build --dry-run --with pgbackrest
   pgbundle build --repos rocky --repo pgdg16=https://mirror.example/pgdg16/ --key PGDG.asc
   pgbundle build --node db1.yaml --node db2.yaml
   pgbundle build --profile delta --present baseos --present appstream --repos host
   pgbundle build --lock old-bundle.tar.gz -o again.tar.gz
   SOURCE_DATE_EPOCH=1700000000 pgbundle build --sign site.key`,
		Flags: append(flags, messageFlags()...),
		Action: func(c *cli.Context) error {
			return runBuild(c, h)
		},
	}
}

func lockCommand(h host) *cli.Command {
	flags := append(specFlags(), rpmFlags()...)
	flags = append(flags, networkFlags()...)
	return &cli.Command{
		Name:  "lock",
		Usage: "resolve anew, write pgbundle.lock and say what changed",
		Description: `The resolve step of build alone. The lock stands beside pgbundle.yaml, or in the
current folder.

Examples:
   pgbundle lock --pg 16 --target rhel9.4
   pgbundle lock -c site/pgbundle.yaml --json
   pgbundle lock --node db1.yaml --node db2.yaml --allow-upgrades`,
		Flags: append(flags, messageFlags()...),
		Action: func(c *cli.Context) error {
			return runLock(c, h)
		},
	}
}

// specOf puts the flags over the file over the defaults, and returns the
// folder that the lock stands in.
func specOf(c *cli.Context) (spec build.Spec, dir string, err error) {
	name := c.String("config")
	if name == "" {
		if _, err := os.Stat("pgbundle.yaml"); err == nil {
			name = "pgbundle.yaml"
		}
	}
	file := &build.SpecFile{}
	if name != "" {
		data, err := os.ReadFile(name)
		if err != nil {
			return spec, "", manifest.Classify(manifest.ErrUsage, fmt.Errorf("read spec: %w", err))
		}
		if file, err = build.ReadSpec(name, data); err != nil {
			return spec, "", err
		}
		spec, dir = file.Spec, filepath.Dir(name)
	}
	for flag, field := range map[string]*string{
		"pg": &spec.PostgreSQL, "etcd": &spec.Etcd, "target": &spec.Target, "arch": &spec.Arch, "patroni": &spec.Patroni, "psycopg": &spec.Psycopg,
		"profile": &spec.Profile, "index-url": &spec.IndexURL, "exclude-newer": &spec.ExcludeNewer, "galaxy-url": &spec.GalaxyURL,
	} {
		if c.IsSet(flag) {
			*field = c.String(flag)
		}
	}
	if c.IsSet("python") {
		spec.Python, spec.NodePython, spec.ControlPython = c.String("python"), "", ""
	}
	if c.IsSet("node-python") {
		spec.NodePython = c.String("node-python")
	}
	if c.IsSet("control-python") {
		spec.ControlPython = c.String("control-python")
	}
	for flag, field := range map[string]*bool{"weak": &spec.WeakDeps, "strict": &spec.Strict, "allow-upgrades": &spec.AllowUpgrades} {
		if c.IsSet(flag) {
			*field = c.Bool(flag)
		}
	}
	for flag, field := range map[string]*[]string{
		"with": &spec.With, "package": &spec.Packages, "constraint": &spec.Constraints, "pin": &spec.Pins, "present": &spec.Present, "etcd-url": &spec.EtcdURLs,
		"enable-module": &spec.Modules, "disable-module": &spec.DisableModules,
		"extra-index-url": &spec.ExtraIndexURLs, "find-links": &spec.FindLinks,
	} {
		if c.IsSet(flag) {
			*field = c.StringSlice(flag)
		}
	}
	if err := reposOf(c, &spec); err != nil {
		return spec, "", err
	}
	return spec.WithDefaults(), dir, file.Check(spec)
}

// reposOf puts the repository flags over the spec's.
func reposOf(c *cli.Context, spec *build.Spec) error {
	if c.IsSet("repos") {
		spec.Repos = c.StringSlice("repos")
	}
	if c.IsSet("key") {
		spec.Keys = c.StringSlice("key")
	}
	if err := policiesOf(c, spec); err != nil {
		return err
	}
	given, err := pairs("repo", "ID=URL", c.StringSlice("repo"), "baseos=https://mirror.example/BaseOS/x86_64/os/")
	if err != nil {
		return err
	}
	if spec.Repositories == nil {
		spec.Repositories = map[string]string{}
	}
	for id, url := range given {
		spec.Repositories[id] = url
	}
	if len(spec.Keys) > 0 && len(spec.Repositories) == 0 {
		return &usageError{"--key is for repositories given by --repo, and there is none", "--repo ID=URL --key FILE"}
	}
	return nil
}

func runBuild(c *cli.Context, h host) (err error) {
	if c.Args().Present() {
		return &usageError{fmt.Sprintf("build takes no operand: %q", c.Args().First()), "pgbundle build --help"}
	}
	progress, err := newProgress(h, c.Bool("quiet"), c.String("log-format"))
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	sign, err := signerOf(c, h)
	if err != nil {
		return err
	}
	if !c.Bool("dry-run") {
		if err := build.CheckOutput(c.String("output")); err != nil {
			return err
		}
	}
	o, lock, err := lockToBuild(c, h, progress)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		if c.Bool("json") {
			return writeJSON(h.stdout, lock.Plan)
		}
		closeProgress(progress)
		writePlan(h.stdout, lock.Plan)
		return nil
	}
	progress.Plan(lock.Plan)
	built, err := build.Build(c.Context, o, lock.Lock, build.Output{Path: c.String("output"), Sign: sign})
	closeProgress(progress)
	if err != nil {
		return upgradeHint(err)
	}
	if c.Bool("json") {
		return writeJSON(h.stdout, built)
	}
	writeBuilt(h.stdout, built)
	return nil
}

// lockToBuild finds the lock: the given one, the one beside the spec when it
// still fits, or a new one.
func lockToBuild(c *cli.Context, h host, progress build.Progress) (build.Options, *build.Resolution, error) {
	if c.IsSet("lock") {
		return givenLock(c, h, progress)
	}
	spec, dir, err := specOf(c)
	if err != nil {
		return build.Options{}, nil, err
	}
	o, err := optionsOf(c, h, spec, progress)
	if err != nil {
		return o, nil, err
	}
	path := filepath.Join(dir, lockName)
	old, err := readLock(path)
	if err != nil && !c.Bool("locked") {
		progress.Note(err.Error() + "; resolving anew")
		old = nil
	} else if err != nil {
		return o, nil, err
	}
	fits, reason, err := o.Fits(old)
	if err != nil {
		return o, nil, err
	}
	if fits {
		o.Exact = c.Bool("locked")
		return o, o.Locked(old), nil
	}
	if c.Bool("locked") {
		return o, nil, withHint(fmt.Errorf("%s does not fit: %s", path, reason), "run pgbundle lock, or leave out --locked")
	}
	if old != nil {
		progress.Note(path + " does not fit, resolving anew: " + reason)
	}
	r, err := build.Resolve(c.Context, o, old)
	if err != nil {
		return o, nil, upgradeHint(withStrictHint(err, "--target"))
	}
	if c.Bool("dry-run") {
		return o, r, nil
	}
	return o, r, build.WriteLock(path, r.Lock)
}

// givenLock reads the lock of --lock, which fixes everything that the spec's
// flags would.
func givenLock(c *cli.Context, h host, progress build.Progress) (build.Options, *build.Resolution, error) {
	for _, flag := range []string{"config", "pg", "etcd", "target", "arch", "python", "node-python", "control-python",
		"patroni", "psycopg", "with", "package", "constraint", "weak", "pin", "strict", "enable-module", "disable-module", "profile", "present",
		"signatures", "metadata-signatures", "exclude-newer"} {
		if c.IsSet(flag) {
			return build.Options{}, nil, &usageError{"--lock fixes what --" + flag + " asks for: give one of them", "pgbundle build --lock FILE"}
		}
	}
	lock, err := build.ReadLock(c.String("lock"))
	if err != nil {
		return build.Options{}, nil, err
	}
	var spec build.Spec
	spec.Target, spec.Arch, spec.AllowUpgrades = "rhel"+lock.Target.Release, lock.Target.Arch, c.Bool("allow-upgrades")
	spec.ExtraIndexURLs, spec.FindLinks = c.StringSlice("extra-index-url"), c.StringSlice("find-links")
	spec.IndexURL, spec.GalaxyURL, spec.EtcdURLs = c.String("index-url"), c.String("galaxy-url"), c.StringSlice("etcd-url")
	if err := reposOf(c, &spec); err != nil {
		return build.Options{}, nil, err
	}
	o, err := optionsOf(c, h, spec.WithDefaults(), progress)
	if err != nil {
		return o, nil, err
	}
	o.Exact = true
	return o, o.Locked(lock), nil
}

func runLock(c *cli.Context, h host) error {
	if c.Args().Present() {
		return &usageError{fmt.Sprintf("lock takes no operand: %q", c.Args().First()), "pgbundle lock --help"}
	}
	progress, err := newProgress(h, c.Bool("quiet"), c.String("log-format"))
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	spec, dir, err := specOf(c)
	if err != nil {
		return err
	}
	o, err := optionsOf(c, h, spec, progress)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, lockName)
	old, err := readLock(path)
	if err != nil {
		progress.Note(err.Error() + "; writing it anew")
	}
	r, err := build.Resolve(c.Context, o, old)
	if err != nil {
		return upgradeHint(withStrictHint(err, "--target"))
	}
	if err := build.WriteLock(path, r.Lock); err != nil {
		return err
	}
	closeProgress(progress)
	if c.Bool("json") {
		return writeJSON(h.stdout, r.Plan)
	}
	if old != nil && len(r.Plan.Changes) == 0 {
		fmt.Fprintf(h.stdout, "%s: nothing changed\n", path)
	}
	if old == nil {
		writePlan(h.stdout, r.Plan)
		return nil
	}
	for _, line := range r.Plan.Changes {
		fmt.Fprintln(h.stdout, line)
	}
	writeList(h.stderr, "note", r.Plan.Notes)
	return nil
}

// readLock reads the lock beside the spec, if there is one.
func readLock(path string) (*manifest.Lock, error) {
	lock, err := build.ReadLock(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return lock, err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // "python3 >= 3.9" is to be read
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeBuilt(w io.Writer, b *build.Built) {
	signed := "unsigned: whoever opens it cannot tell who made it"
	if b.Signed {
		signed = "signed"
	}
	counts := make([]string, 0, len(b.Counts))
	for _, g := range b.Counts {
		counts = append(counts, fmt.Sprintf("%d %s (%s)", g.Count, g.Kind, size(g.Bytes)))
	}
	fmt.Fprintf(w, "bundle  %s\n", b.Path)
	fmt.Fprintf(w, "sha256  %s\n", b.SHA256)
	fmt.Fprintf(w, "size    %s: %s\n", size(b.Size), strings.Join(counts, ", "))
	fmt.Fprintf(w, "id      %s, %s\n", b.ID, signed)
	for _, check := range b.Checked {
		fmt.Fprintf(w, "proven  %s: %s\n", check.Name, check.Result)
	}
	for _, t := range b.Nodes {
		fmt.Fprintf(w, "node    %s: %s\n", t.Node, t)
	}
}
