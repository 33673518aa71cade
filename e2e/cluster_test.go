//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// cluster is nodes that a person made into one, from a control node: bob, whose
// sudo asks for his password everywhere, with a key that lets him in.
type cluster struct {
	*site
	top         *testing.T // of the whole test: nodes live as long
	control     *node
	nodes       []*node // with a database
	etcd        []*node // the same, or others
	vip         string
	synchronous bool              // what the cluster has been told to be
	secrets     map[string]string // group_vars/all/vault.yml
	place       string            // --base-dir of all nodes but the control node, where it is another
	mirror      *mirror           // where the nodes install from, instead of the bundle
	image       string            // of the nodes; empty: target
	fresh       map[string]before // what each node was with nothing but the bundle on it
	leaks       []string          // command lines with a secret, seen while it was deployed
}

const (
	clusterVIP  = "10.77.0.100"
	clusterName = "pg-ha-cluster"
	siteDir     = "/home/bob/site"
	sudoPass    = "/home/bob/.sudo-pass"
	vaultPass   = "/home/bob/.vault-pass"
)

// part is one of the parts of a test that come one after the other.
type part struct {
	name string
	run  func(*testing.T)
	how  how
}

type how int

const (
	needed how = 0         // what follows stands on it
	alone  how = 1 << iota // nothing does
	slow                   // tried by make e2e-faults alone
)

// inTurn runs the parts, up to one that failed and that the others stand on.
func inTurn(t *testing.T, parts []part) {
	for _, p := range parts {
		if p.how&slow != 0 && !thorough() {
			continue
		}
		if !t.Run(p.name, p.run) && p.how&alone == 0 {
			t.Fatalf("stopped: %q failed, and what follows stands on it", p.name)
		}
	}
}

// TestCluster makes a cluster as a person does and breaks it in every way that
// somebody has named. make e2e-faults also lets the controls fire, works with the
// cluster as the article says and takes it away.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	c.bring(t, []string{"n1", "n2", "n3"}, nil)
	inTurn(t, []part{
		{"init", c.init, needed},
		{"an unknown host is refused", c.acceptsHosts, needed},
		{"deploy", c.deploysWatched, needed},
		{"secrets stay secret", c.keepsSecrets, alone},
		{"deploy again changes nothing", c.deploysAgain, alone},
		{"verify", c.verifies, needed},
		{"closed to strangers", c.closedToStrangers, alone},
		{"failures", c.failures, needed},
		{"controls", c.controls, needed | slow},
		{"the article", c.article, alone | slow},
		{"uninstall leaves nothing", c.uninstallLeavesNothing, alone | slow},
	})
}

// TestClusterSeparated makes the other layout: etcd on nodes of its own, two
// database nodes; with the distribution's psycopg2. It is run by make e2e-faults.
func TestClusterSeparated(t *testing.T) {
	if !thorough() {
		t.Skip("the separated layout is tried by make e2e-faults (PGBUNDLE_FAILOVERS)")
	}
	c := newCluster(t)
	c.archive, c.bundle = c.withDriverOfSystem(t)
	c.bring(t, []string{"n4", "n5"}, []string{"n1", "n2", "n3"})
	inTurn(t, []part{
		{"init", c.init, needed},
		{"an unknown host is refused", c.acceptsHosts, needed},
		{"deploy", c.deploys, needed},
		{"deploy again changes nothing", c.deploysAgain, needed},
		{"verify", c.verifies, needed},
		{"no driver but the distribution's", c.usesDriverOfSystem, needed},
		{"the leader loses power", func(t *testing.T) { c.tryFailure(t, failureNamed("leader loses power")) }, needed},
	})
}

// newCluster is a cluster without nodes yet, and the bundle for them.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	s := newSite(t)
	s.build(t)
	return &cluster{site: s, top: t, vip: clusterVIP, synchronous: true}
}

// bring boots the nodes and puts the bundle on them: the unpacked bundle, carried
// by scp, and its own script with sudo.
func (c *cluster) bring(t *testing.T, databases, etcds []string) {
	t.Helper()
	if c.control == nil {
		c.control = c.machine("control")
		for _, name := range databases {
			c.nodes = append(c.nodes, c.machine(name))
		}
		for _, name := range etcds {
			c.etcd = append(c.etcd, c.machine(name))
		}
		if len(etcds) == 0 {
			c.etcd = c.nodes
		}
	}
	for _, n := range c.all() {
		n.verb(t, "up", "--image", map[bool]string{true: "control", false: cmp.Or(c.image, "target")}[n == c.control])
	}
	for _, n := range c.all() {
		n.verb(t, "wait")
		n.give(t, sudoPass, c.Password+"\n")
	}
	c.control.unpacked(t)
	c.installs(t)
	key, err := os.ReadFile(filepath.Join(filepath.Dir(c.SSHConfig), "id"))
	if err != nil {
		t.Fatal(err)
	}
	c.control.must(t, "bob", "mkdir", "-p", "-m", "700", ".ssh")
	c.control.give(t, "/home/bob/.ssh/id_ed25519", string(key))
}

