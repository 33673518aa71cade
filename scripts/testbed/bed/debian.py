"""Debian's side: which sources to trust, a real base root, the .deb files."""

import glob
import re
import shutil
import subprocess
from pathlib import Path

SUITE = "bookworm"


def sources() -> str:
    """The host's apt sources for Debian 12, in the format of sources.list(5).

    Third-party repositories of the host are left out: the bed is Debian's
    packages and nothing else, whatever machine it is made on.
    """
    entries = [line for path in _files("*.list") for line in _one_line(Path(path).read_text())]
    for path in _files("*.sources"):
        entries += _deb822(Path(path).read_text())
    if not entries:
        raise SystemExit(f"testbed: apt on this machine has no source for {SUITE}; the bed is made on Debian 12")
    return "\n".join(entries) + "\n"


def _files(pattern: str) -> list[str]:
    return [*glob.glob(f"/etc/apt/sources{pattern[1:]}"), *sorted(glob.glob(f"/etc/apt/sources.list.d/{pattern}"))]


def _ours(suite: str) -> bool:
    return suite in (SUITE, f"{SUITE}-updates", f"{SUITE}-security", f"{SUITE}/updates")


def _one_line(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+", line)
        if match and _ours(match[3]):
            found.append(line)
    return found


def _deb822(text: str) -> list[str]:
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        field = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.M))
        if "deb" not in field.get("Types", "").split() or field.get("Enabled") == "no":
            continue
        signed = f"[signed-by={field['Signed-By']}] " if field.get("Signed-By", "").startswith("/") else ""
        for uri in field["URIs"].split():
            found += [
                f"deb {signed}{uri} {suite} {field['Components']}" for suite in field["Suites"].split() if _ours(suite)
            ]
    return found


def make_base(out: Path, packages: list[str], apt_sources: str) -> None:
    """Bootstrap a configured Debian root below `out`/root; needs root."""
    listing = out / "sources.list"
    listing.write_text(apt_sources)
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("man", "locale", "info")]
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
               "--aptopt=Apt::Install-Recommends \"false\"", *excludes, SUITE, str(out / "root"), str(listing)]
    subprocess.run(command, check=True)


def fetch(out: Path, base: Path, more: dict[str, list[str]]) -> None:
    """Download the .deb files: `out`/base for what `base` has installed, and for
    each list of `more` a folder of its name with what the list needs beyond the
    base and the lists before it. Verified by apt itself."""
    apt = _updated_apt(out / "apt", base)
    seen: set[str] = set()
    for name, packages in more.items():
        subprocess.run([*apt, "-y", "--no-install-recommends", "--download-only", "install", *packages], check=True)
        (out / name).mkdir()
        for deb in (out / "apt/cache/archives").glob("*.deb"):
            if deb.name not in seen:
                (out / name / deb.name).hardlink_to(deb)
                seen.add(deb.name)
    (out / "base").mkdir()
    subprocess.run([*apt, "download", *_installed(base)], check=True, cwd=out / "base")
    shutil.rmtree(out / "apt")


def closure(out: Path, base: Path, packages: list[str]) -> list[Path]:
    """Download below `out` what `packages` need beyond the base. Verified by apt itself."""
    apt = _updated_apt(out, base)
    subprocess.run([*apt, "-y", "--no-install-recommends", "--download-only", "install", *packages], check=True)
    return sorted((out / "cache/archives").glob("*.deb"))


def _updated_apt(state: Path, base: Path) -> list[str]:
    apt = _private_apt(state, base)
    subprocess.run([*apt, "update"], check=True)
    return apt


def _private_apt(state: Path, base: Path) -> list[str]:
    """apt-get with its own lists and cache, for which `base` is the system."""
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (state / folder).mkdir(parents=True)
    options = {
        "Dir::Etc::sourcelist": base.parent / "sources.list",
        "Dir::Etc::sourceparts": state / "parts",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": base / "var/lib/dpkg/status",
        "Dir::State::extended_states": state / "extended_states",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    return ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]


def _installed(base: Path) -> list[str]:
    query = ["dpkg-query", f"--admindir={base}/var/lib/dpkg", "-W", "-f", "${Package}=${Version}\\n"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()
