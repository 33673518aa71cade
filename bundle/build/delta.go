package build

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// deltaRequest asks for what the target lacks: of the joint closure what no
// repository has that the target has, or with nodes the union of what each of
// them lacks. It is a repo.Source.
type deltaRequest struct {
	*rpmRequest
	nodes []*nodeRPMs

	assumed []manifest.Package // set by Resolve: what comes from the target's own repositories
}

// Resolve finds the packages that go into the bundle.
func (d *deltaRequest) Resolve(ctx context.Context, target manifest.Target) ([]manifest.Artifact, error) {
	if len(d.nodes) == 0 {
		all, err := d.rpmRequest.Resolve(ctx, target)
		if err != nil {
			return nil, err
		}
		return d.lacking(d.rpms, d.answer.Packages, all), nil
	}
	roles := map[string][]manifest.Role{}
	for id, list := range d.rpms.roles(ctx, d.wants, d.weak) {
		roles[d.rpms.change(id).Name] = list
	}
	var list []manifest.Artifact
	var errs []error
	for _, n := range d.nodes {
		more, err := d.ofNode(ctx, n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, a := range more {
			if a.Roles = roles[a.Name]; len(a.Roles) == 0 {
				a.Roles = []manifest.Role{manifest.TargetNode}
			}
			list = addArtifact(list, a)
		}
	}
	return list, joinRefusals(errs)
}

// ofNode finds what one node lacks.
func (d *deltaRequest) ofNode(ctx context.Context, n *nodeRPMs) ([]manifest.Artifact, error) {
	job, _, err := n.job(ctx, d.names(), d.weak)
	if err != nil {
		return nil, err
	}
	t, res, err := n.transaction(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	if err := t.Err(true); err != nil { // upgrades are judged by what the bundle holds in the end
		return nil, err
	}
	if err := n.tellPassed(ctx, job, res, d.note); err != nil {
		return nil, err
	}
	var all []manifest.Artifact
	for _, id := range res.Packages {
		a, err := n.artifact(id, res.WantedBy(id))
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	for _, p := range n.owners(res.Packages) {
		d.assume(p)
	}
	return d.lacking(n.RPMs, res.Packages, all), nil
}

// owners describes by name, build and path alone the packages of the node that own
// a path which some packages require and which facts do not tell of.
func (n *nodeRPMs) owners(ids []rpm.ID) []manifest.Package {
	var list []manifest.Package
	for _, id := range ids {
		for _, d := range n.pool.Package(id).Requires {
			path := n.pool.DepString(d)
			if !solve.IsPath(path) || rpm.InPrimary(path) {
				continue
			}
			for _, owner := range n.pool.Providers(d) {
				if p := n.pool.Package(owner); n.pool.Repo(p.Repo).Installed {
					c := n.change(owner)
					list = append(list, manifest.Package{Name: c.Name, EVR: c.EVR, Arch: c.Arch, Files: []string{path}})
				}
			}
		}
	}
	return list
}

// assume adds a package to those that the target is counted on to have.
func (d *deltaRequest) assume(p manifest.Package) {
	i := slices.IndexFunc(d.assumed, func(have manifest.Package) bool {
		return have.Name == p.Name && have.EVR == p.EVR && have.Arch == p.Arch && (len(have.Provides) > 0) == (len(p.Provides) > 0)
	})
	if i < 0 {
		d.assumed = append(d.assumed, p)
		return
	}
	for _, path := range p.Files {
		if !slices.Contains(d.assumed[i].Files, path) {
			d.assumed[i].Files = append(d.assumed[i].Files, path)
		}
	}
}

// lacking leaves out of the artifacts of some packages those that the target's
// repositories have, and keeps them as assumed.
func (d *deltaRequest) lacking(r *RPMs, ids []rpm.ID, artifacts []manifest.Artifact) []manifest.Artifact {
	var list []manifest.Artifact
	for i, id := range ids {
		if !r.isPresent(id) {
			list = append(list, artifacts[i])
			continue
		}
		d.assume(r.pool.Describe(id))
	}
	return list
}

// isPresent reports whether a repository that the target has holds a build.
func (r *RPMs) isPresent(id rpm.ID) bool {
	pkg := r.pool.Package(id)
	return slices.ContainsFunc(r.pool.ByName(pkg.Name), func(q rpm.ID) bool {
		other := r.pool.Package(q)
		return other.EVR == pkg.EVR && other.Arch == pkg.Arch && r.pool.Repo(other.Repo).Role == manifest.Present && !other.Hidden
	})
}

// addArtifact adds a package to a list, or what wants it to the package that is in
// the list already.
func addArtifact(list []manifest.Artifact, a manifest.Artifact) []manifest.Artifact {
	i := slices.IndexFunc(list, func(have manifest.Artifact) bool { return have.Path == a.Path })
	if i < 0 {
		return append(list, a)
	}
	for _, by := range a.WantedBy {
		if !slices.Contains(list[i].WantedBy, by) {
			list[i].WantedBy = append(list[i].WantedBy, by)
		}
	}
	slices.Sort(list[i].WantedBy)
	return list
}

// lockNodes names the nodes of a delta, sorted.
func lockNodes(nodes []*Node) []manifest.LockNode {
	var list []manifest.LockNode
	for _, n := range nodes {
		list = append(list, n.LockNode)
	}
	slices.SortFunc(list, func(a, b manifest.LockNode) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// countAssumed counts the packages that the target's own repositories are counted
// on for.
func countAssumed(lock *manifest.Lock) int {
	n := 0
	for _, p := range lock.Assumed {
		if len(p.Provides) > 0 {
			n++
		}
	}
	return n
}
