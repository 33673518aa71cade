"""The files of a package: taken out of a .deb into a build root, EL's way.

EL has a merged /usr and marks shared objects executable (rpm derives their
requirements only then). Manual pages and translations stay behind.
"""

import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
_DROPPED = re.compile(r"/usr/share/(man|info|locale|lintian|bug|doc-base|debhelper)(/|$)|/etc/(init\.d|sv)(/|$)")
_DOC = re.compile(r"/usr/share/doc(/|$)")
_LICENSE = re.compile(r"/usr/share/doc/[^/]+/copyright$")
_SHARED_OBJECT = re.compile(r"\.so(\.[\d.]+)?$")


@dataclass(frozen=True)
class Entry:
    """One path of a package as its %files line says it."""

    path: str
    kind: str  # "file", "dir" or "link"
    mode: int
    user: str = "root"
    group: str = "root"
    flag: str = ""  # "%config(noreplace)", "%license", "%caps(...)"


class Payload:
    """A build root and the entries in it."""

    def __init__(self, root: Path):
        self.root = root
        self.entries: dict[str, Entry] = {}

    def target(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def add_dir(self, path: str, mode: int = 0o755, user: str = "root", group: str = "root") -> None:
        self.target(path).mkdir(parents=True, exist_ok=True)
        self.entries[path] = Entry(path, "dir", mode, user, group)

    def add_text(self, path: str, text: str, mode: int = 0o644, flag: str = "") -> None:
        self._parent(path)
        self.target(path).write_text(text)
        self.entries[path] = Entry(path, "file", mode, flag=flag)

    def add_link(self, path: str, to: str) -> None:
        self._parent(path)
        self.target(path).symlink_to(to)
        self.entries[path] = Entry(path, "link", 0o777)

    def add_copy(self, path: str, source: Path, mode: int, flag: str = "") -> None:
        """Copy a file or a link as it is, with its time."""
        self._parent(path)
        shutil.copy2(source, self.target(path), follow_symlinks=False)
        kind = "link" if source.is_symlink() else "file"
        self.entries[path] = Entry(path, kind, mode, flag=flag)

    def move(self, old: str, new: str) -> None:
        """Move one file or link to where EL has it."""
        entry = self.entries.pop(old)
        self._parent(new)
        self.target(old).rename(self.target(new))
        self.entries[new] = replace(entry, path=new)

    def remove(self, path: str) -> None:
        del self.entries[path]
        self.target(path).unlink()

    def split(self, root: Path, belongs: "re.Pattern[str]") -> "Payload":
        """Move every entry whose path matches into a payload of its own."""
        other = Payload(root)
        for path in sorted(p for p in self.entries if belongs.search(p)):
            entry = self.entries.pop(path)
            if entry.kind == "dir":
                other.target(path).mkdir(parents=True, exist_ok=True)
            else:
                other._parent(path)
                self.target(path).rename(other.target(path))
            other.entries[path] = entry
        return other

    def mark(self, path: str, **changes: str | int) -> None:
        self.entries[path] = replace(self.entries[path], **changes)

    def _parent(self, path: str) -> None:
        self.target(path).parent.mkdir(parents=True, exist_ok=True)


def merge_usr(path: str) -> str:
    """The path after /bin, /sbin and /lib* became links into /usr."""
    first, _, rest = path.lstrip("/").partition("/")
    return f"/usr/{first}/{rest}".rstrip("/") if first in MERGED else path


def extract(deb: Path, root: Path, shared_dirs: frozenset[str], known_users: frozenset[str]) -> Payload:
    """Unpack `deb` below `root` and describe what was placed.

    Directories in `shared_dirs` belong to the image, not to the package.
    Owners that the node's base does not know become root, as after dpkg.
    """
    payload = Payload(root)
    root.mkdir(parents=True)
    conffiles = _conffiles(deb)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                path = merge_usr("/" + member.name.lstrip("./"))
                if _keep(path, member):
                    _place(payload, archive, member, path, shared_dirs, known_users)
    if process.returncode:
        raise RuntimeError(f"unpack {deb.name}: dpkg-deb failed")
    for path in conffiles & payload.entries.keys():
        payload.mark(path, flag="%config(noreplace)")
    return payload


def _keep(path: str, member: tarfile.TarInfo) -> bool:
    if _DOC.match(path):
        return bool(_LICENSE.match(path)) and member.isreg()
    return path != "/" and not _DROPPED.match(path)


def _place(payload: Payload, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str,
           shared_dirs: frozenset[str], known_users: frozenset[str]) -> None:
    user = member.uname if member.uname in known_users else "root"
    group = member.gname if member.gname in known_users else "root"
    target = payload.target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
        if path not in shared_dirs:
            payload.entries[path] = Entry(path, "dir", member.mode, user, group)
        return
    if member.issym():
        target.symlink_to(member.linkname)
        payload.entries[path] = Entry(path, "link", 0o777)
        return
    if member.islnk():
        os.link(payload.target(merge_usr("/" + member.linkname.lstrip("./"))), target)
    elif member.isreg():
        with target.open("wb") as out:
            shutil.copyfileobj(archive.extractfile(member), out)
        os.utime(target, (member.mtime, member.mtime))
    else:
        raise ValueError(f"{path}: neither file, link nor directory")
    mode = member.mode | (0o111 if _SHARED_OBJECT.search(path) else 0)
    os.chmod(target, mode)
    payload.entries[path] = Entry(path, "file", mode, user, group, "%license" if _LICENSE.match(path) else "")


def _conffiles(deb: Path) -> set[str]:
    shown = subprocess.run(["dpkg-deb", "--info", deb, "conffiles"], capture_output=True, text=True)
    return {merge_usr(line.split()[-1]) for line in shown.stdout.splitlines() if line.strip()}
