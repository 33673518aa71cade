package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// Write writes the archive of c to w and returns its size and digests. The
// bytes depend on c alone. Each file's digest is taken of the bytes that are
// written and compared with the manifest; a file that is not what the manifest
// says is an error of class manifest.ErrDamaged that names it. After an error
// what w got is no bundle.
func Write(ctx context.Context, w io.Writer, c Content, opts WriteOptions) (Written, error) {
	m, err := manifest.ParseManifest(c.Manifest)
	if err != nil {
		return Written{}, fmt.Errorf("write bundle: %w", err)
	}
	if c.Signature != nil {
		if _, err := sign.ParseSignature(c.Signature); err != nil {
			return Written{}, fmt.Errorf("write bundle: %w", err)
		}
	}
	l, err := newLayout(m, c.Manifest, int64(len(c.Signature)))
	if err != nil {
		return Written{}, fmt.Errorf("write bundle: %w", err)
	}
	out := &archiveWriter{w: w, hash: sha256.New(), progress: opts.Progress}
	p := &packer{content: c, layout: l, out: out, digest: sha256.New()}
	if opts.Jobs == 1 {
		err = p.serial(ctx)
	} else {
		err = p.overlapped(ctx)
	}
	if err == nil {
		err = out.write(endMember())
	}
	if err != nil {
		return Written{}, fmt.Errorf("write bundle: %w", err)
	}
	if out.size != l.total {
		return Written{}, fmt.Errorf("write bundle: wrote %d bytes where the layout has %d", out.size, l.total)
	}
	return Written{
		Size:   out.size,
		SHA256: fmt.Sprintf("%x", out.hash.Sum(nil)),
		ID:     manifest.BundleID(c.Manifest),
	}, nil
}

// archiveWriter takes the digest of all that it writes.
type archiveWriter struct {
	w        io.Writer
	hash     hash.Hash
	size     int64
	progress func(n int64)
}

func (a *archiveWriter) write(b []byte) error {
	a.hash.Write(b)
	n, err := a.w.Write(b)
	a.size += int64(n)
	if err != nil {
		return err
	}
	if a.progress != nil {
		a.progress(int64(n))
	}
	return nil
}

// A span is a run of whole stored blocks of one member on its way to the file.
type span struct {
	framed  []byte   // as it is written
	payload [][]byte // the parts of framed that are the file's bytes
	of      member
	last    bool // the member ends with it
	users   atomic.Int32
}

// A packer turns the files of a layout into spans. It reads in one place,
// takes the files' digests in a second and writes in a third.
type packer struct {
	content Content
	layout  *layout
	out     *archiveWriter
	digest  hash.Hash // of the file that is under way
}

// serial runs all three places in turn.
func (p *packer) serial(ctx context.Context) error {
	s := &span{framed: make([]byte, 0, frameBuffer)}
	get := func() (*span, error) { return s, ctx.Err() }
	return p.read(ctx, get, func(s *span) error {
		if err := p.check(s); err != nil {
			return err
		}
		return p.out.write(s.framed)
	})
}

