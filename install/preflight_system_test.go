package install

import (
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
)

// The interpreter that preflight accepts has a path, so that no other of the
// same name is run in its stead.
func TestPythonFor(t *testing.T) {
	n := &manifest.Node{Pythons: []manifest.Python{
		{Path: "/usr/local/bin/python3.9", Version: "3.9.2"},
		{Path: "/usr/local/bin/python3.11", Version: "3.11.1", Lacks: []string{"ensurepip"}},
		{Path: "/usr/bin/python3.9", Version: "3.9.18"}, {Path: "/usr/bin/python3.11", Version: "3.11.7"},
		{Path: "/usr/bin/python3.12", Version: "3.12.1", Lacks: []string{"venv", "ensurepip"}},
	}}
	for version, want := range map[string]string{"3.9": "/usr/local/bin/python3.9", "3.11": "/usr/bin/python3.11", "3.12": "", "3.1": "", "3": ""} {
		if path, ok := PythonFor(n, version); path != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", version, path, ok, want)
		}
	}
}

// What preflight says of signatures is what dnf will say with the repository
// file that install writes: it asks for them.
func TestPreflightSignatures(t *testing.T) {
	const haproxy, python, key = "haproxy-2.4.22-3.el9.x86_64.rpm", "python3.11-3.11.7-1.el9.x86_64.rpm", "rpms/keys/RPM-GPG-KEY-patroni-airgap"
	const refuses, way = "warning unsigned: dnf will refuse what of this has no signature: ", " | build the bundle from a source that signs, or decide to install these with dnf --nogpgcheck"
	const missing = "error contents: the bundle has nothing for role target in " + key
	for name, c := range map[string]struct {
		unsigned []string // artifacts from a source without signatures
		key      string   // where a key lies
		control  bool
		want     []string // beginnings of all lines
	}{
		"all signed":                 {nil, key, false, nil},
		"no key":                     {nil, "", false, []string{missing}},
		"a key of another name":      {nil, "rpms/keys/RPM-GPG-KEY-other", false, []string{missing}},
		"one unsigned":               {[]string{"haproxy"}, key, false, []string{refuses + haproxy + way}},
		"one unsigned, and no key":   {[]string{"haproxy"}, "", false, []string{missing, refuses + haproxy + way}},
		"all unsigned":               {[]string{"haproxy", "python3.11"}, "", false, []string{refuses + haproxy + ", " + python + way}},
		"nothing of it, for control": {[]string{"haproxy"}, "", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, w := fittingBundle(), fittingWish()
			if c.control {
				w.Roles = []manifest.Role{manifest.Control}
			}
			m.Files = slices.DeleteFunc(m.Files, func(f manifest.File) bool { return f.Path == key })
			if c.key != "" {
				m.Files = append(m.Files, manifest.File{Path: c.key, Size: 1})
			}
			m.Lock.Sources = []manifest.Source{{ID: "good", Kind: manifest.RPM}, {ID: "loose", Kind: manifest.RPM, Signatures: manifest.SignatureIfPresent}}
			for i := range m.Lock.Artifacts {
				a := &m.Lock.Artifacts[i]
				a.From.Source = "good"
				if slices.Contains(c.unsigned, a.Name) {
					a.From.Source = "loose"
				}
			}
			got := lines(Preflight(m, fittingNode(), w))
			if len(got) != len(c.want) {
				t.Fatalf("%s", strings.Join(got, "\n"))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("%s\nwant %s", got[i], want)
				}
			}
		})
	}
}
