package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// small is a package of a made-up repository. Dependencies are in RPM's words.
type small struct {
	name, evr, arch string              // evr: [epoch:]version-release
	repo            string              // "": main
	hidden          string              // a word of hiding, "": not hidden
	deps            map[string][]string // by kind: "provides", "requires", …
}

// hiding are the ways to hide a package.
var hiding = map[string]struct {
	why rpm.Why
	by  string
}{
	"hidden": {rpm.Modular, "m:1"}, "shadowed": {rpm.Shadowed, "m:2"}, "excluded": {rpm.Excluded, "b*"}, "unlisted": {rpm.NotIncluded, "a,c*"},
}

// kinds are the keys of small.deps, as primary metadata spells them.
var kinds = []string{"provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances"}

// parseSmall reads packages, one a line:
//
//	name-version-release.arch[@repo] [hidden|shadowed|excluded|unlisted] [; kind: dependency, dependency]…
//
// Without version, release and arch a package is 1-1.noarch.
func parseSmall(t testing.TB, text string) []small {
	t.Helper()
	var out []small
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		parts := strings.Split(line, ";")
		p := small{evr: "1-1", arch: "noarch", deps: map[string][]string{}}
		words := strings.Fields(parts[0])
		if len(words) > 1 {
			p.hidden = words[1]
		}
		nevra, repo, _ := strings.Cut(words[0], "@")
		p.repo = repo
		if n, ok := rpm.ParseNEVRA(nevra); ok {
			p.name, p.arch = n.Name, n.Arch
			p.evr = strings.TrimPrefix(n.Epoch+":", ":") + n.Version + "-" + n.Release
		} else {
			p.name = nevra
		}
		for _, part := range parts[1:] {
			kind, list, ok := strings.Cut(strings.TrimSpace(part), ": ")
			if !ok || !slices.Contains(kinds, kind) {
				t.Fatalf("not a dependency: %q", part)
			}
			for d := range strings.SplitSeq(list, ",") {
				p.deps[kind] = append(p.deps[kind], strings.TrimSpace(d))
			}
		}
		out = append(out, p)
	}
	return out
}

// String writes a package as parseSmall reads it.
func (p small) String() string {
	text := p.name + "-" + p.evr + "." + p.arch
	for _, kind := range kinds {
		if list := p.deps[kind]; len(list) > 0 {
			text += "; " + kind + ": " + strings.Join(list, ", ")
		}
	}
	return text
}

