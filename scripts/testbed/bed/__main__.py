"""python3 -m bed: make the bed's repositories, release, collections and nodes."""

import argparse
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

from bed import closed, convert, debian, etcd, galaxy, harden, image, mirror, net, postgres, repos, roots
from bed.nodes import Nodes
from bed.relations import Words
from bed.stage import HERE, Store

_CONVERTING = ["adapt.py", "changelog.py", "convert.py", "payload.py", "relations.py", "spec.py"]
_LISTS = {"baseos": "base", "appstream": "delta", "extra": "extra"}  # repository → folder of RPMs


class Bed:
    """The stages and how one feeds the next."""

    def __init__(self, root: Path, major: str):
        self.store = Store(root)
        self.major = major
        self.recipe = tomllib.loads((HERE.parent / "packages.toml").read_text())

    def prepare(self) -> dict[str, object]:
        """Build what is missing; the answer says where everything is."""
        rpms = self.rpms()
        keys = self.keys()
        repositories = self.store.stage(
            "repositories", ["repos.py", "closed.py"], [str(rpms), str(keys), str(self.recipe)],
            lambda out: self._repositories(rpms, keys, out))
        control = self.recipe["node"]["control"]
        images = {name: str(self._image(name, more, repositories))
                  for name, more in {"target": [], "control": control, "fapolicyd": [*control, "fapolicyd"]}.items()}
        release = self.store.stage("etcd", ["etcd.py"], [(etcd.MODULES / name).read_text() for name in ("go.mod", "go.sum")], etcd.make)
        collections = self.store.stage("galaxy", ["galaxy.py"], [], galaxy.make)
        nodes = Nodes(self.store.root)
        return {"pg": self.major, "repositories": str(repositories), "keys": str(keys), "images": images, "etcd": str(release),
                "galaxy": str(collections), "hand": nodes.net.hand, "sshConfig": str(nodes.ssh_config),
                "password": harden.PASSWORD, "seconds": self.store.seconds}

    def mirror(self) -> dict[str, str]:
        """Build what the nodes of a site with a way out install from, and an image of such a Debian node."""
        packages, keys, base = self.recipe["debian"], self.keys(), self.base()
        made = self.store.stage("mirror", ["mirror.py", "debian.py", "harden.py"], [str(base), str(packages), str(keys)],
                                lambda out: mirror.make(base / "root", packages, keys, out))
        return {"url": mirror.URL, "folder": str(made), "image": str(made / "root")}

    def keys(self) -> Path:
        """The keys that everything is signed with."""
        return self.store.stage("keys", [], [str(repos.KEYS)], repos.make_keys)

    def base(self) -> Path:
        """A real Debian root."""
        apt = debian.sources()
        return self.store.stage("base", ["debian.py"], [apt, str(self.recipe["base"])],
                                lambda out: debian.make_base(out, self.recipe["base"], apt))

    def rpms(self) -> Path:
        """Every RPM, unsigned: folders base, delta and extra below the stage."""
        more = {name: self.recipe[name] for name in ("delta", "extra")}
        base = self.base()
        debs = self.store.stage("debs", ["debian.py"], [str(base), str(more)],
                                lambda out: debian.fetch(out, base / "root", more))
        build = self.store.stage(f"postgres{self.major}", ["postgres.py"], [], lambda out: postgres.fetch(self.major, out))
        return self.store.stage("rpms", [*_CONVERTING, "image.py", "postgres.py"], [str(debs), str(build), str(self.recipe)],
                                lambda out: self._rpms(base / "root", debs, build, out))

    def _rpms(self, base: Path, debs: Path, build: Path, out: Path) -> None:
        rules = convert.Rules(
            Words(self.recipe["rename"], frozenset(self.recipe["exclude"])),
            frozenset(line.split(":")[0] for name in ("passwd", "group") for line in (base / "etc" / name).read_text().splitlines()),
            convert.generators(out / "attrs"),
        )
        for name in _LISTS.values():
            convert.convert_all(rules, out / name, list((debs / name).glob("*.deb")))
        image.make(base, rules.words, self.recipe["node"]["absent"], out / "base", out / "work/image", rules.attrs)
        postgres.make(self.major, build / "tree", out / "delta", out / "work/postgres", rules.attrs)
        shutil.rmtree(out / "work")

    def _repositories(self, rpms: Path, keys: Path, out: Path) -> None:
        files = {repository: sorted((rpms / name).glob("*.rpm")) for repository, name in _LISTS.items()}
        if missing := closed.unmet([file for listed in files.values() for file in listed]):
            raise SystemExit("testbed: the distribution is not closed:\n" + "\n".join(missing))
        repos.make(files, self.recipe["repository"], keys, out)

    def _image(self, name: str, more: list[str], repositories: Path) -> Path:
        """The root of a node: the base as EL 9 minimal has it, and `more`."""
        absent = {*self.recipe["node"]["absent"], *self.recipe["exclude"]}
        packages = [self.recipe["rename"].get(package, package) for package in self.recipe["base"] if package not in absent]
        packages += ["testbed-image", *self.recipe["node"]["present"], *more]
        return self.store.stage(f"image-{name}", ["roots.py", "harden.py", "fapolicyd.py"], [str(repositories), str(packages)],
                                lambda out: roots.make(repositories, packages, out)) / "root"


def main() -> int:
    arguments = _arguments()
    os.umask(0o022)
    root = arguments.dir.resolve()
    if arguments.verb == "prepare":
        text = json.dumps(Bed(root, arguments.pg).prepare(), indent=2)
        (root / "bed.json").write_text(text + "\n")
        print(text)
        return 0
    if arguments.verb == "mirror":
        print(json.dumps(Bed(root, arguments.pg).mirror()))
        return 0
    nodes = Nodes(root)
    if arguments.verb == "sweep":
        nodes.sweep()
        return 0
    node = nodes.node(arguments.name)
    match arguments.what:
        case "up":
            images = json.loads((root / "bed.json").read_text())["images"]
            node.up(Path(images.get(arguments.image, arguments.image)))
        case "exec":
            return node.execute(arguments.command)
        case "rm":
            node.remove()
        case what:
            getattr(node, what)()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="testbed", description=__doc__)
    parser.add_argument("--dir", type=Path, default=HERE.parent.parent.parent / ".testbed", help="working folder")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, what in {"prepare": "build what is missing; say where everything is", "mirror": "the same for what nodes with a way out need"}.items():
        verbs.add_parser(verb, help=what).add_argument("--pg", default="16", choices=sorted(postgres.BUILDS), help="PostgreSQL major")
    verbs.add_parser("sweep", help="remove every node and the network")
    node = verbs.add_parser("node", help="one machine").add_subparsers(dest="what", required=True)
    for what in ("up", "wait", "exec", "kill", "poweroff", "pause", "resume", "cut", "heal", "stop", "rm"):
        verb = node.add_parser(what)
        verb.add_argument("name", choices=list(net.NAMES))
        if what == "up":
            verb.add_argument("--image", default="target", help="of a node's first power-on: target, control, fapolicyd or a root")
        if what == "exec":
            verb.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


sys.exit(main())
