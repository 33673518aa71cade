package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

func TestGet(t *testing.T) {
	var agent, accept, encoding string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		agent, accept, encoding = r.UserAgent(), r.Header.Get("Accept"), r.Header.Get("Accept-Encoding")
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to/", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	})
	c := newClient(t, fetch.Options{UserAgent: "pgbundle/1.2"})
	res, err := c.Get(context.Background(), []string{url + "/from"}, fetch.GetOptions{Header: http.Header{"Accept": {"application/json"}}})
	must(t, err)
	if string(res.Body) != "{}" || res.URL != url+"/to/" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%q from %s, %v", res.Body, res.URL, res.Header)
	}
	if agent != "pgbundle/1.2" || accept != "application/json" || encoding != "gzip" {
		t.Errorf("the server saw %q, %q, %q", agent, accept, encoding)
	}
}

// TestGetEncoding: pages may come compressed, files that are compressed
// themselves or have a digest come as they are, whatever the server calls it.
func TestGetEncoding(t *testing.T) {
	page := []byte(strings.Repeat("<a href=x>x</a>", 1000))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(page)
	must(t, w.Close())
	var encoding string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		encoding = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	c := newClient(t, fetch.Options{})
	tests := []struct {
		path    string
		options fetch.GetOptions
		asked   string
		want    []byte
	}{
		{"/simple/patroni/", fetch.GetOptions{}, "gzip", page},
		{"/primary.xml.gz", fetch.GetOptions{}, "identity", packed.Bytes()},
		{"/x", fetch.GetOptions{SHA256: digest(packed.Bytes())}, "identity", packed.Bytes()},
	}
	for _, test := range tests {
		res, err := c.Get(context.Background(), []string{url + test.path}, test.options)
		must(t, err)
		if encoding != test.asked || !bytes.Equal(res.Body, test.want) {
			t.Errorf("%s: asked for %q, %d bytes", test.path, encoding, len(res.Body))
		}
	}
	_, err := c.Get(context.Background(), []string{url + "/bomb"}, fetch.GetOptions{MaxBytes: 10_000})
	if err == nil || !strings.Contains(err.Error(), "larger than the 10000 bytes") {
		t.Errorf("unpacked it is too large: %v", err)
	}
	cut := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes()[:packed.Len()-9])
	})
	if _, err := c.Get(context.Background(), []string{cut + "/page"}, fetch.GetOptions{}); err == nil {
		t.Error("half a gzip stream is a page")
	}
}

func TestGetFailures(t *testing.T) {
	body := []byte(strings.Repeat("x", 1000))
	tests := []struct {
		name, path string
		step       step
		options    fetch.GetOptions
		text       string // "": success
		is         error
	}{
		{"as large as allowed", "/x", bytesOf(body), fetch.GetOptions{MaxBytes: 1000}, "", nil},
		{"too large, announced", "/x", bytesOf(body), fetch.GetOptions{MaxBytes: 999}, "larger than the 999 bytes", nil},
		{"too large, unannounced", "/x", chunked(body), fetch.GetOptions{MaxBytes: 999}, "larger than the 999 bytes", nil},
		{"digest", "/x", bytesOf(body), fetch.GetOptions{SHA256: digest(body)}, "", nil},
		{"wrong digest", "/x", bytesOf(body), fetch.GetOptions{SHA256: digest(nil)}, "its sha256 is " + digest(body), manifest.ErrDamaged},
		{"HTML for XML", "/repodata/repomd.xml", page, fetch.GetOptions{}, "an HTML page came instead of the file", manifest.ErrDamaged},
		{"HTML for a page", "/simple/patroni/", page, fetch.GetOptions{}, "", nil},
		{"check", "/x", bytesOf(body), fetch.GetOptions{Check: func(*fetch.Response) error { return errors.New("not ours") }}, "not ours", nil},
		{"404", "/x", status(404), fetch.GetOptions{}, "404 Not Found", fs.ErrNotExist},
		{"half", "/x", half(body), fetch.GetOptions{}, "closed in mid-file", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := serve(t, test.step) + test.path
			good := serve(t, bytesOf([]byte("good"))) + test.path
			c := newClient(t, fetch.Options{Retries: 1})
			_, err := c.Get(context.Background(), []string{url}, test.options)
			if test.text == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.text) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v", err)
			}
			test.options.SHA256, test.options.Check = "", nil
			if _, err := c.Get(context.Background(), []string{url, good}, test.options); err != nil {
				t.Errorf("with another mirror: %v", err)
			}
		})
	}
}

