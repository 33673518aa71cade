package install

import (
	"path/filepath"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// of says whether a release was made from the bundle whose manifest has this
// sha256.
func (r *release) of(manifestDigest string) bool {
	return r.receipt != nil && r.receipt.Manifest == manifestDigest
}

// vouch renews the receipt of a release that was installed without a trusted
// key, once there is one that vouches for its bundle, and keeps the signature.
func (i *Installation) vouch(r *release, authenticated bool, by string, signature []byte) error {
	if !authenticated || r.receipt.Authenticated {
		return nil
	}
	if err := node.WriteFile(filepath.Join(r.dir, manifest.SignatureName), signature, 0o644); err != nil {
		return err
	}
	renewed := *r.receipt
	renewed.Authenticated, renewed.By = true, by
	if err := renewed.write(r.dir); err != nil {
		return err
	}
	r.receipt = &renewed
	return nil
}
