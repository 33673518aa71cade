package solve

import (
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// matchCapability returns the visible packages that provide a capability, with
// or without a version, or own a path. A pattern is matched against the names of
// all provides.
func (s *Solver) matchCapability(request string) []rpm.ID {
	name, want := readCapability(request)
	var ids []rpm.ID
	str := s.pool.Lookup(name)
	switch {
	case want == nil && rpm.IsGlob(name):
		ids = s.matchProvides(name)
	case str != 0:
		ids = keep(slices.Clone(s.pool.Providers(rpm.Dep(str))), s.visible)
	}
	switch {
	case want != nil:
		return keep(ids, func(id rpm.ID) bool { return s.provides(id, str, want) })
	case len(ids) == 0 && IsPath(name):
		return s.matchPaths(name)
	}
	return ids
}

// matchPaths returns the visible packages that own a path, or one that fits a
// pattern. Only paths of the loaded metadata are known: one that is not in
// primary must be asked for when the file lists are loaded (repomd.LoadFiles).
func (s *Solver) matchPaths(pattern string) []rpm.ID {
	var ids []rpm.ID
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if s.visible(id) && slices.ContainsFunc(s.pool.FilesOf(id), func(path string) bool {
			return rpm.Match(pattern, path)
		}) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Solver) matchProvides(pattern string) []rpm.ID {
	var ids []rpm.ID
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if s.visible(id) && slices.ContainsFunc(s.pool.Package(id).Provides, func(d rpm.Dep) bool {
			return rpm.Match(pattern, s.pool.String(s.nameOf(d)))
		}) {
			ids = append(ids, id)
		}
	}
	return ids
}

// nameOf is the name in a dependency, of its first part when it is rich.
func (s *Solver) nameOf(d rpm.Dep) rpm.Str {
	for d.IsRel() {
		r, _ := s.pool.RelOf(d)
		d = r.Name
	}
	return rpm.Str(d)
}

// provides reports whether one of the provides of a name is in a range. The
// request is no dependency of the pool, so the pool cannot answer for it.
func (s *Solver) provides(id rpm.ID, name rpm.Str, want *versionRange) bool {
	for _, d := range s.pool.Package(id).Provides {
		if s.nameOf(d) != name {
			continue
		}
		r, versioned := s.pool.RelOf(d)
		if !versioned || want.admits(r.Op, s.pool.String(rpm.Str(r.EVR))) {
			return true
		}
	}
	return false
}

// versionRange is `op evr` of a request.
type versionRange struct {
	op  rpm.Op
	evr string
}

// comparisons are tried in order: the longer before what it starts with.
var comparisons = []struct {
	text string
	op   rpm.Op
}{
	{"<=", rpm.LT | rpm.EQ}, {">=", rpm.GT | rpm.EQ}, {"==", rpm.EQ},
	{"=", rpm.EQ}, {"<", rpm.LT}, {">", rpm.GT},
}

// readCapability reads `name` or `name op evr`. As for RPM and dnf white space is
// before the operator: font(:lang=en) is a name.
func readCapability(request string) (name string, want *versionRange) {
	at := strings.IndexAny(request, " \t")
	if at <= 0 {
		return request, nil
	}
	name, rest := request[:at], strings.TrimSpace(request[at:])
	for _, c := range comparisons {
		if evr, ok := strings.CutPrefix(rest, c.text); ok {
			return name, &versionRange{c.op, strings.TrimSpace(evr)}
		}
	}
	return request, nil
}

// admits reports whether the range has a version in common with `op evr`. A
// missing release equals any: the side without one must allow its own version.
func (r *versionRange) admits(op rpm.Op, evr string) bool {
	if r.op&op&(rpm.GT|rpm.LT) != 0 {
		return true
	}
	switch c := compareLoosely(evr, r.evr); {
	case c < 0:
		return r.op&rpm.LT != 0 || op&rpm.GT != 0
	case c > 0:
		return r.op&rpm.GT != 0 || op&rpm.LT != 0
	}
	switch provided, asked := strings.Contains(evr, "-"), strings.Contains(r.evr, "-"); {
	case asked && !provided:
		return op&rpm.EQ != 0
	case provided && !asked:
		return r.op&rpm.EQ != 0
	}
	return r.op&op&rpm.EQ != 0
}

// compareLoosely compares two versions; a missing release equals any.
func compareLoosely(a, b string) int {
	aVersion, _, aHas := cutLast(a, '-')
	bVersion, _, bHas := cutLast(b, '-')
	if aHas != bHas {
		a, b = aVersion, bVersion
	}
	return rpm.CompareEVR(a, b)
}

// IsPath reports whether a request means a path, which file lists answer: it is
// one, or a glob over them.
func IsPath(s string) bool { return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "*/") }