func TestBase(t *testing.T) {
	data := content(60, 10_000)
	dir := t.TempDir()
	name := "Packages/l/libstdc++-11.4~rc^1 x.rpm"
	must(t, os.MkdirAll(filepath.Join(dir, "Packages/l"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	var asked string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.RequestURI
		http.FileServer(http.Dir(dir)).ServeHTTP(w, &http.Request{Method: r.Method, URL: r.URL, Header: r.Header})
	})
	c := newClient(t, fetch.Options{})
	for _, base := range []string{url, url + "/", url + "?sig=x", dir, "file://" + dir + "/"} {
		b := fetch.Base{Client: c, URLs: []string{base}}
		r, err := b.Open(context.Background(), name)
		must(t, err)
		got, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		if !bytes.Equal(got, data) {
			t.Errorf("%s: %d other bytes", base, len(got))
		}
		urls, err := b.Locate(context.Background(), name)
		must(t, err)
		path, err := c.Fetch(context.Background(), want(data), urls, nil)
		must(t, err)
		mustHold(t, path, data)
		must(t, c.Evict(digest(data)))
		if _, err := b.Open(context.Background(), "no/such"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: absent file: %v", base, err)
		}
		for _, bad := range []string{"../x", "a/../../x", "/etc/passwd", "", ".", "a//b", "a\\..\\b", "a\x00"} {
			if _, err := b.Open(context.Background(), bad); err == nil {
				t.Errorf("%s: %q leads out of the base", base, bad)
			}
		}
	}
	r, err := fetch.Base{Client: c, URLs: []string{url + "/?sig=x"}}.Open(context.Background(), name)
	must(t, err)
	r.Close()
	if asked != "/Packages/l/libstdc%2B%2B-11.4~rc%5E1%20x.rpm?sig=x" {
		t.Errorf("asked for %s", asked)
	}
	urls, err := fetch.Base{Client: c, URLs: []string{"https://u:p@h/a%2Fb/"}}.Locate(context.Background(), "c d")
	must(t, err)
	if urls[0] != "https://u:p@h/a%2Fb/c%20d" {
		t.Errorf("located %s", urls[0])
	}
}

// TestOpenResumes: a reader of a stream does not notice a break, as long as
// the server can tell that it still has the same file.
func TestOpenResumes(t *testing.T) {
	data := content(61, 1_000_000)
	open := func(o *origin) ([]byte, error) {
		r, err := newClient(t, fetch.Options{Retries: 2}).Open(context.Background(), []string{o.url})
		must(t, err)
		defer r.Close()
		return io.ReadAll(r)
	}
	o := newOrigin(t, data)
	o.breakOnce(400_000)
	got, err := open(o)
	must(t, err)
	if !bytes.Equal(got, data) || o.ranges() != "- 400000-999999" {
		t.Errorf("%d bytes, asked for %q", len(got), o.ranges())
	}

	o = newOrigin(t, data)
	o.breakOnce(400_000)
	broken := o.answer
	o.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			return broken(w, r)
		}
		w.Header().Set("Etag", `"changed"`)
		w.Write(data)
		return true
	}
	if got, err := open(o); err == nil || !strings.Contains(err.Error(), "closed in mid-file") {
		t.Errorf("the file has changed: %d bytes, error %v", len(got), err)
	}

	o = newOrigin(t, data)
	o.etag, o.modified = "", time.Time{}
	o.breakOnce(400_000)
	if got, err := open(o); err == nil || !strings.Contains(err.Error(), "closed in mid-file") {
		t.Errorf("no validator: %d bytes, error %v", len(got), err)
	}
}

