package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
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
// and returns where the bytes of each path are, and what the signatures said.
// Known are digests whose bytes in the cache were read in this run. All failures
// are returned.
func fetchArtifacts(ctx context.Context, o Options, sources map[string]repo.Locator, lock *manifest.Lock, known ...string) (map[string]placed, *signatureCheck, error) {
	check, err := newSignatureCheck(lock, o.Now)
	if err != nil {
		return nil, nil, err
	}
	o.Progress.Stage("fetch", PlanOf(lock, o.cached).ToFetch)
	f := &fetching{options: o, sources: sources, check: check, known: known, files: map[string]func() (string, error){}}
	at := make(map[string]placed, len(lock.Artifacts))
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(max(o.Jobs, 1))
	var errs []error
	for _, a := range lock.Artifacts {
		group.Go(func() error {
			p, err := f.place(ctx, a)
			mu.Lock()
			defer mu.Unlock()
			again := func(e error) bool { return e.Error() == err.Error() } // two wheelhouses may want one file
			if err != nil && !slices.ContainsFunc(errs, again) {
				errs = append(errs, err)
			}
			at[a.Path] = p
			return nil
		})
	}
	_ = group.Wait() // the goroutines keep their errors apart
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	return at, check, joinRefused(errs)
}

// fetching is one run of fetchArtifacts. Each digest is brought and read once,
// however many paths have it.
type fetching struct {
	options Options
	sources map[string]repo.Locator
	check   *signatureCheck
	known   []string

	mu    sync.Mutex
	files map[string]func() (string, error) // by digest
}

// place returns the bytes of one artifact.
func (f *fetching) place(ctx context.Context, a manifest.Artifact) (placed, error) {
	f.mu.Lock()
	file, begun := f.files[a.From.SHA256]
	if !begun {
		file = sync.OnceValues(func() (string, error) { return f.bring(ctx, a) })
		f.files[a.From.SHA256] = file
	}
	f.mu.Unlock()
	path, err := file()
	if err != nil || a.Made == "" {
		return placed{file: path}, err
	}
	return makeWheel(ctx, path, a)
}

// bring returns the file with the bytes that an artifact is made from, out of the
// cache when they are still good there.
func (f *fetching) bring(ctx context.Context, a manifest.Artifact) (string, error) {
	o := f.options
	if path, ok := o.Fetch.Cached(a.From.SHA256); ok {
		if slices.Contains(f.known, a.From.SHA256) {
			return path, nil
		}
		err := f.inspect(path, a)
		if !errors.Is(err, errOtherBytes) {
			return path, err
		}
		if err := o.Fetch.Evict(a.From.SHA256); err != nil {
			return "", fmt.Errorf("drop a damaged copy of %s from the cache: %w", a.From.Path, err)
		}
		o.Progress.Note("the copy of " + a.From.Path + " in the cache was damaged, and is fetched again")
	}
	path, err := f.download(ctx, a)
	if err == nil && a.Kind == manifest.RPM {
		err = f.inspect(path, a)
	}
	return path, err
}

func (f *fetching) download(ctx context.Context, a manifest.Artifact) (string, error) {
	source := f.sources[a.From.Source]
	if source == nil {
		return "", fmt.Errorf("fetch %s: the lock names the source %q, and nothing here is it: name that file with --node-binary",
			a.Path, a.From.Source)
	}
	path := ""
	urls, err := source.Locate(ctx, a.From.Path)
	if err == nil {
		want := fetch.Want{Name: a.From.Path, Size: a.From.Size, SHA256: a.From.SHA256}
		path, err = f.options.Fetch.Fetch(ctx, want, urls, f.options.Progress.Add)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("fetch %s from %s: %w: the source has moved on since the lock was made: resolve anew with pgbundle lock",
			a.From.Path, a.From.Source, err)
	}
	if err != nil {
		return "", fmt.Errorf("fetch %s from %s: %w", a.From.Path, a.From.Source, err)
	}
	return path, nil
}

// errOtherBytes says that a file of the cache is not what its name says.
var errOtherBytes = errors.New("its bytes in the cache are others than the lock's")

// inspect takes the digest of a file and, of a package, checks the signature in
// the same pass: what it said holds for these bytes and no others.
func (f *fetching) inspect(path string, a manifest.Artifact) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", a.From.Path, err)
	}
	defer file.Close()
	digest := sha256.New()
	r := io.TeeReader(file, digest)
	signer := ""
	var refused error
	if a.Kind == manifest.RPM {
		signer, refused = f.check.read(r, a)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("read %s: %w", a.From.Path, err)
	}
	if hex.EncodeToString(digest.Sum(nil)) != a.From.SHA256 {
		return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s: %w", a.From.Path, errOtherBytes))
	}
	if refused == nil && a.Kind == manifest.RPM {
		f.check.count(signer)
	}
	return refused
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
