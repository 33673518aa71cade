package galaxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/klauspost/compress/gzip"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{"a.b", "a.b:>=1", "a.b>=1,<2", "a.b:*", "a.b:1.0.0-rc1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, r, err := parseRequest(text)
		if err != nil {
			return
		}
		again, err := ParseRange(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%s %v: read again as %v, %v", name, r, again, err)
		}
	})
}

// FuzzCheckTarball varies the archive inside the gzip wrapper: a fuzzer does not
// get past that one's checksums.
func FuzzCheckTarball(f *testing.F) {
	for _, change := range []func(map[string]string){nil, func(m map[string]string) { m["a/link"] = "->../README.md" }} {
		z, err := gzip.NewReader(bytes.NewReader(tarballOf(f, "a.b", collection{version: "1.0.0", requires: ">=2.15"}, change)))
		if err != nil {
			f.Fatal(err)
		}
		archive, err := io.ReadAll(z)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive)
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = z.Write(archive)
		_ = z.Close()
		if _, err := CheckTarball(&b); err != nil && !errors.Is(err, manifest.ErrDamaged) {
			t.Fatalf("class of %v", err)
		}
	})
}

// FuzzManifest varies the three texts that are read out of a tarball.
func FuzzManifest(f *testing.F) {
	digest := manifest.Digest(nil)
	f.Add([]byte(`{"collection_info":{"namespace":"a","name":"b","version":"1.0.0","dependencies":{"c.d":">=1"}},"file_manifest_file":{"name":"FILES.json","chksum_sha256":"`+digest+`"}}`),
		[]byte(`{"files":[{"name":".","ftype":"dir"},{"name":"README.md","ftype":"file","chksum_sha256":"`+digest+`"},{"name":"l","ftype":"file","chksum_sha256":"`+digest+`"}]}`),
		[]byte("requires_ansible: '>=2.15'\n"))
	f.Fuzz(func(t *testing.T, head, files, runtime []byte) {
		if m, err := parseManifest(head); err == nil {
			if name, version, err := splitFileName(FileName(Name{m.Info.Namespace, m.Info.Name}, m.Info.Version)); err != nil || version != m.Info.Version || name.Name != m.Info.Name {
				t.Fatalf("%+v has a file name that reads as %v %s, %v", m.Info, name, version, err)
			}
		}
		_, _ = requiresAnsible(runtime)
		archive := &tarball{
			files: files, digests: map[string]string{"README.md": digest}, folders: map[string]bool{".": true},
			links: map[string]string{"l": "README.md"}, detours: []string{"./README.md"},
		}
		if err := archive.compare(); err != nil && !errors.Is(err, manifest.ErrDamaged) {
			t.Fatalf("class of %v", err)
		}
	})
}

// handlerGetter answers without a connection.
type handlerGetter struct{ http.Handler }

func (h handlerGetter) Get(_ context.Context, urls []string, _ fetch.GetOptions) (*fetch.Response, error) {
	req, err := http.NewRequest(http.MethodGet, urls[0], nil)
	if err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		return nil, fs.ErrNotExist
	}
	return &fetch.Response{Body: rec.Body.Bytes(), URL: urls[0]}, nil
}

func (h handlerGetter) Open(context.Context, []string) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

func mustParse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func FuzzVersionsPage(f *testing.F) {
	f.Add([]byte(`{"data":[{"version":"1.0.0","requires_ansible":">=2.15"}],"links":{"next":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		mux := http.NewServeMux()
		mux.HandleFunc("/api/{$}", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"available_versions":{"v3":"v3/"}}`))
		})
		mux.HandleFunc("/api/v3/", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("limit") == "100" {
				_, _ = w.Write(data)
			}
		})
		s := &server{client: handlerGetter{mux}, base: mustParse("http://galaxy.test/"), details: map[string]*Details{}}
		list, err := s.Versions(context.Background(), Name{"a", "b"})
		for _, v := range list {
			if err == nil && !isVersion(v.Version) {
				t.Fatalf("listed %q", v.Version)
			}
		}
	})
}