func TestOpenHTML(t *testing.T) {
	bad := serve(t, page) + "/repomd.xml"
	good := serve(t, bytesOf([]byte("<repomd/>"))) + "/repomd.xml"
	c := newClient(t, fetch.Options{})
	if _, err := c.Open(context.Background(), []string{bad}); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("error %v", err)
	}
	r, err := c.Open(context.Background(), []string{bad, good})
	must(t, err)
	r.Close()
}

// TestOpenManyStreams: streams that are open at once may be more than the
// limits on requests.
func TestOpenManyStreams(t *testing.T) {
	o := newOrigin(t, content(62, 100_000))
	c := newClient(t, fetch.Options{Jobs: 2, PerHost: 1})
	for range 5 {
		r, err := c.Open(context.Background(), []string{o.url})
		must(t, err)
		defer r.Close()
	}
}

func TestReadRange(t *testing.T) {
	data := content(63, 10_000)
	o := newOrigin(t, data)
	file := filepath.Join(t.TempDir(), "x.whl")
	must(t, os.WriteFile(file, data, 0o644))
	tests := []struct {
		off, n int64
		want   []byte
	}{
		{0, 100, data[:100]},
		{5000, 100, data[5000:5100]},
		{9990, 100, data[9990:]},
		{-1, 22, data[9978:]},
		{-1, 20_000, data},
		{0, 20_000, data},
	}
	c := newClient(t, fetch.Options{})
	for _, address := range []string{o.url, file} {
		for _, test := range tests {
			p, err := c.ReadRange(context.Background(), []string{address}, test.off, test.n)
			must(t, err)
			if !bytes.Equal(p.Bytes, test.want) || p.Size != 10_000 || !bytes.Equal(data[p.Offset:p.Offset+int64(len(p.Bytes))], test.want) {
				t.Errorf("%s: %d bytes from %d: %d bytes from %d of %d", address, test.n, test.off, len(p.Bytes), p.Offset, p.Size)
			}
		}
		for _, bad := range [][2]int64{{10_000, 1}, {0, 0}, {-2, 1}, {0, 1 << 40}} {
			if _, err := c.ReadRange(context.Background(), []string{address}, bad[0], bad[1]); err == nil {
				t.Errorf("%s: %v: no error", address, bad)
			}
		}
	}
	whole, count := server(t, bytesOf(data))
	if _, err := c.ReadRange(context.Background(), []string{whole}, 5, 100); !errors.Is(err, fetch.ErrNoRanges) || count.Load() != 1 {
		t.Errorf("a server without ranges: %v", err)
	}
	if p, err := c.ReadRange(context.Background(), []string{whole, o.url}, 5, 100); err != nil || !bytes.Equal(p.Bytes, data[5:105]) {
		t.Errorf("a mirror with ranges: %v", err)
	}
	lying, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 6-105/10000")
		w.WriteHeader(206)
		w.Write(data[6:106])
	})
	if _, err := c.ReadRange(context.Background(), []string{lying}, 5, 100); !errors.Is(err, fetch.ErrNoRanges) {
		t.Errorf("another part: %v", err)
	}
}

// TestLimits: a hundred callers never make more requests at once than allowed.
func TestLimits(t *testing.T) {
	const jobs, perHost = 5, 2
	var now, most atomic.Int32
	var mu sync.Mutex
	var byHost, mostByHost [4]int
	var urls []string
	for i := range 4 {
		urls = append(urls, serve(t, func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			mu.Lock()
			byHost[i]++
			mostByHost[i] = max(mostByHost[i], byHost[i])
			most.Store(max(most.Load(), n))
			mu.Unlock()
			fmt.Fprint(w, r.URL.Path)
			mu.Lock()
			byHost[i]--
			mu.Unlock()
			now.Add(-1)
		}))
	}
	c := newClient(t, fetch.Options{Jobs: jobs, PerHost: perHost})
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			data := []byte(fmt.Sprintf("/%d", i))
			if _, err := c.Fetch(context.Background(), want(data), []string{urls[i%4] + string(data)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() > jobs {
		t.Errorf("%d requests at once", most.Load())
	}
	for _, n := range mostByHost {
		if n > perHost {
			t.Errorf("%d requests at once to one host", n)
		}
	}
}
