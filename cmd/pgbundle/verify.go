package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle"
	"pgbundle/bundle/build"
	"pgbundle/install"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// trustedKeys is where a site keeps the keys that it trusts.
const trustedKeys = install.TrustedKeys

func verifyCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "prove that a bundle is whole, closed by itself and signed by whom you trust",
		ArgsUsage: "BUNDLE",
		Description: `Checks every byte of the archive or the unpacked folder against the manifest, then
resolves the packages, both wheelhouses and the collections again out of the
bundle alone. All findings are printed, not just the first.

Trusted keys are those of --pubkey and the files in ` + trustedKeys + `;
never anything inside the bundle. Without a trusted key the bundle is called
not authenticated, and the check goes on.

With --node it also says what installing would change on that node, by the facts
that pgbundle facts wrote there, before anybody carries the bundle to it: nothing
of the node may be removed or downgraded, and anything but new packages takes
--allow-upgrades. The wheels must fit the Python that the node has.

Examples:
   pgbundle verify patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz
   pgbundle verify --pubkey site.pub --json airgap-bundle/
   pgbundle verify --node db1.yaml --node db2.yaml airgap-bundle/`,
		Flags: append(append([]cli.Flag{
			&cli.StringSliceFlag{Name: "pubkey", Usage: "trust the public key in `FILE`, or the key itself (base64)"},
		}, factsFlags()...), messageFlags()...),
		Action: func(c *cli.Context) error { return runVerify(c, h) },
	}
}

// verification is the result of verify.
type verification struct {
	*bundle.Report
	Bundle   string               `json:"bundle"`
	Target   *manifest.Target     `json:"target,omitempty"`
	Checked  []manifest.Check     `json:"checked,omitempty"`
	Nodes    []*build.Transaction `json:"nodes,omitempty"`   // what installing would change on each node
	Closure  string               `json:"closure,omitempty"` // why it is not closed
	Notes    []string             `json:"notes,omitempty"`
	ForNodes bool                 `json:"for_nodes,omitempty"` // a delta for nodes, which closes beside what they have
	OK       bool                 `json:"ok"`

	madeFor []manifest.LockNode // the nodes of a delta

	trusting bool // there was a key to check with
	delta    bool
	asked    bool // the facts of all nodes of a delta were there to check with
}

func runVerify(c *cli.Context, h host) error {
	path, err := operand(c, "BUNDLE")
	if err != nil {
		return err
	}
	trusted, err := trustedOf(c.StringSlice("pubkey"))
	if err != nil {
		return err
	}
	nodes, err := build.ReadNodes(c.StringSlice("node"))
	if err != nil {
		return err
	}
	verify := func(name string) string { return "pgbundle verify " + name }
	if err := cmp.Or(notBundle(path, verify), inRelease(path, verify)); err != nil {
		return err
	}
	progress, err := newProgress(h, c.Bool("quiet"), c.String("log-format"))
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	total := int64(0)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		total = info.Size()
	}
	progress.Stage("verify", total)
	report, err := bundle.Verify(c.Context, path, bundle.VerifyOptions{
		Keys: trusted, Jobs: runtime.NumCPU(), Progress: progress.Add,
	})
	if err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	v := verification{Report: report, Bundle: path, trusting: len(trusted) > 0}
	failure := report.Err()
	if failure == nil {
		progress.Stage("prove", 0)
		failure = v.prove(c, nodes)
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	v.OK = failure == nil
	closeProgress(progress)
	if c.Bool("json") {
		if err := writeJSON(h.stdout, v); err != nil {
			return err
		}
	} else {
		v.write(h.stdout)
	}
	if failure != nil {
		return v.deltaHint(upgradeHint(trustHint(fmt.Errorf("verify %s: %w", path, failure))), nodes)
	}
	return nil
}

// deltaHint adds the way out where a node is blocked that a delta was not made for.
func (v *verification) deltaHint(err error, nodes []*build.Node) error {
	if _, blocked := errors.AsType[*build.BlockedError](err); !blocked || !v.ForNodes {
		return err
	}
	for _, n := range nodes {
		if !slices.Contains(v.madeFor, n.LockNode) {
			return withHint(err, "this delta was not made for "+n.Name+" as its facts describe it: build one with its facts as --node too, or a full bundle")
		}
	}
	return err
}

