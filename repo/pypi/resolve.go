package pypi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/backtrack"
	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/sdist"
)

// Resolver finds what a set of requirements needs on a target.
type Resolver struct {
	Index       Index
	Target      Target
	Constraints []string // requirements that narrow versions and ask for nothing; without extras
	// Before leaves out files that were uploaded at this time or later; zero:
	// none. Files on this host count, as in pip. Of an index that does not tell
	// upload times nobody can say what was there: that is an error of class
	// manifest.ErrUsage.
	Before time.Time
	// PreferWheels takes an older wheel before a newer source archive, as
	// pip's --prefer-binary.
	PreferWheels bool
}

// Resolution is the answer for a set of requirements.
type Resolution struct {
	Files    []Chosen // sorted by name
	Warnings []string
}

// Chosen is one file of an answer.
type Chosen struct {
	Name           string // normalised
	Version        string // normal form
	Filename       string
	Source         string // id of the place that it is of, where places are joined
	SHA256         string // lower-case hex digits
	Size           int64  // bytes, -1 when the index does not tell
	URL            string // without credentials; "" in a folder
	UploadTime     time.Time
	RequiresPython string
	Yanked         bool
	Sdist          bool     // a source archive: to be made a wheel of
	Extras         []string // asked for, sorted
	WantedBy       []string // names of projects, sorted; its own name: a requirement asks for it
	Requires       []string // names of the projects that it needs, sorted
}

// Path is the file's name as a file of the index.
func (c *Chosen) Path() string { return c.Name + "/" + c.Filename }

// Resolve finds the newest versions that fit together for a target. The error
// is an *Unsolvable, an *Unbuildable, one of manifest.ErrUsage for a
// requirement that cannot be read, or the index's.
func Resolve(ctx context.Context, index Index, requirements, constraints []string, target Target) (*Resolution, error) {
	r := &Resolver{Index: index, Target: target, Constraints: constraints}
	return r.Resolve(ctx, requirements)
}

// Resolve finds the newest versions that fit together, as the function of the
// same name.
func (r *Resolver) Resolve(ctx context.Context, requirements []string) (*Resolution, error) {
	m, err := newMachine(r.Target)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", manifest.ErrUsage, err)
	}
	s := &session{
		resolver: r, machine: m, python: interpreter(m), ahead: newReadAhead(),
		limits: map[string]pep440.Specifiers{}, order: map[string]int{}, names: map[string]*want{},
		conflicts: map[string]int{}, promoted: map[string]bool{},
		listed: map[string][]*candidate{}, found: map[string][]*candidate{}, parents: map[string][]*candidate{},
	}
	if err := s.limit(r.Constraints); err != nil {
		return nil, err
	}
	roots, err := s.roots(requirements)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.ahead.wait()
	defer cancel()
	s.ahead.read(ctx, s, roots)
	if err := s.missing(ctx, roots); err != nil {
		return nil, err
	}
	result, err := backtrack.Resolve(ctx, s, roots, backtrack.DefaultRounds)
	if impossible, ok := errors.AsType[*backtrack.Impossible[*want, *candidate]](err); ok {
		return nil, s.explain(ctx, impossible)
	}
	if err != nil {
		return nil, fmt.Errorf("resolve for %s: %w", r.Target, err)
	}
	return s.answer(ctx, result)
}

// limit takes the constraints in.
func (s *session) limit(constraints []string) error {
	for _, text := range constraints {
		r, err := pep508.ParseRequirement(text)
		switch {
		case err != nil:
			return fmt.Errorf("%w: constraint: %w", manifest.ErrUsage, err)
		case len(r.Extras) > 0:
			return fmt.Errorf("%w: constraint %q: a constraint has no extras", manifest.ErrUsage, text)
		case r.URL != "":
			return fmt.Errorf("%w: constraint %q: a constraint has no URL", manifest.ErrUsage, text)
		}
		if r.Marker.Eval(&s.machine.env, "") {
			s.limits[r.Name] = append(s.limits[r.Name], r.Specifiers...)
		}
	}
	return nil
}

// roots makes the wants of what the user asks, those with extras last.
func (s *session) roots(requirements []string) ([]*want, error) {
	var out []*want
	for i, text := range requirements {
		r, err := pep508.ParseRequirement(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", manifest.ErrUsage, err)
		}
		if r.URL != "" {
			return nil, fmt.Errorf("%w: requirement %q: a file by its address cannot be locked; serve it from an index or a folder", manifest.ErrUsage, text)
		}
		if !r.Marker.Eval(&s.machine.env, "") {
			s.notes = append(s.notes, fmt.Sprintf("%s is left out: its marker does not hold on %s", r, s.resolver.Target))
			continue
		}
		wants := s.expand(r)
		if _, ok := s.order[wants[0].id]; !ok {
			s.order[wants[0].id] = i
		}
		out = append(out, wants...)
	}
	slices.SortStableFunc(out, func(a, b *want) int {
		return cmp.Compare(min(len(a.extras), 1), min(len(b.extras), 1))
	})
	return out, nil
}

