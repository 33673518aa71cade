package solve

import (
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// filtered says what hides a package.
func (s *Solver) filtered(id rpm.ID) *Reason {
	pkg := s.pool.Package(id)
	return &Reason{Kind: Filtered, Packages: []rpm.ID{id}, Filter: pkg.HiddenWhy, By: s.pool.String(pkg.HiddenBy)}
}

// pinOf returns the pin of a goal that rules a build out.
func (s *Solver) pinOf(g *goal, id rpm.ID) string {
	for _, pin := range g.pins {
		if name, _, _ := strings.Cut(pin, "="); s.pool.Lookup(strings.TrimSpace(name)) != s.info[id].name {
			continue
		}
		if barred, _ := s.readPin(pin); slices.Contains(barred, id) {
			return pin
		}
	}
	return ""
}

// repoOf returns the id of the repository that a package is in.
func (s *Solver) repoOf(id rpm.ID) string { return s.pool.Repo(s.pool.Package(id).Repo).ID }
