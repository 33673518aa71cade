package pkgfile

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// Verified is a package that has passed Verify.
type Verified struct {
	Package *Package
	Signer  *Signer // nil when no signature was asked for, or none was there and none needed
}

// Verify reads a whole package from r and checks it: every digest that it
// carries must be right (else a *DamageError), and its signature must satisfy the
// policy (else a *SignatureError). A signature counts when a key of the ring made
// it and it covers the payload, directly or by the payload digest of the signed
// header. An absent or empty ring is refused unless the mode is Off.
func Verify(r io.Reader, keys *Keyring, policy Policy) (*Verified, error) {
	if err := policy.usable(keys); err != nil {
		return nil, err
	}
	b, err := readBlocks(r)
	if err != nil {
		return nil, err
	}
	p, err := newPackage(b)
	if err != nil {
		return nil, err
	}
	c := newCheck(b)
	if policy.Mode != Off {
		c.collect(keys)
	}
	if err := c.stream(r); err != nil {
		return nil, fmt.Errorf("read payload of %s: %w", p.NEVRA(), err)
	}
	if err := c.digestError(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.NEVRA(), err)
	}
	if policy.Mode == Off || policy.Mode == IfPresent && len(c.signatures) == 0 {
		if err := c.coverError(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.NEVRA(), err)
		}
		return &Verified{Package: p}, nil
	}
	signer, refusal := c.decide(policy)
	if refusal != nil {
		return nil, fmt.Errorf("%s: %w", p.NEVRA(), refusal)
	}
	return &Verified{Package: p, Signer: signer}, nil
}

// VerifyDetached checks a detached signature over data, armoured or not, such as
// repomd.xml.asc. The policy's mode is not looked at: a signature is required. One
// good signature of several is enough.
func VerifyDetached(data, sig []byte, keys *Keyring, policy Policy) (*Signer, error) {
	policy.Mode = Required
	if err := policy.usable(keys); err != nil {
		return nil, err
	}
	if len(sig) > maxSignature {
		return nil, refused(Unreadable, "", "signature of %d bytes, allowed are %d", len(sig), maxSignature)
	}
	if bytes.Contains(sig, armorBegin) {
		decoded, err := decodeArmor(sig, openpgp.SignatureType)
		if err != nil {
			return nil, refused(Unreadable, "", "signature cannot be read: %v", err)
		}
		sig = decoded
	}
	list, err := parseSignatures(sig)
	if err != nil {
		return nil, refused(Unreadable, "", "signature cannot be read: %v", err)
	}
	c := &check{}
	for _, s := range list {
		claim := &claim{signature: s, covers: true, collected: true}
		if claim.keys = keys.signingKeys(s); len(claim.keys) > 0 {
			claim.begin(true)
		}
		c.signatures = append(c.signatures, claim)
	}
	for _, claim := range c.signatures {
		claim.write(data)
	}
	signer, refusal := c.decide(policy)
	if refusal != nil {
		return nil, refusal
	}
	return signer, nil
}

func (p Policy) usable(keys *Keyring) error {
	if p.Mode == Off {
		return nil
	}
	if keys.empty() {
		return refused(NoKeys, "", "no key to check the signature with")
	}
	if p.Now.IsZero() {
		return fmt.Errorf("check a signature: the policy has no time")
	}
	return nil
}

// check is one package while its bytes go by.
type check struct {
	blocks     *blocks // nil: data with a detached signature
	digests    []*digest
	signatures []*claim
}

// claim is a signature with the keys that it may be of and the data hashed for
// each of them.
type claim struct {
	signature *signature // nil when it cannot be read
	covers    bool       // it covers the payload itself
	collected bool       // it stands among others, of whomever
	keys      []signingKey
	hashes    []signedHash // one for each key, since a check uses it up
	err       error        // why it cannot be read or checked
}

func (c *claim) begin(text bool) {
	for range c.keys {
		h, err := c.signature.begin(text)
		if err != nil {
			c.err, c.hashes = err, nil
			return
		}
		c.hashes = append(c.hashes, h)
	}
}

func (c *claim) write(data []byte) {
	for _, h := range c.hashes {
		h.sink.Write(data) // a hash never fails
	}
}

// signatureTags are the places for OpenPGP signatures, and whether what stands
// there covers the payload beside the header.
var signatureTags = []struct {
	tag    uint32
	covers bool
}{{sigRSAHeader, false}, {sigDSAHeader, false}, {sigOpenPGP, false}, {sigPGP, true}, {sigGPG, true}}

