package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"pgbundle/bundle"
)

// pack writes a bundle under a name of our own, verifies what was written and
// only then gives it its final name, with the digest beside it.
func pack(ctx context.Context, o Options, content bundle.Content, to, name string) (bundle.Written, string, error) {
	path := to
	if info, err := os.Stat(to); to == "" || strings.HasSuffix(to, "/") || err == nil && info.IsDir() {
		path = filepath.Join(to, name)
	}
	partial, err := createPartial(path)
	if err != nil {
		return bundle.Written{}, "", err
	}
	defer partial.discard()

	o.Progress.Stage("pack", content.Total())
	written, err := bundle.Write(ctx, partial.File, content, bundle.WriteOptions{Jobs: o.Jobs, Progress: o.Progress.Add})
	if err != nil {
		return bundle.Written{}, "", fmt.Errorf("write bundle %s: %w", path, err)
	}
	if err := partial.Sync(); err != nil {
		return bundle.Written{}, "", fmt.Errorf("write bundle %s: %w", path, err)
	}
	o.Progress.Stage("verify", written.Size)
	report, err := bundle.Verify(ctx, partial.Name(), bundle.VerifyOptions{Jobs: o.Jobs, Progress: o.Progress.Add})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return bundle.Written{}, "", fmt.Errorf("read back bundle %s: %w", path, err)
	}
	return written, path, partial.commit(path, written.SHA256)
}

// partial is a bundle that is being written: beside its final place, under a
// name that every reader ignores, locked as long as its writer lives. What a
// killed build left there is overwritten by the next.
type partial struct {
	*os.File
	done bool
}

func createPartial(path string) (*partial, error) {
	dir, base := filepath.Split(path)
	name := filepath.Join(dir, ".pgbundle-"+base+".partial")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create bundle %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("create bundle %s: another build is writing it", path)
	}
	if err := errors.Join(f.Truncate(0), f.Chmod(0o644)); err != nil {
		f.Close()
		return nil, fmt.Errorf("create bundle %s: %w", path, err)
	}
	return &partial{File: f}, nil
}

// commit renames the file into place. An older digest file goes first, so that
// at no time a digest stands beside a bundle that it is not of.
func (p *partial) commit(path, digest string) error {
	beside := path + ".sha256"
	if err := os.Remove(beside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("finish bundle %s: %w", path, err)
	}
	if err := os.Rename(p.Name(), path); err != nil {
		return fmt.Errorf("finish bundle %s: %w", path, err)
	}
	p.done = true
	line := digest + "  " + filepath.Base(path) + "\n"
	if err := renameio.WriteFile(beside, []byte(line), 0o644, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write %s: %w", beside, err)
	}
	return syncDir(filepath.Dir(path))
}

func (p *partial) discard() {
	if !p.done {
		os.Remove(p.Name())
	}
	p.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// fileHas reports whether a file's sha256 is the given one.
func fileHas(path, digest string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && hex.EncodeToString(h.Sum(nil)) == digest
}
