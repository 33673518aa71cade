//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// TestFapolicyd holds that the daemon of the bed decides, and then that what
// pgbundle installs is trusted by it.
func TestFapolicyd(t *testing.T) {
	s := newSite(t)
	n := s.boot(t, "n1", "fapolicyd")
	t.Run("denies what is not listed", n.deniesUnlisted)
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
