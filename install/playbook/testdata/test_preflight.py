"""Every refusal of the role preflight, and the cluster that none of them refuses."""
import copy
import importlib.util
import os
import sys
import tempfile
import types
import unittest
from pathlib import Path

ROLE = Path(__file__).resolve().parent.parent / "roles" / "preflight"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
    sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["ansible.module_utils.basic"].AnsibleModule = object
rules = load(ROLE / "filter_plugins" / "preflight.py")
node = load(ROLE / "library" / "pgbundle_node.py")

NAMES = ["n1", "n2", "n3"]
SITE = {
    "offline": True, "unset": [], "auth_pass_length": 8, "ignored": [], "bundle": "abcdefabcdef",
    "groups": {group: list(NAMES) for group in ("etcd", "patroni_cluster", "pgbouncer", "haproxy")},
    "hosts": {name: {"node_ip": f"10.0.0.1{n}", "patroni_name": name, "keepalived_state": "BACKUP" if n else "MASTER",
                     "keepalived_priority": 110 - 5 * n} for n, name in enumerate(NAMES)},
    "variables": {
        "cluster_vip": "10.0.0.100", "cluster_vip_cidr": 24, "haproxy_backend_target": "pgbouncer", "keepalived_virtual_router_id": 51,
        "postgresql_data_dir": "/var/lib/postgresql/16/data", "postgresql_tuning_profile": "minimal", "shared_buffers": "512MB",
        "patroni_python": "python3.9", "preflight_max_clock_offset": 5,
    },
}
SEEN = {name: {
    "clock": 0.2, "chrony": {"synchronised": True, "offset": 0.001}, "memory": 3900, "addresses": [["eth0", f"10.0.0.1{n}"]],
    "system": {"name": "Rocky Linux 9.4", "el": True}, "data": {"empty": True, "ours": False}, "bundle": {"id": "abcdefabcdef", "python": "3.9", "target": True},
    "wire": {"error": "", "answers": [], "routers": []},
} for n, name in enumerate(NAMES)}

# Of chronyc 4.3 on two hosts: one that follows its source, one without any, one 12.3 s off.
SYNCHRONISED = "C0A80001,192.168.0.1,3,1700000000.123456789,0.000012345,0.000023456,0.000034567,-12.345,0.001,0.045,0.000512,0.000345,64.4,Normal\n"
ALONE = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n"
FAR = "C0A80001,192.168.0.1,3,1700000000.123456789,-12.312345678,0.000023456,0.000034567,-12.345,0.001,0.045,0.000512,0.000345,64.4,Normal\n"

# os-release(5) of systems.
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
RHEL = 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nPRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"\n'
ORACLE = 'ID="ol"\nID_LIKE="fedora"\nPRETTY_NAME="Oracle Linux Server 9.4"\n'
ALMA = "ID='almalinux'\nID_LIKE='rhel centos fedora'\nPRETTY_NAME='AlmaLinux 9.4 (Seafoam Ocelot)'\n"

