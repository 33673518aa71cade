//go:build e2e

package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestClusterRefused has preflight refuse real nodes: all that is wrong with them
// and with the site is told at once, with exit status 5, and nothing changes.
// That it does so for each rule alone stands in install/playbook/testdata.
func TestClusterRefused(t *testing.T) {
	c := newCluster(t)
	c.bring(t, []string{"n1", "n2", "n3"}, nil)
	inTurn(t, []part{
		{"init", c.init, needed},
		{"hosts are accepted", c.acceptsHosts, needed},
		{"what the control node knows", c.refusesSite, needed},
		{"what the nodes know", c.refusesNodes, needed},
		{"nothing is left to refuse", c.refusesNothing, needed},
	})
}

// isRefused holds that a line is refused with this status and all of these words.
func (c *cluster) isRefused(t *testing.T, line string, status int, words ...string) {
	t.Helper()
	out, got := c.at(t, line+" 2>&1")
	if got != status {
		t.Errorf("%s: exit status %d, want %d\n%s", line, got, status, tail(out))
	}
	said := strings.Join(strings.Fields(out), " ")
	for _, want := range words {
		if !strings.Contains(said, want) {
			t.Errorf("%s does not say %q:\n%s", line, want, tail(out))
		}
	}
}

// refusesSite makes two mistakes in the site directory: a file of secrets where
// the article puts it, which Ansible does not read, and a password of the example.
// pgbundle tells them before Ansible starts, and so does the playbook by itself.
func (c *cluster) refusesSite(t *testing.T) {
	const ignored, placeholder = "group_vars/vault.yml", "group_vars/all/zz.yml"
	c.mustAt(t, "cp group_vars/vault.yml.example "+ignored+" && echo 'app_db_password: ChangeMe_app' >"+placeholder)
	c.isRefused(t, c.deployLine(""), 5, "was not started, and nothing was changed", "group_vars/vault.yml", "placeholders: app_db_password")
	c.isRefused(t, "ansible-playbook site.yml --tags preflight -e offline_mode=true", 2, "preflight refuses this cluster, and nothing was changed",
		"app_db_password is not set or still a placeholder", "group_vars/vault.yml is there, and Ansible does not read it")
	c.mustAt(t, "rm "+ignored+" "+placeholder)
}

// refusesNodes does to nodes, their network and the site what each rule of
// preflight is against, and lets one deploy tell it all.
func (c *cluster) refusesNodes(t *testing.T) {
	n1, n2, n3 := c.nodes[0], c.nodes[1], c.nodes[2]
	n1.must(t, "root", "sh", "-ec", recordedChronyc+"cp "+base+"/manifest.yaml /root/manifest.yaml; echo '# of another build' >>"+base+"/manifest.yaml")
	n2.must(t, "root", "sh", "-ec", "install -d /var/lib/postgresql/"+c.PG+"/data; echo "+c.PG+" >/var/lib/postgresql/"+c.PG+"/data/PG_VERSION")
	n3.must(t, "root", "mv", base, base+".away")
	c.mustAt(t, `mkdir -p ~/before && cp -r group_vars inventory ~/before && sed -i 's/^postgresql_tuning_profile: .*/postgresql_tuning_profile: xl/' group_vars/all/main.yml &&
awk '/^    [a-z_]+:/ {group = $1} !(group == "etcd:" && /n3/)' ~/before/inventory/hosts.yml >inventory/hosts.yml`)
	address := []string{"-n", c.Hand, "address", "add", c.vip + "/24", "dev", "eth0"}
	if out, err := exec.Command("ip", address...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(address, " "), err, out)
	}
	defer exec.Command("ip", "-n", c.Hand, "address", "del", c.vip+"/24", "dev", "eth0").Run()
	defer c.foreignRouter(t, 51)()

	was := map[string][]string{}
	for _, n := range c.targets() {
		was[n.name] = n.listing(t, lookedFrom...)
	}
	c.isRefused(t, c.deployLine(""), 5,
		"preflight refuses this cluster, and nothing was changed",
		"etcd has 2 member(s)",
		"cluster_vip "+c.vip+" answers from 02:00:0a:4d:00:01, and no node of haproxy holds it",
		"10.77.0.1 sends on the wire of n1 as virtual router 51",
		"the profile xl asks for shared_buffers of 32768 MB",
		"the clock of n1 is 6.2 s from its time source: run chronyc makestep there",
		"/var/lib/postgresql/"+c.PG+"/data on n2 is not empty, and not of this cluster",
		"n1 has bundle ", ", and this control node ",
		"n3 has no bundle for a target: run there: pgbundle install --role target")
	for _, n := range c.targets() {
		n.unchanged(t, was[n.name], lookedFrom...)
	}

	n1.must(t, "root", "sh", "-c", "cat /root/manifest.yaml >"+base+"/manifest.yaml; rm /root/manifest.yaml /usr/local/bin/chronyc")
	n2.must(t, "root", "rm", "-r", "/var/lib/postgresql")
	n3.must(t, "root", "mv", base+".away", base)
	c.mustAt(t, "cp ~/before/group_vars/all/main.yml group_vars/all/ && cp ~/before/inventory/hosts.yml inventory/")
}

// lookedFrom is what changes when Ansible has been on a node and only looked.
var lookedFrom = append([]string{"/root/.ansible"}, notOurs...)

// refusesNothing holds that it was those faults, and nothing else, that were refused.
func (c *cluster) refusesNothing(t *testing.T) {
	d := c.deploy(t, "--tags preflight")
	if len(d.Hosts) != 3 {
		t.Errorf("hosts %v", d.Hosts)
	}
}

// foreignRouter sends as a virtual router from the hand, as somebody else's
// Keepalived on the same wire does, until its answer is called.
func (c *cluster) foreignRouter(t *testing.T, id byte) (stop func()) {
	t.Helper()
	var socket int
	err := within(c.Hand, func() (err error) {
		if socket, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 112); err != nil {
			return err
		}
		own := [4]byte(net.IPv4(10, 77, 0, 1).To4())
		if err = unix.SetsockoptInet4Addr(socket, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, own); err != nil {
			return err
		}
		return unix.SetsockoptInt(socket, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 255)
	})
	if err != nil {
		t.Fatalf("a virtual router in the hand: %v", err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(socket)
		// RFC 3768, section 5.1: version 2, advertisement, id, priority, one address, no authentication, every second
		packet := append([]byte{0x21, id, 100, 1, 0, 1, 0, 0, 10, 77, 0, 200}, make([]byte, 8)...)
		for {
			_ = unix.Sendto(socket, packet, 0, &unix.SockaddrInet4{Addr: [4]byte{224, 0, 0, 18}})
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }
}
