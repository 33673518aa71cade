package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/install"
	"pgbundle/install/node"
	"pgbundle/install/proof"
	"pgbundle/manifest"
)

func installCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "install",
		Usage: "put a bundle on this node, so that nothing can be left half done",
		Description: `Looks whether the node fits, places a release below ` + install.DefaultBase + `.d, lets the
node's own rpmkeys and dnf judge it, and switches to it in one step. It reaches no
network and installs no package: that is what the playbook does, out of the
repository patroni-airgap, which is not enabled by itself.

A target gets the packages, its wheelhouse and etcd; a control node gets Ansible with
its collections. What is here already is not placed again. Whatever goes wrong before
the switch leaves the node as it was.

Without --bundle the folder that pgbundle itself lies in is installed. Trusted keys
are those of --pubkey and the files in ` + trustedKeys + `. Where an
image has such files of its own, one of those keys has to have signed the bundle too:
the booted node would refuse it otherwise.

Examples:
   ./pgbundle install --role target
   pgbundle install --role both --bundle patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz
   pgbundle install --role target --bundle BUNDLE --dry-run
   pgbundle install --role target --bundle BUNDLE --root /mnt/image   (then, booted: pgbundle install --finish)`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "role", Usage: "what this node is: `ROLE` control, target or both"},
			&cli.StringFlag{Name: "bundle", Usage: "the archive or the unpacked folder `BUNDLE` (default: the folder of this program)"},
			&cli.StringSliceFlag{Name: "pubkey", Usage: "trust the public key in `FILE`, or the key itself (base64)"},
			&cli.BoolFlag{Name: "allow-older", Usage: "take a bundle older than the newest that was installed here"},
			&cli.IntFlag{Name: "keep", Usage: "keep the releases of `N` former bundles to roll back to, from now on", Value: install.DefaultKeep},
			&cli.BoolFlag{Name: "dry-run", Usage: "look at the node, prove the bundle, change nothing"},
			&cli.BoolFlag{Name: "finish", Usage: "do on the booted node what was pending when the release was put into its image"},
		}, append(nodeFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error { return runInstall(c, h) },
	}
}

// nodeFlags say which machine and which place on it is meant.
func nodeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "root", Usage: "the image below `DIR` instead of this machine", Value: "/"},
		&cli.StringFlag{Name: "base-dir", Usage: "use `DIR` instead of " + install.DefaultBase + " (default: where it is installed already)"},
	}
}

// openNode opens what nodeFlags mean, and the progress of messageFlags.
func openNode(c *cli.Context, h host) (*install.Installation, build.Progress, error) {
	if c.NArg() > 0 {
		return nil, nil, &usageError{fmt.Sprintf("%s takes no operand, not %q", c.Command.Name, c.Args().First()), "pgbundle " + c.Command.Name + " --help"}
	}
	progress, err := newProgress(h, c.Bool("quiet"), c.String("log-format"))
	if err != nil {
		return nil, nil, err
	}
	n, err := node.Open(c.String("root"), nil)
	if err != nil {
		return nil, nil, manifest.Classify(manifest.ErrUsage, err)
	}
	i, err := install.New(install.Config{Node: n, Base: plainBase(c.String("base-dir")), Program: programVersion(), Now: time.Now, Progress: progress})
	return i, progress, err
}

// plainBase takes off the slash that a shell's completion adds.
func plainBase(base string) string {
	if trimmed := strings.TrimRight(base, "/"); trimmed != "" {
		return trimmed
	}
	return base
}

func runInstall(c *cli.Context, h host) error {
	i, progress, err := openNode(c, h)
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	var res *install.Result
	if c.Bool("finish") {
		res, err = finishInstall(c, i)
	} else {
		res, err = place(c, i)
	}
	closeProgress(progress)
	if c.Bool("json") {
		if jsonErr := writeInstalled(h.stdout, res, err); jsonErr != nil {
			return errors.Join(err, jsonErr)
		}
	} else if res != nil {
		writeResult(h.stdout, i, res, err)
	}
	return installHint(c, err)
}

func finishInstall(c *cli.Context, i *install.Installation) (*install.Result, error) {
	if err := finishAlone(c); err != nil {
		return nil, err
	}
	trusted, err := trustedOf(c.StringSlice("pubkey"))
	if err != nil {
		return nil, err
	}
	return i.Finish(c.Context, trusted)
}

// finishAlone refuses what has no meaning beside --finish.
func finishAlone(c *cli.Context) error {
	for _, flag := range []string{"role", "bundle", "allow-older", "keep", "dry-run"} {
		if c.IsSet(flag) {
			return &usageError{fmt.Sprintf("--%s means nothing with --finish, which finishes what is installed", flag), "pgbundle install --finish"}
		}
	}
	return nil
}

func place(c *cli.Context, i *install.Installation) (*install.Result, error) {
	roles, err := rolesOf(c.String("role"))
	if err != nil {
		return nil, err
	}
	trusted, err := trustedOf(c.StringSlice("pubkey"))
	if err != nil {
		return nil, err
	}
	source, err := sourceOf(c)
	if err != nil {
		return nil, err
	}
	keep := 0 // as last asked for
	if c.IsSet("keep") {
		keep = c.Int("keep")
	}
	if c.Int("keep") < 1 {
		return nil, &usageError{fmt.Sprintf("--keep %d: takes 1 or more: the release before the active one always stays", c.Int("keep")), ""}
	}
	return i.Install(c.Context, install.Options{
		Bundle: source, Roles: roles, Keys: trusted, AllowOlder: c.Bool("allow-older"), Keep: keep, DryRun: c.Bool("dry-run"),
	})
}

