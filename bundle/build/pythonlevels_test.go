package build

import (
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/pypi"
)

// nodeWith is a running node with interpreters, "PATH VERSION" each.
func nodeWith(name string, pythons ...string) *Node {
	n := &Node{LockNode: manifest.LockNode{Name: name}, Facts: &manifest.Node{Collected: manifest.Collected{Booted: true}}}
	for _, p := range pythons {
		path, version, _ := strings.Cut(p, " ")
		n.Facts.Pythons = append(n.Facts.Pythons, manifest.Python{Path: path, Version: version})
	}
	return n
}

func TestNodePython(t *testing.T) {
	const local, system = "/usr/local/bin/python3.9 3.9.2", "/usr/bin/python3.9 3.9.18"
	image := nodeWith("x", "/usr/bin/python3.9 3.9")
	image.Facts.Collected.Booted = false
	crashed := nodeWith("x", "/usr/bin/python3.11 3.11.2")
	crashed.Facts.Unknown = []manifest.UnknownFact{{Fact: "pythons /usr/bin/python3.9", Why: "it crashed"}}
	other := nodeWith("x")
	other.Facts.Unknown = []manifest.UnknownFact{{Fact: "pythons /usr/bin/python3.11", Why: "it crashed"}, {Fact: "pythons /usr/bin/python3.19", Why: "it too"}}
	for name, c := range map[string]struct {
		node      *Node
		full, why string
	}{
		"one":                   {nodeWith("x", system), "3.9.18", ""},
		"the first in PATH":     {nodeWith("x", "/usr/bin/python3.11 3.11.2", local, system), "3.9.2", ""},
		"none of that minor":    {nodeWith("x", "/usr/bin/python3.11 3.11.2", "/usr/bin/python3.90 3.90.1"), "", ""},
		"none at all":           {nodeWith("x"), "", ""},
		"of an image":           {image, "", "/usr/bin/python3.9 is that of an image, which does not run"},
		"without patch level":   {nodeWith("x", "/usr/bin/python3.9 3.9"), "", `/usr/bin/python3.9 says "3.9"`},
		"not looked at":         {crashed, "", "it crashed"},
		"another not looked at": {other, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if full, why := c.node.python("3.9"); full != c.full || why != c.why {
				t.Errorf("%q, %q, want %q, %q", full, why, c.full, c.why)
			}
		})
	}
}

func TestTargetOfNodes(t *testing.T) {
	old, twin, late := nodeWith("old", "/usr/bin/python3.9 3.9.9"), nodeWith("twin", "/usr/bin/python3.9 3.9.9"), nodeWith("late", "/usr/bin/python3.9 3.9.18", "/usr/bin/python3.11 3.11.2")
	for name, c := range map[string]struct {
		python string
		nodes  []*Node
		minor  string
		full   string
	}{
		"no nodes":              {"3.9", nil, "3.9", ""},
		"the spec alone":        {"3.9.16", nil, "3.9", "3.9.16"},
		"nodes, as numbers":     {"3.9", []*Node{late, old, twin}, "3.9", "3.9.9 3.9.18"},
		"the spec beside nodes": {"3.9.16", []*Node{late, old}, "3.9", "3.9.9 3.9.16 3.9.18"},
		"another minor":         {"3.11", []*Node{late, old}, "3.11", "3.11.2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Spec: Spec{NodePython: c.python, ControlPython: "3.11.7"}.WithDefaults(), Nodes: c.nodes}
			target := o.target(nil)
			if got := strings.Join(target.NodePythonFullVersions, " "); target.NodePython != c.minor || got != c.full {
				t.Errorf("%s: %q", target.NodePython, got)
			}
			if target.ControlPython != "3.11" || !slices.Equal(target.ControlPythonFullVersions, []string{"3.11.7"}) {
				t.Errorf("control: %+v", target)
			}
		})
	}
	o := Options{Nodes: []*Node{old, late, twin}}
	for full, want := range map[string]string{"3.9.9": "nodes old and twin", "3.9.18": "node late", "3.9.16": "the spec"} {
		if got := o.whose(full, nil); got != want {
			t.Errorf("%s: %s, want %s", full, got, want)
		}
	}
}

