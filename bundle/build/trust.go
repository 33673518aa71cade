package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/pkgfile"
)

// el9 is the policy of EL 9: its rpm checks neither elliptic curves nor, under
// the crypto policy DEFAULT, anything over SHA-1.
func el9(policy manifest.SignaturePolicy, now time.Time) pkgfile.Policy {
	p := pkgfile.Policy{Now: now, RefuseSHA1: true, RefuseCurves: true}
	switch policy {
	case manifest.SignatureIfPresent:
		p.Mode = pkgfile.IfPresent
	case manifest.SignatureOff:
		p.Mode = pkgfile.Off
	}
	return p
}

// setPolicies puts what the spec asks of signatures over what the repositories'
// configuration does.
func (src *Sources) setPolicies(s Spec) error {
	var errs []error
	for key, policies := range map[string]map[string]manifest.SignaturePolicy{
		"signatures": s.Signatures, "metadata_signatures": s.MetadataSignatures,
	} {
		for _, id := range slices.Sorted(maps.Keys(policies)) {
			i := slices.IndexFunc(src.Repos, func(r dnfconf.Repo) bool { return r.ID == id })
			switch {
			case i < 0:
				errs = append(errs, manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s: there is no repository %s, only %s", key, id, src.ids())))
			case key == "signatures":
				src.Repos[i].Signatures = policies[id]
			default:
				src.Repos[i].MetadataSignatures = policies[id]
			}
		}
	}
	return errors.Join(errs...)
}

// ids names the repositories, for messages.
func (src *Sources) ids() string {
	ids := make([]string, len(src.Repos))
	for i, r := range src.Repos {
		ids[i] = r.ID
	}
	return strings.Join(ids, ", ")
}

// signatureRemedies are what an operator can do about a refused signature.
var signatureRemedies = map[pkgfile.Reason]string{
	pkgfile.Unsigned:       "name another source for it, or let it pass with --signatures ID=if-present",
	pkgfile.UnknownKey:     "if that key is the repository's, give it with --key FILE or gpgkey= in the .repo file",
	pkgfile.Unbound:        "its payload could be exchanged: ask who made it to sign it with rpm 4.14 or later",
	pkgfile.KeyExpired:     "keys are often prolonged: fetch the repository's key anew, and resolve with pgbundle lock",
	pkgfile.KeyRevoked:     "ask the repository which key took its place and whether this package was signed anew",
	pkgfile.WeakHash:       resign,
	pkgfile.RefusedKeyType: resign,
}

// resign is the way out of what EL 9 cannot check though it is well signed.
const resign = "take a build that is signed with RSA over SHA-256, or sign this one so with a key of your own " +
	"(rpmsign --resign) and give the folder with --repo ID=FOLDER --key FILE"

// withRemedy adds to a refusal what can be done about it.
func withRemedy(err error) error {
	if refused, ok := errors.AsType[*pkgfile.SignatureError](err); ok {
		if remedy := signatureRemedies[refused.Reason]; remedy != "" {
			return fmt.Errorf("%w: %s", err, remedy)
		}
	}
	return err
}

// keyring fetches the keys of a repository and keeps those that may be trusted:
// of a built-in repository the one whose fingerprint is built in.
func (o Options) keyring(ctx context.Context, r dnfconf.Repo) (*pkgfile.Keyring, error) {
	ring := &pkgfile.Keyring{}
	var errs []error
	for _, address := range r.GPGKeys {
		res, err := o.Fetch.Get(ctx, []string{address}, fetch.GetOptions{MaxBytes: 1 << 20})
		if err != nil {
			errs = append(errs, fmt.Errorf("read key: %w", err))
			continue
		}
		keys, err := pkgfile.ParseKeys(res.Body)
		if err != nil {
			errs = append(errs, fmt.Errorf("read key %s: %w", fetch.Redact(address), err))
			continue
		}
		for _, note := range keys.Notes {
			o.Progress.Note(fmt.Sprintf("key %s of %s: %s", fetch.Redact(address), r.ID, note))
		}
		ring.Merge(keys)
	}
	if len(r.Fingerprints) > 0 {
		known := slices.DeleteFunc(ring.Keys, func(k manifest.Key) bool { return !slices.Contains(r.Fingerprints, k.Fingerprint) })
		var err error
		if ring, err = pkgfile.NewKeyring(known); err != nil {
			return nil, err
		}
	}
	if len(ring.Keys) > 0 {
		for _, err := range errs {
			o.Progress.Note(fmt.Sprintf("repository %s: %s", r.ID, err))
		}
		return ring, nil
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(r.Fingerprints) > 0 {
		return nil, manifest.Classify(manifest.ErrSignature,
			fmt.Errorf("its key file holds none of the keys that are known for it (%s)", strings.Join(r.Fingerprints, ", ")))
	}
	what := "packages"
	if r.Signatures == manifest.SignatureOff {
		what = "metadata"
	}
	return nil, manifest.Classify(manifest.ErrSignature,
		fmt.Errorf("its %s must be signed, and no key is given: name its key with --key FILE, or gpgkey= in a .repo file", what))
}

// detached checks repomd.xml.asc with a ring.
func detached(ring *pkgfile.Keyring, now time.Time) func([]byte, []byte) error {
	return func(data, signature []byte) error {
		_, err := pkgfile.VerifyDetached(data, signature, ring, el9(manifest.SignatureRequired, now))
		return withRemedy(err)
	}
}
