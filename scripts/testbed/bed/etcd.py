"""An etcd release: compiled from its Go modules, shaped like upstream's."""

import gzip
import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

VERSION = "3.5.16"
MODULES = Path(__file__).resolve().parent.parent / "etcd"
_PROGRAMS = {"etcd": "server", "etcdctl": "etcdctl", "etcdutl": "etcdutl"}


def make(out: Path) -> None:
    """Write `out`/v3.5.16/{etcd-…-linux-amd64.tar.gz, SHA256SUMS}."""
    release = out / f"v{VERSION}"
    release.mkdir()
    top = f"etcd-v{VERSION}-linux-amd64"
    with gzip.GzipFile(release / f"{top}.tar.gz", "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(_entry(top, 0o755, tarfile.DIRTYPE))
        for program, module in _PROGRAMS.items():
            binary = out / "bin" / program
            _compile(f"go.etcd.io/etcd/{module}/v3", binary)
            entry = _entry(f"{top}/{program}", 0o755, tarfile.REGTYPE)
            entry.size = binary.stat().st_size
            with binary.open("rb") as stream:
                archive.addfile(entry, stream)
    tarball = release / f"{top}.tar.gz"
    (release / "SHA256SUMS").write_text(f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}  {tarball.name}\n")


def _compile(package: str, binary: Path) -> None:
    environment = os.environ | {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOFLAGS": "-mod=readonly"}
    command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, package]
    subprocess.run(command, check=True, cwd=MODULES, env=environment)


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, 1_726_000_000
    return entry
