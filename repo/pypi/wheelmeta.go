package pypi

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/tags"
)

// maxMembers bounds the members of a wheel.
const maxMembers = 200_000

// openWheel reads the directory of a wheel.
func openWheel(r io.ReaderAt, size int64) (*zip.Reader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
	}
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("more than %d members: %w", maxMembers, manifest.ErrDamaged)
	}
	return z, nil
}

// distInfo returns the name of a wheel's .dist-info folder: the only one at the
// top, whose name begins with that of the project. pip takes no other wheel.
func distInfo(z *zip.Reader, name *tags.Wheel) (string, error) {
	found := ""
	for _, f := range z.File {
		top, _, ok := strings.Cut(f.Name, "/")
		if !ok || !strings.HasSuffix(top, ".dist-info") || top == found {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("it has %s and %s: %w", found, top, manifest.ErrDamaged)
		}
		found = top
	}
	if !strings.HasPrefix(pep508.NormalizeName(found), pep508.NormalizeName(name.Name)) {
		return "", fmt.Errorf("it has no .dist-info of %s: %w", name.Name, manifest.ErrDamaged)
	}
	return found, nil
}

// readMember reads a member of at most most bytes.
func readMember(z *zip.Reader, name string, most int64) ([]byte, error) {
	for _, f := range z.File {
		if f.Name != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, err, manifest.ErrDamaged)
		}
		defer r.Close()
		data, err := io.ReadAll(io.LimitReader(r, most+1))
		if err != nil {
			if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) {
				err = fmt.Errorf("%w: %w", err, manifest.ErrDamaged)
			}
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if int64(len(data)) > most {
			return nil, fmt.Errorf("%s is larger than %d bytes: %w", name, most, manifest.ErrDamaged)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s is missing: %w", name, manifest.ErrDamaged)
}

// wheelMetadata reads METADATA out of a wheel.
func wheelMetadata(r io.ReaderAt, size int64, filename string) ([]byte, error) {
	wheel, err := tags.ParseWheel(path.Base(filename))
	if err != nil {
		return nil, err
	}
	z, err := openWheel(r, size)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filename, err)
	}
	info, err := distInfo(z, wheel)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filename, err)
	}
	data, err := readMember(z, info+"/METADATA", maxMetadata)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filename, err)
	}
	return data, nil
}
