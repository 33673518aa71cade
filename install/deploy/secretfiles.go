package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// tempPrefix begins the name of the folders that passwords lie in for a moment.
const tempPrefix = "pgbundle-run-"

// tempFolder holds what Ansible takes from files and nobody else may see: the
// passwords that were asked for, and variables. It is the user's alone, on a
// tmpfs where there is one. It is locked while it is in use, so that the next
// run can tell, and remove, what a killed one has left.
type tempFolder struct {
	path string
	lock *os.File
}

// newTempFolder makes one in the first of the folders that takes it.
func newTempFolder(parents []string) (*tempFolder, error) {
	var failures error
	for _, parent := range parents {
		sweepTemp(parent)
		for range 3 {
			path, err := os.MkdirTemp(parent, tempPrefix)
			if err != nil {
				failures = errors.Join(failures, err)
				break
			}
			lock, err := lockDir(path)
			if err == nil {
				return &tempFolder{path, lock}, nil
			}
			failures = errors.Join(failures, err) // another run took it for a dead one's
		}
	}
	return nil, fmt.Errorf("make a folder for passwords: %w", failures)
}

// lockDir locks a folder, or fails at once.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = os.Lstat(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepTemp removes what runs of this user have left that were killed.
func sweepTemp(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !e.IsDir() {
			continue
		}
		path := filepath.Join(parent, e.Name())
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		if lock, err := lockDir(path); err == nil {
			_ = os.RemoveAll(path) // the next run tries again
			lock.Close()
		}
	}
}

// write writes a file that only this user can read and nobody can run: Ansible
// would start a password file that can be run.
func (t *tempFolder) write(name string, data []byte) (string, error) {
	path := filepath.Join(t.path, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return path, errors.Join(err, f.Close())
}

// remove removes files of it that are not needed any more.
func (t *tempFolder) remove(paths ...string) error {
	var failures error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = errors.Join(failures, err)
		}
	}
	return failures
}

// close removes everything.
func (t *tempFolder) close() error {
	err := os.RemoveAll(t.path)
	return errors.Join(err, t.lock.Close())
}
