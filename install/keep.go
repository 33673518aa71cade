package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// lock takes the node's lock, until unlock is called and every program that
// was run meanwhile has ended. With node.ErrBusy unlock can be called too.
func (i *Installation) lock() (unlock func(), err error) {
	f, err := node.Lock(existing(filepath.Dir(i.link)))
	if errors.Is(err, node.ErrBusy) {
		err = manifest.Classify(manifest.ErrUnsolvable, err)
	}
	if err != nil {
		return func() {}, err
	}
	drop := i.node.Hold(f)
	return func() { drop(); f.Close() }, nil
}

// existing is the nearest folder above path that is there, or path itself.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
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
