package install

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"pgbundle/bundle"
	"pgbundle/install/policy"
	"pgbundle/install/proof"
	"pgbundle/manifest"
)

// Result is what Install or Finish did, or would do.
type Result struct {
	Bundle        string          `json:"bundle"`
	Release       string          `json:"release"` // its name
	Path          string          `json:"path"`    // of the release, as the node names it
	Roles         []manifest.Role `json:"roles"`
	Authenticated bool            `json:"authenticated"`
	By            string          `json:"by,omitempty"`
	Findings      []Finding       `json:"findings"` // of preflight
	Placed        bool            `json:"placed"`   // false: it was here already, whole
	Switched      bool            `json:"switched"` // false: it was active already
	Former        string          `json:"former,omitempty"`
	Removed       []string        `json:"removed,omitempty"` // former releases
	Pending       []string        `json:"pending,omitempty"` // steps that wait for install --finish on the booted node
	Proof         *proof.Result   `json:"proof,omitempty"`
	Policy        policy.Result   `json:"policy,omitempty"`
	DryRun        bool            `json:"dry_run,omitempty"`
}

// Install puts a bundle on the node: it looks whether the node fits, places a
// release, lets the node's own programs judge it, and switches to it. It is
// idempotent: what is here and whole is not placed again. Whatever goes wrong
// before the switch leaves the node as it was.
//
// The error is of class manifest.ErrSignature when the bundle is not
// authentic, ErrDamaged when it is not whole, ErrUnsolvable when the node does
// not fit or its dnf finds no solution.
func (i *Installation) Install(ctx context.Context, o Options) (res *Result, err error) {
	if o.Keys, err = i.acceptable(o.Keys); err != nil {
		return nil, err
	}
	b, report, err := bundle.OpenTrusted(o.Bundle, o.Keys)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	m := b.Manifest()
	res = &Result{Bundle: b.ID(), Authenticated: report.Authenticated, DryRun: o.DryRun, Findings: []Finding{}}
	if report.Authenticated {
		res.By = report.By
	}
	unlock, busy, err := i.tryLock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := i.read()
	if err != nil {
		return nil, err
	}
	res.Roles = s.rolesWith(b.ID(), o.Roles)
	if res.Findings, err = i.preflight(ctx, m, s.wish(b, res.Roles, busy)); err != nil {
		return res, err
	}
	if err := s.refuseOlder(m, o); err != nil {
		return res, err
	}
	if o.DryRun {
		return res, i.rehearse(ctx, b, s, res, o)
	}
	end := i.logged("install")
	defer func() { end(err) }()
	if err := i.sweep(s); err != nil {
		return res, err
	}
	return res, i.install(ctx, b, s, res, o)
}

