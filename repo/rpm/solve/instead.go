package solve

import (
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// nearCapability says what there is instead of a capability that nothing
// provides: other versions of it, a package for another machine, a library
// without the version of the symbols, another version of the library. It reports
// whether the first or the third is so: the capability is there in part.
func (s *Solver) nearCapability(d rpm.Dep) (hints []string, inPart bool) {
	name := s.pool.String(s.nameOf(d))
	if r, ok := s.pool.RelOf(d); ok && !r.Op.IsRich() {
		if ids := s.pool.Providers(r.Name); len(ids) > 0 {
			return []string{s.otherVersions(ids, rpm.Str(r.Name))}, true
		}
	}
	library, symbols, found := cutSymbols(name)
	if !found || strings.HasPrefix(name, "/") {
		return s.otherMachines(name), false
	}
	if str := s.pool.Lookup(library); symbols != "" && str != 0 {
		if ids := s.pool.Providers(rpm.Dep(str)); len(ids) > 0 {
			return []string{s.otherSymbols(ids, library, symbols)}, true
		}
	}
	return s.otherLibraries(library), false
}

// otherMachines names the packages of a capability's name that are for another
// machine; a mark such as (x86-64) in the capability does not count.
func (s *Solver) otherMachines(name string) []string {
	name, _, _ = strings.Cut(name, "(")
	var ids []rpm.ID
	for _, id := range s.pool.ByName(s.pool.Lookup(name)) {
		if arch := s.pool.String(s.info[id].arch); s.info[id].score == 0 && arch != "src" && arch != "nosrc" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("there is %s, not for %s", s.list(ids), s.pool.Arch())}
}

// otherSymbols says which versions of its symbols a library has instead of the
// one that is wanted: with none as late, a later build of it was built against.
func (s *Solver) otherSymbols(ids []rpm.ID, library, want string) string {
	family := func(symbols string) string { return symbols[:max(0, strings.IndexAny(symbols, "0123456789"))] }
	latest := ""
	for _, id := range ids {
		for _, d := range s.pool.Package(id).Provides {
			l, symbols, ok := cutSymbols(s.pool.String(s.nameOf(d)))
			if ok && l == library && family(symbols) != "" && family(symbols) == family(want) &&
				(latest == "" || rpm.Compare(symbols, latest) > 0) {
				latest = symbols
			}
		}
	}
	if latest != "" && rpm.Compare(latest, want) < 0 {
		return fmt.Sprintf("%s of %s has nothing later than %s: a later build of that library is wanted", library, s.list(ids), latest)
	}
	return fmt.Sprintf("%s of %s has no %s", library, s.list(ids), want)
}

// otherVersions lists in which versions a capability is there.
func (s *Solver) otherVersions(ids []rpm.ID, name rpm.Str) string {
	var versions []string
	for _, id := range ids {
		for _, d := range s.pool.Package(id).Provides {
			if r, ok := s.pool.RelOf(d); ok && rpm.Str(r.Name) == name {
				versions = append(versions, s.pool.String(rpm.Str(r.EVR)))
			}
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return rpm.CompareEVR(b, a) })
	versions = slices.Compact(versions)
	more := ""
	if n := len(versions) - maxSuggestions; n > 0 {
		versions, more = versions[:maxSuggestions], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("there is %s = %s%s", s.pool.String(name), strings.Join(versions, ", "), more)
}

// cutSymbols cuts `libx.so.1(X_2.0)(64bit)` into `libx.so.1()(64bit)` and X_2.0.
func cutSymbols(name string) (library, symbols string, found bool) {
	from := strings.IndexByte(name, '(')
	if from < 0 || !strings.Contains(name[:from], ".so") {
		return "", "", false
	}
	symbols, rest, _ := strings.Cut(name[from+1:], ")")
	return name[:from] + "()" + rest, symbols, true
}

// otherLibraries looks for a library of the same stem: libldap-2.4.so.2 is there
// when libldap.so.2 is not; or for the same one in 32 bits.
func (s *Solver) otherLibraries(library string) []string {
	if narrow, wide := strings.CutSuffix(library, "()(64bit)"); wide {
		if ids := s.pool.Providers(rpm.Dep(s.pool.Lookup(narrow))); s.pool.Lookup(narrow) != 0 && len(ids) > 0 {
			return []string{fmt.Sprintf("there is %s of 32 bits in %s", narrow, s.list(ids))}
		}
	}
	found := s.libraries()[libraryStem(library)]
	return found[:min(len(found), maxSuggestions)]
}

// indexLibraries lists by stem which libraries there are, in hints.
func (s *Solver) indexLibraries() map[string][]string {
	out := make(map[string][]string)
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if !s.visible(id) {
			continue
		}
		for _, d := range s.pool.Package(id).Provides {
			name := s.pool.String(s.nameOf(d))
			if library, symbols, ok := cutSymbols(name); ok && symbols == "" {
				stem := libraryStem(library)
				out[stem] = append(out[stem], fmt.Sprintf("there is %s in %s", name, s.pool.String(s.info[id].name)))
			}
		}
	}
	for stem := range out {
		slices.Sort(out[stem])
		out[stem] = slices.Compact(out[stem])
	}
	return out
}

// libraryStem cuts the versions out of `libx-2.4.so.1()(64bit)`.
func libraryStem(library string) string {
	name, rest, _ := strings.Cut(library, ".so")
	_, arch, _ := strings.Cut(rest, "(")
	return strings.TrimRight(name, "-.0123456789") + "(" + arch
}
