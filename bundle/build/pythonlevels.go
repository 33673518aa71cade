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

// pythons are the full versions that the node's interpreter of a MAJOR.MINOR has: the
// one that is there, and the one that a transaction on the node puts in its place.
func (n *Node) pythons(minor string, t *Transaction) []string {
	full, _ := n.python(minor)
	if full == "" {
		return nil
	}
	list := []string{full}
	if after := t.pythonAfter(minor); after != "" && after != full && n.ownsPython(minor) {
		list = append(list, after)
	}
	return list
}

// ownsPython reports whether the node's interpreter of a MAJOR.MINOR is that of its
// packages: there is none before it in PATH.
func (n *Node) ownsPython(minor string) bool {
	i := slices.IndexFunc(n.Facts.Pythons, func(p manifest.Python) bool { return manifest.PythonMinor(p.Version) == minor })
	return i >= 0 && strings.HasPrefix(n.Facts.Pythons[i].Path, "/usr/bin/")
}

// pythonAfter is the full version of the interpreter that a transaction, which may be
// nil, upgrades; "" when it leaves that alone.
func (t *Transaction) pythonAfter(minor string) string {
	if t == nil {
		return ""
	}
	name := interpreter(minor)[0]
	i := slices.IndexFunc(t.Upgraded, func(c Change) bool { return c.Name == name })
	if i < 0 {
		return ""
	}
	version, _, _ := strings.Cut(t.Upgraded[i].EVR, "-")
	version = version[strings.IndexByte(version, ':')+1:]
	if !manifest.IsPythonFullVersion(version) || manifest.PythonMinor(version) != minor {
		return ""
	}
	return version
}

// transactionOf is that of a node among several, or nil.
func transactionOf(list []*Transaction, n *Node) *Transaction {
	i := slices.IndexFunc(list, func(t *Transaction) bool { return t.Node == n.Name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// target is the machine that the options name, with the patch levels that the
// interpreters of their nodes have beside what the spec says, before transactions and
// after them.
func (o Options) target(transactions []*Transaction) manifest.Target {
	target := o.Spec.MachineTarget()
	full := slices.Clone(target.NodePythonFullVersions)
	for _, n := range o.Nodes {
		full = append(full, n.pythons(target.NodePython, transactionOf(transactions, n))...)
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
func (o Options) whose(full string, transactions []*Transaction) string {
	var names []string
	for _, n := range o.Nodes {
		if slices.Contains(n.pythons(manifest.PythonMinor(full), transactionOf(transactions, n)), full) {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return "the spec"
	}
	return nodesInWords(names)
}

// UntoldPythons names each node whose facts leave open which patch level its
// interpreter of a target has, and why.
func UntoldPythons(target manifest.Target, nodes []*Node) (notes []string) {
	minor := target.Python(manifest.TargetNode)
	for _, n := range nodes {
		if _, why := n.python(minor); why != "" {
			notes = append(notes, fmt.Sprintf("node %s: its facts do not tell the patch level of its Python %s, and the wheels are not proven for it: %s", n.Name, minor, why))
		}
	}
	return notes
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
	versions := target.PythonVersions(role)
	list := make([]pypi.Target, len(versions))
	for i, version := range versions {
		list[i] = pythonTarget(target, version)
	}
	return list
}
