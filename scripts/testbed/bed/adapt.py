"""What Debian does in maintainer scripts, or names otherwise than EL and PGDG.

Maintainer scripts are not carried over. Each function here restates, for one
package, what its scripts would have done on a node: users, folders with an
owner, files under the names that EL has. Everything else is converted as is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bed.payload import Payload
from bed.spec import Package

Piece = tuple[Package, Payload]


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    home: str
    shell: str = "/usr/sbin/nologin"


POSTGRES = User("postgres", 26, "/var/lib/pgsql", "/bin/bash")  # uid and home of PGDG
PGBOUNCER = User("pgbouncer", 982, "/")
HAPROXY = User("haproxy", 188, "/var/lib/haproxy")
CHRONY = User("_chrony", 184, "/var/lib/chrony")
RPMDB = "/var/lib/rpm"

FAPOLICYD = User("fapolicyd", 981, "/var/lib/fapolicyd")
POLKITD = User("polkitd", 114, "/nonexistent")


def add_user(package: Package, user: User) -> None:
    """Create the user in %pre; a failure there stops the transaction, as on EL."""
    package.pre += (
        f"getent group {user.name} >/dev/null || groupadd -r -g {user.uid} {user.name} || exit 1\n"
        f"getent passwd {user.name} >/dev/null || "
        f"useradd -r -u {user.uid} -g {user.name} -d {user.home} -s {user.shell} {user.name} || exit 1\n"
    )
    package.requires_pre += [name for name in ("passwd", "libc-bin", "/bin/sh") if name not in package.requires_pre]


def _libc6(package: Package, payload: Payload, _: Path) -> list[Piece]:
    package.provides.append("rtld(GNU_HASH)")  # glibc.spec of EL states it by hand too
    package.requires_pre.append("testbed-image")
    return [(package, payload)]


def _dash(package: Package, payload: Payload, _: Path) -> list[Piece]:
    package.provides += ["/bin/sh", "/bin/dash"]
    return [(package, payload)]


def _bash(package: Package, payload: Payload, _: Path) -> list[Piece]:
    package.provides.append("/bin/bash")
    return [(package, payload)]


def _base_files(package: Package, payload: Payload, _: Path) -> list[Piece]:
    payload.remove("/usr/lib/os-release")  # testbed-image says what the node is
    return [(package, payload)]


def _stdlib(package: Package, payload: Payload, _: Path) -> list[Piece]:
    payload.remove("/usr/lib/python3.11/EXTERNALLY-MANAGED")  # EL's Python has no such mark
    return [(package, payload)]


def _brings(package: Package, name: str, *more: str) -> Package:
    """A package of another name that requires this one, for a name that EL has beside it."""
    return Package(**(vars(package) | {
        "name": name, "requires": [f"{package.name} = {package.version}-{package.release}", *more],
        "provides": [], "conflicts": [], "recommends": [], "suggests": [],
    }))


def _python311(package: Package, payload: Payload, work: Path) -> list[Piece]:
    """EL's python3.11 is not the distribution's Python, and can make a venv by itself."""
    return [(package, payload), (_brings(package, "python3.11", "python3.11-venv"), Payload(work / "python3.11"))]


def _psycopg2(package: Package, payload: Payload, work: Path) -> list[Piece]:
    """EL has psycopg2 per interpreter; here both are the same one."""
    return [(package, payload), (_brings(package, "python3.11-psycopg2", "python3.11"), Payload(work / "python3.11-psycopg2"))]


def _pip(package: Package, payload: Payload, work: Path) -> list[Piece]:
    """EL has pip per interpreter: python3.11-pip holds it, python3-pip its plain names."""
    plain = payload.split(work / "python3-pip", re.compile(r"^/usr/bin/pip3?$"))
    package.name = "python3.11-pip"
    names = _brings(package, "python3-pip", "python3")
    package.summary += " (for Python 3.11)"
    return [(package, payload), (names, plain)]


def _rpm_common(package: Package, payload: Payload, _: Path) -> list[Piece]:
    """EL's rpm has one database; Debian's has one in the home of whoever calls it."""
    macros = payload.target("/usr/lib/rpm/macros")
    macros.write_text(macros.read_text().replace("%_dbpath\t\t%(bash -c 'echo ~/.rpmdb')", f"%_dbpath\t\t{RPMDB}"))
    return [(package, payload)]


def _ping(package: Package, payload: Payload, _: Path) -> list[Piece]:
    payload.mark("/usr/bin/ping", flag="%caps(cap_net_raw=ep)")
    return [(package, payload)]


def _haproxy(package: Package, payload: Payload, _: Path) -> list[Piece]:
    """EL's unit: systemd does not start again what was killed, and a folder is read beside the file."""
    add_user(package, HAPROXY)
    payload.add_text("/usr/lib/systemd/system/haproxy.service", """[Unit]
Description=HAProxy Load Balancer
After=network-online.target
Wants=network-online.target

[Service]
EnvironmentFile=-/etc/sysconfig/haproxy
Environment="CONFIG=/etc/haproxy/haproxy.cfg" "PIDFILE=/run/haproxy.pid" "CFGDIR=/etc/haproxy/conf.d"
ExecStartPre=/usr/sbin/haproxy -f $CONFIG -f $CFGDIR -c -q $OPTIONS
ExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -f $CFGDIR -p $PIDFILE $OPTIONS
ExecReload=/usr/sbin/haproxy -f $CONFIG -f $CFGDIR -c -q $OPTIONS
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Type=notify

[Install]
WantedBy=multi-user.target
""")
    payload.add_dir("/etc/haproxy/conf.d")
    settings = payload.target("/etc/haproxy/haproxy.cfg")
    settings.write_text(settings.read_text().replace("/run/haproxy/admin.sock", "/var/lib/haproxy/stats"))
    return [(package, payload)]


