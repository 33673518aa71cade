package pkgfile

import (
	"bytes"
	"crypto"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"pgbundle/manifest"
)

// Export returns a key in the form that the rpm of a policy imports: the primary
// key, names and signing subkeys, each with what binds it in a way that counts there.
// EL 9's rpm refuses a whole key for one signature over SHA-1 in it, be it an old
// self-signature beside a new one or somebody else's, and a whole key file for one
// key. A key of which nothing would be left is an error of class ErrSignature.
func Export(key manifest.Key, policy Policy) (manifest.Key, error) {
	block, err := decodeArmor([]byte(key.Armor), openpgp.PublicKeyType)
	if err != nil {
		return manifest.Key{}, refused(NoKeys, "", "key %s: %v", key.Fingerprint, err)
	}
	groups, err := splitKeys(block)
	if err != nil || len(groups) != 1 {
		return manifest.Key{}, refused(NoKeys, "", "key %s: its armor holds %d keys: %v", key.Fingerprint, len(groups), err)
	}
	primary, err := parsePublicKey(groups[0][0])
	if err != nil {
		return manifest.Key{}, refused(NoKeys, "", "key %s: %v", key.Fingerprint, err)
	}
	if policy.RefuseCurves && isCurve(primary.PubKeyAlgo) {
		return manifest.Key{}, refused(RefusedKeyType, keyIDText(primary.KeyId), "key %s is of an elliptic curve, which the target cannot import", key.Fingerprint)
	}
	e := exporter{policy: policy, primary: primary}
	for _, part := range partsOf(groups[0]) {
		e.add(part)
	}
	if e.lost {
		return manifest.Key{}, refused(KeyRevoked, keyIDText(primary.KeyId), "key %s is revoked over SHA-1, which the target cannot check", key.Fingerprint)
	}
	ring, err := ParseKeys(e.kept.Bytes())
	if err != nil || ring.Find(key.Fingerprint) != 0 {
		return manifest.Key{}, refused(WeakHash, keyIDText(primary.KeyId), "key %s is bound to its owner by SHA-1 alone, which the target refuses", key.Fingerprint)
	}
	return ring.Keys[0], nil
}

// keyPart is a primary key, a name or a subkey with the signatures behind it.
type keyPart struct {
	head       *packet.OpaquePacket
	signatures []*packet.OpaquePacket
}

func partsOf(group []*packet.OpaquePacket) []keyPart {
	var list []keyPart
	for _, p := range group {
		if p.Tag != packetSignature {
			list = append(list, keyPart{head: p})
		} else if len(list) > 0 {
			last := &list[len(list)-1]
			last.signatures = append(last.signatures, p)
		}
	}
	return list
}

type exporter struct {
	policy  Policy
	primary *packet.PublicKey
	kept    bytes.Buffer
	lost    bool // a revocation cannot be kept
}

// add keeps a part with its strong signatures when one of them binds it.
func (e *exporter) add(part keyPart) {
	var kept []*packet.OpaquePacket
	bound := part.head.Tag == packetPublicKey
	for _, p := range part.signatures {
		parsed, err := p.Parse()
		s, ok := parsed.(*packet.Signature)
		if err != nil || !ok || !e.own(s) {
			continue
		}
		if e.policy.RefuseSHA1 && s.Hash == crypto.SHA1 {
			e.lost = e.lost || part.head.Tag == packetPublicKey && s.SigType == packet.SigTypeKeyRevocation
			continue
		}
		bound = bound || e.binds(part.head, s)
		kept = append(kept, p)
	}
	if !bound {
		return
	}
	for _, p := range append([]*packet.OpaquePacket{part.head}, kept...) {
		_ = p.Serialize(&e.kept) // into memory; the tag comes from a parser
	}
}

// own tells whether a signature says that it is of the key itself.
func (e *exporter) own(s *packet.Signature) bool {
	return s.IssuerKeyId != nil && *s.IssuerKeyId == e.primary.KeyId || bytes.Equal(s.IssuerFingerprint, e.primary.Fingerprint)
}

// binds tells whether a signature makes a name or a signing subkey part of the key.
func (e *exporter) binds(head *packet.OpaquePacket, s *packet.Signature) bool {
	switch head.Tag {
	case packetUserID:
		return s.SigType >= packet.SigTypeGenericCert && s.SigType <= packet.SigTypePositiveCert
	case packetPublicSubkey:
		key, err := parsePublicKey(head)
		return err == nil && s.SigType == packet.SigTypeSubkeyBinding && s.FlagsValid && s.FlagSign &&
			!(e.policy.RefuseCurves && isCurve(key.PubKeyAlgo))
	}
	return false
}
