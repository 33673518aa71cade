package pypi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"pgbundle/repo/backtrack"
	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/sdist"
)

// want is a requirement as the search sees it: of a project, or of a project
// with extras, or of one candidate and no other.
type want struct {
	id         string
	name       string
	extras     []string
	specifiers pep440.Specifiers
	exact      *candidate
	text       string
}

// session is one resolution: it answers what the search asks, in pip's order.
type session struct {
	resolver *Resolver
	machine  *machine
	limits   map[string]pep440.Specifiers // constraints by project
	order    map[string]int               // of what the user asked, by identifier
	names    map[string]*want             // one want of each identifier seen

	conflicts map[string]int // how often an open identifier was in a conflict
	promoted  map[string]bool

	projects flight[string, *project]
	metadata flight[*File, []byte]
	ahead    *readAhead
	listed   map[string][]*candidate // by project: what the search chooses from
	python   *candidate
	found    map[string][]*candidate // by identifier and specifiers
	parents  map[string][]*candidate // who depends on an identifier: the chain of an explanation
	notes    []string                // warnings
}

type view = backtrack.View[*want, *candidate]

// expand makes the wants of a requirement. Versions that stand beside extras
// are required of the project without them, as in pip.
func (s *session) expand(r *pep508.Requirement) []*want {
	var out []*want
	if len(r.Extras) > 0 && len(r.Specifiers) > 0 {
		out = append(out, &want{id: r.Name, name: r.Name, specifiers: r.Specifiers, text: r.String()})
	}
	out = append(out, &want{id: identifier(r.Name, r.Extras), name: r.Name, extras: r.Extras, specifiers: r.Specifiers, text: r.String()})
	for _, w := range out {
		if s.names[w.id] == nil {
			s.names[w.id] = w
		}
	}
	return out
}

// Identify names what a want is for.
func (s *session) Identify(w *want) string { return w.id }

// IdentifyCandidate names what a candidate is of.
func (s *session) IdentifyCandidate(c *candidate) string { return c.id }

// Satisfied says whether a candidate meets a want.
func (s *session) Satisfied(w *want, c *candidate) bool {
	if w.exact != nil {
		return w.exact == c
	}
	return w.specifiers.Contains(c.version)
}

// Candidates lists what may stand for an identifier.
func (s *session) Candidates(ctx context.Context, id string, requirements func(string) []*want, incompatible []*candidate) ([]*candidate, error) {
	own := requirements(id)
	if id == pythonID {
		return s.interpreters(own, incompatible), nil
	}
	like := s.names[id]
	wants := own
	if len(like.extras) > 0 {
		wants = slices.Concat(own, requirements(like.name))
	}
	specifiers := slices.Clone(s.limits[like.name])
	var exact []*candidate
	for _, w := range wants {
		specifiers = append(specifiers, w.specifiers...)
		if w.exact != nil {
			if c := w.exact.with(id, like.extras); !slices.Contains(exact, c) {
				exact = append(exact, c)
			}
		}
	}
	if len(exact) == 0 {
		all, err := s.find(ctx, id, like, specifiers)
		s.listed[like.name] = all
		return without(all, incompatible), err
	}
	return slices.DeleteFunc(without(exact, incompatible), func(c *candidate) bool {
		return !s.limits[c.name].Contains(c.version) || slices.ContainsFunc(own, func(w *want) bool { return !s.Satisfied(w, c) })
	}), nil
}

func without(all, incompatible []*candidate) []*candidate {
	if len(incompatible) == 0 {
		return slices.Clone(all)
	}
	return slices.DeleteFunc(slices.Clone(all), func(c *candidate) bool { return slices.Contains(incompatible, c) })
}

// find lists the candidates of an identifier that specifiers allow.
func (s *session) find(ctx context.Context, id string, like *want, specifiers pep440.Specifiers) ([]*candidate, error) {
	key := id + " " + specifiers.String()
	if found, ok := s.found[key]; ok {
		return found, nil
	}
	p, err := s.project(ctx, like.name)
	if err != nil {
		return nil, err
	}
	var out []*candidate
	if p == nil {
		return nil, nil
	}
	for _, group := range p.allowed(specifiers, s.resolver.PreferWheels) {
		if group[0].base == nil {
			group[0].base = newCandidate(like.name, group)
		}
		out = append(out, group[0].base.with(id, like.extras))
	}
	s.found[key] = out
	return out, nil
}

