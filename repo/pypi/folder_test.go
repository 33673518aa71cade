package pypi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgbundle/repo"
	"pgbundle/repo/pypi/sdist"
)

// wheelhouse resolves and writes the answer into a folder, as a build does.
func wheelhouse(t *testing.T, r *Resolver, want ...string) (string, *Resolution) {
	t.Helper()
	answer, err := r.Resolve(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range answer.Files {
		rc, err := r.Index.Open(t.Context(), f.Path())
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(rc)
		rc.Close()
		if err != nil || hexSum(data) != f.SHA256 {
			t.Fatal(f.Filename, err)
		}
		name := f.Filename
		if f.Sdist {
			if name, data, err = sdist.BuildWheel(t.Context(), data, time.Unix(1700000000, 0)); err != nil {
				t.Fatal(err)
			}
			answer.Built(f.Name, name, hexSum(data), int64(len(data)))
		}
		if err := CheckWheel(bytes.NewReader(data), name, r.Target); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, answer
}

// TestWheelhouseResolvesAgain proves a wheelhouse from its own folder alone.
func TestWheelhouseResolvesAgain(t *testing.T) {
	x := small()
	x.sdist("simple", "1.0", "", "lib>=1", "[more]", "speed")
	dir, first := wheelhouse(t, &Resolver{Index: x.index(t), Target: el9}, "app[all]", "simple[more]")
	index, err := Open(testClient(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Resolve(t.Context(), index, []string{"app[all]", "simple[more]"}, nil, el9)
	if err != nil {
		t.Fatal(err)
	}
	if names(again) != names(first) || string(RequirementsLock(again)) != string(RequirementsLock(first)) {
		t.Errorf("got %s, want %s", names(again), names(first))
	}
	urls, err := index.Locate(t.Context(), again.Files[0].Path())
	if err != nil || urls[0] != filepath.Join(dir, "app-1.0-py3-none-any.whl") {
		t.Errorf("got %v, %v", urls, err)
	}
	if err := os.Remove(filepath.Join(dir, "lib-1.5-py3-none-any.whl")); err != nil {
		t.Fatal(err)
	}
	if index, err = Open(testClient(t), dir); err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(t.Context(), index, []string{"app[all]", "simple[more]"}, nil, el9)
	if err == nil || !strings.Contains(err.Error(), "lib: the index has no such project") {
		t.Errorf("without lib: %v", err)
	}
}

// streamTree gives files that can only be read from front to back, as a bundle.
type streamTree struct{ files fs.FS }

func (s streamTree) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{f, f}, nil
}

func TestTreeIndex(t *testing.T) {
	x := small()
	files := fstest.MapFS{}
	var paths []string
	for project, all := range x.files {
		for name, f := range all {
			path := "wheels/" + name
			if project == "lib" {
				path = "wheels/lib/" + name
			}
			files[path] = &fstest.MapFile{Data: f.content}
			paths = append(paths, path)
		}
	}
	files["wheels/requirements.lock"] = &fstest.MapFile{}
	paths = append(paths, "wheels/requirements.lock")
	for name, tree := range map[string]repo.Tree{"stream": streamTree{files}, "seekable": fsTree{files}} {
		index := OpenTree(tree, paths)
		r, err := Resolve(t.Context(), index, []string{"app[fast-mode]"}, []string{"lib<1.6"}, el9)
		if err != nil {
			t.Fatal(name, err)
		}
		if brief(r) != "app==1.0 lib==1.5 speed==3" {
			t.Errorf("%s: got %s", name, brief(r))
		}
		for _, path := range []string{"lib/lib-1.5-py3-none-any.whl", "lib-1.5-py3-none-any.whl"} {
			rc, err := index.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			rc.Close()
		}
		if _, err := index.Open(t.Context(), "requirements.lock"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
}

func TestRequirementsLock(t *testing.T) {
	r := &Resolution{Files: []Chosen{
		{Name: "a-b", Version: "1.0", SHA256: strings.Repeat("0a", 32)},
		{Name: "c", Version: "2!1.0+x", SHA256: strings.Repeat("ff", 32), Sdist: true, Filename: "c.tar.gz"},
	}}
	r.Built("c", "c-2!1.0+x-py3-none-any.whl", strings.Repeat("12", 32), 7)
	want := "a-b==1.0 \\\n    --hash=sha256:" + strings.Repeat("0a", 32) + "\nc==2!1.0+x \\\n    --hash=sha256:" + strings.Repeat("12", 32) + "\n"
	if got := string(RequirementsLock(r)); got != want || r.Files[1].Sdist || r.Files[1].Size != 7 {
		t.Errorf("got\n%s", got)
	}
}
