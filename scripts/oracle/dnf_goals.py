#!/usr/bin/python3
"""Answer goals with the real dnf: the oracle of repo/rpm/solve.

Reads goals as JSON lines from standard input and prints one JSON line each:

    {"requests": ["haproxy", "glibc-2.34-100.el9.i686"], "weak": false, "best": true}
    {"packages": ["acl-2.3.1-3.el9.x86_64@baseos", ...]}      or  {"error": "..."}

A request is resolved as `dnf install` resolves its arguments, "@group" among
them. A goal may have "group", the packages of a group in order, as comps would
list them: {"name": "b", "with": "c", "base_arch": true}. The install root is
empty, or with --root one that has packages; then "packages" is what comes and
"gone" what makes room for it or is removed. Repositories are given in
configuration order:

    dnf_goals.py --repo baseos=/path/to/baseos --repo appstream=/path,priority=10,excludepkgs=a*|b < goals
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import types

import dnf
import dnf.comps
import dnf.goal
import hawkey


def open_base(options):
    conf = dnf.conf.Conf()
    state = options.state or tempfile.mkdtemp(prefix="dnf-goals-")
    for folder in ("root", "cache", "log", "persist", "modules", "defaults"):
        os.makedirs(os.path.join(state, folder), exist_ok=True)
    conf.installroot = options.root or os.path.join(state, "root")
    conf.cachedir = os.path.join(state, "cache")
    conf.logdir = os.path.join(state, "log")
    conf.persistdir = os.path.join(state, "persist")
    conf.modulesdir = os.path.join(state, "modules")
    conf.moduledefaultsdir = os.path.join(state, "defaults")
    conf.module_platform_id = "platform:el9"
    conf.substitutions["arch"] = options.arch
    conf.substitutions["basearch"] = options.arch
    conf.substitutions["releasever"] = "9"
    conf.plugins = False
    conf.obsoletes = True
    conf.installonly_limit = 0  # removing old kernels is no part of an answer
    conf.multilib_policy = "best"
    if options.exclude:
        conf.excludepkgs = options.exclude
    base = dnf.Base(conf)
    for text in options.repo:
        repo_id, _, rest = text.partition("=")
        folder, *settings = rest.split(",")
        repo = dnf.repo.Repo(repo_id, conf)
        repo.baseurl = ["file://" + os.path.abspath(folder)]
        repo.gpgcheck = False
        for setting in settings:
            key, _, value = setting.partition("=")
            if key in ("excludepkgs", "includepkgs"):
                value = value.split("|")
            setattr(repo, key, int(value) if isinstance(value, str) and value.isdigit() else value)
        base.repos.add(repo)
    base.fill_sack(load_system_repo=bool(options.root))
    return base


def answer(base, goal):
    base._goal = dnf.goal.Goal(base.sack)
    base._comps_trans = dnf.comps.TransactionBunch()
    for request in goal.get("requests") or []:
        try:
            if request.startswith("@"):
                base.install_specs([request])
            else:
                base.install(request, strict=True)
        except dnf.exceptions.Error as err:
            return {"error": str(err)}
    if goal.get("group"):
        base._comps_trans = group_of(goal["group"])
    base._finalize_comps_trans()
    base._set_excludes_from_weak_to_goal()
    solved = base._goal.run(
        force_best=goal.get("best", True),
        ignore_weak_deps=not goal.get("weak", False),
    )
    if not solved:
        problems = base._goal.problem_rules()
        return {"error": "; ".join(" / ".join(p) for p in problems) or "unresolvable"}
    done = base._goal
    comes = done.list_installs() + done.list_upgrades() + done.list_downgrades() + done.list_reinstalls()
    gone = {str(old) for new in comes for old in done.obsoleted_by_package(new)}
    gone.update(str(p) for p in done.list_erasures())
    return {"packages": sorted("%s@%s" % (p, p.reponame) for p in comes), "gone": sorted(gone)}


def group_of(packages):
    """What dnf makes of a group, but in a fixed order."""
    listed = [
        types.SimpleNamespace(name=p["name"], requires=p.get("with"), basearchonly=p.get("base_arch", False))
        for p in packages
    ]
    return types.SimpleNamespace(install=listed, install_opt=[], upgrade=[], remove=[])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repo", action="append", default=[], help="ID=FOLDER[,key=value...]")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--root", help="install root with an RPM database; default: an empty one")
    parser.add_argument("--names", action="store_true", help="print the names of all packages for the machine, and answer nothing")
    parser.add_argument("--state", help="folder for caches; default: a new one")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    base = open_base(options)
    if options.names:
        arches = ["noarch", options.arch]
        print("\n".join(sorted({p.name for p in base.sack.query().filter(arch=arches)})))
        return
    for line in sys.stdin:
        print(json.dumps(answer(base, json.loads(line))), flush=False)


if __name__ == "__main__":
    main()
