package repomd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pgbundle/repo/rpm"
)

// ModuleOptions say which module streams are on, as on the target.
type ModuleOptions struct {
	Enabled  []string // "name:stream"; wins over a default stream of the name
	Disabled []string // names whose default stream is off
}

const (
	maxModules     = 64 << 20 // bytes of modules.yaml when unpacked
	maxModuleDocs  = 20_000
	maxArtifacts   = 1_000_000
	modularRelease = ".module" // in the release of every package that was built in a module
)

// Stream is one build of a module stream.
type Stream struct {
	Name, Stream, Context, Arch string
	Requires                    []map[string][]string // alternatives: module → streams, none: any
	Artifacts                   []string              // NEVRAs, the epoch always written
}

// Modules is modules.yaml: module streams, and which are on by default.
type Modules struct {
	Streams  []Stream
	Defaults map[string]string // module → stream
}

// modulemd is what is read of a document (modulemd version 1 and 2, and
// modulemd-defaults version 1).
type modulemd struct {
	Document string
	Version  int
	Data     struct {
		Name         string
		Stream       scalar
		Module       string
		Context      string
		Arch         string
		Dependencies yaml.Node
		Artifacts    struct{ RPMs []string }
	}
}

// scalar is a text also when YAML takes it for a number: stream: 1.10.
type scalar string

func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a text", n.Line)
	}
	*s = scalar(n.Value)
	return nil
}

// ParseModules reads modules.yaml.
func ParseModules(r io.Reader) (*Modules, error) {
	data, err := readAll(r, maxModules)
	if err != nil {
		return nil, err
	}
	m := &Modules{Defaults: make(map[string]string)}
	artifacts := 0
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		var doc modulemd
		if err := dec.Decode(&doc); err == io.EOF {
			return m, nil
		} else if err != nil {
			return nil, damaged(fmt.Errorf("document %d: %w", n, err))
		}
		artifacts += len(doc.Data.Artifacts.RPMs)
		if n > maxModuleDocs || artifacts > maxArtifacts {
			return nil, damaged(errors.New("it has too many documents or artifacts"))
		}
		if err := m.add(&doc); err != nil {
			return nil, damaged(fmt.Errorf("document %d: %w", n, err))
		}
	}
}

func (m *Modules) add(doc *modulemd) error {
	d := &doc.Data
	switch doc.Document {
	case "modulemd-defaults":
		if d.Module != "" && d.Stream != "" {
			m.Defaults[d.Module] = string(d.Stream)
		}
	case "modulemd":
		requires, err := moduleRequires(&d.Dependencies, doc.Version)
		if err != nil {
			return err
		}
		m.Streams = append(m.Streams, Stream{
			Name: d.Name, Stream: string(d.Stream), Context: d.Context, Arch: d.Arch,
			Requires: requires, Artifacts: d.Artifacts.RPMs,
		})
	}
	return nil // translations, obsoletes and packager documents say nothing of packages
}

