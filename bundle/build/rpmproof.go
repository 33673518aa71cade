package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
)

// proveRPMs closes the requests again over the bundle's own repository.
func proveRPMs(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
	wants := wanted(lock.Requests, manifest.RPM, "")
	if len(wants) == 0 {
		return manifest.Check{}, nil
	}
	r, err := openBundle(ctx, tree, lock, nil)
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove packages: %w", err)
	}
	if len(lock.Nodes) > 0 {
		return nodesCheck(lock), sameFiles(r, lock)
	}
	slices.Sort(wants)
	wants = slices.Compact(wants)
	closed, _, err := r.Solve(ctx, wants, false)
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove packages: %w", err)
	}
	if err := sameFiles(r, lock); err != nil {
		return manifest.Check{}, err
	}
	beside := ""
	if n := countAssumed(lock); n > 0 {
		beside = fmt.Sprintf(" beside %d of the target's", n)
		closed = slices.DeleteFunc(closed, func(p Resolved) bool { return p.Source == assumedRepo })
	}
	return manifest.Check{Name: "rpm-closure", Result: fmt.Sprintf("%d packages%s close %d requests, %d of them needed",
		len(artifactsIn(lock, manifest.RPM, rpmFolder)), beside, len(wants), len(closed))}, nil
}

const (
	bundleRepo  = "patroni-airgap" // as a node's dnf calls the repository in a bundle
	assumedRepo = "assumed"
)

// openBundle loads the repository in a bundle, with what the target is counted on
// to have. It has no modules.yaml, and module_hotfixes: a stream is of no matter
// any more.
func openBundle(ctx context.Context, tree Tree, lock *manifest.Lock, node *Node) (*RPMs, error) {
	input := repomd.Input{
		Repo: rpm.Repo{ID: bundleRepo, Priority: 99, Cost: 1000, ModuleHotfixes: true, Role: manifest.Provides},
		Tree: repo.Tree(below{tree, rpmFolder}),
	}
	return loadRPMs(ctx, world{inputs: []repomd.Input{input}, target: lock.Target, node: node, assumed: lock.Assumed})
}

// nodesCheck says what is proven of a delta for nodes without their facts: that it
// holds what its lock says.
func nodesCheck(lock *manifest.Lock) manifest.Check {
	return manifest.Check{Name: "rpm-closure", Result: fmt.Sprintf("%d packages for the nodes %s, as the lock has them; they close only beside what those have",
		len(artifactsIn(lock, manifest.RPM, rpmFolder)), nodeNames(lock))}
}

func nodeNames(lock *manifest.Lock) string {
	names := make([]string, len(lock.Nodes))
	for i, n := range lock.Nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}

// sameFiles checks that the repository's metadata lists just the packages of
// the lock, with their digests.
func sameFiles(r *RPMs, lock *manifest.Lock) error {
	listed := map[string]string{}
	for id := rpm.System + 1; int(id) < r.pool.Len(); id++ {
		pkg := r.pool.Package(id)
		if r.pool.Repo(pkg.Repo).ID != bundleRepo {
			continue
		}
		listed[path.Join(rpmFolder, r.pool.String(pkg.Location))] = r.pool.String(pkg.Checksum)
	}
	var errs []error
	for _, a := range artifactsIn(lock, manifest.RPM, rpmFolder) {
		if listed[a.Path] != a.SHA256 {
			errs = append(errs, fmt.Errorf("prove packages: the repository's metadata does not list %s with its digest", a.Path))
		}
		delete(listed, a.Path)
	}
	for name := range listed {
		errs = append(errs, fmt.Errorf("prove packages: the repository's metadata lists %s, which is not in the bundle", name))
	}
	if err := errors.Join(errs...); err != nil {
		return manifest.Classify(manifest.ErrDamaged, err)
	}
	return nil
}