# name, what is changed (of the site, of what is seen), words of the one finding
CASES = [
    ("even etcd", lambda s, n: s["groups"]["etcd"].pop(), "etcd has 2 member(s): it needs an odd number"),
    ("small etcd", lambda s, n: s["groups"].update(etcd=["n1"]), "etcd has 1 member(s)"),
    ("one database", lambda s, n: [s["groups"].update({g: ["n1"]}) for g in ("patroni_cluster", "pgbouncer")], "patroni_cluster has 1 node(s)"),
    ("no node_ip", lambda s, n: s["hosts"]["n2"].pop("node_ip"), "n2 has no node_ip"),
    ("node_ip that is none", lambda s, n: s["hosts"]["n2"].update(node_ip="10.0.0.300"), "which is no IPv4 address"),
    ("same node_ip", lambda s, n: s["hosts"]["n2"].update(node_ip="10.0.0.10"), "n1 and n2 have the same node_ip"),
    ("no patroni_name", lambda s, n: s["hosts"]["n3"].pop("patroni_name"), "n3 has no patroni_name"),
    ("same patroni_name", lambda s, n: s["hosts"]["n3"].update(patroni_name="n1"), "n1 and n3 have the same patroni_name"),
    ("pgbouncer alone", lambda s, n: s["groups"].update(patroni_cluster=["n1", "n2"]), "n3 is in pgbouncer and not in patroni_cluster"),
    ("database without pgbouncer", lambda s, n: s["groups"].update(pgbouncer=["n1", "n2"]), "HAProxy leads to PgBouncer, and n3 has none"),
    ("no haproxy", lambda s, n: s["groups"].update(haproxy=[]), "the group haproxy is empty"),
    ("no MASTER", lambda s, n: s["hosts"]["n1"].update(keepalived_state="BACKUP"), "0 nodes have keepalived_state MASTER (none)"),
    ("two MASTERs", lambda s, n: s["hosts"]["n2"].update(keepalived_state="MASTER"), "2 nodes have keepalived_state MASTER (n1, n2)"),
    ("same priority", lambda s, n: s["hosts"]["n2"].update(keepalived_priority=110), "keepalived_priority is 110, 110, 100"),
    ("VIP outside", lambda s, n: [s["variables"].update(cluster_vip="10.0.9.9"), s["groups"].update(haproxy=["n1"])], "10.0.9.9/24 is not in the network of n1"),
    ("VIP that is no address", lambda s, n: s["variables"].update(cluster_vip="vip"), "cluster_vip vip/24 is no address"),
    ("VIP of a node", lambda s, n: s["variables"].update(cluster_vip="10.0.0.12"), "cluster_vip 10.0.0.12 is the address of n3"),
    ("VIP in use", lambda s, n: n["n2"]["wire"].update(answers=["02:00:00:00:00:01"]), "answers from 02:00:00:00:00:01"),
    ("router id", lambda s, n: s["variables"].update(keepalived_virtual_router_id=256), "it takes 1 to 255"),
    ("foreign router", lambda s, n: n["n2"]["wire"].update(routers=["10.0.0.77"]), "10.0.0.77 sends on the wire of n2 as virtual router 51"),
    ("interface", lambda s, n: n["n1"]["wire"].update(error="eth7: No such device"), "n1 has no interface eth7"),
    ("memory", lambda s, n: [s["variables"].update(shared_buffers="8GB", postgresql_tuning_profile="medium"), n.pop("n2"), n.pop("n3")], "the profile medium asks for shared_buffers of 8192 MB"),
    ("placeholder", lambda s, n: s.update(unset=["app_db_password"]), "app_db_password is not set or still a placeholder"),
    ("long auth_pass", lambda s, n: s.update(auth_pass_length=9), "longer than 8 characters"),
    ("ignored vault", lambda s, n: s.update(ignored=["/site/group_vars/vault.yml"]), "Ansible does not read it"),
    ("clocks apart", lambda s, n: n["n3"].update(clock=9.9), "the clocks of n3 and n1 are 10 s apart"),
    ("clock off its source", lambda s, n: n["n2"].update(chrony=node.tracking(FAR)), "the clock of n2 is 12.3 s from its time source"),
    ("foreign data", lambda s, n: n["n1"].update(data={"empty": False, "ours": False}), "/var/lib/postgresql/16/data on n1 is not empty"),
    ("no bundle", lambda s, n: n["n1"].update(bundle={"id": "", "python": "", "target": False}), "n1 has no bundle for a target"),
    ("Debian and a bundle", lambda s, n: [node_.update(system=node.system(DEBIAN), bundle={"id": "", "python": "", "target": False}) for node_ in n.values()],
     "offline_mode is true, and n1 and n2 and n3 run Debian GNU/Linux 12 (bookworm): bundles are for RHEL 9"),
    ("control node's bundle only", lambda s, n: n["n1"]["bundle"].update(target=False), "n1 has no bundle for a target"),
    ("other bundle", lambda s, n: n["n1"]["bundle"].update(id="111111111111"), "n1 has bundle 111111111111, and this control node abcdefabcdef"),
    ("other Python", lambda s, n: n["n1"]["bundle"].update(python="3.11"), "the wheels on n1 are for Python 3.11"),
]