// listing writes packages, one a line, those of another repository than main with
// its name.
func listing(packages []small) string {
	var lines []string
	for _, p := range packages {
		line := p.String()
		if p.repo != "" {
			line += "@" + p.repo
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// smallPool puts packages into a pool. The repositories are taken in the order
// given; other names follow as they come.
func smallPool(t testing.TB, packages []small, repos ...rpm.Repo) *rpm.Pool {
	t.Helper()
	pool := rpm.NewPool()
	ids := map[string]rpm.RepoID{}
	for _, r := range repos {
		ids[r.ID] = pool.AddRepo(r)
	}
	for _, p := range packages {
		repo := p.repo
		if repo == "" {
			repo = "main"
		}
		if _, known := ids[repo]; !known {
			ids[repo] = pool.AddRepo(rpm.Repo{ID: repo, Priority: 99, Cost: 1000})
		}
		addSmall(t, pool, ids[repo], p)
	}
	pool.Prepare("x86_64")
	return pool
}

func addSmall(t testing.TB, pool *rpm.Pool, repo rpm.RepoID, p small) {
	t.Helper()
	read := func(kind string) []rpm.Dep {
		var out []rpm.Dep
		for _, text := range p.deps[kind] {
			d, err := pool.ParseDep(text)
			if err != nil {
				t.Fatalf("%s of %s: %v", kind, p.name, err)
			}
			out = append(out, d)
		}
		return out
	}
	id := pool.Add(rpm.Package{
		Name: pool.InternString(p.name), EVR: pool.InternString(p.evr), Arch: pool.InternString(p.arch), Repo: repo,
		Provides: read("provides"), Requires: read("requires"), Conflicts: read("conflicts"), Obsoletes: read("obsoletes"),
		Recommends: read("recommends"), Suggests: read("suggests"), Supplements: read("supplements"), Enhances: read("enhances"),
	})
	if why, ok := hiding[p.hidden]; ok {
		pool.Hide(id, why.why, pool.InternString(why.by))
	} else if p.hidden != "" {
		t.Fatalf("%s: not a way to hide a package: %q", p.name, p.hidden)
	}
}

// outcome writes an answer: short names when they say enough, or "refused".
func outcome(s *Solver, r *Result, err error) string {
	if errors.Is(err, manifest.ErrUnsolvable) {
		return "refused"
	} else if err != nil {
		return err.Error()
	}
	var words []string
	for _, id := range r.Packages {
		nevra := s.pool.NEVRA(id)
		words = append(words, strings.TrimSuffix(nevra, "-1-1.noarch"))
	}
	return strings.Join(words, " ")
}

// valid says what is wrong with an answer, by reading the packages anew.
func valid(pool *rpm.Pool, packages []rpm.ID) error {
	in := map[rpm.ID]bool{rpm.System: true}
	for _, id := range packages {
		in[id] = true
	}
	for _, id := range packages {
		pkg := pool.Package(id)
		if pkg.Hidden || pool.ArchScore(pkg.Arch) == 0 {
			return fmt.Errorf("%s cannot be installed", pool.NEVRA(id))
		}
		for _, d := range pkg.Requires {
			if !depHolds(pool, d, in, 0) {
				return fmt.Errorf("%s requires %s", pool.NEVRA(id), pool.DepString(d))
			}
		}
		for _, d := range pkg.Conflicts {
			// What a rich conflict says of the package that has it is forgiven.
			if (!isComplex(pool, d) || !mentions(pool, d, id)) && depHolds(pool, d, in, id) {
				return fmt.Errorf("%s conflicts with %s", pool.NEVRA(id), pool.DepString(d))
			}
		}
		for _, d := range pkg.Obsoletes {
			for _, q := range pool.Named(d) {
				if in[q] && q != id {
					return fmt.Errorf("%s obsoletes %s", pool.NEVRA(id), pool.NEVRA(q))
				}
			}
		}
		for _, q := range packages {
			other := pool.Package(q)
			bits := func(p *rpm.Package) uint8 { return colourOf(pool.String(p.Arch)) }
			if q != id && other.Name == pkg.Name && bits(other)&bits(pkg) != 0 {
				return fmt.Errorf("%s and %s", pool.NEVRA(id), pool.NEVRA(q))
			}
		}
	}
	return nil
}

// mentions reports whether a package provides a part of a dependency.
func mentions(pool *rpm.Pool, d rpm.Dep, id rpm.ID) bool {
	if r, ok := pool.RelOf(d); ok && r.Op.IsRich() && r.Op != rpm.OpWith && r.Op != rpm.OpWithout {
		return mentions(pool, r.Name, id) || mentions(pool, r.EVR, id)
	}
	return slices.Contains(pool.Providers(d), id)
}

// depHolds tests a dependency by the meaning of its words. A package that is not
// to count, for its own conflicts, is given as but.
func depHolds(pool *rpm.Pool, d rpm.Dep, in map[rpm.ID]bool, but rpm.ID) bool {
	r, ok := pool.RelOf(d)
	holds := func(d rpm.Dep) bool { return depHolds(pool, d, in, but) }
	if ok {
		otherwise, hasElse := pool.RelOf(r.EVR)
		hasElse = hasElse && otherwise.Op == rpm.OpElse
		switch r.Op {
		case rpm.OpAnd:
			return holds(r.Name) && holds(r.EVR)
		case rpm.OpOr:
			return holds(r.Name) || holds(r.EVR)
		case rpm.OpIf:
			if hasElse {
				return holds(otherwise.Name) && holds(r.Name) || !holds(otherwise.Name) && holds(otherwise.EVR)
			}
			return holds(r.Name) || !holds(r.EVR)
		case rpm.OpUnless:
			if hasElse {
				return !holds(otherwise.Name) && holds(r.Name) || holds(otherwise.Name) && holds(otherwise.EVR)
			}
			return holds(r.Name) && !holds(r.EVR)
		}
	}
	return slices.ContainsFunc(pool.Providers(d), func(id rpm.ID) bool { return in[id] && id != but })
}
