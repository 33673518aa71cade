"""Looks at a node before anything is changed: its system, addresses, memory, clock, data directory and bundle, and who else
is on its wire. Changes nothing. Python 3.9 and its standard library are all it needs."""

DOCUMENTATION = r"""
module: pgbundle_node
short_description: Look at a node before a cluster is deployed on it
description: Returns what the role preflight judges; nothing is changed.
options:
  data_dir: {type: path, required: true, description: PostgreSQL's data directory.}
  patroni_config: {type: path, required: true, description: Patroni's configuration file.}
  cluster_name: {type: str, required: true, description: Scope of the cluster.}
  base_dir: {type: path, description: Where the bundle is installed; none when deploying online.}
  interface: {type: str, description: Interface of the VIP; none on a node that never holds it.}
  address: {type: str, description: The node's own address.}
  vip: {type: str, description: The VIP.}
  router_id: {type: int, description: VRRP's virtual router id to listen for.}
  listen: {type: int, default: 0, description: Seconds to listen.}
  control_time: {type: float, required: true, description: The control node's clock when it asked.}
author: [pgbundle]
"""

RETURN = r"""
node: {type: dict, returned: always, description: what was seen}
"""

import csv
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

_ARP = 0x0806
_IPV4 = 0x0800
_VRRP = 112


def addresses():
    """Every IPv4 address of the node, as (interface, address)."""
    shown = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    return [[m.group(1), m.group(2)] for m in re.finditer(r"^\d+: (\S+)\s+inet ([\d.]+)", shown, re.M)]


def memory():
    """Megabytes of memory."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        return int(re.search(r"^MemTotal:\s+(\d+) kB", lines.read(), re.M).group(1)) // 1024


def chrony():
    """What chronyd says of the clock: None without chronyd, else (synchronised, seconds off)."""
    program = shutil.which("chronyc", path="/usr/local/bin:/usr/bin:/bin:/usr/sbin")
    if not program:
        return None
    asked = subprocess.run([program, "-c", "tracking"], capture_output=True, text=True, check=False)
    return tracking(asked.stdout) if asked.returncode == 0 else None


def tracking(text):
    """What a line of chronyc -c tracking says; None when it is none."""
    row = next(csv.reader([text.strip()]), [])
    if len(row) < 14:
        return None
    return {"synchronised": row[13] != "Not synchronised", "offset": abs(float(row[4]))}


def data(folder, config, cluster):
    """Whether the data directory holds something, and whether that is this cluster's."""
    try:
        empty = not os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        empty = not os.path.lexists(folder) or os.path.isdir(folder)
    ours = False
    try:
        with open(config, encoding="utf-8") as file:
            text = file.read()
        scope = re.search(r"^scope: \"?([^\"\n]*)\"?\s*$", text, re.M)
        place = re.search(r"^  data_dir: \"?([^\"\n]*)\"?\s*$", text, re.M)
        ours = bool(scope and place and scope.group(1) == cluster and place.group(1) == folder)
    except OSError:
        pass
    return {"empty": empty, "ours": ours}


def system(text):
    """What os-release(5) calls the system, and whether it is built from RHEL."""
    said = dict(re.findall(r"^(\w+)=[\"']?([^\"'\n]*)[\"']?$", text, re.M))
    return {"name": said.get("PRETTY_NAME", "an unknown system"),
            "el": bool({"rhel", "centos", "fedora"} & {said.get("ID", ""), *said.get("ID_LIKE", "").split()})}


def os_release():
    """The text of os-release(5)."""
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


def bundle(base):
    """Which bundle is installed, and the Python its wheels are for."""
    try:
        with open(os.path.join(base, "manifest.yaml"), "rb") as file:
            raw = file.read(32 << 20)
    except OSError:
        return {"id": "", "python": "", "target": False}
    python = re.search(rb"^\s+node_python: \"?(\d+\.\d+)(?:\.\d+)?\"?\s*$", raw, re.M)
    return {
        "id": hashlib.sha256(raw).hexdigest()[:12],
        "python": python.group(1).decode() if python else "",
        "target": os.path.isdir(os.path.join(base, "rpms", "repodata")),
    }


def wire(interface, own, vip, router, seconds):
    """Listen on the interface: who answers for the VIP, and which other machines send as our virtual router."""
    try:
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        link.bind((interface, 0))
    except OSError as error:
        return {"error": f"{interface}: {error.strerror}", "answers": [], "routers": []}
    group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:  # so that switches and the card let VRRP through
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.18") + socket.inet_aton(own))
    except OSError:
        pass
    with link, group:
        mac = link.getsockname()[4]
        answers, routers = set(), set()
        end = time.monotonic() + seconds
        asked = 0.0
        while (left := end - time.monotonic()) > 0:
            if time.monotonic() - asked > 0.5:
                asked = time.monotonic()
                link.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", _ARP, 1, _IPV4, 6, 4, 1)
                          + mac + socket.inet_aton(own) + b"\0" * 6 + socket.inet_aton(vip))
            link.settimeout(min(left, 0.5))
            try:
                frame = link.recv(2048)
            except socket.timeout:
                continue
            kind = int.from_bytes(frame[12:14], "big")
            if kind == _ARP and frame[20:22] == b"\0\2" and socket.inet_ntoa(frame[28:32]) == vip:
                answers.add(":".join(f"{byte:02x}" for byte in frame[22:28]))
            elif kind == _IPV4 and len(frame) > 34 and frame[23] == _VRRP:
                header = (frame[14] & 15) * 4
                packet = frame[14 + header:]
                if len(packet) > 2 and packet[0] & 15 == 1 and packet[1] == router:
                    routers.add(socket.inet_ntoa(frame[26:30]))
    return {"error": "", "answers": sorted(answers), "routers": sorted(routers)}


def main():
    """Look, and return what was seen."""
    text = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            "data_dir": {"type": "path", "required": True}, "patroni_config": {"type": "path", "required": True},
            "cluster_name": {"type": "str", "required": True}, "base_dir": {"type": "path"}, "interface": text, "address": text,
            "vip": text, "router_id": {"type": "int"}, "listen": {"type": "int", "default": 0},
            "control_time": {"type": "float", "required": True},
        },
        supports_check_mode=True,
    )
    want = module.params
    node = {
        "clock": time.time() - want["control_time"], "chrony": chrony(), "memory": memory(), "addresses": addresses(),
        "system": system(os_release()),
        "data": data(want["data_dir"], want["patroni_config"], want["cluster_name"]),
        "bundle": bundle(want["base_dir"]) if want["base_dir"] else None,
        "wire": wire(want["interface"], want["address"], want["vip"], want["router_id"], want["listen"])
        if want["interface"] and want["address"] and want["listen"] > 0 else None,
    }
    module.exit_json(changed=False, node=node)


if __name__ == "__main__":
    main()
