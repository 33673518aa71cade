package pkgfile

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"pgbundle/manifest"
)

const damage Reason = "damaged"

func asSignature(err error) Reason {
	if e, ok := errors.AsType[*SignatureError](err); ok {
		return e.Reason
	}
	return ""
}

func asDamage(err error) Reason {
	if errors.Is(err, manifest.ErrDamaged) {
		return damage
	}
	return ""
}

// verifyCase is a package, the keys that are trusted, and what is to come of it.
type verifyCase struct {
	name   string
	make   func(t testing.TB, p *parts)
	after  func(data []byte) []byte
	trust  []string // names of keys; "good" when nil
	policy Policy
	want   Reason // "" is good
	rpm    string // what rpm -K says: "good", "bad", "key" for a key that it does not import; "" when the same as want
}

func keyed(name string, options ...func(*packet.Config)) func(t testing.TB) *openpgp.Entity {
	return func(t testing.TB) *openpgp.Entity { return testKey(t, name, options...) }
}

var testKeys = map[string]func(t testing.TB) *openpgp.Entity{
	"good":     keyed("good"),
	"stranger": keyed("stranger"),
	"eddsa":    keyed("eddsa", func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoEdDSA }),
	"ecdsa": keyed("ecdsa", func(c *packet.Config) {
		c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP256
	}),
	"short":   keyed("short", func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 366 * 5 }), // to 2025-01
	"gone":    keyed("gone", func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 366 }),      // to 2021-01
	"sha1":    weakKey,
	"lost":    revokedKey("lost", packet.KeyCompromised),
	"retired": revokedKey("retired", packet.KeyRetired),
	"subkey":  subkeyKey,
	"nosign":  nosignKey,
}

func weakKey(t testing.TB) *openpgp.Entity {
	e := testKey(t, "sha1")
	for _, id := range e.Identities {
		var signed bytes.Buffer
		if err := e.PrimaryKey.SerializeForHash(&signed); err != nil {
			t.Fatal(err)
		}
		signed.WriteByte(0xb4)
		signed.Write(binary.BigEndian.AppendUint32(nil, uint32(len(id.UserId.Id))))
		signed.WriteString(id.UserId.Id)
		p, err := packet.Read(bytes.NewReader(signSHA1(t, e, packet.SigTypePositiveCert, signed.Bytes(), keyMade)))
		if err != nil {
			t.Fatal(err)
		}
		id.SelfSignature = p.(*packet.Signature)
		id.Signatures = []*packet.Signature{id.SelfSignature}
	}
	return e
}

func nosignKey(t testing.TB) *openpgp.Entity {
	return resigned(t, "nosign", func(s *packet.Signature) { s.FlagSign = false })
}

// resigned is a key whose self-signature is made anew after a change.
func resigned(t testing.TB, name string, change func(*packet.Signature)) *openpgp.Entity {
	e := testKey(t, name)
	for _, id := range e.Identities {
		change(id.SelfSignature)
		if err := id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
		id.Signatures = []*packet.Signature{id.SelfSignature}
	}
	return e
}

