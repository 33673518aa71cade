package build

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
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
	comps   *repomd.Comps   // of all repositories, when a group was asked for
	clock   *newest
	pins    []string // NAME=EVR
	strict  bool     // take no older build where the newest cannot be met
	ways    remedies
}

// OpenRPMs loads the repositories of the options for the target: repomd.xml,
// whose signature is checked where the repository wants that, primary and
// modules. File lists are read when a request or a closure asks for a path that
// primary lacks.
func OpenRPMs(ctx context.Context, o Options) (*RPMs, error) {
	at, err := o.reach(ctx)
	if err != nil {
		return nil, err
	}
	return o.load(ctx, at, nil)
}

// load loads repositories. With a node its packages are there already, and its
// excludes and version locks hold; it must be of the target's kind.
func (o Options) load(ctx context.Context, at *reached, node *Node) (*RPMs, error) {
	r, err := loadRPMs(ctx, world{inputs: at.inputs, target: o.Spec.MachineTarget(), modules: o.Spec.moduleOptions(), node: node})
	if err != nil {
		return nil, err
	}
	for i, l := range r.loaded {
		r.sources[l.ID] = at.sources[i]
	}
	r.pins, r.strict = o.Spec.Pins, o.Spec.Strict
	r.ways = remedies{o.Spec.MachineTarget(), o.Sources.Repos}
	return r, nil
}

// world is what packages are resolved in.
type world struct {
	inputs  []repomd.Input
	target  manifest.Target
	modules repomd.ModuleOptions
	node    *Node              // nil: an empty system
	assumed []manifest.Package // to be had besides
}

func loadRPMs(ctx context.Context, w world) (*RPMs, error) {
	r := &RPMs{pool: rpm.NewPool(), arch: w.target.Arch, sources: map[rpm.RepoID]manifest.Source{}, clock: &newest{}}
	if w.node != nil {
		if err := w.node.enter(r.pool, w.target, w.assumed); err != nil {
			return nil, err
		}
	}
	var err error
	if r.loaded, err = repomd.Load(ctx, r.pool, w.inputs, repomd.Options{Modules: w.modules}); err != nil {
		return nil, err
	}
	if whole := slices.DeleteFunc(slices.Clone(w.assumed), func(p manifest.Package) bool { return len(p.Provides) == 0 }); len(whole) > 0 {
		assumed := rpm.Repo{ID: assumedRepo, Priority: 99, Cost: 1000, ModuleHotfixes: true, Role: manifest.Present}
		r.pool.AddPackages(assumed, whole)
	}
	if w.node != nil {
		w.node.apply(r.pool)
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
	wantsKeys := o.WithKeys && r.Role == manifest.Provides && r.Signatures != manifest.SignatureOff
	if !signedMetadata && !wantsKeys {
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

// Solve closes names and groups jointly on an empty system, with the newest
// builds that work. Notes say what a person should know of the groups. A strict
// spec that passes a newer build over is a *StrictError.
func (r *RPMs) Solve(ctx context.Context, names []string, weak bool) (resolved []Resolved, notes []string, err error) {
	job, notes, unknown := r.job(ctx, names, weak)
	res, passed, err := r.newest(ctx, job)
	if err := errors.Join(unknown, err); err != nil {
		return nil, nil, err
	}
	list := make([]Resolved, len(res.Packages))
	for i, id := range res.Packages {
		list[i] = r.resolved(id, res.WantedBy(id))
		if at := slices.IndexFunc(passed, func(p *PassedOver) bool { return p.taken == id }); at >= 0 {
			list[i].PassedOver = passed[at]
		}
	}
	slices.SortFunc(list, func(a, b Resolved) int { return strings.Compare(a.NEVRA, b.NEVRA) })
	return list, notes, nil
}

// resolved describes one package of an answer. What was asked for is wanted by
// its own name, too, and by the group that it was asked for in; what only takes the
// place of an older build is not.
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
		switch {
		case link.Relation != solve.Request:
			w = r.pool.String(r.pool.Package(link.By).Name)
		case isGroup(link.Request):
			w = link.Request
		}
		if link.Relation == solve.Replaces && w == name {
			continue
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
	if slices.ContainsFunc(names, isGroup) {
		if _, err := r.groupsOf(ctx); err != nil { // before several ask at once
			return err
		}
	}
	return inOrder(ctx, jobs, names, func(name string) ([]string, error) {
		job, _, err := r.job(ctx, []string{name}, weak)
		if err != nil {
			return nil, err
		}
		job.Best, job.Pins = true, r.pins
		res, err := r.solver.Solve(ctx, job)
		if err != nil {
			return nil, r.ways.addTo(r.pool, err)
		}
		nevras := make([]string, len(res.Packages))
		for i, id := range res.Packages {
			nevras[i] = r.pool.NEVRA(id)
		}
		slices.Sort(nevras)
		return nevras, nil
	}, use)
}
