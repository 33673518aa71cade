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

// inputs are the repositories that can be reached, as they are loaded and as they
// stand in a lock. Those that cannot and need not be are left out, and said. As with
// dnf, skip_if_unavailable=1 is for that; unlike there, what is damaged or not
// authentic still is an error, since a bundle lasts.
func (o Options) inputs(ctx context.Context) (inputs []repomd.Input, sources []manifest.Source, left []string, err error) {
	var errs []error
	for _, r := range o.Sources.Repos {
		in, source, err := o.reach(ctx, r)
		switch {
		case err == nil:
			inputs, sources = append(inputs, in), append(sources, source)
		case r.SkipIfUnavailable && ctx.Err() == nil && !errors.Is(err, manifest.ErrSignature) && !errors.Is(err, manifest.ErrDamaged):
			left = append(left, fmt.Sprintf("repository %s is left out, as its skip_if_unavailable=1 allows: %v", r.ID, err))
		default:
			errs = append(errs, fmt.Errorf("open repository %s: %w", r.ID, err))
		}
	}
	if len(inputs) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no repository is left: "+left[0]))
	}
	return inputs, sources, left, errors.Join(errs...)
}

// reach makes the input of a repository, and where it may be left out looks
// whether it is there.
func (o Options) reach(ctx context.Context, r dnfconf.Repo) (repomd.Input, manifest.Source, error) {
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
