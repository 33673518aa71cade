package manifest

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest returns the SHA-256 of data as 64 lower-case hex digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// BundleID returns the id of the bundle whose manifest has exactly these
// bytes: the first 12 hex digits of their SHA-256.
func BundleID(manifestBytes []byte) string {
	return Digest(manifestBytes)[:12]
}

// isDigest says whether s has the shape that Digest returns.
func isDigest(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