// What a transaction makes of a node's own interpreter counts beside what is there.
func TestNodePythonsUpgraded(t *testing.T) {
	const local, system = "/usr/local/bin/python3.9 3.9.2", "/usr/bin/python3.9 3.9.16"
	upgraded := func(name, evr string) *Transaction {
		return &Transaction{Node: "x", Upgraded: []Change{{Name: "bash", EVR: "5.1-1"}, {Name: name, EVR: evr}}}
	}
	for name, c := range map[string]struct {
		minor string
		node  *Node
		t     *Transaction
		want  string
	}{
		"no transaction":           {"3.9", nodeWith("x", system), nil, "3.9.16"},
		"another package":          {"3.9", nodeWith("x", system), upgraded("python3-libs", "3.9.18-3.el9"), "3.9.16"},
		"the system's":             {"3.9", nodeWith("x", system), upgraded("python3", "3.9.18-3.el9_4.1"), "3.9.16 3.9.18"},
		"with an epoch":            {"3.9", nodeWith("x", system), upgraded("python3", "1:3.9.18-3.el9"), "3.9.16 3.9.18"},
		"a rebuild":                {"3.9", nodeWith("x", system), upgraded("python3", "3.9.16-3.el9"), "3.9.16"},
		"another minor's":          {"3.11", nodeWith("x", "/usr/bin/python3.11 3.11.2"), upgraded("python3", "3.9.18-3.el9"), "3.11.2"},
		"of a stream":              {"3.11", nodeWith("x", "/usr/bin/python3.11 3.11.2"), upgraded("python3.11", "3.11.7-1.el9"), "3.11.2 3.11.7"},
		"one of the site's before": {"3.9", nodeWith("x", local, system), upgraded("python3", "3.9.18-3.el9"), "3.9.2"},
		"one that is not there":    {"3.9", nodeWith("x"), upgraded("python3", "3.9.18-3.el9"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(c.node.pythons(c.minor, c.t), " "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	node := nodeWith("x", system)
	o := Options{Spec: Spec{NodePython: "3.9"}.WithDefaults(), Nodes: []*Node{node}}
	after := []*Transaction{{Node: "y"}, upgraded("python3", "3.9.18-3.el9")}
	if got := o.target(after).NodePythonFullVersions; !slices.Equal(got, []string{"3.9.16", "3.9.18"}) {
		t.Errorf("target: %v", got)
	}
	if got := o.whose("3.9.18", after); got != "node x" {
		t.Errorf("whose: %s", got)
	}
}

// Answers are one if they have the same files; who wants one may differ.
func TestMerged(t *testing.T) {
	answer := func(files ...string) *pypi.Resolution {
		res := &pypi.Resolution{}
		for _, f := range files {
			name, by, _ := strings.Cut(f, "<")
			res.Files = append(res.Files, pypi.Chosen{Name: strings.Split(name, "-")[0], Filename: name, WantedBy: strings.Fields(by)})
		}
		return res
	}
	a, b := answer("a-1", "b-1<a", "c-1<a d"), answer("a-1", "b-1<c", "c-1<d")
	if names := differing([]*pypi.Resolution{a, b}); names != nil {
		t.Errorf("%v differ", names)
	}
	var got []string
	for _, c := range merged([]*pypi.Resolution{a, b}).Files {
		got = append(got, c.Filename+"<"+strings.Join(c.WantedBy, " "))
	}
	if want := []string{"a-1<", "b-1<a c", "c-1<a d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if by := a.Files[1].WantedBy; !slices.Equal(by, []string{"a"}) {
		t.Errorf("an answer was changed: %v", by)
	}
	if names := differing([]*pypi.Resolution{a, answer("a-2", "b-1", "d-1"), answer("a-1", "b-1", "c-1")}); !slices.Equal(names, []string{"a", "c", "d"}) {
		t.Errorf("%v differ", names)
	}
}
