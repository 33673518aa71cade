package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Names of files that are being written. Every reader ignores them, and the
// next writer of the same file takes over what a killed one left.
const (
	partialPrefix = ".pgbundle-"
	partialSuffix = ".partial"
)

// A Pending is an archive that is being written: beside its final place under
// a name of our own, locked for as long as its writer lives.
type Pending struct {
	*os.File
	path string
	done bool
}

// Create begins the archive that is to be at path. Nothing bears that name
// before Commit.
func Create(path string) (*Pending, error) {
	dir, base := filepath.Split(path)
	f, err := os.OpenFile(filepath.Join(dir, partialPrefix+base+partialSuffix),
		os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create bundle %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("create bundle %s: another pgbundle is writing it", path)
	}
	// The one who held the lock before may have renamed or removed the file
	// between our open and our lock.
	now, err := os.Lstat(f.Name())
	held, statErr := f.Stat()
	if err != nil || statErr != nil || !os.SameFile(now, held) {
		f.Close()
		return nil, fmt.Errorf("create bundle %s: another pgbundle is writing it", path)
	}
	if err := errors.Join(f.Truncate(0), f.Chmod(0o644)); err != nil {
		f.Close()
		return nil, fmt.Errorf("create bundle %s: %w", path, err)
	}
	return &Pending{File: f, path: path}, nil
}

// Commit gives the archive its name and writes its digest (hex) to a file
// beside it, as sha256sum reads it. An older digest file goes first, so that
// none ever stands beside an archive that it is not of.
func (p *Pending) Commit(digest string) error {
	beside := p.path + ".sha256"
	if err := p.Sync(); err != nil {
		return fmt.Errorf("finish bundle %s: %w", p.path, err)
	}
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish bundle %s: %w", p.path, err)
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return fmt.Errorf("finish bundle %s: %w", p.path, err)
	}
	p.done = true
	if err := writeDigest(beside, digest+"  "+filepath.Base(p.path)+"\n"); err != nil {
		return fmt.Errorf("write %s: %w", beside, err)
	}
	return syncFolder(filepath.Dir(p.path))
}

// Discard closes the file and, unless it was committed, removes it.
func (p *Pending) Discard() {
	if !p.done {
		os.Remove(p.Name())
	}
	p.Close()
}

// writeDigest writes a small file in one step, whatever the umask.
func writeDigest(path, line string) error {
	dir, base := filepath.Split(path)
	partial := filepath.Join(dir, partialPrefix+base+partialSuffix)
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
	}
	return err
}

// syncFolder makes the names in a folder last. A file system that cannot is
// left alone.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
