package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// rpmRequest asks the repositories for a closure: a repo.Source.
type rpmRequest struct {
	rpms  *RPMs
	wants []manifest.Request
	weak  bool
	note  func(string)

	answer *solve.Result // set by Resolve
}

// Resolve closes the requests jointly.
func (r *rpmRequest) Resolve(ctx context.Context, _ manifest.Target) ([]manifest.Artifact, error) {
	job, notes, unknown := r.rpms.job(ctx, r.names(), r.weak)
	res, passed, err := r.rpms.newest(ctx, job)
	if err := errors.Join(unknown, err); err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	r.answer = res
	for _, text := range notes {
		r.note(text)
	}
	for _, p := range passed {
		r.note(p.String())
	}
	roles := r.rpms.roles(ctx, r.wants, r.weak)
	var artifacts []manifest.Artifact
	var errs []error
	for _, id := range res.Packages {
		a, err := r.rpms.artifact(id, res.WantedBy(id))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if a.Roles = roles[id]; len(a.Roles) == 0 {
			a.Roles = []manifest.Role{manifest.TargetNode}
		}
		artifacts = append(artifacts, a)
	}
	return artifacts, errors.Join(errs...)
}

// names lists what is asked for, each once.
func (r *rpmRequest) names() []string {
	var names []string
	for _, w := range r.wants {
		if !slices.Contains(names, w.Want) {
			names = append(names, w.Want)
		}
	}
	return names
}

// roles says which node needs which package: what each role's own requests pull
// in when they are closed apart.
func (r *RPMs) roles(ctx context.Context, wants []manifest.Request, weak bool) map[rpm.ID][]manifest.Role {
	roles := map[rpm.ID][]manifest.Role{}
	for _, role := range []manifest.Role{manifest.Control, manifest.TargetNode} {
		var names []string
		for _, w := range wants {
			if w.Role == role {
				names = append(names, w.Want)
			}
		}
		if len(names) == 0 {
			continue
		}
		job, _, err := r.job(ctx, names, weak)
		if err != nil {
			continue // nor had the joint request an answer
		}
		res, err := r.solveNewest(ctx, job)
		if err != nil {
			continue // the joint request has an answer: nobody is told less than the truth by "target"
		}
		for _, id := range res.Packages {
			roles[id] = append(roles[id], role)
		}
	}
	return roles
}

func (r *RPMs) artifact(id rpm.ID, by []solve.Link) (manifest.Artifact, error) {
	pkg := r.pool.Package(id)
	res := r.resolved(id, by)
	if kind := r.pool.String(pkg.ChecksumType); kind != "sha256" {
		return manifest.Artifact{}, fmt.Errorf("take %s from %s: its metadata has a digest of type %q, and only sha256 counts", res.NEVRA, res.Source, kind)
	}
	return manifest.Artifact{
		Path: path.Join(rpmFolder, res.File), Kind: manifest.RPM, Name: res.Name, Version: res.Version, Arch: res.Arch,
		Size: res.Size, SHA256: res.SHA256,
		From:     manifest.Origin{Source: res.Source, Path: r.pool.String(pkg.Location), Size: res.Size, SHA256: res.SHA256},
		WantedBy: res.WantedBy,
	}, nil
}
