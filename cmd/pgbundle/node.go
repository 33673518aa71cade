package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
)

// factsFlags name machines that packages are to fit.
func factsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "node", Usage: "the packages must fit the node whose facts are in `FILE` (pgbundle facts); given again: several nodes"},
		&cli.BoolFlag{Name: "allow-upgrades", Usage: "a node's own packages may be replaced by newer ones, never removed or downgraded"},
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

// writeTransactions says what would change on nodes.
func writeTransactions(w io.Writer, list []*build.Transaction) {
	for _, t := range list {
		fmt.Fprintf(w, "node    %s: %s\n", t.Node, t)
		for _, c := range t.New {
			fmt.Fprintf(w, "  new      %s-%s.%s\n", c.Name, c.EVR, c.Arch)
		}
		for _, c := range t.Upgraded {
			fmt.Fprintf(w, "  upgraded %s.%s from %s to %s\n", c.Name, c.Arch, c.From, c.EVR)
		}
		for _, c := range t.VendorChanged {
			fmt.Fprintf(w, "  vendor   %s.%s %s of %q, was %s of %q\n", c.Name, c.Arch, c.EVR, c.Vendor, c.From, c.FromVendor)
		}
		for _, c := range t.Reinstalled {
			fmt.Fprintf(w, "  reinst.  %s-%s.%s\n", c.Name, c.EVR, c.Arch)
		}
		for _, c := range t.Replaced {
			fmt.Fprintf(w, "  replaced %s-%s.%s by %s\n", c.Name, c.EVR, c.Arch, cmp.Or(c.By, "nothing"))
		}
		writeList(w, "blocked", t.Blocked)
	}
}
