"""Debian versions and relations (deb-version(7), deb-control(5)) in RPM's words."""

import re
from dataclasses import dataclass

_RELATION = re.compile(r"\s*(?P<name>[a-z0-9][a-z0-9+.-]*)(?::\w+)?\s*(?:\(\s*(?P<op>[<>=]+)\s*(?P<version>[^\s)]+)\s*\))?\s*$")


def evr(version: str) -> tuple[str, str, str]:
    """Split a Debian version into RPM's epoch, version and release.

    A native package has no revision; RPM wants one, so it gets release 0.
    """
    epoch, _, rest = version.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return epoch or "0", _legal(upstream), _legal(revision)


def _legal(part: str) -> str:
    return re.sub(r"[^\w.+~^]", "_", part)


def evr_text(version: str) -> str:
    """The version as a dependency names it: no release where Debian names none."""
    epoch, upstream, release = evr(version)
    text = upstream if epoch == "0" else f"{epoch}:{upstream}"
    return f"{text}-{release}" if "-" in version else text


@dataclass(frozen=True)
class Words:
    """The distribution's names: what is renamed and what is left out."""

    rename: dict[str, str]
    exclude: frozenset[str]

    def requires(self, *fields: str | None) -> list[str]:
        """Depends and Pre-Depends; alternatives become a rich `(a or b)`.

        A group that an excluded package could meet is dropped whole: in the
        converted distribution nothing stands for Debian's own machinery.
        """
        wanted = []
        for group in _groups(fields):
            if any(match["name"] in self.exclude for match in group):
                continue
            words = list(dict.fromkeys(self._dependency(match) for match in group))
            wanted.append(words[0] if len(words) == 1 else f"({' or '.join(words)})")
        return list(dict.fromkeys(wanted))

    def plain(self, *fields: str | None) -> list[str]:
        """Provides, Breaks, Conflicts: lists that know no alternatives."""
        groups = _groups(fields)
        kept = [match for group in groups for match in group if match["name"] not in self.exclude]
        return list(dict.fromkeys(self._dependency(match) for match in kept))

    def _dependency(self, match: re.Match[str]) -> str:
        name = self.rename.get(match["name"], match["name"])
        if not match["op"]:
            return name
        operator = {"<<": "<", ">>": ">"}.get(match["op"], match["op"])
        if match["op"] == ">>" and "-" not in match["version"]:
            operator = ">="  # RPM compares no release when none is named: 2.36-9 would not be > 2.36
        return f"{name} {operator} {evr_text(match['version'])}"


def _groups(fields: tuple[str | None, ...]) -> list[list[re.Match[str]]]:
    groups = []
    for text in filter(None, (group.strip() for field in fields for group in (field or "").split(","))):
        matches = [_RELATION.match(alternative) for alternative in text.split("|")]
        if None in matches:
            raise ValueError(f"relation {text!r}: not in the form of deb-control(5)")
        groups.append(matches)
    return groups
