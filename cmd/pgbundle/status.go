package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"pgbundle/install"
	"pgbundle/manifest"
)

func statusCommand(h host) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "tell what is installed here, since when, and who vouches for it",
		Description: `Lists the releases on this node, and what is wrong at a glance: a link that leads
nowhere, an active release that is not complete, a repository file that somebody
changed. With --verify every file of each release is compared with what was
installed, its owner and mode too. What is not whole ends with exit status 3.

Examples:
   pgbundle status
   pgbundle status --verify --json`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "verify", Usage: "compare every file with what was installed"},
			&cli.StringSliceFlag{Name: "pubkey", Usage: "check the signatures again with the public key in `FILE`, or the key itself (base64)"},
		}, append(nodeFlags(), messageFlags()...)...),
		Action: func(c *cli.Context) error { return runStatus(c, h) },
	}
}

func runStatus(c *cli.Context, h host) error {
	i, progress, err := openNode(c, h)
	if err != nil {
		return err
	}
	defer closeProgress(progress)
	trusted, err := trustedOf(c.StringSlice("pubkey"))
	if err != nil {
		return installHint(c, err)
	}
	st, err := i.Status(c.Context, install.StatusOptions{Verify: c.Bool("verify"), Keys: trusted})
	if err != nil {
		return err
	}
	closeProgress(progress)
	if c.Bool("json") {
		err = writeJSON(h.stdout, st)
	} else {
		writeStatus(h.stdout, st)
	}
	if err == nil && !st.Whole {
		err = manifest.Classify(manifest.ErrDamaged, fmt.Errorf("what is installed below %s is not whole", st.Base))
	}
	return err
}

func writeStatus(w io.Writer, st *install.Status) {
	if st.Running {
		fmt.Fprintln(w, "running  another pgbundle is at work on this node: what is unfinished is its")
	}
	if st.Active == "" {
		fmt.Fprintf(w, "nothing is active below %s\n", st.Base)
	}
	for _, r := range st.Releases {
		writeRelease(w, r)
	}
	for _, f := range st.Findings {
		fmt.Fprintf(w, "wrong    %s\n", f)
	}
	for _, n := range st.Notes {
		fmt.Fprintf(w, "note     %s\n", n)
	}
	writePending(w, st.Pending)
	for _, l := range st.Left {
		fmt.Fprintf(w, "left     %s, by a run that did not end: the next one removes it\n", l)
	}
	switch {
	case st.Verified && st.Whole && st.Active != "":
		fmt.Fprintln(w, "whole: every file is as it was installed")
	case !st.Verified && st.Whole && st.Active != "":
		fmt.Fprintln(w, "nothing wrong at a glance (--verify compares every file)")
	}
}

func writeRelease(w io.Writer, r install.ReleaseStatus) {
	word := "former"
	if r.Active {
		word = "active"
	}
	switch {
	case r.Unfinished:
		fmt.Fprintf(w, "%-8s %s: %s\n", "partial", r.Name, r.Fault)
		return
	case r.Fault != "":
		fmt.Fprintf(w, "%-8s %s: %s\n", "broken", r.Name, r.Fault)
		return
	case r.Receipt == nil:
		fmt.Fprintf(w, "%-8s %s: what older scripts placed\n", word, r.Name)
		return
	}
	fmt.Fprintf(w, "%-8s %s\n", word, r.Name)
	fmt.Fprintf(w, "  bundle     %s, built %s, from %s\n", r.Bundle, r.Built.Format("2006-01-02"), r.Source)
	fmt.Fprintf(w, "  role       %s\n", joinRoles(r.Roles))
	fmt.Fprintf(w, "  installed  %s by pgbundle %s\n", r.Installed.Format("2006-01-02 15:04:05 MST"), r.Program)
	if r.Since != nil {
		fmt.Fprintf(w, "  active     since %s\n", r.Since.Format("2006-01-02 15:04:05 MST"))
	}
	fmt.Fprintf(w, "  vouched    %s\n", vouched(r))
	for _, d := range r.Drift {
		fmt.Fprintf(w, "  drifted    %s: %s\n", d.Path, d.Detail)
	}
}

// vouched says who vouches for a release: when it was installed, and now.
func vouched(r install.ReleaseStatus) string {
	text := "not authenticated"
	if r.Authenticated {
		text = "authenticated: signed by " + r.By
	}
	if r.Authentic != "" {
		text += "; now: " + r.Authentic
	}
	return text
}
