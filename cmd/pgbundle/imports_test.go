package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// deps lists what packages import, directly and not.
func deps(t *testing.T, patterns ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps"}, patterns...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

// TestNoNetworkRightOfTheBundle holds the promise that what reads a bundle can
// reach no network: it does not even link the code for it.
func TestNoNetworkRightOfTheBundle(t *testing.T) {
	for _, dep := range deps(t, "pgbundle/bundle", "pgbundle/install/...") {
		if dep == "net/http" || dep == "pgbundle/repo" || strings.HasPrefix(dep, "pgbundle/repo/") {
			t.Errorf("package bundle or install depends on %s", dep)
		}
	}
}

// TestImportsGoOneWay holds the table of the architecture: for each part of the
// project, which of the others it may know.
func TestImportsGoOneWay(t *testing.T) {
	allowed := map[string][]string{
		"pgbundle/manifest":     nil,
		"pgbundle/bundle":       {"pgbundle/manifest"},
		"pgbundle/repo":         {"pgbundle/manifest", "pgbundle/repo"},
		"pgbundle/bundle/build": {"pgbundle/manifest", "pgbundle/bundle", "pgbundle/repo"},
		"pgbundle/install/node": nil,
		"pgbundle/install":      {"pgbundle/manifest", "pgbundle/bundle", "pgbundle/install/node"},
		"pgbundle/cmd":          {"pgbundle/manifest", "pgbundle/bundle", "pgbundle/bundle/build", "pgbundle/install", "pgbundle/install/node"},
	}
	part := func(pkg string) string {
		for _, p := range []string{"pgbundle/bundle/build", "pgbundle/bundle", "pgbundle/cmd", "pgbundle/install/node", "pgbundle/install", "pgbundle/manifest", "pgbundle/repo"} {
			if pkg == p || strings.HasPrefix(pkg, p+"/") {
				return p
			}
		}
		return ""
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "pgbundle/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := part(words[0])
		may, ours := allowed[from]
		if !ours {
			continue
		}
		seen[from] = true
		for _, imported := range words[1:] {
			to := part(imported)
			if to != "" && to != from && !slices.Contains(may, to) {
				t.Errorf("%s imports %s, which %s may not know", words[0], imported, from)
			}
			if strings.HasPrefix(imported, "pgbundle/cmd") || strings.HasPrefix(imported, "pgbundle/internal") {
				t.Errorf("%s imports %s, which is above it", words[0], imported)
			}
		}
	}
	for p := range allowed {
		if !seen[p] {
			t.Errorf("no package of %s was looked at: does the table still name what there is?", p)
		}
	}
}
