"""What operations make of the answers of a cluster's members. Nothing here connects to anything: Patroni's REST API says
how the cluster is (GET /cluster, the same words in 3.x and 4.x), and these filters judge it."""

import json
import math
import re

WELL = ("running", "streaming")  # of a replica 3.0 says running, later ones say streaming once it follows
LEADERS = ("leader", "master", "standby_leader")
_REGISTERED = ("cluster_contact", "cluster_seen", "cluster_units_seen", "cluster_etcd_seen", "cluster_probe")
RECORD = "pgbundle"  # key in the store's document that remembers which parameters were set from a site's variables


def state(seen, expected=()):
    """What /cluster said, as one dict that needs no default: members by name, who leads, who stands by, who is missing."""
    members = []
    for found in sorted((seen or {}).get("members") or [], key=lambda member: member["name"]):
        leads = found.get("role") in LEADERS
        lag = found.get("lag")
        members.append({
            "name": found["name"],
            "role": "leader" if leads else found.get("role", "").replace("quorum_standby", "sync_standby"),
            "state": found.get("state", ""),
            "address": found.get("host", ""),
            "timeline": found.get("timeline"),
            "lag": 0 if leads else lag if isinstance(lag, int) else None,
            "pending_restart": bool(found.get("pending_restart")),
            "pending_restart_reason": found.get("pending_restart_reason") or {},
            "nofailover": bool((found.get("tags") or {}).get("nofailover")),
        })
    names = [member["name"] for member in members]
    leaders = [member for member in members if member["role"] == "leader"]
    return {
        "members": members,
        "leaders": [member["name"] for member in leaders],
        "leader": leaders[0]["name"] if leaders else "",
        "timeline": leaders[0]["timeline"] if leaders else None,
        "sync_standbys": [member["name"] for member in members if member["role"] == "sync_standby"],
        "pending_restart": [member["name"] for member in members if member["pending_restart"]],
        "missing": sorted(set(expected) - set(names)),
        "strangers": sorted(set(names) - set(expected)) if expected else [],
        "paused": bool((seen or {}).get("pause")),
    }


def unsettled(now, name, lag, sync=False):
    """Why the member is not back at its place yet: sentences, none when it is. lag: bytes that a replica may be behind;
    sync: whether the leader is to have a synchronous standby."""
    reasons = []
    leader = _member(now, now["leader"])
    member = _member(now, name)
    if not leader:
        reasons.append("there is no leader")
    elif leader["state"] != "running":
        reasons.append(f"the leader {leader['name']} is {leader['state']}")
    if not member:
        reasons.append(f"{name} is no member of the cluster")
    elif member["state"] not in WELL:
        reasons.append(f"{name} is {member['state'] or 'in no state'}")
    elif leader and member is not leader:
        if member["timeline"] != leader["timeline"]:
            reasons.append(f"{name} is on timeline {member['timeline']}, the leader on {leader['timeline']}")
        if member["lag"] is None or member["lag"] > int(lag):
            reasons.append(f"{name} is {'an unknown number of' if member['lag'] is None else member['lag']} bytes behind")
    if sync and not now["sync_standbys"]:
        reasons.append("the leader has no synchronous standby")
    return reasons


def switchover_refusals(now, target, sync):
    """Why the leader cannot be moved to the member: sentences, none when it can. Being the leader already is none."""
    names = ", ".join(member["name"] for member in now["members"])
    member = _member(now, target)
    if not now["leader"]:
        return ["the cluster has no leader to switch from: patronictl failover is the way to make one by hand"]
    if not member:
        return [f"{target} is no member that is up: the members are {names}"]
    if member["role"] == "leader":
        return []
    refusals = []
    if member["state"] not in WELL:
        refusals.append(f"{target} is {member['state']}, neither running nor streaming: wait until it is, or bring it back with patronictl reinit")
    if member["nofailover"]:
        refusals.append(f"{target} has the tag nofailover: take a member that may lead")
    if sync and member["role"] != "sync_standby":
        standbys = ", ".join(now["sync_standbys"]) or "none at the moment"
        refusals.append(f"{target} is no synchronous standby, and synchronous mode lets nobody else lead: those that may are {standbys}")
    return refusals


def replicas(now):
    """Names of the replicas that are up."""
    return [member["name"] for member in now["members"] if member["role"] != "leader" and member["state"] in WELL]


