package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// lockFolder is where the lock of a booted node is: only root can enter it, so
// that nobody else can hold the lock, and there is one whatever the bases.
const lockFolder = "/run/pgbundle"

// lock takes the node's lock, until unlock is called and every program that
// was run meanwhile has ended. That another run has it is an error that wraps
// node.ErrBusy; unlock can be called all the same.
func (i *Installation) lock() (unlock func(), err error) {
	folder, err := i.lockable()
	if err != nil {
		return nothingToUnlock, err
	}
	f, err := node.Lock(folder)
	if errors.Is(err, node.ErrBusy) {
		err = manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("%w: wait for it, or look what it is: fuser -v %s", err, folder))
	}
	if err != nil {
		return nothingToUnlock, err
	}
	drop := i.node.Hold(f)
	return func() { drop(); f.Close() }, nil
}

func nothingToUnlock() {}

// lockPlace is the folder to lock, which need not be there. An image is locked
// as a whole: whoever can open it may change it anyway.
func (i *Installation) lockPlace() (string, error) {
	if !i.node.Booted() {
		return i.node.Path("/")
	}
	return i.node.Path(lockFolder)
}

// busy says whether another run has the lock. Of a booted node only root is
// told.
func (i *Installation) busy() (bool, error) {
	folder, err := i.lockPlace()
	if err != nil {
		return false, err
	}
	return node.Locked(folder)
}

// lockable is the folder to lock, made if need be.
func (i *Installation) lockable() (string, error) {
	folder, err := i.lockPlace()
	if err != nil || !i.node.Booted() {
		return folder, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of the lock: %w", err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", fmt.Errorf("lock the node: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("lock the node: %s is no folder that only root can enter: remove it", lockFolder)
	}
	return folder, nil
}

// tryLock is lock for a run that may be refused anyway: of one that is not root
// and so cannot lock a booted node, preflight says what it needs.
func (i *Installation) tryLock() (unlock func(), busy bool, err error) {
	unlock, err = i.lock()
	switch {
	case errors.Is(err, node.ErrBusy):
		return unlock, true, nil
	case errors.Is(err, fs.ErrPermission) && i.node.Booted() && os.Geteuid() != 0:
		return unlock, false, nil
	}
	return unlock, false, err
}

// prune removes former releases that nobody would go back to.
func (i *Installation) prune(s *installed, keep int) ([]string, error) {
	kept := s.kept(keep)
	var removed []string
	for _, r := range s.releases {
		if slices.Contains(kept, r.name) {
			continue
		}
		if err := node.RemoveFolder(r.dir); err != nil {
			return removed, err
		}
		fmt.Fprintf(i.log, "removed: %s\n", r.name)
		removed = append(removed, r.name)
	}
	s.releases = slices.DeleteFunc(s.releases, func(r *release) bool { return slices.Contains(removed, r.name) })
	return removed, nil
}

// kept are the releases that stay: the active one, that of older scripts, the
// last of each of so many other bundles, and the last other one of the active
// bundle, since adding a role must not cost the way back to another bundle.
func (s *installed) kept(bundles int) []string {
	if bundles <= 0 {
		bundles = DefaultKeep
	}
	kept := []string{s.active, legacyRelease}
	seen := map[string]bool{}
	active := ""
	if r := s.find(s.active); r != nil && r.receipt != nil {
		active = r.receipt.Bundle
	}
	for _, name := range s.history.former(s.active) {
		r := s.find(name)
		if !r.complete() || r.receipt == nil || seen[r.receipt.Bundle] {
			continue
		}
		if r.receipt.Bundle != active {
			if bundles == 0 {
				continue
			}
			bundles--
		}
		seen[r.receipt.Bundle] = true
		kept = append(kept, name)
	}
	return kept
}
