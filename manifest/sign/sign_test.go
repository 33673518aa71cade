package sign

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"pgbundle/manifest"
)

// key is a key pair out of a fixed stream of bytes.
func key(t testing.TB, seed byte) PrivateKey {
	t.Helper()
	k, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed, seed + 1, 7}, 100)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignVerify(t *testing.T) {
	ours, other := key(t, 1), key(t, 2)
	message := []byte("version: 1\n")
	signature, err := Manifest(ours, message)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSignature(signature)
	if err != nil || s.KeyID != ours.ID() || !s.Prehashed || s.TrustedComment != "pgbundle "+manifest.BundleID(message) {
		t.Errorf("%+v, %v", s, err)
	}
	by, comment, err := Verify([]PublicKey{other.Public(), ours.Public()}, message, signature)
	if err != nil || !by.Equal(ours.Public()) || comment != s.TrustedComment {
		t.Errorf("%v %q %v", by, comment, err)
	}
	again, _ := Manifest(ours, message)
	if !bytes.Equal(again, signature) {
		t.Error("signing twice gives other bytes")
	}

	lines := strings.Split(string(signature), "\n")
	with := func(i int, line string) []byte {
		out := append([]string{}, lines...)
		out[i] = line
		return []byte(strings.Join(out, "\n"))
	}
	for _, c := range []struct {
		name      string
		keys      []PublicKey
		message   string
		signature []byte
		class     error
		want      string
	}{
		{"no key", nil, string(message), signature, ErrUntrusted, "which is not a trusted key: none is trusted here"},
		{"a stranger", []PublicKey{other.Public(), other.Public()}, string(message), signature, ErrUntrusted, "signed by key " + ours.ID() + ", which is not a trusted key: trusted here: " + other.ID()},
		{"another message", []PublicKey{ours.Public()}, "version: 2\n", signature, manifest.ErrSignature, "is not its signature over these bytes"},
		{"another trusted comment", []PublicKey{ours.Public()}, string(message), with(2, "trusted comment: pgbundle 000000000000"), manifest.ErrSignature, "is not its signature"},
		{"no trusted comment", []PublicKey{ours.Public()}, string(message), []byte(strings.Join(lines[:2], "\n")), manifest.ErrDamaged, "2 lines instead of four"},
		{"an escape sequence in the comment", []PublicKey{ours.Public()}, string(message), with(2, "trusted comment: \x1b[2J"), manifest.ErrDamaged, "control characters"},
		{"more lines", []PublicKey{ours.Public()}, string(message), append(bytes.Clone(signature), "more\n"...), manifest.ErrDamaged, "5 lines"},
		{"nothing", []PublicKey{ours.Public()}, string(message), nil, manifest.ErrDamaged, "1 lines"},
		{"much", []PublicKey{ours.Public()}, string(message), make([]byte, MaxSignature+1), manifest.ErrDamaged, "at most 10240"},
	} {
		if _, _, err := Verify(c.keys, []byte(c.message), c.signature); errors.Is(err, ErrUntrusted) != (c.class == ErrUntrusted) || !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := Verify([]PublicKey{ours.Public()}, message, with(0, "untrusted comment: anything")); err != nil {
		t.Errorf("the untrusted comment counts for nothing: %v", err)
	}
	if tabs, err := Sign(ours, message, "timestamp:1\tfile:manifest.yaml\thashed"); err != nil {
		t.Error(err)
	} else if _, _, err := Verify([]PublicKey{ours.Public()}, message, tabs); err != nil {
		t.Errorf("a comment as stock minisign writes it: %v", err)
	}
	if _, err := Sign(ours, message, "two\nlines"); err == nil {
		t.Error("a comment of two lines was taken")
	}
}

// A stranger's key that bears a trusted id is still a stranger's.
func TestKeyIDIsNoProof(t *testing.T) {
	ours, other := key(t, 1), key(t, 2)
	raw, _ := base64.StdEncoding.DecodeString(other.Public().String())
	mine, _ := base64.StdEncoding.DecodeString(ours.Public().String())
	copy(raw[2:10], mine[2:10])
	twin, err := ParsePublicKey([]byte(base64.StdEncoding.EncodeToString(raw)))
	if err != nil || twin.ID() != ours.ID() {
		t.Fatalf("%v", err)
	}
	signature, _ := Manifest(ours, []byte("x"))
	if _, _, err := Verify([]PublicKey{twin}, []byte("x"), signature); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("%v", err)
	}
	if by, _, err := Verify([]PublicKey{twin, ours.Public()}, []byte("x"), signature); err != nil || !by.Equal(ours.Public()) {
		t.Errorf("%v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	k := key(t, 1)
	for _, data := range [][]byte{k.Public().File(), []byte(k.Public().String()), []byte(k.Public().String() + "\r\n")} {
		public, err := ParsePublicKey(data)
		if err != nil || !public.Equal(k.Public()) {
			t.Errorf("%q: %v", data, err)
		}
	}
	file, err := k.File("")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ParsePrivateKey(file, nil)
	if err != nil || !secret.key.Equal(k.key) {
		t.Errorf("%v", err)
	}
	if _, err := ParsePublicKey(file); err == nil || !strings.Contains(err.Error(), "this is a secret key") {
		t.Errorf("a secret key as public: %v", err)
	}
	if _, err := ParsePrivateKey(k.Public().File(), nil); err == nil {
		t.Error("a public key as secret")
	}
	lines := strings.SplitN(string(file), "\n", 2)
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(lines[1]))
	raw[62] ^= 1 // the seed
	if _, err := ParsePrivateKey([]byte(base64.StdEncoding.EncodeToString(raw)), nil); err == nil || !strings.Contains(err.Error(), "not a pair") {
		t.Errorf("a damaged secret key: %v", err)
	}
}

// The password is asked for when the file says that it is encrypted; the least
// costs of scrypt keep this quick.
func TestEncryptedKeyAsksForItsPassword(t *testing.T) {
	raw := make([]byte, 158)
	copy(raw, "EdScB2")
	file := []byte("untrusted comment: x\n" + base64.StdEncoding.EncodeToString(raw) + "\n")
	if _, err := ParsePrivateKey(file, nil); err == nil || !strings.Contains(err.Error(), "it is encrypted and there is no password") {
		t.Errorf("%v", err)
	}
	stopped := errors.New("no terminal")
	if _, err := ParsePrivateKey(file, func() (string, error) { return "", stopped }); !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
	if _, err := ParsePrivateKey(file, func() (string, error) { return "word", nil }); err == nil || !strings.Contains(err.Error(), "wrong password") {
		t.Errorf("%v", err)
	}
}

func TestTrustedKeys(t *testing.T) {
	a, b := key(t, 1).Public(), key(t, 2).Public()
	keys, err := TrustedKeys(fstest.MapFS{"a.pub": {Data: a.File()}, "b.pub": {Data: b.File()}, "README": {Data: []byte("x")}})
	if err != nil || len(keys) != 2 || !keys[0].Equal(a) || !keys[1].Equal(b) {
		t.Errorf("%v, %v", keys, err)
	}
	if keys, err := TrustedKeys(fstest.MapFS{}); err != nil || len(keys) != 0 {
		t.Errorf("an empty folder: %v, %v", keys, err)
	}
	if _, err := TrustedKeys(fstest.MapFS{"a.pub": {Data: []byte("x")}}); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("a file that is no key: %v", err)
	}
	if _, err := TrustedKeys(fstest.MapFS{"a.pub": {Data: make([]byte, 1<<20)}}); !errors.Is(err, manifest.ErrUsage) || !strings.Contains(err.Error(), "more than 4096 bytes") {
		t.Errorf("a file that is too long: %v", err)
	}
	// What cannot be read is no folder without keys.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := TrustedKeys(os.DirFS(file)); err == nil {
		t.Errorf("a file in the folder's place: %v", keys)
	}
	if keys, err := TrustedKeys(os.DirFS(file + "-not-there")); err != nil || len(keys) != 0 {
		t.Errorf("no folder: %v, %v", keys, err)
	}
}

func FuzzSignature(f *testing.F) {
	k := key(f, 1)
	message := []byte("message")
	good, err := Manifest(k, message)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	want, err := parseSignature(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSignature(data)
		if err != nil {
			if !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		if _, _, err := Verify([]PublicKey{k.Public()}, message, data); err == nil {
			// Whoever finds another signature of a key has broken it.
			got, _ := parseSignature(data)
			if !got.Equal(want) {
				t.Errorf("%+v verifies", s)
			}
		}
	})
}

func FuzzKeyFiles(f *testing.F) {
	k := key(f, 1)
	plain, err := k.File("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(k.Public().File())
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParsePublicKey(data); err == nil {
			if again, err := ParsePublicKey(p.File()); err != nil || !again.Equal(p) {
				t.Errorf("%v does not come back: %v", p, err)
			}
		}
		if s, err := ParsePrivateKey(data, nil); err == nil {
			file, err := s.File("")
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParsePrivateKey(file, nil); err != nil || again.ID() != s.ID() {
				t.Errorf("%v does not come back: %v", s.ID(), err)
			}
		}
	})
}
