package rpm

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// LockVersions hides what version locks keep out, as dnf's versionlock plugin does. Of
// the names that a pattern may mean only the builds stay that one of the patterns
// means, none when there is no such build; what obsoletes one that stays goes, too;
// of a pattern after "!" all go. What a node has is not hidden.
func (p *Pool) LockVersions(patterns []string) {
	if len(patterns) == 0 {
		return
	}
	var locks, bans []string
	names := map[string]string{} // a name, or a glob of names: the pattern that locks it
	for _, pattern := range patterns {
		if ban, ok := strings.CutPrefix(pattern, "!"); ok {
			bans = append(bans, ban)
			continue
		}
		locks = append(locks, pattern)
		for _, name := range namesIn(pattern) {
			names[name] = pattern
		}
	}
	globs := slices.Sorted(maps.Keys(names))
	kept, keptOf := map[ID]string{}, map[Str][]ID{} // the pattern that means a build; such builds by name
	p.each(func(id ID, pkg *Package) {
		if pattern := firstMatch(locks, p.forms(pkg)); pattern != "" {
			kept[id] = pattern
			keptOf[pkg.Name] = append(keptOf[pkg.Name], id)
		}
	})
	p.each(func(id ID, pkg *Package) {
		if id == System || p.Repo(pkg.Repo).Installed {
			return
		}
		by := firstMatch(bans, p.forms(pkg))
		if kept[id] == "" {
			lock := names[firstMatch(globs, []string{p.String(pkg.Name)})]
			by = cmp.Or(lock, kept[p.obsoleteIn(pkg, keptOf)], by)
		}
		if by != "" {
			p.Hide(id, Locked, p.InternString(by))
		}
	})
}

// obsoleteIn returns a package of some, by name, that another one obsoletes, 0 when
// there is none.
func (p *Pool) obsoleteIn(pkg *Package, some map[Str][]ID) ID {
	for _, d := range pkg.Obsoletes {
		r, versioned := p.RelOf(d)
		if versioned && (r.Op.IsRich() || r.Name.IsRel()) {
			continue
		}
		for _, id := range some[p.nameOf(d)] {
			if !versioned || p.matchesOwn(p.Package(id), r) {
				return id
			}
		}
	}
	return 0
}

// namesIn lists the names that a pattern may mean, in dnf's readings of it:
// name-[epoch:]version-release.arch, name.arch, name, name-[epoch:]version-release and
// name-[epoch:]version. A name with a hyphen has several.
func namesIn(pattern string) []string {
	var names []string
	add := func(name string, ok bool) {
		if ok && name != "" && !strings.ContainsAny(name, ":(/=<> ") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(pattern, true)
	bare, isArch := cutField(pattern, '.')
	add(bare, isArch)
	add(cutVersion(pattern))
	for _, nevr := range []string{pattern, bare} {
		if nev, ok := cutField(nevr, '-'); ok {
			add(cutVersion(nev))
		}
	}
	return names
}

// cutField takes a release or an architecture off; false when none can be there.
func cutField(s string, sep byte) (before string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 || i+1 == len(s) || strings.ContainsAny(s[i+1:], "-:(/=<> ") {
		return "", false
	}
	return s[:i], true
}

// cutVersion takes a version off, with its epoch.
func cutVersion(s string) (before string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return "", false
	}
	if epoch, version, has := strings.Cut(s[i+1:], ":"); has && epoch != "" && strings.Trim(epoch, "0123456789") == "" {
		s = s[:i+1] + version
	}
	return cutField(s, '-')
}