func revokedKey(name string, reason packet.ReasonForRevocation) func(t testing.TB) *openpgp.Entity {
	return func(t testing.TB) *openpgp.Entity {
		e := testKey(t, name)
		if len(e.Revocations) == 0 {
			at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
			if err := e.RevokeKey(reason, "", &packet.Config{Time: func() time.Time { return at }}); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
}

func subkeyKey(t testing.TB) *openpgp.Entity {
	e := testKey(t, "subkey")
	if len(e.Subkeys) == 0 {
		if err := e.AddSigningSubkey(&packet.Config{Time: func() time.Time { return keyMade }, RSABits: 2048}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// headerSig signs the header alone, as rpm 4.14 and later do beside the digests.
func headerSig(key string, tag uint32, hash crypto.Hash, at time.Time) func(testing.TB, *parts) {
	return func(t testing.TB, p *parts) {
		p.digests().sigs[tag] = binaryEntry(sign(t, testKeys[key](t), p.headerBytes(), hash, at))
	}
}

func bothSigs(key string) func(testing.TB, *parts) {
	return func(t testing.TB, p *parts) {
		headerSig(key, sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.sigs[sigPGP] = binaryEntry(sign(t, testKeys[key](t), p.covered(), crypto.SHA256, signed))
	}
}

func without(tags ...uint32) func(*parts) {
	return func(p *parts) {
		for _, tag := range tags {
			delete(p.header, tag)
			delete(p.sigs, tag)
		}
	}
}

var now = Policy{Now: today}

var verifyCases = []verifyCase{
	{name: "header signature", make: headerSig("good", sigRSAHeader, crypto.SHA256, signed)},
	{name: "header and legacy signature", make: bothSigs("good")},
	{name: "SHA-512", make: headerSig("good", sigRSAHeader, crypto.SHA512, signed)},
	{name: "EdDSA", make: headerSig("eddsa", sigDSAHeader, crypto.SHA256, signed), trust: []string{"eddsa"}},
	{name: "ECDSA", make: headerSig("ecdsa", sigDSAHeader, crypto.SHA256, signed), trust: []string{"ecdsa"}, rpm: "key"},
	{name: "ECDSA refused", make: headerSig("ecdsa", sigDSAHeader, crypto.SHA256, signed), trust: []string{"ecdsa"},
		policy: Policy{Now: today, RefuseCurves: true}, want: RefusedKeyType, rpm: "key"},
	{name: "subkey", make: headerSig("subkey", sigRSAHeader, crypto.SHA256, signed), trust: []string{"subkey"}, rpm: "key"},
	{name: "version 3 signature", make: func(t testing.TB, p *parts) {
		p.digests().sigs[sigRSAHeader] = binaryEntry(signV3(t, testKeys["good"](t), p.headerBytes(), signed))
	}},
	{name: "version 3 signature over other bytes", make: func(t testing.TB, p *parts) {
		p.digests().sigs[sigRSAHeader] = binaryEntry(signV3(t, testKeys["good"](t), p.payload, signed))
	}, want: BadSignature},
	{name: "legacy signature without payload digest", make: func(t testing.TB, p *parts) {
		without(tagPayloadDigest, tagPayloadDigestAlgo)(p)
		p.digests().sigs[sigPGP] = binaryEntry(sign(t, testKeys["good"](t), p.covered(), crypto.SHA256, signed))
	}},
	{name: "header signature without payload digest", make: func(t testing.TB, p *parts) {
		without(tagPayloadDigest, tagPayloadDigestAlgo)(p)
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
	}, want: Unbound},
	{name: "header signature without payload digest or MD5, payload exchanged", make: func(t testing.TB, p *parts) {
		without(tagPayloadDigest, tagPayloadDigestAlgo)(p)
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		delete(p.sigs, sigMD5)
		p.payload = []byte("something else")
	}, want: Unbound},
	{name: "weak payload digest", make: func(t testing.TB, p *parts) {
		p.header[tagPayloadDigestAlgo] = numberEntry(1)
		p.header[tagPayloadDigest] = listEntry("00000000000000000000000000000000")
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
	}, want: Unbound, rpm: "bad"},
	{name: "unsigned", make: func(t testing.TB, p *parts) { p.digests() }, want: Unsigned, rpm: "good"},
	{name: "unsigned, if present", make: func(t testing.TB, p *parts) { p.digests() }, policy: Policy{Mode: IfPresent, Now: today}, rpm: "good"},
	{name: "stranger", make: bothSigs("stranger"), want: UnknownKey},
	{name: "stranger, if present", make: bothSigs("stranger"), policy: Policy{Mode: IfPresent, Now: today}, want: UnknownKey},
	{name: "stranger, off", make: bothSigs("stranger"), policy: Policy{Mode: Off}, rpm: "bad"},
	{name: "stranger beside a known key", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.sigs[sigPGP] = binaryEntry(sign(t, testKeys["stranger"](t), p.covered(), crypto.SHA256, signed))
	}, want: UnknownKey},
	{name: "stranger in rpm 6's tag beside a known key", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.sigs[sigOpenPGP] = listEntry(base64.StdEncoding.EncodeToString(sign(t, testKeys["stranger"](t), p.headerBytes(), crypto.SHA256, signed)))
	}},
	{name: "good key in rpm 6's tag alone", make: func(t testing.TB, p *parts) {
		p.digests().sigs[sigOpenPGP] = listEntry(base64.StdEncoding.EncodeToString(sign(t, testKeys["good"](t), p.headerBytes(), crypto.SHA256, signed)))
	}},
	{name: "garbage beside a known key", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.sigs[sigPGP] = binaryEntry([]byte("not a signature"))
	}, want: Unreadable},
	{name: "one of two signatures bad", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.sigs[sigPGP] = binaryEntry(sign(t, testKeys["good"](t), p.payload, crypto.SHA256, signed))
	}, want: BadSignature},
	{name: "signature over another header", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA256, signed)(t, p)
		p.header[tagVersion] = textEntry("1.3")
		p.digests()
	}, want: BadSignature},
	{name: "key id of the good key, made by a stranger", make: func(t testing.TB, p *parts) {
		good, stranger := *testKeys["good"](t), testKeys["stranger"](t)
		forged := *stranger.PrivateKey
		forged.KeyId, forged.Fingerprint = good.PrimaryKey.KeyId, good.PrimaryKey.Fingerprint
		good.PrivateKey = &forged
		p.digests().sigs[sigRSAHeader] = binaryEntry(sign(t, &good, p.headerBytes(), crypto.SHA256, signed))
	}, want: BadSignature},
	{name: "garbage for a signature", make: func(t testing.TB, p *parts) {
		p.digests().sigs[sigRSAHeader] = binaryEntry([]byte("not a signature"))
	}, want: Unreadable},
	{name: "header changed", make: bothSigs("good"), after: flip("A sample"), want: damage},
	{name: "payload changed", make: bothSigs("good"), after: flipLast, want: damage},
	{name: "payload changed, off", make: bothSigs("good"), after: flipLast, policy: Policy{Mode: Off}, want: damage},
	{name: "payload cut short", make: bothSigs("good"), after: func(b []byte) []byte { return b[:len(b)-7] }, want: damage},
	{name: "byte behind the payload", make: bothSigs("good"), after: func(b []byte) []byte { return append(b, 0) }, want: damage},
	{name: "wrong MD5", make: func(t testing.TB, p *parts) {
		bothSigs("good")(t, p)
		p.sigs[sigMD5] = binaryEntry(make([]byte, 16))
	}, want: damage},
	{name: "wrong SHA-1", make: func(t testing.TB, p *parts) {
		bothSigs("good")(t, p)
		p.sigs[sigSHA1] = textEntry(strings.Repeat("0", 40))
	}, want: damage},
	{name: "no digest at all, off", make: func(t testing.TB, p *parts) {
		p.digests()
		without(tagPayloadDigest, tagPayloadDigestAlgo, sigMD5, sigSHA1, sigSHA256)(p)
	}, policy: Policy{Mode: Off}, want: damage},
	{name: "key expired before it signed", make: headerSig("gone", sigRSAHeader, crypto.SHA256, signed), trust: []string{"gone"}, want: KeyExpired, rpm: "key"},
	{name: "key expired before it signed, old ones allowed", make: headerSig("gone", sigRSAHeader, crypto.SHA256, signed), trust: []string{"gone"},
		policy: Policy{Now: today, AllowExpired: true}, want: KeyExpired, rpm: "key"},
	{name: "key expired since", make: headerSig("short", sigRSAHeader, crypto.SHA256, signed), trust: []string{"short"}, want: KeyExpired, rpm: "key"},
	{name: "key expired since, allowed", make: headerSig("short", sigRSAHeader, crypto.SHA256, signed), trust: []string{"short"},
		policy: Policy{Now: today, AllowExpired: true}, rpm: "key"},
	{name: "key not yet expired", make: headerSig("short", sigRSAHeader, crypto.SHA256, signed), trust: []string{"short"}, policy: Policy{Now: signed}, rpm: "key"},
	{name: "signed before the key was made", make: headerSig("good", sigRSAHeader, crypto.SHA256, keyMade.Add(-time.Hour)), want: KeyExpired, rpm: "good"},
	{name: "signed in the future", make: headerSig("good", sigRSAHeader, crypto.SHA256, today.AddDate(0, 0, 3)), want: KeyExpired, rpm: "good"},
	{name: "compromised key", make: headerSig("lost", sigRSAHeader, crypto.SHA256, signed), trust: []string{"lost"},
		policy: Policy{Now: today, AllowExpired: true}, want: KeyRevoked, rpm: "key"},
	{name: "retired key", make: headerSig("retired", sigRSAHeader, crypto.SHA256, signed), trust: []string{"retired"}, want: KeyRevoked, rpm: "key"},
	{name: "retired key, earlier signature allowed", make: headerSig("retired", sigRSAHeader, crypto.SHA256, signed), trust: []string{"retired"},
		policy: Policy{Now: today, AllowExpired: true}, rpm: "key"},
	{name: "retired key, later signature", make: headerSig("retired", sigRSAHeader, crypto.SHA256, today), trust: []string{"retired"},
		policy: Policy{Now: today, AllowExpired: true}, want: KeyRevoked, rpm: "key"},
	{name: "key not for signing", make: headerSig("nosign", sigRSAHeader, crypto.SHA256, signed), trust: []string{"nosign"}, want: KeyUnfit, rpm: "good"},
	{name: "SHA-1", make: headerSig("good", sigRSAHeader, crypto.SHA1, signed)},
	{name: "SHA-1 refused", make: headerSig("good", sigRSAHeader, crypto.SHA1, signed), policy: Policy{Now: today, RefuseSHA1: true}, want: WeakHash, rpm: "good"},
	{name: "SHA-1 self-signature", make: headerSig("sha1", sigRSAHeader, crypto.SHA256, signed), trust: []string{"sha1"}},
	{name: "SHA-1 self-signature refused", make: headerSig("sha1", sigRSAHeader, crypto.SHA256, signed), trust: []string{"sha1"},
		policy: Policy{Now: today, RefuseSHA1: true}, want: WeakHash, rpm: "good"},
	{name: "SHA-1 header beside SHA-256 legacy, SHA-1 refused", make: func(t testing.TB, p *parts) {
		headerSig("good", sigRSAHeader, crypto.SHA1, signed)(t, p)
		p.sigs[sigPGP] = binaryEntry(sign(t, testKeys["good"](t), p.covered(), crypto.SHA256, signed))
	}, policy: Policy{Now: today, RefuseSHA1: true}},
	{name: "EdDSA refused", make: headerSig("eddsa", sigDSAHeader, crypto.SHA256, signed), trust: []string{"eddsa"},
		policy: Policy{Now: today, RefuseCurves: true}, want: RefusedKeyType, rpm: "good"},
}

