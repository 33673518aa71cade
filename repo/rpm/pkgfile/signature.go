package pkgfile

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // hashes that OpenPGP signatures are over
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxSignature bounds one OpenPGP signature: the largest, post-quantum, are
// below 50 KiB.
const maxSignature = 256 << 10

// signature is one parsed OpenPGP signature.
type signature struct {
	packet      *packet.Signature
	algorithm   packet.PublicKeyAlgorithm
	hash        crypto.Hash
	made        time.Time
	lifetime    time.Duration // of the signature itself, 0 for ever
	issuer      uint64
	fingerprint []byte // of the issuer, nil when it is not told
	keyID       string
}

// parseSignature reads exactly one signature packet, of version 3 to 6.
func parseSignature(data []byte) (*signature, error) {
	if len(data) > maxSignature {
		return nil, fmt.Errorf("signature of %d bytes, allowed are %d", len(data), maxSignature)
	}
	list, err := parseSignatures(data)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%d signatures in the place of one", len(list))
	}
	return list[0], nil
}

// parseSignatures reads the signature packets of a detached signature.
func parseSignatures(data []byte) ([]*signature, error) {
	reader := packet.NewOpaqueReader(bytes.NewReader(data))
	var list []*signature
	for {
		p, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if p.Tag != packetSignature {
			return nil, fmt.Errorf("packet of type %d, not a signature", p.Tag)
		}
		s, err := newSignature(p)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
}

func newSignature(p *packet.OpaquePacket) (*signature, error) {
	if len(p.Contents) > 0 && p.Contents[0] == 3 {
		return newSignatureV3(p.Contents)
	}
	parsed, err := p.Parse()
	if err != nil {
		return nil, err
	}
	sig, ok := parsed.(*packet.Signature)
	if !ok {
		return nil, errors.New("not a signature")
	}
	s := &signature{
		packet:      sig,
		algorithm:   sig.PubKeyAlgo,
		hash:        sig.Hash,
		made:        sig.CreationTime,
		lifetime:    seconds(sig.SigLifetimeSecs),
		fingerprint: sig.IssuerFingerprint,
	}
	switch {
	case sig.IssuerKeyId != nil:
		s.issuer = *sig.IssuerKeyId
	case len(sig.IssuerFingerprint) == 20: // version 4: the last 8 bytes
		s.issuer = binary.BigEndian.Uint64(sig.IssuerFingerprint[12:])
	case len(sig.IssuerFingerprint) == 32: // version 6: the first 8
		s.issuer = binary.BigEndian.Uint64(sig.IssuerFingerprint)
	default:
		return nil, errors.New("the signature does not tell its key")
	}
	s.keyID = keyIDText(s.issuer)
	return s, nil
}

// newSignatureV3 reads a signature packet of version 3 (RFC 4880, section
// 5.2.2). RHEL's and older signing servers make them; the OpenPGP library no
// longer reads them, but checks one that is handed to it in parsed form, since
// what is hashed behind the data is all that sets the versions apart.
func newSignatureV3(body []byte) (*signature, error) {
	if len(body) < 19 || body[1] != 5 {
		return nil, errors.New("signature of version 3 is malformed")
	}
	hashes := map[byte]crypto.Hash{2: crypto.SHA1, 8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}
	sig := &packet.Signature{
		Version:    3,
		SigType:    packet.SignatureType(body[2]),
		PubKeyAlgo: packet.PublicKeyAlgorithm(body[15]),
		Hash:       hashes[body[16]],
		HashSuffix: bytes.Clone(body[2:7]),
		HashTag:    [2]byte{body[17], body[18]},
	}
	if sig.Hash == 0 {
		return nil, fmt.Errorf("signature over an unknown hash, number %d", body[16])
	}
	sig.CreationTime = time.Unix(int64(binary.BigEndian.Uint32(body[3:])), 0)
	issuer := binary.BigEndian.Uint64(body[7:])
	sig.IssuerKeyId = &issuer
	var numbers []mpi
	for rest := body[19:]; len(rest) > 0; {
		n, tail, ok := cutMPI(rest)
		if !ok {
			return nil, errors.New("signature of version 3 ends early")
		}
		numbers, rest = append(numbers, n), tail
	}
	switch {
	case (sig.PubKeyAlgo == packet.PubKeyAlgoRSA || sig.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly) && len(numbers) == 1:
		sig.RSASignature = numbers[0]
	case sig.PubKeyAlgo == packet.PubKeyAlgoDSA && len(numbers) == 2:
		sig.DSASigR, sig.DSASigS = numbers[0], numbers[1]
	default:
		return nil, fmt.Errorf("signature of version 3 with algorithm %d and %d numbers", sig.PubKeyAlgo, len(numbers))
	}
	return &signature{packet: sig, algorithm: sig.PubKeyAlgo, hash: sig.Hash, made: sig.CreationTime,
		issuer: issuer, keyID: keyIDText(issuer)}, nil
}

// mpi is a multiprecision integer (RFC 9580, section 3.2), in the form that the
// OpenPGP library's signature fields take.
type mpi []byte

func cutMPI(data []byte) (n mpi, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	length := (int(binary.BigEndian.Uint16(data)) + 7) / 8
	if len(data) < 2+length {
		return nil, nil, false
	}
	return bytes.TrimLeft(data[2:2+length], "\x00"), data[2+length:], true
}

func (m mpi) Bytes() []byte         { return m }
func (m mpi) EncodedLength() uint16 { return uint16(2 + len(m)) }
func (m mpi) BitLength() uint16 {
	if len(m) == 0 {
		return 0
	}
	return uint16(8*(len(m)-1) + bits.Len8(m[0]))
}

func (m mpi) EncodedBytes() []byte {
	return append(binary.BigEndian.AppendUint16(nil, m.BitLength()), m...)
}

// ReadFrom is the half of the interface that reading a packet would use.
func (m mpi) ReadFrom(io.Reader) (int64, error) { return 0, errors.ErrUnsupported }

// namedBy tells whether the signature says that it was made by a key. What it
// says is a hint of whom to try: only the mathematics proves it.
func (s *signature) namedBy(key *packet.PublicKey) bool {
	if len(s.fingerprint) > 0 {
		return bytes.Equal(s.fingerprint, key.Fingerprint)
	}
	return s.issuer == key.KeyId
}

// signedHash takes signed data in and is then handed to the check of a signature.
type signedHash struct {
	hash.Hash
	sink io.Writer // where the data goes: the hash, or what prepares text for it
}

// begin returns the hash for signed data. Text signatures (RFC 9580, section
// 5.2.1) are over lines that end in CR LF.
func (s *signature) begin(text bool) (signedHash, error) {
	var h hash.Hash
	var err error
	if s.packet.Version == 3 {
		h = s.hash.New()
	} else if h, err = s.packet.PrepareVerify(); err != nil {
		return signedHash{}, err
	}
	switch {
	case s.packet.SigType == packet.SigTypeBinary:
		return signedHash{h, h}, nil
	case s.packet.SigType == packet.SigTypeText && text:
		return signedHash{h, openpgp.NewCanonicalTextHash(h)}, nil
	}
	return signedHash{}, fmt.Errorf("signature of type %d is not one over a file", s.packet.SigType)
}

// method names the algorithms as rpm does.
func (s *signature) method() string {
	name := map[packet.PublicKeyAlgorithm]string{
		packet.PubKeyAlgoRSA: "RSA", packet.PubKeyAlgoRSASignOnly: "RSA", packet.PubKeyAlgoDSA: "DSA",
		packet.PubKeyAlgoECDSA: "ECDSA", packet.PubKeyAlgoEdDSA: "EdDSA",
		packet.PubKeyAlgoEd25519: "Ed25519", packet.PubKeyAlgoEd448: "Ed448",
	}[s.algorithm]
	if name == "" {
		name = fmt.Sprintf("algorithm %d", s.algorithm)
	}
	return name + "/" + hashNames[s.hash]
}

var hashNames = map[crypto.Hash]string{
	crypto.SHA1: "SHA1", crypto.SHA224: "SHA224", crypto.SHA256: "SHA256", crypto.SHA384: "SHA384",
	crypto.SHA512: "SHA512", crypto.SHA3_256: "SHA3-256", crypto.SHA3_512: "SHA3-512",
}
