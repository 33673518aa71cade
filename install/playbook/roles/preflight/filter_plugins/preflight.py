"""What speaks against a cluster. One function a rule; each yields sentences that say what is wrong and the way out.

`site` is what the inventory and the variables say: groups {name: [host]}, hosts {name: {node_ip, patroni_name, …}},
variables {name: value}, unset (names of secrets that are missing or placeholders), ignored (files that Ansible passes over),
bundle (id of the control node's). `seen` is what the module pgbundle_node saw, by host: only those that this run reaches.
"""

import ipaddress
import re


def quorum(site, seen):
    members = site["groups"].get("etcd", [])
    if len(members) < 3 or len(members) % 2 == 0:
        yield (f"etcd has {len(members)} member(s): it needs an odd number, 3 or more, to have a majority when one is lost: "
               "add or remove hosts of the group etcd in inventory/hosts.yml")
    databases = site["groups"].get("patroni_cluster", [])
    if len(databases) < 2:
        yield f"patroni_cluster has {len(databases)} node(s): a failover needs 2 or more: add hosts to it in inventory/hosts.yml"


def words(site, seen):
    groups = site["groups"]
    for name in sorted({host for group in ("etcd", "patroni_cluster", "pgbouncer", "haproxy") for host in groups.get(group, [])}):
        address = site["hosts"][name].get("node_ip")
        if not address:
            yield f"{name} has no node_ip: set the address by which the other nodes reach it, in inventory/hosts.yml"
        elif not _is_ip(address):
            yield f"{name} has node_ip {address!r}, which is no IPv4 address: mend it in inventory/hosts.yml"
    for name in groups.get("patroni_cluster", []):
        if not site["hosts"][name].get("patroni_name"):
            yield f"{name} has no patroni_name: give it one (as a rule {name}) in inventory/hosts.yml"
    yield from _twice(site, "node_ip", "etcd", "patroni_cluster", "pgbouncer", "haproxy")
    yield from _twice(site, "patroni_name", "patroni_cluster")
    for name in sorted(set(groups.get("pgbouncer", [])) - set(groups.get("patroni_cluster", []))):
        yield f"{name} is in pgbouncer and not in patroni_cluster: PgBouncer serves the PostgreSQL beside it: take it out of the group"
    if site["variables"]["haproxy_backend_target"] == "pgbouncer":
        for name in sorted(set(groups.get("patroni_cluster", [])) - set(groups.get("pgbouncer", []))):
            yield (f"HAProxy leads to PgBouncer, and {name} has none: add it to the group pgbouncer, "
                   "or set haproxy_backend_target: postgresql")


def address(site, seen):
    routers = site["groups"].get("haproxy", [])
    if not routers:
        yield "the group haproxy is empty: nothing would hold the VIP: add hosts to it in inventory/hosts.yml"
        return
    masters = [name for name in routers if site["hosts"][name].get("keepalived_state") == "MASTER"]
    if len(masters) != 1:
        yield (f"{len(masters)} nodes have keepalived_state MASTER ({', '.join(masters) or 'none'}): exactly one has to, "
               "the others BACKUP: set it in inventory/hosts.yml")
    priorities = [str(site["hosts"][name].get("keepalived_priority", "")) for name in routers]
    if len(set(priorities)) < len(priorities) or not all(re.fullmatch(r"\d+", p) and 1 <= int(p) <= 254 for p in priorities):
        yield f"keepalived_priority is {', '.join(priorities)}: each node of haproxy needs one of its own, 1 to 254"
    vip, bits = site["variables"]["cluster_vip"], site["variables"]["cluster_vip_cidr"]
    try:
        net = ipaddress.ip_network(f"{vip}/{bits}", strict=False)
    except ValueError:
        yield f"cluster_vip {vip}/{bits} is no address: set cluster_vip and cluster_vip_cidr in group_vars/all/main.yml"
        return
    for name, host in sorted(site["hosts"].items()):
        if host.get("node_ip") == vip:
            yield f"cluster_vip {vip} is the address of {name}: take one that nothing uses"
    for name in routers:
        own = site["hosts"][name].get("node_ip")
        if _is_ip(own) and ipaddress.ip_address(own) not in net:
            yield (f"cluster_vip {vip}/{bits} is not in the network of {name} ({own}): nobody there would find it: "
                   "choose a free address of the nodes' own network")
    router = site["variables"]["keepalived_virtual_router_id"]
    if not re.fullmatch(r"\d+", str(router)) or not 1 <= int(router) <= 255:
        yield f"keepalived_virtual_router_id is {router}: it takes 1 to 255"


def wire(site, seen):
    """Needs to see every node that may hold the VIP: one that this run leaves out may rightly answer for it."""
    variables, routers = site["variables"], site["groups"].get("haproxy", [])
    vip = variables["cluster_vip"]
    ours = {host.get("node_ip") for host in site["hosts"].values()}
    for name in routers:
        looked = (seen.get(name) or {}).get("wire")
        if looked and looked["error"]:
            yield f"{name} has no interface {looked['error']}: set vip_interface to the one of its address (ip -br address)"
        for stranger in sorted(set((looked or {}).get("routers", [])) - ours):
            yield (f"{stranger} sends on the wire of {name} as virtual router {variables['keepalived_virtual_router_id']}, and is no node "
                   "of this cluster: set another keepalived_virtual_router_id")
    if not all(name in seen for name in routers):
        return
    holders = [name for name in routers for _, has in seen[name]["addresses"] if has == vip]
    answers = sorted({mac for name in routers for mac in (seen[name].get("wire") or {}).get("answers", [])})
    if answers and not holders:
        yield f"cluster_vip {vip} answers from {', '.join(answers)}, and no node of haproxy holds it: it is in use: choose a free address"


