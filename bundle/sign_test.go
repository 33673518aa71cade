package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

func TestTrust(t *testing.T) {
	ours, other := secret(t, 1), secret(t, 2)
	plain := pack(t, smallFiles(), 1)
	signed := plain.signed(t, ours)
	elsewhere := pack(t, map[string][]byte{"x": []byte("x")}, 1)
	moved, err := sign.Manifest(ours, elsewhere.raw)
	if err != nil {
		t.Fatal(err)
	}
	replayed := plain.content()
	replayed.Signature = moved
	var replay bytes.Buffer
	if _, err := Write(t.Context(), &replay, replayed, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	trusted := []sign.PublicKey{other.Public(), ours.Public()}

	for _, c := range []struct {
		name          string
		archive       []byte
		keys          []sign.PublicKey
		authenticated bool
		status        Status // "" none
	}{
		{"unsigned, no key", plain.archive, nil, false, ""},
		{"unsigned, a key", plain.archive, trusted, false, Unsigned},
		{"signed, no key", signed.archive, nil, false, ""},
		{"signed, the key", signed.archive, trusted, true, ""},
		{"signed, another key", signed.archive, trusted[:1], false, Forged},
		{"the signature of another manifest", replay.Bytes(), trusted, false, Forged},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := verify(t, c.archive, VerifyOptions{Keys: c.keys})
			if report.Authenticated != c.authenticated {
				t.Errorf("authenticated: %v", report.Authenticated)
			}
			if c.status == "" {
				if err := report.Err(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(report.Err(), manifest.ErrSignature) || report.Damage() != nil {
				t.Errorf("err %v, damage %v", report.Err(), report.Damage())
			}
			if len(report.Findings) != 1 || report.Findings[0].Status != c.status || report.Incomplete == "" || report.Manifest() != nil {
				t.Errorf("report %+v", report)
			}
		})
	}
	report := verify(t, signed.archive, VerifyOptions{Keys: trusted})
	if report.By != ours.ID() || report.Comment != "pgbundle "+plain.written.ID {
		t.Errorf("by %s, comment %q", report.By, report.Comment)
	}
}

// A refused bundle's manifest is not parsed: what it says does not matter.
func TestSignatureBeforeAnyParser(t *testing.T) {
	raw := []byte("&a [*a, *a]\n")
	archive := append(frame(entryOf(t, manifest.ManifestName, raw, nil)), endMember()...)
	report := verify(t, archive, VerifyOptions{Keys: []sign.PublicKey{secret(t, 1).Public()}})
	if !errors.Is(report.Err(), manifest.ErrSignature) || strings.Contains(report.Err().Error(), "alias") {
		t.Errorf("%v", report.Err())
	}
	if report := verify(t, archive, VerifyOptions{}); !errors.Is(report.Err(), manifest.ErrDamaged) {
		t.Errorf("%v", report.Err())
	}
}

// Signing an archive gives the bytes that packing with the signature gives.
func TestSignAnArchive(t *testing.T) {
	plain := pack(t, edgeFiles(), 8)
	ours, other := secret(t, 1), secret(t, 2)
	want := plain.signed(t, ours)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, from := range map[string]*sample{"unsigned": plain, "signed by another": plain.signed(t, other), "signed already": want} {
		t.Run(name, func(t *testing.T) {
			path := file(name, from.archive)
			signature, _ := sign.Manifest(ours, plain.raw)
			var out bytes.Buffer
			written, err := Sign(t.Context(), path, &out, signature)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want.archive) || written != want.written {
				t.Errorf("%+v, want %+v", written, want.written)
			}
			signer := func(raw []byte) ([]byte, error) { return sign.Manifest(ours, raw) }
			written, err = SignFile(t.Context(), path, path, signer)
			if err != nil || written != want.written {
				t.Fatalf("%+v, %v", written, err)
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, want.archive) {
				t.Error("the file is not the signed archive")
			}
			line, _ := os.ReadFile(path + ".sha256")
			if string(line) != fmt.Sprintf("%s  %s\n", written.SHA256, name) {
				t.Errorf("beside it: %q", line)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, partialPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	path := file("b", plain.archive)
	if _, err := Sign(t.Context(), path, io.Discard, []byte("none")); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("a signature that is none: %v", err)
	}
	if _, err := Sign(t.Context(), file("c", plain.archive[:4000]), io.Discard, nil); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("half an archive: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := SignFile(stopped, path, path, func(raw []byte) ([]byte, error) { return sign.Manifest(ours, raw) }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, plain.archive) {
		t.Error("a stopped signing changed the file")
	}
}

func TestOnlyOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	first, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); err == nil || !strings.Contains(err.Error(), "another pgbundle is writing it") {
		t.Errorf("a second writer: %v", err)
	}
	first.Discard()
	second, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Discard()
	if _, err := second.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the name is there before Commit")
	}
	if err := second.Commit("00"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
