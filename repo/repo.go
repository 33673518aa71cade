// Package repo knows where things come from. Its folders are the kinds of
// source: dnf repositories, Python package indexes, Galaxy servers, release
// folders. They share what stands here: a place with named files, and a
// request that can be resolved for a target.
package repo

import (
	"context"
	"io"

	"pgbundle/manifest"
)

// Tree is a place with named files: an HTTP base with mirrors, a folder, or an
// opened bundle. Path is relative and slash-separated, in the words of the
// source: a repository's "repodata/repomd.xml", an index's
// "python-etcd/python-etcd-0.4.5.tar.gz". A file that is not there is an error
// for which errors.Is(err, fs.ErrNotExist) holds.
type Tree interface {
	Open(ctx context.Context, path string) (io.ReadCloser, error)
}

// Locator is a Tree that knows the addresses of its files, so that a download
// can be resumed and tried on several mirrors.
type Locator interface {
	Tree
	// Locate returns absolute URLs of one file, the preferred first.
	Locate(ctx context.Context, path string) ([]string, error)
}

// Source is a request that a place can answer for a target.
type Source interface {
	Resolve(ctx context.Context, target manifest.Target) ([]manifest.Artifact, error)
}
