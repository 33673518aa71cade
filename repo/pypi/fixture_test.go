package pypi

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"pgbundle/repo/fetch"
)

// fixture is a simple index on loopback.
type fixture struct {
	files map[string]map[string]*fixtureFile // by project and file name
	order map[string][]string

	html       bool // PEP 503 instead of 691
	noMetadata bool // no METADATA beside wheels
	noRanges   bool
	noDigests  bool

	mu       sync.Mutex
	requests []string
}

type fixtureFile struct {
	content        []byte
	metadata       []byte
	requiresPython string
	yanked         string // reason; "-" for none given
	uploaded       string
}

func newFixture() *fixture {
	return &fixture{files: map[string]map[string]*fixtureFile{}, order: map[string][]string{}}
}

// wheel adds a wheel with lines of METADATA: "Requires-Dist: …" and so on.
func (x *fixture) wheel(filename string, headers ...string) *fixtureFile {
	name, version, _ := strings.Cut(filename, "-")
	version, _, _ = strings.Cut(version, "-")
	metadata := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	f := &fixtureFile{}
	for _, h := range headers {
		metadata += h + "\n"
		if value, ok := strings.CutPrefix(h, "Requires-Python: "); ok {
			f.requiresPython = value
		}
	}
	f.metadata = []byte(metadata + "\nIts description.\n")
	f.content = makeWheel(filename, f.metadata, nil)
	return x.add(filename, f)
}

func (x *fixture) add(filename string, f *fixtureFile) *fixtureFile {
	project, _, _, err := identify(filename, "")
	if err != nil {
		panic(err)
	}
	if x.files[project] == nil {
		x.files[project] = map[string]*fixtureFile{}
	}
	x.files[project][filename] = f
	x.order[project] = append(x.order[project], filename)
	return f
}

// makeWheel writes a wheel with METADATA, WHEEL, RECORD and other members.
func makeWheel(filename string, metadata []byte, members map[string]string) []byte {
	parts := strings.Split(filename, "-")
	info := parts[0] + "-" + parts[1] + ".dist-info"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	record := ""
	put := func(name, content string) {
		w, err := z.Create(name)
		if err != nil {
			panic(err)
		}
		fmt.Fprint(w, content)
		record += name + ",,\n"
	}
	put(parts[0]+"/__init__.py", "")
	for name, content := range members {
		put(name, content)
	}
	put(info+"/METADATA", string(metadata))
	put(info+"/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: "+strings.TrimSuffix(strings.Join(parts[len(parts)-3:], "-"), ".whl")+"\n")
	put(info+"/RECORD", record)
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// makeSdist writes a .tar.gz of files below "top/".
func makeSdist(top string, files map[string]string) []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: top + "/" + name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			panic(err)
		}
		fmt.Fprint(w, content)
	}
	w.Close()
	gz.Close()
	return b.Bytes()
}

// sdist adds a source archive of one module, with requires.txt.
func (x *fixture) sdist(name, version, setup string, requires ...string) *fixtureFile {
	top := name + "-" + version
	egg := strings.ReplaceAll(name, "-", "_") + ".egg-info"
	content := makeSdist(top, map[string]string{
		"PKG-INFO":                "Metadata-Version: 1.1\nName: " + name + "\nVersion: " + version + "\nDescription: Text\n        of it\n",
		"setup.py":                "from setuptools import setup\nsetup(py_modules=['" + name + "']" + setup + ")\n",
		name + ".py":              "print('hello')\n",
		egg + "/SOURCES.txt":      "setup.py\n" + name + ".py\n",
		egg + "/top_level.txt":    name + "\n",
		egg + "/requires.txt":     strings.Join(requires, "\n") + "\n",
		egg + "/entry_points.txt": "[console_scripts]\n" + name + " = " + name + ":main\n",
	})
	return x.add(top+".tar.gz", &fixtureFile{content: content})
}

func (x *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.requests = append(x.requests, r.URL.Path+" "+r.Header.Get("Range"))
	x.mu.Unlock()
	if project, ok := strings.CutPrefix(r.URL.Path, "/simple/"); ok {
		x.page(w, r, strings.TrimSuffix(project, "/"))
		return
	}
	name, isMetadata := strings.CutSuffix(path.Base(r.URL.Path), ".metadata")
	f := x.files[path.Base(path.Dir(r.URL.Path))][name]
	switch {
	case f == nil || isMetadata && x.noMetadata:
		http.NotFound(w, r)
	case isMetadata:
		w.Write(f.metadata)
	case x.noRanges:
		w.Write(f.content)
	default:
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.content))
	}
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (x *fixture) page(w http.ResponseWriter, r *http.Request, project string) {
	if x.files[project] == nil {
		http.NotFound(w, r)
		return
	}
	if x.html {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!DOCTYPE html><html><head><base href='/'></head><body>\n")
		for _, name := range x.order[project] {
			f := x.files[project][name]
			fragment := "#sha256=" + hexSum(f.content)
			if x.noDigests {
				fragment = ""
			}
			fmt.Fprintf(w, "<a href=\"files/%s/%s%s\"", project, name, fragment)
			if f.requiresPython != "" {
				fmt.Fprintf(w, " data-requires-python=\"%s\"", html.EscapeString(f.requiresPython))
			}
			if f.yanked != "" {
				fmt.Fprintf(w, " data-yanked=\"%s\"", strings.TrimPrefix(f.yanked, "-"))
			}
			if !x.noMetadata && f.metadata != nil {
				fmt.Fprintf(w, " data-core-metadata=\"sha256=%s\"", hexSum(f.metadata))
			}
			fmt.Fprintf(w, ">%s</a><br>\n", name)
		}
		return
	}
	files := []map[string]any{}
	for _, name := range x.order[project] {
		f := x.files[project][name]
		entry := map[string]any{"filename": name, "url": "../../files/" + project + "/" + name, "hashes": map[string]string{"sha256": hexSum(f.content)}, "size": len(f.content), "yanked": false}
		if x.noDigests {
			entry["hashes"] = map[string]string{}
		}
		if f.requiresPython != "" {
			entry["requires-python"] = f.requiresPython
		}
		if f.uploaded != "" {
			entry["upload-time"] = f.uploaded
		}
		if f.yanked == "-" {
			entry["yanked"] = true
		} else if f.yanked != "" {
			entry["yanked"] = f.yanked
		}
		if !x.noMetadata && f.metadata != nil {
			entry["core-metadata"] = map[string]string{"sha256": hexSum(f.metadata)}
		}
		files = append(files, entry)
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	json.NewEncoder(w).Encode(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": project, "files": files})
}

// index serves the fixture and opens it.
func (x *fixture) index(t *testing.T) Index {
	t.Helper()
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	index, err := Open(testClient(t), server.URL+"/simple")
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func testClient(t *testing.T) *fetch.Client {
	t.Helper()
	client, err := fetch.New(fetch.Options{CacheDir: t.TempDir(), Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// asked says how often a path was asked for.
func (x *fixture) asked(part string) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}
