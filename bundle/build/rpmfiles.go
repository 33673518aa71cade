package build

import (
	"context"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
	"pgbundle/repo/rpm/solve"
)

// loadFiles reads the file lists, after which every path that a dependency names
// has its owners, and so has every path that is asked for.
func (r *RPMs) loadFiles(ctx context.Context, asked []string) error {
	if err := repomd.LoadFiles(ctx, r.pool, r.loaded, asked...); err != nil {
		return err
	}
	if r.files == nil {
		r.files = map[string]bool{}
	}
	for _, path := range asked {
		r.files[path] = true
	}
	r.prepare()
	return nil
}

// unlisted returns those of some requests that mean a path and that primary
// cannot answer: it lists few folders, and some tools write even fewer.
func (r *RPMs) unlisted(requests []string) []string {
	var paths []string
	for _, q := range requests {
		if solve.IsPath(q) && !r.files[q] && (rpm.IsGlob(q) || !r.listed(q)) {
			paths = append(paths, q)
		}
	}
	return paths
}

func (r *RPMs) listed(path string) bool {
	return rpm.InPrimary(path) && len(r.pool.Providers(rpm.Dep(r.pool.InternString(path)))) > 0
}

// solve answers one job. dnf on EL 9 always has the file lists; here they are
// read when a request is a path that only they have, or when the first answer
// asked for one.
func (r *RPMs) solve(ctx context.Context, job solve.Job) (*solve.Result, error) {
	if paths := r.unlisted(job.Requests); len(paths) > 0 {
		if err := r.loadFiles(ctx, paths); err != nil {
			return nil, err
		}
	}
	res, err := r.solver.Solve(ctx, job)
	if len(r.pool.NeedFiles()) == 0 || ctx.Err() != nil {
		return res, err
	}
	if err := r.loadFiles(ctx, nil); err != nil {
		return nil, err
	}
	return r.solver.Solve(ctx, job)
}
