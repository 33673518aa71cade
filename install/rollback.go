package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Switched is what Rollback did.
type Switched struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Rollback switches to the release that was active before, or to the one that
// is named. It compares it with what was installed first, and refuses one that
// has drifted. It switches files: packages that are installed and services
// that run stay as they are.
func (i *Installation) Rollback(ctx context.Context, to string) (done *Switched, err error) {
	unlock, err := i.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := i.read()
	if err != nil {
		return nil, err
	}
	if s.foreign != "" {
		return nil, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("roll back: %s is a link to %s, which is no release: remove it first", i.base, s.foreign))
	}
	if other := i.elsewhere(); other != "" {
		return nil, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf(
			"roll back below %s: there is an installation below %s, whose repository file it would take: pgbundle uninstall --base-dir %s first", i.base, other, other))
	}
	if err := s.unreadable(); err != nil {
		return nil, fmt.Errorf("roll back: %w", err)
	}
	r, err := s.before(to)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUnsolvable, err)
	}
	i.progress.Stage("compare", 0)
	drift, err := i.drift(ctx, r, 0)
	if err != nil {
		return nil, err
	}
	if len(drift) > 0 {
		return nil, r.refuse("roll back to", drift)
	}
	end := i.logged("rollback")
	defer func() { end(err) }()
	if err := i.sweep(s); err != nil {
		return nil, err
	}
	done = &Switched{From: s.active, To: r.name}
	if r.name != legacyRelease {
		if _, err := i.writeRepository(); err != nil {
			return nil, err
		}
	}
	if err := i.switchTo(s, r.name); err != nil {
		return nil, err
	}
	i.expireMetadata(ctx)
	if r.name == legacyRelease {
		return done, i.restoreRepository()
	}
	return done, nil
}

// before finds the release to go back to.
func (s *installed) before(to string) (*release, error) {
	if to != "" {
		r := s.find(to)
		if !r.complete() {
			return nil, fmt.Errorf("roll back to %q: no such release: pgbundle status lists them", to)
		}
		return r, nil
	}
	for _, name := range s.history.former(s.active) {
		if r := s.find(name); r.complete() {
			return r, nil
		}
	}
	if r := s.find(legacyRelease); r != nil && s.active != legacyRelease {
		return r, nil // its exchange was the last thing before a kill
	}
	return nil, errors.New("roll back: there is no former release")
}

// restoreRepository puts the repository file of older scripts in its place. It
// comes after the switch: it may not ask for signatures, and ours are to be
// checked as long as ours are active.
func (i *Installation) restoreRepository() error {
	text, err := readSmall(filepath.Join(i.releases, legacyText), manifest.MaxYAML)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // they had none
	}
	if err != nil {
		return fmt.Errorf("restore the repository file of older scripts: %w", err)
	}
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	return node.WriteFile(host, text, 0o644)
}