// overlapped runs each place in a goroutine of its own: the two digests, which
// are most of the work, keep two cores busy.
func (p *packer) overlapped(ctx context.Context) error {
	const spans = 8 // about 8 MiB under way
	free := make(chan *span, spans)
	for range spans {
		free <- &span{framed: make([]byte, 0, frameBuffer)}
	}
	toCheck, toWrite := make(chan *span, spans), make(chan *span, spans)
	group, ctx := errgroup.WithContext(ctx)
	consume := func(from chan *span, use func(*span) error) func() error {
		return func() error {
			for s := range from {
				if err := use(s); err != nil {
					return err
				}
				if s.users.Add(-1) == 0 {
					free <- s
				}
			}
			return nil
		}
	}
	group.Go(consume(toCheck, p.check))
	group.Go(consume(toWrite, func(s *span) error { return p.out.write(s.framed) }))
	group.Go(func() error {
		defer close(toCheck)
		defer close(toWrite)
		get := func() (*span, error) {
			select {
			case s := <-free:
				return s, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return p.read(ctx, get, func(s *span) error {
			// The channels have room for every span there is: this never blocks.
			s.users.Store(2)
			toCheck <- s
			toWrite <- s
			return nil
		})
	})
	return group.Wait()
}

// read makes the spans of every member in order.
func (p *packer) read(ctx context.Context, get func() (*span, error), emit func(*span) error) error {
	for _, m := range p.layout.members {
		r, err := p.open(ctx, m)
		if err != nil {
			return err
		}
		err = readMember(m, r, get, emit)
		if closeErr := r.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("read %s: %w", m.path, closeErr)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) open(ctx context.Context, m member) (io.ReadCloser, error) {
	switch m.path {
	case manifest.ManifestName:
		return io.NopCloser(bytes.NewReader(p.content.Manifest)), nil
	case manifest.SignatureName:
		return io.NopCloser(bytes.NewReader(p.content.Signature)), nil
	case manifest.SumsName:
		return io.NopCloser(bytes.NewReader(p.layout.sums)), nil
	}
	r, err := p.content.Open(ctx, m.path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", m.path, err)
	}
	return r, nil
}

// readMember frames one member: header, payload and padding, in spans.
func readMember(m member, r io.Reader, get func() (*span, error), emit func(*span) error) error {
	header, err := m.header()
	if err != nil {
		return err
	}
	raw := rawLength(m.size)
	var crc uint32
	for at := int64(0); at < raw; {
		s, err := get()
		if err != nil {
			return err
		}
		s.of, s.payload, s.framed = m, s.payload[:0], s.framed[:0]
		if at == 0 {
			s.framed = append(s.framed, gzipHeader...)
		}
		for range frameBlocks {
			n := int(min(raw-at, blockSize))
			start := len(s.framed)
			s.framed = s.framed[:start+blockHeader+n]
			block := s.framed[start:]
			putBlockHeader(block, n, at+int64(n) == raw)
			payload, err := fillBlock(block[blockHeader:], at, m, &header, r)
			if err != nil {
				return err
			}
			s.payload = append(s.payload, payload)
			crc = crc32.Update(crc, crc32.IEEETable, block[blockHeader:])
			if at += int64(n); at == raw {
				break
			}
		}
		if s.last = at == raw; s.last {
			if err := atEnd(m, r); err != nil {
				return err
			}
			start := len(s.framed)
			s.framed = s.framed[:start+trailerSize]
			putTrailer(s.framed[start:], crc, raw)
		}
		if err := emit(s); err != nil {
			return err
		}
	}
	return nil
}

// fillBlock fills data with the raw bytes of m from at, and returns the part
// of it that came from r.
func fillBlock(data []byte, at int64, m member, header *[tarBlock]byte, r io.Reader) ([]byte, error) {
	begin, end := payloadOf(m, at, len(data))
	if at < tarBlock {
		copy(data[:begin], header[at:])
	}
	if n, err := io.ReadFull(r, data[begin:end]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			got := at + int64(begin) + int64(n) - tarBlock
			return nil, manifest.Classify(manifest.ErrDamaged,
				fmt.Errorf("file %s: %d bytes where the manifest says %d", m.path, got, m.size))
		}
		return nil, fmt.Errorf("read %s: %w", m.path, err)
	}
	clear(data[end:])
	return data[begin:end], nil
}

// payloadOf returns the part of n raw bytes from at that is the file's own.
func payloadOf(m member, at int64, n int) (begin, end int) {
	clamp := func(place int64) int { return int(min(max(place-at, 0), int64(n))) }
	return clamp(tarBlock), clamp(tarBlock + m.size)
}

// atEnd makes sure that a file is not longer than the manifest says.
func atEnd(m member, r io.Reader) error {
	var one [1]byte
	n, err := io.ReadFull(r, one[:])
	if n > 0 {
		return manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("file %s: longer than the %d bytes that the manifest says", m.path, m.size))
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", m.path, err)
	}
	return nil
}

// check takes a file's digest and compares it when the file ends.
func (p *packer) check(s *span) error {
	if s.of.sha256 == "" {
		return nil // the signature: nothing lists it
	}
	for _, part := range s.payload {
		p.digest.Write(part)
	}
	if !s.last {
		return nil
	}
	sum := p.digest.Sum(nil)
	p.digest.Reset()
	if !sameDigest(sum, s.of.sha256) {
		return manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("file %s: sha256 %x where the manifest says %s", s.of.path, sum, s.of.sha256))
	}
	return nil
}