// collect parses the signatures and begins to hash for those of known keys.
func (c *check) collect(keys *Keyring) {
	for _, place := range signatureTags {
		for _, data := range signatureData(c.blocks.signature, place.tag) {
			claim := &claim{covers: place.covers, collected: place.tag == sigOpenPGP}
			if claim.signature, claim.err = parseSignature(data); claim.err == nil {
				if claim.keys = keys.signingKeys(claim.signature); len(claim.keys) > 0 {
					claim.begin(false)
				}
				claim.write(c.blocks.header.raw)
			}
			c.signatures = append(c.signatures, claim)
		}
	}
}

// signatureData returns the signatures under a tag: rpm 6 has any number of
// them in base64, the older tags one in binary.
func signatureData(h *header, tag uint32) [][]byte {
	if tag != sigOpenPGP {
		if data := h.bytes(tag); data != nil {
			return [][]byte{data}
		}
		return nil
	}
	texts := h.texts(tag)
	var list [][]byte
	for _, text := range texts[:min(len(texts), 16)] {
		// What is no base64 is kept as it is and fails to parse.
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			data = []byte(text)
		}
		list = append(list, data)
	}
	return list
}

// stream reads the payload once, past all digests and hashes that cover it.
func (c *check) stream(r io.Reader) error {
	var sinks []io.Writer
	for _, d := range c.digests {
		if d.payload {
			sinks = append(sinks, d.hash)
		}
	}
	for _, s := range c.signatures {
		if s.covers {
			for _, h := range s.hashes {
				sinks = append(sinks, h.sink)
			}
		}
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := r.Read(buf)
		for _, w := range sinks {
			w.Write(buf[:n]) // a hash never fails
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// refusalOrder ranks refusals: of several signatures' the most telling is
// reported.
var refusalOrder = []Reason{BadSignature, KeyRevoked, KeyExpired, WeakHash, RefusedKeyType, KeyUnfit, Unbound, Unreadable, UnknownKey}

// decide returns who signed, or why nobody did as far as the policy goes. As in
// rpm, a signature that cannot be read or that no known key made refuses the whole
// package, whatever stands beside it; where signatures are collected, in rpm 6's
// tag and in a detached file, one of strangers does not, but a forged one does.
func (c *check) decide(policy Policy) (*Signer, *SignatureError) {
	if len(c.signatures) == 0 {
		return nil, refused(Unsigned, "", "not signed")
	}
	var signer *Signer
	var refusals, spoiled []*SignatureError
	for _, claim := range c.signatures {
		who, refusal := c.judge(claim, policy)
		switch {
		case refusal == nil && signer == nil:
			signer = who
		case refusal != nil:
			refusals = append(refusals, refusal)
			if claim.spoils(refusal.Reason) {
				spoiled = append(spoiled, refusal)
			}
		}
	}
	switch {
	case signer == nil:
		return nil, mostTelling(refusals)
	case len(spoiled) > 0:
		return nil, mostTelling(spoiled)
	}
	return signer, nil
}

// spoils tells whether a refused signature outweighs a good one.
func (c *claim) spoils(why Reason) bool {
	return why == BadSignature || !c.collected && (why == UnknownKey || why == Unreadable)
}

func mostTelling(refusals []*SignatureError) *SignatureError {
	return slices.MinFunc(refusals, func(a, b *SignatureError) int {
		return slices.Index(refusalOrder, a.Reason) - slices.Index(refusalOrder, b.Reason)
	})
}

func (c *check) judge(claim *claim, policy Policy) (*Signer, *SignatureError) {
	s := claim.signature
	switch {
	case s == nil:
		return nil, refused(Unreadable, "", "signature cannot be read: %v", claim.err)
	case claim.err != nil:
		return nil, refused(Unreadable, s.keyID, "signature of key %s cannot be checked: %v", s.keyID, claim.err)
	case len(claim.keys) == 0:
		return nil, refused(UnknownKey, s.keyID, "signed by key %s, which is not among the trusted keys", s.keyID)
	}
	for i, key := range claim.keys {
		if key.public().VerifySignature(claim.hashes[i].Hash, s.packet) != nil {
			continue
		}
		if refusal := policy.judge(s, key); refusal != nil {
			return nil, refusal
		}
		if !claim.covers && !c.payloadBound() {
			return nil, refused(Unbound, s.keyID, "signature of key %s covers the header alone, and the header holds no digest of the payload", s.keyID)
		}
		return &Signer{
			Fingerprint: fmt.Sprintf("%X", key.entity.PrimaryKey.Fingerprint),
			KeyID:       s.keyID,
			Method:      s.method(),
			Made:        s.made,
		}, nil
	}
	return nil, refused(BadSignature, s.keyID, "signature does not fit: key %s did not sign these bytes", s.keyID)
}
