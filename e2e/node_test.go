//go:build e2e

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// node is a machine of the bed: made of RPMs, hardened, without a way out.
type node struct {
	*site
	name string
}

// boot starts a node from an image of the bed and removes it when the test is
// over, however that ends.
func (s *site) boot(t *testing.T, name, image string) *node {
	t.Helper()
	n := &node{site: s, name: name}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := n.run(t, "root", "journalctl", "--no-pager", "--lines=40")
			t.Logf("the last of the journal of %s:\n%s", name, out)
		}
		n.verb(t, "rm")
	})
	n.verb(t, "up", "--image", image)
	n.verb(t, "wait")
	return n
}

// verb does something to the machine itself (scripts/testbed/bed/nodes.py).
func (n *node) verb(t *testing.T, verb string, more ...string) {
	t.Helper()
	n.site.must(t, command{name: n.name + " " + verb, dir: n.checkout, env: []string{"PYTHONPATH=scripts/testbed"}, args: n.bed(verb, more...)})
}

func (n *node) bed(verb string, more ...string) []string {
	return append([]string{"/usr/bin/python3", "-B", "-m", "bed", "--dir", n.dir, "node", verb, n.name}, more...)
}

// run runs a command in a login session of user: alice and bob come by ssh,
// everybody else through su. The words reach the command as they are.
func (n *node) run(t *testing.T, user string, words ...string) (output string, status int) {
	t.Helper()
	args := n.bed("exec", "su", "--login", user, "--command", quoted(words))
	if user == "alice" || user == "bob" {
		args = n.ssh("ssh", "-l", user, n.name, quoted(words))
	}
	return n.site.run(t, command{name: user + "@" + n.name, dir: n.checkout, env: []string{"PYTHONPATH=scripts/testbed"}, args: args})
}

// ssh is a command of OpenSSH that reaches the nodes.
func (n *node) ssh(program string, words ...string) []string {
	return append([]string{"nsenter", "--net=/run/netns/" + n.Hand, program, "-F", n.SSHConfig}, words...)
}

// must runs a command that has to succeed.
func (n *node) must(t *testing.T, user string, words ...string) string {
	t.Helper()
	out, status := n.run(t, user, words...)
	if status != 0 {
		t.Fatalf("%s@%s: exit status %d\n%s\n%s", user, n.name, status, quoted(words), tail(out))
	}
	return out
}

// refused runs a command that has to end with this status and say all of says.
func (n *node) refused(t *testing.T, user string, status int, says []string, words ...string) string {
	t.Helper()
	out, got := n.run(t, user, words...)
	if got != status {
		t.Errorf("%s@%s: exit status %d, want %d\n%s\n%s", user, n.name, got, status, quoted(words), tail(out))
	}
	for _, want := range says {
		if !strings.Contains(out, want) {
			t.Errorf("%s@%s: does not say %q\n%s\n%s", user, n.name, want, quoted(words), tail(out))
		}
	}
	return out
}

// answer runs a command that has to succeed and reads its stdout as JSON.
func answer[T any](t *testing.T, n *node, user string, words ...string) T {
	t.Helper()
	return read[T](t, n.must(t, user, "sh", "-c", quoted(words)+" 2>/dev/null"))
}

// read reads JSON.
func read[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, tail(text))
	}
	return v
}

// copy brings a file or a folder to the node as a user would, by scp as alice.
func (n *node) copy(t *testing.T, from, to string) {
	t.Helper()
	n.copyAs(t, "alice", from, to)
}

func (n *node) copyAs(t *testing.T, user, from, to string) {
	t.Helper()
	n.site.must(t, command{name: "copy to " + n.name, args: n.ssh("scp", "-q", "-r", "-p", from, user+"@"+n.name+":"+to)})
}

// quoted is a command line for a shell that takes every word literally.
func quoted(words []string) string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(list, " ")
}

// TestNode holds what every other test believes of a node, and that dnf on it
// can install a cluster's packages from a bundle and nothing else.
func TestNode(t *testing.T) {
	s := newSite(t)
	s.build(t)
	began := time.Now()
	n := s.boot(t, "n1", "target")
	s.evidence.Facts["bootSeconds"] = time.Since(began).Round(10 * time.Millisecond).Seconds()
	t.Run("is hardened", n.isHardened)
	t.Run("has no way out", n.hasNoWayOut)
	t.Run("is closed", n.isClosed)
	t.Run("installs the roots", n.installsTheRoots)
	t.Run("has EL's services", n.hasServices)
	t.Run("survives", n.survives)
}

func (n *node) isHardened(t *testing.T) {
	for _, fact := range []struct{ user, script, says string }{
		{"root", "umask", "0077\n"},
		{"alice", "umask", "0077\n"},
		{"alice", "sudo sh -c umask", "0077\n"},
		{"alice", "sudo env | grep ^PATH=", "PATH=/sbin:/bin:/usr/sbin:/usr/bin\n"},
		{"root", "findmnt -n -o OPTIONS /tmp | grep -o noexec", "noexec\n"},
		{"root", "findmnt -n -o OPTIONS /var/tmp | grep -o noexec", "noexec\n"},
		{"root", "findmnt -n -o OPTIONS /home | grep -o noexec", "noexec\n"},
		{"root", "cat /proc/1/comm", "systemd\n"},
		{"root", "systemctl --failed --no-legend", ""},
		{"root", ". /etc/os-release; echo $ID $VERSION_ID $VARIANT_ID", "rocky 9.4 pgbundle-testbed-debian12\n"},
		{"root", "rpm -q tar python3.11 postgresql" + n.PG + "-server | grep -c 'not installed'", "3\n"},
		{"root", "rpm -q python3 dnf >/dev/null && rpm -q gpg-pubkey", "package gpg-pubkey is not installed\n"},
		{"root", "command -v tar dpkg apt", ""},
		{"bob", "sudo -n true 2>&1", "sudo: a password is required\n"},
		{"bob", "printf '%s\\n' '" + n.Password + "' | sudo -S -p '' id -un 2>/dev/null", "root\n"},
		{"root", "firewall-cmd --state; firewall-cmd --get-default-zone; firewall-cmd --list-services", "running\npublic\ndhcpv6-client ssh\n"},
	} {
		if out, _ := n.run(t, fact.user, "sh", "-c", fact.script); out != fact.says {
			t.Errorf("%s: %s says %q, want %q", fact.user, fact.script, out, fact.says)
		}
	}
	n.refused(t, "alice", 126, []string{"Permission denied"}, "sh", "-c", "cp /bin/true . && ./true")
}

