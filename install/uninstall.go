package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

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
	if err != nil {
		return nil, err
	}
	done = &Removed{Releases: []string{}, Paths: []string{}}
	if err := i.sweepAll(s); err != nil {
		return done, err
	}
	if err := i.removeLink(s, done); err != nil {
		return done, err
	}
	if err := i.removeOutside(ctx, done); err != nil {
		return done, err
	}
	if err := i.removeReleases(purge, done); err != nil {
		return done, err
	}
	return done, i.removePrograms(done)
}

// removeLink ends that a release is active. What older scripts had in the
// base's place is put there again when it was active last.
func (i *Installation) removeLink(s *installed, done *Removed) error {
	switch {
	case s.foreign != "":
		done.Left = append(done.Left, i.base)
		return nil
	case s.active == "":
		return nil
	}
	node.Fault("uninstall")
	if s.active == legacyRelease {
		return i.returnLegacy(done)
	}
	if err := node.Remove(i.link); err != nil {
		return err
	}
	done.Paths = append(done.Paths, i.base)
	return nil
}

// returnLegacy swaps the link with the folder of older scripts, in one step.
func (i *Installation) returnLegacy(done *Removed) error {
	legacy := filepath.Join(i.releases, legacyRelease)
	if err := node.Exchange(legacy, i.link); err != nil {
		return err
	}
	done.Left = append(done.Left, i.base)
	return node.Remove(legacy)
}

// removeOutside removes the repository file, if it is ours, and all that
// fapolicyd was told.
func (i *Installation) removeOutside(ctx context.Context, done *Removed) error {
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	text, err := readSmall(host, manifest.MaxYAML)
	if diskFault(err) {
		return fmt.Errorf("remove the repository file: %w", err)
	}
	if err == nil && i.ours(text) && bytes.Contains(text, []byte("baseurl=file://"+i.base+"/rpms\n")) {
		if err := node.Remove(host); err != nil {
			return err
		}
		done.Paths = append(done.Paths, repositoryFile)
	}
	if !i.node.Booted() || i.elsewhere() != "" {
		return nil // what fapolicyd was told is about another base
	}
	_, err = policy.Apply(ctx, i.node, nil)
	return err
}

// removeReleases removes the releases, and with purge what else is ours in
// their folder. What somebody else put there stays, and so does the folder.
func (i *Installation) removeReleases(purge bool, done *Removed) error {
	entries, err := os.ReadDir(i.releases)
	if errors.Is(err, fs.ErrNotExist) {
		return i.purgeLogs(purge, done)
	}
	if err != nil {
		return fmt.Errorf("read the releases: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(i.releases, e.Name())
		switch name := e.Name(); {
		case releaseName.MatchString(name) && e.IsDir():
			if err := node.RemoveFolder(path); err != nil {
				return err
			}
			done.Releases = append(done.Releases, name)
		case purge && name == legacyRelease && e.IsDir():
			if err := node.RemoveFolder(path); err != nil {
				return err
			}
			done.Paths = append(done.Paths, i.inRelease(name))
		case purge && (name == historyName || name == legacyText):
			if err := node.Remove(path); err != nil {
				return err
			}
		default:
			done.Left = append(done.Left, i.inRelease(name))
		}
	}
	// What is not ours, or stays without purge, keeps the folder there.
	if err := os.Remove(i.releases); err == nil {
		if err := node.SyncFolder(filepath.Dir(i.releases)); err != nil {
			return err
		}
	} else if diskFault(err) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("remove the releases: %w", err)
	}
	return i.purgeLogs(purge, done)
}

func (i *Installation) purgeLogs(purge bool, done *Removed) error {
	host, err := logFolder(i.node)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
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
		target, err := os.Readlink(host)
		if diskFault(err) {
			return fmt.Errorf("remove the link to the program: %w", err)
		}
		if err != nil || target != path.Join(i.base, programName) {
			continue
		}
		if err := node.Remove(host); err != nil {
			return err
		}
		done.Paths = append(done.Paths, link)
	}
	return nil
}
