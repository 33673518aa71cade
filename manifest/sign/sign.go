// Package sign proves where a manifest came from: minisign signatures over its
// raw bytes, and the files that keys live in. The format is minisign's
// (https://jedisct1.github.io/minisign/#signature-format), so that the stock
// tool reads what this package writes and the reverse. It must not know what
// is in a manifest: a signature is checked before any parser sees the bytes.
package sign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"aead.dev/minisign"

	"pgbundle/manifest"
)

// MaxSignature bounds a signature file, in bytes. Stock minisign allows
// comments of 1,024 and 8,192 bytes.
const MaxSignature = 10 << 10

// A Signature is what a signature file says. Only Verify says whether it is
// true.
type Signature struct {
	KeyID          string // 16 upper-case hex digits; a hint, not a proof
	Prehashed      bool   // over BLAKE2b-512 of the message; false: legacy, over the message itself
	TrustedComment string // signed with the message
}

// ParseSignature reads a signature file: four lines. The error is of class
// manifest.ErrDamaged.
func ParseSignature(data []byte) (*Signature, error) {
	s, err := parseSignature(data)
	if err != nil {
		return nil, err
	}
	return &Signature{
		KeyID:          keyID(s.KeyID),
		Prehashed:      s.Algorithm == minisign.HashEdDSA,
		TrustedComment: s.TrustedComment,
	}, nil
}

func parseSignature(data []byte) (s minisign.Signature, err error) {
	if len(data) > MaxSignature {
		return s, damaged("read signature: %d bytes, at most %d are expected", len(data), MaxSignature)
	}
	// The library skips line ends anywhere in base64; four lines is the format.
	if n := bytes.Count(bytes.TrimRight(data, "\r\n"), []byte("\n")); n != 3 {
		return s, damaged("read signature: %d lines instead of four", n+1)
	}
	if err := s.UnmarshalText(data); err != nil {
		return s, damaged("read signature: %s", strings.TrimPrefix(err.Error(), "minisign: "))
	}
	if !printable(s.UntrustedComment) || !printable(s.TrustedComment) {
		return s, damaged("read signature: a comment with control characters")
	}
	return s, nil
}

// Sign signs message (prehashed, as minisign does since 0.10) and returns the
// signature file. The same arguments give the same bytes.
func Sign(key PrivateKey, message []byte, trustedComment string) ([]byte, error) {
	if !printable(trustedComment) || len(trustedComment) > 8<<10 {
		return nil, fmt.Errorf("sign: the trusted comment is no line of at most 8192 bytes")
	}
	r := minisign.NewReader(bytes.NewReader(message))
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	comment := "signature from minisign secret key " + key.ID()
	return r.SignWithComments(key.key, trustedComment, comment), nil
}

// Manifest signs a manifest's raw bytes. The trusted comment carries the
// bundle id, so that `minisign -V` prints it.
func Manifest(key PrivateKey, raw []byte) ([]byte, error) {
	return Sign(key, raw, "pgbundle "+manifest.BundleID(raw))
}

// ErrUntrusted says that no trusted key has signed something, as far as one can
// see: somebody else has, or nobody. It is of class manifest.ErrSignature.
var ErrUntrusted = manifest.Classify(manifest.ErrSignature, errors.New("no trusted key has signed it"))

// Verify checks a signature file over message against the trusted keys and
// returns the key that made it with its trusted comment. The error is of class
// manifest.ErrDamaged when the file is no signature, and of
// manifest.ErrSignature when no trusted key made it (ErrUntrusted) or the message
// is another.
func Verify(trusted []PublicKey, message, signature []byte) (PublicKey, string, error) {
	s, err := parseSignature(signature)
	if err != nil {
		return PublicKey{}, "", err
	}
	known := false
	for _, k := range trusted {
		if k.key.ID() != s.KeyID {
			continue
		}
		known = true
		// Two keys can share an id, which is no proof: try each.
		if minisign.Verify(k.key, message, signature) {
			return k, s.TrustedComment, nil
		}
	}
	if known {
		return PublicKey{}, "", manifest.Classify(manifest.ErrSignature,
			fmt.Errorf("the signature bears the id of trusted key %s but is not its signature over these bytes: one of the two was changed since: get them anew from who signed them", keyID(s.KeyID)))
	}
	return PublicKey{}, "", manifest.Classify(ErrUntrusted,
		fmt.Errorf("signed by key %s, which is not a trusted key: %s", keyID(s.KeyID), Trusted(trusted)))
}

// Trusted says in words which keys are trusted.
func Trusted(keys []PublicKey) string {
	if len(keys) == 0 {
		return "none is trusted here"
	}
	return "trusted here: " + IDs(keys)
}

// IDs lists the ids of keys, each once.
func IDs(keys []PublicKey) string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID())
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ", ")
}

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// printable says whether a comment is safe on a terminal. Stock minisign puts
// tabs between the fields of its own.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 })
}

func damaged(format string, args ...any) error {
	return manifest.Classify(manifest.ErrDamaged, fmt.Errorf(format, args...))
}

// errPassword is the one answer to a wrong password and to a file that was
// tampered with: they cannot be told apart.
var errPassword = errors.New("wrong password, or the key file is damaged")
