package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// step answers one request; the last of a list answers all that follow.
type step = http.HandlerFunc

func status(code int) step {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func bytesOf(b []byte) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b)
	}
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, "<!DOCTYPE html><html><body>Please log in</body></html>")
}

// chunked sends a body without announcing its length.
func chunked(b []byte) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		w.Write(b)
	}
}

// half announces the whole file and breaks off in the middle.
func half(b []byte) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:len(b)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// server answers by the steps in turn and counts.
func server(t *testing.T, steps ...step) (url string, count *atomic.Int32) {
	t.Helper()
	count = new(atomic.Int32)
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		steps[min(n, len(steps))-1](w, r)
	})
	return url + "/pub/file.tar.gz", count
}

// TestFetchFailures holds, for each way in which a server can fail, how often
// it is asked, what the error says and that nothing gets a final name.
func TestFetchFailures(t *testing.T) {
	data := content(2, 200_000)
	other := content(3, 200_000)
	tests := []struct {
		name     string
		steps    []step
		unsized  bool // the size is not known
		requests int32
		text     string // "": success
		is       error
	}{
		{"404", []step{status(404)}, false, 1, "404 Not Found", fs.ErrNotExist},
		{"410", []step{status(410)}, false, 1, "410 Gone", fs.ErrNotExist},
		{"401", []step{status(401)}, false, 1, `add a line "machine HOST login USER password PASSWORD" to .netrc`, fs.ErrPermission},
		{"403", []step{status(403)}, false, 1, "403 Forbidden: the server refuses this file", fs.ErrPermission},
		{"511", []step{status(511)}, false, 1, "this network wants a login in a browser first", nil},
		{"503 for good", []step{status(503)}, false, 5, "503 Service Unavailable", nil},
		{"503 twice", []step{status(503), status(503), bytesOf(data)}, false, 3, "", nil},
		{"429 then 500", []step{status(429), status(500), bytesOf(data)}, false, 3, "", nil},
		{"half a file, then all", []step{half(data), bytesOf(data)}, false, 2, "", nil},
		{"half a file for good", []step{half(data)}, false, 5, "closed in mid-file", nil},
		{"other content of the same size", []step{bytesOf(other)}, false, 1, "its sha256 is " + digest(other), manifest.ErrDamaged},
		{"no answer", []step{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, false, 5, "the server closed the connection without an answer", nil},
		{"too large, announced", []step{bytesOf(append(data, 'x'))}, false, 1, "it has 200001 bytes, not 200000", manifest.ErrDamaged},
		{"too large, unannounced", []step{chunked(append(data, 'x'))}, false, 1, "more bytes came than the 200000", manifest.ErrDamaged},
		{"too small", []step{bytesOf(data[:1000])}, false, 1, "it has 1000 bytes, not 200000", manifest.ErrDamaged},
		{"a login page", []step{page}, false, 1, "an HTML page came instead of the file", manifest.ErrDamaged},
		{"a login page, size unknown", []step{page}, true, 1, "an HTML page came instead of the file", manifest.ErrDamaged},
		{"unannounced, size unknown", []step{chunked(data)}, true, 1, "", nil},
		{"206 that nobody asked for", []step{status(206)}, false, 1, "206 Partial Content", nil},
		{"304 that nobody asked for", []step{status(304)}, false, 1, "304 Not Modified", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url, count := server(t, test.steps...)
			dir := t.TempDir()
			c := newClient(t, fetch.Options{CacheDir: dir})
			w := want(data)
			if test.unsized {
				w.Size = 0
			}
			path, err := c.Fetch(context.Background(), w, []string{url}, nil)
			if n := count.Load(); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
			if test.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				mustHold(t, path, data)
				mustBeTidy(t, dir)
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "fetch file.rpm: GET http://127.") {
				t.Errorf("error %v, want %q in it", err, test.text)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is not %v", test.is)
			}
			for _, class := range []error{fs.ErrNotExist, fs.ErrPermission, manifest.ErrDamaged} {
				if class != test.is && errors.Is(err, class) {
					t.Errorf("error is %v", class)
				}
			}
			if _, ok := c.Cached(w.SHA256); ok {
				t.Error("it has its final name")
			}
		})
	}
}

