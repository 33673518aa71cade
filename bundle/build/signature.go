package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/rpm/pkgfile"
)

// signatureCheck checks packages with the keys of the repository that each
// comes from, as the crypto policy of EL 9 would.
type signatureCheck struct {
	now   time.Time
	rings map[string]*pkgfile.Keyring // by source id
	off   map[string]bool             // sources whose packages need not be signed

	mu      sync.Mutex
	signers map[string]bool // fingerprints that were met
	signed  int
	plain   int // packages of sources that need no signature
}

func newSignatureCheck(lock *manifest.Lock, now time.Time) (*signatureCheck, error) {
	c := &signatureCheck{now: now, rings: map[string]*pkgfile.Keyring{}, off: map[string]bool{}, signers: map[string]bool{}}
	var errs []error
	for _, s := range lock.Sources {
		if s.Kind != manifest.RPM {
			continue
		}
		c.off[s.ID] = s.Unsigned
		ring, err := pkgfile.NewKeyring(s.Keys)
		if err != nil {
			errs = append(errs, fmt.Errorf("keys of %s: %w", s.ID, err))
		}
		c.rings[s.ID] = ring
	}
	return c, errors.Join(errs...)
}

func (c *signatureCheck) file(path string, a manifest.Artifact) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("check signature of %s: %w", a.Path, err)
	}
	defer f.Close()
	return c.read(f, a)
}

// read checks one package; r is read to its end.
func (c *signatureCheck) read(r io.Reader, a manifest.Artifact) error {
	source := a.From.Source
	policy := pkgfile.Policy{Mode: pkgfile.Required, Now: c.now, RefuseSHA1: true, RefuseEdDSA: true}
	if c.off[source] {
		policy.Mode = pkgfile.Off
	}
	verified, err := pkgfile.Verify(r, c.rings[source], policy)
	if err != nil {
		return fmt.Errorf("check signature of %s from %s: %w", a.Path, source, err)
	}
	// Metadata need not be signed: without this it could pass an older build,
	// well signed, for the newest.
	if got, want := verified.Package.NEVRA(), a.Name+"-"+a.Version+"."+a.Arch; got != want {
		return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("check %s: the lock calls it %s, its header %s", a.Path, want, got))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if verified.Signer == nil {
		c.plain++
		return nil
	}
	c.signed++
	c.signers[verified.Signer.Fingerprint] = true
	return nil
}

// proveSignatures checks every package of the bundle with the keys of its lock.
func proveSignatures(ctx context.Context, tree Tree, lock *manifest.Lock, o ProveOptions) (manifest.Check, error) {
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
	if err := errors.Join(errs...); err != nil {
		return manifest.Check{}, err
	}
	return manifest.Check{Name: "rpm-signatures", Result: c.result()}, nil
}

func (c *signatureCheck) opened(ctx context.Context, tree repo.Tree, a manifest.Artifact) error {
	f, err := tree.Open(ctx, a.Path)
	if err != nil {
		return fmt.Errorf("check signature of %s: %w", a.Path, err)
	}
	defer f.Close()
	return c.read(f, a)
}

func (c *signatureCheck) result() string {
	keys := make([]string, 0, len(c.signers))
	for k := range c.signers {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	text := fmt.Sprintf("%d packages signed by %s", c.signed, strings.Join(keys, ", "))
	if c.signed == 0 {
		text = "no package is signed"
	}
	if c.plain > 0 {
		text += fmt.Sprintf("; %d from repositories whose packages need no signature", c.plain)
	}
	return text
}
