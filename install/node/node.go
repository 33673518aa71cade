// Package node is the machine that a bundle is put on, as install sees it: a
// booted system or the root of an image. It finds paths in it, writes files
// that appear whole and stay, and runs the machine's own programs. It knows no
// bundle and no release.
package node

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// Prefix begins the name of everything that is not finished. No reader takes
// notice of such a name, and the next run removes it. A build's unfinished
// bundle has another one: it may lie in the same folder.
const Prefix = ".pgbundle-install-"

// Node is one machine: the booted one, or an image that will boot later.
type Node struct {
	root string // "/" or the folder of an image
	log  io.Writer
	held []*os.File // inherited by every program: see Hold
}

// Open opens the machine whose file system is below root; "/" is the booted
// one. What programs print is copied to log, when it is not nil.
func Open(root string, log io.Writer) (*Node, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open node %s: it is no folder", root)
	}
	return &Node{root: root, log: log}, nil
}

// Booted says whether this is the running system, whose programs can be run.
func (n *Node) Booted() bool { return n.root == "/" }

// Log returns where to note what is done; never nil.
func (n *Node) Log() io.Writer {
	if n.log == nil {
		return io.Discard
	}
	return n.log
}

// LogTo lets what is done and what programs print be noted in w from now on.
func (n *Node) LogTo(w io.Writer) { n.log = w }

// Path returns where the absolute path p of the node lies on this host. Links
// are followed as the node would follow them, never out of an image; the last
// name is not followed, so that a link itself can be read or replaced.
func (n *Node) Path(p string) (string, error) {
	if !filepath.IsAbs(p) {
		return "", fmt.Errorf("find %s: the path is not absolute", p)
	}
	dir, err := securejoin.SecureJoin(n.root, filepath.Dir(filepath.Clean(p)))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p, err)
	}
	return filepath.Join(dir, filepath.Base(filepath.Clean(p))), nil
}

// Inside is the opposite of Path: the node's own name of a path on this host.
func (n *Node) Inside(host string) string {
	if n.root == "/" {
		return host
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(host, n.root), "/")
}

// Real returns where p lies on this host with every link followed, as Path
// does for all names but the last.
func (n *Node) Real(p string) (string, error) {
	real, err := securejoin.SecureJoin(n.root, p)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p, err)
	}
	return real, nil
}

// FS returns the node's files for reading, with paths as fs.FS has them
// ("etc/os-release"). Links are followed as the node would follow them. Open
// opens files and folders and nothing else.
func (n *Node) FS() fs.FS { return nodeFS{n} }

type nodeFS struct{ n *Node }

func (f nodeFS) real(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return f.n.Real("/" + name)
}

func (f nodeFS) Open(name string) (fs.File, error) {
	real, err := f.real("open", name)
	if err != nil {
		return nil, err
	}
	return openPlain(real)
}

func (f nodeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	real, err := f.real("readdir", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(real)
}

func (f nodeFS) Stat(name string) (fs.FileInfo, error) {
	real, err := f.real("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(real)
}

// ReadLink returns the text of the link at name.
func (f nodeFS) ReadLink(name string) (string, error) {
	p, err := f.n.Path("/" + name)
	if err != nil {
		return "", err
	}
	return os.Readlink(p)
}

// Lstat describes name without following a link in its last part.
func (f nodeFS) Lstat(name string) (fs.FileInfo, error) {
	p, err := f.n.Path("/" + name)
	if err != nil {
		return nil, err
	}
	return os.Lstat(p)
}
