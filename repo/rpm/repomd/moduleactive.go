package repomd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// ModuleOptions say which module streams are on, as on the target.
type ModuleOptions struct {
	Enabled  []string // "name:stream"; wins over a default stream of the name
	Disabled []string // names of which no stream is on
	Platform string   // stream of the pseudo module platform: "el9"; "" fits any
}

// maxModuleSteps bounds the search for streams that go together: real metadata
// takes some hundred steps.
const maxModuleSteps = 20_000

// active tells which streams are on: the enabled ones, defaults of modules that
// are neither enabled nor disabled, and what these require. A default that does
// not go with the others is left out, as in dnf; every mistake in the options,
// and enabled streams that cannot be had, are errors of class
// manifest.ErrUnsolvable.
func (m *Modules) active(opts ModuleOptions) ([]bool, error) {
	a := &activation{Modules: m, opts: opts, fixed: map[string]string{}}
	if err := a.readOptions(); err != nil {
		return nil, manifest.Classify(manifest.ErrUnsolvable, err)
	}
	roots := slices.Sorted(maps.Keys(a.fixed))
	defaults := a.defaults()
	if !a.choose(slices.Concat(roots, defaults)) {
		if !a.choose(roots) {
			return nil, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("enable module %s: %s", strings.Join(opts.Enabled, ", "), a.unmet))
		}
		for _, name := range defaults {
			if more := append(slices.Clone(roots), name); a.choose(more) {
				roots = more
			}
		}
		a.choose(roots)
	}
	on := make([]bool, len(m.Streams))
	for i := range m.Streams {
		s := &m.Streams[i]
		have := a.chosen[s.Name]
		on[i] = have != nil && have.key() == s.key()
	}
	return on, nil
}

// activation finds the streams that are on, as libdnf lets libsolv do: of each
// module one stream, and all that it requires along with it.
type activation struct {
	*Modules
	opts   ModuleOptions
	fixed  map[string]string  // by module: the stream that is enabled
	chosen map[string]*Stream // by module
	steps  int
	unmet  string // the first requirement of the last search that nothing met
}

// readOptions checks what is enabled and disabled, and returns every mistake.
func (a *activation) readOptions() error {
	var errs []error
	has := func(fits func(*Stream) bool) bool {
		for i := range a.Streams {
			if fits(&a.Streams[i]) {
				return true
			}
		}
		return false
	}
	for _, e := range a.opts.Enabled {
		name, stream, ok := strings.Cut(e, ":")
		switch other := a.fixed[name]; {
		case !ok || name == "" || stream == "":
			errs = append(errs, fmt.Errorf("enable module %q: want NAME:STREAM", e))
		case !has(func(s *Stream) bool { return s.Name == name && s.Stream == stream }):
			errs = append(errs, fmt.Errorf("enable module %q: no repository has that %s", e, a.offer(name)))
		case other != "" && other != stream:
			errs = append(errs, fmt.Errorf("enable module %q: %s:%s is enabled too, and a module has one stream", e, name, other))
		case slices.Contains(a.opts.Disabled, name):
			errs = append(errs, fmt.Errorf("enable module %q: the module is disabled too", e))
		default:
			a.fixed[name] = stream
		}
	}
	for _, name := range a.opts.Disabled {
		if !has(func(s *Stream) bool { return s.Name == name }) {
			errs = append(errs, fmt.Errorf("disable module %q: no repository has that module%s", name, a.names()))
		}
	}
	return errors.Join(errs...)
}

// offer names the streams of a module, or the modules, for a message.
func (m *Modules) offer(name string) string {
	var streams []string
	for _, s := range m.Streams {
		if s.Name == name {
			streams = append(streams, s.Stream)
		}
	}
	if len(streams) == 0 {
		return "module" + m.names()
	}
	slices.Sort(streams)
	return "stream, only " + strings.Join(slices.Compact(streams), ", ")
}

// names lists the modules, for a message.
func (m *Modules) names() string {
	var names []string
	for _, s := range m.Streams {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return ", nor any other"
	}
	slices.Sort(names)
	return ", only " + strings.Join(slices.Compact(names), ", ")
}

// defaults lists the modules whose default stream counts.
func (a *activation) defaults() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.Defaults)) {
		_, enabled := a.fixed[name]
		if !enabled && a.Defaults[name] != "" && !slices.Contains(a.opts.Disabled, name) {
			names = append(names, name)
		}
	}
	return names
}

