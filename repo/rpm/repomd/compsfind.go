package repomd

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// Merge adds the comps of a repository that ranks behind those before it, in the
// order of priority, cost and configuration. As in dnf 4 the later one wins where
// two speak of one package of a group, or name one group.
func (c *Comps) Merge(other *Comps) {
	for _, g := range other.Groups {
		c.addGroup(g)
	}
	for _, v := range other.Environments {
		c.addEnvironment(v)
	}
}

// addGroup adds a group, or its packages to the group of its id.
func (c *Comps) addGroup(g Group) {
	i := slices.IndexFunc(c.Groups, func(have Group) bool { return have.ID == g.ID })
	if i < 0 {
		c.Groups = append(c.Groups, g)
		return
	}
	renewed := func(p GroupPackage) bool {
		return slices.ContainsFunc(g.Packages, func(q GroupPackage) bool { return q.Name == p.Name })
	}
	have := &c.Groups[i]
	have.Name = cmp.Or(g.Name, have.Name)
	have.Packages = append(slices.DeleteFunc(slices.Clone(have.Packages), renewed), g.Packages...)
}

func (c *Comps) addEnvironment(v Environment) {
	i := slices.IndexFunc(c.Environments, func(have Environment) bool { return have.ID == v.ID })
	if i < 0 {
		c.Environments = append(c.Environments, v)
		return
	}
	have := &c.Environments[i]
	have.Name = cmp.Or(v.Name, have.Name)
	have.Groups = slices.Clip(have.Groups)
	for _, id := range v.Groups {
		if !slices.Contains(have.Groups, id) {
			have.Groups = append(have.Groups, id)
		}
	}
}

// groupTypes are the types of package that a group brings when nobody names
// others: dnf's group_package_types.
var groupTypes = []string{"mandatory", "default", "conditional"}

// Find returns the packages that a word after "@" means to `dnf install`, and
// notes of what its environments lack. The word is the id or the name of groups
// and environments, else a glob over both in any case; "/TYPE,TYPE" behind it
// takes the packages of those types. Nothing of that name is fs.ErrNotExist.
func (c *Comps) Find(word string) (packages []GroupPackage, notes []string, err error) {
	name, list, typed := strings.Cut(word, "/")
	types := groupTypes
	if typed {
		types = strings.Split(list, ",")
		for _, t := range types {
			if t != "optional" && !slices.Contains(groupTypes, t) {
				return nil, nil, fmt.Errorf("group %s: takes packages of type mandatory, default, conditional and optional, and not %q", name, t)
			}
		}
	}
	groups := matching(c.Groups, name, func(g Group) (string, string) { return g.ID, g.Name })
	environments := matching(c.Environments, name, func(v Environment) (string, string) { return v.ID, v.Name })
	if len(groups)+len(environments) == 0 {
		return nil, nil, fmt.Errorf("group %s: %w", name, fs.ErrNotExist)
	}
	for _, v := range environments {
		for _, id := range v.Groups {
			i := slices.IndexFunc(c.Groups, func(g Group) bool { return g.ID == id })
			if i < 0 {
				notes = append(notes, fmt.Sprintf("environment %s: no repository has its group %s", v.ID, id))
				continue
			}
			groups = append(groups, c.Groups[i])
		}
	}
	for _, g := range groups {
		for _, p := range g.Packages {
			if slices.Contains(types, p.Type) && !slices.Contains(packages, p) {
				packages = append(packages, p)
			}
		}
	}
	return packages, notes, nil
}

// matching returns what a word means: what is called so, by id or name, else
// what fits it as a glob in any case.
func matching[T any](list []T, word string, called func(T) (id, name string)) []T {
	var exact, alike []T
	lower := strings.ToLower(word)
	for _, item := range list {
		id, name := called(item)
		switch {
		case word == "":
		case id == word || name == word:
			exact = append(exact, item)
		case rpm.Match(lower, strings.ToLower(id)) || rpm.Match(lower, strings.ToLower(name)):
			alike = append(alike, item)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return alike
}

// IDs lists the ids of all groups and environments.
func (c *Comps) IDs() []string {
	var ids []string
	for _, g := range c.Groups {
		ids = append(ids, g.ID)
	}
	for _, v := range c.Environments {
		ids = append(ids, v.ID)
	}
	return ids
}
