package pkgfile

import (
	"fmt"

	"pgbundle/manifest"
)

// DamageError says that a package is not what its format or its own digests
// demand. It unwraps to manifest.ErrDamaged.
type DamageError struct {
	Part   string // "lead", "signature header", "header", "payload"
	Detail string
}

func (e *DamageError) Error() string { return fmt.Sprintf("rpm %s: %s", e.Part, e.Detail) }
func (e *DamageError) Unwrap() error { return manifest.ErrDamaged }

func damaged(part, format string, args ...any) error {
	return &DamageError{Part: part, Detail: fmt.Sprintf(format, args...)}
}

// Reason is why a signature, or its absence, was refused.
type Reason string

const (
	Unsigned       Reason = "unsigned"             // no OpenPGP signature at all
	UnknownKey     Reason = "unknown key"          // none of the trusted keys made it
	BadSignature   Reason = "bad signature"        // a trusted key is named, but it did not sign these bytes
	Unbound        Reason = "payload not signed"   // the header is signed, but holds no digest of the payload
	KeyExpired     Reason = "expired key"          // the key, or the signature itself, had or has run out
	KeyRevoked     Reason = "revoked key"          // the owner withdrew it
	KeyUnfit       Reason = "key not for signing"  // its self-signature denies it that use
	WeakHash       Reason = "weak hash"            // SHA-1 or worse, where the policy refuses it
	RefusedKeyType Reason = "unsupported key type" // EdDSA or ECDSA, where the policy refuses it
	Unreadable     Reason = "unreadable signature" // not an OpenPGP signature that we know
	NoKeys         Reason = "no keys"              // a check was asked for without a key to check with
)

// SignatureError says why something does not count as signed. It unwraps to
// manifest.ErrSignature.
type SignatureError struct {
	Reason Reason
	KeyID  string // 16 upper-case hex digits of the signature's issuer, "" when there is none
	Detail string
}

func (e *SignatureError) Error() string { return e.Detail }
func (e *SignatureError) Unwrap() error { return manifest.ErrSignature }

func refused(reason Reason, keyID, format string, args ...any) *SignatureError {
	return &SignatureError{Reason: reason, KeyID: keyID, Detail: fmt.Sprintf(format, args...)}
}
