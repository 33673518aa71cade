package bundle

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// shelf keeps what Verify places.
type shelf struct {
	mu     sync.Mutex
	files  map[string][]byte
	closed int
	want   func(path string) bool
	full   bool
}

type shelved struct {
	bytes.Buffer
	path  string
	shelf *shelf
}

func (s *shelf) place(f manifest.File) (io.WriteCloser, error) {
	if s.want != nil && !s.want(f.Path) {
		return nil, nil
	}
	return &shelved{path: f.Path, shelf: s}, nil
}

func (s *shelved) Write(p []byte) (int, error) {
	if s.shelf.full {
		return 0, syscall.ENOSPC
	}
	return s.Buffer.Write(p)
}

func (s *shelved) Close() error {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	s.shelf.closed++
	if s.shelf.files == nil {
		s.shelf.files = map[string][]byte{}
	}
	s.shelf.files[s.path] = s.Bytes()
	return nil
}

// eachForm runs a test with the sample as an archive and as a folder.
func eachForm(t *testing.T, s *sample, test func(t *testing.T, path string)) {
	t.Run("folder", func(t *testing.T) { test(t, s.unpack(t)) })
	t.Run("archive", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bundle.tar.gz")
		if err := os.WriteFile(path, s.archive, 0o600); err != nil {
			t.Fatal(err)
		}
		test(t, path)
	})
}

func TestPlaceWhileVerifying(t *testing.T) {
	s := pack(t, edgeFiles(), 2)
	eachForm(t, s, func(t *testing.T, path string) {
		var all shelf
		report, err := Verify(t.Context(), path, VerifyOptions{Place: all.place})
		if err != nil || report.Err() != nil {
			t.Fatal(err, report.Err())
		}
		if !maps.EqualFunc(all.files, s.files, bytes.Equal) {
			t.Errorf("placed %v, want what was packed", slices.Sorted(maps.Keys(all.files)))
		}
		one := slices.Sorted(maps.Keys(s.files))[0]
		few := shelf{want: func(path string) bool { return path == one }}
		if _, err := Verify(t.Context(), path, VerifyOptions{Place: few.place}); err != nil || len(few.files) != 1 {
			t.Errorf("placed %v, want %s alone (%v)", slices.Sorted(maps.Keys(few.files)), one, err)
		}
		full := shelf{full: true}
		if _, err := Verify(t.Context(), path, VerifyOptions{Place: full.place}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full disk: %v", err)
		}
	})
}

func TestOpenTrusted(t *testing.T) {
	ours, strangers := secret(t, 1), secret(t, 2)
	unsigned := pack(t, smallFiles(), 1)
	for _, c := range []struct {
		name          string
		sample        *sample
		keys          []sign.PublicKey
		class         error
		authenticated bool
	}{
		{"unsigned, no key", unsigned, nil, nil, false},
		{"unsigned, a key", unsigned, []sign.PublicKey{ours.Public()}, manifest.ErrSignature, false},
		{"signed, no key", unsigned.signed(t, ours), nil, nil, false},
		{"signed, the key", unsigned.signed(t, ours), []sign.PublicKey{ours.Public()}, nil, true},
		{"signed by a stranger", unsigned.signed(t, strangers), []sign.PublicKey{ours.Public()}, manifest.ErrSignature, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachForm(t, c.sample, func(t *testing.T, path string) {
				b, report, err := OpenTrusted(path, c.keys)
				if !errors.Is(err, c.class) || (err == nil) != (c.class == nil) {
					t.Fatalf("error %v, want class %v", err, c.class)
				}
				if report.Authenticated != c.authenticated {
					t.Errorf("authenticated %v, want %v", report.Authenticated, c.authenticated)
				}
				if err == nil {
					b.Close()
				}
			})
		})
	}
}
