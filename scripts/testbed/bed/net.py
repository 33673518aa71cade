"""The nodes' network: a switch and one namespace per node, and no way out.

All of it lives in named network namespaces of this bed. Nothing of the host's
own network is touched, no interface leads out, and nobody forwards: the
gateway of the nodes is the hand, the namespace from which tests reach them.
"""

import hashlib
import subprocess
from pathlib import Path

NAMES = {"control": 10, **{f"n{i}": 10 + i for i in range(1, 10)}}  # a node's name → the last byte of its address
_NET = "10.77.0"
_HAND = 1
HAND = f"{_NET}.{_HAND}"  # from where tests reach the nodes


def address(name: str) -> str:
    return f"{_NET}.{NAMES[name]}"


def hosts() -> str:
    """The nodes' /etc/hosts."""
    return "127.0.0.1 localhost\n" + "".join(f"{address(name)} {name}\n" for name in NAMES)


class Net:
    """The namespaces of the bed in `root`; two beds on one machine do not meet."""

    def __init__(self, root: Path):
        self._prefix = "bed" + hashlib.sha256(str(root).encode()).hexdigest()[:6]
        self._switch = self.namespace("switch")
        self.hand = self.namespace("hand")

    def namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def join(self, name: str) -> None:
        """Plug a node's namespace in, as after power-on: what a life before left on it is gone."""
        present = self._present()
        if self._switch not in present:
            self._make_switch()
        if self.namespace(name) not in present:
            self._add(self.namespace(name))
        if not _has_link(self.namespace(name), "eth0"):
            self._plug(name)
        _ip(self.namespace(name), "address", "flush", "dev", "eth0", "scope", "global")
        _ip(self.namespace(name), "address", "add", f"{address(name)}/24", "dev", "eth0")
        self.heal(name)
        _ip(self.namespace(name), "route", "replace", "default", "via", f"{_NET}.{_HAND}")

    def cut(self, name: str) -> None:
        """Take the cable out of the switch: the node lives on and sees its own end up."""
        _ip(self._switch, "link", "set", _port(name), "down")

    def heal(self, name: str) -> None:
        _ip(self._switch, "link", "set", _port(name), "up")
        _ip(self.namespace(name), "link", "set", "eth0", "up")

    def drop(self, name: str) -> None:
        """Remove a node's namespace, if there is one."""
        present = self._present()
        if self.namespace(name) in present:
            _run("ip", "netns", "delete", self.namespace(name))
        if self._switch in present:
            self._unplug(name)

    def remove(self) -> None:
        """Remove every namespace of this bed."""
        for namespace in sorted(self._present()):
            _run("ip", "netns", "delete", namespace)

    def _present(self) -> set[str]:
        listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
        names = {line.split()[0] for line in listed.splitlines() if line}
        return {name for name in names if name.startswith(self._prefix + "-")}

    def _make_switch(self) -> None:
        self._add(self.hand)
        self._add(self._switch)
        _ip(self._switch, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
        _ip(self._switch, "link", "set", "br0", "up")
        self._plug("hand")
        _ip(self.hand, "address", "add", f"{_NET}.{_HAND}/24", "dev", "eth0")
        _ip(self.hand, "link", "set", "eth0", "up")

    def _plug(self, name: str) -> None:
        self._unplug(name)
        # one hardware address for ever: its peers remember it when a node is made anew
        last = NAMES.get(name, _HAND)
        _run("ip", "link", "add", "eth0", "address", f"02:00:0a:4d:00:{last:02x}", "netns", self.namespace(name), "type", "veth",
             "peer", "name", _port(name), "netns", self._switch)
        _ip(self._switch, "link", "set", _port(name), "master", "br0", "up")

    def _unplug(self, name: str) -> None:
        # the kernel takes a deleted namespace apart when it likes: its port on the switch has to be gone before the next one
        # comes, and may go at any moment of this
        if _has_link(self._switch, _port(name)):
            deleted = subprocess.run(["ip", "-n", self._switch, "link", "delete", _port(name)], capture_output=True, text=True)
            if deleted.returncode != 0 and _has_link(self._switch, _port(name)):
                raise RuntimeError(f"delete port {_port(name)} of {self._switch}: {deleted.stderr.strip()}")

    def _add(self, namespace: str) -> None:
        _run("ip", "netns", "add", namespace)
        _ip(namespace, "link", "set", "lo", "up")


def _has_link(namespace: str, link: str) -> bool:
    return subprocess.run(["ip", "-n", namespace, "link", "show", "dev", link], capture_output=True).returncode == 0


def _port(name: str) -> str:
    return f"p-{name}"


def _ip(namespace: str, *arguments: str) -> None:
    _run("ip", "-n", namespace, *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
