"""Debian changelogs (deb-changelog(5)) as RPM's %changelog."""

import gzip
import re
import subprocess
import tarfile
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from bed.relations import evr_text

_HEAD = re.compile(r"^\S+ \(([^)]+)\) ")
_TAIL = re.compile(r"^ -- (.*?)\s\s+(.*)$")
_ENTRIES = 4


@dataclass
class Change:
    version: str
    lines: list[str]
    author: str = ""
    when: int = 0  # seconds since 1970
    day: str = ""


def of(deb: Path) -> str:
    """The newest entries of a package's changelog; "" when its doc folder is another's."""
    text = _read(deb)
    changes = _parse(text.splitlines())
    for newer, older in zip(changes, changes[1:]):
        if older.when > newer.when:  # rpmbuild refuses a list that is out of order
            changes = changes[: changes.index(older)]
            break
    return "\n\n".join(_render(change) for change in changes)


def _read(deb: Path) -> str:
    wanted = re.compile(r"/usr/share/doc/[^/]+/changelog\.(Debian\.)?gz$")
    found: dict[str, bytes] = {}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if member.isreg() and wanted.search(member.name):
                    found[member.name] = archive.extractfile(member).read()
    if not found:
        return ""
    name = max(found, key=lambda path: "Debian" in path)
    return gzip.decompress(found[name]).decode("utf-8", "replace")


def _parse(lines: list[str]) -> list[Change]:
    changes: list[Change] = []
    current: Change | None = None
    for line in lines:
        head, tail = _HEAD.match(line), _TAIL.match(line)
        if head:
            current = Change(head[1], [])
        elif tail and current:
            moment = parsedate_to_datetime(tail[2])
            current.author, current.when, current.day = tail[1], int(moment.timestamp()), moment.strftime("%a %b %d %Y")
            changes.append(current)
            current = None
            if len(changes) == _ENTRIES:
                break
        elif current and line.strip():
            current.lines.append(line.strip())
    return changes


def _render(change: Change) -> str:
    head = f"* {change.day} {change.author} - {evr_text(change.version)}"
    body = [f"- {line.removeprefix('* ')}" if line.startswith("* ") else f"  {line.lstrip('*')}" for line in change.lines]
    return "\n".join([head, *body]).replace("%", "%%")
