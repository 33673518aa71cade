"""The RPM "testbed-image": what a configured system has and no package ships.

On EL the packages setup, filesystem and rocky-release do this. Here it is the
difference between a base root that Debian's own scripts configured and the
files that dpkg knows: accounts, PAM and alternatives, the links of the merged
/usr, certificates; and the words by which a node is known as EL 9.4. Its
os-release says in VARIANT_ID what the node really is.
"""

import os
import re
import stat
import subprocess
from pathlib import Path

from bed.convert import SHARED_DIRS
from bed.payload import Payload, merge_usr
from bed.relations import Words
from bed.spec import Package, build

RELEASE = "9.4"

_NOT_STATE = re.compile(
    r"/(proc|sys|dev|run|tmp)/|/var/(cache|log|tmp|run|lock)/|/var/lib/(dpkg|apt|ucf|pam|systemd)(/|$)|/etc/(apt|dpkg|init\.d|rc.\.d)(/|$)"
    r"|/usr/share/(doc|man|info|locale|lintian|debconf)/|/etc/(resolv\.conf|hostname|machine-id|mtab|ld\.so\.cache|\.pwd\.lock)$"
    r"|/etc/(runit|ca-certificates\.conf)|\.wants/(apt|dpkg|e2scrub)"
    r"|/etc/ssh/ssh_host|/__pycache__/|\.pyc$|-$|/root/\."
)

_OS_RELEASE = f"""NAME="Rocky Linux"
PRETTY_NAME="Rocky-shaped test node (Debian 12 binaries in RPMs)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION="{RELEASE} (test bed)"
VERSION_ID="{RELEASE}"
PLATFORM_ID="platform:el9"
VARIANT_ID=pgbundle-testbed-debian12
"""


def make(base: Path, words: Words, absent: list[str], out: Path, work: Path, attrs: Path) -> None:
    """Build the RPM from the root `base` into `out`; a node lacks the packages `absent`."""
    payload = Payload(work / "root")
    for path in sorted(SHARED_DIRS - {"/"}):
        payload.add_dir(path, _mode(base, path))
    for folder in ("/etc/yum.repos.d", "/etc/dnf", "/etc/dnf/vars"):
        payload.add_dir(folder)
    for path in ("/var/run", "/var/lock"):
        del payload.entries[path]
        payload.target(path).rmdir()
    for path in _unowned(base):
        payload.add_copy(path, base / path.lstrip("/"), _mode(base, path))
    _identity(payload, base)
    build(_package([name for name in _essential(base, words) if name not in absent]), payload, out, work / "rpmbuild", attrs)


def _unowned(base: Path) -> list[str]:
    """Files and links of `base` that dpkg does not know and that are state."""
    owned = _owned(base)
    found = []
    for folder, dirs, files in os.walk(base):
        below = "/" + os.path.relpath(folder, base).removeprefix(".")
        links = [name for name in dirs if os.path.islink(f"{folder}/{name}")]
        dirs[:] = [name for name in dirs if not _NOT_STATE.search(f"{below.rstrip('/')}/{name}/")]
        for name in files + links:
            path = f"{below.rstrip('/')}/{name}"
            if path not in owned and not _NOT_STATE.search(path):
                found.append(path)
    return found


def _owned(base: Path) -> set[str]:
    lists = (base / "var/lib/dpkg/info").glob("*.list")
    return {merge_usr(line) for path in lists for line in path.read_text().splitlines()}


def _mode(base: Path, path: str) -> int:
    try:
        return stat.S_IMODE(os.lstat(base / path.lstrip("/")).st_mode)
    except FileNotFoundError:
        return 0o755


def _identity(payload: Payload, base: Path) -> None:
    """EL's words about the system, and its number for the group postgres."""
    payload.add_text("/usr/lib/os-release", _OS_RELEASE)
    payload.add_text("/etc/redhat-release", f"Rocky Linux release {RELEASE} (test bed)\n")
    group = (base / "etc/group").read_text().replace("tape:x:26:", "tape:x:926:")
    payload.target("/etc/group").write_text(group)
    payload.mark("/etc/shadow", mode=0o600, flag="%config(noreplace)")
    payload.mark("/etc/gshadow", mode=0o600, flag="%config(noreplace)")
    for path in ("/etc/passwd", "/etc/group"):
        payload.mark(path, flag="%config(noreplace)")


def _essential(base: Path, words: Words) -> list[str]:
    """What every Debian package relies on without a word (deb-control(5), Essential)."""
    query = ["dpkg-query", f"--admindir={base}/var/lib/dpkg", "-W", "-f", "${Essential} ${Package},"]
    shown = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    return words.plain(",".join(word.removeprefix("yes ") for word in shown.split(",") if word.startswith("yes ")))


def _package(requires: list[str]) -> Package:
    return Package(
        name="testbed-image", epoch="0", version=RELEASE, release="1", arch="x86_64",
        summary="Accounts, links and names of a test node",
        origin="What Debian's own scripts configure, taken from a base root made for the pgbundle test bed.",
        requires=requires,
        provides=[f"system-release = {RELEASE}", f"system-release(releasever) = {RELEASE}",
                  f"redhat-release = {RELEASE}", "system-release(platform) = el9"],
        built=1_700_000_000,
    )
