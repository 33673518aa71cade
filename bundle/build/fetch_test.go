package build

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgbundle/internal/fixture"
	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/fetch"
)

// locked is a lock of a few packages of the hermetic world, and its sources.
func locked(t *testing.T, o *Options) (*manifest.Lock, map[string]repo.Locator) {
	t.Helper()
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, url := world.Start(t)
	file := t.TempDir() + "/world.repo"
	if err := os.WriteFile(file, world.RepoFile(url), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Spec = Spec{Repos: []string{file}}.WithDefaults()
	o.Jobs, o.Now, o.Progress, o.WithKeys = 2, fixture.Epoch.Add(time.Hour), &heard{}, true
	if o.Sources, _, err = FindSources(o.Spec, Host{}); err != nil {
		t.Fatal(err)
	}
	if err := o.Connect(Network{CacheDir: t.TempDir(), Jobs: 2}); err != nil {
		t.Fatal(err)
	}
	r := &resolving{options: *o, lock: &manifest.Lock{
		Target: o.Spec.MachineTarget(), Requests: []manifest.Request{{Kind: manifest.RPM, Role: manifest.TargetNode, Want: "acl"}},
	}}
	if err := r.rpms(t.Context()); err != nil {
		t.Fatal(err)
	}
	sources, err := o.sourcesOf(t.Context(), r.lock)
	if err != nil {
		t.Fatal(err)
	}
	return r.lock, sources
}

// heard keeps the notes of a build.
type heard struct {
	Silent
	mu    sync.Mutex
	notes []string
}

func (h *heard) Note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, text)
}

// unread is a tree that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Open(_ context.Context, name string) (io.ReadCloser, error) {
	u.t.Errorf("%s was read again", name)
	return nil, errors.New("read again")
}

func (unread) List(string) []string { return nil }

// onDisk is a tree of placed files.
type onDisk map[string]placed

func (d onDisk) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(d[name].file)
}

func (onDisk) List(string) []string { return nil }

// TestSignaturesAreCheckedOnce: what the fetch has seen is what the proof would
// see, without reading every package again.
func TestSignaturesAreCheckedOnce(t *testing.T) {
	var o Options
	lock, sources := locked(t, &o)
	for _, run := range []string{"fresh", "cached"} {
		files, signatures, err := fetchArtifacts(t.Context(), o, sources, lock)
		if err != nil {
			t.Fatal(run, err)
		}
		got, err := proveSignatures(t.Context(), unread{t}, lock, ProveOptions{Now: o.Now, Jobs: 2, signatures: signatures})
		if err != nil {
			t.Fatal(run, err)
		}
		want, err := proveSignatures(t.Context(), onDisk(files), lock, ProveOptions{Now: o.Now, Jobs: 2})
		if err != nil {
			t.Fatal(run, err)
		}
		if got != want || !strings.Contains(got.Result, "packages signed by") {
			t.Errorf("%s: %v, read again: %v", run, got, want)
		}
	}
}

// TestDamagedCache: a package whose bytes changed in the cache is fetched again
// and counted once; one that is signed by a stranger is not helped by that.
func TestDamagedCache(t *testing.T) {
	var o Options
	lock, sources := locked(t, &o)
	files, before, err := fetchArtifacts(t.Context(), o, sources, lock)
	if err != nil {
		t.Fatal(err)
	}
	victim := lock.Artifacts[0]
	flip := func() {
		data, err := os.ReadFile(files[victim.Path].file)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(files[victim.Path].file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	_, after, err := fetchArtifacts(t.Context(), o, sources, lock)
	if err != nil {
		t.Fatal(err)
	}
	if before.result() != after.result() {
		t.Errorf("before %q, after %q", before.result(), after.result())
	}
	told := func(n string) bool { return strings.Contains(n, victim.From.Path+" in the cache was damaged") }
	if notes := o.Progress.(*heard).notes; !slices.ContainsFunc(notes, told) {
		t.Errorf("nobody was told: %q", notes)
	}

	for i := range lock.Sources {
		lock.Sources[i].Keys = nil
	}
	if _, _, err := fetchArtifacts(t.Context(), o, sources, lock); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("without its keys: %v", err)
	}
}

// TestOneDigestIsBroughtOnce: two wheelhouses that hold one file ask for it, and
// complain of it, once.
func TestOneDigestIsBroughtOnce(t *testing.T) {
	var o Options
	lock, _ := locked(t, &o)
	lock.Artifacts = lock.Artifacts[:1]
	twin := lock.Artifacts[0]
	twin.Path = "rpms/twin.rpm"
	lock.Artifacts = append(lock.Artifacts, twin)
	asked := &counting{}
	_, _, err := fetchArtifacts(t.Context(), o, map[string]repo.Locator{twin.From.Source: asked}, lock)
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if asked.n != 1 {
		t.Errorf("asked %d times", asked.n)
	}
}

type counting struct {
	fetch.Base
	mu sync.Mutex
	n  int
}

func (c *counting) Locate(context.Context, string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return nil, errors.New("nowhere")
}
