package bundle

import (
	"fmt"
	"io"

	"pgbundle/manifest"
)

// A placer finds the place of each file's bytes while a bundle is verified.
type placer struct {
	files map[string]manifest.File
	place func(f manifest.File) (io.WriteCloser, error)
}

func placerOf(m *manifest.Manifest, opts VerifyOptions) placer {
	if opts.Place == nil {
		return placer{}
	}
	p := placer{files: make(map[string]manifest.File, len(m.Files)), place: opts.Place}
	for _, f := range m.Files {
		p.files[f.Path] = f
	}
	return p
}

// open opens the place of a file; that of one that is not wanted takes nothing.
func (p placer) open(path string) (*place, error) {
	f, ok := p.files[path]
	if !ok {
		return &place{}, nil
	}
	w, err := p.place(f)
	if err != nil {
		return nil, fmt.Errorf("place %s: %w", path, err)
	}
	return &place{path: path, w: w}, nil
}

// A place takes the bytes of one file. It remembers that it could not: then the
// fault is the disk's, not the bundle's.
type place struct {
	path string
	w    io.WriteCloser // nil: not wanted
	err  error
}

func (p *place) write(data []byte) error {
	if p.w == nil || len(data) == 0 {
		return nil
	}
	if _, err := p.w.Write(data); err != nil {
		p.err = fmt.Errorf("place %s: %w", p.path, err)
	}
	return p.err
}

// close ends the file and returns what kept its bytes from being placed.
func (p *place) close() error {
	if p.w == nil {
		return nil
	}
	if err := p.w.Close(); err != nil && p.err == nil {
		p.err = fmt.Errorf("place %s: %w", p.path, err)
	}
	return p.err
}