def _polkitd(package: Package, payload: Payload, _: Path) -> list[Piece]:
    add_user(package, POLKITD)
    for folder in ("/etc/polkit-1/rules.d", "/var/lib/polkit-1"):
        payload.add_dir(folder, 0o700, POLKITD.name)
    payload.mark("/usr/lib/polkit-1/polkit-agent-helper-1", mode=0o4755)
    return [(package, payload)]


def _firewalld(package: Package, payload: Payload, _: Path) -> list[Piece]:
    """A server's policy, as EL links it; without one, polkit knows no action of firewall-cmd."""
    policy = "/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1"
    payload.add_link(f"{policy}.policy", Path(f"{policy}.server.policy.choice").name)
    return [(package, payload)]


def _fapolicyd(package: Package, payload: Payload, _: Path) -> list[Piece]:
    add_user(package, FAPOLICYD)
    payload.add_dir("/var/lib/fapolicyd", 0o770, FAPOLICYD.name, FAPOLICYD.name)
    return [(package, payload)]


def _chrony(package: Package, payload: Payload, _: Path) -> list[Piece]:
    """EL's names: chronyd.service and /etc/chrony.conf, which chronyd here reads by a link."""
    add_user(package, CHRONY)
    payload.move("/usr/lib/systemd/system/chrony.service", "/usr/lib/systemd/system/chronyd.service")
    unit = payload.target("/usr/lib/systemd/system/chronyd.service")
    unit.write_text(unit.read_text().replace("Alias=chronyd.service\n", ""))
    payload.move("/usr/share/chrony/chrony.conf", "/etc/chrony.conf")
    payload.mark("/etc/chrony.conf", flag="%config(noreplace)")
    payload.add_link("/etc/chrony/chrony.conf", "../chrony.conf")
    payload.add_dir("/var/lib/chrony", 0o750, CHRONY.name, CHRONY.name)
    payload.add_dir("/var/log/chrony", 0o750, CHRONY.name, CHRONY.name)
    return [(package, payload)]


def _pgbouncer(package: Package, payload: Payload, _: Path) -> list[Piece]:
    """PGDG's pgbouncer runs as a user of its own."""
    add_user(package, PGBOUNCER)
    unit = payload.target("/usr/lib/systemd/system/pgbouncer.service")
    unit.write_text(unit.read_text().replace("User=postgres", "User=pgbouncer\nRuntimeDirectory=pgbouncer"))
    for name in ("pgbouncer.ini", "userlist.txt"):
        payload.mark(f"/etc/pgbouncer/{name}", user=PGBOUNCER.name, group=PGBOUNCER.name, mode=0o640)
    payload.add_dir("/var/log/pgbouncer", 0o700, PGBOUNCER.name, PGBOUNCER.name)
    return [(package, payload)]


def _pgbackrest(package: Package, payload: Payload, _: Path) -> list[Piece]:
    add_user(package, POSTGRES)
    for folder in ("/var/lib/pgbackrest", "/var/log/pgbackrest", "/var/spool/pgbackrest"):
        payload.add_dir(folder, 0o750, POSTGRES.name, POSTGRES.name)
    return [(package, payload)]


ADAPT: dict[str, Callable[[Package, Payload, Path], list[Piece]]] = {
    "base-files": _base_files,
    "bash": _bash,
    "chrony": _chrony,
    "dash": _dash,
    "fapolicyd": _fapolicyd,
    "firewalld": _firewalld,
    "haproxy": _haproxy,
    "iputils-ping": _ping,
    "libc6": _libc6,
    "libpython3.11-stdlib": _stdlib,
    "pgbackrest": _pgbackrest,
    "pgbouncer": _pgbouncer,
    "polkitd": _polkitd,
    "python3-pip": _pip,
    "python3-psycopg2": _psycopg2,
    "python3.11": _python311,
    "rpm-common": _rpm_common,
}
