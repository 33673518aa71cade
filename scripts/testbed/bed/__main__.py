"""python3 -m bed prepare: make the bed's repositories, release and collections."""

import argparse
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

from bed import closed, convert, debian, etcd, galaxy, image, postgres, repos
from bed.relations import Words
from bed.stage import HERE, Store

_CONVERTING = ["adapt.py", "changelog.py", "convert.py", "payload.py", "relations.py", "spec.py"]


class Bed:
    """The stages and how one feeds the next."""

    def __init__(self, root: Path, major: str):
        self.store = Store(root)
        self.major = major
        self.recipe = tomllib.loads((HERE.parent / "packages.toml").read_text())

    def prepare(self) -> dict[str, object]:
        """Build what is missing; the answer says where everything is."""
        rpms = self.rpms()
        keys = self.store.stage("keys", [], [str(repos.KEYS)], repos.make_keys)
        repositories = self.store.stage(
            "repositories", ["repos.py", "closed.py"], [str(rpms), str(keys), str(self.recipe)],
            lambda out: self._repositories(rpms, keys, out))
        release = self.store.stage("etcd", ["etcd.py"], [(etcd.MODULES / name).read_text() for name in ("go.mod", "go.sum")], etcd.make)
        collections = self.store.stage("galaxy", ["galaxy.py"], [], galaxy.make)
        return {"pg": self.major, "repositories": str(repositories), "keys": str(keys), "etcd": str(release),
                "galaxy": str(collections), "seconds": self.store.seconds}

    def rpms(self) -> Path:
        """Every RPM, unsigned: folders base and delta below the stage."""
        apt = debian.sources()
        base = self.store.stage("base", ["debian.py"], [apt, str(self.recipe["base"])],
                                lambda out: debian.make_base(out, self.recipe["base"], apt))
        debs = self.store.stage("debs", ["debian.py"], [str(base), str(self.recipe["delta"])],
                                lambda out: debian.fetch(out, base / "root", self.recipe["delta"]))
        build = self.store.stage(f"postgres{self.major}", ["postgres.py"], [], lambda out: postgres.fetch(self.major, out))
        return self.store.stage("rpms", [*_CONVERTING, "image.py", "postgres.py"], [str(debs), str(build), str(self.recipe)],
                                lambda out: self._rpms(base / "root", debs, build, out))

    def _rpms(self, base: Path, debs: Path, build: Path, out: Path) -> None:
        rules = convert.Rules(
            Words(self.recipe["rename"], frozenset(self.recipe["exclude"])),
            frozenset(line.split(":")[0] for name in ("passwd", "group") for line in (base / "etc" / name).read_text().splitlines()),
            convert.generators(out / "attrs"),
        )
        convert.convert_all(rules, out / "base", list((debs / "base").glob("*.deb")))
        convert.convert_all(rules, out / "delta", list((debs / "delta").glob("*.deb")))
        image.make(base, rules.words, out / "base", out / "work/image", rules.attrs)
        postgres.make(self.major, build / "tree", out / "delta", out / "work/postgres", rules.attrs)
        shutil.rmtree(out / "work")

    def _repositories(self, rpms: Path, keys: Path, out: Path) -> None:
        files = {"baseos": sorted((rpms / "base").glob("*.rpm")), "appstream": sorted((rpms / "delta").glob("*.rpm"))}
        if missing := closed.unmet([*files["baseos"], *files["appstream"]]):
            raise SystemExit("testbed: the distribution is not closed:\n" + "\n".join(missing))
        repos.make(files, self.recipe["repository"], keys, out)


def main() -> int:
    parser = argparse.ArgumentParser(prog="testbed", description=__doc__)
    parser.add_argument("verb", choices=["prepare"])
    parser.add_argument("--dir", type=Path, default=HERE.parent.parent.parent / ".testbed", help="working folder")
    parser.add_argument("--pg", default="16", choices=sorted(postgres.BUILDS), help="PostgreSQL major")
    arguments = parser.parse_args()
    os.umask(0o022)
    print(json.dumps(Bed(arguments.dir.resolve(), arguments.pg).prepare(), indent=2))
    return 0


sys.exit(main())
