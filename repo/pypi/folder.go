package pypi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"pgbundle/repo"
	"pgbundle/repo/pypi/sdist"
)

// folderIndex is a folder of wheels and source archives, in the order that pip
// gives to those of --find-links. OpenFolder also takes one level of folders,
// named as one likes.
type folderIndex struct {
	tree     repo.Tree
	projects map[string]*Page
	paths    map[*File]string
	byPath   map[string]string // "<project>/<filename>" and "<filename>" to the path in the tree
}

// OpenFolder returns the index of a folder in memory, or of an embedded one.
func OpenFolder(folder fs.FS) (Index, error) {
	names, err := listFolder(folder)
	if err != nil {
		return nil, err
	}
	return OpenTree(fsTree{folder}, names), nil
}

// openDir returns the index of a folder on disk, which knows the paths of its
// files.
func openDir(folder string) (Index, error) {
	names, err := listFolder(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, fmt.Errorf("open folder of packages: %w", err)
	}
	return OpenTree(dirTree(folder), names), nil
}

// listFolder lists the files of a folder and of the folders in it.
func listFolder(folder fs.FS) ([]string, error) {
	var names []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, fmt.Errorf("list folder of packages: %w", err)
		}
		names = append(names, found...)
	}
	return names, nil
}

// OpenTree returns the index of files of a tree, given their paths: a bundle's
// wheelhouse, for which names are those below it.
func OpenTree(tree repo.Tree, names []string) Index {
	x := &folderIndex{tree: tree, projects: map[string]*Page{}, paths: map[*File]string{}, byPath: map[string]string{}}
	for _, name := range names {
		project, _, _, err := identify(path.Base(name), "")
		if err != nil {
			continue
		}
		page := x.projects[project]
		if page == nil {
			page = &Page{Name: project}
			x.projects[project] = page
		}
		file := &File{Project: project, Filename: path.Base(name), Size: -1, link: linkOf(tree, name)}
		page.Files = append(page.Files, file)
		x.paths[file], x.byPath[file.Path()], x.byPath[file.Filename] = name, name, name
	}
	for _, page := range x.projects {
		slices.SortStableFunc(page.Files, func(a, b *File) int { return cmp.Compare(b.link, a.link) })
	}
	return x
}

// linkOf is the address of a file of a tree, as pip would order it by.
func linkOf(tree repo.Tree, name string) string {
	if folder, ok := tree.(dirTree); ok {
		return fileURL(filepath.Join(string(folder), filepath.FromSlash(name)))
	}
	return name
}

func fileURL(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(name)}).String()
}

// fsTree is a folder as a repo.Tree.
type fsTree struct{ fs.FS }

func (t fsTree) Open(_ context.Context, name string) (io.ReadCloser, error) { return t.FS.Open(name) }

// dirTree is a folder on disk as a repo.Locator.
type dirTree string

func (t dirTree) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.DirFS(string(t)).Open(name)
}

func (t dirTree) Locate(_ context.Context, name string) ([]string, error) {
	return []string{filepath.Join(string(t), filepath.FromSlash(name))}, nil
}

func (x *folderIndex) Project(_ context.Context, name string) (*Page, error) {
	page := x.projects[name]
	if page == nil {
		return nil, fmt.Errorf("look up %s: the folder has no file of it: %w", name, fs.ErrNotExist)
	}
	return page, nil
}

func (x *folderIndex) Metadata(ctx context.Context, f *File) ([]byte, error) {
	r, err := x.tree.Open(ctx, x.paths[f])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !f.Wheel() {
		data, err := readAtMost(r, sdist.MaxArchive)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Filename, err)
		}
		return sdist.Metadata(data)
	}
	return readWheelMetadata(r, f.Filename)
}

// readWheelMetadata reads METADATA out of a wheel that is open.
func readWheelMetadata(r io.Reader, filename string) ([]byte, error) {
	at, size, err := randomAccess(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filename, err)
	}
	return wheelMetadata(at, size, filename)
}

// maxInMemory bounds a wheel of a tree that can only be read from front to
// back, in bytes.
const maxInMemory = 1 << 30

// randomAccess returns a file to be read at any place; what cannot be is read
// into memory.
func randomAccess(r io.Reader) (at io.ReaderAt, size int64, err error) {
	at, ok := r.(io.ReaderAt)
	if file, stats := r.(fs.File); ok && stats {
		info, err := file.Stat()
		if err != nil {
			return nil, 0, err
		}
		return at, info.Size(), nil
	}
	data, err := readAtMost(r, maxInMemory)
	return bytes.NewReader(data), int64(len(data)), err
}

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	return data, err
}

// Cheap is true: a folder is read where it is.
func (x *folderIndex) Cheap(context.Context, *File) bool { return true }

func (x *folderIndex) Digest(ctx context.Context, f *File) (string, int64, error) {
	r, err := x.tree.Open(ctx, x.paths[f])
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func (x *folderIndex) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	at, ok := x.byPath[name]
	if !ok {
		return nil, fmt.Errorf("open %s: the folder has no such file: %w", name, fs.ErrNotExist)
	}
	return x.tree.Open(ctx, at)
}

// Locate asks the tree, when it knows addresses.
func (x *folderIndex) Locate(ctx context.Context, name string) ([]string, error) {
	at, ok := x.byPath[name]
	if !ok {
		return nil, fmt.Errorf("locate %s: the folder has no such file: %w", name, fs.ErrNotExist)
	}
	if l, ok := x.tree.(repo.Locator); ok {
		return l.Locate(ctx, at)
	}
	return nil, fmt.Errorf("locate %s: a folder in memory has no addresses", name)
}
