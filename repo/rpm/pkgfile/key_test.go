package pkgfile

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"pgbundle/manifest"
)

func binaryKey(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	data, err := decodeArmor(publicKey(t, e), openpgp.PublicKeyType)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rawPacket writes a packet in the old format (RFC 9580, section 4.2.2).
func rawPacket(tag byte, body ...byte) []byte {
	return append([]byte{0x80 | tag<<2 | 1, byte(len(body) >> 8), byte(len(body))}, body...)
}

func TestParseKeys(t *testing.T) {
	good, eddsa := testKeys["good"](t), testKeys["eddsa"](t)
	goodArmor, eddsaArmor := publicKey(t, good), publicKey(t, eddsa)
	both := []string{fingerprint(good), fingerprint(eddsa)}
	unknown := rawPacket(packetPublicKey, 9, 0, 0, 0, 0, 1)
	v3sig := rawPacket(packetSignature, slices.Concat([]byte{3, 5, 0x10}, make([]byte, 16))...)
	var secret bytes.Buffer
	if err := good.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		file []byte
		want []string
		note string
	}{
		{"armoured", goodArmor, both[:1], ""},
		{"binary", binaryKey(t, good), both[:1], ""},
		{"two blocks", slices.Concat(goodArmor, []byte("\ntext between\n"), eddsaArmor), both, ""},
		{"two keys in one block", []byte(encodeArmor(slices.Concat(binaryKey(t, good), binaryKey(t, eddsa)))), both, ""},
		{"two keys in binary", slices.Concat(binaryKey(t, good), binaryKey(t, eddsa)), both, ""},
		{"text before", slices.Concat([]byte("pub rsa2048\n\n"), goodArmor), both[:1], ""},
		{"CR LF", bytes.ReplaceAll(goodArmor, []byte("\n"), []byte("\r\n")), both[:1], ""},
		{"the same twice", slices.Concat(goodArmor, goodArmor), both[:1], "twice"},
		{"unknown version first", slices.Concat(unknown, binaryKey(t, good)), both[:1], "version 9"},
		{"unknown version last", slices.Concat(binaryKey(t, good), unknown), both[:1], "version 9"},
		{"secret key beside", slices.Concat(secret.Bytes(), binaryKey(t, eddsa)), both[1:], "secret"},
		{"old signature of another", slices.Concat(binaryKey(t, good), v3sig), both[:1], ""},
		{"cut short", slices.Concat(binaryKey(t, eddsa), binaryKey(t, good)[:200]), both[1:], "early"},
		{"a damaged block beside", slices.Concat([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n"), goodArmor), both[:1], "block"},
		{"unknown subkey", slices.Concat(binaryKey(t, good), rawPacket(packetPublicSubkey, 9, 0, 0, 0, 0, 1), subkeyBinding(t)), both[:1], ""},
		{"attribute with signature", slices.Concat(binaryKey(t, good), []byte{0xc0 | 17, 2, 1, 1}, subkeyBinding(t)), both[:1], ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ring, err := ParseKeys(c.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := ring.Fingerprints(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if notes := strings.Join(ring.Notes, "; "); (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			again, err := NewKeyring(ring.Keys)
			if err != nil || !slices.Equal(again.Keys, ring.Keys) {
				t.Errorf("the keys do not come back: %v", err)
			}
		})
	}
}

func fingerprint(e *openpgp.Entity) string { return strings.ToUpper(hexOf(e.PrimaryKey.Fingerprint)) }

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

// subkeyBinding is a signature that belongs to a packet before it.
func subkeyBinding(t testing.TB) []byte {
	e := testKeys["subkey"](t)
	var buf bytes.Buffer
	if err := e.Subkeys[0].Sig.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestParseKeysRefuses(t *testing.T) {
	good := testKeys["good"](t)
	forged := binaryKey(t, good)
	forged[len(forged)-1] ^= 1
	var noSelf bytes.Buffer
	if err := good.PrimaryKey.Serialize(&noSelf); err != nil {
		t.Fatal(err)
	}
	revocationV3 := rawPacket(packetSignature, slices.Concat([]byte{3, 5, 0x20}, make([]byte, 16))...)
	revocationOdd := rawPacket(packetSignature, 4, 0x20, 99, 99, 0, 0, 0, 0, 0, 0)
	for name, file := range map[string][]byte{
		"empty":                     nil,
		"HTML":                      []byte("<html>404 not found</html>"),
		"signature":                 []byte("-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"),
		"self-signature forged":     forged,
		"no self-signature":         noSelf.Bytes(),
		"old revocation unread":     slices.Concat(binaryKey(t, good), revocationV3),
		"strange revocation unread": slices.Concat(binaryKey(t, good), revocationOdd),
		"too large":                 make([]byte, maxKeyFile+1),
		"PEM":                       pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}),
	} {
		t.Run(name, func(t *testing.T) {
			ring, err := ParseKeys(file)
			if ring != nil || asSignature(err) != NoKeys || !errors.Is(err, manifest.ErrSignature) {
				t.Errorf("got %v, %v", ring, err)
			}
		})
	}
}

func TestNewKeyringChecksFingerprint(t *testing.T) {
	keys := ringOf(t, testKeys["good"](t), testKeys["stranger"](t)).Keys
	swapped := []manifest.Key{{Fingerprint: keys[0].Fingerprint, Armor: keys[1].Armor}}
	if _, err := NewKeyring(swapped); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("another key's armor: %v", err)
	}
	two := []manifest.Key{{Fingerprint: keys[0].Fingerprint, Armor: keys[0].Armor + keys[1].Armor}}
	if _, err := NewKeyring(two); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("two keys in one armor: %v", err)
	}
}

// TestParseKeysBoundsNumbers holds that a key cannot keep us busy by its size.
func TestParseKeysBoundsNumbers(t *testing.T) {
	number := func(bits int) []byte {
		n := make([]byte, bits/8)
		n[0], n[len(n)-1] = 0x80, 1
		return mpi(n).EncodedBytes()
	}
	header := []byte{4, 0x5e, 0, 0, 0}
	for name, body := range map[string][]byte{
		"RSA":             slices.Concat(header, []byte{1}, number(16384), number(24)),
		"DSA":             slices.Concat(header, []byte{17}, number(16384), number(256), number(2048), number(2048)),
		"order of DSA":    slices.Concat(header, []byte{17}, number(2048), number(2048), number(1024), number(1024)),
		"generator's DSA": slices.Concat(header, []byte{17}, number(2048), number(256), number(16384), number(1024)),
	} {
		key := rawPacket(packetPublicKey, body...)
		if ring, err := ParseKeys(slices.Concat(key, binaryKey(t, testKeys["good"](t)))); err != nil || len(ring.Keys) != 1 || len(ring.Notes) != 1 {
			t.Errorf("%s: %+v, %v", name, ring, err)
		}
	}
}

// TestEncodeArmor holds the form that old rpm versions insist on.
func TestEncodeArmor(t *testing.T) {
	text := encodeArmor([]byte("some packets"))
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil || block.Type != openpgp.PublicKeyType {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(text, "\n=") || !strings.HasSuffix(text, "-----END PGP PUBLIC KEY BLOCK-----\n") {
		t.Errorf("%q", text)
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, name := range []string{"good", "eddsa", "subkey", "lost"} {
		f.Add(binaryKey(f, testKeys[name](f)))
	}
	f.Add(publicKey(f, testKeys["eddsa"](f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		ring, err := ParseKeys(data)
		if err != nil {
			if !errors.Is(err, manifest.ErrSignature) {
				t.Fatal(err)
			}
			return
		}
		if again, err := NewKeyring(ring.Keys); err != nil || !slices.Equal(again.Keys, ring.Keys) {
			t.Fatalf("the keys do not come back: %v", err)
		}
		for _, key := range ring.Keys {
			exported, err := Export(key, elNine)
			if err != nil {
				continue
			}
			if again, err := Export(exported, elNine); err != nil || again != exported || exported.Fingerprint != key.Fingerprint {
				t.Fatalf("exported twice it is another key: %v", err)
			}
		}
	})
}

func FuzzSignature(f *testing.F) {
	data := []byte("signed data")
	good := testKeys["good"](f)
	f.Add(sign(f, good, data, crypto.SHA256, signed))
	f.Add(sign(f, testKeys["eddsa"](f), data, crypto.SHA512, signed))
	f.Add(signV3(f, good, data, signed))
	f.Add(signSHA1(f, good, packet.SigTypeBinary, data, signed))
	ring := ringOf(f, good, testKeys["eddsa"](f))
	f.Fuzz(func(t *testing.T, sig []byte) {
		// Other data than was signed: nothing may be taken.
		if _, err := VerifyDetached([]byte("other data"), sig, ring, now); !errors.Is(err, manifest.ErrSignature) {
			t.Fatalf("got %v", err)
		}
	})
}
