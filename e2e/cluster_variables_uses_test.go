//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What lives by variables: each of these fails where a value is written down in
// one place and another is used.

// as is a client with an account of the cluster, from a node to another.
func (v *varied) as(user, secret, database string) client {
	return client{namespace: v.nodes[1].namespace(), address: v.nodes[0].address(), port: 15432, user: user, password: v.secrets[secret], database: database}
}

// teller is the application, from the control node.
func (v *varied) teller(address string, port uint16) client {
	c := v.as("teller", "app_db_password", "ledger")
	c.namespace, c.address, c.port = v.control.namespace(), address, port
	return c
}

// answers holds the first row against what is wanted.
func answers(t *testing.T, c client, sql, want string) {
	t.Helper()
	if rows, err := c.ask(sql); err != nil || len(rows) == 0 || !regexp.MustCompile("^(?:"+want+")$").MatchString(rows[0]) {
		t.Errorf("%s at %s:%d: %s: %v (%v), want %s", c.user, c.address, c.port, sql, rows, err, want)
	}
}

func (v *varied) isCalled(t *testing.T) {
	members, err := v.list(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Cluster != variedName || !strings.HasPrefix(m.Member, "db-") || !strings.HasSuffix(m.Host, ":15432") {
			t.Errorf("%+v", m)
		}
	}
}

// holdsVIP holds that the node with the highest priority has the address.
func (v *varied) holdsVIP(t *testing.T) {
	for _, n := range v.nodes {
		if n.holds(variedVIP) != (n.name == "n2") {
			t.Errorf("%s has the address: %t", n.name, n.holds(variedVIP))
		}
	}
}

// letsClientsIn comes from the hand, which the firewall lets through and
// PostgreSQL does not.
func (v *varied) letsClientsIn(t *testing.T) {
	for _, port := range []int{15432, 16432, 15000, 15001} {
		if err := touch(v.Hand, fmt.Sprintf("%s:%d", v.nodes[0].address(), port)); err != nil {
			t.Errorf("a client at %d: %v", port, err)
		}
	}
	for _, port := range []int{12379, 12380, 18008} {
		if err := touch(v.Hand, fmt.Sprintf("%s:%d", v.nodes[0].address(), port)); err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("a client at %d: %v", port, err)
		}
	}
}

func (v *varied) letsApplicationsIn(t *testing.T) {
	answers(t, v.teller(v.nodes[0].address(), 15432), "select current_user", "teller")
	stranger := v.teller(v.nodes[0].address(), 15432)
	stranger.namespace = v.Hand
	if _, err := stranger.ask("select 1"); err == nil || !strings.Contains(err.Error(), "no pg_hba.conf entry") {
		t.Errorf("from an address that is not allowed: %v", err)
	}
}

func (v *varied) superuser(t *testing.T) {
	answers(t, v.as("dba", "postgres_superuser_password", "postgres"), "select rolsuper from pg_roles where rolname = current_user", "t")
}

func (v *varied) replicates(t *testing.T) {
	c := v.as("shipper", "postgres_replication_password", "postgres")
	c.parameters = map[string]string{"replication": "database"}
	answers(t, c, "IDENTIFY_SYSTEM", `\d+\t\d+\t.*`)
}

func (v *varied) rewinds(t *testing.T) {
	answers(t, v.as("rewinder", "patroni_rewind_password", "postgres"), "select has_function_privilege('pg_read_binary_file(text)', 'execute')", "t")
}

// application goes the application's way, and to each PgBouncer.
func (v *varied) application(t *testing.T) {
	answers(t, v.teller(variedVIP, 15000), "select current_user || ' ' || current_database() || ' ' || pg_is_in_recovery()", "teller ledger false")
	for _, n := range v.nodes {
		answers(t, v.teller(n.address(), 16432), "select current_user || ' ' || current_database()", "teller ledger")
	}
}

// pastThePooler holds that the VIP leads to PostgreSQL itself: who asks there
// comes from HAProxy's node, not from the PgBouncer beside PostgreSQL.
func (v *varied) pastThePooler(t *testing.T) {
	answers(t, v.teller(variedVIP, 15000), "select host(inet_client_addr()) || ' ' || inet_server_port()", `10\.77\.0\.\d+ 15432`)
}

func (v *varied) readers(t *testing.T) {
	for range 4 {
		answers(t, v.teller(variedVIP, 15001), "select pg_is_in_recovery()", "t")
	}
}

