//go:build e2e

package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// thorough says that all failures are tried several times, and all of the
// article: make e2e-faults.
func thorough() bool { return os.Getenv("PGBUNDLE_FAILOVERS") != "" }

// What an entry of the article supposes, adds, or has to lead to.

// isOffline fixes offline_mode in the site's variables.
func isOffline(t *testing.T, c *cluster) {
	c.edits(t, `s/^offline_mode: .*/offline_mode: true/`)
}

// typesVaultPass answers the question for the password of the vault. Without a
// terminal Ansible reads its answer from stdin.
func typesVaultPass(_ *cluster, line string) string {
	return "setsid --wait " + line + " <" + vaultPass
}

// watchesEvents keeps what the callback plugin writes, of a run that tells as much as Ansible can.
func watchesEvents(c *cluster, line string) string {
	return "env PGBUNDLE_EVENTS_FD=9 ANSIBLE_CALLBACKS_ENABLED=pgbundle_events ANSIBLE_CALLBACK_PLUGINS=" + base + "/playbook/plugins/callback " +
		typesVaultPass(c, line+" --diff -vvv") + " 9>~/events"
}

func eventsKeepSecrets(t *testing.T, c *cluster) {
	events := c.rawly(t, c.control, "cat", "/home/bob/events")
	if n := strings.Count(events, "\n"); n < 100 {
		t.Errorf("%d events", n)
	}
	for name, secret := range c.hidden(t) {
		if strings.Contains(events, secret) {
			t.Errorf("the events tell %s", name)
		}
	}
}

func both(list ...func(*testing.T, *cluster)) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		for _, then := range list {
			then(t, c)
		}
	}
}

// edits replaces a line of the site's variables.
func (c *cluster) edits(t *testing.T, expression string) {
	t.Helper()
	c.mustAt(t, "sed -i -E '"+expression+"' group_vars/all/main.yml")
}

// allowsHand lets the stranger in: her address joins postgresql_allowed_cidrs.
func allowsHand(t *testing.T, c *cluster) {
	way := c.through()
	way.namespace = c.Hand
	if _, err := way.ask("select 1"); err == nil {
		t.Error("the hand may connect before anybody allowed it")
	}
	c.edits(t, `s|^postgresql_allowed_cidrs:|&\n  - 10.77.0.1/32|`)
	remembersStart(t, c)
}

func handMayConnect(t *testing.T, c *cluster) {
	for _, way := range []client{c.through(), c.app(c.leader().address(), 5432)} {
		way.namespace = c.Hand
		var err error
		until(t, 30*time.Second, "allowed, at "+way.address, func() bool { _, err = way.ask("select 1"); return err == nil })
	}
	noneRestarted(t, c)
}

func vaultIsEncrypted(t *testing.T, c *cluster) {
	c.mustAt(t, "head -1 group_vars/vault.yml | grep -q '^.ANSIBLE_VAULT'")
}

func onlyN2(t *testing.T, c *cluster) { c.settles(t, time.Minute) }

func remembersStandby(t *testing.T, c *cluster) {
	c.settles(t, time.Minute)
	remembered = c.standby(t)
}

// givesPassword writes bob's own file with the application's password, as psql
// reads it.
func givesPassword(t *testing.T, c *cluster) {
	for _, n := range c.nodes {
		n.give(t, "/home/bob/.pgpass", "10.77.0.100:*:appdb:appuser:"+c.secrets["app_db_password"]+"\n")
	}
}

func standbyLeads(t *testing.T, c *cluster) {
	until(t, 30*time.Second, remembered+" as the leader", func() bool { n := c.leader(); return n != nil && n.name == remembered })
	c.settles(t, 2*time.Minute)
}

// asked asks every node's own PostgreSQL.
func (c *cluster) asked(t *testing.T, sql string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, n := range c.nodes {
		rows, err := c.app(n.address(), 5432).ask(sql)
		if err != nil {
			t.Fatalf("%s of %s: %v", sql, n.name, err)
		}
		answers[n.name] = strings.Join(rows, "\n")
	}
	return answers
}

// parameter is a setting that every node has to have soon.
func parameter(name, value string) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		var got map[string]string
		until(t, 40*time.Second, name+" "+value+" everywhere", func() bool {
			got = c.asked(t, "show "+name)
			for _, is := range got {
				if is != value {
					return false
				}
			}
			return true
		})
	}
}

