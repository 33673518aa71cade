package solve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/rpm"
)

// maxSuggestions is how many near names a hint gives.
const maxSuggestions = 3

// unknown explains a request that means no package.
func (s *Solver) unknown(request string, g *goal) *Problem {
	r := &Reason{Kind: NoMatch, Request: request}
	name := request
	if f, ok := readNA(request); ok && !rpm.IsGlob(request) && len(s.pool.ByName(s.pool.Lookup(f.name))) > 0 {
		name = f.name
	}
	r.Packages = slices.Clone(s.pool.ByName(s.pool.Lookup(name)))
	switch {
	case len(r.Packages) > 0:
		r.Because = s.leftOut(r.Packages, g)
		if request == name {
			r.Kind = AllFiltered
		} else if arches := s.archesOf(r.Packages); len(arches) > 0 {
			r.Hints = append(r.Hints, fmt.Sprintf("there is %s for %s", name, strings.Join(arches, ", ")))
		}
	case !rpm.IsGlob(request) && !IsPath(request):
		if near := s.nearNames(request); len(near) > 0 {
			r.Hints = append(r.Hints, "did you mean "+strings.Join(near, ", ")+"?")
		}
	}
	return &Problem{Requests: []string{request}, Reasons: []*Reason{r}, solver: s}
}

// archesOf lists the architectures of visible packages.
func (s *Solver) archesOf(ids []rpm.ID) []string {
	var out []string
	for _, id := range ids {
		if s.visible(id) {
			out = append(out, s.pool.String(s.info[id].arch))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// leftOut says why the builds of a name are not to be had.
func (s *Solver) leftOut(ids []rpm.ID, g *goal) []*Reason {
	e := &explainer{search: &search{Solver: s}}
	var out []*Reason
	for _, id := range ids {
		r := &Reason{Packages: []rpm.ID{id}}
		switch {
		case s.pool.Package(id).Hidden:
			r.Kind = Filtered
		case g.bars(id):
			r.Kind = PinnedAway
		case !s.info[id].installable:
			r.Kind = BadArch
		default:
			continue
		}
		out = e.join(out, r)
	}
	return out
}

// unknownPin explains a pin that no build fits.
func (s *Solver) unknownPin(pin string, builds []rpm.ID) *Problem {
	r := &Reason{Kind: PinNoMatch, Request: pin, Packages: builds}
	name, _, ok := strings.Cut(pin, "=")
	switch {
	case !ok:
		r.Hints = append(r.Hints, "a pin is NAME=VERSION or NAME=VERSION-RELEASE")
	case len(builds) > 0:
		var versions []string
		for _, id := range builds {
			versions = append(versions, s.pool.String(s.info[id].evr))
		}
		slices.SortFunc(versions, func(a, b string) int { return rpm.CompareEVR(b, a) })
		r.Hints = append(r.Hints, "there is "+strings.Join(slices.Compact(versions), ", "))
	default:
		hint := "there is no package of that name"
		if near := s.nearNames(name); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, ", ") + "?"
		}
		r.Hints = append(r.Hints, hint)
	}
	return &Problem{Requests: []string{pin}, Reasons: []*Reason{r}, solver: s}
}

// nearNames returns the package names nearest to a word, the nearest first.
func (s *Solver) nearNames(word string) []string {
	type candidate struct {
		name     string
		distance int
	}
	limit := 1 + len(word)/5
	var found []candidate
	seen := map[rpm.Str]bool{}
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if seen[s.info[id].name] || !s.visible(id) {
			continue
		}
		seen[s.info[id].name] = true
		name := s.pool.String(s.info[id].name)
		if d := distance(word, name, limit); d <= limit {
			found = append(found, candidate{name, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range found[:min(len(found), maxSuggestions)] {
		out = append(out, c.name)
	}
	return out
}

// distance counts the edits between two words, a swap of neighbours being one;
// more than limit is not counted out. Case does not matter.
func distance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// nearCapability says what there is instead of a capability that nothing
// provides: other versions of it, a library without the version of the symbols,
// another version of the library.
func (s *Solver) nearCapability(d rpm.Dep) []string {
	name := s.pool.String(s.nameOf(d))
	if r, ok := s.pool.RelOf(d); ok && !r.Op.IsRich() {
		if ids := s.pool.Providers(r.Name); len(ids) > 0 {
			return []string{s.otherVersions(ids, rpm.Str(r.Name))}
		}
	}
	library, symbols, found := cutSymbols(name)
	if !found || strings.HasPrefix(name, "/") {
		return nil
	}
	if str := s.pool.Lookup(library); symbols != "" && str != 0 {
		if ids := s.pool.Providers(rpm.Dep(str)); len(ids) > 0 {
			return []string{fmt.Sprintf("%s of %s has no %s", library, s.list(ids), symbols)}
		}
	}
	return s.otherLibraries(library)
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
// when libldap.so.2 is not.
func (s *Solver) otherLibraries(library string) []string {
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

// olderBuild finds out whether an older build than the newest could be had for a
// request.
func (e *explainer) olderBuild(j *job, best []rpm.ID) []string {
	x := e.searches.Get().(*search)
	defer e.searches.Put(x)
	x.begin(e.ctx, &goal{jobs: []job{*j}, barred: e.goal.barred, noDowngrade: e.goal.noDowngrade})
	if solved, err := x.run(false); !solved || err != nil {
		return nil
	}
	for _, id := range j.candidates {
		if x.installed(id) && !slices.Contains(best, id) {
			return []string{"an older build could be taken: " + e.pool.NEVRA(id)}
		}
	}
	return nil
}