// storeUser asks etcd for a token as Patroni does.
func (v *varied) storeUser(t *testing.T) {
	login := `{"name":"haunit","password":"` + v.secrets["etcd_patroni_password"] + `"}`
	status, err := send(v.nodes[1].namespace(), "POST", "http://"+v.nodes[0].address()+":12379/v3/auth/authenticate", login)
	if err != nil || status != http.StatusOK {
		t.Errorf("haunit at etcd: %d, %v", status, err)
	}
}

// restUser writes what stands there already, by the name of the site and by the default.
func (v *varied) restUser(t *testing.T) {
	for user, want := range map[string]int{"resting": http.StatusOK, "patroni": http.StatusUnauthorized} {
		status, err := v.httpAs(v.nodes[1].namespace(), "PATCH", "http://"+v.nodes[0].address()+":18008/config", `{"loop_wait": 5}`, user, v.secrets["patroni_restapi_password"])
		if err != nil || status != want {
			t.Errorf("%s at the REST API: %d, %v, want %d", user, status, err, want)
		}
	}
}

// statistics come to the hand, whose address alone may see them beside the nodes.
func (v *varied) statistics(t *testing.T) {
	url := "http://" + v.nodes[0].address() + ":17000/"
	for user, want := range map[string]int{"counter": http.StatusOK, "haproxy_admin": http.StatusUnauthorized} {
		status, err := v.httpAs(v.Hand, "GET", url, "", user, v.secrets["haproxy_stats_password"])
		if err != nil || status != want {
			t.Errorf("%s at the statistics: %d, %v, want %d", user, status, err, want)
		}
	}
	if err := touch(v.control.namespace(), v.nodes[0].address()+":17000"); err == nil || !strings.Contains(err.Error(), "no route to host") {
		t.Errorf("the statistics, from an address that may not see them: %v", err)
	}
}

func (v *varied) httpAs(namespace, method, url, body, user, password string) (status int, err error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(user, password)
	resp, err := httpIn(namespace, 5*time.Second).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func (v *varied) hasStandbys(t *testing.T) {
	answers(t, v.teller(v.leads(t).address(), 15432), "show synchronous_standby_names", `2 \("?db-\d"?, ?"?db-\d"?\)`)
}

// pooler asks PgBouncer for its configuration, as its administrator.
func pooler(key, value string) func(*testing.T, *varied) {
	return func(t *testing.T, v *varied) {
		t.Helper()
		c := v.as("poolkeeper", "pgbouncer_admin_password", "pgbouncer")
		c.port = 16432
		rows, err := c.ask("show config")
		if err != nil || !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, key+"\t"+value+"\t") }) {
			t.Errorf("PgBouncer has no %s = %s (%v): %s", key, value, err, strings.Join(rows, "\n"))
		}
	}
}

// backsUp holds that the leader archives, and runs a backup as cron would: on the
// leader alone something is done. The bed's pgBackRest gets as far as the
// database, by its port, its socket and its superuser, and says that it is of a
// version that it does not know; one that knows it makes the backup.
func (v *varied) backsUp(t *testing.T) {
	leader := v.leads(t)
	answers(t, v.as("dba", "postgres_superuser_password", "postgres"), "select pg_is_in_recovery() or archived_count > 0 from pg_stat_archiver", "t")
	leader.must(t, "root", "sh", "-c", "find /srv/site/backups/archive/"+variedName+" -name '0000*.zst' | grep -q .")
	for _, n := range v.nodes {
		out, status := n.run(t, "root", "runuser", "-u", "postgres", "--", "/usr/local/bin/pgbackrest-backup.sh", "full")
		switch {
		case n != leader && (status != 0 || out != ""):
			t.Errorf("a backup on %s, which does not lead: exit status %d: %s", n.name, status, out)
		case n == leader && status != 0 && !strings.Contains(out, "version '16' and path '/srv/site/pg/16/data' queried from cluster"):
			t.Errorf("a backup on %s: exit status %d: %s", n.name, status, out)
		}
	}
}

// toleratesClocks holds that the clocks of these nodes, by which the cluster was
// deployed, are refused with what is tolerated by default.
func (v *varied) toleratesClocks(t *testing.T) {
	out, status := v.at(t, "ansible-playbook site.yml --tags preflight -e preflight_max_clock_offset=5")
	if status == 0 || !strings.Contains(out, "the clock of n1 is 6.2 s from its time source") {
		t.Errorf("exit status %d: %s", status, tail(out))
	}
}

func (v *varied) listensShortly(t *testing.T) {
	v.says(t, "ansible-playbook site.yml --tags preflight -vvv | grep -o '\"listen\": [0-9]*' | sort -u", `"listen": 2`)
}

// leaves are what a cluster may leave on a node.
type leaves struct {
	files              []string
	users, set, closed string
}

