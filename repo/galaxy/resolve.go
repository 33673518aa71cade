package galaxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/backtrack"
	"pgbundle/repo/pypi/pep440"
)

// Resolution is the answer for a set of requests.
type Resolution struct {
	Collections []Collection // sorted by name
	Notes       []string     // which newer versions were passed over, and why
}

// Collection is one tarball of an answer.
type Collection struct {
	Name            Name
	Version         string
	Filename        string
	SHA256          string // lower-case hex digits
	Size            int64  // bytes
	RequiresAnsible string
	Created         time.Time
	WantedBy        []string // names of collections, sorted; its own name: a request asks for it
}

// Unsolvable says why requests have no answer together. It is of class
// manifest.ErrUnsolvable.
type Unsolvable struct{ Problems []string }

func (e *Unsolvable) Error() string { return strings.Join(e.Problems, "\n") }

// Unwrap returns the class.
func (e *Unsolvable) Unwrap() error { return manifest.ErrUnsolvable }

// Resolve finds the newest versions that fit together and that an ansible-core
// can run. A request is "namespace.name" with a range behind it, after a colon
// or not. Pre-releases count only when a request names one exactly, or the
// collection has nothing else. ansible-galaxy does not look at requires_ansible; a site
// without a network needs it looked at.
func Resolve(ctx context.Context, server Server, requests []string, core string) (*Resolution, error) {
	version, err := pep440.Parse(core)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("ansible-core %q: %w", core, err))
	}
	s := &session{server: server, core: version, lists: map[string][]*candidate{}, passed: map[string][]string{}}
	var roots []*want
	var errs []error
	for _, text := range requests {
		name, r, err := parseRequest(text)
		if err != nil {
			errs = append(errs, manifest.Classify(manifest.ErrUsage, err))
			continue
		}
		roots = append(roots, &want{name, r})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := s.known(ctx, roots); err != nil {
		return nil, err
	}
	result, err := backtrack.Resolve(ctx, s, roots, backtrack.DefaultRounds)
	if impossible, ok := errors.AsType[*backtrack.Impossible[*want, *candidate]](err); ok {
		return nil, s.unsolvable(ctx, roots, impossible)
	}
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, result)
}

// unsolvable tells all that is wrong: the search ends at its first conflict, so
// each request is tried alone. Where every one has an answer by itself, it is
// the conflict between them.
func (s *session) unsolvable(ctx context.Context, roots []*want, together *backtrack.Impossible[*want, *candidate]) error {
	var problems []string
	for _, root := range roots {
		_, err := backtrack.Resolve(ctx, s, []*want{root}, backtrack.DefaultRounds)
		if alone, ok := errors.AsType[*backtrack.Impossible[*want, *candidate]](err); ok {
			problems = append(problems, s.explain(alone)...)
		} else if err != nil {
			return err
		}
	}
	if len(problems) == 0 {
		problems = s.explain(together)
	}
	slices.Sort(problems)
	return &Unsolvable{slices.Compact(problems)}
}

// want is a requirement: a collection within a range.
type want struct {
	name Name
	in   Range
}

// candidate is one version of a collection.
type candidate struct {
	name     Name
	version  string
	requires string // requires_ansible
}

// session is one resolution.
type session struct {
	server Server
	core   pep440.Version
	lists  map[string][]*candidate // by name, newest first
	passed map[string][]string     // by name: what this core cannot run
}

type information = backtrack.Information[*want, *candidate]

// known loads the lists of what was asked for and returns all that are not
// there, not just the first.
func (s *session) known(ctx context.Context, roots []*want) error {
	var problems []string
	for _, w := range roots {
		_, err := s.list(ctx, w.name)
		if errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Sprintf("collection %s: the server has none of that name", w.name))
		} else if err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return &Unsolvable{problems}
	}
	return nil
}

// list returns the versions of a collection, the newest first.
func (s *session) list(ctx context.Context, name Name) ([]*candidate, error) {
	if list, ok := s.lists[name.String()]; ok {
		return list, nil
	}
	versions, err := s.server.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	list := make([]*candidate, len(versions))
	for i, v := range versions {
		list[i] = &candidate{name, v.Version, v.RequiresAnsible}
	}
	slices.SortFunc(list, func(a, b *candidate) int { return compareVersions(b.version, a.version) })
	s.lists[name.String()] = list
	return list, nil
}

// Identify names what a want is for.
func (s *session) Identify(w *want) string { return w.name.String() }

// IdentifyCandidate names what a candidate is of.
func (s *session) IdentifyCandidate(c *candidate) string { return c.name.String() }

// Satisfied says whether a candidate meets a want.
func (s *session) Satisfied(w *want, c *candidate) bool { return w.in.Contains(c.version) }

// Preference leaves the order to the names.
func (s *session) Preference(string, backtrack.View[*want, *candidate]) []int { return nil }

