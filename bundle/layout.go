package bundle

import (
	"encoding/hex"
	"fmt"
	"strings"

	"pgbundle/manifest"
)

// A member is one file's place in an archive.
type member struct {
	path   string
	size   int64
	mode   uint32
	mtime  int64
	sha256 string
	off    int64 // of the gzip member, in the archive
}

func (m member) header() ([tarBlock]byte, error) { return tarHeader(m.path, m.size, m.mode, m.mtime) }
func (m member) length() int64                   { return framedLength(rawLength(m.size)) }

// A layout is the place of every member, as the manifest determines it.
type layout struct {
	members []member // manifest, signature if any, SHA256SUMS, files
	sums    []byte   // what SHA256SUMS must be
	end     int64    // offset of the end member
	total   int64    // size of the archive
}

// newLayout lays out the archive of m, whose raw bytes are raw, with a
// signature of that many bytes; 0: unsigned.
func newLayout(m *manifest.Manifest, raw []byte, signature int64) (*layout, error) {
	l := &layout{
		sums:    SHA256Sums(m, raw),
		members: make([]member, 0, len(m.Files)+3),
	}
	mtime := m.Lock.Time.Unix()
	add := func(path string, size int64, mode uint32, sum string) error {
		if _, _, err := splitName(TopFolder + "/" + path); err != nil {
			return err
		}
		next := member{path: path, size: size, mode: mode, mtime: mtime, sha256: sum, off: l.end}
		l.members = append(l.members, next)
		l.end += next.length()
		return nil
	}
	if err := add(manifest.ManifestName, int64(len(raw)), 0o644, manifest.Digest(raw)); err != nil {
		return nil, err
	}
	if signature > 0 {
		if err := add(manifest.SignatureName, signature, 0o644, ""); err != nil {
			return nil, err
		}
	}
	if err := add(manifest.SumsName, int64(len(l.sums)), 0o644, manifest.Digest(l.sums)); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if err := add(f.Path, f.Size, f.Mode, f.SHA256); err != nil {
			return nil, err
		}
	}
	l.total = l.end + framedLength(2*tarBlock)
	return l, nil
}

// SHA256Sums returns what SHA256SUMS of a bundle holds, for people with stock
// tools: a line as of sha256sum for the manifest, whose raw bytes are raw, and
// for every file that it lists, in its order.
func SHA256Sums(m *manifest.Manifest, raw []byte) []byte {
	var b strings.Builder
	line := func(sum, path string) {
		b.WriteString(sum)
		b.WriteString("  ")
		b.WriteString(path)
		b.WriteByte('\n')
	}
	line(manifest.Digest(raw), manifest.ManifestName)
	for _, f := range m.Files {
		line(f.SHA256, f.Path)
	}
	return []byte(b.String())
}

// sameDigest compares a digest with its hex form.
func sameDigest(sum []byte, want string) bool { return hex.EncodeToString(sum) == want }

// FileName returns the name that the archive of a bundle has:
// patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz. Profile is
// "full" or "delta".
func FileName(postgres, etcd string, target manifest.Target, profile string) (string, error) {
	name := fmt.Sprintf("patroni-airgap-bundle-pg%s-etcd%s-%s%s-%s-%s.tar.gz",
		postgres, etcd, target.OS, target.Release, target.Arch, profile)
	for _, part := range []string{postgres, etcd, target.OS, target.Release, target.Arch, profile} {
		if part == "" || strings.ContainsAny(part, "/\\ ") {
			return "", manifest.Classify(manifest.ErrUsage, fmt.Errorf("name of the bundle %q: %q is no part of a file name", name, part))
		}
	}
	return name, nil
}
