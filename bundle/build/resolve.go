package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/fetch"
	"pgbundle/repo/galaxy"
)

// Resolve turns the spec of the options into a new lock. Old is the lock
// before, for saying what changed; it may be nil. All kinds are resolved even
// when one fails, and all failures are returned.
func Resolve(ctx context.Context, o Options, old *manifest.Lock) (*Resolution, error) {
	o.WithKeys = true
	o.Progress.Stage("resolve", 0)
	digest, err := o.Spec.Digest()
	if err != nil {
		return nil, err
	}
	lock := &manifest.Lock{
		Version: manifest.Version, Spec: digest, Target: o.target(nil),
		Requests: o.Spec.Requests(), Constraints: o.Spec.ConstraintRequests(),
	}
	if o.Spec.IsDelta() {
		lock.Profile, lock.Nodes = manifest.Delta, lockNodes(o.Nodes)
		if len(lock.Nodes) == 0 && len(o.Spec.Present) == 0 {
			return nil, manifest.Classify(manifest.ErrUsage, errors.New("a delta is what the target lacks: say what it has, with the facts of its nodes (--node) or with the repositories that it reaches (--present)"))
		}
	}
	r := &resolving{options: o, lock: lock}
	var wg sync.WaitGroup
	kinds := []func(context.Context) error{r.rpms, r.wheelsAndCollections, r.release, r.program}
	if o.Spec.AllowUpgrades && len(o.Nodes) > 0 {
		kinds = []func(context.Context) error{r.rpmsThenWheels, r.release, r.program}
	}
	for _, kind := range kinds {
		wg.Go(func() { r.fail(kind(ctx)) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	plan := PlanOf(lock, o.cached)
	plan.Changes, plan.Nodes = Changes(old, lock), r.nodes
	slices.Sort(r.notes)
	plan.Notes = slices.Concat(o.Notes, plan.Notes, slices.Compact(r.notes))
	return &Resolution{Lock: lock, Plan: plan}, nil
}

// resolving gathers the answers of all kinds.
type resolving struct {
	options Options
	lock    *manifest.Lock
	clock   newest

	nodes    []*Transaction // set by rpms
	upgrades []*Transaction // the same, where the wheels wait for them

	mu      sync.Mutex
	errs    []error
	notes   []string
	settled []manifest.Request // the lock's requests, those for groups replaced
}

func (r *resolving) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *resolving) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, text)
}

// ask resolves one request and keeps its answer.
func (r *resolving) ask(ctx context.Context, request repo.Source) ([]manifest.Artifact, error) {
	r.mu.Lock()
	target := r.lock.Target
	r.mu.Unlock()
	artifacts, err := request.Resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lock.Artifacts = append(r.lock.Artifacts, artifacts...)
	return artifacts, nil
}

func (r *resolving) source(s manifest.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lock.Sources = append(r.lock.Sources, s)
}

// modules notes module streams that packages may have come from.
func (r *resolving) modules(streams []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lock.Modules = append(r.lock.Modules, streams...)
}

func (r *resolving) rpms(ctx context.Context) error {
	at, err := r.options.reach(ctx)
	if err != nil {
		return err
	}
	rpms, err := r.options.load(ctx, at, nil)
	if err != nil {
		return err
	}
	nodes, err := openNodes(ctx, r.options, at)
	if err != nil {
		return err
	}
	wants := slices.DeleteFunc(slices.Clone(r.lock.Requests), func(q manifest.Request) bool { return q.Kind != manifest.RPM })
	request := &rpmRequest{rpms: rpms, wants: wants, weak: r.options.Spec.WeakDeps, note: r.note}
	artifacts, err := r.askPackages(ctx, request, nodes)
	if err != nil {
		return err
	}
	if len(nodes) > 0 {
		own := manifest.Lock{Requests: wants, Artifacts: artifacts}
		if r.nodes, err = checkNodes(ctx, nodes, &own, r.options.Spec.AllowUpgrades); err != nil {
			return err
		}
	}
	r.mu.Lock()
	if r.settled = r.lock.Requests; request.answer != nil { // for nodes there are no groups
		r.settled = rpms.settled(r.lock.Requests, request.answer)
	}
	r.mu.Unlock()
	for _, line := range at.left {
		r.note(line)
	}
	for _, l := range rpms.loaded {
		r.source(rpms.sources[l.ID])
		r.modules(l.Streams)
	}
	r.clock.see(rpms.clock.time)
	return nil
}

