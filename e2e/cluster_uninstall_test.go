//go:build e2e

package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notOurs are paths that change on a system by itself, or that an uninstall leaves
// on purpose: logs, what dnf remembers, and copies that shadow tools keep.
var notOurs = []string{"/home/bob", "/var/log", "/var/lib/rpm", "/var/lib/dnf", "/var/cache", "/etc/ld.so.cache", "/var/lib/chrony",
	"/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-",
	"/etc/subuid", "/etc/subuid-", "/etc/subgid", "/etc/subgid-", "/etc/.pwd.lock", "/etc/dnf", "/usr/share/mime", "/etc/localtime", "/etc/adjtime"}

// before is what a node is before the cluster comes.
type before struct {
	files                 []string
	packages, users, open string
	firewall, settings    string
}

func (n *node) lookedAt(t *testing.T) before {
	t.Helper()
	return before{
		files:    slices.DeleteFunc(n.listing(t, notOurs...), rewritten.MatchString),
		packages: n.must(t, "root", "sh", "-c", "rpm -qa | grep -v ^gpg-pubkey | sort"),
		users:    n.must(t, "root", "sh", "-c", "{ getent passwd; getent group; } | grep -v ^_chrony: | sort"),
		open:     n.must(t, "root", "sh", "-c", "ss -lntuH | awk '{print $1, $5}' | sort -u"),
		firewall: n.must(t, "root", "sh", "-c", "firewall-cmd --list-all-zones; firewall-cmd --get-ipsets; firewall-cmd --permanent --list-all; firewall-cmd --permanent --get-ipsets"),
		settings: n.must(t, "root", "sh", "-c", "cat /etc/hosts; sysctl -n vm.overcommit_memory vm.swappiness net.ipv4.ip_nonlocal_bind net.ipv4.tcp_keepalive_time; ip -4 -o addr | awk '{print $2, $4}'; crontab -l 2>&1; systemctl --failed --no-legend"),
	}
}

// stays is what the answer of an uninstall says that it leaves: what every node needs.
var stays = []string{"acl", "chrony", "tar", "python3-pip", "python3-psycopg2", "python3.11", "python3.11-pip"}

// rewritten are files that are written anew with what they said before, of which
// the firewall and settings tell, what programs leave that were only run, and
// folders of packages that own none (some of the bed's do not).
var rewritten = regexp.MustCompile(`^(/etc/hosts|/etc/firewalld/zones/public\.xml(\.old)?) |/__pycache__/|^/root/\.ansible/|^/usr/\S+/ `)

// uninstallLeavesNothing takes the cluster away, and then by hand the packages
// that stay on purpose, and holds every node against what it was when only the
// bundle was on it.
func (c *cluster) uninstallLeavesNothing(t *testing.T) {
	answer := c.ops(t, "uninstall --yes")
	t.Log(answer)
	for _, words := range []string{"stays: what every node needs: chrony, tar, acl, Python with pip and psycopg2", "stays: the bundle"} {
		if !strings.Contains(answer, words) {
			t.Errorf("does not say %q", words)
		}
	}
	for _, n := range c.targets() {
		n.must(t, "root", "systemctl", "disable", "--now", "--quiet", "chronyd")
		n.must(t, "root", append([]string{"dnf", "--assumeyes", "--quiet", "--disablerepo=*", "remove"}, stays...)...)
		was, is := c.fresh[n.name], n.lookedAt(t)
		if gone, new := minus(was.files, is.files), minus(is.files, was.files); len(gone) > 0 || len(new) > 0 {
			t.Errorf("%s: files before %s\nafter %s", n.name, few(gone), few(new))
		}
		for what, pair := range map[string][2]string{
			"packages": {was.packages, is.packages}, "users": {was.users, is.users}, "open ports": {was.open, is.open},
			"firewall": {was.firewall, is.firewall}, "settings": {was.settings, is.settings},
		} {
			old, now := strings.Split(pair[0], "\n"), strings.Split(pair[1], "\n")
			if gone, new := minus(old, now), minus(now, old); len(gone) > 0 || len(new) > 0 {
				t.Errorf("%s: %s before %s\nafter %s", n.name, what, few(gone), few(new))
			}
		}
	}
}
