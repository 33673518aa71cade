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
	"pgbundle/repo/fetch"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/repomd"
	"pgbundle/repo/rpm/solve"
)

// RPMs are dnf repositories that were loaded, ready to be asked.
type RPMs struct {
	pool    *rpm.Pool
	arch    string
	solver  *solve.Solver
	sources map[rpm.RepoID]manifest.Source
	loaded  []*repomd.Repository
	files   map[string]bool // paths and globs that the file lists were read for
	clock   *newest
	pins    []string // NAME=EVR
	left    []string // which repositories could not be reached
	strict  bool     // take no older build where the newest cannot be met
}

// OpenRPMs loads the repositories of the options for the target: repomd.xml,
// whose signature is checked where the repository wants that, primary and
// modules. File lists are read when a request or a closure asks for a path that
// primary lacks.
func OpenRPMs(ctx context.Context, o Options) (*RPMs, error) {
	if len(o.Sources.Repos) == 0 {
		return nil, manifest.Classify(manifest.ErrUsage, errors.New("no repository is given: name a set with --repos or one with --repo ID=URL"))
	}
	inputs, sources, left, err := o.inputs(ctx)
	if err != nil {
		return nil, err
	}
	for _, line := range left {
		o.Progress.Note(line)
	}
	r, err := loadRPMs(ctx, inputs, o.Spec.Arch)
	if err != nil {
		return nil, err
	}
	for i, l := range r.loaded {
		r.sources[l.ID] = sources[i]
	}
	r.pins, r.strict, r.left = o.Spec.Pins, o.Spec.Strict, left
	return r, nil
}

func loadRPMs(ctx context.Context, inputs []repomd.Input, arch string) (*RPMs, error) {
	r := &RPMs{pool: rpm.NewPool(), arch: arch, sources: map[rpm.RepoID]manifest.Source{}, clock: &newest{}}
	var err error
	if r.loaded, err = repomd.Load(ctx, r.pool, inputs, repomd.Options{}); err != nil {
		return nil, err
	}
	r.prepare()
	for _, l := range r.loaded {
		r.clock.see(l.Time())
	}
	return r, nil
}

func (r *RPMs) prepare() {
	r.pool.Prepare(r.arch)
	r.solver = solve.NewSolver(r.pool)
}

// input is a repository as it is loaded, and as it stands in a lock.
func (o Options) input(ctx context.Context, r dnfconf.Repo) (repomd.Input, manifest.Source, error) {
	source := manifest.Source{
		ID: r.ID, Kind: manifest.RPM, Role: r.Role, Signatures: r.Signatures, MetadataSignatures: r.MetadataSignatures,
	}
	urls, expected, err := o.mirrors(ctx, r)
	if err != nil {
		return repomd.Input{}, source, err
	}
	for _, u := range urls {
		source.URLs = append(source.URLs, address(u))
	}
	in := repomd.Input{
		Repo: rpm.Repo{ID: r.ID, Priority: r.Priority, Cost: r.Cost, ModuleHotfixes: r.ModuleHotfixes, Role: r.Role},
		Tree: fetch.Base{Client: o.Fetch, URLs: urls}, Expected: expected, Exclude: r.Exclude, Include: r.Include,
	}
	signedMetadata := r.MetadataSignatures != manifest.SignatureOff
	if !signedMetadata && (r.Signatures == manifest.SignatureOff || !o.WithKeys) {
		return in, source, nil
	}
	ring, err := o.keyring(ctx, r)
	if err != nil {
		return in, source, err
	}
	source.Keys = ring.Keys
	if signedMetadata {
		in.Verify = detached(ring, o.Now)
		in.MayBeUnsigned = r.MetadataSignatures == manifest.SignatureIfPresent
	}
	return in, source, nil
}

// Solve closes names jointly on an empty system, with the newest builds that
// work. A strict spec that passes one over is a *StrictError.
func (r *RPMs) Solve(ctx context.Context, names []string, weak bool) ([]Resolved, error) {
	res, passed, err := r.newest(ctx, solve.Job{Requests: names, Weak: weak})
	if err != nil {
		return nil, err
	}
	list := make([]Resolved, len(res.Packages))
	for i, id := range res.Packages {
		list[i] = r.resolved(id, res.WantedBy(id))
		if at := slices.IndexFunc(passed, func(p *PassedOver) bool { return p.taken == id }); at >= 0 {
			list[i].PassedOver = passed[at]
		}
	}
	slices.SortFunc(list, func(a, b Resolved) int { return strings.Compare(a.NEVRA, b.NEVRA) })
	return list, nil
}

