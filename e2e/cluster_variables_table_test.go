//go:build e2e

package e2e

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// documented is the list of all variables that a site may set.
const documented = "../install/playbook/roles/defaults/defaults/main.yml"

// variable is one of them, what the site says, and where that is seen then.
type variable struct {
	name  string
	value string // YAML; %PIN% is the build of PostgreSQL in the bundle
	seen  []sight
	used  func(*testing.T, *varied) // somebody who lives by it
}

// sight is what a node's root sees, on n1 when no other is named.
type sight struct {
	script string
	says   string // regexp
	on     string
}

func file(path, line string) sight {
	return sight{script: "cat " + path, says: `(?m)^\s*` + line + `$`}
}
func shell(script, says string) sight {
	return sight{script: script, says: `(?m)` + says}
}

// by is a method of the cluster as somebody who uses a variable.
func by(method func(*varied, *testing.T)) func(*testing.T, *varied) {
	return func(t *testing.T, v *varied) { t.Helper(); method(v, t) }
}
func here(list ...sight) []sight { return list }

// sql asks as the superuser, who comes by the socket as the system's postgres.
func sql(query, says string) sight {
	return shell(`runuser -u postgres -- /opt/pgbin/psql -h /var/run/postgresql -p 15432 -U dba -d postgres -Atc "`+query+`"`, `^`+says+`$`)
}
func shows(parameter, value string) sight { return sql("show "+parameter, value) }
func config(line string) sight {
	return shell("/opt/patroni-site/bin/patronictl -c /etc/patroni-site/patroni.yml show-config", `^\s*`+line+`$`)
}
func installedFrom(name, repository string) sight {
	return shell("dnf -qC --disablerepo='*' list --installed "+name, `@`+repository+`\s*$`)
}
func listens(address string) sight { return shell("ss -lntH | awk '{print $4}'", "^"+address+"$") }

const (
	patroniFile  = "/etc/patroni-site/patroni.yml"
	haproxyFile  = "/etc/haproxy/site.cfg"
	poolerFile   = "/etc/pgbouncer/pgbouncer.ini"
	routerFile   = "/etc/keepalived/keepalived.conf"
	backupFile   = "/etc/pgbackrest/pgbackrest.conf"
	etcdFile     = "/etc/etcd.conf.yml"
	kernelFile   = "/etc/sysctl.d/60-pgbundle.conf"
	variedName   = "ledger-ha"
	variedVIP    = "10.77.0.101"
	variedBase   = "/srv/airgap"
	variedDevice = "lan0"
)

