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
	if r.Packages = s.meantAll(request); len(r.Packages) > 0 {
		r.Kind, r.Because = AllFiltered, s.leftOut(r.Packages, g)
		return &Problem{Requests: []string{request}, Reasons: []*Reason{r}, solver: s}
	}
	f, _ := readNA(request)
	r.Packages = slices.Clone(s.pool.ByName(s.pool.Lookup(f.name)))
	switch arches, builds := s.archesOf(r.Packages), s.otherBuilds(request); {
	case len(arches) > 0:
		r.Hints = append(r.Hints, fmt.Sprintf("there is %s for %s", f.name, strings.Join(arches, ", ")))
	case builds != "":
		r.Hints = append(r.Hints, "there is "+builds)
	case !rpm.IsGlob(request) && !IsPath(request):
		if near := s.nearNames(request); len(near) > 0 {
			r.Hints = append(r.Hints, "did you mean "+strings.Join(near, ", ")+"?")
		}
	}
	return &Problem{Requests: []string{request}, Reasons: []*Reason{r}, solver: s}
}

// otherBuilds lists the builds of the name in a request for a version that is
// not there.
func (s *Solver) otherBuilds(request string) string {
	for _, read := range formReaders {
		f, ok := read(request)
		if !ok || f.version == "" {
			continue
		}
		if ids := keep(slices.Clone(s.pool.ByName(s.pool.Lookup(f.name))), s.visible); len(ids) > 0 {
			return s.list(ids)
		}
	}
	return ""
}

// meantAll returns the packages that a request would mean if none were left out.
func (s *Solver) meantAll(request string) []rpm.ID {
	for _, read := range formReaders {
		f, ok := read(request)
		if !ok || rpm.IsGlob(request) || f.arch == "src" || f.arch == "nosrc" {
			continue
		}
		var ids []rpm.ID
		for _, id := range s.pool.ByName(s.pool.Lookup(f.name)) {
			if s.fits(id, &f) {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			return ids
		}
	}
	return nil
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
			r = s.filtered(id)
		case g.bars(id):
			r.Kind, r.By = PinnedAway, s.pinOf(g, id)
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

// olderBuild finds out whether an older build than the newest could be had for a
// request.
func (e *explainer) olderBuild(j *job, best []rpm.ID) []string {
	x := e.searches.Get().(*search)
	defer e.searches.Put(x)
	x.begin(e.ctx, &goal{jobs: []job{*j}, barred: e.goal.barred, keepNode: e.goal.keepNode})
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
