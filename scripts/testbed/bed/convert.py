"""One .deb → one RPM (or, where EL splits what Debian has whole, several)."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bed import changelog
from bed.adapt import ADAPT
from bed.payload import extract
from bed.relations import Words, evr
from bed.spec import Package, build

ARCH = {"amd64": "x86_64", "all": "noarch"}

# Folders that every package uses and the image owns (EL: package "filesystem").
SHARED_DIRS = frozenset("""
/ /boot /dev /etc /etc/cron.d /etc/cron.daily /etc/default /etc/logrotate.d /etc/pam.d /etc/profile.d /home /media /mnt
/opt /proc /root /run /srv /sys /tmp /usr /usr/bin /usr/games /usr/include /usr/lib /usr/lib/python3
/usr/lib/python3/dist-packages /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d
/usr/lib/x86_64-linux-gnu /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/sbin /usr/sbin /usr/share
/usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/doc /usr/src /var /var/cache /var/lib
/var/local /var/log /var/lock /var/mail /var/opt /var/run /var/spool /var/tmp
""".split())


@dataclass(frozen=True)
class Rules:
    """What a conversion needs to know beside the .deb itself."""

    words: Words
    known_users: frozenset[str]
    attrs: Path  # dependency generators


def control(deb: Path) -> dict[str, str]:
    """The control fields of a package."""
    text = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^([\w-]+): ?(.*(?:\n .*)*)$", text, re.M))


def describe(deb: Path, words: Words) -> Package:
    """The RPM's header as Debian's control file has it."""
    field = control(deb)
    epoch, version, release = evr(field["Version"])
    name = words.rename.get(field["Package"], field["Package"])
    # A versioned Breaks is about upgrades from old builds, which this distribution does not have;
    # and RPM, unlike dpkg, lets a Provides without a version meet it.
    conflicts = [word for word in words.plain(field.get("Conflicts")) if " " not in word]
    return Package(
        name=name, epoch=epoch, version=version, release=release, arch=ARCH[field["Architecture"]],
        summary=field["Description"].splitlines()[0][:200],
        origin=f"Debian's {field['Package']} {field['Version']}, converted for the pgbundle test bed.",
        url=field.get("Homepage", ""),
        requires=words.requires(field.get("Pre-Depends"), field.get("Depends")),
        provides=words.plain(field.get("Provides")),
        conflicts=[word for word in conflicts if word.split()[0] != name],
        recommends=words.requires(field.get("Recommends")),
        suggests=words.requires(field.get("Suggests")),
        changelog=changelog.of(deb),
        built=_built(deb),
    )


def _built(deb: Path) -> int:
    """When Debian built the package: the time of the first ar(5) member."""
    with deb.open("rb") as file:
        return int(file.read(8 + 28)[8 + 16:])


def convert(rules: Rules, out: Path, deb: Path) -> None:
    """Write the RPM or RPMs made of `deb` to `out`."""
    name = deb.name.partition("_")[0]
    work = out / ".work" / name
    package = describe(deb, rules.words)
    payload = extract(deb, work / "root", SHARED_DIRS, rules.known_users)
    adapt = ADAPT.get(name, lambda package, payload, _: [(package, payload)])
    for piece, files in adapt(package, payload, work):
        build(piece, files, out, work / "rpmbuild", rules.attrs)
    shutil.rmtree(work)


def convert_all(rules: Rules, out: Path, debs: list[Path]) -> None:
    """Convert on every core; all failures are told together."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = [deb for deb in debs if deb.name.partition("_")[0] not in rules.words.exclude]
    wanted.sort(key=lambda deb: -deb.stat().st_size)  # the long ones first, so that no core waits at the end
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        failures = [text for text in pool.map(partial(_attempt, rules, out), wanted) if text]
    if failures:
        raise SystemExit("testbed: not converted:\n" + "\n".join(failures))
    shutil.rmtree(out / ".work")


def _attempt(rules: Rules, out: Path, deb: Path) -> str:
    try:
        convert(rules, out, deb)
    except Exception as error:  # one bad package must not hide the others
        return f"{deb.name}: {error!r}"
    return ""


def generators(folder: Path) -> Path:
    """rpm's dependency generators that fit foreign binaries: ELF and interpreters."""
    folder.mkdir(parents=True)
    for name in ("elf.attr", "script.attr"):
        shutil.copy(f"/usr/lib/rpm/fileattrs/{name}", folder)
    return folder
