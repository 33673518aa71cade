//go:build oracle

package pypi

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// placesWorld has two indexes, a folder and pages of links, which share
// projects, versions and file names in all ways that could matter.
type placesWorld struct {
	index, extra string // addresses
	folder       string
	page         string
}

// newPlacesWorld makes the same names with other bytes in each place, so that
// the digest tells which was taken. Days are those of the uploads.
func newPlacesWorld(t *testing.T) placesWorld {
	t.Helper()
	day := func(n int) string { return time.Date(2024, 1, n, 12, 0, 0, 0, time.UTC).Format(time.RFC3339) }
	summary := 0
	put := func(x *fixture, filename string, uploaded int, headers ...string) *fixtureFile {
		summary++
		f := x.wheel(filename, append(headers, fmt.Sprintf("Summary: number %d", summary))...)
		f.uploaded = day(uploaded)
		return f
	}
	index, extra, local := newFixture(), newFixture(), newFixture()
	put(index, "app-1-py3-none-any.whl", 1, "Requires-Dist: lib", "Requires-Dist: both")
	put(index, "app-2-py3-none-any.whl", 3, "Requires-Dist: lib>=2", "Requires-Dist: both", "Requires-Dist: only-local")
	put(index, "lib-1-py3-none-any.whl", 1)
	put(index, "lib-2-py3-none-any.whl", 2)
	put(extra, "lib-2-py3-none-any.whl", 2)
	put(extra, "lib-3-py3-none-any.whl", 4).yanked = "no"
	put(local, "lib-2-py3-none-any.whl", 1)
	put(index, "both-1.0-py3-none-any.whl", 1)
	put(extra, "both-1-py3-none-any.whl", 1, "Requires-Dist: only-extra")
	put(extra, "only_extra-1-py3-none-any.whl", 1)
	put(local, "only_local-1-py3-none-any.whl", 1)
	put(local, "only_local-1.0-py2.py3-none-any.whl", 1)
	put(index, "yanked-1-py3-none-any.whl", 1).yanked = "here alone"
	put(extra, "yanked-1-py3-none-any.whl", 1)
	put(index, "late-1-py3-none-any.whl", 1)
	put(extra, "late-2-py3-none-any.whl", 9)
	put(local, "late-1.5-py3-none-any.whl", 1)
	put(index, "tags-1-py3-none-any.whl", 1)
	put(extra, "tags-1-py2.py3-none-any.whl", 1)
	put(local, "tags-1-1-py3-none-any.whl", 1)
	put(local, "paged-1-py3-none-any.whl", 1)
	put(local, "paged-2-py3-none-any.whl", 1, "Requires-Python: <3").requiresPython = ""
	put(local, "apart-1-py3-none-any.whl", 1)

	w := placesWorld{folder: t.TempDir()}
	for _, files := range local.files {
		for name, f := range files {
			if !strings.HasPrefix(name, "paged") {
				write(t, w.folder, name, f.content)
			}
		}
	}
	write(t, w.folder, "deeper/lib-9-py3-none-any.whl", local.files["lib"]["lib-2-py3-none-any.whl"].content)
	serve := func(x *fixture) string {
		server := httptest.NewServer(x)
		t.Cleanup(server.Close)
		return server.URL
	}
	files := serve(local) + "/files/"
	write(t, w.folder, "more.html", fmt.Appendf(nil, "<a href='%[1]spaged/paged-1-py3-none-any.whl'>x</a><a href='%[1]spaged/paged-2-py3-none-any.whl' data-requires-python='&lt;3'>x</a>", files))
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<a href='%[1]sapart/apart-1-py3-none-any.whl'>x</a> <a href='%[1]slib/lib-2-py3-none-any.whl'>x</a>", files)
	}))
	t.Cleanup(pages.Close)
	w.page = pages.URL + "/links/"
	w.index, w.extra = serve(index)+"/simple", serve(extra)+"/simple"
	return w
}

// places opens what pip's flags name, in pip's order.
func (w placesWorld) places(t *testing.T, links, indexes []string) Index {
	t.Helper()
	var list []Place
	for _, address := range links {
		index, err := OpenLinks(testClient(t), address)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Place{address, index})
	}
	for _, address := range indexes {
		index, err := Open(testClient(t), address)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Place{address, index})
	}
	return Join(list...)
}

