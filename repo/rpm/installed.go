package rpm

import (
	"strings"

	"pgbundle/manifest"
)

// SystemRepo is the id of the repository of what a node has.
const SystemRepo = "@System"

// AddInstalled adds a repository with the packages that a node has, in the order
// given: dnf's is by name. It is to be called before other repositories are added.
func (p *Pool) AddInstalled(packages []manifest.Package) {
	p.AddPackages(Repo{ID: SystemRepo, Installed: true}, packages)
}

// AddPackages adds a repository with packages that somebody described. A
// dependency that is none is a name that nothing else has, as for libsolv: a
// stranger's package may have one, and must not take the others along.
func (p *Pool) AddPackages(r Repo, packages []manifest.Package) {
	repo := p.AddRepo(r)
	for _, m := range packages {
		pkg := Package{
			Name: p.InternString(m.Name), EVR: p.InternString(m.EVR), Arch: p.InternString(m.Arch), Vendor: p.InternString(m.Vendor), Repo: repo,
		}
		for _, list := range []struct {
			words []string
			deps  *[]Dep
		}{
			{m.Provides, &pkg.Provides}, {m.Requires, &pkg.Requires}, {m.Conflicts, &pkg.Conflicts}, {m.Obsoletes, &pkg.Obsoletes},
			{m.Recommends, &pkg.Recommends}, {m.Suggests, &pkg.Suggests}, {m.Supplements, &pkg.Supplements}, {m.Enhances, &pkg.Enhances},
		} {
			for _, text := range list.words {
				d, err := p.ParseDep(text)
				if err != nil {
					d = Dep(p.InternString(text))
				}
				*list.deps = append(*list.deps, d)
			}
		}
		id := p.Add(pkg)
		for _, path := range m.Files {
			p.AddFile(id, []byte(path))
		}
	}
}

// Describe is the reverse of AddPackages. Of the files only those are told that a
// dependency of the pool names.
func (p *Pool) Describe(id ID) manifest.Package {
	pkg := p.Package(id)
	words := func(deps []Dep) []string {
		var out []string
		for _, d := range deps {
			if text := p.DepString(d); !strings.HasPrefix(text, "rpmlib(") {
				out = append(out, text)
			}
		}
		return out
	}
	m := manifest.Package{
		Name: p.String(pkg.Name), EVR: p.String(pkg.EVR), Arch: p.String(pkg.Arch), Vendor: p.String(pkg.Vendor),
		Provides: words(pkg.Provides), Requires: words(pkg.Requires), Conflicts: words(pkg.Conflicts), Obsoletes: words(pkg.Obsoletes),
		Recommends: words(pkg.Recommends), Suggests: words(pkg.Suggests), Supplements: words(pkg.Supplements), Enhances: words(pkg.Enhances),
	}
	for _, path := range p.FilesOf(id) {
		if p.Lookup(path) != 0 {
			m.Files = append(m.Files, path)
		}
	}
	return m
}
