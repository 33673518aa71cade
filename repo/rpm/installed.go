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
		lists := pkg.relations()
		for i, list := range m.Relations() {
			for _, text := range *list.Texts {
				d, err := p.ParseDep(text)
				if err != nil {
					d = Dep(p.InternString(text))
				}
				*lists[i] = append(*lists[i], d)
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
	m := manifest.Package{
		Name: p.String(pkg.Name), EVR: p.String(pkg.EVR), Arch: p.String(pkg.Arch), Vendor: p.String(pkg.Vendor),
	}
	lists := pkg.relations()
	for i, list := range m.Relations() {
		for _, d := range *lists[i] {
			if text := p.DepString(d); !strings.HasPrefix(text, "rpmlib(") {
				*list.Texts = append(*list.Texts, text)
			}
		}
	}
	for _, path := range p.FilesOf(id) {
		if p.Lookup(path) != 0 {
			m.Files = append(m.Files, path)
		}
	}
	return m
}

// relations are the lists of dependencies, in the order of manifest.Package's.
func (p *Package) relations() [8]*[]Dep {
	return [...]*[]Dep{
		&p.Provides, &p.Requires, &p.Conflicts, &p.Obsoletes,
		&p.Recommends, &p.Suggests, &p.Supplements, &p.Enhances,
	}
}
