package pypi

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/manifest"
)

func write(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// linksWorld is a folder with each kind of thing that find-links may meet, and
// a server of it.
func linksWorld(t *testing.T) (folder, url string) {
	t.Helper()
	x := newFixture()
	folder = t.TempDir()
	put := func(at, filename string, headers ...string) {
		write(t, folder, at+filename, x.wheel(filename, headers...).content)
	}
	put("", "app-1-py3-none-any.whl", "Requires-Dist: lib")
	put("", "lib-1-py3-none-any.whl")
	put("deeper/", "lib-9-py3-none-any.whl")
	put("files/", "lib-2-py3-none-any.whl")
	put("files/", "lib-3-py3-none-any.whl", "Requires-Python: >=3.10")
	put("files/", "lib-4-py3-none-any.whl")
	write(t, folder, "lib-8.tar.bz2", nil)
	write(t, folder, "README", []byte("not a package"))
	write(t, folder, "page.html", fmt.Appendf(nil, `<a href="files/lib-2-py3-none-any.whl#sha256=%s">lib</a>
<a href="files/lib-3-py3-none-any.whl" data-requires-python="&gt;=3.10">lib</a>
<a href="files/lib-4-py3-none-any.whl" data-yanked="broken">lib</a>
<a href="elsewhere.html">more</a>`, hexSum(x.files["lib"]["lib-2-py3-none-any.whl"].content)))
	server := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(server.Close)
	return folder, server.URL
}

// TestOpenLinks holds what find-links finds at each kind of address.
func TestOpenLinks(t *testing.T) {
	folder, url := linksWorld(t)
	tests := []struct{ name, address, want, files string }{
		{"folder with a page", folder, "app", "app-1-py3-none-any.whl lib-2-py3-none-any.whl"},
		{"folder by URL", "file://" + folder, "app", "app-1-py3-none-any.whl lib-2-py3-none-any.whl"},
		{"flat", filepath.Join(folder, "files"), "lib", "lib-4-py3-none-any.whl"},
		{"page", url + "/page.html", "lib", "lib-2-py3-none-any.whl"},
		{"page of a folder, which ends in a slash", url + "/files/", "lib", "lib-4-py3-none-any.whl"},
		{"page on disk", filepath.Join(folder, "page.html"), "lib", "lib-2-py3-none-any.whl"},
		{"yanked when pinned", url + "/page.html", "lib==4", "lib-4-py3-none-any.whl"},
		{"one file", filepath.Join(folder, "lib-1-py3-none-any.whl"), "lib", "lib-1-py3-none-any.whl"},
		{"one file of a server", url + "/files/lib-2-py3-none-any.whl", "lib", "lib-2-py3-none-any.whl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			links, err := OpenLinks(testClient(t), tt.address)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Resolve(t.Context(), links, []string{tt.want}, nil, el9)
			if err != nil || names(r) != tt.files {
				t.Fatalf("got %v, %v", r, err)
			}
			for _, f := range r.Files {
				if at, err := links.Locate(t.Context(), f.Path()); err != nil || len(at) != 1 || filepath.Base(at[0]) != f.Filename || len(f.SHA256) != 64 {
					t.Errorf("%s of %q is at %v, %v", f.SHA256, f.Filename, at, err)
				}
			}
			if _, err := links.Project(t.Context(), "nowhere"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenLinksRefuses(t *testing.T) {
	_, url := linksWorld(t)
	if _, err := OpenLinks(testClient(t), filepath.Join(t.TempDir(), "gone")); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("got %v", err)
	}
	for address, text := range map[string]string{
		url + "/gone.html": "read page of links: ",
		url + "/README":    "read page of links: its type \"text/plain\" is neither JSON nor HTML",
	} {
		links, err := OpenLinks(testClient(t), address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := links.Project(t.Context(), "lib"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestLinksAmongIndexes holds pip's order of equals: a page's file over a
// folder's, and of two folders the one whose address comes first.
func TestLinksAmongIndexes(t *testing.T) {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl", "Summary: of the index")
	one, two := t.TempDir(), t.TempDir()
	for _, folder := range []string{one, two} {
		write(t, folder, "lib-1-py3-none-any.whl", newFixture().wheel("lib-1-py3-none-any.whl", "Summary: of a folder").content)
	}
	open := func(address string) Index {
		index, err := OpenLinks(testClient(t), address)
		if err != nil {
			t.Fatal(err)
		}
		return index
	}
	first := "one"
	if two < one {
		first = "two"
	}
	for _, tt := range []struct {
		places []Place
		source string
	}{
		{[]Place{{"one", open(one)}, {"two", open(two)}}, first},
		{[]Place{{"two", open(two)}, {"one", open(one)}}, first},
		{[]Place{{"pypi", x.index(t)}, {"one", open(one)}}, "pypi"},
		{[]Place{{"one", open(one)}, {"pypi", x.index(t)}}, "pypi"},
	} {
		r, err := Resolve(t.Context(), Join(tt.places...), []string{"lib"}, nil, el9)
		if err != nil || len(r.Files) != 1 || r.Files[0].Source != tt.source {
			t.Errorf("got %+v, %v, want the file of %s", r, err, tt.source)
		}
	}
}