// variables are all of them, in the order of the list, and none has its default.
// Sizes are small: three nodes share one machine.
var variables = []variable{
	// cluster
	{"cluster_name", variedName, here(file(patroniFile, `scope: "ledger-ha"`), file("/etc/hosts", `# BEGIN cluster ledger-ha`)), by((*varied).isCalled)},
	{"system_timezone", "Asia/Seoul", here(shell("date +%Z; readlink /etc/localtime", `KST\n.*/Asia/Seoul$`)), nil},
	{"cluster_vip", variedVIP, here(file(routerFile, `10\.77\.0\.101/.*`)), by((*varied).holdsVIP)},
	{"cluster_vip_cidr", "25", here(sight{"ip -4 -o address show dev lan0", `10\.77\.0\.101/25 `, "n2"}), nil},
	{"vip_interface", variedDevice, here(file(routerFile, `interface lan0`), sight{"ip -4 -o address show", `lan0 +inet 10\.77\.0\.101/`, "n2"}), nil},
	{"cluster_client_cidrs", "[10.77.0.1/32, 10.77.0.10/32]", here(shell("firewall-cmd --ipset=pgbundle-clients --get-entries | sort", `\A10\.77\.0\.1/32\n10\.77\.0\.10/32\n\z`)), by((*varied).letsClientsIn)},
	{"common_packages", "[chrony, acl, tar, python3-psycopg2, python3-libsemanage, liblmdb0]", here(shell("rpm -q liblmdb0 python3-libsemanage", `\Aliblmdb0-.*\npython3-libsemanage-.*\n\z`)), nil},
	{"common_sysctl", `{vm.overcommit_memory: "0", vm.swappiness: "7", net.ipv4.tcp_keepalive_time: "120", net.core.somaxconn: "2048"}`,
		here(shell("sysctl -n vm.overcommit_memory vm.swappiness net.ipv4.tcp_keepalive_time net.core.somaxconn", `\A0\n7\n120\n2048\n\z`),
			file(kernelFile, `vm\.swappiness ?= ?7`)), nil},

	// offline
	{"offline_mode", "true", here(installedFrom("pgbouncer", "site-airgap"), shell("ls /var/cache/pgbundle 2>&1", "No such file")), nil},
	{"offline_repo_name", "site-airgap", here(installedFrom("haproxy", "site-airgap")), nil},
	{"offline_repo_exclusive", "false", here(installedFrom("liblmdb0", "site-extra")), nil},
	{"offline_base_dir", variedBase, here(shell("ls -d /srv/airgap /opt/patroni-airgap 2>/dev/null", `\A/srv/airgap\n\z`)), nil},
	{"offline_wheelhouse", "/srv/wheelhouse", here(shell(`test "$(readlink /opt/patroni-site)" = /opt/patroni-site.d/$(printf %s%s "$(/usr/bin/python3.11 -c 'import sys; print(sys.version)')" \
"$(cat /srv/wheelhouse/target/requirements.lock)" | sha256sum | cut -c 1-12) && echo same`, `^same$`)), nil},
	{"offline_etcd_tarball", `"/srv/releases/etcd-v{{ etcd_version }}-linux-amd64.tar.gz"`, here(shell("journalctl --no-pager | grep -Fo file=/srv/releases/etcd-v | sort -u", `^file=/srv/releases/etcd-v$`)), nil},

	// PostgreSQL
	{"postgresql_package_pin", `"%PIN%"`, here(shell("rpm -q postgresql16-server postgresql16-contrib", `\Apostgresql16-server-%PIN%\.x86_64\npostgresql16-contrib-%PIN%\.x86_64\n\z`)), nil},
	{"postgresql_port", "15432", here(shows("port", "15432"), listens(`10\.77\.0\.11:15432`)), nil},
	{"postgresql_data_dir", `"/srv/site/pg/{{ postgresql_version }}/data"`, here(shows("data_directory", "/srv/site/pg/16/data"), file(patroniFile, `data_dir: "/srv/site/pg/16/data"`),
		shell("stat -c '%U %a' /srv/site /srv/site/pg/16 /srv/site/pg/16/data", `\Aroot 755\npostgres 755\npostgres 700\n\z`)), nil},
	{"postgresql_bin_dir_rhel", "/opt/pgbin", here(file(patroniFile, `bin_dir: "/opt/pgbin"`),
		shell(`tr '\0' ' ' </proc/$(head -n 1 /srv/site/pg/16/data/postmaster.pid)/cmdline`, `^/opt/pgbin/postgres `)), nil},
	{"postgresql_listen_address", `"{{ node_ip }},127.0.0.1"`, here(shows("listen_addresses", `10\.77\.0\.11,127\.0\.0\.1`), listens(`127\.0\.0\.1:15432`),
		shell("ss -lntH 'sport = :15432' | grep -c .", `^2$`)), nil},

	// accounts
	{"postgres_superuser", "dba", here(sql("select rolname from pg_roles where rolsuper", "dba"), file("/srv/site/pg/16/data/pg_ident.conf", `superuser postgres dba`)), by((*varied).superuser)},
	{"postgres_replication_user", "shipper", here(sql("select rolname from pg_roles where rolreplication and not rolsuper", "shipper")), by((*varied).replicates)},
	{"patroni_rewind_user", "rewinder", here(sql("select count(*) from pg_roles where rolname = 'rewinder' and not rolsuper", "1")), by((*varied).rewinds)},
	{"app_db_name", "ledger", here(sql("select rolname from pg_database d join pg_roles r on r.oid = datdba where datname = 'ledger'", "teller"), file(poolerFile, `ledger = host=.*dbname=ledger`)), by((*varied).application)},
	{"app_db_user", "teller", here(sql("select count(*) from pg_roles where rolname = 'teller' and rolcanlogin", "1"), file("/etc/pgbouncer/userlist.txt", `"teller" ".*"`)), nil},

	// who may connect
	{"postgresql_auth_method", "md5", here(sql("select distinct auth_method from pg_hba_file_rules where type = 'host'", "md5"), file(poolerFile, `auth_type = md5`)), nil},
	{"postgresql_allowed_cidrs", "[10.77.0.10/32]", here(sql("select string_agg(address, ' ') from pg_hba_file_rules where user_name = '{all}' and database = '{all}' and type = 'host'",
		`127\.0\.0\.1 10\.77\.0\.11 10\.77\.0\.12 10\.77\.0\.13 10\.77\.0\.10`)), by((*varied).letsApplicationsIn)},

	// tuning
	{"postgresql_tuning_profile", "ours", here(shows("autovacuum_naptime", "33s"), config(`autovacuum_naptime: 33s`)), nil},
	{"postgresql_max_connections", "140", here(shows("max_connections", "140")), nil},
	{"postgresql_parameters_override", "{work_mem: 5MB, maintenance_work_mem: 40MB}", here(shows("work_mem", "5MB"), shows("maintenance_work_mem", "40MB")), nil},
	{"postgresql_base_parameters", `{wal_level: logical, hot_standby: "on", max_wal_senders: 12, max_replication_slots: 11, wal_keep_size: 128MB, wal_log_hints: "on",
  checkpoint_timeout: 7min, random_page_cost: 1.3, password_encryption: md5, jit: "off", log_min_duration_statement: 750, log_line_prefix: "%m [%p] %u@%d/%a "}`,
		here(shows("wal_level", "logical"), shows("max_wal_senders", "12"), shows("checkpoint_timeout", "7min"), shows("log_line_prefix", `%m \[%p\] %u@%d/%a `)), nil},
	{"postgresql_tuning_profiles", `
  ours: {shared_buffers: 96MB, work_mem: 6MB, maintenance_work_mem: 48MB, max_connections: 150, min_wal_size: 96MB, max_wal_size: 400MB, random_page_cost: 1.4, autovacuum_naptime: 33s}
  theirs: {shared_buffers: 112MB, work_mem: 9MB, max_connections: 160, max_wal_size: 480MB}`, here(shows("shared_buffers", "96MB"), shows("random_page_cost", `1\.4`)), nil},

	// etcd
	{"etcd_client_port", "12379", here(listens(`127\.0\.0\.1:12379`), shell("etcdctl endpoint health 2>&1", `127\.0\.0\.1:12379 is healthy`), file(patroniFile, `hosts: .*"10\.77\.0\.13:12379".*`)), nil},
	{"etcd_peer_port", "12380", here(listens(`10\.77\.0\.11:12380`), shell("etcdctl member list", `started, n1, http://10\.77\.0\.11:12380, http://10\.77\.0\.11:12379`)), nil},
	{"etcd_data_dir", "/srv/site/etcd", here(shell("stat -c '%U %a' /srv/site/etcd; ls /srv/site/etcd", `\Aetcd 700\nmember\n\z`)), nil},
	{"etcd_install_dir", "/opt/etcd-site", here(shell("readlink /proc/$(systemctl show --property=MainPID --value etcd)/exe", `^/opt/etcd-site/etcd$`)), nil},
	{"etcd_token", "a-token-of-the-site", here(file(etcdFile, `initial-cluster-token: "a-token-of-the-site"`)), nil},
	{"etcd_patroni_user", "haunit", here(shell("etcdctl user list", `^haunit$`), shell("etcdctl role get haunit", `/service/ledger-ha/`)), by((*varied).storeUser)},

	// Patroni
	{"patroni_rest_port", "18008", here(listens(`10\.77\.0\.11:18008`), shell("curl -s http://10.77.0.11:18008/patroni", `"scope": ?"ledger-ha"`)), nil},
	{"patroni_config_dir", "/etc/patroni-site", here(shell("stat -c '%U %a' /etc/patroni-site /etc/patroni-site/patroni.yml; ls /etc/patroni 2>&1", `\Apostgres 750\npostgres 600\n.*No such file`)), nil},
	{"patroni_log_dir", "/var/log/patroni-site", here(shell("grep -c . /var/log/patroni-site/patroni.log", `^[1-9]`)), nil},
	{"patroni_venv_dir", "/opt/patroni-site", here(shell(`tr '\0' ' ' </proc/$(systemctl show --property=MainPID --value patroni)/cmdline`, `/opt/patroni-site/bin/patroni /etc/patroni-site/patroni\.yml`),
		shell("readlink /usr/bin/patronictl", `^/opt/patroni-site/bin/patronictl$`)), nil},
	{"patroni_python", "/usr/bin/python3.11", here(file("/opt/patroni-site/pyvenv.cfg", `command = /usr/bin/python3\.11 -m venv .*`)), nil},
	{"patroni_ttl", "25", here(config("ttl: 25")), nil},
	{"patroni_loop_wait", "5", here(config("loop_wait: 5")), nil},
	{"patroni_retry_timeout", "8", here(config("retry_timeout: 8")), nil},
	{"patroni_maximum_lag_on_failover", "2097152", here(config("maximum_lag_on_failover: 2097152")), nil},
	{"patroni_restapi_username", "resting", here(file(patroniFile, `username: "resting"`)), by((*varied).restUser)},
	{"patroni_watchdog_mode", "off", here(file(patroniFile, `mode: (false|"off")`), shell("ls /etc/modules-load.d/softdog.conf /etc/udev/rules.d/99-patroni-watchdog.rules 2>&1", `(?s)No such file.*No such file`)), nil},
	{"patroni_synchronous_mode", "true", here(config("synchronous_mode: true")), by((*varied).hasStandbys)},
	{"patroni_synchronous_mode_strict", "true", here(config("synchronous_mode_strict: true")), nil},
	{"patroni_synchronous_node_count", "2", here(config("synchronous_node_count: 2")), nil},

	// PgBouncer
	{"pgbouncer_port", "16432", here(listens(`127\.0\.0\.1:16432`)), nil},
	{"pgbouncer_listen_address", `"127.0.0.1,{{ node_ip }}"`, here(listens(`10\.77\.0\.11:16432`)), nil},
	{"pgbouncer_pool_mode", "session", nil, pooler("pool_mode", "session")},
	{"pgbouncer_max_client_conn", "333", nil, pooler("max_client_conn", "333")},
	{"pgbouncer_default_pool_size", "7", nil, pooler("default_pool_size", "7")},
	{"pgbouncer_admin_user", "poolkeeper", here(file(poolerFile, "stats_users = poolkeeper")), pooler("admin_users", "poolkeeper")},

	// HAProxy and Keepalived
	{"haproxy_config_file", haproxyFile, here(shell("stat -c '%U:%G %a' /etc/haproxy/site.cfg; pgrep -af haproxy", `\Aroot:haproxy 640\n(?s:.*)-f /etc/haproxy/site\.cfg`)), nil},
	{"haproxy_stats_port", "17000", here(listens(`0\.0\.0\.0:17000`)), nil},
	{"haproxy_stats_user", "counter", here(file(haproxyFile, `stats auth counter:.*`)), by((*varied).statistics)},
	{"haproxy_stats_cidrs", "[10.77.0.1/32]", here(shell("firewall-cmd --ipset=pgbundle-stats --get-entries", `\A10\.77\.0\.1/32\n\z`)), nil},
	{"haproxy_primary_port", "15000", here(listens(`0\.0\.0\.0:15000`)), nil},
	{"haproxy_replica_port", "15001", here(listens(`0\.0\.0\.0:15001`)), by((*varied).readers)},
	{"haproxy_maxconn", "1234", here(file(haproxyFile, `maxconn 1234`)), nil},
	{"haproxy_backend_target", "postgresql", here(file(haproxyFile, `server db-1 10\.77\.0\.11:15432 check port 18008.*`)), by((*varied).pastThePooler)},
	{"haproxy_replica_fallback_to_primary", "false", here(shell("grep -c use_backend /etc/haproxy/site.cfg", `^0$`)), nil},
	{"keepalived_virtual_router_id", "77", here(file(routerFile, `virtual_router_id 77`)), nil},

	// pgBackRest
	{"pgbackrest_enabled", "true", here(shows("archive_mode", "on"), shows("archive_command", `pgbackrest --stanza=ledger-ha archive-push %p`)), by((*varied).backsUp)},
	{"pgbackrest_repo_path", "/srv/site/backups", here(file(backupFile, `repo1-path=/srv/site/backups`), shell("stat -c '%U %a' /srv/site/backups; ls /srv/site/backups/archive", `\Apostgres 750\nledger-ha\n\z`)), nil},
	{"pgbackrest_retention_full", "3", here(file(backupFile, `repo1-retention-full=3`)), nil},
	{"pgbackrest_process_max", "1", here(file(backupFile, `process-max=1`)), nil},
	{"pgbackrest_backup_hour", "3", here(file("/etc/cron.d/pgbackrest", `0 3 \* \* 0 postgres .*`)), nil},

	// preflight: what it is told is seen in what it does
	{"preflight_max_clock_offset", "7", nil, by((*varied).toleratesClocks)},
	{"preflight_vrrp_listen", "2", nil, by((*varied).listensShortly)},
}