// Candidates lists what all wants of a collection allow and the core can run,
// the newest first. A collection with any stable version is never met by a
// pre-release that nobody named, even where the core cannot run the stable ones.
func (s *session) Candidates(ctx context.Context, id string, wants func(string) []*want, incompatible []*candidate) ([]*candidate, error) {
	name, err := ParseName(id)
	if err != nil {
		return nil, err
	}
	list, err := s.list(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a dependency on what is not there: a conflict, which may be avoided
	}
	if err != nil {
		return nil, err
	}
	var fit []*candidate
	for _, c := range list {
		allowed := !slices.ContainsFunc(wants(id), func(w *want) bool { return !w.in.Contains(c.version) })
		if allowed && !slices.Contains(incompatible, c) && s.runs(c) {
			fit = append(fit, c)
		}
	}
	if !slices.ContainsFunc(list, func(c *candidate) bool { return !isPreRelease(c.version) }) {
		return fit, nil
	}
	return slices.DeleteFunc(fit, func(c *candidate) bool {
		pinned := slices.ContainsFunc(wants(id), func(w *want) bool { return w.in.pins(c.version) })
		return isPreRelease(c.version) && !pinned
	}), nil
}

// runs reports whether the core can run a candidate, and remembers if not. A
// range that cannot be read is passed over, as ansible-core does.
func (s *session) runs(c *candidate) bool {
	if c.requires == "" {
		return true
	}
	in, err := pep440.ParseSpecifiers(c.requires)
	if err != nil || in.Contains(s.core) {
		return true
	}
	text := fmt.Sprintf("%s wants ansible-core %s", c.version, c.requires)
	if id := c.name.String(); !slices.Contains(s.passed[id], text) {
		s.passed[id] = append(s.passed[id], text)
	}
	return false
}

// Dependencies lists what a candidate needs. The list of versions need not have
// told what it wants of ansible-core; its details do.
func (s *session) Dependencies(ctx context.Context, c *candidate) ([]*want, error) {
	d, err := s.server.Details(ctx, c.name, c.version)
	if err != nil {
		return nil, err
	}
	c.requires = d.RequiresAnsible
	if !s.runs(c) {
		return nil, &backtrack.Unusable{Err: fmt.Errorf("%s %s wants ansible-core %s", c.name, c.version, d.RequiresAnsible)}
	}
	var wants []*want
	for _, id := range slices.Sorted(maps.Keys(d.Dependencies)) {
		name, err := ParseName(id)
		if err != nil {
			return nil, &backtrack.Unusable{Err: err}
		}
		in, err := ParseRange(d.Dependencies[id])
		if err != nil {
			return nil, &backtrack.Unusable{Err: err}
		}
		wants = append(wants, &want{name, in})
	}
	return wants, nil
}

// explain says, for each collection in the conflict, who wants what and which
// versions there are.
func (s *session) explain(e *backtrack.Impossible[*want, *candidate]) []string {
	byName := map[string][]string{}
	for _, cause := range e.Causes {
		id := cause.Requirement.name.String()
		who := "asked for"
		if !cause.Root() {
			who = fmt.Sprintf("wanted by %s %s", cause.Parent.name, cause.Parent.version)
		}
		line := fmt.Sprintf("%s %s", who, cause.Requirement.in)
		if !slices.Contains(byName[id], line) {
			byName[id] = append(byName[id], line)
		}
	}
	var problems []string
	for id, lines := range byName {
		text := fmt.Sprintf("collection %s: no version fits: %s", id, strings.Join(lines, ", "))
		switch list := s.lists[id]; {
		case len(list) == 0:
			text += "; the server has none of that name"
		case len(list) == 1:
			text += "; there is " + list[0].version
		default:
			text += fmt.Sprintf("; there are %s to %s", list[len(list)-1].version, list[0].version)
		}
		if passed := s.passed[id]; len(passed) > 0 {
			text += fmt.Sprintf("; with ansible-core %s: %s", s.core, shortened(passed))
		}
		problems = append(problems, text)
	}
	return problems
}

// shortened names the ends of a long list.
func shortened(lines []string) string {
	if len(lines) > 3 {
		lines = []string{lines[0], "…", lines[len(lines)-1]}
	}
	return strings.Join(lines, ", ")
}

func (s *session) answer(ctx context.Context, result *backtrack.Result[*want, *candidate]) (*Resolution, error) {
	var res Resolution
	for id, c := range result.Pins {
		d, err := s.server.Details(ctx, c.name, c.version)
		if err != nil {
			return nil, err
		}
		res.Collections = append(res.Collections, Collection{
			Name: c.name, Version: c.version, Filename: d.Filename, SHA256: d.SHA256, Size: d.Size,
			RequiresAnsible: d.RequiresAnsible, Created: d.Created, WantedBy: wantedBy(id, result.Information[id]),
		})
		newer := slices.DeleteFunc(slices.Clone(s.passed[id]), func(text string) bool {
			version, _, _ := strings.Cut(text, " ")
			return compareVersions(version, c.version) <= 0
		})
		if len(newer) > 0 {
			res.Notes = append(res.Notes, fmt.Sprintf("collection %s: %s is taken; passed over for ansible-core %s: %s",
				id, c.version, s.core, shortened(newer)))
		}
	}
	slices.SortFunc(res.Collections, func(a, b Collection) int { return strings.Compare(a.Name.String(), b.Name.String()) })
	slices.Sort(res.Notes)
	return &res, nil
}

func wantedBy(id string, info []information) []string {
	var names []string
	for _, i := range info {
		by := id
		if !i.Root() {
			by = i.Parent.name.String()
		}
		if !slices.Contains(names, by) {
			names = append(names, by)
		}
	}
	slices.Sort(names)
	return names
}