// askPackages resolves the packages: all of them, or what the target lacks.
func (r *resolving) askPackages(ctx context.Context, request *rpmRequest, nodes []*nodeRPMs) ([]manifest.Artifact, error) {
	if !r.lock.IsDelta() {
		return r.ask(ctx, request)
	}
	if len(nodes) > 0 && slices.ContainsFunc(request.names(), isGroup) {
		return nil, manifest.Classify(manifest.ErrUsage, errors.New("a delta for nodes takes no @group: name the packages"))
	}
	delta := &deltaRequest{rpmRequest: request, nodes: nodes}
	artifacts, err := r.ask(ctx, delta)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.lock.Assumed = delta.assumed
	slices.SortFunc(r.lock.Assumed, func(a, b manifest.Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), strings.Compare(a.EVR, b.EVR), len(b.Provides)-len(a.Provides))
	})
	r.mu.Unlock()
	return artifacts, nil
}

// rpmsThenWheels resolves in this order, since the packages may bring nodes another
// patch level of the Python that the wheels are for.
func (r *resolving) rpmsThenWheels(ctx context.Context) error {
	err := r.rpms(ctx)
	r.upgrades = r.nodes
	target := r.options.target(r.upgrades)
	r.mu.Lock()
	r.lock.Target = target
	r.mu.Unlock()
	return errors.Join(err, r.wheelsAndCollections(ctx))
}

// wheelsAndCollections resolves both wheelhouses and then, for the ansible-core
// that was found, the collections.
func (r *resolving) wheelsAndCollections(ctx context.Context) error {
	places, before, err := r.options.openWheelPlaces()
	if err != nil {
		return err
	}
	index := places.join()
	for _, text := range UntoldPythons(r.options.Spec.MachineTarget(), r.options.Nodes) {
		r.note(text)
	}
	var errs []error
	core := ""
	for _, role := range []manifest.Role{manifest.TargetNode, manifest.Control} {
		artifacts, err := r.ask(ctx, wheelhouseRequest{
			places: places, index: index, before: before, client: r.options.Fetch, role: role, clock: &r.clock, note: r.note,
			whose: func(full string) string { return r.options.whose(full, r.upgrades) },
			wants: wanted(r.lock.Requests, manifest.Wheel, role), constraints: wanted(r.lock.Constraints, manifest.Wheel, role),
		})
		if err != nil {
			errs = append(errs, err)
		}
		if role == manifest.TargetNode && r.options.Spec.Psycopg == psycopgRPM {
			errs = append(errs, noDriverWheels(artifacts))
		}
		for _, a := range artifacts {
			if a.Name == "ansible-core" {
				core = a.Version
			}
		}
	}
	for _, place := range places {
		r.source(manifest.Source{ID: place.id, Kind: manifest.Wheel, Role: manifest.Provides, URLs: []string{address(place.address)}})
	}
	if core != "" {
		errs = append(errs, r.collections(ctx, core))
	}
	return errors.Join(errs...)
}

func (r *resolving) collections(ctx context.Context, core string) error {
	server, err := galaxy.Open(ctx, r.options.Fetch, r.options.Sources.galaxy())
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, collectionRequest{
		server: server, wants: wanted(r.lock.Requests, manifest.Collection, ""), core: core, clock: &r.clock, note: r.note,
	})
	r.source(manifest.Source{ID: galaxySource, Kind: manifest.Collection, Role: manifest.Provides, URLs: []string{address(r.options.Sources.galaxy())}})
	return err
}

func (r *resolving) release(ctx context.Context) error {
	alone := false
	_, err := r.ask(ctx, r.options.etcdRequest(func(reason string) {
		alone = true
		r.note(fmt.Sprintf("etcd %s: no second host to compare its checksums with: %s", r.options.Spec.Etcd, reason))
	}))
	var urls []string
	for _, u := range r.options.Sources.etcd() {
		urls = append(urls, address(u))
	}
	r.source(manifest.Source{ID: etcdSource, Kind: manifest.Release, Role: manifest.Provides, URLs: urls, Alone: alone})
	return err
}

func (r *resolving) program(ctx context.Context) error {
	a, err := r.options.Program.artifact(ctx, r.options.Fetch, r.options.Spec.Arch)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.lock.Artifacts = append(r.lock.Artifacts, a)
	r.mu.Unlock()
	r.source(manifest.Source{ID: programSource, Kind: manifest.Program, Role: manifest.Provides})
	return nil
}

// address is a URL as a lock may hold it: without user, password and query.
func address(u string) string { return fetch.Redact(u) }

// finish puts everything in order and dates the lock.
func (r *resolving) finish() error {
	r.lock.Requests = r.settled
	slices.Sort(r.lock.Modules)
	r.lock.Modules = slices.Compact(r.lock.Modules)
	slices.SortFunc(r.lock.Artifacts, func(a, b manifest.Artifact) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(r.lock.Sources, func(a, b manifest.Source) int { return strings.Compare(a.ID, b.ID) })
	r.lock.Time = r.clock.time.UTC().Truncate(time.Second)
	if !r.options.Epoch.IsZero() {
		r.lock.Time = r.options.Epoch
	}
	if err := r.lock.Validate(); err != nil {
		return fmt.Errorf("what was resolved cannot go into one bundle: %w", err)
	}
	return nil
}
