package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A Bundle is an open bundle, archive or folder. It is held by descriptor:
// what happens to its name later changes nothing. It is safe for several
// goroutines.
type Bundle struct {
	raw       []byte
	signature []byte
	manifest  *manifest.Manifest
	files     map[string]member // of the manifest

	archive io.ReaderAt // nil for a folder
	size    int64
	layout  *layout
	root    *os.Root // nil for an archive
	closer  io.Closer
}

// Open opens the archive or the unpacked folder at path (the folder itself, or
// the one that it lies in). It reads the manifest and the signature and checks
// that an archive is as long as its manifest says; it proves neither (see
// Verify). An error about what is in it is of class manifest.ErrDamaged.
func Open(path string) (*Bundle, error) {
	return open(path, anybody)
}

// OpenTrusted is Open for a bundle that is about to be used: no parser sees its
// manifest before the signature over it was checked. With trusted keys a bundle
// that none of them signed is refused, with an error of class
// manifest.ErrSignature. The report says who signed it; nothing else in it is
// proven yet.
func OpenTrusted(path string, keys []sign.PublicKey) (*Bundle, *Report, error) {
	report := &Report{Findings: []Finding{}}
	b, err := open(path, func(raw, signature []byte, signed bool) error {
		report.raw, report.ID, report.Signed = raw, manifest.BundleID(raw), signed
		report.authenticate(raw, signature, keys)
		return report.Err()
	})
	return b, report, err
}

// An authenticator is asked whether a bundle may be looked into.
type authenticator func(raw, signature []byte, signed bool) error

func anybody([]byte, []byte, bool) error { return nil }

func open(path string, authentic authenticator) (*Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	if info.IsDir() {
		return openFolder(path, authentic)
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	info, err = f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	b, err := newArchive(f, info.Size(), authentic)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open bundle %s: %w", path, err)
	}
	b.closer = f
	return b, nil
}

// openRegular opens a file that must be a regular one: a pipe cannot be read
// at any place, which is what the format lives of.
func openRegular(path string) (*os.File, error) {
	// Looked at before it is opened, since opening a device may do something.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errNoFile(path)
	}
	// And after: it may be another now. Without O_NONBLOCK a pipe would be
	// waited for until somebody writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func errNoFile(path string) error {
	return fmt.Errorf("%s: neither a file nor a folder: save the bundle to a file first", path)
}

// New opens an archive of size bytes that r reads.
func New(r io.ReaderAt, size int64) (*Bundle, error) {
	return newArchive(r, size, anybody)
}

func newArchive(r io.ReaderAt, size int64, authentic authenticator) (*Bundle, error) {
	h, err := readHead(r, size)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, err)
	}
	if h.signatureErr != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("%s: %w", manifest.SignatureName, h.signatureErr))
	}
	if err := authentic(h.raw, h.signature, h.signed); err != nil {
		return nil, err
	}
	m, l, err := h.parse(size)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, err)
	}
	if l.total != size {
		return nil, manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("the archive has %d bytes where its manifest makes %d: was the copy cut short?", size, l.total))
	}
	b := &Bundle{raw: h.raw, signature: h.signature, manifest: m, archive: r, size: size, layout: l, closer: io.NopCloser(nil)}
	b.files = make(map[string]member, len(l.members))
	for _, m := range l.members {
		b.files[m.path] = m
	}
	return b, nil
}

// Manifest returns what is in the bundle. It must not be changed.
func (b *Bundle) Manifest() *manifest.Manifest { return b.manifest }

// RawManifest returns the manifest's bytes. They must not be changed.
func (b *Bundle) RawManifest() []byte { return b.raw }

// Signature returns the bytes of the signature file, nil when there is none.
func (b *Bundle) Signature() []byte { return b.signature }

// ID returns the bundle id, see manifest.BundleID.
func (b *Bundle) ID() string { return manifest.BundleID(b.raw) }

// Archive says whether the bundle is an archive, not an unpacked folder.
func (b *Bundle) Archive() bool { return b.archive != nil }

// Close releases the descriptor.
func (b *Bundle) Close() error { return b.closer.Close() }