class Preflight(unittest.TestCase):
    def test_whole_cluster(self):
        self.assertEqual([], rules.findings(SITE, SEEN))

    def test_each_refusal_alone(self):
        for name, change, words in CASES:
            with self.subTest(name):
                site, seen = copy.deepcopy(SITE), copy.deepcopy(SEEN)
                change(site, seen)
                found = rules.findings(site, seen)
                self.assertEqual(1, len(found), found)
                self.assertIn(words, found[0])
                self.assertIn(":", found[0], "no way out")

    def test_all_at_once(self):
        site, seen = copy.deepcopy(SITE), copy.deepcopy(SEEN)
        site["groups"]["etcd"].pop()
        site["unset"] = ["app_db_password"]
        seen["n1"]["data"] = {"empty": False, "ours": False}
        self.assertEqual(3, len(rules.findings(site, seen)))

    def test_what_is_right(self):
        for name, change in {
            "data of this cluster": lambda s, n: n["n1"].update(data={"empty": False, "ours": True}),
            "VIP that a node of ours holds": lambda s, n: [n["n2"]["wire"].update(answers=["02:00:00:00:00:01"]), n["n1"]["addresses"].append(["eth0", "10.0.0.100"])],
            "VIP whose holder this run leaves out": lambda s, n: [n["n2"]["wire"].update(answers=["02:00:00:00:00:01"]), n.pop("n1")],
            "our own routers": lambda s, n: n["n2"]["wire"].update(routers=["10.0.0.10"]),
            "online without bundles": lambda s, n: [s.update(offline=False), n["n1"].update(bundle=None)],
            "Debian online": lambda s, n: [s.update(offline=False), n["n1"].update(system=node.system(DEBIAN))],
            "a clock that nobody keeps": lambda s, n: n["n1"].update(chrony=node.tracking(ALONE)),
        }.items():
            with self.subTest(name):
                site, seen = copy.deepcopy(SITE), copy.deepcopy(SEEN)
                change(site, seen)
                self.assertEqual([], rules.findings(site, seen))

    def test_secrets(self):
        variables = {"a": "ChangeMe_app_2026!", "b": "x", "c": "", "d": "ChgMe_Ka"}
        self.assertEqual(["a", "c", "d", "e"], rules.unset(["a", "b", "c", "d", "e"], variables))

    def test_system(self):
        for text, el in {DEBIAN: False, RHEL: True, ORACLE: True, ALMA: True, "": False}.items():
            self.assertIs(el, node.system(text)["el"], text)
        self.assertEqual("Red Hat Enterprise Linux 9.4 (Plow)", node.system(RHEL)["name"])

    def test_bundle(self):
        lock = "lock:\n  target:\n    control_python: \"3.12\"\n    node_python: %s\n    node_python_full_versions: [3.11.2, 3.11.7]\n"
        for said, python in {'"3.11"': "3.11", '"3.9"': "3.9", "3.11.7": "3.11", '"3.11.7"': "3.11", "x": ""}.items():
            with self.subTest(said), tempfile.TemporaryDirectory() as base:
                with open(os.path.join(base, "manifest.yaml"), "w", encoding="utf-8") as file:
                    file.write(lock % said)
                self.assertEqual(python, node.bundle(base)["python"])

    def test_chronyc(self):
        self.assertEqual({"synchronised": True, "offset": 0.000012345}, node.tracking(SYNCHRONISED))
        self.assertFalse(node.tracking(ALONE)["synchronised"])
        self.assertIsNone(node.tracking("506 Cannot talk to daemon\n"))


if __name__ == "__main__":
    unittest.main()