// rolesWith are the roles of the release to be: those asked for, and those that
// the node has from the same bundle already.
func (s *installed) rolesWith(id string, roles []manifest.Role) []manifest.Role {
	all := slices.Clone(roles)
	if r := s.find(s.active); r != nil && r.receipt != nil && r.receipt.Bundle == id {
		all = append(all, r.receipt.Roles...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// refuseOlder holds that a trusted key is not enough: an old bundle with known
// faults was signed too.
func (s *installed) refuseOlder(m *manifest.Manifest, o Options) error {
	newest := s.newest()
	if len(o.Keys) == 0 || o.AllowOlder || !m.Lock.Time.Before(newest) {
		return nil
	}
	return manifest.Classify(manifest.ErrSignature, fmt.Errorf(
		"install bundle of %s: one of %s was installed here, and an older one is refused: --allow-older takes it, pgbundle rollback goes back to what was here",
		m.Lock.Time.Format(time.DateTime), newest.Format(time.DateTime)))
}

// newest is the time of the newest bundle with a trusted signature that was
// ever installed here, by the history and by what is here.
func (s *installed) newest() time.Time {
	newest := s.history.Newest
	for _, r := range s.releases {
		if r.complete() && r.receipt != nil && r.receipt.Authenticated && r.receipt.Built.After(newest) {
			newest = r.receipt.Built
		}
	}
	return newest
}

// rehearse proves the bundle's bytes and says what Install would do.
func (i *Installation) rehearse(ctx context.Context, b *bundle.Bundle, s *installed, res *Result, o Options) error {
	i.progress.Stage("verify", total(b.Manifest()))
	report, err := b.Verify(ctx, bundle.VerifyOptions{Keys: o.Keys, Jobs: o.Jobs, Progress: i.progress.Add})
	if err != nil {
		return err
	}
	if err := errors.Join(report.Err(), checkReserved(b.Manifest())); err != nil {
		return err
	}
	name := s.freeName(b.ID(), res.Roles)
	res.Placed = true
	if same := s.same(manifest.Digest(b.RawManifest()), res.Roles); len(same) > 0 {
		name, res.Placed = same[0].name, false
	}
	i.named(res, s, name)
	res.Switched = s.active != name
	return nil
}

func (i *Installation) named(res *Result, s *installed, name string) {
	res.Release, res.Path, res.Former = name, i.inRelease(name), s.active
	if s.real {
		res.Former = legacyRelease
	}
	if res.Former == name {
		res.Former = ""
	}
}

// install does what Install promises, once nothing speaks against it.
func (i *Installation) install(ctx context.Context, b *bundle.Bundle, s *installed, res *Result, o Options) error {
	whole, err := i.whole(ctx, s, manifest.Digest(b.RawManifest()), res.Roles, o.Jobs)
	if err != nil {
		return err
	}
	if whole == nil {
		if whole, err = i.placeRelease(ctx, b, s, res, o); err != nil {
			return err
		}
		fmt.Fprintf(i.log, "placed: %s from %s\n", whole.name, o.Bundle)
		s.releases = append(s.releases, whole)
		res.Placed = true
	}
	i.named(res, s, whole.name)
	if res.Authenticated {
		if err := whole.keepSignature(b.Signature()); err != nil {
			return err
		}
	}
	if err := i.vouch(whole, res.Authenticated, res.By); err != nil {
		return err
	}
	res.Pending = whole.receipt.Pending
	if o.Keep > 0 {
		s.history.Keep = o.Keep
	}
	if err := i.activate(ctx, s, res, whole); err != nil {
		return err
	}
	if res.Removed, err = i.prune(s, s.history.Keep); err != nil || len(res.Removed) == 0 {
		return err
	}
	_, err = i.applyPolicy(ctx, s)
	return err
}

// activate makes a complete release the node's. What is outside the base comes
// first: it is the same for every release, and nothing may be missing once the
// link is renamed. When something fails before that, it is taken back.
func (i *Installation) activate(ctx context.Context, s *installed, res *Result, r *release) error {
	policy, err := i.applyPolicy(ctx, s)
	if err != nil {
		return err
	}
	res.Policy = policy
	if r.receipt.Authenticated {
		s.history.Newest = s.newest()
	}
	// Before the switch: a kill after it must not forget them.
	if err := s.history.write(i.releases); err != nil {
		return err
	}
	undo, err := i.outside()
	if err == nil {
		res.Switched = s.active != r.name
		err = i.switchTo(s, r.name)
	}
	if err != nil && s.active != r.name {
		return errors.Join(err, undo())
	}
	if err == nil && res.Switched {
		i.expireMetadata(ctx)
	}
	return err
}

// whole finds a release of the bundle that is here and has not drifted.
func (i *Installation) whole(ctx context.Context, s *installed, digest string, roles []manifest.Role, jobs int) (*release, error) {
	for _, r := range s.same(digest, roles) {
		i.progress.Stage("compare", 0)
		drift, err := i.drift(ctx, r, jobs)
		if err != nil {
			return nil, err
		}
		if len(drift) == 0 {
			return r, nil
		}
		i.progress.Note(fmt.Sprintf("release %s has drifted (%s: %s): a new one takes its place", r.name, drift[0].Path, drift[0].Detail))
	}
	return nil, nil
}

// placeRelease makes a new release, complete and judged by the node's own
// programs. When it fails nothing of it stays.
func (i *Installation) placeRelease(ctx context.Context, b *bundle.Bundle, s *installed, res *Result, o Options) (_ *release, err error) {
	name := s.freeName(b.ID(), res.Roles)
	p := &placement{Installation: i, name: name, dir: filepath.Join(i.releases, name), roles: res.Roles, from: s.relative(manifest.Digest(b.RawManifest()))}
	if err := p.begin(); err != nil {
		return nil, errors.Join(err, p.discard())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.discard(), i.forget(ctx, s))
		}
	}()
	i.progress.Stage("place", total(b.Manifest()))
	if err := p.place(ctx, b, o); err != nil {
		return nil, err
	}
	receipt := &Receipt{
		Version: receiptVersion, Release: name, Bundle: b.ID(), Manifest: manifest.Digest(b.RawManifest()),
		Built: b.Manifest().Lock.Time, Installed: i.now().UTC().Truncate(time.Second), Roles: res.Roles,
		Program: i.program, Source: o.Bundle, Authenticated: res.Authenticated, By: res.By,
	}
	for _, f := range res.Findings {
		receipt.Notes = append(receipt.Notes, f.Check+": "+f.Detail)
	}
	if err := i.judge(ctx, p.dir, b.Manifest(), receipt, res); err != nil {
		return nil, err
	}
	i.progress.Stage("sync", 0)
	if err := p.finish(receipt); err != nil {
		return nil, err
	}
	return &release{name: name, dir: p.dir, receipt: receipt}, nil
}

// relative is a complete release of the same bundle: its files can be linked.
func (s *installed) relative(digest string) *release {
	for _, r := range s.releases {
		if r.complete() && r.of(digest) {
			return r
		}
	}
	return nil
}