// trustHint adds how a key comes to be trusted to an error that says that none
// that is has signed a bundle.
func trustHint(err error) error {
	if !errors.Is(err, sign.ErrUntrusted) {
		return err
	}
	return withHint(err, "ask who made the bundle, by another way than it came, for the id of his key: one that you trust goes as a .pub file into "+
		trustedKeys+", or is named by --pubkey; who holds a trusted key signs with pgbundle sign")
}

// prove resolves again from the opened bundle, whose bytes are proven. What its
// manifest says was checked counts for nothing.
func (v *verification) prove(c *cli.Context, nodes []*build.Node) error {
	b, err := bundle.Open(v.Bundle)
	if err != nil {
		return err
	}
	defer b.Close()
	if b.ID() != v.ID {
		return manifest.Classify(manifest.ErrDamaged, errors.New("another bundle lies there than the one whose bytes were checked"))
	}
	m := b.Manifest()
	v.Target, v.madeFor, v.ForNodes, v.delta = &m.Lock.Target, m.Lock.Nodes, len(m.Lock.Nodes) > 0, m.Lock.IsDelta()
	v.asked = !slices.ContainsFunc(m.Lock.Nodes, func(of manifest.LockNode) bool {
		return !slices.ContainsFunc(nodes, func(n *build.Node) bool { return n.SHA256 == of.SHA256 })
	})
	v.Checked, err = build.Prove(c.Context, build.TreeOf(b), &m.Lock,
		build.ProveOptions{Now: time.Now(), Jobs: runtime.NumCPU()})
	if err == nil && !slices.Equal(v.Checked, m.Checked) {
		v.Notes = append(v.Notes, "the manifest words what was checked otherwise: another version of pgbundle built it, or somebody edited it")
	}
	if err != nil {
		v.Closure = err.Error()
		return err
	}
	v.Notes = append(v.Notes, build.UntoldPythons(m.Lock.Target, nodes)...)
	v.Nodes, err = build.ProveNodes(c.Context, build.TreeOf(b), &m.Lock, nodes, c.Bool("allow-upgrades"))
	return err
}

// write prints the state of authentication first and last, between them only
// what is wrong, and what was proven.
func (v *verification) write(w io.Writer) {
	fmt.Fprintln(w, v.authentication())
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%-10s %s  %s\n", f.Status, f.Path, f.Detail)
	}
	if v.Closure != "" {
		fmt.Fprintf(w, "%-10s %s\n", "open", v.Closure)
	}
	if v.Target != nil {
		fmt.Fprintf(w, "bundle %s for %s %s %s: %d files, %s\n", v.ID, v.Target.OS, v.Target.Release, v.Target.Arch, v.Files, size(v.Bytes))
	}
	for _, check := range v.Checked {
		fmt.Fprintf(w, "proven  %s: %s\n", check.Name, check.Result)
	}
	writeTransactions(w, v.Nodes)
	writeList(w, "note", v.Notes)
	switch {
	case !v.OK:
	case v.ForNodes && v.asked:
		fmt.Fprintln(w, "whole; it closes beside what its nodes have")
	case v.ForNodes:
		fmt.Fprintln(w, "whole; whether it closes beside what its nodes have is for their facts to tell (--node)")
	case v.delta:
		fmt.Fprintln(w, "whole; it closes beside what the target's own repositories have")
	default:
		fmt.Fprintln(w, "whole and closed by itself")
	}
	fmt.Fprintln(w, v.authentication())
}

func (v *verification) authentication() string {
	switch {
	case v.Authenticated:
		return "authenticated: signed by " + v.By
	case v.Signed && v.trusting:
		return "not authenticated: its signature is not one that a key of yours made"
	case v.Signed:
		return "not authenticated: it is signed, but no key of yours was there to check it with (--pubkey)"
	default:
		return "not authenticated: it is not signed"
	}
}

// keyLength is how many characters a minisign public key has in base64.
const keyLength = 56

// trustedOf reads the keys that are trusted here.
func trustedOf(given []string) ([]sign.PublicKey, error) {
	var keys []sign.PublicKey
	for _, text := range given {
		data := []byte(text)
		if len(text) != keyLength || !strings.HasPrefix(text, "RW") {
			content, err := os.ReadFile(text)
			if err != nil {
				return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("--pubkey: %w", err))
			}
			data = content
		}
		key, err := sign.ParsePublicKey(data)
		if err != nil {
			return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("--pubkey %s: %w", text, err))
		}
		keys = append(keys, key)
	}
	site, err := sign.TrustedKeys(os.DirFS(trustedKeys))
	return append(keys, site...), err
}
