package repomd

import (
	"slices"
	"strings"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/pkgfile"
)

// What stands here are createrepo_c's rules for what of a header enters the
// metadata (src/parsehdr.c, cr_package_from_header). dnf resolves on the result,
// so leaving out more or less would change what it installs.

// writtenLimit is how many changelog entries of a package are written.
const writtenLimit = 10

// writtenDep is a dependency as primary writes it.
type writtenDep struct {
	name, flags, epoch, version, release string
	pre                                  bool
}

func (d writtenDep) write(w *xmlWriter) {
	w.attr("name", d.name)
	if d.flags != "" {
		w.attr("flags", d.flags)
		for _, a := range [][2]string{{"epoch", d.epoch}, {"ver", d.version}, {"rel", d.release}} {
			if a[1] != "" {
				w.attr(a[0], a[1])
			}
		}
	}
	if d.pre {
		w.attr("pre", "1")
	}
}

// newWrittenDep splits the version of a dependency. It is false for what has no
// name or an epoch that is no number: such entries are left out.
func newWrittenDep(d pkgfile.Dependency) (writtenDep, bool) {
	out := writtenDep{name: d.Name, flags: writtenFlags(d.Flags)}
	if d.Version == "" {
		return out, d.Name != ""
	}
	version := d.Version
	out.epoch = "0"
	if epoch, rest, has := strings.Cut(version, ":"); has {
		if strings.Trim(epoch, "0123456789") != "" {
			return out, false
		}
		if version = rest; epoch != "" {
			out.epoch = epoch
		}
	}
	out.version, out.release, _ = strings.Cut(version, "-")
	return out, d.Name != ""
}

func writtenFlags(flags uint32) string {
	const less, greater, equal = pkgfile.SenseLess, pkgfile.SenseGreater, pkgfile.SenseEqual
	switch flags & 0xf {
	case less:
		return "LT"
	case greater:
		return "GT"
	case equal:
		return "EQ"
	case less | equal:
		return "LE"
	case greater | equal:
		return "GE"
	}
	return ""
}

func writtenDeps(deps []pkgfile.Dependency) []writtenDep {
	out := make([]writtenDep, 0, len(deps))
	for _, d := range deps {
		if e, ok := newWrittenDep(d); ok {
			out = append(out, e)
		}
	}
	return out
}

// writtenRequires filters the requirements: rpmlib(...) is rpm's own affair, a
// path of primary that the package itself owns and a capability that it itself
// provides are met, a repetition says nothing, and of the symbol versions of
// libc.so.6 the highest implies the others. It returns apart what is marked as
// allowed to be missing: the old spelling of Recommends.
func writtenRequires(pkg *pkgfile.Package) (requires, recommended []writtenDep) {
	owned := writtenOwned(pkg)
	type key struct{ name, flags, version string }
	provided := make(map[key]bool, len(pkg.Provides))
	for _, d := range pkg.Provides {
		provided[key{d.Name, writtenFlags(d.Flags), d.Version}] = true
	}
	type seen struct {
		key
		pre bool
	}
	last := make(map[string]seen, len(pkg.Requires))
	var libc *writtenDep
	for _, d := range pkg.Requires {
		k := key{d.Name, writtenFlags(d.Flags), d.Version}
		pre := d.Flags&(pkgfile.SensePrereq|pkgfile.SenseScriptPre|pkgfile.SenseScriptPost) != 0
		if strings.HasPrefix(d.Name, "rpmlib(") || owned[d.Name] || provided[k] || last[d.Name] == (seen{k, pre}) {
			continue
		}
		e, ok := newWrittenDep(d)
		if !ok {
			continue
		}
		if d.Flags&pkgfile.SenseMissingOK != 0 {
			recommended = append(recommended, e)
			continue
		}
		e.pre = pre
		if strings.HasPrefix(d.Name, "libc.so.6") {
			if libc == nil || writtenLibcOlder(libc.name, d.Name) {
				libc = &e
			}
			continue
		}
		requires = append(requires, e)
		last[d.Name] = seen{k, pre}
	}
	if libc != nil {
		requires = append(requires, *libc)
	}
	return requires, recommended
}

// writtenOwned returns those required paths that stand in the package's own
// part of primary.
func writtenOwned(pkg *pkgfile.Package) map[string]bool {
	wanted := make(map[string]bool)
	for _, d := range pkg.Requires {
		if strings.HasPrefix(d.Name, "/") && rpm.InPrimary(d.Name) {
			wanted[d.Name] = false
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	for _, f := range pkg.Files {
		if path := f.Path(); rpm.InPrimary(path) {
			if _, ok := wanted[path]; ok {
				wanted[path] = true
			}
		}
	}
	return wanted
}

// writtenLibcOlder tells whether the symbol version in a, as in
// libc.so.6(GLIBC_2.4)(64bit), is lower than the one in b.
func writtenLibcOlder(a, b string) bool {
	rankA, versionA := writtenSymbol(a)
	rankB, versionB := writtenSymbol(b)
	if rankA != rankB {
		return rankA < rankB
	}
	return rpm.Compare(versionA, versionB) < 0
}

// writtenSymbol returns what stands in the first parentheses from the first
// digit on, and how much of that form there is at all.
func writtenSymbol(name string) (rank int, version string) {
	_, rest, open := strings.Cut(name, "(")
	if !open {
		return 0, ""
	}
	inner, _, closed := strings.Cut(rest, ")")
	if !closed {
		return 1, ""
	}
	if inner == "" {
		return 2, ""
	}
	digit := strings.IndexAny(inner, "0123456789")
	if digit < 0 {
		return 3, ""
	}
	return 4, inner[digit:]
}

// writtenChangelogs returns the newest entries, oldest first. Entries of one
// time would fall together in a reader's database, so the newer of two gets a
// second more.
func writtenChangelogs(entries []pkgfile.Changelog) []pkgfile.Changelog {
	out := slices.Clone(entries[:min(len(entries), writtenLimit)])
	last := int64(0)
	for i := range out {
		out[i].Author = writtenAuthor(out[i].Author)
		if at := out[i].Time; at != last {
			last = at
			continue
		}
		for j, at := i-1, last; j >= 0 && out[j].Time == at; j-- {
			out[j].Time++
			at++
		}
	}
	slices.Reverse(out)
	return out
}

// writtenAuthor cuts the spaces at the end, but never the first character.
func writtenAuthor(s string) string {
	if s == "" {
		return s
	}
	return s[:1] + strings.TrimRight(s[1:], " ")
}
