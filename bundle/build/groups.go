package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm/repomd"
	"pgbundle/repo/rpm/solve"
)

// isGroup reports whether a request means groups of packages: "@core".
func isGroup(request string) bool { return strings.HasPrefix(request, "@") }

// groupsOf reads the groups of all repositories, once.
func (r *RPMs) groupsOf(ctx context.Context) (*repomd.Comps, error) {
	if r.comps != nil {
		return r.comps, nil
	}
	byRank := slices.Clone(r.loaded)
	slices.SortFunc(byRank, func(a, b *repomd.Repository) int { return int(a.ID) - int(b.ID) })
	all := &repomd.Comps{}
	var errs []error
	for _, l := range byRank {
		comps, err := l.Comps(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all.Merge(comps)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r.comps = all
	return all, nil
}

// job makes one job of requests, groups among them. Notes say what the groups
// name and no repository has: as with dnf that is no error. Every group that
// nobody knows is one, of class manifest.ErrUnsolvable.
func (r *RPMs) job(ctx context.Context, requests []string, weak bool) (job solve.Job, notes []string, err error) {
	job.Weak = weak
	var errs []error
	for _, q := range requests {
		if !isGroup(q) {
			job.Requests = append(job.Requests, q)
			continue
		}
		group, more, err := r.group(ctx, q)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		job.Groups = append(job.Groups, group)
		notes = append(notes, more...)
	}
	return job, notes, errors.Join(errs...)
}

// group finds what a request for groups means.
func (r *RPMs) group(ctx context.Context, request string) (solve.Group, []string, error) {
	comps, err := r.groupsOf(ctx)
	if err != nil {
		return solve.Group{}, nil, err
	}
	packages, notes, err := comps.Find(strings.TrimPrefix(request, "@"))
	if err != nil {
		return solve.Group{}, nil, manifest.Classify(manifest.ErrUnsolvable, unknownGroup(request, comps, err))
	}
	group := solve.Group{Request: request}
	for _, p := range packages {
		want := solve.GroupPackage{Name: p.Name, With: p.Requires}
		if p.BaseArchOnly {
			want.Arch = r.arch
		}
		group.Packages = append(group.Packages, want)
	}
	if missing := r.solver.Lacking(group); len(missing) > 0 {
		notes = append(notes, fmt.Sprintf("group %s: left out is what no repository has: %s", request, strings.Join(missing, ", ")))
	}
	return group, notes, nil
}

// unknownGroup says what is wrong with a request for groups, and what is near.
func unknownGroup(request string, comps *repomd.Comps, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(request, "@"), "/")
	ids := comps.IDs()
	switch near := solve.Near(strings.TrimPrefix(name, "^"), ids); {
	case len(ids) == 0:
		return fmt.Errorf("no group matches %s: the repositories have no groups", request)
	case len(near) > 0:
		return fmt.Errorf("no group matches %s\n  (did you mean @%s?)", request, strings.Join(near, ", @"))
	}
	slices.Sort(ids)
	return fmt.Errorf("no group matches %s\n  (there are @%s)", request, strings.Join(slices.Compact(ids), ", @"))
}

// settled replaces each request for groups by the packages that were taken for
// it, by name. The bundle's own repository has no groups, and what a name meant
// today must come of the bundle tomorrow.
func (r *RPMs) settled(requests []manifest.Request, res *solve.Result) []manifest.Request {
	var list []manifest.Request
	for _, q := range requests {
		if q.Kind != manifest.RPM || !isGroup(q.Want) {
			list = append(list, q)
			continue
		}
		for _, t := range res.Requested {
			if t.Request != q.Want {
				continue
			}
			one := manifest.Request{Kind: q.Kind, Role: q.Role, Want: r.pool.String(r.pool.Package(t.Package).Name), Group: q.Want}
			if !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	return list
}