// Open returns the bytes of one file. Its digest is taken while it is read;
// where the file ends and its bytes are not what the manifest says, Read fails
// with an error of class manifest.ErrDamaged instead of io.EOF. A path that is
// not in the bundle is fs.ErrNotExist.
func (b *Bundle) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, ok := b.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	r := &fileReader{of: m, left: m.size, digest: sha256.New()}
	if b.archive != nil {
		a := &payloadReader{r: b.archive, m: m}
		r.r, r.Closer = a, io.NopCloser(nil)
		return r, nil
	}
	f, err := openInside(b.root, m)
	if err != nil {
		return nil, err
	}
	r.r, r.Closer = f, f
	return r, nil
}

// fileReader reads one file of known size and digest.
type fileReader struct {
	io.Closer
	r      io.Reader
	of     member
	left   int64
	digest hash.Hash
	err    error
}

func (f *fileReader) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.left == 0 {
		f.err = f.finish()
		return 0, f.err
	}
	n, err := f.r.Read(p[:min(int64(len(p)), f.left)])
	f.digest.Write(p[:n])
	f.left -= int64(n)
	if errors.Is(err, io.EOF) && f.left > 0 {
		err = f.damaged("it ends %d bytes early", f.left)
	} else if errors.Is(err, io.EOF) {
		err = nil // finish tells, with the next Read
	}
	f.err = err
	return n, err
}

func (f *fileReader) finish() error {
	if f.of.sha256 != "" && !sameDigest(f.digest.Sum(nil), f.of.sha256) {
		return f.damaged("its sha256 is not the manifest's")
	}
	return io.EOF
}

func (f *fileReader) damaged(format string, args ...any) error {
	return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s: %s", f.of.path, fmt.Sprintf(format, args...)))
}

// payloadReader strips the framing and the tar header off a member.
type payloadReader struct {
	r    io.ReaderAt
	m    member
	at   int64  // in the raw bytes, of the block to read next
	buf  []byte // one block as it is in the file
	data []byte // what of it was not returned yet
}

func (p *payloadReader) Read(b []byte) (int, error) {
	for len(p.data) == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}

func (p *payloadReader) next() error {
	raw := rawLength(p.m.size)
	if p.at >= raw {
		return io.EOF
	}
	n := int(min(raw-p.at, blockSize))
	if cap(p.buf) < n+blockHeader {
		p.buf = make([]byte, n+blockHeader)
	}
	p.buf = p.buf[:n+blockHeader]
	off := p.m.off + int64(len(gzipHeader)) + p.at/blockSize*framedBlock
	if err := readFull(p.r, p.buf, off); err != nil {
		return fmt.Errorf("read %s: %w", p.m.path, err)
	}
	data := p.buf[blockHeader:]
	if !isBlockHeader(p.buf, n, p.at+int64(n) == raw) {
		return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s: its framing is not canonical", p.m.path))
	}
	if p.at == 0 {
		want, err := p.m.header()
		if err != nil {
			return err
		}
		if string(data[:tarBlock]) != string(want[:]) {
			return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s: its tar header is not the manifest's", p.m.path))
		}
	}
	begin, end := payloadOf(p.m, p.at, n)
	p.data = data[begin:end]
	p.at += int64(n)
	return nil
}

// openFolder opens an unpacked bundle.
func openFolder(path string, authentic authenticator) (*Bundle, error) {
	path = innerFolder(path)
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	b, err := newFolder(root, authentic)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("open bundle %s: %w", path, err)
	}
	return b, nil
}

// innerFolder returns the folder that a manifest is in: path itself, or the
// top folder that an archive was unpacked to in it.
func innerFolder(path string) string {
	if _, err := os.Lstat(filepath.Join(path, manifest.ManifestName)); errors.Is(err, fs.ErrNotExist) {
		if inner := filepath.Join(path, TopFolder); isFolder(inner) {
			return inner
		}
	}
	return path
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func newFolder(root *os.Root, authentic authenticator) (*Bundle, error) {
	raw, err := readInside(root, manifest.ManifestName, manifest.MaxYAML)
	if err != nil {
		return nil, err
	}
	signature, err := readInside(root, manifest.SignatureName, sign.MaxSignature)
	signed := !errors.Is(err, fs.ErrNotExist)
	if signed && err != nil {
		return nil, err
	}
	if err := authentic(raw, signature, signed); err != nil {
		return nil, err
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(m, raw, int64(len(signature)))
	if err != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, err)
	}
	b := &Bundle{raw: raw, signature: signature, manifest: m, layout: l, root: root, closer: root}
	b.files = make(map[string]member, len(l.members))
	for _, m := range l.members {
		b.files[m.path] = m
	}
	return b, nil
}