// TestPlacesParityWithPip resolves with several places, with the newest pip and
// natively, and compares the files and their digests: which place was taken.
func TestPlacesParityWithPip(t *testing.T) {
	w := newPlacesWorld(t)
	pip := newPip(t, interpreters()[0])
	both := []string{w.index, w.extra}
	turned := []string{w.extra, w.index}
	file := filepath.Join(w.folder, "lib-2-py3-none-any.whl")
	second := t.TempDir()
	write(t, second, "lib-2-py3-none-any.whl", newFixture().wheel("lib-2-py3-none-any.whl", "Summary: another").content)
	tests := []struct {
		links, indexes, wants []string
		before                string // RFC 3339
	}{
		{nil, both, []string{"app<2"}, ""},
		{nil, turned, []string{"app<2"}, ""},
		{nil, both, []string{"app"}, ""}, // nothing has what app 2 needs: goes back
		{[]string{w.folder}, both, []string{"app"}, ""},
		{[]string{w.folder}, turned, []string{"app"}, ""},
		{[]string{w.folder, w.page}, both, []string{"app", "apart"}, ""},
		{[]string{w.page, w.folder}, []string{w.index}, []string{"lib", "apart"}, ""},
		{[]string{w.page}, both, []string{"lib"}, ""},
		{[]string{w.folder}, both, []string{"lib==3"}, ""},
		{nil, both, []string{"lib==3"}, ""},
		{nil, both, []string{"yanked"}, ""},
		{nil, turned, []string{"yanked"}, ""},
		{[]string{w.folder}, both, []string{"late"}, ""},
		{[]string{w.folder}, both, []string{"tags"}, ""},
		{nil, both, []string{"tags"}, ""},
		{nil, turned, []string{"tags"}, ""},
		{[]string{w.folder}, both, []string{"paged"}, ""},
		{[]string{file}, []string{w.index}, []string{"lib"}, ""},
		{[]string{file}, []string{w.extra}, []string{"only-local"}, ""},
		{[]string{w.folder}, nil, []string{"only-local", "lib"}, ""},
		{[]string{w.folder, second}, nil, []string{"lib"}, ""},
		{[]string{second, w.folder}, nil, []string{"lib"}, ""},
		{[]string{w.folder}, nil, []string{"app"}, ""},
		{nil, both, []string{"late"}, "2024-01-05T00:00:00Z"},
		{nil, both, []string{"late"}, "2024-01-09T12:00:00Z"},
		{nil, both, []string{"late"}, "2024-01-09T12:00:01Z"},
		{nil, both, []string{"app"}, "2024-01-03T00:00:00Z"},
		{[]string{w.folder}, both, []string{"app", "late"}, "2024-01-03T00:00:00Z"},
		{[]string{w.folder}, nil, []string{"lib"}, "2000-01-01T00:00:00Z"},
		{nil, both, []string{"lib"}, "2000-01-01T00:00:00Z"},
		{[]string{w.page}, both, []string{"apart"}, "2024-01-03T00:00:00Z"}, // a page without upload times
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.wants, tt.before, len(tt.links), len(tt.indexes)), func(t *testing.T) {
			r := &Resolver{Index: w.places(t, tt.links, tt.indexes), Target: pip.target}
			flags := []string{}
			for i, address := range tt.indexes {
				flags = append(flags, []string{"--index-url", "--extra-index-url"}[min(i, 1)], address)
			}
			if len(tt.indexes) == 0 {
				flags = append(flags, "--no-index")
			}
			for _, address := range tt.links {
				flags = append(flags, "--find-links", address)
			}
			if tt.before != "" {
				var err error
				if r.Before, err = time.Parse(time.RFC3339, tt.before); err != nil {
					t.Fatal(err)
				}
				flags = append(flags, "--uploaded-prior-to", tt.before)
			}
			want, pipErr := pip.digests(t, append(flags, tt.wants...))
			got, err := r.Resolve(t.Context(), tt.wants)
			if (err != nil) != (pipErr != nil) {
				t.Fatalf("pip: %v %v\nhere: %v %v", want, pipErr, got, err)
			}
			if err != nil {
				t.Logf("refused by both: %v", pipErr)
				return
			}
			var have []string
			for _, f := range got.Files {
				have = append(have, f.SHA256+" "+f.Filename)
			}
			if slices.Sort(have); !slices.Equal(have, want) {
				t.Errorf("only pip:  %v\nonly here: %v", minus(want, have), minus(have, want))
			}
		})
	}
}

// digests downloads what pip would install and takes the digests.
func (o *pipOracle) digests(t *testing.T, args []string) ([]string, error) {
	t.Helper()
	to := t.TempDir()
	cmd := exec.CommandContext(t.Context(), o.python, append([]string{"-m", "pip", "download", "--quiet", "--no-cache-dir", "--only-binary", ":all:", "--dest", to}, args...)...)
	cmd.Env = append(slices.DeleteFunc(pipEnv(), func(v string) bool { return strings.HasPrefix(v, "PIP_EXTRA") }), "PIP_CONFIG_FILE=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return nil, errors.New(lines[len(lines)-1])
	}
	return digestsIn(t, to), nil
}

// digestsIn lists the files of a folder by digest and name.
func digestsIn(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.whl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, hexSum(data)+" "+filepath.Base(name))
	}
	slices.Sort(out)
	return out
}

// TestExcludeNewerLikeUV compares a time before which files count with uv's.
func TestExcludeNewerLikeUV(t *testing.T) {
	w := newPlacesWorld(t)
	pip := newPip(t, interpreters()[0])
	if out, err := exec.Command(pip.python, "-m", "pip", "install", "-q", "uv").CombinedOutput(); err != nil {
		t.Skipf("no uv to compare with: %v\n%s", err, out)
	}
	for _, tt := range []struct{ want, before string }{
		{"late", "2024-01-09T12:00:00Z"}, {"late", "2024-01-09T12:00:01Z"}, {"app", "2024-01-03T00:00:00Z"}, {"lib", "2024-01-02T00:00:00Z"}, {"lib", "2000-01-01T00:00:00Z"},
	} {
		before, err := time.Parse(time.RFC3339, tt.before)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(pip.python, "-m", "uv", "pip", "compile", "-", "-q", "--no-header", "--no-annotate", "--no-config", "--no-cache", "--no-python-downloads",
			"--index-strategy", "unsafe-best-match", "--index-url", w.index, "--extra-index-url", w.extra, "--exclude-newer", tt.before)
		cmd.Stdin = strings.NewReader(tt.want)
		out, uvErr := cmd.Output()
		r := &Resolver{Index: w.places(t, nil, []string{w.index, w.extra}), Target: pip.target, Before: before}
		got, err := r.Resolve(t.Context(), []string{tt.want})
		if (err != nil) != (uvErr != nil) || err == nil && brief(got) != strings.Join(strings.Fields(string(out)), " ") {
			t.Errorf("%s before %s: uv %q %v, here %v %v", tt.want, tt.before, out, uvErr, got, err)
		}
	}
}
