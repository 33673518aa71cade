//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// varied is a cluster of which nothing is as it is by default: its variables, and
// the names and priorities in its inventory.
type varied struct {
	*cluster
	pin   string             // the build of PostgreSQL in the bundle
	fresh map[string]*leaves // what each node was before the cluster came
}

// TestClusterVariables sets every documented variable in the site directory to
// another value, reads each back on a node, and runs every playbook on the
// cluster that comes of it. It is run by make e2e-faults.
func TestClusterVariables(t *testing.T) {
	if !thorough() {
		t.Skip("every variable is tried by make e2e-faults (PGBUNDLE_FAILOVERS)")
	}
	s := newSite(t)
	s.build(t)
	v := &varied{cluster: &cluster{site: s, top: t, vip: variedVIP, place: variedBase, synchronous: true}}
	v.bring(t, []string{"n1", "n2", "n3"}, nil)
	inTurn(t, []part{
		{"init", v.init, needed},
		{"hosts are accepted", v.acceptsHosts, needed},
		{"the site's own ways", v.prepares, needed},
		{"everything is set", v.sets, needed},
		{"the firewall is left alone", v.leavesTheFirewall, needed},
		{"deploy", v.deploys, needed},
		{"variables", v.readsBack, alone},
		{"site.yml again changes nothing", v.changesNothing, alone},
		{"cluster-status", v.tellsStatus, alone},
		{"verify-cluster", v.verifies, needed},
		{"connection-info", v.tellsWhereTo, alone},
		{"switchover", v.switchesOver, alone},
		{"apply-tuning and restart-postgresql", v.tunes, alone},
		{"verify-cluster again", v.verifies, alone},
		{"uninstall that leaves what it is told to", v.uninstallsLittle, alone},
		{"uninstall", v.uninstalls, alone},
	})
}

// recordedChronyc is a chronyc that answers as one did whose clock was 6.2
// seconds off: more than what is tolerated by default, and less than what is here.
const recordedChronyc = `cat >/usr/local/bin/chronyc <<'EOF'
#!/bin/sh
echo C0A80001,192.168.0.1,3,1700000000.123456789,6.200000000,0.000012345,0.000045678,-12.345,0.001,0.123,0.000456789,0.000123456,64.2,Normal
EOF
chmod 755 /usr/local/bin/chronyc
`

// prepares does what a site does before it sets such values: an interface of
// another name, a repository of its own beside the bundle's and copies of parts
// of the bundle in places of its own.
func (v *varied) prepares(t *testing.T) {
	rpms, err := filepath.Glob(filepath.Join(v.bundle, "rpms", "postgresql"+v.PG+"-server-*.rpm"))
	if err != nil || len(rpms) != 1 {
		t.Fatalf("packages of PostgreSQL: %v (%v)", rpms, err)
	}
	v.pin = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(rpms[0]), "postgresql"+v.PG+"-server-"), ".x86_64.rpm")
	v.fresh = map[string]*leaves{}
	for _, n := range v.nodes {
		n.rename(t, "eth0", variedDevice)
		n.copyAs(t, "bob", filepath.Join(v.Repositories, "extra"), "/home/bob/extra")
		n.must(t, "root", "sh", "-ec", recordedChronyc+`
cp -r /home/bob/extra /srv/site-extra
sed -i 's/^enabled=1/enabled=0/' /etc/yum.repos.d/rocky.repo # out of reach, and asked where the bundle is not alone
sed 's/^\[patroni-airgap\]/[site-airgap]/' /etc/yum.repos.d/patroni-airgap.repo >/etc/yum.repos.d/site-airgap.repo
printf '[site-extra]\nname=The site\nbaseurl=file:///srv/site-extra\nenabled=1\ngpgcheck=0\n' >/etc/yum.repos.d/site-extra.repo
mkdir /srv/releases
cp `+variedBase+`/etcd/etcd-v*.tar.gz /srv/releases
cp -r `+variedBase+`/wheels /srv/wheelhouse
echo '# as the site looked it over' >>/srv/wheelhouse/target/requirements.lock
ln -s /usr/pgsql-`+v.PG+`/bin /opt/pgbin
systemctl daemon-reload`)
		v.fresh[n.name] = n.leaves(t)
		// the bed's pgBackRest is 2.45, and the first that knows PostgreSQL 16 is 2.47
		n.must(t, "root", "sh", "-ec", "umask 022; mkdir -p /etc/pgbackrest/conf.d; printf '["+variedName+`]\npg-version-force=15\n' >/etc/pgbackrest/conf.d/testbed.conf`)
	}
}

