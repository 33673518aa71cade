package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"pgbundle/repo"
	"pgbundle/repo/fetch"
)

var _ repo.Locator = fetch.Base{}

// content makes bytes that do not compress and differ by seed.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func want(b []byte) fetch.Want {
	return fetch.Want{Name: "file.rpm", Size: int64(len(b)), SHA256: digest(b)}
}

// quick are timeouts for servers on loopback that fail on purpose.
var quick = fetch.Timeouts{Backoff: time.Millisecond, BackoffMax: 2 * time.Millisecond}

func newClient(t *testing.T, o fetch.Options) *fetch.Client {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	if o.Timeouts == (fetch.Timeouts{}) {
		o.Timeouts = quick
	}
	c, err := fetch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func mustHold(t *testing.T, path string, content []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Fatalf("%s holds %d other bytes", path, len(got))
	}
}

func TestFetch(t *testing.T) {
	data := content(1, 300_000)
	requests := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Write(data)
	})
	c := newClient(t, fetch.Options{})
	if _, ok := c.Cached(digest(data)); ok {
		t.Fatal("cached before it was fetched")
	}
	for range 2 {
		var sum int64
		path, err := c.Fetch(context.Background(), want(data), []string{url + "/file.rpm"}, func(n int64) { sum += n })
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, path, data)
		if sum != int64(len(data)) {
			t.Errorf("progress tells %d bytes, want %d", sum, len(data))
		}
		if cached, ok := c.Cached(digest(data)); !ok || cached != path {
			t.Errorf("Cached = %q, %v", cached, ok)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}
	if err := c.Evict(digest(data)); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Cached(digest(data)); ok {
		t.Error("cached after Evict")
	}
}
