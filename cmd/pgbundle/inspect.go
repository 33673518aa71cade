package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle"
	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

func inspectCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "say what is in a bundle, and why",
		ArgsUsage: "BUNDLE [manifest|files]",
		Description: `Without a word more: the target, what it was built from and how much of each kind.
"manifest" prints the manifest's bytes as they are, "files" one path a line.
Inspect believes the manifest; verify does not.

Examples:
   pgbundle inspect BUNDLE
   pgbundle inspect BUNDLE files
   pgbundle inspect BUNDLE --why libevent
   pgbundle inspect BUNDLE manifest | less`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "why", Usage: "say what wants the artifact `NAME`, up to what was asked for"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runInspect(c, h) },
	}
}

func runInspect(c *cli.Context, h host) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return &usageError{fmt.Sprintf("inspect takes a BUNDLE and manifest or files, not %d operands", c.NArg()), "pgbundle inspect --help"}
	}
	view := c.Args().Get(1)
	if view != "" && c.IsSet("why") {
		return &usageError{"--why and " + view + " are two questions: ask one", "pgbundle inspect --help"}
	}
	if !slices.Contains([]string{"", "manifest", "files"}, view) {
		return &usageError{fmt.Sprintf("inspect shows manifest or files, not %q", view), "pgbundle inspect " + c.Args().First() + " files"}
	}
	if err := notBundle(c.Args().First(), func(name string) string { return "pgbundle inspect " + name }); err != nil {
		return err
	}
	b, err := bundle.Open(c.Args().First())
	if err != nil {
		return fmt.Errorf("inspect %s: %w", c.Args().First(), err)
	}
	defer b.Close()
	m := b.Manifest()
	switch {
	case c.IsSet("why"):
		return writeWhy(h.stdout, &m.Lock, c.String("why"), c.Bool("json"))
	case view == "manifest" && c.Bool("json"):
		return writeJSON(h.stdout, m)
	case view == "manifest":
		_, err := h.stdout.Write(b.RawManifest())
		return err
	case view == "files":
		return writeFiles(h.stdout, b, c.Bool("json"))
	case c.Bool("json"):
		return writeJSON(h.stdout, summaryOf(b))
	}
	writeSummary(h.stdout, summaryOf(b))
	return nil
}

type bundleSummary struct {
	ID       string             `json:"id"`
	Signed   bool               `json:"signed"`
	Target   manifest.Target    `json:"target"`
	Time     string             `json:"time"`
	Profile  manifest.Profile   `json:"profile"`           // full or delta
	Nodes    []string           `json:"nodes,omitempty"`   // that a delta is for
	Present  []string           `json:"present,omitempty"` // what a delta counts on to be there, each package by its NEVRA
	Requests []manifest.Request `json:"requests"`
	Modules  []string           `json:"modules,omitempty"`
	Contents []build.Group      `json:"contents"`
	Sources  []build.PlanSource `json:"sources"`
	Checked  []manifest.Check   `json:"checked"`
}

func summaryOf(b *bundle.Bundle) bundleSummary {
	m := b.Manifest()
	plan := build.PlanOf(&m.Lock, func(string) bool { return true })
	var nodes, present []string
	for _, n := range m.Lock.Nodes {
		nodes = append(nodes, n.Name)
	}
	for _, p := range m.Lock.Assumed {
		present = append(present, p.Name+"-"+p.EVR+"."+p.Arch)
	}
	return bundleSummary{
		Profile: cmp.Or(m.Lock.Profile, manifest.Full), Nodes: nodes, Present: present,
		ID: b.ID(), Signed: b.Signature() != nil, Target: m.Lock.Target, Time: m.Lock.Time.UTC().Format("2006-01-02T15:04:05Z"),
		Requests: m.Lock.Requests, Modules: m.Lock.Modules, Contents: plan.Groups, Sources: plan.Sources, Checked: m.Checked,
	}
}

func writeSummary(w io.Writer, s bundleSummary) {
	signed := "not signed"
	if s.Signed {
		signed = "signed (inspect does not check by whom)"
	}
	fmt.Fprintf(w, "bundle  %s, %s, of %s\n", s.ID, signed, s.Time)
	fmt.Fprintf(w, "for     %s %s %s, Python %s on nodes, %s on the control node\n",
		s.Target.OS, s.Target.Release, s.Target.Arch, build.PythonsOf(s.Target, manifest.TargetNode), build.PythonsOf(s.Target, manifest.Control))
	switch {
	case len(s.Nodes) > 0:
		fmt.Fprintf(w, "delta   for %s; of others ask pgbundle verify --node\n", strings.Join(s.Nodes, ", "))
	case s.Profile == manifest.Delta:
		fmt.Fprintf(w, "delta   counts on %d packages of the target's own repositories\n", len(s.Present))
	}
	for _, g := range s.Contents {
		fmt.Fprintf(w, "holds   %-10s %4d  %9s\n", g.Kind, g.Count, size(g.Bytes))
	}
	for _, from := range s.Sources {
		if from.Count > 0 {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("from    %-14s %4d  %9s  %s", from.ID, from.Count, size(from.Bytes), from.URL), " "))
			if from.Kind == manifest.RPM {
				fmt.Fprintf(w, "signed  %-14s packages: %s, metadata: %s\n", from.ID, from.Signatures, from.MetadataSignatures)
			}
		}
	}
	writeRequests(w, s.Requests)
	for _, m := range s.Modules {
		fmt.Fprintf(w, "stream  %s was on\n", m)
	}
	for _, check := range s.Checked {
		fmt.Fprintf(w, "proven  %s: %s (when it was built)\n", check.Name, check.Result)
	}
}

// writeRequests lists what was asked for, a group with the number of its packages.
func writeRequests(w io.Writer, requests []manifest.Request) {
	told := map[manifest.Request]bool{}
	for _, r := range requests {
		if r.Group == "" {
			fmt.Fprintf(w, "asked   %-10s %-7s %s\n", r.Kind, r.Role, r.Want)
			continue
		}
		same := func(q manifest.Request) bool { return q.Kind == r.Kind && q.Role == r.Role && q.Group == r.Group }
		group := manifest.Request{Kind: r.Kind, Role: r.Role, Group: r.Group}
		if !told[group] {
			told[group] = true
			n := len(slices.DeleteFunc(slices.Clone(requests), func(q manifest.Request) bool { return !same(q) }))
			fmt.Fprintf(w, "asked   %-10s %-7s %s, %d of its packages\n", r.Kind, r.Role, r.Group, n)
		}
	}
}

// writeFiles lists what tar would: every entry, in order, below the top folder.
func writeFiles(w io.Writer, b *bundle.Bundle, asJSON bool) error {
	if asJSON {
		return writeJSON(w, b.Manifest().Files)
	}
	names := []string{manifest.ManifestName}
	if b.Signature() != nil {
		names = append(names, manifest.SignatureName)
	}
	names = append(names, manifest.SumsName)
	for _, f := range b.Manifest().Files {
		names = append(names, f.Path)
	}
	for _, name := range names {
		fmt.Fprintf(w, "%s/%s\n", bundle.TopFolder, name)
	}
	return nil
}

// writeWhy prints every chain from an artifact to a request.
func writeWhy(w io.Writer, lock *manifest.Lock, name string, asJSON bool) error {
	chains := build.Why(lock, name)
	if len(chains) == 0 {
		return manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("inspect --why %s: the bundle holds no artifact of that name", name))
	}
	if asJSON {
		return writeJSON(w, chains)
	}
	for _, chain := range chains {
		fmt.Fprintln(w, strings.Join(chain, "\n  wanted by "))
	}
	return nil
}
