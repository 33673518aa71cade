package pkgfile

import (
	"bytes"
	//lint:ignore SA1019 old keys are DSA: the OpenPGP library checks with them, and here their size is bounded
	"crypto/dsa"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"pgbundle/manifest"
)

// Bounds on a key file and on the numbers in it, so that a hostile one cannot
// keep us busy: distributions' files are below 100 KiB, their keys have 4,096 bits.
const (
	maxKeyFile  = 1 << 20
	maxKeyBits  = 8192
	maxDSAOrder = 512
)

// Keyring holds the public keys that signatures are checked with.
type Keyring struct {
	Keys  []manifest.Key // one for each primary key, in the order of the file
	Notes []string       // what of the file was skipped, and why

	entities []*openpgp.Entity // as many as Keys
}

// ParseKeys reads a key file: one or several armoured blocks (RFC 9580, section
// 6.2) or plain packets, each with one or several keys. A key of an unknown
// version, without a valid self-signature or otherwise unusable is skipped with
// a note; a file without any usable key is an error of class ErrSignature. Each
// key's Armor holds exactly the packets of that key as they were found.
func ParseKeys(data []byte) (*Keyring, error) {
	if len(data) > maxKeyFile {
		return nil, refused(NoKeys, "", "parse keys: file of %d bytes, allowed are %d", len(data), maxKeyFile)
	}
	ring := &Keyring{}
	for _, block := range ring.keyBlocks(data) {
		groups, err := splitKeys(block)
		if err != nil {
			ring.note("a block of the file ends early: %v", err)
		}
		for _, group := range groups {
			ring.add(group)
		}
	}
	if len(ring.Keys) == 0 {
		detail := "no public key in it"
		if len(ring.Notes) > 0 {
			detail = strings.Join(ring.Notes, "; ")
		}
		return nil, refused(NoKeys, "", "parse keys: %s", detail)
	}
	return ring, nil
}

// NewKeyring reads keys back that a lock or a manifest holds. A key whose armor
// is not the one key of its fingerprint is an error of class ErrSignature.
func NewKeyring(keys []manifest.Key) (*Keyring, error) {
	all := &Keyring{}
	for _, k := range keys {
		ring, err := ParseKeys([]byte(k.Armor))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.Fingerprint, err)
		}
		if len(ring.Keys) != 1 || ring.Keys[0].Fingerprint != k.Fingerprint {
			return nil, refused(UnknownKey, "", "key %s: its armor holds %s", k.Fingerprint, strings.Join(ring.Fingerprints(), ", "))
		}
		all.Merge(ring)
	}
	return all, nil
}

// Merge adds the keys of another ring that are not in this one.
func (k *Keyring) Merge(other *Keyring) {
	for i, key := range other.Keys {
		if k.Find(key.Fingerprint) < 0 {
			k.Keys = append(k.Keys, key)
			k.entities = append(k.entities, other.entities[i])
		}
	}
	k.Notes = append(k.Notes, other.Notes...)
}

// Find returns the index of the key with a fingerprint (upper-case hex), -1 when there is none.
func (k *Keyring) Find(fingerprint string) int {
	for i, key := range k.Keys {
		if key.Fingerprint == fingerprint {
			return i
		}
	}
	return -1
}

// Fingerprints returns the fingerprints of the primary keys.
func (k *Keyring) Fingerprints() []string {
	list := make([]string, len(k.Keys))
	for i, key := range k.Keys {
		list[i] = key.Fingerprint
	}
	return list
}

func (k *Keyring) empty() bool { return k == nil || len(k.entities) == 0 }

func (k *Keyring) note(format string, args ...any) {
	k.Notes = append(k.Notes, fmt.Sprintf(format, args...))
}

var armorBegin = []byte("-----BEGIN PGP ")

// keyBlocks returns the packets of each block of a file.
func (k *Keyring) keyBlocks(data []byte) [][]byte {
	at := bytes.Index(data, armorBegin)
	if at < 0 {
		return [][]byte{data}
	}
	var blocks [][]byte
	for rest := data[at:]; len(rest) > 0; {
		next := len(rest)
		if n := bytes.Index(rest[1:], armorBegin); n >= 0 {
			next = n + 1
		}
		block, err := decodeArmor(rest[:next], openpgp.PublicKeyType)
		if err != nil {
			k.note("a block of the file: %v", err)
		} else {
			blocks = append(blocks, block)
		}
		rest = rest[next:]
	}
	return blocks
}

func decodeArmor(data []byte, want string) ([]byte, error) {
	block, err := armor.Decode(bytes.NewReader(data))
	if errors.Is(err, io.EOF) {
		return nil, errors.New("no armour")
	}
	if err != nil {
		return nil, err
	}
	if block.Type != want {
		return nil, fmt.Errorf("it is a %q, not a %q", block.Type, want)
	}
	return io.ReadAll(block.Body)
}