// flip changes one bit of a place that is known by its text.
func flip(text string) func([]byte) []byte {
	return func(b []byte) []byte {
		b[bytes.LastIndex(b, []byte(text))] ^= 1
		return b
	}
}

func flipLast(b []byte) []byte {
	b[len(b)-1] ^= 1
	return b
}

func (c *verifyCase) build(t testing.TB) []byte {
	p := takeApart(t, testPackage(t))
	c.make(t, p)
	data := p.bytes()
	if c.after != nil {
		data = c.after(data)
	}
	return data
}

func (c *verifyCase) keys(t testing.TB) []*openpgp.Entity {
	if c.trust == nil {
		return []*openpgp.Entity{testKeys["good"](t)}
	}
	var list []*openpgp.Entity
	for _, name := range c.trust {
		list = append(list, testKeys[name](t))
	}
	return list
}

func (c *verifyCase) usedPolicy() Policy {
	if c.policy == (Policy{}) {
		return now
	}
	return c.policy
}

func TestVerify(t *testing.T) {
	for _, c := range verifyCases {
		t.Run(c.name, func(t *testing.T) {
			v, err := Verify(bytes.NewReader(c.build(t)), ringOf(t, c.keys(t)...), c.usedPolicy())
			if reasonOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.want != "" && c.want != damage && !errors.Is(err, manifest.ErrSignature) {
				t.Errorf("%v is not of class ErrSignature", err)
			}
			if err == nil && v.Package.NEVRA() != "sample-4:1.2-3.el9.x86_64" {
				t.Errorf("package %s", v.Package.NEVRA())
			}
		})
	}
}

