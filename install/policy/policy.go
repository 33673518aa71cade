// Package policy tells a node's security policies of a release: fapolicyd which
// files may be run and loaded, SELinux what the files are. Where a policy is
// not in force nothing is done, and the result says so.
//
// fapolicyd asks for the path and the digest of a file when somebody opens it
// to run it. Its default rules let root's own programs open anything; strict
// ones do not, and other users never can. The paths are real ones, never
// through the link that names the active release.
package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pgbundle/install/node"
)

// Machine is what of a node is needed here; *node.Node is one.
type Machine interface {
	node.Runner
	Path(p string) (string, error)
}

// Result says what was done, by the name of the policy: "fapolicyd" and
// "selinux". The text of one that is not in force is NotActive.
type Result = map[string]string

// NotActive is what the result says of a policy that is not in force.
const NotActive = "not active"

// Apply makes the policies know these releases and no others: folders of the
// node, absolute and real. What fapolicyd was told of a release earlier stays
// as it is, for a file that was changed since must not come to be trusted.
func Apply(ctx context.Context, m Machine, releases []string) (Result, error) {
	trust, err := applyTrust(ctx, m, releases, keep)
	if err != nil {
		return nil, err
	}
	labels, err := relabel(ctx, m, releases)
	if err != nil {
		return nil, err
	}
	return Result{"fapolicyd": trust, "selinux": labels}, nil
}

// Trust tells fapolicyd of all that is in one release now, whatever it was told
// of it earlier, and waits until it knows. The other releases stay as they are.
func Trust(ctx context.Context, m Machine, release string) error {
	_, err := applyTrust(ctx, m, []string{release}, renew)
	return err
}

// fapolicyd is in force when it runs, and when it will at the next boot: who
// stops it to install must not find everything denied later.
func fapolicyd(ctx context.Context, m Machine) (running, enabled bool, err error) {
	there, err := exists(m, "/etc/fapolicyd")
	if err != nil || !there {
		return false, false, err
	}
	for _, q := range []struct {
		verb, yes string
		answer    *bool
	}{{"is-active", "active", &running}, {"is-enabled", "enabled", &enabled}} {
		out, err := m.Run(ctx, node.Command{Args: []string{"systemctl", q.verb, "fapolicyd"}})
		if err != nil {
			return false, false, fmt.Errorf("ask for fapolicyd: %w", err)
		}
		*q.answer = strings.TrimSpace(out.Stdout) == q.yes
	}
	return running, enabled, nil
}

func exists(m Machine, path string) (bool, error) {
	host, err := m.Path(path)
	if err != nil {
		return false, err
	}
	_, err = os.Stat(host)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// notify makes fapolicyd read its lists again. Its own word says only that it
// was asked.
func notify(ctx context.Context, m Machine) error {
	out, err := m.Run(ctx, node.Command{Args: []string{"fapolicyd-cli", "--update"}})
	if err != nil {
		return fmt.Errorf("update fapolicyd: %w", err)
	}
	if out.Status != 0 || !strings.Contains(out.Stdout, "Fapolicyd was notified") {
		return fmt.Errorf("update fapolicyd: exit status %d: %s", out.Status, out.Text())
	}
	return nil
}

// How long fapolicyd may take to read its lists: it compares every path with
// all before it.
const (
	tries = 240
	pause = 500 * time.Millisecond
)

// await waits until fapolicyd knows every entry. Its database is large, so the
// node's own grep looks through it. A dump that meets the daemon at work may
// never end (seen with 1.1.7), so it has its time, and is asked for again.
func await(ctx context.Context, m Machine, want []entry, pause time.Duration) error {
	missing := ""
	for range tries {
		out, err := m.Run(ctx, node.Command{Args: []string{"sh", "-c", `timeout -k 1 20 fapolicyd-cli --dump-db | grep -F -- "$1"`, "sh", common(want)}})
		if err != nil {
			return fmt.Errorf("ask fapolicyd for its list: %w", err)
		}
		known := map[string]bool{}
		for line := range strings.Lines(out.Stdout) {
			if _, text, ok := strings.Cut(strings.TrimSpace(line), " "); ok { // the source comes first
				known[text] = true
			}
		}
		missing = ""
		for _, e := range want {
			if !known[e.line()] {
				missing = e.path
				break
			}
		}
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for fapolicyd: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
	return fmt.Errorf("wait for fapolicyd: it does not know %s yet", missing)
}

// common is the folder that all entries are in: what to look for.
func common(list []entry) string {
	dir := filepath.Dir(list[0].path)
	for _, e := range list {
		for !strings.HasPrefix(e.path, dir+"/") {
			dir = filepath.Dir(dir)
		}
	}
	return dir + "/"
}

// relabel gives the files the labels that the node's SELinux policy has for
// their paths. -F takes the user and role as well.
func relabel(ctx context.Context, m Machine, releases []string) (string, error) {
	active, err := exists(m, "/sys/fs/selinux/enforce")
	if err != nil {
		return "", fmt.Errorf("ask for SELinux: %w", err)
	}
	if !active {
		return NotActive, nil
	}
	if len(releases) == 0 {
		return "nothing to label", nil
	}
	out, err := m.Run(ctx, node.Command{Args: append([]string{"restorecon", "-RF"}, releases...)})
	if err != nil {
		return "", fmt.Errorf("label the release: %w", err)
	}
	if out.Status != 0 {
		return "", fmt.Errorf("label the release: restorecon: exit status %d: %s", out.Status, out.Text())
	}
	return "labelled", nil
}
