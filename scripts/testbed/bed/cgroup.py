"""A control group per node: the one handle on everything that runs in it.

A process id can be taken over by a stranger; a group cannot. What a node is
killed and frozen by is its group in cgroup v2, which a host has at
/sys/fs/cgroup or, beside the old hierarchies, at /sys/fs/cgroup/unified.
"""

import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class Group:
    """The group `name` (a path of one or two names), and its twin in systemd's old hierarchy."""

    def __init__(self, name: str):
        unified = _ROOT if (_ROOT / "cgroup.controllers").exists() else _ROOT / "unified"
        if not (unified / "cgroup.controllers").exists():
            raise SystemExit("testbed: no cgroup v2 at /sys/fs/cgroup nor below it: nodes cannot be held")
        self._unified = unified / name
        # systemd-nspawn makes its own groups beside the caller's: two nodes must not share a caller's group
        self._folders = [self._unified] + ([_ROOT / "systemd" / name] if (_ROOT / "systemd").is_dir() else [])

    def make(self) -> list[Path]:
        """Make the group; the answer is where a process writes its id to enter it."""
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        return [folder / "cgroup.procs" for folder in self._folders]

    def holds(self, pid: int) -> bool:
        """Whether a process is in the group or below it."""
        below = "/" + str(self._unified.relative_to(_ROOT)).removeprefix("unified/")
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except FileNotFoundError:
            return False
        return any(line == f"0::{below}" or line.startswith(f"0::{below}/") for line in lines)

    def populated(self) -> bool:
        return self._unified.exists() and self._event("populated") == "1"

    def kill(self) -> None:
        """SIGKILL everything in it and wait until it is gone."""
        if self._unified.exists():
            (self._unified / "cgroup.kill").write_text("1")
            self._until("populated", "0")

    def freeze(self) -> None:
        (self._unified / "cgroup.freeze").write_text("1")
        self._until("frozen", "1")

    def thaw(self) -> None:
        (self._unified / "cgroup.freeze").write_text("0")
        self._until("frozen", "0")

    def remove(self) -> None:
        """Remove the group and those that the node made below it."""
        for top in self._folders:
            folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
            for folder in [*folders, top] if top.exists() else []:
                folder.rmdir()

    def _event(self, name: str) -> str:
        events = dict(line.split() for line in (self._unified / "cgroup.events").read_text().splitlines())
        return events[name]

    def _until(self, event: str, value: str) -> None:
        deadline = time.monotonic() + 20
        while self._event(event) != value:
            if time.monotonic() > deadline:
                raise SystemExit(f"testbed: {self._unified}: still not {event} {value} after 20 s")
            time.sleep(0.01)
