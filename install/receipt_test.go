package install

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A bundle may lie at any path that a file system takes.
func TestAnySourceIsRecorded(t *testing.T) {
	for name, want := range map[string]string{
		"bündel 1.tar.gz":   "bündel 1.tar.gz",
		"b\xfcndel.tar.gz":  `b\xfcndel.tar.gz"`,
		"two\nlines.tar.gz": `two\nlines.tar.gz"`,
		`a"b\c.tar.gz`:      `a\"b\\c.tar.gz"`,
	} {
		s, b := newSite(t), pack(t, content("one"), nil)
		source := filepath.Join(t.TempDir(), name)
		if err := os.Rename(b.path, source); err != nil {
			t.Logf("%q: %v", name, err) // a file system of UTF-8 alone
			continue
		}
		first := s.install(t, Options{Bundle: source, Roles: target})
		st := s.status(t)
		if !st.Whole || len(st.Releases) != 1 || st.Releases[0].Fault != "" || !strings.HasSuffix(st.Releases[0].Source, want) {
			t.Fatalf("%q: %+v", name, st.Releases)
		}
		if again := s.install(t, Options{Bundle: source, Roles: target}); again.Placed || again.Release != first.Release {
			t.Errorf("%q: placed again as %s", name, again.Release)
		}
	}
}

func TestReceiptThatCannotBeReadIsNotWritten(t *testing.T) {
	id := strings.Repeat("0", 64)
	good := Receipt{Version: 1, Release: id[:12] + "-target", Bundle: id[:12], Manifest: id, Roles: target, Built: built, Installed: built}
	for name, change := range map[string]func(*Receipt){
		"links":   func(r *Receipt) { r.Links = map[string]string{"venv/für": "x"} },
		"target":  func(r *Receipt) { r.Links = map[string]string{"venv/x": "f\xfcr"} },
		"version": func(r *Receipt) { r.Version = 2 },
		"roles":   func(r *Receipt) { r.Roles = nil },
	} {
		r, dir := good, t.TempDir()
		change(&r)
		err := r.write(dir)
		if err == nil || !strings.Contains(err.Error(), "could not be read again") || errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v (%v)", name, left, err)
		}
	}
	r, dir := good, t.TempDir()
	r.Notes = []string{"f\xfcr\nall"}
	must(t, r.write(dir))
	data, err := os.ReadFile(filepath.Join(dir, receiptName))
	must(t, err)
	if got, err := ParseReceipt(data); err != nil || got.Notes[0] != "f?r?all" || r.Notes[0] != "f\xfcr\nall" {
		t.Errorf("%+v (%v)", got, err)
	}
}

// Who installs without keys, and again with one, has an authenticated release;
// who then installs without keys again does not lose it.
func TestReceiptSaysWhoVouchesLater(t *testing.T) {
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	s, b := newSite(t), pack(t, content("one"), &key)
	first := s.install(t, Options{Bundle: b.path, Roles: target})
	if r := s.status(t).Releases[0]; r.Authenticated || r.By != "" {
		t.Fatalf("%+v", r.Receipt)
	}
	before := *s.status(t).Releases[0].Receipt
	second := s.install(t, Options{Bundle: b.path, Roles: target, Keys: []sign.PublicKey{key.Public()}})
	if second.Placed || second.Release != first.Release {
		t.Errorf("placed again: %+v", second)
	}
	for range 2 {
		r := s.status(t).Releases[0]
		if !r.Authenticated || r.By != key.ID() || !r.Installed.Equal(before.Installed) || r.Source != before.Source {
			t.Errorf("%+v", r.Receipt)
		}
		s.install(t, Options{Bundle: b.path, Roles: target})
	}
}

func TestReleaseOfABundle(t *testing.T) {
	id := strings.Repeat("0", 64)
	r := &release{receipt: &Receipt{Manifest: id, Installed: time.Now()}}
	if other := id[:63] + "1"; !r.of(id) || r.of(other) || r.of(id[:12]) || (&release{}).of("") {
		t.Error("a bundle is known by its whole digest")
	}
}
