"""Collections as Galaxy has them, built back from the Python package ansible.

The wheel of `ansible` holds real collections unpacked, with the MANIFEST.json
and FILES.json of their release but without some files (tests, CI). The
tarballs here are what `ansible-galaxy collection build` would make of what is
left: both lists restated, then the files. Several releases of the package give
several versions of each collection, some of which ansible-core 2.15 cannot run.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ANSIBLE = ("9.13.0", "11.13.0", "14.5.0")
COLLECTIONS = ("community.general", "community.postgresql", "ansible.posix", "community.library_inventory_filtering_v1")


def make(out: Path) -> None:
    """Write `out`/<namespace>-<name>-<version>.tar.gz, without doubles."""
    for version in ANSIBLE:
        wheel = _download(version, out)
        with zipfile.ZipFile(wheel) as archive:
            for name in COLLECTIONS:
                _pack(archive, f"ansible_collections/{name.replace('.', '/')}/", out)
        wheel.unlink()


def _download(version: str, out: Path) -> Path:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                    "--ignore-requires-python", "--disable-pip-version-check", "--dest", out, f"ansible=={version}"],
                   check=True)
    (wheel,) = out.glob("ansible-*.whl")
    return wheel


def _pack(wheel: zipfile.ZipFile, prefix: str, out: Path) -> None:
    manifest = json.loads(wheel.read(f"{prefix}MANIFEST.json"))
    info = manifest["collection_info"]
    tarball = out / f"{info['namespace']}-{info['name']}-{info['version']}.tar.gz"
    if tarball.exists():
        return
    listed = json.loads(wheel.read(f"{prefix}FILES.json"))
    kept = _present(listed["files"], {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)})
    files = _json(listed | {"files": kept})
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files).hexdigest()
    with gzip.GzipFile(tarball, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        _add(archive, "MANIFEST.json", _json(manifest))
        _add(archive, "FILES.json", files)
        for entry in kept:
            if entry["ftype"] == "file":
                _add(archive, entry["name"], wheel.read(prefix + entry["name"]), entry["chksum_sha256"])
            elif entry["name"] != ".":
                archive.addfile(_folder(entry["name"]))


def _present(entries: list[dict], names: set[str]) -> list[dict]:
    """The entries whose file the wheel has, and the folders that these need."""
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return [entry for entry in entries if entry["name"] in (names if entry["ftype"] == "file" else folders)]


def _add(archive: tarfile.TarFile, name: str, content: bytes, sha256: str = "") -> None:
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise SystemExit(f"testbed: {name}: not the file that its collection released")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o644, 1_730_000_000
    archive.addfile(entry, io.BytesIO(content))


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1_730_000_000
    return entry


def _json(value: dict) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