func rolesOf(word string) ([]manifest.Role, error) {
	switch word {
	case "control":
		return []manifest.Role{manifest.Control}, nil
	case "target":
		return []manifest.Role{manifest.TargetNode}, nil
	case "both":
		return []manifest.Role{manifest.Control, manifest.TargetNode}, nil
	case "":
		return nil, &usageError{"install needs to know what this node is", "pgbundle install --role control|target|both"}
	}
	return nil, &usageError{fmt.Sprintf("--role %q: takes control, target or both", word), ""}
}

// sourceOf is the bundle that is meant: the one that is named, or the folder
// that this program lies in.
func sourceOf(c *cli.Context) (string, error) {
	install := func(name string) string { return "pgbundle install --role " + c.String("role") + " --bundle " + name }
	if named := c.String("bundle"); named != "" {
		if err := cmp.Or(notBundle(named, install), inRelease(named, install)); err != nil {
			return "", err
		}
		return filepath.Abs(named)
	}
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the bundle: %w", err)
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return "", fmt.Errorf("find the bundle: %w", err)
	}
	folder := filepath.Dir(program)
	if _, err := os.Lstat(filepath.Join(folder, manifest.ManifestName)); errors.Is(err, fs.ErrNotExist) {
		return "", &usageError{"no bundle is named, and this program does not lie in one", install("FILE")}
	}
	if err := inRelease(folder, install); err != nil {
		return "", &usageError{fmt.Sprintf("no bundle is named, and %s is a release that is installed already", folder), install("FILE")}
	}
	return folder, nil
}

// installHint adds the way out that the command line knows.
func installHint(c *cli.Context, err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return withHint(err, "run it as root: sudo pgbundle "+c.Command.Name+" …")
	}
	return trustHint(err)
}

// installed is the result of install for machines; it is written also when it
// failed, with what preflight found.
type installed struct {
	*install.Result
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func writeInstalled(w io.Writer, res *install.Result, err error) error {
	out := installed{Result: res, OK: err == nil}
	if err != nil {
		out.Error = err.Error()
	}
	return writeJSON(w, out)
}

// writeResult tells a person what was done. Who vouches for the bundle stands
// first and last.
func writeResult(w io.Writer, i *install.Installation, res *install.Result, failure error) {
	authentication := "not authenticated: no trusted key vouches for this bundle"
	if res.Authenticated {
		authentication = "authenticated: signed by " + res.By
	}
	fmt.Fprintln(w, authentication)
	for _, f := range res.Findings {
		if failure != nil && f.Severity == install.SeverityError {
			continue // the error tells them
		}
		fmt.Fprintf(w, "%-8s %s: %s\n", f.Severity, f.Check, f.Detail)
		if f.Hint != "" && f.Severity != install.SeverityNote {
			fmt.Fprintf(w, "         %s\n", f.Hint)
		}
	}
	if failure == nil {
		writeDone(w, i, res)
		fmt.Fprintln(w, authentication)
	}
}

func writeDone(w io.Writer, i *install.Installation, res *install.Result) {
	verb := map[bool]string{true: "placed", false: "here already, whole:"}[res.Placed]
	if res.DryRun {
		verb = map[bool]string{true: "would place", false: "here already:"}[res.Placed]
	}
	fmt.Fprintf(w, "%s release %s, role %s\n", verb, res.Release, joinRoles(res.Roles))
	if res.Proof != nil {
		writeProof(w, res.Proof)
	}
	switch {
	case res.DryRun && res.Switched:
		fmt.Fprintf(w, "would switch %s to it; nothing was changed\n", i.Base())
	case res.DryRun:
		fmt.Fprintln(w, "nothing to do")
	case res.Switched:
		fmt.Fprintf(w, "active   %s -> %s\n", i.Base(), res.Path)
	default:
		fmt.Fprintf(w, "active   %s, as before\n", res.Path)
	}
	if res.Former != "" && !res.DryRun {
		fmt.Fprintf(w, "before   %s (pgbundle rollback goes back to it)\n", res.Former)
	}
	for _, name := range res.Removed {
		fmt.Fprintf(w, "removed  %s\n", name)
	}
	writePending(w, res.Pending)
}

func writePending(w io.Writer, steps []string) {
	if len(steps) > 0 {
		fmt.Fprintf(w, "pending  %s: run pgbundle install --finish on the booted node\n", strings.Join(steps, ", "))
	}
}

func joinRoles(roles []manifest.Role) string {
	words := make([]string, len(roles))
	for n, r := range roles {
		words[n] = string(r)
	}
	return strings.Join(words, " and ")
}

// writeProof tells what a dnf install of the roots would change on the node.
func writeProof(w io.Writer, p *proof.Result) {
	fmt.Fprintf(w, "proven   rpmkeys: %d packages signed", p.Signed)
	if p.Unsigned > 0 {
		fmt.Fprintf(w, ", %d taken without a signature", p.Unsigned)
	}
	fmt.Fprintf(w, "; dnf: %d new, %d upgraded, %d there already\n", len(p.New), len(p.Upgraded), len(p.Present))
	for _, c := range p.Upgraded {
		fmt.Fprintf(w, "upgrade  %s %s -> %s\n", c.Name, c.From, c.EVR)
	}
	for _, c := range p.VendorChanged {
		fmt.Fprintf(w, "vendor   %s: %s -> %s\n", c.Name, c.FromVendor, c.Vendor)
	}
}
