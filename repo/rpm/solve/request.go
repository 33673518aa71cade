package solve

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"pgbundle/repo/rpm"
)

// goal is a job in the terms of a pool.
type goal struct {
	jobs   []job
	pins   []string
	barred []rpm.ID // builds that a pin rules out
	nearby []rpm.ID // what no job has, and is looked at as if one had
	best   bool

	keepNode bool
}

// job asks for one of some candidates, ascending; when with is not 0, only along
// with that package.
type job struct {
	request    string
	candidates []rpm.ID
	with       rpm.ID
}

// asks reports whether a request means this very package.
func (g *goal) asks(id rpm.ID) bool {
	return slices.ContainsFunc(g.jobs, func(j job) bool { return j.with == 0 && j.means(id) })
}

// means reports whether a package would meet the request.
func (j *job) means(id rpm.ID) bool {
	_, found := slices.BinarySearch(j.candidates, id)
	return found
}

// bars reports whether a pin rules a build out.
func (g *goal) bars(id rpm.ID) bool {
	_, found := slices.BinarySearch(g.barred, id)
	return found
}

// readJob finds what the requests mean. Requests that mean nothing are problems;
// the goal holds the others.
func (s *Solver) readJob(j Job) (*goal, []*Problem) {
	g := &goal{pins: j.Pins, best: j.Best, keepNode: j.KeepNode}
	var problems []*Problem
	for _, pin := range j.Pins {
		barred, p := s.readPin(pin)
		g.barred = append(g.barred, barred...)
		if p != nil {
			problems = append(problems, p)
		}
	}
	slices.Sort(g.barred)
	g.barred = slices.Compact(g.barred)
	for _, request := range j.Requests {
		jobs := s.jobsOf(request)
		for i := range jobs {
			jobs[i].candidates = slices.DeleteFunc(jobs[i].candidates, g.bars)
		}
		jobs = slices.DeleteFunc(jobs, func(j job) bool { return len(j.candidates) == 0 })
		if len(jobs) == 0 {
			problems = append(problems, s.unknown(request, g))
		}
		g.jobs = append(g.jobs, jobs...)
	}
	for _, group := range j.Groups {
		s.addGroup(g, group)
	}
	return g, problems
}

// readPin reads NAME=EVR and returns the builds of the name that it rules out. What
// a node has it does not: a pin says what is taken, not what must go.
func (s *Solver) readPin(pin string) ([]rpm.ID, *Problem) {
	name, evr, ok := strings.Cut(pin, "=")
	name, evr = strings.TrimSpace(name), strings.TrimSpace(evr)
	builds := s.pool.ByName(s.pool.Lookup(name))
	if !ok || name == "" || evr == "" || len(builds) == 0 {
		return nil, s.unknownPin(pin, builds)
	}
	want := &versionRange{op: rpm.EQ, evr: evr}
	var barred []rpm.ID
	fits := false
	for _, id := range builds {
		switch {
		case want.admits(rpm.EQ, s.pool.String(s.info[id].evr)):
			fits = true
		case !s.info[id].there:
			barred = append(barred, id)
		}
	}
	if !fits {
		return nil, s.unknownPin(pin, builds)
	}
	return barred, nil
}

// jobsOf finds what a request means, as `dnf install` does: the first of these
// that any visible package fits: name-[epoch:]version-release.arch, name.arch,
// name, name-[epoch:]version-release, name-[epoch:]version, a capability, a path.
// A plain name also means what obsoletes it. A pattern makes one job per name.
func (s *Solver) jobsOf(request string) []job {
	if f, ids := s.matchForms(request); len(ids) > 0 {
		switch {
		case rpm.IsGlob(f.arch):
			return s.split(request, ids, true, func(id rpm.ID) uint64 {
				return uint64(s.info[id].name)<<32 | uint64(s.info[id].arch)
			})
		case rpm.IsGlob(request):
			return s.split(request, ids, f.justName(), func(id rpm.ID) uint64 { return uint64(s.info[id].name) })
		case f.justName():
			ids = s.withObsoleters(ids)
		}
		return []job{{request: request, candidates: ids}}
	}
	ids := s.matchCapability(request)
	switch {
	case len(ids) == 0:
		return nil
	case rpm.IsGlob(request) && !IsPath(request):
		return s.split(request, ids, false, func(id rpm.ID) uint64 { return uint64(s.info[id].name) })
	}
	return []job{{request: request, candidates: ids}}
}

// split makes one job for each group of packages, in the order of their first.
func (s *Solver) split(request string, ids []rpm.ID, obsoleters bool, group func(rpm.ID) uint64) []job {
	place := map[uint64]int{}
	var jobs []job
	for _, id := range ids {
		at, known := place[group(id)]
		if !known {
			at = len(jobs)
			place[group(id)] = at
			jobs = append(jobs, job{request: request})
		}
		jobs[at].candidates = append(jobs[at].candidates, id)
	}
	for i := range jobs {
		if obsoleters {
			jobs[i].candidates = s.withObsoleters(jobs[i].candidates)
		}
	}
	return jobs
}