func TestVerifySigner(t *testing.T) {
	c := verifyCase{make: bothSigs("good")}
	ring := ringOf(t, testKeys["stranger"](t), testKeys["good"](t))
	v, err := Verify(bytes.NewReader(c.build(t)), ring, now)
	if err != nil {
		t.Fatal(err)
	}
	want := Signer{Fingerprint: ring.Keys[1].Fingerprint, KeyID: ring.Keys[1].Fingerprint[24:], Method: "RSA/SHA256", Made: signed}
	if got := *v.Signer; got.Fingerprint != want.Fingerprint || got.KeyID != want.KeyID || got.Method != want.Method || !got.Made.Equal(want.Made) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVerifyNamesUnknownKey(t *testing.T) {
	c := verifyCase{make: bothSigs("stranger")}
	_, err := Verify(bytes.NewReader(c.build(t)), ringOf(t, testKeys["good"](t)), now)
	e, ok := errors.AsType[*SignatureError](err)
	if id := keyIDText(testKeys["stranger"](t).PrimaryKey.KeyId); !ok || e.KeyID != id || !strings.Contains(err.Error(), id) {
		t.Errorf("%v does not name key %s", err, id)
	}
}

func TestVerifyEmptyRing(t *testing.T) {
	data := (&verifyCase{make: bothSigs("good")}).build(t)
	for _, ring := range []*Keyring{nil, {}} {
		for _, mode := range []Mode{Required, IfPresent} {
			_, err := Verify(bytes.NewReader(data), ring, Policy{Mode: mode, Now: today})
			if asSignature(err) != NoKeys || !errors.Is(err, manifest.ErrSignature) {
				t.Errorf("mode %d: got %v", mode, err)
			}
		}
	}
	if _, err := Verify(bytes.NewReader(data), ringOf(t, testKeys["good"](t)), Policy{}); err == nil {
		t.Error("a policy without a time was taken")
	}
}

// TestVerifyEveryBit flips each bit of a signed package: no change passes
// unseen, save in the parts of the lead and of the signature header that say
// nothing.
func TestVerifyEveryBit(t *testing.T) {
	data := (&verifyCase{make: bothSigs("good")}).build(t)
	ring := ringOf(t, testKeys["good"](t))
	b, err := readBlocks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for i := int(b.start); i < len(data); i++ {
		data[i] ^= 1 << (i % 8)
		if _, err := Verify(bytes.NewReader(data), ring, now); reasonOf(err) == "" {
			t.Fatalf("bit %d of byte %d: %v", i%8, i, err)
		}
		data[i] ^= 1 << (i % 8)
	}
}

// TestVerifyEverySignatureBit flips each bit of a signature that is signed itself
// or is its number: nothing else of it counts.
func TestVerifyEverySignatureBit(t *testing.T) {
	ring := ringOf(t, testKeys["good"](t))
	for _, c := range []verifyCase{
		{name: "header", make: headerSig("good", sigRSAHeader, crypto.SHA256, signed)},
		{name: "header and payload", make: func(t testing.TB, p *parts) {
			p.digests().sigs[sigPGP] = binaryEntry(sign(t, testKeys["good"](t), p.covered(), crypto.SHA256, signed))
		}},
	} {
		p := takeApart(t, testPackage(t))
		c.make(t, p)
		data := p.bytes()
		sig := p.sigs[sigRSAHeader].data
		if sig == nil {
			sig = p.sigs[sigPGP].data
		}
		at := bytes.Index(data, sig)
		body := at + 3 // behind the packet's own head, which sign writes in the new format
		hashed := 6 + int(binary.BigEndian.Uint16(data[body+4:]))
		flipped := 0
		for i := at; i < at+len(sig); i++ {
			if inHashed, inNumber := i >= body && i < body+hashed, i >= at+len(sig)-256; !inHashed && !inNumber {
				continue
			}
			for bit := range 8 {
				data[i] ^= 1 << bit
				if _, err := Verify(bytes.NewReader(data), ring, now); asSignature(err) == "" {
					t.Errorf("%s: bit %d of byte %d of the signature: %v", c.name, bit, i-at, err)
				}
				data[i] ^= 1 << bit
				flipped++
			}
		}
		if _, err := Verify(bytes.NewReader(data), ring, now); err != nil || flipped < 8*280 {
			t.Errorf("%s: after %d flips: %v", c.name, flipped, err)
		}
	}
}

// TestVerifyCutShort ends a package at every byte.
func TestVerifyCutShort(t *testing.T) {
	data := (&verifyCase{make: bothSigs("good")}).build(t)
	ring := ringOf(t, testKeys["good"](t))
	for n := range data {
		if _, err := Verify(bytes.NewReader(data[:n]), ring, now); asDamage(err) == "" {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
}

// FuzzVerify holds that nothing passes for signed but what was signed: a header
// and a payload that are those of a seed, to the byte.
func FuzzVerify(f *testing.F) {
	apart := func() *parts { return takeApart(f, testPackage(f)) }
	known := map[string]bool{}
	for _, make := range []func(testing.TB, *parts){
		headerSig("good", sigRSAHeader, crypto.SHA256, signed), bothSigs("good"), headerSig("eddsa", sigDSAHeader, crypto.SHA512, signed),
		func(t testing.TB, p *parts) {
			without(tagPayloadDigest, tagPayloadDigestAlgo)(p)
			p.digests().sigs[sigPGP] = binaryEntry(signV3(t, testKeys["good"](t), p.covered(), signed))
		},
		func(t testing.TB, p *parts) {
			p.digests().sigs[sigOpenPGP] = listEntry(base64.StdEncoding.EncodeToString(sign(t, testKeys["good"](t), p.headerBytes(), crypto.SHA256, signed)))
		},
	} {
		p := apart()
		make(f, p)
		known[string(p.covered())] = true
		f.Add(p.bytes())
	}
	ring := ringOf(f, testKeys["good"](f), testKeys["eddsa"](f))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		if _, err := Verify(r, ring, now); err != nil {
			if reasonOf(err) == "" {
				t.Fatalf("%v is neither damage nor a refusal", err)
			}
			return
		}
		r.Reset(data)
		b, err := readBlocks(r)
		if err != nil || !known[string(b.header.raw)+string(data[len(data)-r.Len():])] {
			t.Fatal("it passes for signed, and nobody signed it")
		}
	})
}

func TestVerifyReadError(t *testing.T) {
	data := (&verifyCase{make: bothSigs("good")}).build(t)
	broken := errors.New("the cable is out")
	for _, n := range []int{10, 200, len(data) - 20} {
		r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken))
		if _, err := Verify(r, ringOf(t, testKeys["good"](t)), now); !errors.Is(err, broken) || reasonOf(err) != "" {
			t.Errorf("at %d: %v", n, err)
		}
	}
}

