package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"pgbundle/manifest"
)

// FuzzVerify: only what Write makes is without findings, and what is without
// findings opens and reads.
func FuzzVerify(f *testing.F) {
	plain := pack(f, map[string][]byte{"a": []byte("a"), "b/c": {}}, 1)
	f.Add(plain.archive)
	f.Add(plain.signed(f, secret(f, 1)).archive)
	f.Add(plain.archive[:3000])
	f.Add(endMember())
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		report, err := VerifyArchive(context.Background(), r, int64(len(data)), VerifyOptions{Jobs: 1})
		if err != nil {
			t.Fatal(err)
		}
		b, openErr := New(r, int64(len(data)))
		if err := report.Err(); err != nil {
			if !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			if openErr == nil {
				readAll(t, b) // must not panic, whatever it says
			}
			return
		}
		if openErr != nil {
			t.Fatalf("verified, and does not open: %v", openErr)
		}
		content := Content{Manifest: b.RawManifest(), Signature: b.Signature(), Open: b.Open}
		var again bytes.Buffer
		if _, err := Write(context.Background(), &again, content, WriteOptions{Jobs: 1}); err != nil {
			t.Fatalf("verified, and cannot be packed again: %v", err)
		}
		if !bytes.Equal(again.Bytes(), data) {
			t.Error("verified, and not the bytes that Write makes")
		}
	})
}

func readAll(t *testing.T, b *Bundle) {
	for _, file := range b.Manifest().Files {
		r, err := b.Open(context.Background(), file.Path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err == nil && n != file.Size {
			t.Errorf("%s: read %d bytes of %d", file.Path, n, file.Size)
		}
	}
}