// withObsoleters adds the visible packages that obsolete one of some packages.
func (s *Solver) withObsoleters(ids []rpm.ID) []rpm.ID {
	out := slices.Clone(ids)
	for _, id := range s.obsoleters()[s.info[ids[0]].name] {
		if s.visible(id) && slices.ContainsFunc(s.of(id).obsoletes, func(q rpm.ID) bool { return slices.Contains(ids, q) }) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// indexObsoleters lists by name the packages that obsolete some version of it.
func (s *Solver) indexObsoleters() map[rpm.Str][]rpm.ID {
	out := make(map[rpm.Str][]rpm.ID)
	for id := rpm.System; int(id) < s.pool.Len(); id++ {
		for _, d := range s.pool.Package(id).Obsoletes {
			if r, ok := s.pool.RelOf(d); ok {
				d = r.Name
			}
			out[rpm.Str(d)] = append(out[rpm.Str(d)], id)
		}
	}
	return out
}

// visible reports whether a request may mean a package: it is not filtered out
// and not a source package.
func (s *Solver) visible(id rpm.ID) bool {
	if id == rpm.System || s.pool.Package(id).Hidden {
		return false
	}
	arch := s.pool.String(s.info[id].arch)
	return arch != "src" && arch != "nosrc"
}

// nameForm is a request read as a name with more or less behind it.
type nameForm struct {
	name, epoch, version, release, arch string
}

func (f *nameForm) justName() bool {
	return f.epoch == "" && f.version == "" && f.release == "" && f.arch == ""
}

// formReaders read a request, the most specific first, in dnf's order.
var formReaders = []func(string) (nameForm, bool){readNEVRA, readNA, readName, readNEVR, readNEV}

func readName(s string) (nameForm, bool) {
	return nameForm{name: s}, s != "" && !strings.ContainsAny(s, ":(/=<> ")
}

func readNA(s string) (nameForm, bool) {
	name, arch, ok := cutLast(s, '.')
	f, isName := readName(name)
	f.arch = arch
	return f, ok && isName && arch != "" && !strings.ContainsAny(arch, "-:(/=<> ")
}

func readNEV(s string) (nameForm, bool) {
	name, version, ok := cutLast(s, '-')
	f, isName := readName(name)
	if epoch, rest, has := strings.Cut(version, ":"); has {
		if _, err := strconv.ParseUint(epoch, 10, 32); err != nil {
			return f, false
		}
		f.epoch, version = epoch, rest
	}
	f.version = version
	return f, ok && isName && isVersion(version)
}

func readNEVR(s string) (nameForm, bool) {
	rest, release, ok := cutLast(s, '-')
	if !ok || !isVersion(release) {
		return nameForm{}, false
	}
	f, ok := readNEV(rest)
	f.release = release
	return f, ok
}

func readNEVRA(s string) (nameForm, bool) {
	rest, arch, ok := cutLast(s, '.')
	if !ok || arch == "" || strings.ContainsAny(arch, "-:(/=<> ") {
		return nameForm{}, false
	}
	f, ok := readNEVR(rest)
	f.arch = arch
	return f, ok
}

func isVersion(s string) bool { return s != "" && !strings.ContainsAny(s, "-:(/=<> ") }

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// matchForms returns the first reading of a request that fits visible packages.
func (s *Solver) matchForms(request string) (nameForm, []rpm.ID) {
	for _, read := range formReaders {
		if f, ok := read(request); ok {
			if ids := s.matchForm(&f); len(ids) > 0 {
				return f, ids
			}
		}
	}
	return nameForm{}, nil
}

func (s *Solver) matchForm(f *nameForm) []rpm.ID {
	fits := func(id rpm.ID) bool { return s.visible(id) && s.fits(id, f) }
	if !rpm.IsGlob(f.name) {
		return keep(slices.Clone(s.pool.ByName(s.pool.Lookup(f.name))), fits)
	}
	var ids []rpm.ID
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if rpm.Match(f.name, s.pool.String(s.info[id].name)) && fits(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// fits compares all but the name.
func (s *Solver) fits(id rpm.ID, f *nameForm) bool {
	epoch, version, release := rpm.SplitEVR(s.pool.String(s.info[id].evr))
	return fitsPart(f.arch, s.pool.String(s.info[id].arch), strings.Compare) &&
		(f.epoch == "" || rpm.Compare(f.epoch, cmp.Or(epoch, "0")) == 0) &&
		fitsPart(f.version, version, rpm.Compare) &&
		fitsPart(f.release, release, rpm.Compare)
}

func fitsPart(pattern, part string, compare func(a, b string) int) bool {
	if rpm.IsGlob(pattern) {
		return rpm.Match(pattern, part)
	}
	return pattern == "" || compare(pattern, part) == 0
}
