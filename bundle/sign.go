package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// Sign copies the archive src to w with sig as its signature, in the place of
// the one that it has if any. All other members are copied as they are: what
// was damaged stays so. The signature is not compared with any key.
func Sign(ctx context.Context, src string, w io.Writer, sig []byte) (Written, error) {
	b, err := Open(src)
	if err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	defer b.Close()
	if !b.Archive() {
		return Written{}, manifest.Classify(manifest.ErrUsage,
			fmt.Errorf("sign bundle %s: it is a folder, whose signature is its file %s", src, manifest.SignatureName))
	}
	return b.withSignature(ctx, w, sig)
}

// withSignature writes the archive with another signature.
func (b *Bundle) withSignature(ctx context.Context, w io.Writer, sig []byte) (Written, error) {
	if _, err := sign.ParseSignature(sig); err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	l, err := newLayout(b.manifest, b.raw, int64(len(sig)))
	if err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	signature := l.members[1]
	header, err := signature.header()
	if err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	entry := make([]byte, rawLength(signature.size))
	copy(entry, header[:])
	copy(entry[tarBlock:], sig)

	rest := b.files[manifest.SumsName].off
	out := &archiveWriter{w: w, hash: sha256.New()}
	if err := out.copy(ctx, b.archive, 0, signature.off); err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	if err := out.write(frame(entry)); err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	if err := out.copy(ctx, b.archive, rest, b.size); err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	return Written{Size: out.size, SHA256: fmt.Sprintf("%x", out.hash.Sum(nil)), ID: b.ID()}, nil
}

// copy writes the bytes of r from begin to end.
func (a *archiveWriter) copy(ctx context.Context, r io.ReaderAt, begin, end int64) error {
	buffer := make([]byte, 1<<20)
	for begin < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buffer[:min(end-begin, int64(len(buffer)))]
		if err := readFull(r, part, begin); err != nil {
			return err
		}
		if err := a.write(part); err != nil {
			return err
		}
		begin += int64(len(part))
	}
	return nil
}

// SignFile signs the bundle at path and writes the signed one to the file to,
// which may be path itself: it is replaced in one step. The digest of an
// archive goes to a file beside it, with .sha256 added to its name. Of an
// unpacked bundle (where to must be path) only the signature file is written,
// and Written has no more than the id. Signer gets the manifest's raw bytes
// and returns a signature file.
func SignFile(ctx context.Context, path, to string, signer func(raw []byte) ([]byte, error)) (Written, error) {
	b, err := Open(path)
	if err != nil {
		return Written{}, err
	}
	defer b.Close()
	sig, err := signer(b.raw)
	if err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	if !b.Archive() {
		return b.signFolder(path, to, sig)
	}
	p, err := Create(to)
	if err != nil {
		return Written{}, err
	}
	defer p.Discard()
	written, err := b.withSignature(ctx, p, sig)
	if err != nil {
		return Written{}, err
	}
	return written, p.Commit(written.SHA256)
}

func (b *Bundle) signFolder(path, to string, sig []byte) (Written, error) {
	if filepath.Clean(path) != filepath.Clean(to) {
		return Written{}, manifest.Classify(manifest.ErrUsage,
			fmt.Errorf("sign bundle %s: an unpacked bundle is signed where it is", path))
	}
	if _, err := sign.ParseSignature(sig); err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	partial := partialPrefix + manifest.SignatureName + partialSuffix
	err := b.root.Remove(partial)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	f, err := b.root.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	_, err = f.Write(sig)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = b.root.Rename(partial, manifest.SignatureName)
	}
	if err != nil {
		b.root.Remove(partial)
		return Written{}, fmt.Errorf("sign bundle: %w", err)
	}
	return Written{ID: b.ID()}, nil
}