// hasNoWayOut tries what a careless program would: the bed's own server, which
// answers on the host, a name, an address of the world, the enabled repositories.
func (n *node) hasNoWayOut(t *testing.T) {
	n.site.must(t, command{name: "the bed in the open", args: n.reachBed()})
	n.refused(t, "alice", 1, []string{"refused"}, n.reachBed()...)
	n.refused(t, "alice", 2, nil, "getent", "hosts", "example.org")
	n.refused(t, "alice", 124, nil, "timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/443")
	n.refused(t, "root", 1, []string{"dl.testbed.invalid"}, "dnf", "makecache")
}

// isClosed tries the firewall: nothing but ssh, until a port is opened to some.
// What is closed answers as a firewall does, what is open and unused as a kernel.
func (n *node) isClosed(t *testing.T) {
	other := n.site.boot(t, "n2", "target")
	try := func(says string) {
		t.Helper()
		other.refused(t, "alice", 1, []string{says}, "bash", "-c", "exec 3<>/dev/tcp/"+n.name+"/2379")
	}
	try("No route to host")
	n.must(t, "alice", "sudo", "sh", "-ec", `
firewall-cmd -q --permanent --new-service=some
firewall-cmd -q --permanent --service=some --add-port=2379/tcp
firewall-cmd -q --permanent --new-ipset=some --type=hash:net
firewall-cmd -q --permanent --add-rich-rule='rule family=ipv4 source ipset=some service name=some accept'
firewall-cmd -q --reload`)
	try("No route to host")
	n.must(t, "alice", "sudo", "firewall-cmd", "--ipset=some", "--add-entry=10.77.0.0/28")
	try("Connection refused")
	other.verb(t, "rm")
}

// hasServices holds that the units of a cluster can be started under EL's names.
func (n *node) hasServices(t *testing.T) {
	n.must(t, "alice", "sudo", "sh", "-c", "systemctl daemon-reload; systemctl start chronyd; systemctl is-active chronyd; chronyc -n tracking")
	n.must(t, "alice", "sudo", "systemctl", "start", "haproxy")
	n.must(t, "alice", "sudo", "systemctl", "kill", "--signal=KILL", "haproxy")
	n.refused(t, "alice", 3, []string{"failed"}, "sh", "-c", "sleep 1; systemctl is-active haproxy")
	n.must(t, "alice", "sudo", "sh", "-c", "timedatectl set-timezone Asia/Seoul; systemctl disable --now -q chronyd; systemctl reset-failed haproxy")
}

// installsTheRoots is dnf alone: what pgbundle stands on.
func (n *node) installsTheRoots(t *testing.T) {
	n.site.must(t, command{name: "tar xzf", dir: n.work, args: []string{"tar", "xzf", n.archive}})
	n.copy(t, filepath.Join(n.bundle, "rpms"), "/home/alice/rpms")
	keys := names(t, filepath.Join(n.bundle, "rpms/keys/*"))
	for i, key := range keys {
		keys[i] = "file:///srv/rpms/keys/" + key
	}
	n.must(t, "alice", "sudo", "sh", "-c", "cp -r /home/alice/rpms /srv/rpms && chmod -R go+rX /srv/rpms")
	dnf := append([]string{"sudo", "dnf", "-y", "--disablerepo=*", "--repofrompath=bundle,file:///srv/rpms", "--setopt=bundle.gpgcheck=1",
		"--setopt=bundle.gpgkey=" + strings.Join(keys, ",")}, "install")
	n.must(t, "alice", append(dnf, n.roots()...)...)
	out := n.must(t, "postgres", "/usr/pgsql-"+n.PG+"/bin/postgres", "--version")
	if !strings.HasPrefix(out, "postgres (PostgreSQL) "+n.PG+".") {
		t.Errorf("postgres says %q", out)
	}
	n.must(t, "alice", "python3.11", "-m", "venv", "/home/alice/venv")
}

// survives holds that a node comes back with its disk, and does not answer
// while it is not there.
func (n *node) survives(t *testing.T) {
	n.must(t, "root", "sh", "-c", "echo here >/root/mark; sync /root/mark")
	for _, pair := range [][2]string{{"kill", "up"}, {"poweroff", "up"}, {"stop", "up"}, {"cut", "heal"}, {"pause", "resume"}} {
		n.verb(t, pair[0])
		n.site.refused(t, command{name: n.name + " after " + pair[0], args: append([]string{"timeout", "2"}, n.ssh("ssh", n.name, "true")...)}, "")
		n.verb(t, pair[1])
		n.verb(t, "wait")
		if out := n.must(t, "alice", "sudo", "cat", "/root/mark"); out != "here\n" {
			t.Errorf("after %s the mark says %q", pair[0], out)
		}
	}
}