// pends says whether a restart has to be pending on every node, or on none.
func pends(want bool) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		until(t, 40*time.Second, map[bool]string{true: "Pending restart", false: "no Pending restart"}[want], func() bool {
			for _, n := range c.nodes {
				var self struct {
					Pending bool `json:"pending_restart"`
				}
				if err := n.rest("/patroni", &self); err != nil || self.Pending != want {
					return false
				}
			}
			return true
		})
	}
}

const startTime = "select pg_postmaster_start_time()"

var startedAt map[string]string

func remembersStart(t *testing.T, c *cluster) { startedAt = c.asked(t, startTime) }

func noneRestarted(t *testing.T, c *cluster) {
	for name, at := range c.asked(t, startTime) {
		if at != startedAt[name] {
			t.Errorf("%s was restarted: at %s, before that at %s", name, at, startedAt[name])
		}
	}
}

func allRestarted(t *testing.T, c *cluster) {
	c.settles(t, time.Minute)
	for name, at := range c.asked(t, startTime) {
		if at == startedAt[name] {
			t.Errorf("%s was not restarted since %s", name, at)
		}
	}
}

func synchronous(on bool) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		c.synchronous = on
		until(t, 40*time.Second, "synchronous_standby_names as told", func() bool {
			rows, err := c.through().ask("show synchronous_standby_names")
			return err == nil && len(rows) == 1 && (rows[0] != "") == on
		})
		c.settles(t, time.Minute)
	}
}

func stopsPatroni(t *testing.T, c *cluster) {
	n := c.lastReplica()
	remembered = n.name
	n.must(t, "root", "systemctl", "stop", "patroni")
}

func startsPatroni(t *testing.T, c *cluster) {
	c.named(remembered).must(t, "root", "systemctl", "start", "patroni")
	c.settles(t, time.Minute)
}

// lastReplica is the node that typed takes for a replica.
func (c *cluster) lastReplica() (last *node) {
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader {
			last = n
		}
	}
	return last
}

func (c *cluster) named(name string) *node {
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// breaksReplica takes a file away that a replica cannot do without.
func breaksReplica(t *testing.T, c *cluster) {
	c.settles(t, time.Minute)
	n := c.lastReplica()
	remembered = n.name
	data := "/var/lib/postgresql/" + c.PG + "/data"
	n.must(t, "root", "sh", "-ec", "rm -r "+data+"/pg_xact; pkill -KILL -o -u postgres -x postgres || :")
	until(t, 30*time.Second, "a broken replica", func() bool { return c.settled() != nil })
}

func rowsAgain(t *testing.T, c *cluster) {
	c.settles(t, 2*time.Minute)
	if got := c.asked(t, "select count(*) from load"); len(uniqueValues(got)) != 1 {
		t.Errorf("the nodes have different rows: %v", got)
	}
}

func uniqueValues(of map[string]string) map[string]bool {
	values := map[string]bool{}
	for _, v := range of {
		values[v] = true
	}
	return values
}

func isStrict(t *testing.T, c *cluster) {
	c.edits(t, `s/^patroni_synchronous_mode_strict: .*/patroni_synchronous_mode_strict: true/`)
}

func isNotStrict(t *testing.T, c *cluster) {
	c.edits(t, `s/^patroni_synchronous_mode_strict: .*/patroni_synchronous_mode_strict: false/`)
}

// writesWait holds that in strict mode nobody is told that a row is safe while no
// standby is there.
func writesWait(t *testing.T, c *cluster) {
	c.settles(t, time.Minute)
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader {
			n.must(t, "root", "systemctl", "stop", "patroni")
		}
	}
	time.Sleep(15 * time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := c.app(leader.address(), 5432).connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "create table if not exists strict (x int); insert into strict values (1)").ReadAll(); err == nil {
		t.Error("a write was acknowledged without a standby")
	}
	conn.Close(context.Background())
}

// writesGoOn holds that a write is acknowledged once synchronous mode is off.
func writesGoOn(t *testing.T, c *cluster) {
	until(t, 40*time.Second, "writes", func() bool {
		_, err := c.through().ask("select 1; create table if not exists goes_on (x int)")
		return err == nil
	})
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader {
			n.must(t, "root", "systemctl", "start", "patroni")
		}
	}
	c.synchronous = false
	c.settles(t, 2*time.Minute)
}