// Packet types (RFC 9580, section 5) that key files are made of.
const (
	packetSignature    = 2
	packetSecretKey    = 5
	packetPublicKey    = 6
	packetUserID       = 13
	packetPublicSubkey = 14
)

// splitKeys cuts packets into groups that each begin with a primary key.
func splitKeys(data []byte) ([][]*packet.OpaquePacket, error) {
	reader := packet.NewOpaqueReader(bytes.NewReader(data))
	var groups [][]*packet.OpaquePacket
	for {
		p, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return groups, nil
		}
		if err != nil {
			return groups, err
		}
		if p.Tag == packetPublicKey || p.Tag == packetSecretKey || len(groups) == 0 {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], p)
	}
}

// add checks one group of packets and keeps the key that it makes.
func (k *Keyring) add(group []*packet.OpaquePacket) {
	first := group[0]
	if first.Tag == packetSecretKey {
		k.note("a secret key is no public key")
		return
	}
	if first.Tag != packetPublicKey {
		k.note("packets of type %d before any key", first.Tag)
		return
	}
	if _, err := parsePublicKey(first); err != nil {
		k.note("a key: %v", err)
		return
	}
	usable, err := usablePackets(group)
	if err != nil {
		k.note("%v", err)
		return
	}
	entity, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(serialize(usable))))
	if err != nil {
		k.note("key %s: %v", fingerprintOf(first), err)
		return
	}
	fingerprint := fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint)
	if k.Find(fingerprint) >= 0 {
		k.note("key %s stands there twice", fingerprint)
		return
	}
	k.Keys = append(k.Keys, manifest.Key{Fingerprint: fingerprint, Armor: encodeArmor(serialize(group))})
	k.entities = append(k.entities, entity)
}

// usablePackets drops from a key what the OpenPGP library cannot read: other
// people's signatures of version 3, subkeys of new algorithms. Left in, they
// would make it take the signatures behind them for those of the packet before.
// A revocation that cannot be read must not vanish: such a key is an error.
func usablePackets(group []*packet.OpaquePacket) ([]*packet.OpaquePacket, error) {
	var usable []*packet.OpaquePacket
	dropped := false // the packet that the signatures here belong to
	for _, p := range group {
		switch p.Tag {
		case packetSignature:
			if _, err := p.Parse(); err != nil {
				if isRevocation(p.Contents) {
					return nil, fmt.Errorf("key %s: a revocation that cannot be read: %w", fingerprintOf(group[0]), err)
				}
				continue
			}
			if dropped {
				continue
			}
		case packetPublicKey, packetPublicSubkey:
			_, err := parsePublicKey(p)
			if dropped = err != nil; dropped {
				continue
			}
		case packetUserID:
			_, err := p.Parse()
			if dropped = err != nil; dropped {
				continue
			}
		default:
			dropped = true
			continue
		}
		usable = append(usable, p)
	}
	return usable, nil
}

// isRevocation tells whether the body of a signature packet is of one of the
// revoking types, in any version (RFC 9580, section 5.2).
func isRevocation(body []byte) bool {
	at := 1
	if len(body) > 0 && body[0] <= 3 {
		at = 2
	}
	if len(body) <= at {
		return true
	}
	switch packet.SignatureType(body[at]) {
	case packet.SigTypeKeyRevocation, packet.SigTypeSubkeyRevocation, packet.SigTypeCertificationRevocation:
		return true
	}
	return false
}

// parsePublicKey parses a key packet and refuses numbers that would take
// seconds to reckon with.
func parsePublicKey(p *packet.OpaquePacket) (*packet.PublicKey, error) {
	parsed, err := p.Parse()
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*packet.PublicKey)
	if !ok {
		return nil, errors.New("not a public key")
	}
	if bits, err := key.BitLength(); err == nil && bits > maxKeyBits {
		return nil, fmt.Errorf("key of %d bits, allowed are %d", bits, maxKeyBits)
	}
	if d, ok := key.PublicKey.(*dsa.PublicKey); ok && (d.Q.BitLen() > maxDSAOrder || d.G.Cmp(d.P) >= 0 || d.Y.Cmp(d.P) >= 0) {
		return nil, errors.New("DSA key with numbers out of range")
	}
	return key, nil
}

func fingerprintOf(p *packet.OpaquePacket) string {
	key, err := parsePublicKey(p)
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%X", key.Fingerprint)
}

func serialize(group []*packet.OpaquePacket) []byte {
	var buf bytes.Buffer
	for _, p := range group {
		// A bytes.Buffer takes everything, and the tags come from a parser.
		_ = p.Serialize(&buf)
	}
	return buf.Bytes()
}

// encodeArmor writes the checksum too, which rpm before 4.18 insists on.
func encodeArmor(packets []byte) string {
	var buf strings.Builder
	w, err := armor.EncodeWithChecksumOption(&buf, openpgp.PublicKeyType, nil, true)
	if err == nil {
		_, err = w.Write(packets)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("armor into memory: " + err.Error())
	}
	return buf.String() + "\n"
}