def words(now):
    """How the cluster is, in a few lines to stand below patronictl's table."""
    lines = []
    if not now["leader"]:
        lines.append("there is no leader: nobody accepts writes")
    else:
        standbys = ", ".join(now["sync_standbys"])
        lines.append(f"leader: {now['leader']}, timeline {now['timeline']}" + (f", synchronous standby: {standbys}" if standbys else ""))
    behind = [f"{m['name']} by {'an unknown amount' if m['lag'] is None else _size(m['lag'])}" for m in now["members"] if m["lag"] is None or m["lag"] >= 1 << 20]
    if behind:
        lines.append("behind: " + ", ".join(behind))
    if now["pending_restart"]:
        lines.append("pending restart: " + ", ".join(
            m["name"] + _reasons(m["pending_restart_reason"]) for m in now["members"] if m["pending_restart"]))
    if now["missing"]:
        lines.append("not in the cluster: " + ", ".join(now["missing"]))
    if now["paused"]:
        lines.append("maintenance mode is on: nobody takes over from a leader that dies (patronictl resume ends it)")
    return lines


def restart_order(now, only_pending=False):
    """Names of the members to restart, replicas first and the leader last. Those that are not up are left out."""
    chosen = [m for m in now["members"] if m["state"] in WELL and (m["pending_restart"] or not only_pending)]
    return [m["name"] for m in chosen if m["role"] != "leader"] + [m["name"] for m in chosen if m["role"] == "leader"]


def dcs_wanted(wanted):
    """The store's document for a site's variables, with the record of which parameters they set."""
    document = {key: _number(value) for key, value in wanted.items() if key != "postgresql"}
    document["postgresql"] = {key: value for key, value in wanted["postgresql"].items() if key != "parameters"}
    document["postgresql"]["parameters"] = {name: _number(value) for name, value in wanted["postgresql"]["parameters"].items()}
    document[RECORD] = {"parameters": sorted(document["postgresql"]["parameters"])}
    return document


def dcs_patch(current, wanted, ours):
    """What turns the store's document into the wanted one: the least to hand to patronictl edit-config --apply, where null
    removes a key, and the changes in words. A parameter that is no longer wanted goes when it was once set from the
    site's variables: the record in the document says so, and before there is one, ours, the names in the variables.
    What was put there by hand stays."""
    wanted = dcs_wanted(wanted)
    recorded = ((current.get(RECORD) or {}).get("parameters")) or list(ours)
    parameters = dict(wanted["postgresql"]["parameters"])
    had = (current.get("postgresql") or {}).get("parameters") or {}
    for name in recorded:
        if name not in parameters and name in had:
            parameters[name] = None
    wanted["postgresql"]["parameters"] = parameters
    patch, changes = _difference(current, wanted, "")
    return {
        "patch": patch,
        "changes": [change for change in changes if not change["key"].startswith(RECORD + ".")],
    }


def dcs_change_words(changes):
    """A line each, aligned."""
    width = max((len(change["key"]) for change in changes), default=0)
    return [
        f"{change['key']:<{width}}  {_said(change['from'])} -> {_said(change['to'])}"
        for change in sorted(changes, key=lambda change: change["key"])
    ]


def findings(hostvars, groups, parts, vip):
    """What verify-cluster found, as [check, ok, says] dicts, from what tasks registered at each host. Only what is in parts
    was looked at."""
    nodes = sorted({host for group in ("etcd", "patroni_cluster", "pgbouncer", "haproxy") for host in groups.get(group, [])})
    seen = {node: {name: hostvars[node].get(name) or {} for name in _REGISTERED} for node in nodes}
    silence = silent([(node, seen[node]["cluster_contact"], seen[node]["cluster_seen"]) for node in nodes])
    told = [_finding("nodes", False, f"{node}: {reason}") for node, reason in sorted(silence.items())]
    if "services" in parts:
        for node in nodes:
            told += _services(node, seen[node]["cluster_units_seen"])
    if "etcd" in parts:
        told += _etcd([(node, seen[node]["cluster_etcd_seen"]) for node in nodes if "rc" in seen[node]["cluster_etcd_seen"]], len(groups["etcd"]))
    if "patroni" in parts:
        answers = [seen[node]["cluster_seen"]["json"] for node in nodes if seen[node]["cluster_seen"].get("status") == 200]
        told += _patroni(state(answers[0], [hostvars[node]["patroni_name"] for node in groups["patroni_cluster"]]) if answers else None)
    if "vip" in parts:
        on = holders([(node, seen[node]["cluster_contact"]) for node in groups.get("haproxy", [])], vip)
        told.append(_finding("vip", len(on) == 1, f"VIP {vip} is on {' and '.join(on) or 'no node'}"))
    if {"sql", "replication"} & set(parts):
        probes = [seen[node]["cluster_probe"] for node in nodes if seen[node]["cluster_probe"]]
        told += _probe(probes[0] if probes else None)
    return told


