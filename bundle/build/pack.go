package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

// pack writes a bundle under a name that every reader ignores, verifies what
// was written and only then gives it its final name, with the digest beside it.
func pack(ctx context.Context, o Options, content bundle.Content, to, name string) (bundle.Written, string, error) {
	path := to
	if info, err := os.Stat(to); to == "" || strings.HasSuffix(to, "/") || err == nil && info.IsDir() {
		path = filepath.Join(to, name)
	}
	pending, err := bundle.Create(path)
	if err != nil {
		return bundle.Written{}, "", err
	}
	defer pending.Discard()

	o.Progress.Stage("pack", content.Total())
	written, err := bundle.Write(ctx, pending, content, bundle.WriteOptions{Jobs: o.Jobs, Progress: o.Progress.Add})
	if err == nil {
		err = pending.Sync()
	}
	if err != nil {
		return bundle.Written{}, "", fmt.Errorf("write bundle %s: %w", path, err)
	}
	o.Progress.Stage("verify", written.Size)
	report, err := bundle.VerifyArchive(ctx, pending, written.Size, bundle.VerifyOptions{Jobs: o.Jobs, Progress: o.Progress.Add})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return bundle.Written{}, "", fmt.Errorf("read back bundle %s: %w", path, err)
	}
	return written, path, pending.Commit(written.SHA256)
}

// CheckOutput looks at the place of a bundle before any work is done: its folder
// must be there and writable, and nothing but a bundle may be overwritten.
func CheckOutput(to string) error {
	if info, err := os.Stat(to); err == nil && info.Mode().IsRegular() {
		f, err := os.Open(to)
		if err != nil {
			return fmt.Errorf("look at %s: %w", to, err)
		}
		defer f.Close()
		magic := make([]byte, 2)
		if _, err := io.ReadFull(f, magic); err == nil && (magic[0] != 0x1f || magic[1] != 0x8b) {
			return manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s is there and is no bundle: it is not overwritten; name another file with -o", to))
		}
	}
	dir := to
	if info, err := os.Stat(to); to != "" && !strings.HasSuffix(to, "/") && (err != nil || !info.IsDir()) {
		dir = filepath.Dir(to)
	}
	probe, err := os.CreateTemp(cmp.Or(dir, "."), ".pgbundle-*.probe")
	if err != nil {
		return fmt.Errorf("write into the folder %s: %w: make it, or name another place with -o", cmp.Or(dir, "."), errors.Unwrap(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
