package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"pgbundle/bundle"
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