// demand asks for a stream of a module; by is the stream that requires it.
type demand struct {
	module  string
	streams []string // none: any; see allows
	by      *Stream  // nil: somebody enabled it, or it is a default
}

// choose looks for streams of some modules that go together.
func (a *activation) choose(modules []string) bool {
	a.chosen, a.steps, a.unmet = map[string]*Stream{}, 0, ""
	var todo []demand
	for _, name := range modules {
		stream := a.fixed[name]
		if stream == "" {
			stream = a.Defaults[name]
		}
		todo = append(todo, demand{module: name, streams: []string{stream}})
	}
	return a.settle(todo)
}

// settle meets demands, the first first.
func (a *activation) settle(todo []demand) bool {
	if a.steps++; a.steps > maxModuleSteps {
		a.unmet = "its streams require too many others"
		return false
	}
	if len(todo) == 0 {
		return true
	}
	d, rest := todo[0], todo[1:]
	if d.module == "platform" {
		if a.opts.Platform != "" && !allows(d.streams, a.opts.Platform) {
			return a.fail(d, "the target is platform:"+a.opts.Platform)
		}
		return a.settle(rest)
	}
	if have := a.chosen[d.module]; have != nil {
		if !allows(d.streams, have.Stream) {
			return a.fail(d, fmt.Sprintf("%s:%s is on", have.Name, have.Stream))
		}
		return a.settle(rest)
	}
	candidates := a.candidates(d)
	if len(candidates) == 0 {
		return a.fail(d, a.absence(d.module))
	}
	for _, s := range candidates {
		a.chosen[d.module] = s
		if a.settle(slices.Concat(rest, s.demands())) {
			return true
		}
	}
	delete(a.chosen, d.module)
	return false
}

// fail notes the first demand that was not met, and why.
func (a *activation) fail(d demand, why string) bool {
	if a.unmet == "" && d.by != nil {
		what := d.module
		if len(d.streams) > 0 {
			what += ":" + strings.Join(d.streams, " or ")
		}
		a.unmet = fmt.Sprintf("%s:%s requires %s, and %s", d.by.Name, d.by.Stream, what, why)
	}
	return false
}

// absence says why there is no stream of a module to choose.
func (a *activation) absence(module string) string {
	switch stream, enabled := a.fixed[module]; {
	case slices.Contains(a.opts.Disabled, module):
		return module + " is disabled"
	case enabled:
		return fmt.Sprintf("%s:%s is enabled", module, stream)
	}
	return "no repository has that"
}

// candidates lists the streams that meet a demand, the preferred first: libsolv
// takes the names in the order of the alphabet.
func (a *activation) candidates(d demand) []*Stream {
	if slices.Contains(a.opts.Disabled, d.module) {
		return nil
	}
	var list []*Stream
	for i := range a.Streams {
		s := &a.Streams[i]
		if fixed := a.fixed[d.module]; s.Name == d.module && allows(d.streams, s.Stream) && (fixed == "" || fixed == s.Stream) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(s, t *Stream) int {
		return cmp.Or(strings.Compare(s.key(), t.key()), cmp.Compare(t.Version, s.Version))
	})
	return slices.CompactFunc(list, func(s, t *Stream) bool { return s.key() == t.key() })
}

// key is the name that libdnf gives a stream in its pool. Builds that require the
// same, whatever their version and context, are one; the platform does not count.
func (s *Stream) key() string {
	if s.Static {
		return s.Name + ":" + s.Stream + ":" + s.Context
	}
	var parts []string
	for _, d := range s.demands() {
		if d.module == "platform" {
			continue
		}
		part := d.module
		if len(d.streams) > 0 {
			part += ":[" + strings.Join(slices.Sorted(slices.Values(d.streams)), ",") + "]"
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return s.Name + ":" + s.Stream + ":" + strings.Join(slices.Compact(parts), ";")
}

// demands lists what a stream requires, by name.
func (s *Stream) demands() []demand {
	var list []demand
	for _, entry := range s.Requires {
		for _, module := range slices.Sorted(maps.Keys(entry)) {
			list = append(list, demand{module, entry[module], s})
		}
	}
	return list
}

// allows reports whether a list of streams has one: an empty list has all, a
// list of "-stream" all but those.
func allows(streams []string, stream string) bool {
	if len(streams) > 0 && strings.HasPrefix(streams[0], "-") {
		return !slices.Contains(streams, "-"+stream)
	}
	return len(streams) == 0 || slices.Contains(streams, stream)
}