def memory(site, seen):
    size = _megabytes(site["variables"]["shared_buffers"])
    for name in site["groups"].get("patroni_cluster", []):
        has = (seen.get(name) or {}).get("memory")
        if has and size and size > has * 0.6:
            yield (f"{name} has {has} MB of memory, and the profile {site['variables']['postgresql_tuning_profile']} asks for shared_buffers of "
                   f"{size:.0f} MB: PostgreSQL would not start: take a smaller postgresql_tuning_profile")


def secrets(site, seen):
    for name in site["unset"]:
        yield f"{name} is not set or still a placeholder: put a password of your own into group_vars/all/vault.yml"
    if int(site["auth_pass_length"]) > 8:
        yield "keepalived_auth_pass is longer than 8 characters, and VRRP takes no more: shorten it in group_vars/all/vault.yml"
    for path in site["ignored"]:
        yield (f"{path} is there, and Ansible does not read it: move what it says into group_vars/all/ "
               f"(mv {path} {_read(path)})")


def clocks(site, seen):
    limit = float(site["variables"]["preflight_max_clock_offset"])
    clocks_of = {name: node["clock"] for name, node in seen.items()}
    if clocks_of:
        early, late = min(clocks_of, key=clocks_of.get), max(clocks_of, key=clocks_of.get)
        apart = clocks_of[late] - clocks_of[early]
        if apart > limit:
            yield (f"the clocks of {late} and {early} are {apart:.0f} s apart: leases would end at the wrong time: "
                   "set the clocks (chronyc makestep) and see that both have a time source (chronyc sources)")
    for name, node in sorted(seen.items()):
        if node["chrony"] and node["chrony"]["synchronised"] and node["chrony"]["offset"] > limit:
            yield f"the clock of {name} is {node['chrony']['offset']:.1f} s from its time source: run chronyc makestep there"


def storage(site, seen):
    folder = site["variables"]["postgresql_data_dir"]
    for name in site["groups"].get("patroni_cluster", []):
        data = (seen.get(name) or {}).get("data")
        if data and not data["empty"] and not data["ours"]:
            yield (f"{folder} on {name} is not empty, and not of this cluster: nothing is deployed over it: move it away, "
                   "or set postgresql_data_dir")


def bundles(site, seen):
    if str(site["offline"]) != "True":
        return
    others = {name: node["system"]["name"] for name, node in sorted(seen.items()) if not node["system"]["el"]}
    if others:
        yield (f"offline_mode is true, and {' and '.join(others)} run {' and '.join(sorted(set(others.values())))}: bundles are for RHEL 9 "
               "and what is built from it: deploy these nodes online (offline_mode: false), or take RHEL nodes")
    for name, node in sorted(seen.items()):
        if name in others:
            continue
        has = node["bundle"] or {"id": "", "target": False, "python": ""}
        if not has["id"] or not has["target"]:
            yield f"{name} has no bundle for a target: run there: pgbundle install --role target --bundle FILE"
        elif site["bundle"] and has["id"] != site["bundle"]:
            yield (f"{name} has bundle {has['id']}, and this control node {site['bundle']}: install the same on both, "
                   "or go back with pgbundle rollback")
        elif has["python"] and site["variables"]["patroni_python"] not in ("python" + has["python"], "/usr/bin/python" + has["python"]):
            yield (f"the wheels on {name} are for Python {has['python']}, and patroni_python is {site['variables']['patroni_python']}: "
                   f"set patroni_python: python{has['python']}, or build a bundle for the other Python")


RULES = (quorum, words, address, wire, memory, secrets, clocks, storage, bundles)


def findings(site, seen):
    """All findings, in the order of the rules."""
    return [sentence for rule in RULES for sentence in rule(site, seen)]


def _is_ip(text):
    try:
        return bool(text) and ipaddress.ip_address(str(text)).version == 4
    except ValueError:
        return False


def _twice(site, what, *groups):
    users = {}
    for name in sorted({host for group in groups for host in site["groups"].get(group, [])}):
        if site["hosts"][name].get(what):
            users.setdefault(site["hosts"][name][what], []).append(name)
    for value, names in users.items():
        if len(names) > 1:
            yield f"{' and '.join(names)} have the same {what} {value}: give each its own in inventory/hosts.yml"


def _megabytes(size):
    match = re.fullmatch(r"\s*(\d+)\s*(kB|MB|GB|TB)?\s*", str(size))
    if not match:
        return 0
    return int(match.group(1)) * {None: 8 / 1024, "kB": 1 / 1024, "MB": 1, "GB": 1024, "TB": 1024 * 1024}[match.group(2)]


def _read(path):
    return "group_vars/all/vault.yml" if path.endswith("vault.yml") else "group_vars/all/main.yml"


def hosts(names, hostvars):
    """What the inventory says of hosts, by name."""
    wanted = ("node_ip", "patroni_name", "keepalived_state", "keepalived_priority")
    return {name: {word: hostvars[name][word] for word in wanted if word in hostvars[name]} for name in names}


def unset(names, variables):
    """Those secrets that have no value, or the one of an example."""
    return [name for name in names if not str(variables.get(name) or "") or str(variables[name]).startswith(("ChangeMe", "ChgMe"))]


class FilterModule:
    """preflight_findings, and what gathers its input."""

    def filters(self):
        return {"preflight_findings": findings, "preflight_hosts": hosts, "preflight_unset": unset}
