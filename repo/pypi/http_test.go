package pypi

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// TestMetadataWays resolves the same with METADATA beside the wheel, at its
// end, and in all of it.
func TestMetadataWays(t *testing.T) {
	tests := []struct {
		name                 string
		noMetadata, noRanges bool
		html                 bool
		asked, notAsked      string
	}{
		{"beside", false, false, false, "app-1.0-py3-none-any.whl.metadata ", "app-1.0-py3-none-any.whl "},
		{"beside, HTML", false, false, true, "app-1.0-py3-none-any.whl.metadata ", "app-1.0-py3-none-any.whl "},
		{"end", true, false, false, "app-1.0-py3-none-any.whl bytes=", ".metadata"},
		{"whole", true, true, false, "app-1.0-py3-none-any.whl ", ".metadata"},
		{"whole, HTML", true, true, true, "app-1.0-py3-none-any.whl ", ".metadata"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := small()
			x.noMetadata, x.noRanges, x.html = tt.noMetadata, tt.noRanges, tt.html
			r, err := Resolve(t.Context(), x.index(t), []string{"app[fast-mode]"}, nil, el9)
			if err != nil {
				t.Fatal(err)
			}
			if brief(r) != "app==1.0 lib==1.5 speed==3" {
				t.Errorf("got %s", brief(r))
			}
			if x.asked(tt.asked) == 0 || x.asked(tt.notAsked) != 0 {
				t.Errorf("asked for %q", x.requests)
			}
		})
	}
}

// TestMetadataInCache asks for nothing that a wheel in the cache has, but for
// METADATA that the index says to be another.
func TestMetadataInCache(t *testing.T) {
	for _, name := range []string{"beside", "end", "other beside"} {
		x := newFixture()
		f := x.wheel("lib-1-py3-none-any.whl")
		x.noMetadata = name == "end"
		client := testClient(t)
		server := httptest.NewServer(x)
		defer server.Close()
		fill, err := client.Fetch(t.Context(), fetch.Want{Name: "lib", SHA256: hexSum(f.content)}, []string{server.URL + "/files/lib/lib-1-py3-none-any.whl"}, nil)
		if err != nil {
			t.Fatal(fill, err)
		}
		if name == "other beside" {
			f.metadata = append(f.metadata, "more"...)
		}
		index, err := Open(client, server.URL+"/simple")
		if err != nil {
			t.Fatal(err)
		}
		x.requests = nil
		if _, err := Resolve(t.Context(), index, []string{"lib"}, nil, el9); err != nil {
			t.Fatal(name, err)
		}
		if asked := x.asked("/files/"); asked != map[string]int{"other beside": 1}[name] {
			t.Errorf("%s: asked for %q", name, x.requests)
		}
	}
}

// TestLargeWheel reads METADATA that stands far from the end.
func TestLargeWheel(t *testing.T) {
	x := newFixture()
	f := x.wheel("big-1-py3-none-any.whl", "Requires-Dist: lib")
	x.wheel("lib-1-py3-none-any.whl")
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	members := map[string]string{}
	for i := range 3 {
		members[fmt.Sprintf("big/%d.bin", i)] = string(noise)
	}
	f.content = makeWheel("big-1-py3-none-any.whl", f.metadata, members)
	x.noMetadata = true
	r, err := Resolve(t.Context(), x.index(t), []string{"big"}, nil, el9)
	if err != nil || brief(r) != "big==1 lib==1" {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestIndexWithoutDigests(t *testing.T) {
	for _, html := range []bool{false, true} {
		x := small()
		x.html, x.noDigests, x.noMetadata = html, true, true
		r, err := Resolve(t.Context(), x.index(t), []string{"pre"}, nil, el9)
		if err != nil {
			t.Fatal(err)
		}
		want := x.files["pre"]["pre-2.0b1-py3-none-any.whl"].content
		if f := r.Files[0]; f.SHA256 != hexSum(want) || f.Size != int64(len(want)) {
			t.Errorf("html %v: got %+v", html, f)
		}
	}
}

// TestLyingMetadata refuses METADATA that is not what the index says.
func TestLyingMetadata(t *testing.T) {
	x := newFixture()
	f := x.wheel("lib-1-py3-none-any.whl")
	index := x.index(t)
	page, err := index.Project(t.Context(), "lib")
	if err != nil {
		t.Fatal(err)
	}
	f.metadata = append(f.metadata, "more"...)
	if _, err := index.Metadata(t.Context(), page.Files[0]); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if _, err := Resolve(t.Context(), index, []string{"lib"}, nil, el9); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestUnknownProject(t *testing.T) {
	index := small().index(t)
	for _, name := range []string{"nowhere", "../etc", "", "-x"} {
		if _, err := index.Project(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, path := range []string{"lib/lib-9-py3-none-any.whl", "nowhere/x", "lib"} {
		if _, err := index.Locate(t.Context(), path); err == nil {
			t.Errorf("%q is located", path)
		}
	}
}

// TestCredentials sends those of the index to its origin and nowhere else, and
// keeps them out of answers and errors.
func TestCredentials(t *testing.T) {
	x := small()
	var stranger string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stranger += r.Header.Get("Authorization")
		x.ServeHTTP(w, r)
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/simple/pre/" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<a href="%s/files/pre/pre-2.0b1-py3-none-any.whl" data-core-metadata>x</a>`, other.URL)
			return
		}
		x.ServeHTTP(w, r)
	}))
	defer server.Close()
	u, _ := url.Parse(server.URL + "/simple/")
	u.User = url.UserPassword("ann", "s3cret")
	index, err := Open(testClient(t), u.String())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Resolve(t.Context(), index, []string{"app", "pre"}, nil, el9)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "s3cret") || stranger != "" {
		t.Errorf("password in %+v, or sent to a stranger: %q", r, stranger)
	}
	urls, err := index.Locate(t.Context(), "app/app-1.0-py3-none-any.whl")
	if err != nil || !strings.Contains(urls[0], "ann:s3cret@") {
		t.Errorf("got %v, %v", urls, err)
	}
	u.User = url.UserPassword("ann", "wr0ng")
	index, _ = Open(testClient(t), u.String())
	if _, err := Resolve(t.Context(), index, []string{"app"}, nil, el9); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("got %v", err)
	}
}

