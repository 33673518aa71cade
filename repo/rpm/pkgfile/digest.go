package pkgfile

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	_ "crypto/md5" // the oldest of the digests
	"encoding/hex"
	"hash"
	"strings"
)

// digest is one digest that a package carries of itself.
type digest struct {
	name    string
	hash    hash.Hash
	want    []byte
	header  bool // it covers the header
	payload bool // it covers the payload
	signed  bool // it stands in the header, so that a header signature covers it
}

// payloadHashes are OpenPGP's numbers of the hashes that a payload digest may
// be of (RFC 9580, section 9.5). A weaker one would bind nothing.
var payloadHashes = map[uint64]crypto.Hash{
	8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224, 12: crypto.SHA3_256, 14: crypto.SHA3_512,
}

// newCheck collects the digests and hashes the header for those that cover it.
func newCheck(b *blocks) *check {
	c := &check{blocks: b}
	for _, d := range []struct {
		tag  uint32
		name string
		hash crypto.Hash
	}{{sigSHA1, "SHA1", crypto.SHA1}, {sigSHA256, "SHA256", crypto.SHA256}} {
		if b.signature.has(d.tag) && allowedHash(d.hash) {
			// What is no hex never equals a sum.
			want, _ := hex.DecodeString(b.signature.text(d.tag))
			c.digests = append(c.digests, &digest{name: "header " + d.name, hash: d.hash.New(), want: want, header: true})
		}
	}
	if b.signature.has(sigMD5) && allowedHash(crypto.MD5) {
		c.digests = append(c.digests, &digest{name: "MD5", hash: crypto.MD5.New(), want: b.signature.bytes(sigMD5), header: true, payload: true})
	}
	if b.header.has(tagPayloadDigest) {
		algorithm, _ := b.header.number(tagPayloadDigestAlgo)
		if h, ok := payloadHashes[algorithm]; ok {
			want, _ := hex.DecodeString(b.header.text(tagPayloadDigest))
			c.digests = append(c.digests, &digest{name: "payload " + hashNames[h], hash: h.New(), want: want, payload: true, signed: true})
		}
	}
	for _, d := range c.digests {
		if d.header {
			d.hash.Write(b.header.raw)
		}
	}
	return c
}

// allowedHash leaves out, as rpm does, what Go refuses in FIPS mode.
func allowedHash(h crypto.Hash) bool {
	return !fips140.Enabled() || h != crypto.MD5 && h != crypto.SHA1
}

func (d *digest) right() bool { return bytes.Equal(d.hash.Sum(nil), d.want) }

// digestError names all digests that are wrong.
func (c *check) digestError() error {
	var wrong []string
	for _, d := range c.digests {
		if !d.right() {
			wrong = append(wrong, d.name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	part := "header"
	if !strings.HasPrefix(wrong[0], "header") {
		part = "payload"
	}
	return damaged(part, "wrong digest: %s", strings.Join(wrong, ", "))
}

// coverError tells of a part that no digest covers: rpm does not install such
// a package unless a signature covers it.
func (c *check) coverError() error {
	header, payload := false, false
	for _, d := range c.digests {
		header, payload = header || d.header, payload || d.payload
	}
	switch {
	case !header:
		return damaged("header", "no digest covers it")
	case !payload:
		return damaged("payload", "no digest covers it")
	}
	return nil
}

// payloadBound tells whether the header holds a digest of the payload. That it
// is right was checked before.
func (c *check) payloadBound() bool {
	for _, d := range c.digests {
		if d.signed && d.payload {
			return true
		}
	}
	return false
}
