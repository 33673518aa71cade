"""A check of the distribution itself: every requirement has a provider in it.

dnf would find the same, one transaction at a time; this names all at once, so
that a conversion that forgot something fails here and not in a test of pgbundle.
"""

import subprocess
from pathlib import Path


def unmet(rpms: list[Path]) -> list[str]:
    """Lines "package needs capability"; versions are not compared."""
    provided = {line.split()[0] for line in _query(rpms, "[%{PROVIDES}\n]")} | set(_query(rpms, "[%{FILENAMES}\n]"))
    found = []
    for line in _query(rpms, "[%{=NAME} %{REQUIRES}\n]"):
        name, _, wanted = line.partition(" ")
        alternatives = [word.split()[0] for word in wanted.strip("()").split(" or ")] if wanted[0] == "(" else [wanted]
        if not wanted.startswith("rpmlib(") and not provided.intersection(alternatives):
            found.append(f"{name} needs {wanted}")
    return sorted(set(found))


def _query(rpms: list[Path], form: str) -> list[str]:
    command = ["rpm", "--query", "--nosignature", "--package", "--queryformat", form, *rpms]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in shown.splitlines() if line and line != "(none)"]
