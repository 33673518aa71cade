"""Nodes: machines made of RPMs, with systemd as PID 1 and a network of their own.

A node is an overlay over an image, booted by systemd-nspawn in the node's
network namespace. Everything of it lies in one folder, runs in one control
group and is reached from one namespace, so that it can be removed whole, also
by a later run that knows nothing but the bed's folder.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bed import net
from bed.cgroup import Group
from bed.harden import USERS

# Beyond nspawn's own: what a cluster node changes (addresses, pings) and what a test looks into.
_CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_PTRACE"

# fapolicyd asks for these; nspawn's own list leaves them out.
_SYSTEM_CALLS = "fanotify_init fanotify_mark"

# Enter the node's groups before anything else: nspawn makes the node's group beside its own.
_ENTER = 'set -e; while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"'

# The overlay is mounted where only the node sees it: it goes when the node goes, however that ends.
_MOUNT = 'set -e; mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"; shift 2; exec "$@"'


class Nodes:
    """All nodes of the bed in `root`."""

    def __init__(self, root: Path):
        self.home = root / "nodes"
        self.ssh_config = self.home / "ssh_config"
        self.net = net.Net(root)
        self.group = "pgbundle-" + hashlib.sha256(str(root).encode()).hexdigest()[:6]

    def node(self, name: str) -> "Node":
        if name not in net.NAMES:
            raise SystemExit(f"testbed: no node is called {name}; there are {', '.join(net.NAMES)}")
        return Node(name, self)

    def sweep(self) -> None:
        """Remove every node and all of the network: also those of a run that was killed."""
        if self.home.exists():
            for name in net.NAMES:
                if (self.home / name).exists():
                    self.node(name).remove()
        Group(self.group).remove()
        self.net.remove()
        shutil.rmtree(self.home, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One change to what nodes share at a time: several may come up at once."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def key(self) -> str:
        """The public key that every node accepts for alice and bob; ssh_config names the private one."""
        if not (self.home / "id").exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", self.home / "id"], check=True)
            lines = [f"Host {' '.join(net.NAMES)}", "  User alice", f"  IdentityFile {self.home / 'id'}", "  IdentitiesOnly yes",
                     "  StrictHostKeyChecking no", "  UserKnownHostsFile /dev/null", "  LogLevel ERROR", "  BatchMode yes"]
            for name in net.NAMES:
                lines += [f"Host {name}", f"  HostName {net.address(name)}"]
            self.ssh_config.write_text("\n".join(lines) + "\n")
        return (self.home / "id.pub").read_text()


class Node:
    """One node; the verbs are the failures that a machine knows, and they are not the same failure."""

    def __init__(self, name: str, nodes: Nodes):
        self.name = name
        self._nodes = nodes
        self._home = nodes.home / name
        self._group = Group(f"{nodes.group}/{name}")

    def up(self, image: Path) -> None:
        """Power on: from `image` the first time, with its own disk as it was left after that."""
        if self._group.populated():
            raise SystemExit(f"testbed: {self.name} is up already")
        with self._nodes.alone():
            self._nodes.net.join(self.name)
            if not (self._home / "image").exists():
                self._install(image)
        procs = self._group.make()
        command = ["nsenter", f"--net=/run/netns/{self._nodes.net.namespace(self.name)}",
                   "unshare", "--mount", "--propagation=private",
                   "sh", "-c", _MOUNT, "sh", (self._home / "image").read_text(), str(self._home),
                   "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--directory={self._home / 'root'}",
                   f"--machine={self.name}", f"--hostname={self.name}", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                   "--console=pipe", f"--capability={_CAPABILITIES}", f"--system-call-filter={_SYSTEM_CALLS}"]
        # cgroup v2 as on EL 9; /tmp as the node's own fstab mounts it, not as nspawn would
        environment = os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
        with (self._home / "console.log").open("ab") as console:
            process = subprocess.Popen(["sh", "-c", _ENTER, "sh", *map(str, procs), "--", *command], env=environment,
                                       stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        (self._home / "pid").write_text(str(process.pid))

    def wait(self, seconds: float = 60) -> None:
        """Wait until every unit of the boot is done; a unit that failed is an error."""
        deadline = time.monotonic() + seconds
        state = "off"
        while time.monotonic() < deadline:
            if not self._group.populated():
                raise SystemExit(f"testbed: {self.name} went down while it booted:\n{self._console()}")
            asked = subprocess.run(self.entered("systemctl", "is-system-running", "--wait"), capture_output=True, text=True) if self._init() else None
            state = asked.stdout.strip() if asked else state
            if state == "running":
                return
            if state == "degraded":
                failed = subprocess.run(self.entered("systemctl", "--failed", "--plain", "--no-legend"), capture_output=True, text=True)
                raise SystemExit(f"testbed: {self.name} booted, and these units failed:\n{failed.stdout}{self._console()}")
            time.sleep(0.05)
        raise SystemExit(f"testbed: {self.name} is {state or 'not there'} after {seconds} s:\n{self._console()}")

    def execute(self, command: list[str]) -> int:
        """Run a command as root in the node, its standard streams ours; frozen and killed with the node."""
        procs = self._group.make()
        return subprocess.run(["sh", "-c", _ENTER, "sh", *map(str, procs), "--", *self.entered(*command)]).returncode

    def entered(self, *command: str) -> list[str]:
        """The command line that runs `command` in the node, as root on a hardened node would."""
        leader = self._init()
        if not leader:
            raise SystemExit(f"testbed: {self.name} is not up")
        return ["nsenter", f"--target={leader}", "--all", "/usr/bin/env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
                "LANG=C.UTF-8", "/bin/sh", "-c", 'umask 077; cd /root; exec "$@"', "sh", *command]

    def kill(self) -> None:
        """Every process dies at once. Peers see closed connections; the kernel goes on answering for the addresses."""
        self._group.kill()

    def poweroff(self) -> None:
        """The machine is gone in the middle of everything: peers see silence."""
        self._nodes.net.cut(self.name)
        self._group.kill()

    def stop(self, seconds: float = 60) -> None:
        """An orderly shutdown."""
        leader = self._init()
        if not leader:
            raise SystemExit(f"testbed: {self.name} is not up")
        os.kill(leader, signal.SIGRTMIN + 4)
        deadline = time.monotonic() + seconds
        while self._group.populated():
            if time.monotonic() > deadline:
                raise SystemExit(f"testbed: {self.name} did not stop within {seconds} s:\n{self._console()}")
            time.sleep(0.02)

    def pause(self) -> None:
        """Freeze the machine with its connections open, as a hypervisor does."""
        self._group.freeze()

    def resume(self) -> None:
        self._group.thaw()

    def cut(self) -> None:
        """Take the node off the network; it lives on."""
        self._nodes.net.cut(self.name)

    def heal(self) -> None:
        self._nodes.net.heal(self.name)

    def remove(self) -> None:
        """Remove the node and all that it ever wrote."""
        self._group.kill()
        self._group.remove()
        with self._nodes.alone():
            self._nodes.net.drop(self.name)
        shutil.rmtree(self._home, ignore_errors=True)

    def _install(self, image: Path) -> None:
        """What makes one machine out of the image: its name, its host keys, who may log in."""
        upper = self._home / "upper"
        (self._home / "work").mkdir(parents=True)
        (self._home / "root").mkdir()
        (upper / "etc/ssh").mkdir(parents=True)
        (upper / "etc/hostname").write_text(f"{self.name}\n")
        (upper / "etc/hosts").write_text(net.hosts())
        subprocess.run(["ssh-keygen", "-q", "-A", "-f", upper], check=True, stdout=subprocess.DEVNULL)
        (upper / "etc/ssh/authorized_keys").mkdir()
        for user in USERS:
            (upper / "etc/ssh/authorized_keys" / user).write_text(self._nodes.key())
        (self._home / "image").write_text(str(image))

    def _init(self) -> int:
        """The node's PID 1 as the host counts, 0 when there is none."""
        try:
            supervisor = int((self._home / "pid").read_text())
            children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        except FileNotFoundError:
            return 0
        return int(children[0]) if children and self._group.holds(int(children[0])) else 0

    def _console(self) -> str:
        return (self._home / "console.log").read_text(errors="replace")[-3000:]
