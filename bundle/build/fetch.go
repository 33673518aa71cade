package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi/sdist"
)

const wheelFromSdist = "wheel-from-sdist"

// wheelTime is the time of the files in wheels that are made here: the first
// that a zip archive can hold, so that a wheel depends on its archive alone.
var wheelTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// fetchArtifacts brings everything that a lock names into the cache, checks
// each package's signature as it lands, makes the wheels that are made here,
// and returns where the bytes of each path are. All failures are returned.
func fetchArtifacts(ctx context.Context, o Options, sources map[string]repo.Locator, lock *manifest.Lock) (map[string]placed, error) {
	check, err := newSignatureCheck(lock, o.Now)
	if err != nil {
		return nil, err
	}
	o.Progress.Stage("fetch", PlanOf(lock, o.cached).ToFetch)
	var mu sync.Mutex
	at := make(map[string]placed, len(lock.Artifacts))
	var errs []error
	var group errgroup.Group
	group.SetLimit(max(o.Jobs, 1))
	for _, a := range lock.Artifacts {
		group.Go(func() error {
			p, err := fetchOne(ctx, o, sources[a.From.Source], a)
			if err == nil && a.Kind == manifest.RPM {
				err = check.file(p.file, a)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			at[a.Path] = p
			return nil
		})
	}
	_ = group.Wait() // the goroutines keep their errors apart
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return at, errors.Join(errs...)
}

func fetchOne(ctx context.Context, o Options, source repo.Locator, a manifest.Artifact) (placed, error) {
	path, ok := o.Fetch.Cached(a.From.SHA256)
	if ok && !fileHas(path, a.From.SHA256) {
		if err := o.Fetch.Evict(a.From.SHA256); err != nil {
			return placed{}, fmt.Errorf("drop a damaged copy of %s from the cache: %w", a.From.Path, err)
		}
		o.Progress.Note("the copy of " + a.From.Path + " in the cache was damaged, and is fetched again")
		ok = false
	}
	if !ok {
		if source == nil {
			return placed{}, fmt.Errorf("fetch %s: the lock names the source %q, and nothing here is it: name that file with --node-binary",
				a.Path, a.From.Source)
		}
		urls, err := source.Locate(ctx, a.From.Path)
		if err == nil {
			want := fetch.Want{Name: a.From.Path, Size: a.From.Size, SHA256: a.From.SHA256}
			path, err = o.Fetch.Fetch(ctx, want, urls, o.Progress.Add)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return placed{}, fmt.Errorf("fetch %s from %s: %w: the source has moved on since the lock was made: resolve anew with pgbundle lock",
				a.From.Path, a.From.Source, err)
		}
		if err != nil {
			return placed{}, fmt.Errorf("fetch %s from %s: %w", a.From.Path, a.From.Source, err)
		}
	}
	if a.Made == "" {
		return placed{file: path}, nil
	}
	return makeWheel(ctx, path, a)
}

// makeWheel makes the wheel that a lock fixes out of its source archive again.
func makeWheel(ctx context.Context, archive string, a manifest.Artifact) (placed, error) {
	if a.Made != wheelFromSdist {
		return placed{}, manifest.Classify(manifest.ErrUsage,
			fmt.Errorf("make %s: the lock wants it made by %q, which this pgbundle cannot do", a.Path, a.Made))
	}
	data, err := os.ReadFile(archive)
	if err != nil {
		return placed{}, fmt.Errorf("make %s: %w", a.Path, err)
	}
	_, wheel, err := sdist.BuildWheel(ctx, data, wheelTime)
	if err != nil {
		return placed{}, fmt.Errorf("make %s: %w", a.Path, err)
	}
	if manifest.Digest(wheel) != a.SHA256 {
		return placed{}, fmt.Errorf("make %s: this pgbundle makes other bytes of %s than the lock fixes: resolve anew with pgbundle lock",
			a.Path, a.From.Path)
	}
	return placed{made: bytes.Clone(wheel)}, nil
}
