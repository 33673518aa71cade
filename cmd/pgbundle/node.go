package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
)

// factsFlags name machines that packages are to fit.
func factsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "node", Usage: "what comes must fit the node whose facts are in `FILE` (pgbundle facts); given again: several nodes"},
		&cli.BoolFlag{Name: "allow-upgrades", Usage: "a node's own packages may give way to newer builds; never is one removed or downgraded"},
	}
}

// deltaFlags say what the target has.
func deltaFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "profile", Usage: "`PROFILE` full carries everything, delta only what the target lacks (default: full)"},
		&cli.StringSliceFlag{Name: "present", Usage: "the target has the repository `ID` itself: its packages are left out, which makes a delta"},
	}, factsFlags()...)
}

// upgradeHint adds the way out where a node's packages would change.
func upgradeHint(err error) error {
	if _, ok := errors.AsType[*build.UpgradeError](err); !ok {
		return err
	}
	return withHint(err, "--allow-upgrades lets newer builds take their place")
}

// writeTransactions says what would change on nodes. Why one is blocked is in the
// error.
func writeTransactions(w io.Writer, list []*build.Transaction) {
	writeNodes(w, "", list, func(t *build.Transaction) string { return newPackages(t) + otherChanges(t) })
}

// writeNodes writes the changes of each node in indented lines, and once what is
// the same on several.
func writeNodes(w io.Writer, indent string, list []*build.Transaction, changes func(*build.Transaction) string) {
	first := map[string]string{} // by what changes: the node that it was told of
	for _, t := range list {
		fmt.Fprintf(w, "%snode    %s: %s\n", indent, t.Node, t)
		text := changes(t)
		if text == "" {
			continue
		}
		if same := first[text]; same != "" {
			fmt.Fprintf(w, "%s  the same packages as on %s\n", indent, same)
			continue
		}
		first[text] = t.Node
		for line := range strings.Lines(text) {
			fmt.Fprint(w, indent+line)
		}
	}
}

func newPackages(t *build.Transaction) string {
	var b strings.Builder
	for _, c := range t.New {
		fmt.Fprintf(&b, "  new      %s-%s.%s\n", c.Name, c.EVR, c.Arch)
	}
	return b.String()
}

// otherChanges are those of the node's own packages.
func otherChanges(t *build.Transaction) string {
	var b strings.Builder
	for _, c := range t.Upgraded {
		fmt.Fprintf(&b, "  upgraded %s.%s from %s to %s\n", c.Name, c.Arch, c.From, c.EVR)
	}
	for _, c := range t.VendorChanged {
		fmt.Fprintf(&b, "  vendor   %s.%s %s of %q, was %s of %q\n", c.Name, c.Arch, c.EVR, c.Vendor, c.From, c.FromVendor)
	}
	for _, c := range t.Reinstalled {
		fmt.Fprintf(&b, "  reinst.  %s-%s.%s\n", c.Name, c.EVR, c.Arch)
	}
	return b.String()
}
