package pypi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgbundle/manifest"
)

// TestHostileMetadata takes the version that can be read, or says which file
// lies and how.
func TestHostileMetadata(t *testing.T) {
	const plain = "Metadata-Version: 2.1\nName: lib\nVersion: 2\n"
	bomb := plain + "\n" + strings.Repeat(" ", maxMetadata)
	tests := []struct {
		name, metadata, want string
		class                error
	}{
		{"another version", strings.Replace(plain, "2\n", "3\n", 1), "its metadata is of version 3", manifest.ErrUnsolvable},
		{"another project", strings.Replace(plain, "lib", "evil", 1), "its metadata is of evil", manifest.ErrUnsolvable},
		{"no version", "Name: lib\n", "no Name or no Version", manifest.ErrUnsolvable},
		{"not a version", strings.Replace(plain, "2\n", "../x\n", 1), "its metadata is of version ../x", manifest.ErrUnsolvable},
		{"no METADATA at all", "\x00\x01\x02", "no Name or no Version", manifest.ErrUnsolvable},
		{"a requirement that is none", plain + "Requires-Dist: ../x\n", "parse requirement", manifest.ErrUnsolvable},
		{"another Python than the index says", plain + "Requires-Python: >=3.13\n", "needs Python >=3.13", manifest.ErrUnsolvable},
		{"a bomb", bomb, "larger than", nil},
	}
	for _, beside := range []bool{true, false} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/beside=%v", tt.name, beside), func(t *testing.T) {
				x := newFixture()
				f := x.wheel("lib-2-py3-none-any.whl")
				f.metadata = []byte(tt.metadata)
				f.content = makeWheel("lib-2-py3-none-any.whl", f.metadata, nil)
				x.noMetadata = !beside
				index := x.index(t)
				r, err := Resolve(t.Context(), index, []string{"lib"}, nil, el9)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "lib-2-py3-none-any.whl") || tt.class != nil && !errors.Is(err, tt.class) {
					t.Errorf("got %v, %v", r, err)
				}
				x.wheel("lib-1-py3-none-any.whl")
				if r, err = Resolve(t.Context(), x.index(t), []string{"lib"}, nil, el9); tt.class != nil && (err != nil || brief(r) != "lib==1") {
					t.Errorf("beside an older: %v, %v", r, err)
				}
			})
		}
	}
}

// TestMetadataBesideLies proves a wheelhouse by what is in the wheels: an index
// that hides a dependency is found out.
func TestMetadataBesideLies(t *testing.T) {
	x := newFixture()
	f := x.wheel("app-1-py3-none-any.whl", "Requires-Dist: lib")
	f.metadata = []byte("Metadata-Version: 2.1\nName: app\nVersion: 1\n")
	dir, r := wheelhouse(t, &Resolver{Index: x.index(t), Target: el9}, "app")
	if brief(r) != "app==1" {
		t.Fatalf("got %s", brief(r))
	}
	index, err := Open(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(t.Context(), index, []string{"app"}, nil, el9)
	if !errors.Is(err, manifest.ErrUnsolvable) || !strings.Contains(err.Error(), "lib is wanted by app 1") {
		t.Errorf("got %v", err)
	}
}

// TestLyingDigest refuses a source archive that is not what the index says: it
// is read to learn what it needs. Wheels are held to their digests by fetch.
func TestLyingDigest(t *testing.T) {
	for _, html := range []bool{false, true} {
		x := newFixture()
		x.html = html
		f := x.sdist("lib", "1", "")
		index := x.index(t)
		page, err := index.Project(t.Context(), "lib")
		if err != nil {
			t.Fatal(err)
		}
		f.content = bytes.Clone(f.content)
		f.content[20] ^= 1
		for what, run := range map[string]func() error{
			"metadata": func() error { _, err := index.Metadata(t.Context(), page.Files[0]); return err },
			"resolve":  func() error { _, err := Resolve(t.Context(), index, []string{"lib"}, nil, el9); return err },
		} {
			if err := run(); !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), "lib-1.tar.gz") {
				t.Errorf("%s, html %v: %v", what, html, err)
			}
		}
	}
}

