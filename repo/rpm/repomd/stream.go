package repomd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"compress/bzip2"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz" // its dictionary can be bounded, that of ulikunitz/xz comes from the file

	"pgbundle/repo"
)

const (
	maxOpen   = 4 << 30  // bytes of one metadata file when unpacked
	maxWindow = 64 << 20 // bytes of a decompressor's dictionary; xz -9 needs all of it
)

// metadataFile is an opened file of a repository: reading gives the unpacked
// bytes, and the packed ones are counted and hashed on the way.
type metadataFile struct {
	data   *Data
	packed *countedReader
	plain  io.Reader
	close  func()
}

// openData opens a file that repomd.xml lists.
func openData(ctx context.Context, tree repo.Tree, d *Data) (*metadataFile, error) {
	h, ok := newHash(d.Checksum.Type)
	if !ok {
		return nil, damaged(fmt.Errorf("repomd.xml gives a checksum of type %q for it", d.Checksum.Type))
	}
	body, err := tree.Open(ctx, d.Location.Href)
	if err != nil {
		return nil, err
	}
	packed := &countedReader{ctx: ctx, r: body, hash: h}
	plain, stop, err := unpack(packed)
	if err != nil {
		err = errors.Join(verifyRest(packed, d), err)
		body.Close()
		return nil, damaged(firstOf(err))
	}
	open := &openReader{r: plain, packed: packed, want: -1}
	if n, err := strconv.ParseInt(strings.TrimSpace(d.OpenSize), 10, 64); err == nil && n >= 0 {
		open.want = n
	}
	return &metadataFile{d, packed, open, func() { stop(); body.Close() }}, nil
}

func (f *metadataFile) Read(p []byte) (int, error) { return f.plain.Read(p) }

func (f *metadataFile) Close() { f.close() }

// verify reads what is left and compares size and checksum. Since damage makes
// every later step fail, its finding goes before theirs.
func (f *metadataFile) verify(found error) error {
	var ctxErr error
	if found != nil {
		ctxErr = f.packed.ctx.Err()
	}
	if ctxErr != nil {
		return ctxErr
	}
	if err := verifyRest(f.packed, f.data); err != nil {
		return err
	}
	return found
}

// verifyRest drains the packed bytes and compares them with repomd.xml.
func verifyRest(packed *countedReader, d *Data) error {
	if _, err := io.Copy(io.Discard, io.LimitReader(packed, maxOpen)); err != nil {
		return err
	}
	if want, err := strconv.ParseInt(strings.TrimSpace(d.Size), 10, 64); err == nil && want != packed.n {
		return damaged(fmt.Errorf("it has %d bytes, repomd.xml says %d", packed.n, want))
	}
	if got := hex.EncodeToString(packed.hash.Sum(nil)); got != d.Checksum.Hex {
		return damaged(fmt.Errorf("its %s is %s, repomd.xml says %s", d.Checksum.Type, got, d.Checksum.Hex))
	}
	return nil
}

// firstOf returns the first of joined errors.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// countedReader counts and hashes what passes, and stops with its context.
type countedReader struct {
	ctx  context.Context
	r    io.Reader
	hash hash.Hash
	n    int64
	err  error // of the source
}

func (c *countedReader) Read(p []byte) (int, error) {
	if c.err = c.ctx.Err(); c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// openReader holds the unpacked bytes to the size that repomd.xml gives, so that
// a small file cannot unpack without end.
type openReader struct {
	r      io.Reader
	packed *countedReader
	want   int64 // -1: not given
	n      int64
}

func (o *openReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	o.n += int64(n)
	switch {
	case o.want >= 0 && o.n > o.want:
		return 0, damaged(fmt.Errorf("it unpacks to more than the %d bytes that repomd.xml says", o.want))
	case o.n > maxOpen:
		return 0, damaged(fmt.Errorf("it unpacks to more than %d bytes", int64(maxOpen)))
	case err == io.EOF && o.want >= 0 && o.n < o.want:
		return n, damaged(fmt.Errorf("it unpacks to %d bytes, repomd.xml says %d", o.n, o.want))
	case err != nil && err != io.EOF && o.packed.err == nil:
		return n, damaged(fmt.Errorf("unpack: %w", err))
	}
	return n, err
}

// unpack tells the compression from the first bytes: gzip, xz, zstd, bzip2 or
// none. stop frees what the decompressor holds.
func unpack(r io.Reader) (plain io.Reader, stop func(), err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	err, stop = nil, func() {}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		plain, err = gzip.NewReader(br)
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		plain, err = xz.NewReader(br, maxWindow)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var d *zstd.Decoder
		d, err = zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err == nil {
			plain, stop = d, d.Close
		}
	case bytes.HasPrefix(head, []byte("BZh")):
		plain = bzip2.NewReader(br)
	default:
		plain = br
	}
	if err != nil {
		return nil, nil, damaged(fmt.Errorf("unpack: %w", err))
	}
	return plain, stop, nil
}