// rename gives an interface of the node another name, with its address.
func (n *node) rename(t *testing.T, from, to string) {
	t.Helper()
	for _, words := range [][]string{{"link", "set", from, "down"}, {"link", "set", from, "name", to}, {"link", "set", to, "up"},
		{"route", "replace", "default", "via", "10.77.0.1"}} {
		if out, err := exec.Command("ip", append([]string{"-n", n.namespace()}, words...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s of %s: %v: %s", strings.Join(words, " "), n.name, err, out)
		}
	}
}

// sets writes every variable, and gives the nodes other names in Patroni, other
// priorities, and another MASTER.
func (v *varied) sets(t *testing.T) {
	var text strings.Builder
	text.WriteString("---\n")
	for _, one := range variables {
		fmt.Fprintf(&text, "%s: %s\n", one.name, strings.ReplaceAll(one.value, "%PIN%", v.pin))
	}
	v.control.give(t, siteDir+"/group_vars/all/main.yml", text.String())
	v.mustAt(t, `sed -i -E -e 's/patroni_name: "?n([0-9])"?/patroni_name: db-\1/' -e '/n1"?:.*keepalived/s/\{.*/{ keepalived_state: BACKUP, keepalived_priority: 150 }/' \
-e '/n2"?:.*keepalived/s/\{.*/{ keepalived_state: MASTER, keepalived_priority: 200 }/' -e '/n3"?:.*keepalived/s/\{.*/{ keepalived_state: BACKUP, keepalived_priority: 100 }/' \
inventory/hosts.yml && grep -c 'db-[123]' inventory/hosts.yml && cat inventory/hosts.yml`)
}

// leavesTheFirewall brings the first stage with configure_firewall: false, after
// which the firewall is as it was.
func (v *varied) leavesTheFirewall(t *testing.T) {
	v.deploy(t, "--tags common -e configure_firewall=false")
	for _, n := range v.nodes {
		if out := n.must(t, "root", "sh", "-c", "firewall-cmd --get-ipsets; firewall-cmd --list-all | grep -c pgbundle || :; ls /etc/firewalld/services"); strings.Contains(out, "pgbundle") || !strings.Contains(out, "\n0\n") {
			t.Errorf("%s: the firewall was changed: %s", n.name, out)
		}
	}
}

// deploys makes the cluster.
func (v *varied) deploys(t *testing.T) {
	v.deployedIn(v.deploy(t, ""))
	v.settles(t, time.Minute)
}

// listed is a member as patronictl lists it.
type listed struct{ Cluster, Member, Host, Role, State string }

// list asks patronictl of any node that answers.
func (v *varied) list(t *testing.T) (members []listed, err error) {
	t.Helper()
	for _, n := range v.nodes {
		out, status := n.run(t, "root", "/opt/patroni-site/bin/patronictl", "-c", patroniFile, "list", "-f", "json")
		if err = json.Unmarshal([]byte(out), &members); status == 0 && err == nil {
			return members, nil
		}
	}
	return nil, errors.Join(errors.New("no patronictl answers"), err)
}

// settles waits for one leader and two replicas, all of which stand by where the
// cluster is synchronous.
func (v *varied) settles(t *testing.T, limit time.Duration) {
	t.Helper()
	var members []listed
	whole := func() bool {
		members, _ = v.list(t)
		roles := map[string]int{}
		for _, m := range members {
			if m.State != "running" && m.State != "streaming" {
				return false
			}
			roles[m.Role]++
		}
		want := map[bool]string{true: "Sync Standby", false: "Replica"}[v.synchronous]
		return roles["Leader"] == 1 && roles[want] == 2
	}
	began := time.Now()
	for !whole() {
		if time.Since(began) > limit {
			t.Fatalf("after %s the cluster is not settled: %+v", limit, members)
		}
		time.Sleep(time.Second)
	}
}

// leads is the node of the leader.
func (v *varied) leads(t *testing.T) *node {
	t.Helper()
	members, err := v.list(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Role == "Leader" {
			return v.called(m.Member)
		}
	}
	t.Fatalf("nobody leads: %+v", members)
	return nil
}

// called is the node of a member, db-1 that of n1.
func (v *varied) called(member string) *node {
	return v.named("n" + strings.TrimPrefix(member, "db-"))
}

// readsBack looks for every variable on a node.
func (v *varied) readsBack(t *testing.T) {
	for _, one := range variables {
		t.Run(one.name, func(t *testing.T) {
			for _, s := range one.seen {
				n := v.nodes[0]
				if s.on != "" {
					n = v.named(s.on)
				}
				out, _ := n.run(t, "root", "sh", "-c", s.script)
				if !regexp.MustCompile(strings.ReplaceAll(s.says, "%PIN%", regexp.QuoteMeta(v.pin))).MatchString(out) {
					t.Errorf("%s on %s does not say %s:\n%s", s.script, n.name, s.says, tail(out))
				}
			}
			if one.used != nil {
				one.used(t, v)
			}
		})
	}
	v.evidence.fact("variables", len(variables))
}

// changesNothing holds that plain Ansible, which is told nothing but what stands
// in the site directory, finds the cluster as it is to be.
func (v *varied) changesNothing(t *testing.T) {
	out := v.mustAt(t, "ansible-playbook site.yml")
	if found := regexp.MustCompile(`(?m)^n[123] .* changed=0 .* failed=0 `).FindAllString(out, -1); len(found) != 3 {
		t.Errorf("not three hosts without a change:\n%s", tail(out))
	}
}

// says runs a line in the site directory and holds what it prints against words.
func (v *varied) says(t *testing.T, line string, words ...string) string {
	t.Helper()
	out := v.mustAt(t, line)
	for _, want := range words {
		if !strings.Contains(out, want) {
			t.Errorf("%s does not say %q:\n%s", line, want, tail(out))
		}
	}
	return out
}

func opsLine(words string) string {
	return "pgbundle ops " + words + " --become-password-file " + sudoPass + " --vault-password-file " + vaultPass
}

func (v *varied) tellsStatus(t *testing.T) {
	v.says(t, "ansible-playbook playbooks/cluster-status.yml", variedName, "db-1", "db-2", "db-3", "Sync Standby", "10.77.0.11:15432", variedVIP+": on n2")
	v.says(t, opsLine("cluster-status --json"), `"cluster": "`+variedName+`"`, `"vip": "`+variedVIP+`"`)
}

// tellsWhereTo holds the answer against every variable that it is made of.
func (v *varied) tellsWhereTo(t *testing.T) {
	v.says(t, opsLine("connection-info"), "postgresql://teller@10.77.0.101:15000/ledger", "postgresql://teller@10.77.0.101:15001/ledger", "10.77.0.11:15432",
		"10.77.0.11:16432", "http://10.77.0.11:17000", "http://10.77.0.11:18008", "http://10.77.0.11:12379", patroniFile)
	v.says(t, "ansible-playbook site.yml --tags info", "postgresql://teller@10.77.0.101:15000/ledger")
	// passwords are in this one: beside the evidence
	v.mustAt(t, "ansible-playbook playbooks/connection-info.yml -e show_passwords=true >~/passwords")
	out := v.rawly(t, v.control, "cat", "/home/bob/passwords")
	for _, want := range [][2]string{{"teller", "app_db_password"}, {"dba", "postgres_superuser_password"}, {"shipper", "postgres_replication_password"},
		{"rewinder", "patroni_rewind_password"}, {"poolkeeper", "pgbouncer_admin_password"}, {"resting", "patroni_restapi_password"},
		{"counter", "haproxy_stats_password"}, {"root", "etcd_root_password"}, {"haunit", "etcd_patroni_password"}} {
		if !regexp.MustCompile(want[0] + ` +` + v.secrets[want[1]]).MatchString(out) {
			t.Errorf("%s is not shown beside %s", want[1], want[0])
		}
	}
}

// switchesOver moves the leader there and back, by its name in Patroni and by
// that in the inventory.
func (v *varied) switchesOver(t *testing.T) {
	was := v.leads(t)
	to := v.nodes[0]
	if to == was {
		to = v.nodes[1]
	}
	member := strings.Replace(to.name, "n", "db-", 1)
	v.says(t, "ansible-playbook playbooks/switchover.yml -e target_leader="+member, "and is "+member)
	v.settles(t, time.Minute)
	if is := v.leads(t); is != to {
		t.Errorf("%s leads, not %s", is.name, to.name)
	}
	v.says(t, opsLine("switchover --to "+was.name), "and is "+strings.Replace(was.name, "n", "db-", 1))
	v.settles(t, time.Minute)
	if is := v.leads(t); is != was {
		t.Errorf("%s leads, not %s", is.name, was.name)
	}
}

// tunes brings other values in for once, with a restart of its own and with one
// afterwards, and then the site's own again.
func (v *varied) tunes(t *testing.T) {
	v.says(t, opsLine("apply-tuning"), "Not changed")
	v.says(t, opsLine("apply-tuning --profile theirs --max-connections 145 --synchronous off"), "shared_buffers", "96MB -> 112MB", "pending restart: db-1")
	v.synchronous = false
	v.everywhere(t, map[string]string{"shared_buffers": "96MB", "max_connections": "140", "max_wal_size": "480MB", "work_mem": "5MB"})
	v.says(t, "ansible-playbook playbooks/restart-postgresql.yml -e only_pending=true", "restarted, one after the other: db-")
	v.everywhere(t, map[string]string{"shared_buffers": "112MB", "max_connections": "145"})
	v.says(t, opsLine("restart --only-pending"), "nobody")
	v.says(t, "ansible-playbook playbooks/apply-tuning.yml -e restart_after_apply=true", "112MB -> 96MB", "restarted, one after the other: db-")
	v.synchronous = true
	v.settles(t, time.Minute)
	v.everywhere(t, map[string]string{"shared_buffers": "96MB", "max_connections": "140", "max_wal_size": "400MB", "autovacuum_naptime": "33s"})
}

// everywhere holds that every node has these settings soon.
func (v *varied) everywhere(t *testing.T, want map[string]string) {
	t.Helper()
	for _, n := range v.nodes {
		for name, value := range want {
			var rows []string
			var err error
			began := time.Now()
			for rows, err = v.teller(n.address(), 15432).ask("show " + name); (err != nil || rows[0] != value) && time.Since(began) < 30*time.Second; {
				time.Sleep(time.Second)
				rows, err = v.teller(n.address(), 15432).ask("show " + name)
			}
			if err != nil || rows[0] != value {
				t.Errorf("%s of %s: %v (%v), want %s", name, n.name, rows, err, value)
			}
		}
	}
}
