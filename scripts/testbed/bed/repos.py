"""The RPMs as signed dnf repositories, split as a RHEL shop has them."""

import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

# Signing keys: file name → who the key says it is. The stranger signs nothing
# in the repositories; tests sign with it what must be refused.
KEYS = {
    "distribution": "pgbundle test bed distribution <distribution@testbed.invalid>",
    "pgdg": "pgbundle test bed PGDG <pgdg@testbed.invalid>",
    "stranger": "A stranger to the test bed <stranger@testbed.invalid>",
}


def make_keys(out: Path) -> None:
    """RSA 4096 keys, made for this bed: `out`/RPM-GPG-KEY-* and `out`/gnupg."""
    home = out / "gnupg"
    home.mkdir(mode=0o700)
    for name, identity in KEYS.items():
        gpg(home, "--passphrase", "", "--quick-generate-key", identity, "rsa4096", "sign", "never")
        armor = gpg(home, "--armor", "--export", identity)
        (out / f"RPM-GPG-KEY-testbed-{name}").write_bytes(armor)
    stop_agent(home)


def stop_agent(home: Path) -> None:
    """End the gpg-agent that gpg started for `home`, and that one only."""
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)


def gpg(home: Path, *arguments: str) -> bytes:
    """Run gpg with the keys of `home`; the answer is its output."""
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def make(rpms: dict[str, list[Path]], assigned: dict[str, str], keys: Path, out: Path) -> None:
    """Sort RPMs into repositories, sign them, write and sign their metadata.

    `rpms` maps a default repository to its files; `assigned` names exceptions.
    """
    folders = defaultdict(list)
    for default, files in rpms.items():
        for file in files:
            folders[_repository(_name(file), default, assigned)].append(file)
    for repository, files in folders.items():
        folder = out / repository
        (folder / "Packages").mkdir(parents=True)
        for file in files:
            shutil.copy2(file, folder / "Packages" / file.name)
        sign(sorted((folder / "Packages").iterdir()), keys, key_of(repository))
        subprocess.run(["createrepo_c", "--quiet", "--workers", str(os.cpu_count()), folder], check=True)
        repomd = folder / "repodata/repomd.xml"
        gpg(keys / "gnupg", "--armor", "--detach-sign", "--local-user", KEYS[key_of(repository)], str(repomd))
    stop_agent(keys / "gnupg")


def key_of(repository: str) -> str:
    """Which of KEYS signs a repository."""
    return "pgdg" if repository.startswith("pgdg") else "distribution"


def _repository(name: str, default: str, assigned: dict[str, str]) -> str:
    if name.startswith("postgresql") and name[10:12].isdigit():
        return f"pgdg{name[10:12]}"
    return assigned.get(name, default)


def _name(rpm: Path) -> str:
    return rpm.name.rsplit("-", 2)[0]


def sign(rpms: list[Path], keys: Path, key: str) -> None:
    """Sign RPMs where they lie with one of KEYS."""
    command = ["rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_path {keys / 'gnupg'}",
               "--define", f"_gpg_name {KEYS[key]}", "--define", "_gpg_digest_algo sha256", "--addsign"]
    environment = os.environ | {"GPG_TTY": ""}  # rpmsign looks for a terminal otherwise
    subprocess.run([*command, *rpms], check=True, stdout=subprocess.DEVNULL, env=environment)
