package repomd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"gopkg.in/yaml.v3"

	"pgbundle/repo/rpm"
)

const (
	maxModules     = 64 << 20 // bytes of modules.yaml when unpacked
	maxModuleDocs  = 20_000
	maxArtifacts   = 1_000_000
	modularRelease = ".module" // in the release of every package that was built in a module
)

// Stream is one build of a module stream.
type Stream struct {
	Name, Stream, Context, Arch string
	Version                     uint64
	Static                      bool                  // the context was given by a person and tells streams apart
	Requires                    []map[string][]string // all must hold: module → streams, none: any
	Artifacts                   []string              // NEVRAs, the epoch always written
}

// Modules is modules.yaml: module streams, and which are on by default.
type Modules struct {
	Streams  []Stream
	Defaults map[string]string // module → stream; "" where two documents disagree: none
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
		Version      uint64
		Context      string
		Static       bool `yaml:"static_context"`
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
			m.setDefault(d.Module, string(d.Stream))
		}
	case "modulemd":
		requires, err := moduleRequires(&d.Dependencies, doc.Version)
		if err != nil {
			return err
		}
		m.Streams = append(m.Streams, Stream{
			Name: d.Name, Stream: string(d.Stream), Version: d.Version, Context: d.Context, Arch: d.Arch, Static: d.Static,
			Requires: requires, Artifacts: d.Artifacts.RPMs,
		})
	}
	return nil // translations, obsoletes and packager documents say nothing of packages
}

// setDefault notes a default stream. Two of one module are none, as in
// libmodulemd.
func (m *Modules) setDefault(module, stream string) {
	if have, known := m.Defaults[module]; known && have != stream {
		stream = ""
	}
	m.Defaults[module] = stream
}

// moduleRequires reads dependencies: in version 2 a list of maps, in version 1 one
// map of module to stream.
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
	for _, entry := range v2 {
		one := make(map[string][]string)
		for module, streams := range entry.Requires {
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
			for module, stream := range m.Defaults {
				all.setDefault(module, stream)
			}
		}
	}
	active, err := all.active(opts)
	if err != nil {
		return err
	}
	filter := newModuleFilter(pool)
	at := 0
	for _, l := range loaders {
		if l.modules == nil {
			continue
		}
		for i := range l.modules.Streams {
			s := &l.modules.Streams[i]
			filter.add(s, active[at])
			if active[at] {
				l.out.Streams = append(l.out.Streams, s.Name+":"+s.Stream)
			}
			at++
		}
		slices.Sort(l.out.Streams)
		l.out.Streams = slices.Compact(l.out.Streams)
	}
	filter.apply()
	return nil
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
