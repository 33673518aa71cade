// Package bundle is the file format and nothing else: it writes a bundle, opens
// one (archive or unpacked folder), verifies one and puts a signature into one.
//
// A bundle is a tar archive (USTAR) whose every entry is one gzip member of
// stored deflate blocks. The manifest comes first and lists every other file in
// order with its size, mode and digest, so it determines the place and the
// framing of every byte that follows: there is no index, any member can be read
// at once, and whatever differs by one byte is damage. Nothing is compressed,
// since the payload is already, and the bytes of a bundle must not depend on a
// compressor's version.
//
// The package reads and writes bytes; it must not know where artifacts come
// from (package repo), what they need (package solve) or how they are installed.
// It opens no connection: this side of the air gap has none.
package bundle

import (
	"context"
	"io"

	"pgbundle/manifest"
)

// TopFolder is the one folder that all files of an archive lie in.
const TopFolder = "airgap-bundle"

// EndName stands in findings for the end of an archive: the two zero blocks
// and whatever follows them.
const EndName = "(end of archive)"

// Content is what Write puts into a bundle.
type Content struct {
	Manifest  []byte // raw YAML; it lists the files that Open is asked for
	Signature []byte // a signature file over Manifest; nil: none
	// Open returns the bytes of one file of the manifest.
	Open func(ctx context.Context, path string) (io.ReadCloser, error)
}

// WriteOptions say how Write works, never what it writes.
type WriteOptions struct {
	Jobs     int           // 1: one goroutine; otherwise reading, both digests and writing overlap
	Progress func(n int64) // told of n more bytes written, never from two goroutines at once; nil: nobody
}

// Written is what a bundle turned out to be.
type Written struct {
	Size   int64  // of the archive, bytes
	SHA256 string // of the archive, hex
	ID     string // of the bundle: manifest.BundleID
}

// Total returns the size in bytes of the archive that Write makes, before any
// file is read; 0 when the manifest cannot be.
func (c Content) Total() int64 {
	m, err := manifest.ParseManifest(c.Manifest)
	if err != nil {
		return 0
	}
	l, err := newLayout(m, c.Manifest, int64(len(c.Signature)))
	if err != nil {
		return 0
	}
	return l.total
}
