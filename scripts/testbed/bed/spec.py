"""Spec files and rpmbuild: one finished build root in, one RPM out."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bed.payload import Entry, Payload


@dataclass
class Package:
    """What an RPM says about itself, before rpmbuild adds what it finds in the files."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str  # "x86_64" or "noarch"
    summary: str
    origin: str  # one sentence: what this was made from
    license: str = "see /usr/share/doc"
    url: str = ""
    requires: list[str] = field(default_factory=list)
    requires_pre: list[str] = field(default_factory=list)
    provides: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    recommends: list[str] = field(default_factory=list)
    suggests: list[str] = field(default_factory=list)
    pre: str = ""
    post: str = ""
    changelog: str = ""
    built: int = 0  # seconds since 1970: the package's build time
    no_provides_from: str = ""  # regexp over paths: private libraries

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"


_DEFINES = {
    "_binary_payload": "w3.zstdio",
    "_build_id_links": "none",
    "_buildhost": "testbed.invalid",
    "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    "_changelog_trimage": "0",
    "_unpackaged_files_terminate_build": "0",
    "__requires_exclude": "^/usr/local/bin/python$",  # cgi.py keeps upstream's first line; EL excludes it as well
    "__os_install_post": "%{nil}",
    "__spec_install_pre": "%{nil}",
    "__spec_clean_cmd": "true",
    "clamp_mtime_to_source_date_epoch": "1",
    "debug_package": "%{nil}",
    "use_source_date_epoch_as_buildtime": "1",
}


def build(package: Package, payload: Payload, out: Path, work: Path, attrs: Path) -> None:
    """Run rpmbuild over `payload`; the RPM lands in `out`.

    `attrs` holds the dependency generators to use (rpm's *.attr files).
    """
    work.mkdir(parents=True, exist_ok=True)
    spec = work / f"{package.name}.spec"
    spec.write_text(render(package, payload))
    defines = _DEFINES | {"_rpmdir": str(out), "_topdir": str(work), "_fileattrsdir": str(attrs)}
    if package.no_provides_from:
        defines["__provides_exclude_from"] = package.no_provides_from
    command = ["rpmbuild", "-bb", "--quiet", "--noclean", "--nocheck", "--target", package.arch,
               "--buildroot", str(payload.root.resolve())]
    for name, value in defines.items():
        command += ["--define", f"{name} {value}"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(package.built), "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*command, str(spec)], capture_output=True, text=True, env=environment)
    if done.returncode or not (out / package.filename).exists():
        raise RuntimeError(f"rpmbuild {package.name}: {done.stderr[-2000:]}")


def render(package: Package, payload: Payload) -> str:
    """The text of the spec file."""
    head = {
        "Name": package.name,
        "Epoch": package.epoch if package.epoch != "0" else "",
        "Version": package.version,
        "Release": package.release,
        "Summary": _escape(package.summary),
        "License": package.license,
        "URL": _escape(package.url),
        "Vendor": "pgbundle test bed",
        "BuildArch": package.arch,
    }
    lists = {
        "Requires": package.requires,
        "Requires(pre)": package.requires_pre,
        "Provides": package.provides,
        "Conflicts": package.conflicts,
        "Recommends": package.recommends,
        "Suggests": package.suggests,
    }
    lines = [f"{tag}: {value}" for tag, value in head.items() if value]
    lines += [f"{tag}: {value}" for tag, values in lists.items() for value in values]
    lines += ["%description", _escape(f"{package.summary}\n{package.origin}")]
    for section, body in (("%pre", package.pre), ("%post", package.post)):
        if body:
            lines += [section, body]
    lines += ["%files", *(_file_line(payload.entries[path]) for path in sorted(payload.entries))]
    if package.changelog:
        lines += ["%changelog", package.changelog]
    return "\n".join(lines) + "\n"


def _file_line(entry: Entry) -> str:
    # rpm 4.18 knows no escape for its glob characters: "?" matches them as well
    path = re.sub(r"[*?\[\]{}\\\"]", "?", entry.path.replace("%", "%%"))
    if entry.kind == "link":
        return f'"{path}"'
    kind = "%dir " if entry.kind == "dir" else ""
    flag = f"{entry.flag} " if entry.flag else ""
    return f'%attr({entry.mode & 0o7777:o}, {entry.user}, {entry.group}) {flag}{kind}"{path}"'


def _escape(text: str) -> str:
    return text.replace("%", "%%")