func TestVerifyDetached(t *testing.T) {
	data := []byte("<repomd>\n</repomd>\n")
	good, stranger := testKeys["good"](t), testKeys["stranger"](t)
	binarySig := sign(t, good, data, crypto.SHA256, signed)
	var armoured bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&armoured, good, bytes.NewReader(data), &packet.Config{Time: func() time.Time { return signed }}); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := openpgp.ArmoredDetachSignText(&text, good, bytes.NewReader(data), &packet.Config{Time: func() time.Time { return signed }}); err != nil {
		t.Fatal(err)
	}
	strange := sign(t, stranger, data, crypto.SHA256, signed)
	for _, c := range []struct {
		name      string
		data, sig []byte
		want      Reason
	}{
		{"binary", data, binarySig, ""},
		{"armoured", data, armoured.Bytes(), ""},
		{"text", data, text.Bytes(), ""},
		{"text with CR LF", bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), text.Bytes(), ""},
		{"stranger first", data, append(bytes.Clone(strange), binarySig...), ""},
		{"stranger alone", data, strange, UnknownKey},
		{"changed", []byte("<repomd>\n</repomd >\n"), binarySig, BadSignature},
		{"empty", data, nil, Unsigned},
		{"HTML", data, []byte("<html>404</html>"), Unreadable},
		{"a key for a signature", data, publicKey(t, good), Unreadable},
		{"cut short", data, binarySig[:100], Unreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := VerifyDetached(c.data, c.sig, ringOf(t, good), now)
			if reasonOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}
