package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"pgbundle/install/node"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// Finish does on the booted node what was pending when the active release was
// put into an image. Nothing pending is no error. Where the node has trusted
// keys, a release that none of them vouches for is refused: the image may have
// been made where there was none.
func (i *Installation) Finish(ctx context.Context, keys []sign.PublicKey) (res *Result, err error) {
	if !i.node.Booted() {
		return nil, manifest.Classify(manifest.ErrUsage, errors.New("finish the installation: that runs the node's programs: boot it, then run it there"))
	}
	unlock, err := i.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := i.read()
	if err != nil {
		return nil, err
	}
	r := s.find(s.active)
	if !r.complete() || r.receipt == nil {
		return nil, errors.New("finish the installation: no release is active: pgbundle install puts one here")
	}
	res = &Result{Bundle: r.receipt.Bundle, Roles: r.receipt.Roles, Authenticated: r.receipt.Authenticated, By: r.receipt.By}
	i.named(res, s, r.name)
	raw, err := readSmall(filepath.Join(r.dir, manifest.ManifestName), manifest.MaxYAML)
	if err != nil {
		return res, err
	}
	by, err := r.trusted(raw, keys)
	if err != nil {
		return res, err
	}
	if by != "" {
		res.Authenticated, res.By = true, by
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		return res, err
	}
	if res.Findings, err = i.preflight(ctx, m, wishToFinish(m, r)); err != nil {
		return res, err
	}
	end := i.logged("finish")
	defer func() { end(err) }()
	if err := i.sweep(s); err != nil {
		return res, err
	}
	return res, i.finish(ctx, s, r, m, res)
}

// trusted checks the signature over the raw manifest of a release, where there
// are keys to check it with, and returns the id of the key that made it.
func (r *release) trusted(raw []byte, keys []sign.PublicKey) (by string, err error) {
	if len(keys) == 0 {
		return "", nil
	}
	signature, err := readSmall(filepath.Join(r.dir, manifest.SignatureName), sign.MaxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		err = manifest.Classify(sign.ErrUntrusted, fmt.Errorf("it is not signed: %s", sign.Trusted(keys)))
	}
	if err == nil {
		var key sign.PublicKey
		if key, _, err = sign.Verify(keys, raw, signature); err == nil {
			return key.ID(), nil
		}
	}
	return "", manifest.Classify(manifest.ErrSignature, fmt.Errorf("finish release %s: %w: install a bundle that one of them signed", r.name, err))
}

// finish does the pending steps in a release that is in its place already, once
// it is seen to be what was placed there: an image may pass through many hands
// before it boots. What is done is not pending any more; the policy is last,
// and is so until the release is the node's.
func (i *Installation) finish(ctx context.Context, s *installed, r *release, m *manifest.Manifest, res *Result) error {
	i.progress.Stage("compare", 0)
	drift, err := i.drift(ctx, r, 0)
	if err != nil {
		return err
	}
	if len(drift) > 0 {
		return r.refuse("finish release", drift)
	}
	if err := i.vouch(r, res.Authenticated, res.By); err != nil {
		return err
	}
	if slices.ContainsFunc(r.receipt.Pending, func(step string) bool { return step != stepPolicy }) {
		if err := i.judgeLater(ctx, r, m, res); err != nil {
			return err
		}
	}
	if err := i.activate(ctx, s, res, r); err != nil {
		return err
	}
	if len(r.receipt.Pending) == 0 {
		return nil
	}
	done := *r.receipt
	done.Pending = nil
	if err := done.write(r.dir); err != nil {
		return err
	}
	r.receipt = &done
	return nil
}

// judgeLater does the steps that come before the policy, and notes that they
// are done once that is synced.
func (i *Installation) judgeLater(ctx context.Context, r *release, m *manifest.Manifest, res *Result) error {
	if err := os.RemoveAll(filepath.Join(r.dir, venvFolder)); err != nil {
		return fmt.Errorf("remove a venv that was not finished: %w", err)
	}
	receipt := *r.receipt
	if err := i.judge(ctx, r.dir, m, &receipt, res); err != nil {
		return err
	}
	receipt.Pending = []string{stepPolicy}
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return fmt.Errorf("open release %s: %w", r.name, err)
	}
	defer root.Close()
	if err := node.SyncFileSystem(r.dir); err != nil {
		return err
	}
	node.Fault("finished")
	p := &placement{Installation: i, name: r.name, dir: r.dir, roles: receipt.Roles, root: root}
	if err := p.record(&receipt); err != nil {
		return err
	}
	r.receipt = &receipt
	return nil
}