// mustBeTidy fails when anything but finished files is in a cache.
func mustBeTidy(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "partial", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestFetchMirrors(t *testing.T) {
	data := content(4, 100_000)
	tests := []struct {
		name   string
		first  step
		second int32 // requests
	}{
		{"404", status(404), 1},
		{"wrong digest", bytesOf(content(5, 100_000)), 1},
		{"login page", page, 1},
		{"503", status(503), 1},
		{"half a file", half(data), 1},
		{"oversize", chunked(content(5, 100_001)), 1},
		{"401", status(401), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad, asked := server(t, test.first)
			good, count := server(t, bytesOf(data))
			c := newClient(t, fetch.Options{})
			path, err := c.Fetch(context.Background(), want(data), []string{bad, good}, nil)
			if err != nil {
				t.Fatal(err)
			}
			mustHold(t, path, data)
			if asked.Load() != 1 || count.Load() != test.second {
				t.Errorf("%d and %d requests", asked.Load(), count.Load())
			}
		})
	}
}

func TestFetchAllMirrorsFail(t *testing.T) {
	data := content(4, 1000)
	absent, _ := server(t, status(404))
	broken, _ := server(t, status(503))
	wrong, _ := server(t, bytesOf(content(5, 1000)))
	c := newClient(t, fetch.Options{Retries: -1})

	_, err := c.Fetch(context.Background(), want(data), []string{absent, absent}, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent everywhere: %v", err)
	}
	_, err = c.Fetch(context.Background(), want(data), []string{absent, broken}, nil)
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent on one mirror, the other is down, and yet it counts as absent: %v", err)
	}
	if !strings.Contains(err.Error(), "none of 2 mirrors has it: GET "+absent+": 404 Not Found; GET "+broken+": 503 Service Unavailable") {
		t.Errorf("error does not name both mirrors: %v", err)
	}
	_, err = c.Fetch(context.Background(), want(data), []string{absent, wrong}, nil)
	if !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("wrong digest: %v", err)
	}
}

