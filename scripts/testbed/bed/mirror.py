"""What a site with a way out finds at its mirror: packages of repositories, an apt repository.

Nodes reach it at URL, where a test serves it. The RPMs themselves, etcd and
the wheels are served from where they lie.
"""

import shutil
import subprocess
from pathlib import Path

from bed import debian, harden, net, repos
from bed.convert import generators
from bed.payload import Payload
from bed.spec import Package, build

URL = f"http://{net.HAND}:8000"
_SUITES = {"debian": debian.SUITE, "pgdg-apt": f"{debian.SUITE}-pgdg"}
_REPOSITORIES = {
    "epel-release": ("epel-release-latest-9", "distribution", "RPM-GPG-KEY-EPEL-9", ["epel"]),
    "pgdg-redhat-repo": ("pgdg-redhat-repo-latest", "pgdg", "PGDG-RPM-GPG-KEY-RHEL", ["pgdg-common", "pgdg16"]),
}


def make(base: Path, packages: list[str], keys: Path, out: Path) -> None:
    """Write `out`/rpm, `out`/debian and `out`/pgdg-apt as served, and `out`/root: a Debian node."""
    for name in _REPOSITORIES:
        _repository_package(name, keys, out)
    debs = debian.closure(out / "apt", base, packages)
    for name, suite in _SUITES.items():
        mine = [deb for deb in debs if deb.name.startswith("postgresql-1") == (name == "pgdg-apt")]
        _apt_repository(out / name, suite, mine, keys, "pgdg" if name == "pgdg-apt" else "distribution")
    repos.stop_agent(keys / "gnupg")
    shutil.rmtree(out / "apt")
    _node(base, keys, out / "root")


def _repository_package(name: str, keys: Path, out: Path) -> None:
    """The package that brings a repository and its key, signed, under the name of its latest release."""
    latest, key, file, repositories = _REPOSITORIES[name]
    work = out / "work" / name
    payload = Payload(work / "root")
    payload.add_text(f"/etc/pki/rpm-gpg/{file}", (keys / f"RPM-GPG-KEY-testbed-{key}").read_text())
    stanzas = [f"[{repository}]\nname={repository}\nbaseurl={URL}/repositories/{repository}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n"
               f"gpgkey=file:///etc/pki/rpm-gpg/{file}\n" for repository in repositories]
    payload.add_text(f"/etc/yum.repos.d/{name}.repo", "\n".join(stanzas), flag="%config(noreplace)")
    package = Package(name=name, epoch="0", version="9", release="1", arch="noarch", summary=f"The repositories of {name}",
                      origin="Made for the pgbundle test bed.", built=1_700_000_000)
    build(package, payload, work / "rpms", work / "rpmbuild", generators(work / "attrs"))
    repos.sign([work / "rpms" / package.filename], keys, key)
    (out / "rpm").mkdir(exist_ok=True)
    (work / "rpms" / package.filename).rename(out / f"rpm/{latest}.noarch.rpm")
    shutil.rmtree(out / "work")


def _apt_repository(folder: Path, suite: str, debs: list[Path], keys: Path, key: str) -> None:
    (folder / "pool").mkdir(parents=True)
    for deb in debs:
        deb.rename(folder / "pool" / deb.name)
    lists = folder / f"dists/{suite}/main/binary-amd64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_bytes(_archive(folder, "packages", "pool"))
    fields = {"Suite": suite, "Codename": suite, "Components": "main", "Architectures": "amd64"}
    options = [f"-oAPT::FTPArchive::Release::{field}={value}" for field, value in fields.items()]
    release = folder / f"dists/{suite}/Release"
    release.write_bytes(_archive(folder, *options, "release", f"dists/{suite}"))
    repos.gpg(keys / "gnupg", "--local-user", repos.KEYS[key], "--output", str(release.with_name("InRelease")), "--clear-sign", str(release))


def _archive(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["apt-ftparchive", "--quiet", *arguments], cwd=folder, check=True, capture_output=True).stdout


def _node(base: Path, keys: Path, root: Path) -> None:
    """A Debian node: the base as Debian's own scripts configured it, that knows the mirror and no other source."""
    subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
    shutil.copy(keys / "RPM-GPG-KEY-testbed-distribution", root / "usr/share/keyrings/site.asc")
    (root / "usr/share/keyrings/site.asc").chmod(0o644)
    (root / "etc/apt/sources.list").write_text(f"deb [signed-by=/usr/share/keyrings/site.asc] {URL}/debian {debian.SUITE} main\n")
    shutil.rmtree(root / "etc/apt/sources.list.d")
    (root / "etc/apt/sources.list.d").mkdir()
    (root / "etc/machine-id").write_text("")
    harden.harden(root, debian=True)
