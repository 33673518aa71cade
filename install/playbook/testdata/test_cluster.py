"""What operations make of a cluster's answers. The answers are Patroni's: /cluster of 3.0.3, 3.3.11 and 4.1.5, and its way of
merging a document into the store's (patch_config)."""
import copy
import importlib.util
import unittest
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent / "roles" / "cluster" / "filter_plugins" / "cluster.py"
spec = importlib.util.spec_from_file_location("cluster", PATH)
cluster = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cluster)

SEEN = {"scope": "demo", "members": [
    {"name": "n2", "role": "sync_standby", "state": "streaming", "host": "10.0.0.12", "timeline": 3, "lag": 0},
    {"name": "n1", "role": "leader", "state": "running", "host": "10.0.0.11", "timeline": 3, "pending_restart": True,
     "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": "200"}}},
    {"name": "n3", "role": "replica", "state": "streaming", "host": "10.0.0.13", "timeline": 3, "lag": 16},
]}
WANTED = {
    "ttl": "30", "synchronous_mode": False,
    "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": "200", "work_mem": "8MB", "random_page_cost": 1.1}},
}


def seen(**changes):
    """SEEN with a member's words changed: n1={"state": "starting"}."""
    changed = copy.deepcopy(SEEN)
    for member in changed["members"]:
        member.update(changes.get(member["name"], {}))
    return changed


def merged(document, patch):
    """What Patroni makes of the two: null removes, maps go into each other, values are compared as words."""
    for name, value in patch.items():
        if value is None:
            document.pop(name, None)
        elif isinstance(value, dict) and isinstance(document.get(name), dict):
            merged(document[name], value)
        elif name not in document or str(document[name]) != str(value):
            document[name] = value
    return document


class State(unittest.TestCase):
    def test_state(self):
        now = cluster.state(SEEN, ["n1", "n2", "n4"])
        self.assertEqual(("n1", 3, ["n2"], ["n1"], ["n4"], ["n3"]), tuple(now[key] for key in (
            "leader", "timeline", "sync_standbys", "pending_restart", "missing", "strangers")))
        self.assertEqual(["leader: n1, timeline 3, synchronous standby: n2", "pending restart: n1 (max_connections: 100 -> 200)",
                          "not in the cluster: n4"], cluster.words(now))

    def test_words_of_other_versions(self):
        self.assertEqual("n1", cluster.state(seen(n1={"role": "master"}))["leader"])
        self.assertEqual(["n2"], cluster.state(seen(n2={"role": "quorum_standby"}))["sync_standbys"])
        self.assertEqual([], cluster.unsettled(cluster.state(seen(n3={"state": "running"})), "n3", 1 << 20))

    def test_nothing_was_said(self):
        now = cluster.state({}, ["n1"])
        self.assertEqual(["there is no leader: nobody accepts writes", "not in the cluster: n1"], cluster.words(now))
        self.assertEqual([], cluster.restart_order(now))

    def test_unsettled(self):
        for want, change in {
            "": {},
            "the leader n1 is starting": {"n1": {"state": "starting"}},
            "n3 is stopped": {"n3": {"state": "stopped"}},
            "n3 is on timeline 2, the leader on 3": {"n3": {"timeline": 2}},
            "n3 is 2097152 bytes behind": {"n3": {"lag": 2 << 20}},
            "n3 is an unknown number of bytes behind": {"n3": {"lag": "unknown"}},
            "the leader has no synchronous standby": {"n2": {"role": "replica"}},
        }.items():
            with self.subTest(want):
                self.assertEqual(want, "; ".join(cluster.unsettled(cluster.state(seen(**change)), "n3", "1048576", sync=True)))

    def test_restarts_replicas_first(self):
        now = cluster.state(SEEN)
        self.assertEqual(["n2", "n3", "n1"], cluster.restart_order(now))
        self.assertEqual(["n1"], cluster.restart_order(now, only_pending=True))
        self.assertEqual(["n3", "n1"], cluster.restart_order(cluster.state(seen(n2={"state": "stopped"}))))

    def test_switchover(self):
        now = cluster.state(seen(n3={"tags": {"nofailover": True}}))
        for target, sync, want in (
            ("n1", True, []), ("n2", True, []), ("n2", False, []),
            ("n9", False, ["n9 is no member that is up: the members are n1, n2, n3"]),
            ("n3", False, ["n3 has the tag nofailover: take a member that may lead"]),
            ("n3", True, ["n3 has the tag nofailover: take a member that may lead",
                          "n3 is no synchronous standby, and synchronous mode lets nobody else lead: those that may are n2"]),
        ):
            with self.subTest(target=target, sync=sync):
                self.assertEqual(want, cluster.switchover_refusals(now, target, sync))
        self.assertIn("is stopped", cluster.switchover_refusals(cluster.state(seen(n2={"state": "stopped"})), "n2", False)[0])
        self.assertIn("no leader", cluster.switchover_refusals(cluster.state(seen(n1={"role": "replica"})), "n2", False)[0])