// resolved describes one package of an answer. What was asked for is wanted by
// its own name, too.
func (r *RPMs) resolved(id rpm.ID, by []solve.Link) Resolved {
	pkg := r.pool.Package(id)
	name := r.pool.String(pkg.Name)
	res := Resolved{
		NEVRA: r.pool.NEVRA(id), Name: name, Version: r.pool.String(pkg.EVR), Arch: r.pool.String(pkg.Arch),
		File: path.Base(r.pool.String(pkg.Location)), SHA256: r.pool.String(pkg.Checksum), Size: pkg.Size,
		Source: r.pool.Repo(pkg.Repo).ID,
	}
	for _, link := range by {
		w := name // a request
		if link.Relation != solve.Request {
			w = r.pool.String(r.pool.Package(link.By).Name)
		}
		if !slices.Contains(res.WantedBy, w) {
			res.WantedBy = append(res.WantedBy, w)
		}
	}
	slices.Sort(res.WantedBy)
	return res
}

// Each solves every name apart and hands on the answers in the order of the
// names, while later ones are still being solved on the other core. As with dnf,
// a name whose newest build cannot be met has no answer.
func (r *RPMs) Each(ctx context.Context, names []string, weak bool, jobs int, use func(name string, packages []string, err error) error) error {
	if paths := r.unlisted(names); len(paths) > 0 || len(r.pool.NamedPaths()) > 0 {
		if err := r.loadFiles(ctx, paths); err != nil {
			return err
		}
	}
	return inOrder(ctx, jobs, names, func(name string) ([]string, error) {
		res, err := r.solver.Solve(ctx, solve.Job{Requests: []string{name}, Weak: weak, Best: true, Pins: r.pins})
		if err != nil {
			return nil, err
		}
		nevras := make([]string, len(res.Packages))
		for i, id := range res.Packages {
			nevras[i] = r.pool.NEVRA(id)
		}
		slices.Sort(nevras)
		return nevras, nil
	}, use)
}

// rpmRequest asks the repositories for a closure: a repo.Source.
type rpmRequest struct {
	rpms  *RPMs
	wants []manifest.Request
	weak  bool
	note  func(string)
}

// Resolve closes the requests jointly.
func (r rpmRequest) Resolve(ctx context.Context, _ manifest.Target) ([]manifest.Artifact, error) {
	var names []string
	for _, w := range r.wants {
		if !slices.Contains(names, w.Want) {
			names = append(names, w.Want)
		}
	}
	res, passed, err := r.rpms.newest(ctx, solve.Job{Requests: names, Weak: r.weak})
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
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
		res, err := r.solveNewest(ctx, solve.Job{Requests: names, Weak: weak})
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

// proveRPMs closes the requests again over the bundle's own repository.
func proveRPMs(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
	wants := wanted(lock.Requests, manifest.RPM, "")
	if len(wants) == 0 {
		return manifest.Check{}, nil
	}
	input := repomd.Input{Repo: rpm.Repo{ID: "bundle", Priority: 99, Cost: 1000, ModuleHotfixes: true, Role: manifest.Provides}, Tree: repo.Tree(below{tree, rpmFolder})}
	r, err := loadRPMs(ctx, []repomd.Input{input}, lock.Target.Arch)
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove packages: %w", err)
	}
	slices.Sort(wants)
	wants = slices.Compact(wants)
	closed, err := r.Solve(ctx, wants, false)
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove packages: %w", err)
	}
	if err := sameFiles(r, lock); err != nil {
		return manifest.Check{}, err
	}
	return manifest.Check{Name: "rpm-closure", Result: fmt.Sprintf("%d packages close %d requests, %d of them needed",
		len(artifactsIn(lock, manifest.RPM, rpmFolder)), len(wants), len(closed))}, nil
}

// sameFiles checks that the repository's metadata lists just the packages of
// the lock, with their digests.
func sameFiles(r *RPMs, lock *manifest.Lock) error {
	listed := map[string]string{}
	for id := rpm.System + 1; int(id) < r.pool.Len(); id++ {
		pkg := r.pool.Package(id)
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