// answer turns pins into files.
func (s *session) answer(ctx context.Context, result *backtrack.Result[*want, *candidate]) (*Resolution, error) {
	chosen := map[string]*Chosen{}
	bases := map[string]*candidate{}
	delete(result.Pins, pythonID)
	for _, c := range result.Pins {
		base := c.plain()
		bases[base.name] = base
		out := chosen[base.name]
		if out == nil {
			out = &Chosen{Name: base.name, Version: base.version.String()}
			chosen[base.name] = out
		}
		out.Extras = append(out.Extras, c.extras...)
	}
	wanted := map[string]pep440.Specifiers{}
	for id, pin := range result.Pins {
		for _, info := range result.Information[id] {
			wanted[pin.name] = append(wanted[pin.name], info.Requirement.specifiers...)
			if info.Root() {
				chosen[pin.name].WantedBy = append(chosen[pin.name].WantedBy, pin.name)
			} else if p := info.Parent; p.name != pin.name && result.Pins[p.id] == p {
				chosen[pin.name].WantedBy = append(chosen[pin.name].WantedBy, p.name)
				chosen[p.name].Requires = append(chosen[p.name].Requires, pin.name)
			}
		}
	}
	refused := &Unbuildable{Target: s.resolver.Target}
	resolution := &Resolution{Warnings: s.notes}
	for name, out := range chosen {
		if base := bases[name]; base.refused != nil {
			refused.add(s.refusal(ctx, base, wanted[name]))
		}
		out.Extras, out.WantedBy, out.Requires = unique(out.Extras), unique(out.WantedBy), unique(out.Requires)
		if err := out.describe(ctx, s.resolver.Index, bases[name].file); err != nil {
			return nil, err
		}
		resolution.Files = append(resolution.Files, *out)
		resolution.Warnings = slices.Concat(resolution.Warnings, bases[name].otherBytes(), s.passedOver(bases[name]))
	}
	if len(refused.Archives) > 0 {
		refused.sort()
		return nil, refused
	}
	slices.SortFunc(resolution.Files, func(a, b Chosen) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range resolution.Files {
		if f.Yanked {
			resolution.Warnings = append(resolution.Warnings, fmt.Sprintf("%s %s is yanked: %s", f.Name, f.Version, bases[f.Name].file.YankedReason))
		}
	}
	resolution.Warnings = unique(resolution.Warnings)
	return resolution, nil
}

// passedOver tells which newer versions than a choice could not be used.
func (s *session) passedOver(chosen *candidate) (warnings []string) {
	for _, c := range s.listed[chosen.name] {
		if c = c.plain(); c.depErr != nil && c.version.Compare(chosen.version) > 0 {
			warnings = append(warnings, fmt.Sprintf("%s is passed over: %v", c, c.depErr))
		}
	}
	return warnings
}

// describe fills in what the index says of the file, and its digest.
func (c *Chosen) describe(ctx context.Context, index Index, f *File) error {
	c.Filename, c.Source, c.SHA256, c.Size, c.URL = f.Filename, f.Source, f.SHA256, f.Size, f.URL
	c.UploadTime, c.RequiresPython, c.Yanked, c.Sdist = f.UploadTime, f.RequiresPython, f.Yanked, !f.Wheel()
	if c.SHA256 == "" {
		var err error
		if c.SHA256, c.Size, err = index.Digest(ctx, f); err != nil {
			return fmt.Errorf("read %s, which the index lists without sha256: %w", f.Filename, err)
		}
	}
	return nil
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// refusal describes a source archive that cannot become a wheel, and the newest
// version that is wanted too and has one.
func (s *session) refusal(ctx context.Context, c *candidate, wanted pep440.Specifiers) Refusal {
	out := Refusal{Name: c.name, Version: c.version.String(), Filename: c.file.Filename, Why: c.refused, Chain: s.chain(c)}
	p, err := s.project(ctx, c.name)
	if err != nil || p == nil {
		return out
	}
	for _, group := range p.allowed(slices.Concat(s.limits[c.name], wanted), false) {
		if group[0].file.Wheel() {
			out.Wheel = group[0].version.String()
			break
		}
	}
	return out
}

// Refusal is one source archive that cannot become a wheel here.
type Refusal struct {
	Name, Version, Filename string
	Why                     *sdist.Unsupported
	Wheel                   string // the newest version that would do and has a wheel for the target, or ""
	Chain                   string // who wants it: "c 1, wanted by b 2, wanted by you"
}
