package pkgfile

import (
	"crypto"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Mode says what is asked of a package's signature.
type Mode int

const (
	Required  Mode = iota // it must be there and good
	IfPresent             // it may be absent; what is there must be good
	Off                   // it is not looked at; digests still are
)

// Policy says which signatures count.
type Policy struct {
	Mode Mode
	// Now is the time that expiry is judged at. It must be set unless Mode is Off.
	Now time.Time
	// RefuseSHA1 refuses signatures over SHA-1, and keys that nothing but SHA-1
	// binds to their owner, as EL 9's crypto policy does.
	RefuseSHA1 bool
	// RefuseCurves refuses signatures by elliptic curves, EdDSA and ECDSA: EL 9's
	// rpm 4.16 can check RSA and DSA alone.
	RefuseCurves bool
	// AllowExpired takes a signature that was good when it was made though its
	// key has run out, or was retired or replaced, since then. A key that was
	// compromised, or revoked for no said reason, is never taken.
	AllowExpired bool
}

// Signer is who signed, as far as a check has proven it.
type Signer struct {
	Fingerprint string    // of the primary key, as in manifest.Key
	KeyID       string    // of the key that signed, which may be a subkey: 16 upper-case hex digits
	Method      string    // "RSA/SHA256"
	Made        time.Time // when, as the signature says
}

// signingKey is a primary key or subkey of the ring that a signature names.
type signingKey struct {
	entity *openpgp.Entity
	subkey *openpgp.Subkey // nil: the primary key
}

func (k signingKey) public() *packet.PublicKey {
	if k.subkey != nil {
		return k.subkey.PublicKey
	}
	return k.entity.PrimaryKey
}

// signingKeys returns the keys that a signature says it was made by. Key ids
// are short, so there may be several.
func (k *Keyring) signingKeys(s *signature) []signingKey {
	var found []signingKey
	for _, e := range k.entities {
		if s.namedBy(e.PrimaryKey) {
			found = append(found, signingKey{entity: e})
		}
		for i := range e.Subkeys {
			if s.namedBy(e.Subkeys[i].PublicKey) {
				found = append(found, signingKey{entity: e, subkey: &e.Subkeys[i]})
			}
		}
	}
	return found
}

// judge tells whether a key whose signature has proven right may be believed.
func (p Policy) judge(s *signature, k signingKey) *SignatureError {
	id := s.keyID
	if p.RefuseSHA1 && s.hash == crypto.SHA1 {
		return refused(WeakHash, id, "signature of key %s is over SHA-1, which the target refuses", id)
	}
	if p.RefuseCurves && isCurve(s.algorithm) {
		return refused(RefusedKeyType, id, "signature of key %s is %s, which the target cannot check", id, s.method())
	}
	if err := p.lapsed(s.made, s.lifetime, s.made, id, "signature"); err != nil {
		return err
	}
	if s.made.After(p.Now.Add(24 * time.Hour)) {
		return refused(KeyExpired, id, "signature of key %s was made on %s, which is yet to come: is this host's clock right?", id, day(s.made))
	}
	self, identity := k.entity.PrimarySelfSignature()
	if self == nil {
		return refused(KeyUnfit, id, "key %s has no self-signature", id)
	}
	if identity != nil {
		if err := p.revoked(identity.Revocations, s.made, id); err != nil {
			return err
		}
	}
	if err := p.judgeKey(k.entity.PrimaryKey, self, k.entity.Revocations, s, id); err != nil {
		return err
	}
	if p.RefuseSHA1 && !strongSelf(self, identity) {
		return refused(WeakHash, id, "key %s is bound to its owner by SHA-1 alone, which the target refuses", id)
	}
	if k.subkey == nil {
		if self.FlagsValid && !self.FlagSign {
			return refused(KeyUnfit, id, "key %s is not meant for signing", id)
		}
		return nil
	}
	if !k.subkey.Sig.FlagsValid || !k.subkey.Sig.FlagSign {
		return refused(KeyUnfit, id, "subkey %s is not meant for signing", id)
	}
	if p.RefuseSHA1 && k.subkey.Sig.Hash == crypto.SHA1 {
		return refused(WeakHash, id, "subkey %s is bound to its key by SHA-1, which the target refuses", id)
	}
	return p.judgeKey(k.subkey.PublicKey, k.subkey.Sig, k.subkey.Revocations, s, id)
}

// judgeKey checks the time and the revocations of one key; self is what binds it.
func (p Policy) judgeKey(key *packet.PublicKey, self *packet.Signature, revocations []*packet.Signature, s *signature, id string) *SignatureError {
	if err := p.revoked(revocations, s.made, id); err != nil {
		return err
	}
	if s.made.Before(key.CreationTime) {
		return refused(KeyExpired, id, "signature of key %s was made on %s, before the key", id, day(s.made))
	}
	if err := p.lapsed(key.CreationTime, seconds(self.KeyLifetimeSecs), s.made, id, "key"); err != nil {
		return err
	}
	return p.lapsed(self.CreationTime, seconds(self.SigLifetimeSecs), s.made, id, "self-signature of the key")
}

// lapsed tells whether something that came into being at from and lives for a
// lifetime, 0 for ever, was over when the signature was made, or is over now.
func (p Policy) lapsed(from time.Time, lifetime time.Duration, made time.Time, id, what string) *SignatureError {
	if lifetime == 0 {
		return nil
	}
	end := from.Add(lifetime)
	switch {
	case made.After(end):
		return refused(KeyExpired, id, "key %s: the %s had expired on %s when it signed on %s", id, what, day(end), day(made))
	case p.Now.After(end) && !p.AllowExpired:
		return refused(KeyExpired, id, "key %s: the %s expired on %s", id, what, day(end))
	}
	return nil
}

// revoked tells whether revocations stand against a signature. Only one that
// says the key was retired or replaced lets earlier signatures live.
func (p Policy) revoked(revocations []*packet.Signature, made time.Time, id string) *SignatureError {
	for _, r := range revocations {
		soft := r.RevocationReason != nil &&
			(*r.RevocationReason == packet.KeySuperseded || *r.RevocationReason == packet.KeyRetired)
		if !soft || !p.AllowExpired || !made.Before(r.CreationTime) {
			return refused(KeyRevoked, id, "key %s was revoked on %s", id, day(r.CreationTime))
		}
	}
	return nil
}

// strongSelf tells whether any self-signature of the owner's name is over more
// than SHA-1. Keys are often given a second one beside the first.
func strongSelf(self *packet.Signature, identity *openpgp.Identity) bool {
	if self.Hash != crypto.SHA1 {
		return true
	}
	if identity == nil {
		return false
	}
	for _, s := range identity.Signatures {
		// The library has verified those, and only those, that the key itself made.
		if s.IssuerKeyId != nil && self.IssuerKeyId != nil && *s.IssuerKeyId == *self.IssuerKeyId &&
			s.SigType != packet.SigTypeCertificationRevocation && s.Hash != crypto.SHA1 {
			return true
		}
	}
	return false
}

func isCurve(a packet.PublicKeyAlgorithm) bool {
	switch a {
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448, packet.PubKeyAlgoECDSA:
		return true
	}
	return false
}

func seconds(n *uint32) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func keyIDText(id uint64) string { return fmt.Sprintf("%016X", id) }