// installs puts the bundle on the nodes, or on the control node alone.
func (c *cluster) installs(t *testing.T) {
	t.Helper()
	hosts := c.all()
	if c.mirror != nil {
		hosts = hosts[:1]
	}
	began := time.Now()
	t.Run("install", func(t *testing.T) {
		for _, n := range hosts {
			role := "target"
			if n == c.control {
				role = "control"
			} else if c.place != "" {
				role += " --base-dir " + c.place
			}
			t.Run(n.name, func(t *testing.T) {
				t.Parallel()
				n.copyAs(t, "bob", n.bundle, "/home/bob/")
				n.must(t, "bob", "sh", "-c", "sudo -S -p '' sh airgap-bundle/airgap-install.sh --role "+role+" <"+sudoPass)
				n.must(t, "bob", "rm", "-r", "airgap-bundle")
			})
		}
	})
	if t.Failed() {
		t.Fatal("the bundle could not be installed")
	}
	c.evidence.fact("installSeconds", seconds(time.Since(began)))
	c.fresh = map[string]before{}
	for _, n := range hosts[1:] {
		c.fresh[n.name] = n.lookedAt(t)
	}
}

// machine is a node that is removed when the whole test is over.
func (c *cluster) machine(name string) *node {
	n := &node{site: c.site, name: name}
	c.top.Cleanup(func() {
		if c.top.Failed() {
			out, _ := n.run(c.top, "root", "sh", "-c", "journalctl --no-pager --lines=60; tail -n 40 /var/log/patroni/patroni.log 2>/dev/null")
			c.top.Logf("the last of the journal of %s:\n%s", name, out)
		}
		n.verb(c.top, "rm")
	})
	return n
}

// all are the nodes, the control node first.
func (c *cluster) all() []*node {
	list := append([]*node{c.control}, c.nodes...)
	for _, n := range c.etcd {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// targets are all nodes but the control node.
func (c *cluster) targets() []*node { return c.all()[1:] }

// give writes a file of bob's that nobody else can read.
func (n *node) give(t *testing.T, path, text string) {
	t.Helper()
	local := filepath.Join(t.TempDir(), "given")
	if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.copyAs(t, "bob", local, path)
}

// at runs a line of shell as bob in the site directory, as somebody does who has
// activated the venv there.
func (c *cluster) at(t *testing.T, line string) (out string, status int) {
	t.Helper()
	return c.control.run(t, "bob", "sh", "-c", "cd "+siteDir+" && . "+base+"/venv/bin/activate && "+
		"export ANSIBLE_BECOME_PASSWORD_FILE="+sudoPass+" && "+line)
}

func (c *cluster) mustAt(t *testing.T, line string) string {
	t.Helper()
	out, status := c.at(t, line)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", line, status, tail(out))
	}
	return out
}

// ops runs pgbundle ops and answers what it prints.
func (c *cluster) ops(t *testing.T, words string) string {
	t.Helper()
	return c.mustAt(t, "pgbundle ops "+words+" --become-password-file "+sudoPass+" --vault-password-file "+vaultPass)
}

// init writes the site directory, and reads the secrets that it made.
func (c *cluster) init(t *testing.T) {
	line := "cd && pgbundle init --user bob --vip " + c.vip + "/24 --allow 127.0.0.1/32 --allow " + c.control.address() + "/32 --synchronous" +
		" --vault-password-file " + vaultPass + " --generate-vault-password"
	for _, n := range c.nodes {
		line += " --node " + n.name + "=" + n.address()
	}
	if !slices.Equal(c.etcd, c.nodes) {
		line += " --layout separated"
		for _, n := range c.etcd {
			line += " --etcd " + n.name + "=" + n.address()
		}
	}
	c.control.must(t, "bob", "sh", "-c", line+" site")
	c.readSecrets(t)
}

// readSecrets decrypts the vault. What comes out is kept out of the evidence.
func (c *cluster) readSecrets(t *testing.T) {
	t.Helper()
	words := []string{"sh", "-c", "cd " + siteDir + " && " + base + "/venv/bin/ansible-vault view --vault-password-file " + vaultPass + " group_vars/all/vault.yml"}
	args := c.control.ssh("ssh", "-l", "bob", c.control.name, quoted(words))
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		t.Fatalf("ansible-vault view: %v", err)
	}
	c.secrets = nil
	if err := yaml.Unmarshal(out, &c.secrets); err != nil {
		t.Fatalf("the vault: %v", err)
	}
	for _, name := range []string{
		"postgres_superuser_password", "postgres_replication_password", "patroni_rewind_password", "app_db_password", "patroni_restapi_password",
		"pgbouncer_admin_password", "haproxy_stats_password", "keepalived_auth_pass", "etcd_root_password", "etcd_patroni_password",
	} {
		if want := map[bool]int{true: 8, false: 24}[name == "keepalived_auth_pass"]; len(c.secrets[name]) != want {
			t.Errorf("%s has %d characters, want %d", name, len(c.secrets[name]), want)
		}
	}
}

