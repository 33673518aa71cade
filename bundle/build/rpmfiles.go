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
	r.copyFiles()
	return nil
}

// copyFiles gives the packages of a node the paths that dependencies name and
// that other builds of theirs own: facts tell only of paths in primary. The same
// build is believed before another one, and a build that moved a path would not
// be required by it for long.
func (r *RPMs) copyFiles() {
	paths := map[rpm.ID][]string{}
	for id := rpm.System + 1; int(id) < r.pool.Len() && r.pool.Repo(r.pool.Package(id).Repo).Installed; id++ {
		if twin := r.twinOf(id); twin != 0 {
			paths[id] = r.pool.FilesOf(twin)
		}
	}
	for id, list := range paths {
		for _, path := range list {
			r.pool.AddFile(id, []byte(path))
		}
	}
	if len(paths) > 0 {
		r.prepare()
	}
}

// twinOf returns the build in the repositories that is most like one of the node:
// the same, else the newest of its name and architecture; 0 when there is none.
func (r *RPMs) twinOf(id rpm.ID) rpm.ID {
	pkg, best := r.pool.Package(id), rpm.ID(0)
	for _, q := range r.pool.ByName(pkg.Name) {
		other := r.pool.Package(q)
		switch {
		case other.Arch != pkg.Arch || r.pool.Repo(other.Repo).Installed:
		case other.EVR == pkg.EVR:
			return q
		case best == 0 || r.pool.CompareEVR(r.pool.Package(best).EVR, other.EVR) < 0:
			best = q
		}
	}
	return best
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
