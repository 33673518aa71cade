package rpm

import "strings"

// Filter hides packages of a repository as dnf's includepkgs and excludepkgs
// do: with include patterns all that match none of them, then all that match an
// exclude pattern. A pattern is a glob over name, name.arch or any longer part of
// the NEVRA, with or without the epoch.
func (p *Pool) Filter(repo RepoID, include, exclude []string) {
	p.filter(repo, include, exclude, NotIncluded, Excluded)
}

// FilterForNode is Filter by the patterns of a node's own dnf.conf.
func (p *Pool) FilterForNode(repo RepoID, include, exclude []string) {
	p.filter(repo, include, exclude, NodeNotIncluded, NodeExcluded)
}

func (p *Pool) filter(repo RepoID, include, exclude []string, left, named Why) {
	if len(include) == 0 && len(exclude) == 0 {
		return
	}
	included := p.InternString(strings.Join(include, ","))
	p.each(func(id ID, pkg *Package) {
		if pkg.Repo != repo || id == System {
			return
		}
		forms := p.forms(pkg)
		if len(include) > 0 && firstMatch(include, forms) == "" {
			p.Hide(id, left, included)
		}
		if pattern := firstMatch(exclude, forms); pattern != "" {
			p.Hide(id, named, p.InternString(pattern))
		}
	})
}

// forms lists how a package may be called.
func (p *Pool) forms(pkg *Package) []string {
	name, arch := p.String(pkg.Name), p.String(pkg.Arch)
	epoch, version, release := SplitEVR(p.String(pkg.EVR))
	forms := []string{name, name + "." + arch}
	epochs := []string{epoch + ":"}
	if epoch == "" || epoch == "0" {
		epochs = []string{"", "0:"}
	}
	for _, e := range epochs {
		nevr := name + "-" + e + version + "-" + release
		forms = append(forms, name+"-"+e+version, nevr, nevr+"."+arch)
	}
	if epoch != "" {
		nevr := name + "-" + version + "-" + release
		forms = append(forms, name+"-"+version, nevr, nevr+"."+arch)
	}
	return forms
}

// firstMatch returns the first pattern that matches a form, "" when none does.
func firstMatch(patterns, forms []string) string {
	for _, pattern := range patterns {
		for _, form := range forms {
			if Match(pattern, form) {
				return pattern
			}
		}
	}
	return ""
}
