package build

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi"
)

// python is the version with patch level that the node's interpreter of a
// MAJOR.MINOR has: of several the first in PATH, which the playbook runs. It is ""
// where the node has none, and gets it out of the bundle, and where its facts do not
// tell; then why says so.
func (n *Node) python(minor string) (full, why string) {
	for _, p := range n.Facts.Pythons {
		switch {
		case manifest.PythonMinor(p.Version) != minor:
		case manifest.IsPythonFullVersion(p.Version):
			return p.Version, ""
		case !n.Facts.Collected.Booted:
			return "", p.Path + " is that of an image, which does not run"
		default:
			return "", fmt.Sprintf("%s says %q", p.Path, p.Version)
		}
	}
	for _, u := range n.Facts.Unknown {
		if path, ok := strings.CutPrefix(u.Fact, "pythons "); u.Fact == "pythons" || ok && strings.HasSuffix(path, "/python"+minor) {
			return "", u.Why
		}
	}
	return "", ""
}

// target is the machine that the options name, with the patch levels that the
// interpreters of their nodes have beside what the spec says.
func (o Options) target() manifest.Target {
	target := o.Spec.MachineTarget()
	full := slices.Clone(target.NodePythonFullVersions)
	for _, n := range o.Nodes {
		if version, _ := n.python(target.NodePython); version != "" {
			full = append(full, version)
		}
	}
	slices.SortFunc(full, func(a, b string) int { return cmp.Compare(patchOf(a), patchOf(b)) })
	target.NodePythonFullVersions = slices.Compact(full)
	return target
}

// patchOf is the last number of a full version.
func patchOf(full string) int {
	n, _ := strconv.Atoi(full[strings.LastIndexByte(full, '.')+1:]) // its form was checked
	return n
}

// whose says who has an interpreter: "node db1", or "the spec" where no node has it.
func (o Options) whose(full string) string {
	var names []string
	for _, n := range o.Nodes {
		if version, _ := n.python(manifest.PythonMinor(full)); version == full {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return "the spec"
	}
	return nodesInWords(names)
}

// untold notes each node whose facts leave open which patch level it has.
func (o Options) untold(note func(string)) {
	minor := o.Spec.MachineTarget().NodePython
	for _, n := range o.Nodes {
		if _, why := n.python(minor); why != "" {
			note(fmt.Sprintf("node %s: its facts do not tell the patch level of its Python %s, and the wheels are not resolved for it: %s", n.Name, minor, why))
		}
	}
}

// fullVersions is a version as a list, if it has a patch level.
func fullVersions(python string) []string {
	if manifest.IsPythonFullVersion(python) {
		return []string{python}
	}
	return nil
}

// pythonTarget is an interpreter, with a patch level or without one.
func pythonTarget(target manifest.Target, python string) pypi.Target {
	return pypi.Target{Python: python, Arch: target.Arch, Glibc: pypi.Glibc9}
}

// pythonTargets are the interpreters of a role that its wheels have to fit, at least
// one: without a patch level where none is known.
func pythonTargets(target manifest.Target, role manifest.Role) []pypi.Target {
	versions := target.PythonFullVersions(role)
	if len(versions) == 0 {
		versions = []string{target.Python(role)}
	}
	list := make([]pypi.Target, len(versions))
	for i, version := range versions {
		list[i] = pythonTarget(target, version)
	}
	return list
}
