package galaxy

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"pgbundle/internal/fixture"
	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// collection describes one version of a test's server.
type collection struct {
	version, requires string
	needs             map[string]string
}

// shelf is a Galaxy server's content: collections by name.
type shelf map[string][]collection

// tarballOf makes a collection as ansible-galaxy collection build lays it out.
func tarballOf(t testing.TB, name string, c collection, change func(files map[string]string)) []byte {
	t.Helper()
	n, err := ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"README.md": "# " + name, runtimeName: fmt.Sprintf("requires_ansible: '%s'\n", c.requires)}
	var list filesJSON
	add := func(name, kind, digest string) {
		list.Files = append(list.Files, struct {
			Name   string `json:"name"`
			Type   string `json:"ftype"`
			SHA256 string `json:"chksum_sha256"`
		}{name, kind, digest})
	}
	add(".", "dir", "")
	for file, text := range files {
		add(file, "file", manifest.Digest([]byte(text)))
	}
	listed, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var m manifestJSON
	m.Info.Namespace, m.Info.Name, m.Info.Version, m.Info.Dependencies = n.Namespace, n.Name, c.version, c.needs
	m.Files.Name, m.Files.SHA256 = filesName, manifest.Digest(listed)
	head, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	files[filesName], files[manifestName] = string(listed), string(head)
	if change != nil {
		change(files)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for file, text := range files {
		h := &tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}
		if link, ok := strings.CutPrefix(text, "->"); ok {
			h = &tar.Header{Name: file, Typeflag: tar.TypeSymlink, Linkname: link}
			text = ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serve answers as pulp_ansible does, two versions a page, links without host.
func serve(t *testing.T, s shelf, breakPage int) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /api/{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"available_versions": map[string]string{"v3": "v3/"}})
	})
	mux.HandleFunc("GET /api/v3/collections/{ns}/{name}/versions/{$}", func(w http.ResponseWriter, r *http.Request) {
		all, ok := s[r.PathValue("ns")+"."+r.PathValue("name")]
		var offset int
		_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &offset)
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case breakPage > 0 && offset >= breakPage:
			http.Error(w, "gateway", http.StatusBadGateway)
			return
		}
		data, next := []map[string]any{}, ""
		for _, c := range all[offset:min(offset+2, len(all))] {
			data = append(data, map[string]any{"version": c.version, "requires_ansible": c.requires})
		}
		if offset+2 < len(all) {
			next = fmt.Sprintf("%s?limit=100&offset=%d", r.URL.Path, offset+2)
		}
		answer(w, map[string]any{"data": data, "links": map[string]string{"next": next}})
	})
	mux.HandleFunc("GET /api/v3/collections/{ns}/{name}/versions/{version}/{$}", func(w http.ResponseWriter, r *http.Request) {
		full := r.PathValue("ns") + "." + r.PathValue("name")
		i := slices.IndexFunc(s[full], func(c collection) bool { return c.version == r.PathValue("version") })
		if i < 0 {
			http.NotFound(w, r)
			return
		}
		c := s[full][i]
		data := tarballOf(t, full, c, nil)
		answer(w, map[string]any{
			"download_url": "/artifacts/" + full + "-" + c.version, "requires_ansible": c.requires, "created_at": "2026-01-02T03:04:05Z",
			"artifact": map[string]any{"sha256": manifest.Digest(data), "size": len(data)},
			"metadata": map[string]any{"dependencies": c.needs},
		})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

var known = shelf{
	"community.general": {{version: "8.0.0", requires: ">=2.13.0"}, {version: "10.7.9", requires: ">=2.15.0"}, {version: "9.5.0", requires: ">=2.13.0"},
		{version: "11.0.0", requires: ">=2.16.0"}, {version: "13.2.0", requires: ">=2.18.0", needs: map[string]string{"community.library": ">=1.0.0"}}},
	"ansible.posix":     {{version: "2.1.0", requires: ">=2.15.0"}, {version: "2.2.0-rc1", requires: ">=2.15.0"}},
	"community.library": {{version: "1.0.0"}, {version: "1.4.0"}},
	"alpha.new":         {{version: "1.0.0", requires: ">=2.16.0"}, {version: "2.0.0-a1", requires: ">=2.15.0"}},
	"only.pre":          {{version: "1.0.0-a1"}, {version: "1.0.0-a2"}},
	"needs.old":         {{version: "2.0.0", needs: map[string]string{"community.library": "<1.2"}}, {version: "1.0.0", needs: map[string]string{"community.library": "*"}}},
	"needs.absent":      {{version: "1.0.0", needs: map[string]string{"no.where": "*"}}},
}

func client(t *testing.T) *fetch.Client {
	t.Helper()
	c, err := fetch.New(fetch.Options{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestResolve(t *testing.T) {
	address := serve(t, known, 0)
	for name, test := range map[string]struct {
		requests []string
		core     string
		want     []string
		fails    string
	}{
		"newest that the core runs":              {requests: []string{"community.general:>=8"}, want: []string{"community.general 10.7.9"}},
		"newer core":                             {requests: []string{"community.general:>=8"}, core: "2.18.1", want: []string{"community.general 13.2.0", "community.library 1.4.0"}},
		"no colon":                               {requests: []string{"community.general>=8,<10"}, want: []string{"community.general 9.5.0"}},
		"exact":                                  {requests: []string{"community.general:8.0.0"}, want: []string{"community.general 8.0.0"}},
		"no pre-release":                         {requests: []string{"ansible.posix"}, want: []string{"ansible.posix 2.1.0"}},
		"pre-release by name":                    {requests: []string{"ansible.posix:2.2.0-rc1"}, want: []string{"ansible.posix 2.2.0-rc1"}},
		"nothing but pre-releases":               {requests: []string{"only.pre"}, want: []string{"only.pre 1.0.0-a2"}},
		"no pre-release instead of a stable one": {requests: []string{"alpha.new"}, fails: "collection alpha.new: no version fits: asked for *; there are 1.0.0 to 2.0.0-a1; with ansible-core 2.15.13: 1.0.0 wants ansible-core >=2.16.0"},
		"dependency steps back":                  {requests: []string{"needs.old", "community.library"}, want: []string{"community.library 1.0.0", "needs.old 2.0.0"}},
		"goes back over a choice":                {requests: []string{"needs.old", "community.library:>=1.2"}, want: []string{"community.library 1.4.0", "needs.old 1.0.0"}},
		"too new for the core":                   {requests: []string{"community.general:>=11"}, fails: "collection community.general: no version fits: asked for >=11; there are 8.0.0 to 13.2.0; with ansible-core 2.15.13: 13.2.0 wants ansible-core >=2.18.0, 11.0.0 wants ansible-core >=2.16.0"},
		"unknown":                                {requests: []string{"no.one", "nor.two"}, fails: "collection no.one: the server has none of that name\ncollection nor.two: the server has none of that name"},
		"all that is wrong": {requests: []string{"needs.absent", "ansible.posix:>=3", "community.library"}, fails: "collection ansible.posix: no version fits: asked for >=3; there are 2.1.0 to 2.2.0-rc1\n" +
			"collection no.where: no version fits: wanted by needs.absent 1.0.0 *; the server has none of that name"},
		"a conflict between requests": {requests: []string{"needs.old:2.0.0", "community.library:>=1.2"}, fails: "collection community.library: no version fits: asked for >=1.2, wanted by needs.old 2.0.0 <1.2; there are 1.0.0 to 1.4.0"},
		"unknown dependency":          {requests: []string{"needs.absent"}, fails: "collection no.where: no version fits: wanted by needs.absent 1.0.0 *; the server has none of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := Open(t.Context(), client(t), address)
			if err != nil {
				t.Fatal(err)
			}
			if test.core == "" {
				test.core = "2.15.13"
			}
			res, err := Resolve(t.Context(), server, test.requests, test.core)
			if test.fails != "" {
				if err == nil || err.Error() != test.fails || !errors.Is(err, manifest.ErrUnsolvable) {
					t.Fatalf("error %v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range res.Collections {
				got = append(got, c.Name.String()+" "+c.Version)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotesSayWhatWasPassedOver(t *testing.T) {
	server, err := Open(t.Context(), client(t), serve(t, known, 0))
	if err != nil {
		t.Fatal(err)
	}
	res, err := Resolve(t.Context(), server, []string{"community.general:>=8"}, "2.15.13")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"collection community.general: 10.7.9 is taken; passed over for ansible-core 2.15.13: " +
		"13.2.0 wants ansible-core >=2.18.0, 11.0.0 wants ansible-core >=2.16.0"}
	if diff := cmp.Diff(want, res.Notes); diff != "" {
		t.Error(diff)
	}
}

// TestBrokenPage pins that a page that fails is not taken for the end.
func TestBrokenPage(t *testing.T) {
	server, err := Open(t.Context(), client(t), serve(t, known, 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(t.Context(), server, []string{"community.general"}, "2.15.13"); err == nil {
		t.Fatal("resolved over half a list")
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for _, c := range known["community.general"] {
		name := Name{"community", "general"}
		if err := os.WriteFile(filepath.Join(dir, FileName(name, c.version)), tarballOf(t, name.String(), c, nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server, err := Open(t.Context(), nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Resolve(t.Context(), server, []string{"community.general"}, "2.15.13")
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Collections[0].Version; got != "10.7.9" {
		t.Errorf("took %s", got)
	}
	urls, err := server.Locate(t.Context(), res.Collections[0].Filename)
	if err != nil || len(urls) != 1 {
		t.Errorf("located %v, %v", urls, err)
	}
}

func TestCheckTarball(t *testing.T) {
	c := collection{version: "1.0.0", requires: ">=2.15"}
	for name, test := range map[string]struct {
		change func(map[string]string)
		good   bool
	}{
		"good":           {nil, true},
		"changed file":   {func(f map[string]string) { f["README.md"] = "other" }, false},
		"missing file":   {func(f map[string]string) { delete(f, "README.md") }, false},
		"unlisted file":  {func(f map[string]string) { f["plugins/evil.py"] = "x" }, false},
		"changed list":   {func(f map[string]string) { f[filesName] = `{"files":[]}` }, false},
		"no manifest":    {func(f map[string]string) { delete(f, manifestName) }, false},
		"odd name":       {func(f map[string]string) { f[manifestName] = strings.ReplaceAll(f[manifestName], "a", "..") }, false},
		"leads up":       {func(f map[string]string) { f["../x"] = "x" }, false},
		"absolute":       {func(f map[string]string) { f["/etc/x"] = "x" }, false},
		"link outside":   {func(f map[string]string) { f["README.md"] = "->../../etc/passwd" }, false},
		"absolute link":  {func(f map[string]string) { f["README.md"] = "->/etc/passwd" }, false},
		"unlisted link":  {func(f map[string]string) { f["plugins/evil"] = "->../README.md" }, false},
		"below a link":   {func(f map[string]string) { f["a"], f["a/x"] = "->plugins", "x" }, false},
		"over a link":    {func(f map[string]string) { f["a/b"], f["c"] = "->..", "->a/b/.." }, false},
		"link to a link": {func(f map[string]string) { f["README.md"], f["b"] = "->b", "->README.md" }, false},
		"runtime broken": {func(f map[string]string) { f[runtimeName] = "\t" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := CheckTarball(bytes.NewReader(tarballOf(t, "a.b", c, test.change)))
			if (err == nil) != test.good {
				t.Fatalf("%+v, %v", info, err)
			}
			if err != nil && !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("class of %v", err)
			}
			if err == nil && (info.RequiresAnsible != ">=2.15" || info.Version != "1.0.0") {
				t.Errorf("%+v", info)
			}
		})
	}
}

// TestFileInTwoForms pins that a link cannot stand in for a file that is
// another: the later of two members of one name is what gets installed.
func TestFileInTwoForms(t *testing.T) {
	data := tarballOf(t, "a.b", collection{version: "1.0.0"}, func(f map[string]string) { f["./README.md"] = "->" + runtimeName })
	if _, err := CheckTarball(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a link beside the file: %v", err)
	}
}

// TestSparseMember pins that a few bytes cannot stand for a terabyte.
func TestSparseMember(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	// archive/tar writes no sparse files: the record that makes one is put in
	// where a plain one of its length was.
	records := map[string]string{"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.name": manifestName, "XXX.sparse.realsize": "1099511627776"}
	body := make([]byte, 512)
	copy(body, "1\n1099511627776\n0\n")
	err := w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Mode: 0o644, Size: 512, PAXRecords: records})
	if err == nil {
		_, err = w.Write(body)
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	var sparse bytes.Buffer
	z = gzip.NewWriter(&sparse)
	_, err = z.Write(bytes.ReplaceAll(archive, []byte("XXX.sparse"), []byte("GNU.sparse")))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckTarball(&sparse); err == nil || !strings.Contains(err.Error(), "is sparse") {
		t.Errorf("a sparse member: %v", err)
	}
}

// TestWorld resolves in the hermetic world: pages, redirects to another place
// for the bytes, a choice that has to be taken back, and a server that asks for
// a password and hands out signed addresses that refuse one.
func TestWorld(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, url := world.Start(t)
	files.GalaxyAuth = "Basic YW5uYTpzZWNyZXQ=" // anna:secret
	client, err := fetch.New(fetch.Options{CacheDir: t.TempDir(), Credentials: []fetch.Credential{{Scope: url + "/galaxy/api/", User: "anna", Password: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := Open(t.Context(), client, url+"/galaxy")
	if err != nil {
		t.Fatal(err)
	}
	res, err := Resolve(t.Context(), server, []string{"community.general:>=8", "community.postgresql>=3", "ansible.posix>=1.5", "fixture.app"}, "2.15.13")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range res.Collections {
		got = append(got, c.Filename)
		urls, err := server.Locate(t.Context(), c.Filename)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Fetch(t.Context(), fetch.Want{Name: c.Filename, Size: c.Size, SHA256: c.SHA256}, urls, nil); err != nil {
			t.Error(err)
		}
	}
	want := []string{"ansible-posix-2.1.0.tar.gz", "community-general-10.7.9.tar.gz", "community-postgresql-4.2.0.tar.gz",
		"fixture-app-1.0.0.tar.gz", "fixture-lib-1.4.0.tar.gz", "fixture-plugin-1.0.0.tar.gz"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	dir := t.TempDir()
	if err := world.Write(dir); err != nil {
		t.Fatal(err)
	}
	folder, err := OpenFolder(t.Context(), filepath.Join(dir, "collections"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Resolve(t.Context(), folder, []string{"community.general:>=8", "community.postgresql>=3", "ansible.posix>=1.5", "fixture.app"}, "2.15.13")
	if err != nil {
		t.Fatal(err)
	}
	sameFiles := cmp.Transformer("files", func(c Collection) string { return c.Filename + " " + c.SHA256 })
	if diff := cmp.Diff(res, again, sameFiles); diff != "" {
		t.Error(diff)
	}
}

func TestRange(t *testing.T) {
	for _, test := range []struct {
		in, version string
		want        bool
	}{
		{"", "1.0.0", true}, {"*", "1.0.0", true}, {"1.0.0", "1.0.0", true}, {"1.0", "1.0.0", true}, {"=1.0.0", "1.0.1", false},
		{">=8", "8.0.0", true}, {">=8", "8.0.0-rc1", false}, {">8,<9", "8.1.0", true}, {"!=8.1.0", "8.1.0", false}, {"<=8.1", "8.1.0", true},
	} {
		r, err := ParseRange(test.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Contains(test.version); got != test.want {
			t.Errorf("%q contains %s: %v", test.in, test.version, got)
		}
	}
	for _, bad := range []string{">=x", "1.2.3.4", "~=1.0", ">="} {
		if r, err := ParseRange(bad); err == nil {
			t.Errorf("%q gave %v", bad, r)
		}
	}
}
