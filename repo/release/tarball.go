package release

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Bounds of a tarball, unpacked.
const (
	maxMembers = 10_000
	maxBytes   = 2 << 30
)

// CheckTarball looks into a release's tarball: one top folder of its own name,
// everything inside it, and the given programs as executable files. What it is
// not is of class manifest.ErrDamaged.
func CheckTarball(r io.Reader, top string, programs ...string) error {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return damaged("read tarball %s: %w", top, err)
	}
	archive := tar.NewReader(io.LimitReader(unzipped, maxBytes))
	missing := slices.Clone(programs)
	for n := 0; ; n++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return damaged("read tarball %s: %w", top, err)
		}
		if n == maxMembers {
			return damaged("read tarball %s: more than %d members", top, maxMembers)
		}
		if err := checkMember(h, top); err != nil {
			return err
		}
		missing = slices.DeleteFunc(missing, func(p string) bool {
			return h.Name == top+"/"+p && h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 && h.Size > 0
		})
	}
	if len(missing) > 0 {
		return damaged("read tarball %s: it has no program %s", top, strings.Join(missing, ", "))
	}
	return nil
}

func checkMember(h *tar.Header, top string) error {
	name := strings.TrimSuffix(h.Name, "/")
	if name != top && !strings.HasPrefix(name, top+"/") {
		return damaged("read tarball %s: the member %q lies outside its top folder", top, h.Name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return damaged("read tarball %s: the member %q is no clean path", top, h.Name)
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	}
	return damaged("read tarball %s: the member %q is neither a file nor a folder", top, fmt.Sprintf("%.200s", h.Name))
}