// moduleRequires reads dependencies: in version 2 a list of alternatives, in
// version 1 one map of module to stream.
func moduleRequires(n *yaml.Node, version int) ([]map[string][]string, error) {
	if n.IsZero() {
		return nil, nil
	}
	if version == 1 {
		var v1 struct{ Requires map[string]scalar }
		if err := n.Decode(&v1); err != nil {
			return nil, err
		}
		one := make(map[string][]string)
		for module, stream := range v1.Requires {
			one[module] = []string{string(stream)}
		}
		return []map[string][]string{one}, nil
	}
	var v2 []struct{ Requires map[string][]scalar }
	if err := n.Decode(&v2); err != nil {
		return nil, err
	}
	var out []map[string][]string
	for _, alternative := range v2 {
		one := make(map[string][]string)
		for module, streams := range alternative.Requires {
			one[module] = []string{}
			for _, s := range streams {
				one[module] = append(one[module], string(s))
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// readModules reads modules.yaml of a repository, nil when it lists none.
func (l *loader) readModules(ctx context.Context) (*Modules, error) {
	d, ok := l.out.Index.Find("modules")
	if !ok {
		return nil, nil
	}
	m, err := l.parseModules(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("read modules of %s: %w", l.out.Name, err)
	}
	return m, nil
}

func (l *loader) parseModules(ctx context.Context, d *Data) (*Modules, error) {
	f, err := openData(ctx, l.in.Tree, d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := ParseModules(f)
	return m, f.verify(err)
}

// applyModules hides the packages of streams that are not active, and in
// repositories without module_hotfixes what an active stream shadows.
func applyModules(pool *rpm.Pool, loaders []*loader, opts ModuleOptions) error {
	all := &Modules{Defaults: make(map[string]string)}
	for _, l := range loaders {
		if l.modulesErr != nil {
			return l.modulesErr
		}
		if m := l.modules; m != nil {
			all.Streams = append(all.Streams, m.Streams...)
			maps.Copy(all.Defaults, m.Defaults)
		}
	}
	active, err := all.active(opts)
	if err != nil {
		return err
	}
	filter := newModuleFilter(pool)
	for i := range all.Streams {
		filter.add(&all.Streams[i], active[i])
	}
	filter.apply()
	return nil
}

// active tells which streams are on: the enabled ones, defaults of modules that
// are neither enabled nor disabled, and what these require.
func (m *Modules) active(opts ModuleOptions) ([]bool, error) {
	want := make(map[string]string)
	for _, e := range opts.Enabled {
		name, stream, ok := strings.Cut(e, ":")
		if !ok || name == "" || stream == "" {
			return nil, fmt.Errorf("enable module %q: want NAME:STREAM", e)
		}
		if !slices.ContainsFunc(m.Streams, func(s Stream) bool { return s.Name == name && s.Stream == stream }) {
			return nil, fmt.Errorf("enable module %q: no repository has that stream%s", e, m.offer(name))
		}
		want[name] = stream
	}
	for name, stream := range m.Defaults {
		if _, enabled := want[name]; !enabled && !slices.Contains(opts.Disabled, name) {
			want[name] = stream
		}
	}
	m.follow(want)
	active := make([]bool, len(m.Streams))
	for i := range m.Streams {
		s := &m.Streams[i]
		active[i] = want[s.Name] == s.Stream && s.fits(want)
	}
	return active, nil
}

// offer names the streams of a module, for a message.
func (m *Modules) offer(name string) string {
	var streams []string
	for _, s := range m.Streams {
		if s.Name == name && !slices.Contains(streams, s.Stream) {
			streams = append(streams, s.Stream)
		}
	}
	if len(streams) == 0 {
		return ""
	}
	return ", only " + strings.Join(streams, ", ")
}

// follow adds the streams that wanted ones require.
func (m *Modules) follow(want map[string]string) {
	for again := true; again; {
		again = false
		for i := range m.Streams {
			s := &m.Streams[i]
			if want[s.Name] != s.Stream || len(s.Requires) == 0 || !s.fits(want) {
				continue
			}
			for module, streams := range s.firstFit(want) {
				one := len(streams) == 1 && !strings.HasPrefix(streams[0], "-")
				if _, have := want[module]; !have && module != "platform" && one {
					want[module] = streams[0]
					again = true
				}
			}
		}
	}
}

// fits reports whether what a stream requires does not contradict the wanted
// streams.
func (s *Stream) fits(want map[string]string) bool {
	return len(s.Requires) == 0 || s.firstFit(want) != nil
}

// firstFit returns the first alternative that the wanted streams allow.
func (s *Stream) firstFit(want map[string]string) map[string][]string {
	for _, alternative := range s.Requires {
		fits := true
		for module, streams := range alternative {
			stream, have := want[module]
			fits = fits && (!have || allows(streams, stream))
		}
		if fits {
			return alternative
		}
	}
	return nil
}

// allows reports whether a list of streams has one: an empty list has all, a
// list of "-stream" all but those.
func allows(streams []string, stream string) bool {
	if len(streams) > 0 && strings.HasPrefix(streams[0], "-") {
		return !slices.Contains(streams, "-"+stream)
	}
	return len(streams) == 0 || slices.Contains(streams, stream)
}

// build names one package exactly.
type build struct{ name, evr, arch rpm.Str }

// moduleFilter hides packages by the artifacts of module streams. A stream is
// the text NAME:STREAM.
type moduleFilter struct {
	pool     *rpm.Pool
	active   map[build]bool
	inactive map[build]rpm.Str   // the first stream that has it
	shadowed map[rpm.Str]rpm.Str // by name of an active artifact: the first stream that has it
	known    map[rpm.RepoID]bool
}

func newModuleFilter(pool *rpm.Pool) *moduleFilter {
	return &moduleFilter{pool, make(map[build]bool), make(map[build]rpm.Str), make(map[rpm.Str]rpm.Str), nil}
}

// add notes the artifacts of a stream; those that no repository has are not
// interned and do not count.
func (f *moduleFilter) add(s *Stream, active bool) {
	stream := f.pool.InternString(s.Name + ":" + s.Stream)
	first := func(have rpm.Str) rpm.Str {
		if have != 0 {
			return have
		}
		return stream
	}
	for _, artifact := range s.Artifacts {
		n, ok := rpm.ParseNEVRA(artifact)
		if !ok {
			continue
		}
		if active && n.Arch != "src" && n.Arch != "nosrc" {
			name := f.pool.Lookup(n.Name)
			f.shadowed[name] = first(f.shadowed[name])
		}
		evr := n.Version + "-" + n.Release
		if n.Epoch != "" && n.Epoch != "0" {
			evr = n.Epoch + ":" + evr
		}
		b := build{f.pool.Lookup(n.Name), f.pool.Lookup(evr), f.pool.Lookup(n.Arch)}
		if b.name == 0 || b.evr == 0 || b.arch == 0 {
			continue
		}
		if active {
			f.active[b] = true
		} else {
			f.inactive[b] = first(f.inactive[b])
		}
	}
}

func (f *moduleFilter) apply() {
	delete(f.shadowed, 0)
	for id := rpm.System + 1; int(id) < f.pool.Len(); id++ {
		pkg := f.pool.Package(id)
		if f.pool.Repo(pkg.Repo).ModuleHotfixes {
			continue
		}
		b := build{pkg.Name, pkg.EVR, pkg.Arch}
		if f.active[b] {
			continue
		}
		if stream := f.inactive[b]; stream != 0 {
			f.pool.Hide(id, rpm.Modular, stream)
		} else if stream := f.shadows(pkg); stream != 0 {
			f.pool.Hide(id, rpm.Shadowed, stream)
		}
	}
}

// shadows returns the active stream that has a package of that name, or one that
// this package provides, 0 when none does.
func (f *moduleFilter) shadows(pkg *rpm.Package) rpm.Str {
	if len(f.shadowed) == 0 {
		return 0
	}
	for _, d := range pkg.Provides {
		if r, ok := f.pool.RelOf(d); ok {
			d = r.Name
		}
		if !d.IsRel() && f.shadowed[d.Str()] != 0 {
			return f.shadowed[d.Str()]
		}
	}
	return f.shadowed[pkg.Name]
}
