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

// keepSignature puts the signature of a bundle beside the manifest of a release
// that was made from it before it was signed.
func (r *release) keepSignature(signature []byte) error {
	if signature == nil || r.receipt.Authenticated {
		return nil
	}
	return node.WriteFile(filepath.Join(r.dir, manifest.SignatureName), signature, 0o644)
}

// vouch renews the receipt of a release that was installed without a trusted
// key, once there is one that vouches for its bundle.
func (i *Installation) vouch(r *release, authenticated bool, by string) error {
	if !authenticated || r.receipt.Authenticated {
		return nil
	}
	renewed := *r.receipt
	renewed.Authenticated, renewed.By = true, by
	if err := renewed.write(r.dir); err != nil {
		return err
	}
	r.receipt = &renewed
	return nil
}
