package build

import (
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// TestApply holds what the excludes of a node hide: those of dnf.conf in every
// repository, those of a repository in that one where the node reaches it itself.
func TestApply(t *testing.T) {
	main := func(option string, patterns ...string) manifest.Exclude {
		return manifest.Exclude{Where: "main", Option: option, Patterns: patterns}
	}
	for _, test := range []struct {
		name     string
		excludes []manifest.Exclude
		want     string
	}{
		{"none", nil, ""},
		{"of dnf.conf", []manifest.Exclude{main("excludepkgs", "a")}, "provided:a present:a"},
		{"of a repository that the node reaches", []manifest.Exclude{{Where: "present", Option: "excludepkgs", Patterns: []string{"a"}}}, "present:a"},
		{"of a repository that only the builder reaches", []manifest.Exclude{{Where: "provided", Option: "excludepkgs", Patterns: []string{"a"}}}, ""},
		{"includes in two lines", []manifest.Exclude{main("includepkgs", "a"), main("includepkgs", "c")}, "provided:b present:b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := rpm.NewPool()
			abc := []manifest.Package{{Name: "a", EVR: "2-1", Arch: "noarch"}, {Name: "b", EVR: "2-1", Arch: "noarch"}, {Name: "c", EVR: "2-1", Arch: "noarch"}}
			pool.AddInstalled([]manifest.Package{{Name: "a", EVR: "1-1", Arch: "noarch"}})
			pool.AddPackages(rpm.Repo{ID: "provided", Role: manifest.Provides}, abc)
			pool.AddPackages(rpm.Repo{ID: "present", Role: manifest.Present}, abc)
			(&Node{Facts: &manifest.Node{Excludes: test.excludes}}).apply(pool)
			var hidden []string
			for id := rpm.System; int(id) < pool.Len(); id++ {
				if pkg := pool.Package(id); pkg.Hidden {
					hidden = append(hidden, pool.Repo(pkg.Repo).ID+":"+pool.String(pkg.Name))
				}
			}
			if got := strings.Join(hidden, " "); got != test.want {
				t.Errorf("hidden: %q, want %q", got, test.want)
			}
		})
	}
}

// TestNodeName holds that every file gives a name that a lock may hold.
func TestNodeName(t *testing.T) {
	for path, want := range map[string]string{
		"db1.yaml": "db1", "/srv/facts/db1.site.yaml": "db1.site", "db1": "db1", ".yaml": ".yaml", "Bücher ß.yaml": "B-cher--",
		strings.Repeat("x", 200) + ".yaml": strings.Repeat("x", 128),
	} {
		name := nodeName(path)
		if name != want {
			t.Errorf("%s: %q, want %q", path, name, want)
		}
		lock := manifest.Lock{Version: manifest.Version, Profile: manifest.Delta, Nodes: []manifest.LockNode{{Name: name, SHA256: strings.Repeat("0", 64)}}}
		if err := lock.Validate(); err != nil && strings.Contains(err.Error(), "node ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
