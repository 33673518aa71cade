package install

import (
	"fmt"
	"io/fs"
	"slices"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// TrustedKeys is where a node keeps the keys that it trusts; no install writes
// there.
const TrustedKeys = "/etc/pgbundle/trusted-keys.d"

// ownKeys are the keys that an image trusts once it is booted. Those of a
// booted node are for the caller to read, who may have more.
func (i *Installation) ownKeys() ([]sign.PublicKey, error) {
	if i.node.Booted() {
		return nil, nil
	}
	folder, err := fs.Sub(i.node.FS(), TrustedKeys[1:])
	if err != nil {
		return nil, fmt.Errorf("read the image's keys: %w", err)
	}
	keys, err := sign.TrustedKeys(folder)
	if err != nil {
		return nil, fmt.Errorf("read the image's keys in %s: %w", TrustedKeys, err)
	}
	return keys, nil
}

// acceptable are the keys of which one has to have signed what is installed:
// those that are trusted where pgbundle runs, and of them those that an image
// trusts too, if it trusts any. For what its own keys refuse is refused when it
// is finished on the booted node.
func (i *Installation) acceptable(keys []sign.PublicKey) ([]sign.PublicKey, error) {
	own, err := i.ownKeys()
	if err != nil || len(own) == 0 {
		return keys, err
	}
	i.progress.Note(fmt.Sprintf("the image has keys of its own, and one of them has to have signed the bundle: %s", sign.IDs(own)))
	if len(keys) == 0 {
		return own, nil
	}
	both := slices.DeleteFunc(slices.Clone(own), func(k sign.PublicKey) bool { return !slices.ContainsFunc(keys, k.Equal) })
	if len(both) == 0 {
		return nil, manifest.Classify(manifest.ErrSignature, fmt.Errorf(
			"install into an image: no key is trusted both here (%s) and by %s of the image (%s): put the key there, or name one of the image's with --pubkey",
			sign.IDs(keys), TrustedKeys, sign.IDs(own)))
	}
	return both, nil
}