func TestFetchArguments(t *testing.T) {
	c := newClient(t, fetch.Options{})
	good := want(content(1, 10))
	for name, call := range map[string]func() error{
		"no address": func() error { _, err := c.Fetch(context.Background(), good, nil, nil); return err },
		"empty digest": func() error {
			_, err := c.Fetch(context.Background(), fetch.Want{Name: "x"}, []string{"http://h/x"}, nil)
			return err
		},
		"digest with a path": func() error {
			_, err := c.Fetch(context.Background(), fetch.Want{SHA256: strings.Repeat("../", 21) + "a"}, []string{"http://h/x"}, nil)
			return err
		},
		"ftp":     func() error { _, err := c.Fetch(context.Background(), good, []string{"ftp://h/x"}, nil); return err },
		"no host": func() error { _, err := c.Fetch(context.Background(), good, []string{"http:///x"}, nil); return err },
		"remote file": func() error {
			_, err := c.Fetch(context.Background(), good, []string{"file://host/x"}, nil)
			return err
		},
		"no cache": func() error {
			c, err := fetch.New(fetch.Options{})
			if err != nil {
				return nil
			}
			_, err = c.Fetch(context.Background(), good, []string{"http://h/x"}, nil)
			return err
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, ok := c.Cached("../../etc/passwd"); ok {
		t.Error("a path is cached")
	}
	if err := c.Evict(""); err != nil {
		t.Error(err)
	}
}

// TestRetryAfter counts pauses, it does not wait for them: the client would
// come back after a millisecond, the server asks for a second.
func TestRetryAfter(t *testing.T) {
	data := content(6, 1000)
	after := func(value string) step {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(503)
		}
	}
	t.Run("too long to wait for", func(t *testing.T) {
		url, count := server(t, after("3600"))
		_, err := newClient(t, fetch.Options{}).Fetch(context.Background(), want(data), []string{url}, nil)
		if err == nil || !strings.Contains(err.Error(), "the server asks to come back in 1h0m0s") || count.Load() != 1 {
			t.Errorf("%d requests, error %v", count.Load(), err)
		}
	})
	t.Run("too long, but there is another mirror", func(t *testing.T) {
		url, _ := server(t, after("3600"))
		good, _ := server(t, bytesOf(data))
		_, err := newClient(t, fetch.Options{}).Fetch(context.Background(), want(data), []string{url, good}, nil)
		if err != nil {
			t.Error(err)
		}
	})
}

func TestStall(t *testing.T) {
	data := content(7, 100_000)
	released := make(chan struct{})
	stall := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:50_000])
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}
	defer close(released)
	timeouts := quick
	timeouts.Stall = 300 * time.Millisecond
	t.Run("then the rest", func(t *testing.T) {
		url, count := server(t, stall, bytesOf(data))
		path, err := newClient(t, fetch.Options{Timeouts: timeouts}).Fetch(context.Background(), want(data), []string{url}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, path, data)
		if count.Load() != 2 {
			t.Errorf("%d requests", count.Load())
		}
	})
	t.Run("for good", func(t *testing.T) {
		url, _ := server(t, stall)
		_, err := newClient(t, fetch.Options{Timeouts: timeouts, Retries: -1}).Fetch(context.Background(), want(data), []string{url}, nil)
		if err == nil || !strings.Contains(err.Error(), "no byte came for 300ms") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no header", func(t *testing.T) {
		timeouts := quick
		timeouts.Header = 20 * time.Millisecond
		url, _ := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := newClient(t, fetch.Options{Timeouts: timeouts, Retries: -1}).Fetch(context.Background(), want(data), []string{url}, nil)
		if err == nil || !strings.Contains(err.Error(), "timeout awaiting response headers") {
			t.Errorf("error %v", err)
		}
	})
}

// TestCancel breaks a download off in mid-file: the error is the context's,
// the partial file stays, and the next run asks for the rest only.
func TestCancel(t *testing.T) {
	data := content(8, 400_000)
	o := newOrigin(t, data)
	ctx, cancel := context.WithCancel(context.Background())
	o.answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Etag", o.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:200_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	dir := t.TempDir()
	c := newClient(t, fetch.Options{CacheDir: dir})
	var sum int64
	_, err := c.Fetch(ctx, want(data), []string{o.url}, func(n int64) {
		if sum += n; sum == 200_000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, ok := c.Cached(digest(data)); ok {
		t.Fatal("it has its final name")
	}
	o.answerWith(nil)
	path, err := newClient(t, fetch.Options{CacheDir: dir}).Fetch(context.Background(), want(data), []string{o.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, data)
	mustBeTidy(t, dir)
	if got := o.ranges(); got != "- 200000-399999" {
		t.Errorf("the server was asked for %s", got)
	}
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c := newClient(t, fetch.Options{Retries: 1})
	_, err = c.Fetch(context.Background(), want([]byte("x")), []string{"http://" + address + "/x"}, nil)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

func TestFolders(t *testing.T) {
	data := content(9, 200_000)
	dir := t.TempDir()
	name := filepath.Join(dir, "a b%20#?.rpm")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{name, "file://" + dir + "/a%20b%2520%23%3F.rpm", "file://localhost" + dir + "/a%20b%2520%23%3F.rpm"} {
		path, err := newClient(t, fetch.Options{}).Fetch(context.Background(), want(data), []string{address}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, path, data)
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	c := newClient(t, fetch.Options{})
	w := want(data)
	w.Size++
	if _, err := c.Fetch(context.Background(), w, []string{name}, nil); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("wrong size: %v", err)
	}
	w = want(content(1, len(data)))
	if _, err := c.Fetch(context.Background(), w, []string{name}, nil); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("wrong digest: %v", err)
	}
	if _, err := c.Fetch(context.Background(), w, []string{name + ".no"}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := c.Fetch(context.Background(), w, []string{dir}, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}