def finding_lines(told):
    """A line each; what is wrong comes last, where it is read."""
    lines = [f"{'ok   ' if finding['ok'] else 'FAIL '} {finding['check']}: {finding['says']}" for finding in sorted(told, key=lambda f: not f["ok"])]
    bad = sum(not finding["ok"] for finding in told)
    return lines + [f"{len(told) - bad} of {len(told)} checks passed" + (f", {bad} FAILED" if bad else "")]


def megabytes(size):
    """A size as PostgreSQL writes it, of 8 kB pages without a unit, in MB; 0 when it is none."""
    match = re.fullmatch(r"\s*(\d+)\s*(B|kB|MB|GB|TB)?\s*", str(size))
    if not match:
        return 0
    unit = {None: 8 / 1024, "B": 1 / 1048576, "kB": 1 / 1024, "MB": 1, "GB": 1024, "TB": 1048576}
    return math.ceil(int(match.group(1)) * unit[match.group(2)])


def silent(contacts):
    """Why nodes do not answer, as {node: reason}, from [node, first contact, Patroni's answer]."""
    reasons = {}
    for node, contact, answer in contacts:
        contact, answer = contact or {}, answer or {}
        if contact.get("unreachable"):
            reasons[node] = "unreachable: " + _line(contact.get("msg"))
        elif contact.get("rc") != 0:
            reasons[node] = "no commands run there: " + _line(contact.get("msg") or contact.get("stderr") or contact.get("module_stderr"))
        elif answer.get("unreachable"):
            reasons[node] = "unreachable: " + _line(answer.get("msg"))
        elif "status" in answer and answer["status"] != 200:
            reasons[node] = "Patroni does not answer: " + _line(answer.get("msg"))
        elif "status" not in answer and not answer.get("skipped"):
            reasons[node] = "Patroni was not asked: " + _line(answer.get("msg"))
    return reasons


def holders(contacts, address):
    """Which of the nodes, as [node, first contact], has the address."""
    pattern = re.compile(rf"\binet {re.escape(str(address))}/")
    return [node for node, contact in contacts if pattern.search((contact or {}).get("stdout", ""))]


def addresses(now, nodes, port, poolers, pooler_port):
    """Where each member of the inventory listens, and what it is at the moment; nodes are their variables, poolers the names
    of those with a PgBouncer."""
    rows = []
    for node in nodes:
        seen = _member(now, node["patroni_name"]) or {"role": "not in the cluster", "state": ""}
        rows.append({
            "name": node["patroni_name"],
            "role": seen["role"],
            "state": seen["state"],
            "postgresql": f"{node['node_ip']}:{port}",
            "pgbouncer": f"{node['node_ip']}:{pooler_port}" if node["inventory_hostname"] in poolers else "",
        })
    return rows


def urls(hosts, port):
    """The services' addresses as URLs."""
    return [f"http://{host}:{port}" for host in hosts]


def text(lines):
    """Lines as one text."""
    return "\n".join(str(line).strip("\n") for line in lines if line)


def nodes(hosts):
    """Name and address of each host, from its variables."""
    return [{"name": host.get("patroni_name") or host["inventory_hostname"], "address": host["node_ip"]} for host in hosts]


def columns(rows):
    """Rows of words as lines, in columns."""
    widths = [max(len(str(row[i])) for row in rows if len(row) > i) for i in range(max(len(row) for row in rows))] if rows else []
    return ["  ".join(f"{str(word):<{width}}" for word, width in zip(row, widths)).rstrip() for row in rows]


def _finding(check, good, says):
    return {"check": check, "ok": bool(good), "says": says}


def _services(node, result):
    """From systemctl show --property=ActiveState --value UNIT…"""
    command = list(result.get("cmd") or [])
    states = [line for line in result.get("stdout_lines") or [] if line]
    units = command[command.index("--value") + 1:] if "--value" in command else []
    return [_finding("services", says == "active", f"{unit} on {node} is {says}")
            for unit, says in zip(units, states + ["not known"] * (len(units) - len(states)))]


