package pkgfile

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/rpmpack"
)

// The times of the test world.
var (
	keyMade = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	signed  = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	today   = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
)

// testPackage returns an unsigned package.
func testPackage(t testing.TB) []byte {
	t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{
		Name: "sample", Version: "1.2", Release: "3.el9", Arch: "x86_64", Epoch: 4, Summary: "A sample",
		Description: "Only a sample.", Licence: "MIT", Vendor: "Example", URL: "https://example.org", Packager: "Ann",
		Group: "Databases", BuildHost: "builder", Compressor: "gzip", BuildTime: signed,
		Requires: rpmpack.Relations{{Name: "glibc", Version: "2.34", Sense: rpmpack.SenseGreater | rpmpack.SenseEqual}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.AddFile(rpmpack.RPMFile{Name: "/etc/sample.conf", Body: bytes.Repeat([]byte("sample\n"), 5000), Mode: 0o100644, Owner: "root", Group: "root", Type: rpmpack.ConfigFile})
	r.AddFile(rpmpack.RPMFile{Name: "/var/lib/sample", Mode: 0o40755, Owner: "root", Group: "root"})
	r.AddFile(rpmpack.RPMFile{Name: "/var/log/sample.log", Mode: 0o100644, Owner: "root", Group: "root", Type: rpmpack.GhostFile})
	var buf bytes.Buffer
	if err := r.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// rawEntry is one header entry of a test, with its data as it is stored.
type rawEntry struct {
	typ, count uint32
	data       []byte
}

func textEntry(s string) rawEntry   { return rawEntry{typeString, 1, append([]byte(s), 0)} }
func binaryEntry(b []byte) rawEntry { return rawEntry{typeBinary, uint32(len(b)), b} }
func listEntry(list ...string) rawEntry {
	e := rawEntry{typ: typeStringArray, count: uint32(len(list))}
	for _, s := range list {
		e.data = append(append(e.data, s...), 0)
	}
	return e
}

func numberEntry(list ...uint32) rawEntry {
	e := rawEntry{typ: typeInt32, count: uint32(len(list))}
	for _, n := range list {
		e.data = binary.BigEndian.AppendUint32(e.data, n)
	}
	return e
}

// rawHeader writes a header block with its region.
func rawHeader(region uint32, entries map[uint32]rawEntry) []byte {
	var index, store []byte
	put := func(index []byte, values ...uint32) []byte {
		for _, v := range values {
			index = binary.BigEndian.AppendUint32(index, v)
		}
		return index
	}
	for _, tag := range slices.Sorted(maps.Keys(entries)) {
		e := entries[tag]
		align := map[uint32]int{typeInt16: 2, typeInt32: 4, typeInt64: 8}[e.typ]
		for align > 0 && len(store)%align != 0 {
			store = append(store, 0)
		}
		index = put(index, tag, e.typ, uint32(len(store)), e.count)
		store = append(store, e.data...)
	}
	count := uint32(len(entries) + 1)
	index = append(put(nil, region, typeBinary, uint32(len(store)), trailerSize), index...)
	store = put(store, region, typeBinary, -count*entrySize, trailerSize)
	return slices.Concat(headerMagic, put(nil, count, uint32(len(store))), index, store)
}

// parts is a package taken apart so that a test can change it.
type parts struct {
	lead    []byte
	header  map[uint32]rawEntry
	payload []byte
	sigs    map[uint32]rawEntry
}

func takeApart(t testing.TB, data []byte) *parts {
	t.Helper()
	r := bytes.NewReader(data)
	b, err := readBlocks(r)
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{lead: data[:leadSize], header: make(map[uint32]rawEntry), payload: data[len(data)-r.Len():], sigs: make(map[uint32]rawEntry)}
	for tag, e := range b.header.entries {
		p.header[tag] = rawEntry{e.typ, e.count, []byte(b.header.store[e.offset : e.offset+e.length])}
	}
	return p
}

func (p *parts) headerBytes() []byte { return rawHeader(regionImmutable, p.header) }

// covered are the bytes that a signature of header and payload is over.
func (p *parts) covered() []byte { return slices.Concat(p.headerBytes(), p.payload) }

// digests adds the digests that rpmbuild writes into the signature header.
func (p *parts) digests() *parts {
	one, two := sha1.Sum(p.headerBytes()), sha256.Sum256(p.headerBytes())
	whole := md5.Sum(p.covered())
	p.sigs[sigSHA1] = textEntry(hex.EncodeToString(one[:]))
	p.sigs[sigSHA256] = textEntry(hex.EncodeToString(two[:]))
	p.sigs[sigMD5] = binaryEntry(whole[:])
	p.sigs[1000] = numberEntry(uint32(len(p.covered())))
	p.sigs[sigPayloadSize] = numberEntry(35000)
	return p
}

func (p *parts) bytes() []byte {
	sig := rawHeader(regionSignatures, p.sigs)
	for len(sig)%8 != 0 {
		sig = append(sig, 0)
	}
	return slices.Concat(p.lead, sig, p.headerBytes(), p.payload)
}

// testKey makes a key once for each name and set of options.
func testKey(t testing.TB, name string, options ...func(*packet.Config)) *openpgp.Entity {
	t.Helper()
	keyMutex.Lock()
	defer keyMutex.Unlock()
	if e := madeKeys[name]; e != nil {
		return e
	}
	config := &packet.Config{Time: func() time.Time { return keyMade }, RSABits: 2048, Algorithm: packet.PubKeyAlgoRSA, DefaultHash: crypto.SHA256}
	for _, o := range options {
		o(config)
	}
	e, err := openpgp.NewEntity(name, "test", name+"@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	// An encryption subkey means nothing here.
	e.Subkeys = nil
	madeKeys[name] = e
	return e
}

var (
	keyMutex sync.Mutex
	madeKeys = make(map[string]*openpgp.Entity)
)

func publicKey(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := e.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return []byte(encodeArmor(buf.Bytes()))
}

// ringOf returns a ring with the public halves of keys.
func ringOf(t testing.TB, keys ...*openpgp.Entity) *Keyring {
	t.Helper()
	ring := &Keyring{}
	for _, e := range keys {
		one, err := ParseKeys(publicKey(t, e))
		if err != nil {
			t.Fatal(err)
		}
		ring.Merge(one)
	}
	return ring
}

// sign makes a detached version 4 signature.
func sign(t testing.TB, e *openpgp.Entity, data []byte, hash crypto.Hash, at time.Time) []byte {
	t.Helper()
	if hash == crypto.SHA1 {
		return signSHA1(t, e, packet.SigTypeBinary, data, at)
	}
	var buf bytes.Buffer
	key, sig := e.PrivateKey, &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: e.PrivateKey.PubKeyAlgo, Hash: hash,
		CreationTime: at, IssuerKeyId: &e.PrivateKey.KeyId, IssuerFingerprint: e.PrivateKey.Fingerprint,
	}
	if len(e.Subkeys) > 0 && e.Subkeys[0].Sig.FlagSign {
		key = e.Subkeys[0].PrivateKey
		sig.PubKeyAlgo, sig.IssuerKeyId, sig.IssuerFingerprint = key.PubKeyAlgo, &key.KeyId, key.Fingerprint
	}
	h := hash.New()
	h.Write(data)
	if err := sig.Sign(h, key, nil); err != nil {
		t.Fatal(err)
	}
	if err := sig.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// signSHA1 makes a version 4 signature over SHA-1, which the OpenPGP library reads
// but does not make.
func signSHA1(t testing.TB, e *openpgp.Entity, kind packet.SignatureType, data []byte, at time.Time) []byte {
	t.Helper()
	subpackets := append([]byte{5, 2}, binary.BigEndian.AppendUint32(nil, uint32(at.Unix()))...)
	subpackets = append(subpackets, 2, 27, packet.KeyFlagCertify|packet.KeyFlagSign, 22, 33, 4)
	subpackets = append(subpackets, e.PrimaryKey.Fingerprint...)
	hashed := append([]byte{4, byte(kind), 1, 2}, binary.BigEndian.AppendUint16(nil, uint16(len(subpackets)))...)
	hashed = append(hashed, subpackets...)
	trailer := binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(hashed)))
	sum := sha1.Sum(slices.Concat(data, hashed, trailer))
	s, err := rsa.SignPKCS1v15(rand.Reader, e.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	issuer := append([]byte{0, 10, 9, 16}, binary.BigEndian.AppendUint64(nil, e.PrimaryKey.KeyId)...)
	return signaturePacket(slices.Concat(hashed, issuer, sum[:2], mpi(bytes.TrimLeft(s, "\x00")).EncodedBytes()))
}

func signaturePacket(body []byte) []byte {
	return slices.Concat([]byte{0x80 | 2<<2 | 1}, binary.BigEndian.AppendUint16(nil, uint16(len(body))), body)
}

// signV3 makes a version 3 signature as old signing servers do.
func signV3(t testing.TB, e *openpgp.Entity, data []byte, at time.Time) []byte {
	t.Helper()
	hashed := append([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(at.Unix()))...)
	sum := sha256.Sum256(slices.Concat(data, hashed))
	s, err := rsa.SignPKCS1v15(rand.Reader, e.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	body := slices.Concat([]byte{3, 5}, hashed, binary.BigEndian.AppendUint64(nil, e.PrimaryKey.KeyId),
		[]byte{1, 8, sum[0], sum[1]}, mpi(bytes.TrimLeft(s, "\x00")).EncodedBytes())
	return signaturePacket(body)
}

// reasonOf returns why an error refuses a signature: the zero value for none.
func reasonOf(err error) Reason {
	return cmp.Or(asSignature(err), asDamage(err))
}
