"""Stages: pieces of the bed that are built once per content key.

A stage's key covers everything that shapes its output: the text of the modules
that build it, its parameters and the keys of the stages that it reads. A stage
whose key is on disk is not run again; a new key replaces the old output.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Store:
    """The bed's working folder, its stages and what they cost."""

    def __init__(self, root: Path):
        self.root = root
        self.seconds: dict[str, float] = {}
        (root / "stage").mkdir(parents=True, exist_ok=True)

    def stage(self, name: str, modules: list[str], inputs: list[str], build: Callable[[Path], None]) -> Path:
        """Return the folder of stage `name`, building it when its key is new.

        `modules` are files of this package, `inputs` anything else that the
        output depends on. `build` gets an empty folder; it becomes the stage
        by one rename, so a stage that exists is whole.
        """
        key = _key(modules, inputs)
        home = self.root / "stage" / f"{name}-{key}"
        if home.exists():
            self.seconds[name] = 0.0
            return home
        print(f"testbed: {name} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        work = self.root / "stage" / f"{name}.work"
        remove_tree(work)
        work.mkdir()
        build(work)
        for old in (self.root / "stage").glob(f"{name}-????????????"):
            remove_tree(old)
        work.rename(home)
        self.seconds[name] = round(time.monotonic() - started, 1)
        print(f"testbed: {name} {self.seconds[name]} s", file=sys.stderr, flush=True)
        return home


def _key(modules: list[str], inputs: list[str]) -> str:
    digest = hashlib.sha256()
    for module in sorted(modules):
        digest.update((HERE / module).read_bytes() + b"\0")
    for text in inputs:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:12]


def remove_tree(path: Path) -> None:
    """Remove a tree that may hold a half-mounted root; never crosses a mount."""
    if not path.exists():
        return
    for point in sorted(_mounts_below(path), reverse=True):
        subprocess.run(["umount", point], check=False)
    if _mounts_below(path):
        raise RuntimeError(f"remove {path}: something is still mounted below it")
    shutil.rmtree(path)


def _mounts_below(path: Path) -> list[str]:
    prefix = str(path.resolve()) + "/"
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [fields[1] for fields in map(str.split, lines) if fields[1].startswith(prefix)]
