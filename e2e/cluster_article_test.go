//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// said is a command of the article, as it stands there but for names and
// addresses, and what has to come of it. The list follows the article's order:
// what an entry leaves behind, the next ones live with.
type said struct {
	command string
	where   place
	says    string                        // regexp over its output
	fails   bool                          // it has to end with another status than 0
	then    func(*testing.T, *cluster)    // looks at what has become of the cluster
	also    func(*cluster, string) string // words that a test adds: a person would be asked
	before  func(*testing.T, *cluster)    // what the article supposes
	slow    bool                          // tried by make e2e-faults alone
}

const nothingChanged = `(?s)PLAY RECAP.*changed=0 .*changed=0 .*changed=0 `

// place is where the article's reader sits.
type place int

const (
	site_    place = iota // in the site directory, the venv activated
	leaderAt              // on the node that leads
	replicaAt
	vipAt
	controlAt // in bob's home
)

// article is every command that somebody who follows the article types after
// the cluster stands. Not in it: git clone, pip install and ansible-galaxy
// install from the internet, and building and carrying the bundle, which
// TestBundle, TestInstall… and the parts before this one do.
var article = []said{
	// air-gapped, step 4: the whole of it, then fixed in the variables, so that every later line is without -e
	{command: "ansible-playbook site.yml -e offline_mode=true --ask-vault-pass", says: nothingChanged, also: watchesEvents, then: both(eventsKeepSecrets, isOffline)},
	// (3) allowed addresses, at run time and without a restart
	{command: "ansible-playbook site.yml --tags patroni", before: allowsHand, then: handMayConnect},
	// (6) passwords
	{command: "cp group_vars/vault.yml.example group_vars/vault.yml && ansible-vault encrypt group_vars/vault.yml", then: vaultIsEncrypted},
	{command: "ansible-playbook site.yml --tags preflight", says: `group_vars/all/vault\.yml`, fails: true},
	{command: "rm group_vars/vault.yml"},
	// deploying
	{command: "ansible all -m ping", says: `(?s)(SUCCESS.*ping: pong.*){3}`},
	{command: "ansible-playbook site.yml --tags etcd", says: `n1 .*changed=0 .*failed=0`},
	{command: "ansible-playbook site.yml --tags patroni,pgbouncer", says: `n2 .*changed=0 .*failed=0`},
	{command: "ansible-playbook site.yml --limit n2", says: `n2 .*changed=0 .*failed=0`, then: onlyN2},
	{command: "ansible-playbook site.yml --tags preflight", says: `n3 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags common", says: `n3 .*changed=0 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags postgresql", says: `n3 .*changed=0 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags pgbackrest", says: `n3 .*changed=0 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags backup", says: `n3 .*changed=0 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags haproxy", says: `n3 .*changed=0 .*failed=0`, slow: true},
	{command: "ansible-playbook site.yml --tags info", says: `10\.77\.0\.100`, slow: true},
	// checking that it worked
	{command: "ansible-playbook playbooks/cluster-status.yml", says: `(?s)Leader.*Lag|Lag.*Leader`},
	{command: "patronictl -c /etc/patroni/patroni.yml list", where: replicaAt, says: `Leader +\| running`},
	{command: "curl -s http://127.0.0.1:7000/", where: vipAt, says: `401|Statistics`},
	// connecting
	{command: `psql "host=10.77.0.100 port=5000 dbname=appdb user=appuser" -c "select 1 as one"`, where: replicaAt, says: `1 row`, before: givesPassword},
	{command: `psql "host=10.77.0.100 port=5001 dbname=appdb user=appuser" -Atc "select pg_is_in_recovery()"`, where: replicaAt, says: `^t\n$`},
	// day-to-day operations
	{command: "ansible-playbook playbooks/switchover.yml -e target_leader=%STANDBY%", before: remembersStandby, then: standbyLeads},
	{command: "ansible-playbook playbooks/apply-tuning.yml", then: parameter("work_mem", "8MB")},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e postgresql_tuning_profile=medium", then: both(parameter("work_mem", "24MB"), pends(true))},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e postgresql_max_connections=500", then: both(parameter("max_connections", "200"), pends(true))},
	{command: "patronictl -c /etc/patroni/patroni.yml list", where: leaderAt, says: `Pending restart`},
	{command: `psql -U postgres -c "SELECT name, setting, pending_restart FROM pg_settings WHERE name='max_connections';"`, where: leaderAt, says: `max_connections \| 200 +\| t`},
	{command: "ansible-playbook playbooks/restart-postgresql.yml -e only_pending=true", then: both(parameter("max_connections", "500"), pends(false))},
	{command: `psql -U postgres -c "SHOW max_connections;"`, where: replicaAt, says: ` 500\n`},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e restart_after_apply=true", then: both(parameter("max_connections", "200"), pends(false))},
	{command: "ansible-playbook playbooks/restart-postgresql.yml", before: remembersStart, then: allRestarted, slow: true},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e patroni_synchronous_mode=false", before: remembersStart, then: both(synchronous(false), noneRestarted)},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e patroni_synchronous_mode=true", then: both(synchronous(true), noneRestarted)},
	// commands on a node
	{command: "patronictl -c /etc/patroni/patroni.yml failover " + clusterName, where: leaderAt, before: remembersStandby,
		also: func(c *cluster, line string) string { return line + " --candidate " + remembered + " --force" }, then: standbyLeads},
	{command: "patronictl -c /etc/patroni/patroni.yml restart " + clusterName + " n3", where: leaderAt, says: `(?i)success`,
		also: func(_ *cluster, line string) string { return line + " --force" }},
	{command: "patronictl -c /etc/patroni/patroni.yml edit-config", where: replicaAt, says: `(?i)changed`,
		also: func(_ *cluster, line string) string {
			return line + " --force --set postgresql.parameters.work_mem=9MB"
		}, then: parameter("work_mem", "9MB")},
	// troubleshooting: no leader
	{command: "ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 endpoint health", where: leaderAt, says: `is healthy`},
	{command: "ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 member list", where: leaderAt, says: `(?s)(started, n\d.*){3}`},
	{command: "journalctl -u etcd -n 50 --no-pager", where: leaderAt, says: `etcd`},
	{command: "chronyc tracking", where: leaderAt, says: `Leap status`},
	// Patroni will not start
	{command: "journalctl -u patroni -n 80 --no-pager", where: leaderAt, says: `patroni`},
	{command: "sudo -u postgres patroni --validate-config /etc/patroni/patroni.yml", where: replicaAt, before: stopsPatroni, then: startsPatroni},
	// a replica cannot keep up
	{command: `psql -U postgres -c "SELECT client_addr, state, sync_state, replay_lag FROM pg_stat_replication;"`, where: leaderAt, says: `(?s)(streaming.*){2}`},
	{command: "patronictl -c /etc/patroni/patroni.yml reinit " + clusterName + " %BROKEN%", where: leaderAt, before: breaksReplica,
		also: func(_ *cluster, line string) string { return line + " --force --wait" }, says: `(?i)success|completed`, then: rowsAgain},
	// connection refused
	{command: `psql -U postgres -c "SELECT type, database, user_name, address, auth_method FROM pg_hba_file_rules;"`, where: leaderAt, says: `10\.77\.0\.10 .*scram-sha-256`},
	// the VIP
	{command: "ip a | grep 10.77.0.100", where: vipAt, says: `inet 10\.77\.0\.100/24`},
	{command: "systemctl status haproxy keepalived", where: vipAt, says: `(?s)(active \(running\).*){2}`},
	{command: "journalctl -u keepalived", where: vipAt, says: `(?i)keepalived`},
	{command: "curl -s -o /dev/null -w '%{http_code}' http://%LEADER%:8008/primary", where: replicaAt, says: `^200$`},
	// synchronous replication
	{command: `psql -U postgres -c "SHOW synchronous_standby_names;"`, where: leaderAt, says: `n\d`},
	{command: `psql -U postgres -c "SELECT application_name, sync_state FROM pg_stat_replication;"`, where: leaderAt, says: `sync\n`},
	{command: "patronictl -c /etc/patroni/patroni.yml list", where: leaderAt, says: `Sync Standby`},
	// did tuning take effect
	{command: `psql -U postgres -c "SELECT name, setting, unit, source, pending_restart FROM pg_settings WHERE name IN ('shared_buffers','work_mem','max_connections','max_wal_size','random_page_cost');"`,
		where: leaderAt, says: `5 rows`},
	{command: `psql -U postgres -c "SELECT checkpoints_timed, checkpoints_req FROM pg_stat_bgwriter;"`, where: leaderAt, says: `1 row`},
	{command: `psql -U postgres -c "SELECT count(*) AS conns, current_setting('max_connections') AS max FROM pg_stat_activity;"`, where: leaderAt, says: `200`},
	// (5) strict
	{command: "ansible-playbook playbooks/apply-tuning.yml", before: isStrict, then: writesWait, slow: true},
	{command: "ansible-playbook playbooks/apply-tuning.yml -e patroni_synchronous_mode=false", then: writesGoOn, slow: true},
	{command: "ansible-playbook playbooks/apply-tuning.yml", before: isNotStrict, then: synchronous(true)},
}

