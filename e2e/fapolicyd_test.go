//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// TestFapolicyd holds that the daemon of the bed decides, and then that what
// pgbundle installs is trusted by it.
func TestFapolicyd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n9", "fapolicyd")
	t.Run("denies what is not listed", n.deniesUnlisted)
	t.Run("lets the release run", n.trustsTheRelease)
}

// deniesUnlisted tries a copy of a program that is trusted where it lies. The
// rules let root's processes run anything, so alice is who tries.
func (n *node) deniesUnlisted(t *testing.T) {
	n.must(t, "root", "systemctl", "is-active", "fapolicyd")
	n.must(t, "root", "install", "-m", "755", "/usr/bin/id", "/opt/listed")
	n.must(t, "root", "install", "-m", "755", "/usr/bin/id", "/opt/unlisted")
	for _, copy := range []string{"/opt/listed", "/opt/unlisted"} {
		n.refused(t, "alice", 126, []string{"Operation not permitted"}, copy)
	}
	n.must(t, "root", "sh", "-c", `set -- $(sha256sum /opt/listed); echo /opt/listed $(stat -c %s /opt/listed) $1 >/etc/fapolicyd/trust.d/test; fapolicyd-cli --update`)
	n.becomes(t, "alice", "/opt/listed")
	n.refused(t, "alice", 126, []string{"Operation not permitted"}, "/opt/unlisted")
	n.must(t, "root", "sh", "-c", "echo >>/opt/listed") // other bytes than those that were trusted
	n.refused(t, "alice", 126, []string{"Operation not permitted"}, "/opt/listed")
}

// becomes waits until a command succeeds: fapolicyd-cli --update returns before
// the daemon has read the trust files.
func (n *node) becomes(t *testing.T, user string, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, status := n.run(t, user, words...)
		if status == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s@%s: still exit status %d\n%s\n%s", user, n.name, status, quoted(words), out)
		}
	}
}

// trustsTheRelease installs both roles and lets alice use them.
func (n *node) trustsTheRelease(t *testing.T) {
	script := n.folder(t) + "/airgap-install.sh"
	fresh := n.listing(t, "/var/lib/fapolicyd")
	n.must(t, "alice", "sudo", "sh", script, "--role", "both")
	n.release(t, "control", "target")
	n.becomes(t, "alice", "pgbundle", "--version")
	n.runsAnsible(t)
	n.must(t, "alice", "sudo", "install", "-m", "755", base+"/pgbundle", "/srv/copy")
	n.refused(t, "alice", 126, []string{"Operation not permitted"}, "/srv/copy", "--version")

	for _, question := range []struct{ what, script string }{
		{"lines of other paths or sizes than the disk has", `cut -d' ' -f1,2 trusted | comm -23 - found`},
		{"lines with another digest", `awk '{print $3 "  " $1}' trusted | sha256sum --check --quiet --strict 2>&1`},
		{"files that can be run or loaded without a line", `grep -E '(\.so[.0-9]*|\.pyc?|/pgbundle|/venv/bin/[^Aa][^ ]*) ' found | comm -23 - lines`},
	} {
		out := n.must(t, "root", "sh", "-c", `cd /run && grep -v '^#' `+trustFile+` | sort >trusted; cut -d' ' -f1,2 trusted >lines
			find `+releases+`/ -type f -printf '%p %s\n' | sort >found; test -s trusted || echo empty; `+question.script)
		if out != "" {
			t.Errorf("%s:\n%s", question.what, tail(out))
		}
	}
	n.must(t, "alice", "sudo", "rm", "/srv/copy")
	n.must(t, "alice", "sudo", "pgbundle", "uninstall", "--purge")
	n.unchanged(t, fresh, "/var/lib/fapolicyd")
}

const trustFile = "/etc/fapolicyd/trust.d/patroni-airgap"