// ours are files that nobody asks a cluster for: what time, dnf and firewalld write,
// what tells that chronyd is to run, since that stays, and the bundle's.
var ours = append(slices.Clone(notOurs), "'/etc/*chrony*'", "'/etc/systemd/system/*/chronyd.service'", "/etc/alternatives", "/etc/firewalld/zones", "/etc/rmt",
	"/usr/lib", "'/usr/*bin/pgbundle'", "/root/.ansible", "'"+variedBase+"*'", "/etc/yum.repos.d/patroni-airgap.repo", "/etc/pgbundle")

func (n *node) leaves(t *testing.T) *leaves {
	t.Helper()
	owned := map[string]bool{} // by packages: those that every node needs stay
	for _, path := range strings.Split(n.must(t, "root", "sh", "-c", "rpm -qal | sort -u"), "\n") {
		owned[path] = true
	}
	return &leaves{
		files: slices.DeleteFunc(n.listing(t, ours...), func(line string) bool {
			path, _, _ := strings.Cut(line, " ")
			if strings.HasPrefix(path, "/usr/") && strings.HasSuffix(path, "/") {
				return true // the bed's packages do not say which folders are theirs
			}
			path = strings.TrimSuffix(path, "/")
			return owned[path] || owned[strings.TrimPrefix(path, "/usr")]
		}),
		users:  n.must(t, "root", "sh", "-c", "getent passwd | grep -v chrony | sort; getent group | grep -v chrony | sort"),
		set:    n.must(t, "root", "sh", "-c", "sysctl -n vm.overcommit_memory vm.swappiness net.ipv4.ip_nonlocal_bind net.ipv4.tcp_keepalive_time; ip -4 -o addr | awk '{print $2, $4}'"),
		closed: n.must(t, "root", "sh", "-c", "firewall-cmd --list-all; firewall-cmd --get-ipsets; firewall-cmd --permanent --list-all"),
	}
}

const programs = "haproxy keepalived pgbouncer pgbackrest postgresql16-server"

// uninstallsLittle takes the services away and lets stay what may stay.
func (v *varied) uninstallsLittle(t *testing.T) {
	v.says(t, "ansible-playbook playbooks/uninstall.yml -e confirm_uninstall=yes -e uninstall_remove_data=false -e uninstall_remove_packages=false "+
		"-e uninstall_remove_users=false -e uninstall_revert_system_tweaks=false", "taken away: "+variedName, "stays: the data", "stays: the packages", "stays: kernel settings")
	for _, n := range v.nodes {
		n.must(t, "root", "sh", "-ec", "rpm -q "+programs+` >/dev/null
test -s /srv/site/pg/16/data/PG_VERSION
test -d /srv/site/etcd/member
test -d /srv/site/backups/archive/`+variedName+`
test -s `+kernelFile+`
grep -q 'cluster `+variedName+`' /etc/hosts
getent passwd etcd postgres haproxy >/dev/null
firewall-cmd --get-ipsets | grep -q pgbundle-clients
for gone in `+patroniFile+` `+haproxyFile+` `+etcdFile+` /opt/etcd-site/etcd /opt/patroni-site /usr/bin/patronictl; do test ! -e $gone; done
for unit in etcd patroni pgbouncer haproxy keepalived; do ! systemctl -q is-active $unit; done`)
	}
}

// uninstalls takes all of it away, the bundle too.
func (v *varied) uninstalls(t *testing.T) {
	v.says(t, opsLine("uninstall --yes --remove-bundle"), "taken away: "+variedName)
	for _, n := range v.nodes {
		was, is := v.fresh[n.name], n.leaves(t)
		if gone, new := minus(was.files, is.files), minus(is.files, was.files); len(gone) > 0 || len(new) > 0 {
			t.Errorf("%s: files before %s\nafter %s", n.name, strings.Join(gone, "\n"), strings.Join(new, "\n"))
		}
		for what, pair := range map[string][2]string{"users": {was.users, is.users}, "settings": {was.set, is.set}, "the firewall": {was.closed, is.closed}} {
			old, now := strings.Split(pair[0], "\n"), strings.Split(pair[1], "\n")
			if gone, new := minus(old, now), minus(now, old); len(gone) > 0 || len(new) > 0 {
				t.Errorf("%s: %s before %s\nafter %s", n.name, what, few(gone), few(new))
			}
		}
		out, _ := n.run(t, "root", "sh", "-c", "rpm -q "+programs+" | grep -v 'not installed'; ls -d "+variedBase+"* /srv/site /opt/etcd-site /usr/libexec/keepalived /etc/yum.repos.d/patroni-airgap.repo 2>/dev/null")
		if out != "" {
			t.Errorf("%s: still there: %s", n.name, out)
		}
	}
}
