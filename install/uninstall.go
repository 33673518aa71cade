package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"pgbundle/install/node"
	"pgbundle/install/policy"
	"pgbundle/manifest"
)

// Removed is what Uninstall took away.
type Removed struct {
	Releases []string `json:"releases"`
	Paths    []string `json:"paths"`          // outside the base
	Left     []string `json:"left,omitempty"` // what is not ours, or only goes with purge
}

// Uninstall takes away what Install put on the node: the link first, so that
// nothing is active from then on, then what names it, then the releases. With
// purge the history, the logs and what older scripts left go too. Packages
// that were installed and services that run stay as they are. That nothing is
// installed is no error: it also ends an uninstall that was killed.
func (i *Installation) Uninstall(ctx context.Context, purge bool) (done *Removed, err error) {
	unlock, err := i.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if !purge {
		end := i.logged("uninstall")
		defer func() { end(err) }()
	}
	s, err := i.read()
	if err != nil && !errors.Is(err, manifest.ErrDamaged) {
		return nil, err
	}
	if s == nil {
		s = &installed{} // a damaged history keeps nothing from being removed
	}
	done = &Removed{Releases: []string{}, Paths: []string{}}
	if err := i.sweep(s); err != nil {
		return done, err
	}
	if err := i.removeLink(done); err != nil {
		return done, err
	}
	if err := i.removeOutside(ctx, s, done); err != nil {
		return done, err
	}
	if err := i.removeReleases(purge, done); err != nil {
		return done, err
	}
	return done, i.removePrograms(done)
}

func (i *Installation) removeLink(done *Removed) error {
	target, err := os.Readlink(i.link)
	if err != nil {
		return nil // nothing, or a folder of older scripts, which is not ours
	}
	if i.releaseOf(target) == "" {
		done.Left = append(done.Left, i.base)
		return nil
	}
	node.Fault("uninstall")
	if err := node.Remove(i.link); err != nil {
		return err
	}
	done.Paths = append(done.Paths, i.base)
	return nil
}

// removeOutside removes the repository file, if it is ours, and what the
// security policies know.
func (i *Installation) removeOutside(ctx context.Context, s *installed, done *Removed) error {
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	if text, err := readSmall(host, manifest.MaxYAML); err == nil && i.ours(text) {
		if err := node.Remove(host); err != nil {
			return err
		}
		done.Paths = append(done.Paths, repositoryFile)
	}
	if !i.node.Booted() {
		return nil
	}
	var dirs []string
	for _, r := range s.releases {
		dirs = append(dirs, r.dir)
	}
	_, err = policy.Withdraw(ctx, i.node, dirs)
	return err
}

// removeReleases removes the releases folder, or with what only goes with purge
// still in it.
func (i *Installation) removeReleases(purge bool, done *Removed) error {
	entries, err := os.ReadDir(i.releases)
	if errors.Is(err, fs.ErrNotExist) {
		return i.purgeLogs(purge, done)
	}
	if err != nil {
		return fmt.Errorf("read the releases: %w", err)
	}
	stays := []string{legacyRelease, historyName, legacyText}
	for _, e := range entries {
		if !purge && slices.Contains(stays, e.Name()) {
			done.Left = append(done.Left, i.inRelease(e.Name()))
			continue
		}
		if err := node.RemoveFolder(filepath.Join(i.releases, e.Name())); err != nil {
			return err
		}
		if releaseName.MatchString(e.Name()) {
			done.Releases = append(done.Releases, e.Name())
		}
	}
	if err := os.Remove(i.releases); err == nil {
		if err := node.SyncFolder(filepath.Dir(i.releases)); err != nil {
			return err
		}
	}
	return i.purgeLogs(purge, done)
}

func (i *Installation) purgeLogs(purge bool, done *Removed) error {
	host, err := i.node.Path(LogFolder)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(host); err != nil {
		return nil
	}
	if !purge {
		done.Left = append(done.Left, LogFolder)
		return nil
	}
	if err := os.RemoveAll(host); err != nil {
		return fmt.Errorf("remove the logs: %w", err)
	}
	done.Paths = append(done.Paths, LogFolder)
	return nil
}

// removePrograms comes last: by these links a killed uninstall is found again.
func (i *Installation) removePrograms(done *Removed) error {
	for _, link := range programLinks {
		host, err := i.node.Path(link)
		if err != nil {
			return err
		}
		if target, err := os.Readlink(host); err != nil || target != path.Join(i.base, programName) {
			continue
		}
		if err := node.Remove(host); err != nil {
			return err
		}
		done.Paths = append(done.Paths, link)
	}
	return nil
}
