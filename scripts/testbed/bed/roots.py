"""Node images: roots that dnf made out of the bed's RPMs and nothing else.

The rpmdb of such a root is true by construction, and no Debian tool is in it
through which anything could slip in. `harden` then does what a site would.
"""

import os
import shutil
import subprocess
from pathlib import Path

from bed import fapolicyd
from bed.adapt import RPMDB
from bed.harden import harden


def make(repositories: Path, packages: list[str], out: Path) -> None:
    """Write `out`/root: `packages` installed from the bed's repositories.

    No key is imported: as after an installation from media, the rpmdb trusts
    nobody yet. What is in the repositories was made and signed here.
    """
    root = out / "root"
    sources = [f"--repofrompath={name},file://{repositories / name}" for name in sorted(os.listdir(repositories))]
    options = ["reposdir=/dev/null", f"cachedir={out / 'cache'}", "install_weak_deps=False", "module_platform_id=platform:el9"]
    # the host's rpm is Debian's: where the database lies in the root has to be said to it
    (out / "home").mkdir()
    (out / "home/.rpmmacros").write_text(f"%_dbpath {RPMDB}\n")
    subprocess.run(["dnf", "--quiet", "--assumeyes", "--noplugins", f"--installroot={root}", "--releasever=9", "--nogpgcheck", *sources,
                    *(f"--setopt={option}" for option in options), "install", *packages],
                   check=True, stdout=subprocess.DEVNULL, env=os.environ | {"HOME": str(out / "home")})
    subprocess.run(["ldconfig", "-r", root], check=True)
    (root / "etc/machine-id").write_text("")
    harden(root)
    if "fapolicyd" in packages:
        fapolicyd.enable(root)
    shutil.rmtree(out / "cache")
    shutil.rmtree(out / "home")
