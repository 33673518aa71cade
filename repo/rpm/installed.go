package rpm

import (
	"fmt"

	"pgbundle/manifest"
)

// AddInstalled adds a repository with the packages that a node has, in the order
// given: dnf's is by name. It is to be called before other repositories are added.
// A package whose facts cannot be read is an error that names it.
func (p *Pool) AddInstalled(packages []manifest.Package) error {
	repo := p.AddRepo(Repo{ID: "@System", Installed: true})
	for _, m := range packages {
		pkg := Package{
			Name: p.InternString(m.Name), EVR: p.InternString(m.EVR), Arch: p.InternString(m.Arch), Vendor: p.InternString(m.Vendor), Repo: repo,
		}
		for _, list := range []struct {
			kind  string
			words []string
			deps  *[]Dep
		}{
			{"provides", m.Provides, &pkg.Provides}, {"requires", m.Requires, &pkg.Requires},
			{"conflicts", m.Conflicts, &pkg.Conflicts}, {"obsoletes", m.Obsoletes, &pkg.Obsoletes},
			{"recommends", m.Recommends, &pkg.Recommends}, {"suggests", m.Suggests, &pkg.Suggests},
			{"supplements", m.Supplements, &pkg.Supplements}, {"enhances", m.Enhances, &pkg.Enhances},
		} {
			for _, text := range list.words {
				d, err := p.ParseDep(text)
				if err != nil {
					return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read what %s-%s.%s of the node %s: %w", m.Name, m.EVR, m.Arch, list.kind, err))
				}
				*list.deps = append(*list.deps, d)
			}
		}
		id := p.Add(pkg)
		for _, path := range m.Files {
			p.AddFile(id, []byte(path))
		}
	}
	return nil
}