// TestBrokenHTML reads what a browser would read of a page.
func TestBrokenHTML(t *testing.T) {
	const wheel = "lib-1-py3-none-any.whl"
	tests := []struct{ name, body, want string }{
		{"nothing closed", `<html><body><a href="` + wheel + `">x<p><a href="lib-2.tar.gz"><td>`, wheel + " lib-2.tar.gz"},
		{"no quotes, upper case", `<A HREF=` + wheel + ` DATA-YANKED>`, wheel + " yanked"},
		{"single quotes and blanks", "<a\n href = '\n" + wheel + " ' >", wheel},
		{"entities", `<a href="lib-1-py3-none-any.whl&#35;sha256=x" data-requires-python="&gt;=3.9&comma;&lt;4">`, wheel + " >=3.9,<4"},
		{"an attribute twice", `<a href="` + wheel + `" href="evil-1.tar.gz">`, wheel},
		{"in a comment", `<!-- <a href="evil-1.tar.gz"> --><a href="` + wheel + `">`, wheel},
		{"in a script", `<script>"<a href='evil-1.tar.gz'>"</script><a href="` + wheel + `">`, wheel},
		{"cut in a tag", `<a href="` + wheel + `">x</a><a href="lib-2`, wheel},
		{"cut in a comment", `<a href="` + wheel + `">x</a><!-- `, wheel},
		{"zero bytes and bad UTF-8", "\x00\xff\xfe<a \x00 href='" + wheel + "'>\xff", wheel},
		{"two bases", `<base href="/a/"><base href="http://evil.example/"><a href="` + wheel + `">`, wheel},
		{"the base after the link", `<a href="` + wheel + `"><base href="/a/">`, wheel},
		{"a thousand open tags", strings.Repeat("<div><b>", 1000) + `<a href="` + wheel + `">`, wheel},
		{"a login page", `<html><title>Log in</title><form action="/login"><input name=user></form>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, tt.body)
			}))
			defer server.Close()
			index, err := Open(testClient(t), server.URL)
			if err != nil {
				t.Fatal(err)
			}
			page, err := index.Project(t.Context(), "lib")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range page.Files {
				got = append(got, f.Filename)
				if f.Yanked {
					got = append(got, "yanked")
				}
				if f.RequiresPython != "" {
					got = append(got, f.RequiresPython)
				}
				if !strings.HasPrefix(f.URL, server.URL+"/") || strings.Contains(tt.body, `"/a/"`) && f.URL != server.URL+"/a/"+wheel {
					t.Errorf("%s is at %s", f.Filename, f.URL)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHugePage stops reading at the bound and stays small, however much more
// there is: plain, announced, or packed into half a megabyte.
func TestHugePage(t *testing.T) {
	const size = 500 << 20
	block := make([]byte, 1<<20)
	copy(block, "<html>")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range size / len(block) {
		z.Write(block)
	}
	z.Close()
	tests := []struct {
		name, header, value string
		packed              bool
	}{
		{"streamed", "X-None", "", false},
		{"announced", "Content-Length", fmt.Sprint(size), false},
		{"packed", "Content-Encoding", "gzip", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set(tt.header, tt.value)
				if tt.packed {
					w.Write(packed.Bytes())
					return
				}
				for range size / len(block) {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			}))
			defer server.Close()
			index, err := Open(testClient(t), server.URL)
			if err != nil {
				t.Fatal(err)
			}
			peak := memoryPeak(t)
			_, err = index.Project(t.Context(), "lib")
			if used := peak(); used > 6*maxPage {
				t.Errorf("%d MB of memory", used>>20)
			} else {
				t.Logf("%d MB of memory", used>>20)
			}
			if err == nil || !strings.Contains(err.Error(), "larger than the 67108864 bytes that are allowed") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// memoryPeak watches the heap until its result is called, which gives the most
// bytes that it grew by.
func memoryPeak(t *testing.T) func() uint64 {
	t.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	start, most := heap(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return max(most, heap(), start) - start
	}
}

// TestCycles ends, with an answer or with the conflict.
func TestCycles(t *testing.T) {
	x := newFixture()
	x.wheel("self-1-py3-none-any.whl", "Requires-Dist: self")
	x.wheel("selfish-1-py3-none-any.whl", "Requires-Dist: selfish>=2")
	x.wheel("a-2-py3-none-any.whl", "Requires-Dist: b")
	x.wheel("a-1-py3-none-any.whl", "Requires-Dist: b")
	x.wheel("b-1-py3-none-any.whl", "Requires-Dist: c[more]")
	x.wheel("c-1-py3-none-any.whl", "Provides-Extra: more", "Requires-Dist: A<2; extra == 'more'", "Requires-Dist: c[more]; extra == 'more'")
	x.wheel("never-1-py3-none-any.whl", "Requires-Dist: again")
	x.wheel("again-1-py3-none-any.whl", "Requires-Dist: never!=1")
	for i := range 300 {
		x.wheel(fmt.Sprintf("ring%d-1-py3-none-any.whl", i), fmt.Sprintf("Requires-Dist: ring%d", (i+1)%300))
	}
	index := x.index(t)
	for _, tt := range []struct{ name, want, pins, text string }{
		{"itself", "self", "self==1", ""},
		{"itself, newer", "selfish", "", "selfish>=2 is wanted by selfish 1, wanted by you"},
		{"three, that go back", "a", "a==1 b==1 c==1", ""},
		{"two that refuse each other", "never", "", "never!=1 is wanted by again 1, wanted by never 1, wanted by you"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Resolve(t.Context(), index, []string{tt.want}, nil, el9)
			if tt.text != "" && (!errors.Is(err, manifest.ErrUnsolvable) || !strings.Contains(err.Error(), tt.text)) {
				t.Errorf("got %v", err)
			}
			if tt.text == "" && (err != nil || brief(r) != tt.pins) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
	if r, err := Resolve(t.Context(), index, []string{"ring7"}, nil, el9); err != nil || len(r.Files) != 300 {
		t.Errorf("ring: %v", err)
	}
}

// TestSpelling takes all spellings of a name for one project (PEP 503).
func TestSpelling(t *testing.T) {
	x := newFixture()
	x.wheel("Zope.Inter_face-1-py3-none-any.whl", "Requires-Dist: Some--LIB[Big_Extra]", "Requires-Dist: ZOPE-inter.face")
	x.wheel("some_lib-1-py3-none-any.whl", "Provides-Extra: big.extra", "Requires-Dist: zope__inter-face; extra == 'BIG-extra'", "Requires-Dist: left; extra == 'BIG-extra'")
	x.wheel("Some.Lib-2-py3-none-any.whl", "Provides-Extra: big.extra")
	x.wheel("LEFT-1-py3-none-any.whl")
	folder := t.TempDir()
	for _, files := range x.files {
		for name, f := range files {
			if err := os.WriteFile(filepath.Join(folder, name), f.content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	flat, err := Open(nil, folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, index := range map[string]Index{"index": x.index(t), "folder": flat} {
		for _, want := range []string{"zope.inter-face", "Zope_Inter_Face", "ZOPE-.-INTER__FACE"} {
			r, err := Resolve(t.Context(), index, []string{want}, []string{"SOME.lib!=2"}, el9)
			if err != nil || brief(r) != "left==1 some-lib==1 zope-inter-face==1" {
				t.Errorf("%s of the %s: %v, %v", want, name, r, err)
			}
		}
	}
}