class Document(unittest.TestCase):
    OURS = ["max_connections", "work_mem", "random_page_cost", "huge_pages"]

    def apply(self, current, wanted=None):
        difference = cluster.dcs_patch(copy.deepcopy(current), wanted or WANTED, self.OURS)
        return merged(copy.deepcopy(current), difference["patch"]), {change["key"] for change in difference["changes"]}

    def test_it_becomes_what_is_wanted(self):
        after, changed = self.apply({"ttl": 20, "postgresql": {"parameters": {"work_mem": "4MB", "max_connections": 200}}})
        self.assertEqual({"ttl", "synchronous_mode", "postgresql.use_pg_rewind", "postgresql.parameters.work_mem",
                          "postgresql.parameters.random_page_cost"}, changed)
        self.assertEqual(cluster.dcs_wanted(WANTED), after)
        self.assertEqual((after, set()), self.apply(after))
        self.assertEqual({}, cluster.dcs_patch(after, WANTED, self.OURS)["patch"])

    def test_what_was_ours_goes_and_what_is_by_hand_stays(self):
        by_hand = {"loop_wait": 5, "postgresql": {"pg_hba": ["local all all trust"], "parameters": {"log_connections": "on", "huge_pages": "try"}}}
        after, _ = self.apply(by_hand)
        self.assertNotIn("huge_pages", after["postgresql"]["parameters"], "a profile's, in a store without a record")
        self.assertEqual("on", after["postgresql"]["parameters"]["log_connections"])
        self.assertEqual((5, ["local all all trust"]), (after["loop_wait"], after["postgresql"]["pg_hba"]))

        more = copy.deepcopy(WANTED)
        more["postgresql"]["parameters"]["log_disconnections"] = "on"
        after, changed = self.apply(after, more)
        self.assertEqual({"postgresql.parameters.log_disconnections"}, changed)
        after["postgresql"]["parameters"]["huge_pages"] = "on"  # by hand, since the record exists
        after, changed = self.apply(after)
        self.assertEqual({"postgresql.parameters.log_disconnections"}, changed)
        self.assertEqual("on", after["postgresql"]["parameters"]["huge_pages"])

    def test_words(self):
        changes = cluster.dcs_patch({"ttl": 30, "synchronous_mode": True, "postgresql": {"use_pg_rewind": True, "parameters": {
            "max_connections": 100, "work_mem": "8MB", "random_page_cost": 1.1, "huge_pages": "try"}}}, WANTED, self.OURS)["changes"]
        self.assertEqual(["postgresql.parameters.huge_pages       try -> (none)", "postgresql.parameters.max_connections  100 -> 200",
                          "synchronous_mode                       true -> false"], cluster.dcs_change_words(changes))

    def test_sizes(self):
        for size, want in {"512MB": 512, "4GB": 4096, "16384": 128, "131072kB": 128, "1TB": 1 << 20, "what": 0}.items():
            with self.subTest(size):
                self.assertEqual(want, cluster.megabytes(size))