def _etcd(asked, members):
    """From what etcdctl endpoint health --cluster said on each node, and how many members there should be. A node whose own
    member is down cannot say it; any other can."""
    said = []
    for node, result in asked:
        try:
            health = json.loads(result.get("stdout") or "")
        except ValueError:
            said.append(_finding("etcd", False, f"etcdctl on {node} says nothing of the members: {_line(result.get('stderr') or result.get('msg'))}"))
            continue
        well = [member for member in health if member.get("health")]
        told = [_finding("etcd", len(well) == members, f"{len(well)} of {members} members are healthy")]
        return told + [_finding("etcd", False, f"{m['endpoint']}: {_line(m.get('error'))}") for m in health if not m.get("health")]
    return said or [_finding("etcd", False, "no etcd node answers")]


def _patroni(now):
    """From the state of the cluster as a member that answers sees it; None when none does."""
    if now is None:
        return [_finding("patroni", False, "no member answers")]
    told = [_finding("patroni", len(now["leaders"]) == 1, f"the leader is {' and '.join(now['leaders'])}" if now["leaders"] else "there is no leader")]
    expected = len(now["members"]) - len(now["strangers"]) + len(now["missing"])
    told.append(_finding("patroni", not now["missing"] and not now["strangers"], f"{len(now['members'])} of {expected} members are in the cluster"
                         + (f": {', '.join(now['missing'])} not" if now["missing"] else "")
                         + (f": {', '.join(now['strangers'])} not in the inventory" if now["strangers"] else "")))
    for member in now["members"]:
        told.append(_finding("patroni", member["state"] in WELL, f"{member['name']} ({member['role']}) is {member['state'] or 'in no state'}"))
    timelines = sorted({str(member["timeline"]) for member in now["members"]})
    told.append(_finding("patroni", len(timelines) == 1, f"timelines: {', '.join(timelines) or 'none'}"))
    if now["paused"]:
        told.append(_finding("patroni", False, "maintenance mode is on: nobody takes over from a leader that dies (patronictl resume ends it)"))
    return told


def _probe(result):
    """From what pgbundle_probe returned; None when no member was there to try it from."""
    if result is None:
        return [_finding("sql", False, "no connection was tried, since no member answers")]
    if "checks" not in result:
        return [_finding("sql", False, "the probe did not run: " + _line(result.get("msg")))]
    return result["checks"]


def _member(now, name):
    return next((member for member in now["members"] if member["name"] == name), None)


def _size(number):
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"


def _reasons(reasons):
    told = [f"{name}: {value.get('old_value')} -> {value.get('new_value')}" for name, value in sorted(reasons.items()) if isinstance(value, dict)]
    return f" ({', '.join(told)})" if told else ""


def _number(value):
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value


def _difference(current, wanted, path):
    patch, changes = {}, []
    for key, value in wanted.items():
        here = f"{path}.{key}" if path else key
        old = current.get(key)
        if isinstance(value, dict):
            below, changed = _difference(old if isinstance(old, dict) else {}, value, here)
            if below or (not isinstance(old, dict) and value):
                patch[key] = below
                changes += changed
        elif value is None and key not in current:
            continue
        elif key not in current or value is None or str(old) != str(value):  # Patroni compares as words too
            patch[key] = value
            changes.append({"key": here, "from": old, "to": value})
    return patch, changes


def _said(value):
    return "(none)" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _line(text):
    words = " ".join(str(text or "no reason was given").split())
    return words if len(words) <= 200 else words[:197] + "..."


class FilterModule:
    """The filters cluster_*."""

    def filters(self):
        return {
            "cluster_state": state,
            "cluster_words": words,
            "cluster_unsettled": unsettled,
            "cluster_switchover_refusals": switchover_refusals,
            "cluster_restart_order": restart_order,
            "cluster_dcs": dcs_wanted,
            "cluster_dcs_patch": dcs_patch,
            "cluster_dcs_change_words": dcs_change_words,
            "cluster_findings": findings,
            "cluster_finding_lines": finding_lines,
            "cluster_megabytes": megabytes,
            "cluster_silent": silent,
            "cluster_holders": holders,
            "cluster_addresses": addresses,
            "cluster_urls": urls,
            "cluster_nodes": nodes,
            "cluster_replicas": replicas,
            "cluster_text": text,
            "cluster_columns": columns,
        }