// TestHostilePages gives a clear error, or the files that can be read.
func TestHostilePages(t *testing.T) {
	tests := []struct{ name, kind, body, want string }{
		{"broken JSON", "application/vnd.pypi.simple.v1+json", `{"files": [`, "unexpected end of JSON"},
		{"other version", "application/vnd.pypi.simple.v2+json", `{"meta":{"api-version":"2.0"},"files":[]}`, "its version is 2.0"},
		{"other version, HTML", "text/html", `<meta name="pypi:repository-version" content="2.1">`, "its version is 2.1"},
		{"other project", "application/json", `{"name":"else","files":[]}`, "it is of else"},
		{"no index at all", "application/octet-stream", "\x00\x01", "is neither JSON nor HTML"},
		{"one endless tag", "text/html", "<a href='" + strings.Repeat("x", 2<<20), "max buffer exceeded"},
		{"names that leave", "text/html", `<a href="x/..">..</a><a href="%2e%2e%2fevil-1-py3-none-any.whl">x</a><a>y</a><a href="http://[::1">z</a>`, "lists no file"},
		{"names that leave, JSON", "application/json", `{"files":[{"filename":"../lib-1-py3-none-any.whl","url":"x"},{"filename":"lib-1-py3-none-any.whl","url":"http://[::1"},{"filename":"","url":"x"}]}`, "lists no file"},
		{"no type", "", `{"files":[]}`, "lists no file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{tt.kind}
				if tt.kind == "" {
					w.Header()["Content-Type"] = nil
				}
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			index, err := Open(testClient(t), server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = Resolve(t.Context(), index, []string{"lib"}, nil, el9); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLenientJSON reads pages whose fields are of another kind than PEP 691 says,
// as pip does.
func TestLenientJSON(t *testing.T) {
	const page = "\ufeff" + `{"meta":{"api-version":1.0},"name":"lib","files":[
		{"filename":"lib-1-py3-none-any.whl","url":"lib-1-py3-none-any.whl","size":"12","yanked":""},
		{"filename":"lib-2-py3-none-any.whl","url":"lib-2-py3-none-any.whl","size":1e3,"yanked":"bad"},
		{"filename":"lib-3-py3-none-any.whl","url":"lib-3-py3-none-any.whl","size":99999999999999999999,"yanked":true,"yanked":false},
		{"filename":"lib-4-py3-none-any.whl","url":"","size":7},
		{"filename":"lib-5-py3-none-any.whl","url":null}, {"filename":"lib-6-py3-none-any.whl"}]}`
	base, _ := url.Parse("http://host.example/simple/lib/")
	got, err := parseSimpleJSON([]byte(page), "lib", base)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range got.Files {
		files = append(files, fmt.Sprint(f.Filename, " ", f.Size, " ", f.Yanked))
	}
	want := []string{"lib-1-py3-none-any.whl 12 false", "lib-2-py3-none-any.whl -1 true", "lib-3-py3-none-any.whl -1 false"}
	if !slices.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
	if _, err := parseSimpleJSON([]byte(`{"meta":{"api-version":null},"name":"lib"}`), "lib", base); err != nil {
		t.Error(err)
	}
}

// TestPageOnDisk reads a simple index that was copied to a folder.
func TestPageOnDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	wheel := small().files["lib"]["lib-1.5-py3-none-any.whl"].content
	page := `<a href="lib-1.5-py3-none-any.whl#sha256=` + hexSum(wheel) + `">x</a>`
	for name, content := range map[string][]byte{"index.html": []byte(page), "lib-1.5-py3-none-any.whl": wheel} {
		if err := os.WriteFile(filepath.Join(dir, "lib", name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := Open(testClient(t), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Resolve(t.Context(), index, []string{"lib"}, nil, el9)
	if err != nil || r.Files[0].SHA256 != hexSum(wheel) {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"", "/no/such/folder", file, "ftp://host.example/simple"} {
		if _, err := Open((*fetch.Client)(nil), address); !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("%q: %v", address, err)
		}
	}
}
