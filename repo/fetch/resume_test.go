package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// origin is a server of one file that knows ranges, conditions and validators,
// and notes what it was asked for.
type origin struct {
	url      string
	etag     string
	modified time.Time
	// answer handles a request itself, and tells so; nil for none.
	answer func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	data    []byte
	asked   []string // Range of each request, "-" for the whole file
	ifRange []string
	ifNone  string // If-None-Match of the last request that had one
}

func newOrigin(t *testing.T, data []byte) *origin {
	o := &origin{data: data, etag: `"one"`, modified: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
	o.url = serve(t, o.handle) + "/file.rpm"
	return o
}

func (o *origin) handle(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	asked := "-"
	if v := r.Header.Get("Range"); v != "" {
		asked = strings.TrimPrefix(v, "bytes=")
		if strings.HasSuffix(asked, "-") {
			asked += fmt.Sprint(len(o.data) - 1)
		}
	}
	o.asked = append(o.asked, asked)
	if v := r.Header.Get("If-None-Match"); v != "" {
		o.ifNone = v
	}
	o.ifRange = append(o.ifRange, r.Header.Get("If-Range"))
	data, answer := o.data, o.answer
	o.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if o.etag != "" {
		w.Header().Set("Etag", o.etag)
	}
	http.ServeContent(w, r, "file.rpm", o.modified, bytes.NewReader(data))
}

func (o *origin) ranges() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.asked, " ")
}

func (o *origin) answerWith(f func(w http.ResponseWriter, r *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = f
}

func (o *origin) conditions() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ifNone
}

// breakOnce sends the head and the first n bytes of the first request only.
func (o *origin) breakOnce(n int) {
	var once sync.Once
	o.answer = func(w http.ResponseWriter, r *http.Request) (done bool) {
		once.Do(func() {
			if o.etag != "" {
				w.Header().Set("Etag", o.etag)
			}
			if !o.modified.IsZero() {
				w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(o.data)))
			w.Write(o.data[:n])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		return false
	}
}

func TestResume(t *testing.T) {
	data := content(10, 500_000)
	tests := []struct {
		name     string
		change   func(o *origin)
		ranges   string
		ifRange  string
		progress int64 // smallest call: negative when bytes were taken back
	}{
		{"strong entity tag", func(*origin) {}, "- 200000-499999", `"one"`, 0},
		{"last modified", func(o *origin) { o.etag = "" }, "- 200000-499999", "Thu, 02 Jan 2025 03:04:05 GMT", 0},
		{"weak entity tag", func(o *origin) { o.etag = `W/"one"` }, "- 200000-499999", "Thu, 02 Jan 2025 03:04:05 GMT", 0},
		{"no validator: the digest tells", func(o *origin) { o.etag, o.modified = "", time.Time{} }, "- 200000-499999", "", 0},
		{"changed while fresh", func(o *origin) { o.etag, o.modified = "", time.Now().UTC().Add(time.Hour) }, "- 200000-499999", "", 0},
		{"server without ranges", func(o *origin) {
			broken := o.answer
			o.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !broken(w, r) {
					w.Write(data)
				}
				return true
			}
		}, "- 200000-499999", `"one"`, -200000},
		{"a part that was not asked for", func(o *origin) {
			broken := o.answer
			o.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if broken(w, r) {
					return true
				}
				if r.Header.Get("Range") == "" {
					return false
				}
				w.Header().Set("Content-Range", "bytes 199999-499999/500000")
				w.WriteHeader(206)
				w.Write(data[199_999:])
				return true
			}
		}, "- 200000-499999 -", `"one"`, -200000},
		{"a part of another file in spite of If-Range", func(o *origin) {
			broken := o.answer
			o.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if broken(w, r) {
					return true
				}
				if r.Header.Get("Range") == "" {
					return false
				}
				w.Header().Set("Etag", `"two"`)
				w.Header().Set("Content-Range", "bytes 200000-499999/500000")
				w.WriteHeader(206)
				w.Write(make([]byte, 300_000))
				return true
			}
		}, "- 200000-499999 -", `"one"`, -200000},
		{"a joined file with a wrong digest", func(o *origin) {
			broken := o.answer
			o.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if broken(w, r) {
					return true
				}
				if r.Header.Get("Range") == "" {
					return false
				}
				w.Header().Set("Content-Range", "bytes 200000-499999/500000")
				w.WriteHeader(206)
				w.Write(make([]byte, 300_000))
				return true
			}
		}, "- 200000-499999 -", `"one"`, -500000},
		{"416", func(o *origin) {
			broken := o.answer
			o.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if broken(w, r) {
					return true
				}
				if r.Header.Get("Range") != "" {
					w.WriteHeader(416)
					return true
				}
				return false
			}
		}, "- 200000-499999 -", `"one"`, -200000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOrigin(t, data)
			o.breakOnce(200_000)
			test.change(o)
			c := newClient(t, fetch.Options{})
			var sum, lowest int64
			path, err := c.Fetch(context.Background(), want(data), []string{o.url}, func(n int64) {
				sum += n
				lowest = min(lowest, n)
			})
			if err != nil {
				t.Fatal(err)
			}
			mustHold(t, path, data)
			if got := o.ranges(); got != test.ranges {
				t.Errorf("asked for %q, want %q", got, test.ranges)
			}
			if o.ifRange[1] != test.ifRange {
				t.Errorf("If-Range %q, want %q", o.ifRange[1], test.ifRange)
			}
			if sum != int64(len(data)) || lowest != test.progress {
				t.Errorf("progress: sum %d, lowest %d", sum, lowest)
			}
		})
	}
}

