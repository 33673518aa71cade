package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/rpm/pkgfile"
)

const signatureCheckName = "rpm-signatures"

// signatureCheck checks packages with the keys of the repository that each
// comes from, as the crypto policy of EL 9 would.
type signatureCheck struct {
	now   time.Time
	rings map[string]*pkgfile.Keyring // by source id
	modes map[string]manifest.SignaturePolicy

	mu      sync.Mutex
	signers map[string]bool // fingerprints that were met
	signed  int
	plain   int // packages that were let pass without one
}

func newSignatureCheck(lock *manifest.Lock, now time.Time) (*signatureCheck, error) {
	c := &signatureCheck{now: now, rings: map[string]*pkgfile.Keyring{}, modes: map[string]manifest.SignaturePolicy{}, signers: map[string]bool{}}
	var errs []error
	for _, s := range lock.Sources {
		if s.Kind != manifest.RPM {
			continue
		}
		c.modes[s.ID] = s.Signatures
		ring, err := pkgfile.NewKeyring(s.Keys)
		if err != nil {
			errs = append(errs, fmt.Errorf("keys of %s: %w", s.ID, err))
		}
		c.rings[s.ID] = ring
	}
	return c, errors.Join(errs...)
}

// read checks one package and returns the fingerprint of its signer, "" when none
// was needed; r is read to its end.
func (c *signatureCheck) read(r io.Reader, a manifest.Artifact) (signer string, err error) {
	source := a.From.Source
	verified, err := pkgfile.Verify(r, c.rings[source], el9(c.modes[source], c.now))
	if err != nil {
		return "", &signatureRefusal{[]string{a.Path}, source, err}
	}
	// Metadata need not be signed: without this it could pass an older build,
	// well signed, for the newest.
	if got, want := verified.Package.NEVRA(), a.Name+"-"+a.Version+"."+a.Arch; got != want {
		return "", manifest.Classify(manifest.ErrDamaged, fmt.Errorf("check %s: the lock calls it %s, its header %s", a.Path, want, got))
	}
	if verified.Signer == nil {
		return "", nil
	}
	return verified.Signer.Fingerprint, nil
}

// count books a package that passed.
func (c *signatureCheck) count(signer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if signer == "" {
		c.plain++
		return
	}
	c.signed++
	c.signers[signer] = true
}

// proveSignatures checks every package of the bundle with the keys of its lock,
// unless that was done when they were fetched: then each was checked in the pass
// that took its digest, and what is packed has that digest or is refused.
func proveSignatures(ctx context.Context, tree Tree, lock *manifest.Lock, o ProveOptions) (manifest.Check, error) {
	if o.signatures != nil {
		return manifest.Check{Name: signatureCheckName, Result: o.signatures.result()}, nil
	}
	c, err := newSignatureCheck(lock, o.Now)
	if err != nil {
		return manifest.Check{}, err
	}
	var mu sync.Mutex
	var errs []error
	var group errgroup.Group
	group.SetLimit(max(o.Jobs, 1))
	for _, a := range lock.Artifacts {
		if a.Kind != manifest.RPM {
			continue
		}
		group.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = c.opened(ctx, tree, a)
			}
			if err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
			return nil
		})
	}
	_ = group.Wait() // the goroutines keep their errors apart
	if err := joinRefused(errs); err != nil {
		return manifest.Check{}, err
	}
	return manifest.Check{Name: signatureCheckName, Result: c.result()}, nil
}

func (c *signatureCheck) opened(ctx context.Context, tree repo.Tree, a manifest.Artifact) error {
	f, err := tree.Open(ctx, a.Path)
	if err != nil {
		return fmt.Errorf("check signature of %s: %w", a.Path, err)
	}
	defer f.Close()
	signer, err := c.read(f, a)
	if err == nil {
		c.count(signer)
	}
	return err
}

func (c *signatureCheck) result() string {
	keys := make([]string, 0, len(c.signers))
	for k := range c.signers {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var parts []string
	if c.signed > 0 {
		parts = append(parts, fmt.Sprintf("%d packages signed by %s", c.signed, strings.Join(keys, ", ")))
	}
	if c.plain > 0 { // an off repository's may have signatures that nobody looked at
		parts = append(parts, fmt.Sprintf("%d without a signature that was checked, which their repositories do not ask for", c.plain))
	}
	return strings.Join(parts, "; ")
}
