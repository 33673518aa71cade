package build

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/repomd"
)

// reached are repositories that can be reached, as they are loaded and, beside, as
// they stand in a lock; and in words those that cannot.
type reached struct {
	inputs  []repomd.Input
	sources []manifest.Source
	left    []string
}

// reach looks for the repositories of the options. Those that cannot be reached and
// need not be are left out, and said. As with dnf, skip_if_unavailable=1 is for
// that; unlike there, what is damaged or not authentic still is an error, since a
// bundle lasts.
func (o Options) reach(ctx context.Context) (*reached, error) {
	if len(o.Sources.Repos) == 0 {
		return nil, manifest.Classify(manifest.ErrUsage, errors.New("no repository is given: name a set with --repos or one with --repo ID=URL"))
	}
	at := &reached{}
	var errs []error
	for _, r := range o.Sources.Repos {
		in, source, err := o.reachOne(ctx, r)
		switch {
		case err == nil:
			at.inputs, at.sources = append(at.inputs, in), append(at.sources, source)
		case r.SkipIfUnavailable && ctx.Err() == nil && !errors.Is(err, manifest.ErrSignature) && !errors.Is(err, manifest.ErrDamaged):
			at.left = append(at.left, fmt.Sprintf("repository %s is left out, as its skip_if_unavailable=1 allows: %v", r.ID, err))
		default:
			errs = append(errs, fmt.Errorf("open repository %s: %w", r.ID, err))
		}
	}
	if len(at.inputs) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no repository is left: "+at.left[0]))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, line := range at.left {
		o.Progress.Note(line)
	}
	return at, nil
}

// reachOne makes the input of a repository, and where it may be left out looks
// whether it is there.
func (o Options) reachOne(ctx context.Context, r dnfconf.Repo) (repomd.Input, manifest.Source, error) {
	in, source, err := o.input(ctx, r)
	if err != nil || !r.SkipIfUnavailable {
		return in, source, err
	}
	f, err := in.Tree.Open(ctx, repomd.IndexPath)
	if err != nil {
		return in, source, err
	}
	return in, source, f.Close()
}

// presentFirst puts the base address that has the repository now before those
// where it was or will be, such as the vault. Else every file would be asked for in
// vain first, and the plan would name a place that nothing comes from.
func (o Options) presentFirst(ctx context.Context, bases []string) []string {
	if len(bases) < 2 {
		return bases
	}
	places, err := fetch.Base{Client: o.Fetch, URLs: bases}.Locate(ctx, repomd.IndexPath)
	if err != nil {
		return bases
	}
	found, err := o.Fetch.Get(ctx, places, fetch.GetOptions{})
	if err != nil {
		return bases // who loads it says what is wrong
	}
	i := slices.Index(places, found.URL)
	if i < 1 { // where an address leads elsewhere, nobody knows
		return bases
	}
	return slices.Concat(bases[i:i+1], bases[:i], bases[i+1:])
}