// TestResumeChanged: a publisher replaces the file between two runs. If-Range
// makes the server send it whole; joining old and new bytes would need no
// mistake of the server.
func TestResumeChanged(t *testing.T) {
	before, after := content(11, 300_000), content(12, 300_000)
	for _, etag := range []string{`"two"`, ""} {
		o := newOrigin(t, before)
		if etag == "" {
			o.etag = ""
		}
		o.breakOnce(100_000)
		dir := t.TempDir()
		c := newClient(t, fetch.Options{CacheDir: dir, Retries: -1})
		if _, err := c.Fetch(context.Background(), want(after), []string{o.url}, nil); err == nil {
			t.Fatal("no error")
		}
		o.mu.Lock()
		o.data, o.etag, o.modified = after, etag, o.modified.Add(time.Hour)
		o.mu.Unlock()
		path, err := newClient(t, fetch.Options{CacheDir: dir}).Fetch(context.Background(), want(after), []string{o.url}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, path, after)
		if got := o.ranges(); got != "- 100000-299999" {
			t.Errorf("asked for %q", got)
		}
		mustBeTidy(t, dir)
	}
}

// TestResumeOnMirror: one mirror breaks off, another sends the rest.
func TestResumeOnMirror(t *testing.T) {
	data := content(13, 300_000)
	a, b := newOrigin(t, data), newOrigin(t, data)
	a.breakOnce(100_000)
	b.etag = `"other"`
	path, err := newClient(t, fetch.Options{}).Fetch(context.Background(), want(data), []string{a.url, b.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, data)
	if a.ranges() != "-" || b.ranges() != "100000-299999" || b.ifRange[0] != "" {
		t.Errorf("asked for %q and %q, If-Range %q", a.ranges(), b.ranges(), b.ifRange)
	}
}

// TestResumeMovingLine: a line that breaks every 300 kB is slow, not broken.
func TestResumeMovingLine(t *testing.T) {
	data := content(14, 3_000_000)
	o := newOrigin(t, data)
	o.answer = func(w http.ResponseWriter, r *http.Request) bool {
		from := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Etag", o.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(206)
		}
		end := min(from+300_000, len(data))
		w.Write(data[from:end])
		w.(http.Flusher).Flush()
		if end < len(data) {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	path, err := newClient(t, fetch.Options{Retries: 1}).Fetch(context.Background(), want(data), []string{o.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, data)
	if n := len(o.asked); n != 10 {
		t.Errorf("%d requests, want 10", n)
	}
}

// TestLeftovers: what an earlier run may have left is used, or is no harm.
func TestLeftovers(t *testing.T) {
	data := content(15, 300_000)
	tests := []struct {
		name    string
		partial []byte
		state   string
		ranges  string
	}{
		{"killed before the rename", data, "", ""},
		{"killed in mid-file, no record", data[:1000], "", "1000-299999"},
		{"a record that is no JSON", data[:1000], "{", "1000-299999"},
		{"a record with a line break in a header", data[:1000], `{"source":"` + strings.Repeat("a", 64) + `","etag":"\"a\r\nX: y\""}`, "1000-299999"},
		{"other bytes of the same size", content(16, 300_000), "", "-"},
		{"other bytes", content(16, 1000), "", "1000-299999 -"},
		{"too many bytes", append(bytes.Clone(data), 'x'), "", "-"},
		{"no bytes", nil, "", "-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOrigin(t, data)
			dir := t.TempDir()
			partial := filepath.Join(dir, "partial", "sha256-"+digest(data))
			must(t, os.MkdirAll(filepath.Dir(partial), 0o755))
			must(t, os.WriteFile(partial, test.partial, 0o644))
			if test.state != "" {
				must(t, os.WriteFile(partial+".state", []byte(test.state), 0o644))
			}
			var sum int64
			path, err := newClient(t, fetch.Options{CacheDir: dir}).Fetch(context.Background(), want(data), []string{o.url}, func(n int64) { sum += n })
			if err != nil {
				t.Fatal(err)
			}
			mustHold(t, path, data)
			mustBeTidy(t, dir)
			if got := o.ranges(); got != test.ranges {
				t.Errorf("asked for %q, want %q", got, test.ranges)
			}
			if sum != int64(len(data)) {
				t.Errorf("progress tells %d bytes", sum)
			}
		})
	}
}

func TestFetchWrongSizeInCache(t *testing.T) {
	data := content(17, 1000)
	o := newOrigin(t, data)
	c := newClient(t, fetch.Options{})
	path, err := c.Fetch(context.Background(), want(data), []string{o.url}, nil)
	must(t, err)
	must(t, os.WriteFile(path, data[:10], 0o644))
	path, err = c.Fetch(context.Background(), want(data), []string{o.url}, nil)
	must(t, err)
	mustHold(t, path, data)
	if o.ranges() != "- -" {
		t.Errorf("asked for %q", o.ranges())
	}
}

func TestFetchUnknown(t *testing.T) {
	data := content(18, 200_000)
	o := newOrigin(t, data)
	dir := t.TempDir()
	fetchIt := func() (string, error) {
		path, sum, size, err := newClient(t, fetch.Options{CacheDir: dir}).FetchUnknown(context.Background(), []string{o.url}, 1<<20)
		if err == nil && (sum != digest(o.data) || size != int64(len(o.data))) {
			t.Errorf("it tells %s, %d bytes", sum, size)
		}
		return path, err
	}
	o.breakOnce(100_000)
	path, err := fetchIt()
	must(t, err)
	mustHold(t, path, data)

	again, err := fetchIt()
	must(t, err)
	if again != path || o.ranges() != "- 100000-199999 -" {
		t.Errorf("%s, asked for %q", again, o.ranges())
	}
	if got := o.conditions(); got != `"one"` {
		t.Errorf("the second run asks with If-None-Match %q", got)
	}

	o.mu.Lock()
	o.data, o.etag = content(19, 100_000), `"two"`
	o.mu.Unlock()
	changed, err := fetchIt()
	must(t, err)
	mustHold(t, changed, o.data)
	mustBeTidy(t, dir)

	_, _, _, err = newClient(t, fetch.Options{}).FetchUnknown(context.Background(), []string{o.url}, 99_999)
	if err == nil || !strings.Contains(err.Error(), "larger than the 99999 bytes") {
		t.Errorf("too large: %v", err)
	}
	html, _ := server(t, page)
	_, _, _, err = newClient(t, fetch.Options{}).FetchUnknown(context.Background(), []string{html}, 0)
	if !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("a login page: %v", err)
	}
}

// TestSweep: partial files of unknown digest, left by a kill, are gone after
// the next run; those that can be resumed stay.
func TestSweep(t *testing.T) {
	data := content(20, 1000)
	o := newOrigin(t, data)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "partial"), 0o755))
	for _, name := range []string{"url-" + digest([]byte("x")), "sha256-" + digest([]byte("y")), "sha256-" + digest([]byte("z")) + ".state"} {
		must(t, os.WriteFile(filepath.Join(dir, "partial", name), []byte("x"), 0o644))
	}
	_, _, _, err := newClient(t, fetch.Options{CacheDir: dir}).FetchUnknown(context.Background(), []string{o.url}, 0)
	must(t, err)
	left, err := filepath.Glob(filepath.Join(dir, "partial", "*"))
	must(t, err)
	if len(left) != 1 || filepath.Base(left[0]) != "sha256-"+digest([]byte("y")) {
		t.Errorf("left over: %v", left)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