// exempt are those that this table cannot set: why, and who tries them.
var exempt = map[string]string{
	"configure_firewall":             "without it nobody could reach the nodes: varied.leavesTheFirewall",
	"postgresql_version":             "a bundle has one: install/deploy refuses another",
	"etcd_version":                   "a bundle has one: install/deploy refuses another",
	"patroni_version_spec":           "online alone",
	"patroni_psycopg":                "online alone: cluster.namesMirror",
	"postgresql_bin_dir_deb":         "Debian alone",
	"target_leader":                  "said on the command line: varied.switchesOver",
	"restart_after_apply":            "said on the command line: varied.tunes",
	"only_pending":                   "said on the command line: varied.tunes",
	"show_passwords":                 "said on the command line: varied.tellsPasswords",
	"confirm_uninstall":              "said on the command line: varied.uninstalls",
	"uninstall_remove_packages":      "said on the command line: varied.uninstallsLittle",
	"uninstall_remove_users":         "said on the command line: varied.uninstallsLittle",
	"uninstall_revert_system_tweaks": "said on the command line: varied.uninstallsLittle",
	"uninstall_remove_data":          "said on the command line: varied.uninstallsLittle",
	"uninstall_remove_airgap_bundle": "said on the command line: varied.uninstalls",
}

// TestVariables holds the table against the list of documented variables: each
// is tried or exempt, none is tried with its default, and whoever is tried is
// seen somewhere.
func TestVariables(t *testing.T) {
	data, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := yaml.Unmarshal(data, &defaults); err != nil {
		t.Fatal(err)
	}
	var tried []string
	for _, v := range variables {
		tried = append(tried, v.name)
		usual, known := defaults[v.name]
		var value any
		if err := yaml.Unmarshal([]byte(v.value), &value); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		switch {
		case !known:
			t.Errorf("%s is tried, and no variable", v.name)
		case exempt[v.name] != "":
			t.Errorf("%s is tried and exempt", v.name)
		case reflect.DeepEqual(value, usual):
			t.Errorf("%s is tried with its default %v", v.name, usual)
		case len(v.seen) == 0 && v.used == nil:
			t.Errorf("%s is set and looked for nowhere", v.name)
		}
	}
	for name := range defaults {
		if !slices.Contains(tried, name) && exempt[name] == "" && !strings.HasPrefix(name, "online_") {
			t.Errorf("%s is documented, and neither tried nor exempt", name)
		}
	}
	for name := range exempt {
		if _, known := defaults[name]; !known {
			t.Errorf("%s is exempt, and no variable", name)
		}
	}
}