// project reads a project's page. An unknown project has no files.
func (s *session) project(ctx context.Context, name string) (*project, error) {
	return s.projects.do(name, func() (*project, error) {
		page, err := s.resolver.Index.Project(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		p, err := newProject(page, s.machine, s.resolver.Before)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		return p, nil
	})
}

// Dependencies lists what a candidate requires.
func (s *session) Dependencies(ctx context.Context, c *candidate) ([]*want, error) {
	if c.known {
		return c.depends, c.depErr
	}
	s.ahead.readNext(ctx, s, c)
	depends, err := s.dependencies(ctx, c)
	if err != nil {
		if _, ok := errors.AsType[*backtrack.Unusable](err); !ok {
			return nil, err
		}
	}
	c.depends, c.depErr, c.known = depends, err, true
	for _, w := range depends {
		s.parents[w.id] = append(s.parents[w.id], c)
	}
	s.ahead.read(ctx, s, depends)
	return depends, err
}

func (s *session) dependencies(ctx context.Context, c *candidate) ([]*want, error) {
	base := c.plain()
	if err := s.load(ctx, base); err != nil {
		return nil, err
	}
	var depends []*want
	asked := []string{""}
	if c.base != nil {
		depends = append(depends, &want{id: base.id, name: base.name, exact: base, text: base.name + "==" + base.version.String()})
		if s.names[base.id] == nil {
			s.names[base.id] = depends[0]
		}
		if valid := s.validExtras(c); len(valid) > 0 {
			asked = valid
		}
	}
	if base.meta == nil {
		return depends, nil
	}
	if c.base == nil {
		depends = append(depends, requiresPython(base.meta.RequiresPython)...)
	}
	for _, r := range base.requires {
		if !slices.ContainsFunc(asked, func(extra string) bool { return r.Marker.Eval(&s.machine.env, extra) }) {
			continue
		}
		if r.URL != "" {
			return nil, &backtrack.Unusable{Err: fmt.Errorf("%s requires %s, which is not from an index", base, r)}
		}
		depends = append(depends, s.expand(r)...)
	}
	return depends, nil
}

// validExtras returns those extras of a candidate that it has. Others are
// noted once, as pip warns of them.
func (s *session) validExtras(c *candidate) (valid []string) {
	for _, extra := range c.extras {
		if c.base.meta != nil && slices.Contains(c.base.meta.ProvidesExtra, extra) {
			valid = append(valid, extra)
		} else {
			s.notes = append(s.notes, fmt.Sprintf("%s %s has no extra %q", c.name, c.version, extra))
		}
	}
	return valid
}

// load reads the metadata of a candidate: of the first of its files that is
// what its name says.
func (s *session) load(ctx context.Context, c *candidate) error {
	if c.loaded {
		return c.loadErr
	}
	var why error
	for _, file := range c.files {
		err := s.loadFile(ctx, c, file)
		if err == nil {
			c.file, why = file, nil
			break
		}
		if _, ok := errors.AsType[*backtrack.Unusable](err); !ok {
			return err
		}
		why = errors.Join(why, err)
	}
	c.loaded = true
	if why != nil {
		c.loadErr = &backtrack.Unusable{Err: why}
	}
	return c.loadErr
}

func (s *session) loadFile(ctx context.Context, c *candidate, file *File) error {
	unusable := func(err error) error { return &backtrack.Unusable{Err: fmt.Errorf("%s: %w", file.Filename, err)} }
	data, err := s.read(ctx, file)
	c.refused = nil
	if refused, ok := errors.AsType[*sdist.Unsupported](err); ok {
		c.refused, data = refused, refused.Metadata
		if data == nil {
			return nil
		}
	} else if err != nil {
		return fmt.Errorf("read metadata of %s: %w", file.Filename, err)
	}
	meta, err := ParseMetadata(data)
	if err != nil {
		return unusable(err)
	}
	if err := meta.consistent(c.name, c.version); err != nil {
		return unusable(err)
	}
	requires := make([]*pep508.Requirement, len(meta.RequiresDist))
	for i, text := range meta.RequiresDist {
		if requires[i], err = pep508.ParseRequirement(text); err != nil {
			return unusable(fmt.Errorf("its metadata: %w", err))
		}
	}
	c.meta, c.requires = meta, requires
	return nil
}

func (s *session) read(ctx context.Context, file *File) ([]byte, error) {
	return s.metadata.do(file, func() ([]byte, error) { return s.resolver.Index.Metadata(ctx, file) })
}