// deployLine is how bob deploys.
func (c *cluster) deployLine(more string) string {
	from := "--offline "
	if c.mirror != nil {
		from = ""
	}
	return "pgbundle deploy " + from + "--become-password-file " + sudoPass + " --vault-password-file " + vaultPass + " " + more
}

// acceptsHosts lets deploy refuse hosts that ssh does not know, compares the
// fingerprints that it shows with the hosts' own, and does what it says.
func (c *cluster) acceptsHosts(t *testing.T) {
	out, status := c.at(t, c.deployLine("2>&1"))
	if status != 5 {
		t.Fatalf("exit status %d, want 5\n%s", status, tail(out))
	}
	for _, n := range c.targets() {
		own := strings.Fields(n.must(t, "root", "ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"))[1]
		if !regexp.MustCompile(`(?m)^\s+` + n.name + `\s+\S+\s+ssh-ed25519\s+` + regexp.QuoteMeta(own) + `$`).MatchString(out) {
			t.Errorf("does not show that %s has %s:\n%s", n.name, own, out)
		}
	}
	way := regexp.MustCompile(`(?m)^\s*(mkdir .*known_hosts\S*)$`).FindStringSubmatch(out)
	if way == nil {
		t.Fatalf("does not say how to accept them:\n%s", out)
	}
	c.mustAt(t, way[1])
	c.mustAt(t, "ansible all -m ping")
}

// deployed is what pgbundle deploy --json says.
type deployed struct {
	OK      bool
	Error   string
	Seconds float64
	Hosts   map[string]struct{ OK, Changed, Failed, Unreachable, Skipped int }
	Stages  []struct {
		Name    string `json:"stage"`
		Seconds float64
	}
}

func (c *cluster) deploy(t *testing.T, more string) deployed {
	t.Helper()
	_, status := c.at(t, c.deployLine("--json "+more+" >~/deploy.out 2>~/deploy.err"))
	out, said := c.control.must(t, "bob", "cat", "deploy.out"), c.control.must(t, "bob", "cat", "deploy.err")
	var d deployed
	if err := json.Unmarshal([]byte(out), &d); err != nil || status != 0 || !d.OK {
		t.Fatalf("deploy: exit status %d (%v): %s\n%s", status, err, cmp.Or(d.Error, tail(out)), tail(said))
	}
	return d
}

// deploys makes the cluster.
func (c *cluster) deploys(t *testing.T) {
	d := c.deploy(t, "")
	c.deployedIn(d)
	c.settles(t, time.Minute)
}

func (c *cluster) deployedIn(d deployed) {
	stages := map[string]float64{}
	for _, stage := range d.Stages {
		stages[stage.Name] += stage.Seconds
	}
	c.evidence.fact("deploySeconds", map[string]any{"total": d.Seconds, "stages": stages})
}

// deploysAgain holds that a second run finds nothing to do.
func (c *cluster) deploysAgain(t *testing.T) {
	d := c.deploy(t, "")
	for host, n := range d.Hosts {
		if n.Changed != 0 {
			t.Errorf("%s: %d changed, though nothing was to be", host, n.Changed)
		}
	}
	if len(d.Hosts) != len(c.targets()) {
		t.Errorf("hosts %v", d.Hosts)
	}
	if t.Failed() {
		t.Log(c.mustAt(t, "grep -B 1 -A 3 ^changed: .pgbundle/log/$(ls -t .pgbundle/log | head -1) | tail -60"))
	}
	c.evidence.fact("deployAgainSeconds", d.Seconds)
	c.settles(t, time.Minute)
}

// verifies is the cluster's own test of itself.
func (c *cluster) verifies(t *testing.T) {
	began := time.Now()
	t.Log(c.ops(t, "verify-cluster"))
	c.evidence.fact("verifySeconds", seconds(time.Since(began)))
}

// anew throws the nodes away and makes the cluster again: a damaged one would
// lend its damage to what is tried next.
func (c *cluster) anew(t *testing.T) {
	t.Helper()
	for _, n := range c.all() {
		n.verb(t, "rm")
	}
	c.synchronous = true
	c.bring(t, nil, nil)
	c.init(t)
	c.acceptsHosts(t)
	c.deploys(t)
}

func seconds(d time.Duration) float64 { return d.Round(10 * time.Millisecond).Seconds() }