class Verify(unittest.TestCase):
    GROUPS = {"etcd": ["a", "b"], "patroni_cluster": ["a", "b"], "pgbouncer": ["a"], "haproxy": ["a", "b"]}
    PARTS = ["services", "etcd", "patroni", "vip", "sql", "replication"]

    def hosts(self):
        answer = {"members": [dict(SEEN["members"][1], name="a"), dict(SEEN["members"][2], name="b")]}
        hosts = {}
        for name in "ab":
            units = ["etcd", "patroni", "haproxy"]
            hosts[name] = {
                "patroni_name": name,
                "cluster_contact": {"rc": 0, "stdout": "2: eth0    inet 10.0.0.100/24 scope global secondary eth0" if name == "a" else ""},
                "cluster_seen": {"status": 200, "json": answer},
                "cluster_units_seen": {"cmd": ["systemctl", "show", "--property=ActiveState", "--value"] + units,
                                       "stdout_lines": ["active", "", "active", "", "active"]},
                "cluster_etcd_seen": {"rc": 0, "stdout": '[{"endpoint":"http://a","health":true},{"endpoint":"http://b","health":true}]'},
            }
        hosts["a"]["cluster_probe"] = {"checks": [{"check": "sql", "ok": True, "says": "well"}]}
        return hosts

    def found(self, hosts, parts=None):
        return [finding["says"] for finding in cluster.findings(hosts, self.GROUPS, parts or self.PARTS, "10.0.0.100") if not finding["ok"]]

    def test_all_is_well(self):
        hosts = self.hosts()
        self.assertEqual([], self.found(hosts))
        told = cluster.findings(hosts, self.GROUPS, self.PARTS, "10.0.0.100")
        self.assertEqual("14 of 14 checks passed", cluster.finding_lines(told)[-1])

    def test_each_finding(self):
        sick = '[{"endpoint":"http://a","health":true},{"endpoint":"http://b","health":false,"error":"context deadline exceeded"}]'
        for want, change in {
            "patroni on b is failed": lambda h: h["b"]["cluster_units_seen"].update(stdout_lines=["active", "", "failed", "", "active"]),
            "haproxy on b is not known": lambda h: h["b"]["cluster_units_seen"].update(stdout_lines=["active", "", "active"]),
            "1 of 2 members are healthy": lambda h: [h[n]["cluster_etcd_seen"].update(stdout=sick) for n in "ab"],
            "etcdctl on a says nothing of the members: no such file": lambda h: [h[n]["cluster_etcd_seen"].update(stdout="", stderr="no such file") for n in "ab"],
            "VIP 10.0.0.100 is on no node": lambda h: h["a"]["cluster_contact"].update(stdout="inet 10.0.0.10/24 and 110.0.0.100/24"),
            "VIP 10.0.0.100 is on a and b": lambda h: h["b"]["cluster_contact"].update(stdout="inet 10.0.0.100/24"),
            "b (replica) is stopped": lambda h: h["a"]["cluster_seen"]["json"]["members"][1].update(state="stopped"),
            "timelines: 2, 3": lambda h: h["a"]["cluster_seen"]["json"]["members"][1].update(timeline=2),
            "1 of 2 members are in the cluster: b not": lambda h: h["a"]["cluster_seen"]["json"]["members"].pop(),
            "there is no leader": lambda h: h["a"]["cluster_seen"]["json"]["members"][0].update(role="replica"),
            "no connection was tried, since no member answers": lambda h: h["a"].pop("cluster_probe"),
            "the probe did not run: broken": lambda h: h["a"].update(cluster_probe={"failed": True, "msg": "broken"}),
            "b: unreachable: no route": lambda h: h["b"].update(cluster_contact={"unreachable": True, "msg": "no route"}),
            "b: Patroni does not answer: refused": lambda h: h["b"].update(cluster_seen={"status": -1, "msg": "refused"}),
            "b: no commands run there: Missing sudo password": lambda h: h["b"].update(cluster_contact={"msg": "Missing sudo password"}, cluster_seen={"skipped": True}),
        }.items():
            with self.subTest(want):
                hosts = self.hosts()
                change(hosts)
                self.assertIn(want, self.found(hosts))

    def test_one_member_of_etcd_that_is_down_is_asked_in_vain(self):
        hosts = self.hosts()
        hosts["a"]["cluster_etcd_seen"].update(stdout="", stderr="connection refused", rc=1)
        self.assertEqual([], self.found(hosts))

    def test_only_what_was_asked(self):
        hosts = self.hosts()
        del hosts["a"]["cluster_probe"], hosts["a"]["cluster_etcd_seen"], hosts["b"]["cluster_etcd_seen"]
        self.assertEqual([], self.found(hosts, ["services", "patroni", "vip"]))


if __name__ == "__main__":
    unittest.main()
