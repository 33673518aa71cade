package galaxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pgbundle/repo"
)

// OpenFolder returns the server that a folder of tarballs is.
func OpenFolder(ctx context.Context, dir string) (Server, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of collections: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	f, err := OpenTree(ctx, repo.Folder(dir), names)
	if err != nil {
		return nil, fmt.Errorf("open folder of collections %s: %w", dir, err)
	}
	f.dir = dir
	return f, nil
}

// OpenTree returns the server that tarballs in a tree are, given the names of
// its files: a bundle's folder of collections. Each tarball is read and checked
// as CheckTarball does; all that are wrong are told.
func OpenTree(ctx context.Context, tree repo.Tree, names []string) (*Folder, error) {
	f := &Folder{tree: tree, versions: map[Name][]Version{}, details: map[string]*Details{}}
	var errs []error
	for _, file := range names {
		if strings.HasSuffix(file, ".tar.gz") {
			errs = append(errs, f.add(ctx, file))
		}
	}
	return f, errors.Join(errs...)
}

// Folder is a Server out of tarballs that lie in one place.
type Folder struct {
	tree     repo.Tree
	dir      string // "" when the tree is no folder of the file system
	versions map[Name][]Version
	details  map[string]*Details // by the file's name
}

func (f *Folder) add(ctx context.Context, file string) error {
	r, err := f.tree.Open(ctx, file)
	if err != nil {
		return err
	}
	defer r.Close()
	hash := sha256.New()
	counted := &counter{r: io.TeeReader(r, hash)}
	info, err := CheckTarball(counted)
	if err == nil {
		_, err = io.Copy(io.Discard, counted) // what lies behind the archive counts in its digest
	}
	if err != nil {
		return fmt.Errorf("read collection %s: %w", file, err)
	}
	standard := FileName(info.Name, info.Version)
	if standard != file {
		return damaged("read collection %s: it is %s %s, whose file is %s", file, info.Name, info.Version, standard)
	}
	f.versions[info.Name] = append(f.versions[info.Name], Version{info.Version, info.RequiresAnsible})
	f.details[file] = &Details{
		Filename: file, SHA256: hex.EncodeToString(hash.Sum(nil)), Size: counted.n,
		Dependencies: info.Dependencies, RequiresAnsible: info.RequiresAnsible,
	}
	return nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Versions lists what the folder has of a collection.
func (f *Folder) Versions(_ context.Context, name Name) ([]Version, error) {
	list, ok := f.versions[name]
	if !ok {
		return nil, fmt.Errorf("list versions of %s: %w", name, fs.ErrNotExist)
	}
	return list, nil
}

// Details says what the folder knows of one version.
func (f *Folder) Details(_ context.Context, name Name, version string) (*Details, error) {
	d, ok := f.details[FileName(name, version)]
	if !ok {
		return nil, fmt.Errorf("read %s %s: %w", name, version, fs.ErrNotExist)
	}
	return d, nil
}

// Locate returns the path of a tarball, where the folder is one of the file
// system.
func (f *Folder) Locate(_ context.Context, path string) ([]string, error) {
	if f.dir == "" || f.details[path] == nil {
		return nil, fmt.Errorf("locate %s: %w", path, fs.ErrNotExist)
	}
	return []string{filepath.Join(f.dir, path)}, nil
}

// Open opens a tarball.
func (f *Folder) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	return f.tree.Open(ctx, path)
}
