//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestInstallControl makes a control node from the folder that the program
// lies in, takes it away, and makes a node that is both.
func TestInstallControl(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n4", "control")
	folder := n.folder(t)
	n.must(t, "alice", "sudo", "cp", "-r", folder, "/srv/")
	fresh := n.listing(t)
	n.must(t, "alice", "sudo", "/srv/airgap-bundle/pgbundle", "install", "--role", "control")
	n.release(t, "control")
	n.runsAnsible(t)
	if out := n.must(t, "alice", "sh", "-c", "cd "+base+" && ls -d rpms etcd wheels/target 2>/dev/null || true"); out != "" {
		t.Errorf("a control node was given %s", out)
	}
	n.must(t, "alice", "sudo", "pgbundle", "uninstall", "--purge")
	n.unchanged(t, fresh)

	t.Run("both", func(t *testing.T) {
		n.must(t, "alice", "sudo", "sh", folder+"/airgap-install.sh", "--role", "both")
		n.release(t, "control", "target")
		n.runsAnsible(t)
		n.noKeys(t)
		n.usesIt(t)
	})
}

// TestInstallLater makes a control node from the archive, and later a target of it.
func TestInstallLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n5", "control")
	archive := n.file(t, s.archive)
	n.must(t, "alice", "sudo", program, "install", "--role", "control", "--bundle", archive)
	alone := n.release(t, "control")
	n.runsAnsible(t)
	n.must(t, "alice", "sudo", program, "install", "--role", "target", "--bundle", archive)
	both := n.release(t, "control", "target")
	if !strings.HasSuffix(alone, "-control") || both != strings.TrimSuffix(alone, "-control")+"-both" {
		t.Errorf("after %s came %s", alone, both)
	}
	out := n.must(t, "root", "sh", "-c", "stat -c %i "+releases+"/*/wheels/control/ansible_core-*.whl")
	if inodes := strings.Fields(out); len(inodes) != 2 || inodes[0] != inodes[1] {
		t.Errorf("the releases do not share a wheel: inodes %v", inodes)
	}
	n.runsAnsible(t)
	n.noKeys(t)
}

// runsAnsible holds that the control node's Ansible runs for an ordinary user
// from wherever she is, and that it has the bundle's collections.
func (n *node) runsAnsible(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/", "/tmp", "/home/alice", base + "/venv"} {
		out := n.must(t, "alice", "sh", "-c", "cd "+dir+" && "+base+"/venv/bin/ansible-playbook --version")
		if !strings.HasPrefix(out, "ansible-playbook [core 2.15.") || !strings.Contains(out, base) {
			t.Errorf("in %s ansible-playbook says %q", dir, out)
		}
	}
	out := n.must(t, "alice", base+"/venv/bin/ansible-galaxy", "collection", "list")
	for name, version := range newestForCore215 {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), name+" "+version) {
			t.Errorf("ansible-galaxy does not list %s %s:\n%s", name, version, out)
		}
	}
	n.must(t, "alice", base+"/venv/bin/ansible", "localhost", "-m", "ansible.posix.sysctl", "-a", "name=vm.swappiness value=1", "--check")
}
