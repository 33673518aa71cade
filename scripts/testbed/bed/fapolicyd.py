"""fapolicyd on a node, as the RHEL 9 STIG asks for it.

The daemon is Debian's, the rules are those that RHEL enables ("known-libs" in
the daemon's own README-rules), the kernel asks it for every open and exec.
Debian built it without rpm's backend: what the rpmdb would say stands in a
trust file here. Integrity is checked by sha256, so that a trust file with a
wrong digest shows.
"""

import re
import shutil
import subprocess
from pathlib import Path

from bed.adapt import RPMDB

_RULES = ("10-languages", "20-dracut", "21-updaters", "30-patterns", "40-bad-elf", "41-shared-obj", "42-trusted-elf",
          "70-trusted-lang", "72-shell", "90-deny-execute", "95-allow-open")

_CONFIG = {
    "trust": "file",
    "integrity": "sha256",
    "watch_fs": "ext2,ext3,ext4,tmpfs,xfs,vfat,iso9660,btrfs,overlay",  # a node's disk is an overlay
    # as its own user the daemon wants to keep CAP_SYS_RESOURCE, which not every machine has to give
    "uid": "root",
    "gid": "root",
}


def enable(root: Path) -> None:
    """Turn the daemon on in a finished root; every file of a package is trusted, and nothing else."""
    settings = root / "etc/fapolicyd/fapolicyd.conf"
    text = settings.read_text()
    for name, value in _CONFIG.items():
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
    settings.write_text(text)
    for rule in _RULES:
        shutil.copy(root / f"usr/share/fapolicyd/sample-rules/{rule}.rules", root / "etc/fapolicyd/rules.d")
    (root / "etc/fapolicyd/trust.d/rpmdb").write_text("".join(_trusted(root)))
    subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", "fapolicyd.service"], check=True)


def _trusted(root: Path) -> list[str]:
    """Lines "path size sha256" for every regular file of every package."""
    form = "[%{FILEMODES:octal} %{FILESIZES} %{FILEDIGESTS} %{FILENAMES}\n]"
    shown = subprocess.run(["rpm", "--root", root, "--dbpath", RPMDB, "-qa", "--queryformat", form], check=True, capture_output=True, text=True).stdout
    files = [line.split(" ", 3) for line in shown.splitlines()]
    return sorted(f"{path} {size} {digest}\n" for mode, size, digest, path in files
                  if digest and " " not in path and (int(mode, 8) & 0o170000) == 0o100000)
