package pkgfile

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"pgbundle/manifest"
)

// elNine is what EL 9 asks.
var elNine = Policy{Now: today, RefuseSHA1: true, RefuseCurves: true}

// signaturesOf are the signature packets of a key.
func signaturesOf(t testing.TB, armor string) []*packet.Signature {
	t.Helper()
	block, err := decodeArmor([]byte(armor), openpgp.PublicKeyType)
	if err != nil {
		t.Fatal(err)
	}
	var list []*packet.Signature
	for r := packet.NewReader(bytes.NewReader(block)); ; {
		p, err := r.Next()
		if err != nil {
			return list
		}
		if s, ok := p.(*packet.Signature); ok {
			list = append(list, s)
		}
	}
}

// bothSelfSignatures is a key with an old self-signature over SHA-1 beside the one
// over SHA-256, as keys are that were renewed.
func bothSelfSignatures(t testing.TB) manifest.Key {
	t.Helper()
	weak := testKeys["sha1"](t)
	weakPackets, good := binaryKey(t, weak), new(bytes.Buffer)
	for _, id := range weak.Identities {
		strong := *id.SelfSignature
		renewed := &packet.Signature{
			Version: 4, SigType: packet.SigTypePositiveCert, PubKeyAlgo: strong.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: keyMade.AddDate(1, 0, 0),
			IssuerKeyId: &weak.PrimaryKey.KeyId, FlagsValid: true, FlagSign: true, FlagCertify: true,
		}
		if err := renewed.SignUserId(id.UserId.Id, weak.PrimaryKey, weak.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
		if err := renewed.Serialize(good); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := ParseKeys(append(weakPackets, good.Bytes()...))
	if err != nil {
		t.Fatal(err)
	}
	return ring.Keys[0]
}

func TestExport(t *testing.T) {
	one := func(name string) manifest.Key { return ringOf(t, testKeys[name](t)).Keys[0] }
	for _, c := range []struct {
		name       string
		key        manifest.Key
		signatures int // that are left
		want       Reason
	}{
		{"RSA", one("good"), 1, ""},
		{"with a signing subkey", one("subkey"), 2, ""},
		{"retired", one("retired"), 2, ""},
		{"self-signed twice, once over SHA-1", bothSelfSignatures(t), 1, ""},
		{"self-signed over SHA-1", one("sha1"), 0, WeakHash},
		{"EdDSA", one("eddsa"), 0, RefusedKeyType},
		{"ECDSA", one("ecdsa"), 0, RefusedKeyType},
		{"no key", manifest.Key{Fingerprint: "A", Armor: "B"}, 0, NoKeys},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Export(c.key, elNine)
			if asSignature(err) != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err != nil {
				if !errors.Is(err, manifest.ErrSignature) {
					t.Errorf("%v is not of class ErrSignature", err)
				}
				return
			}
			left := signaturesOf(t, got.Armor)
			if got.Fingerprint != c.key.Fingerprint || len(left) != c.signatures {
				t.Errorf("key %s with %d signatures, want %d", got.Fingerprint, len(left), c.signatures)
			}
			for _, s := range left {
				if s.Hash == crypto.SHA1 {
					t.Error("a signature over SHA-1 is left")
				}
			}
			again, err := Export(got, elNine)
			if err != nil || again != got {
				t.Errorf("it is not the same when it is exported again: %v", err)
			}
		})
	}
}

// TestExportStillVerifies holds that what a key signed counts with its export.
func TestExportStillVerifies(t *testing.T) {
	for _, name := range []string{"good", "subkey"} {
		key, err := Export(ringOf(t, testKeys[name](t)).Keys[0], elNine)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := NewKeyring([]manifest.Key{key})
		if err != nil {
			t.Fatal(err)
		}
		c := verifyCase{make: headerSig(name, sigRSAHeader, crypto.SHA256, signed)}
		if _, err := Verify(bytes.NewReader(c.build(t)), ring, elNine); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
