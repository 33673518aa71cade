package install

import (
	"context"
	"errors"
	"fmt"
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
	r, err := s.before(to)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUnsolvable, err)
	}
	i.progress.Stage("compare", 0)
	drift, err := r.drift(ctx, 0, i.progress)
	if err != nil {
		return nil, err
	}
	if len(drift) > 0 {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf(
			"roll back to %s: %d files are not as they were installed, %s among them (%s): install its bundle again", r.name, len(drift), drift[0].Path, drift[0].Detail))
	}
	end := i.logged("rollback")
	defer func() { end(err) }()
	if err := i.sweep(s); err != nil {
		return nil, err
	}
	done = &Switched{From: s.active, To: r.name}
	if err := i.restoreOutside(r); err != nil {
		return nil, err
	}
	return done, i.switchTo(s, r.name)
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
	return nil, errors.New("roll back: there is no former release")
}

// restoreOutside puts the repository file in its place that a release needs:
// older scripts had one of their own.
func (i *Installation) restoreOutside(r *release) error {
	if r.name != legacyRelease {
		return i.writeRepository()
	}
	text, err := readSmall(filepath.Join(i.releases, legacyText), manifest.MaxYAML)
	if err != nil {
		return nil // there was none
	}
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	return node.WriteFile(host, text, 0o644)
}