// remembered is a name, or times, that an entry's before keeps for its then.
var remembered string

func (c *cluster) article(t *testing.T) {
	for i, s := range article {
		if s.slow && !thorough() {
			continue
		}
		if !t.Run(fmt.Sprintf("%02d %s", i+1, s.command), func(t *testing.T) { s.try(t, c) }) {
			c.settles(t, time.Minute) // or nothing that follows says anything
		}
	}
}

func (s said) try(t *testing.T, c *cluster) {
	if s.before != nil {
		s.before(t, c)
	}
	line := s.command
	if s.also != nil {
		line = s.also(c, line)
	}
	line = c.filled(t, line)
	began := time.Now()
	out, status := c.typed(t, s.where, line)
	if (status != 0) != s.fails {
		t.Fatalf("exit status %d\n%s", status, tail(out))
	}
	if !regexp.MustCompile(s.says).MatchString(out) {
		t.Errorf("does not say %q:\n%s", s.says, tail(out))
	}
	if s.then != nil {
		s.then(t, c)
	}
	c.evidence.fact("article: "+s.command, seconds(time.Since(began)))
}

// filled puts names in.
func (c *cluster) filled(t *testing.T, line string) string {
	t.Helper()
	line = strings.NewReplacer("%STANDBY%", remembered, "%BROKEN%", remembered).Replace(line)
	if strings.Contains(line, "%LEADER%") {
		line = strings.ReplaceAll(line, "%LEADER%", c.leader().address())
	}
	return line
}

// typed runs a line where the article's reader would. On a node bob types sudo
// before what is not for everybody.
func (c *cluster) typed(t *testing.T, where place, line string) (out string, status int) {
	t.Helper()
	var n *node
	switch where {
	case site_:
		return c.at(t, line)
	case controlAt:
		n = c.control
	case vipAt:
		n = c.vipHolder()
	case leaderAt:
		n = c.leader()
	default:
		leader := c.leader()
		for _, other := range c.nodes {
			if other != leader {
				n = other
			}
		}
	}
	sudo := "sudo -S -p '' "
	switch {
	case strings.HasPrefix(line, "psql -U postgres"):
		line = sudo + "-u postgres " + line
	case strings.HasPrefix(line, "sudo "):
		line = sudo + strings.TrimPrefix(line, "sudo ")
	case regexp.MustCompile(`^(patronictl|journalctl|ETCDCTL_API)\b`).MatchString(line):
		line = sudo + line
	}
	return n.run(t, "bob", "sh", "-c", "cd /; "+strings.Replace(line+" <"+sudoPass, " | grep 10.77.0.100 <"+sudoPass, " | grep 10.77.0.100", 1))
}
