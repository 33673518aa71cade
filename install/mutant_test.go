package install

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgbundle/bundle"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// An entry is one member of an archive that a forger writes: everything in it
// may be a lie, and its sizes and checksums fit all the same.
type entry struct {
	path    string // as tar has it, with the top folder
	flag    byte   // type of a USTAR header: '0' a regular file
	link    string
	mode    uint32
	payload []byte
	header  func(h []byte)          // further lies in the header; its checksum is taken afterwards
	frame   func(raw []byte) []byte // another gzip member around it; nil: the canonical one
}

// bundled is a bundle in the hands of a forger.
type bundled struct {
	entries []entry // manifest, signature, sums, then the files in the manifest's order
	m       manifest.Manifest
	canary  string // a folder beside the bundle and the node that nobody may write to
}

// takeApart reads a bundle into what a forger can change.
func takeApart(t *testing.T, files map[string][]byte, b made, canary string) *bundled {
	t.Helper()
	opened, err := bundle.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	m := *opened.Manifest()
	m.Files = slices.Clone(m.Files)
	out := &bundled{m: m, canary: canary}
	add := func(path string, mode uint32, payload []byte) {
		out.entries = append(out.entries, entry{path: inTop(path), flag: '0', mode: mode, payload: payload})
	}
	add(manifest.ManifestName, 0o644, opened.RawManifest())
	if s := opened.Signature(); s != nil {
		add(manifest.SignatureName, 0o644, s)
	}
	add(manifest.SumsName, 0o644, bundle.SHA256Sums(&m, opened.RawManifest()))
	for _, f := range m.Files {
		add(f.Path, f.Mode, files[f.Path])
	}
	return out
}

func inTop(path string) string { return bundle.TopFolder + "/" + path }

// clone lets a mutation change everything but the bytes of a payload.
func (b *bundled) clone() *bundled {
	c := &bundled{entries: slices.Clone(b.entries), m: b.m, canary: b.canary}
	c.m.Files = slices.Clone(b.m.Files)
	return c
}

// at is the place of an entry by its path in the bundle, -1 when it is not there.
func (b *bundled) at(path string) int {
	return slices.IndexFunc(b.entries, func(e entry) bool { return e.path == inTop(path) })
}

// first is the place of the first file that the manifest lists.
func (b *bundled) first() int { return b.at(manifest.SumsName) + 1 }

// any is the place of some file that the manifest lists; full: one with bytes.
func (b *bundled) any(d *rand.Rand, full bool) int {
	for {
		at := b.first() + d.IntN(len(b.entries)-b.first())
		if !full || len(b.entries[at].payload) > 0 {
			return at
		}
	}
}

// rewrite puts another manifest in and, with sums, the SHA256SUMS of it.
func (b *bundled) rewrite(raw []byte, sums bool) {
	b.entries[b.at(manifest.ManifestName)].payload = raw
	if sums {
		b.entries[b.at(manifest.SumsName)].payload = bundle.SHA256Sums(&b.m, raw)
	}
}

// relist makes the manifest and SHA256SUMS say what the entries are.
func (b *bundled) relist(t *testing.T) {
	t.Helper()
	b.m.Files = nil
	for _, e := range b.entries[b.first():] {
		b.m.Files = append(b.m.Files, manifest.File{Path: strings.TrimPrefix(e.path, bundle.TopFolder+"/"), Size: int64(len(e.payload)), Mode: e.mode, SHA256: manifest.Digest(e.payload)})
	}
	raw, err := b.m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b.rewrite(raw, true)
}

// relistAs lists a file under a name, or with words, that no manifest of
// pgbundle has: all that follows from it is computed anew.
func (b *bundled) relistAs(t *testing.T, at int, old, hostile string, path string) {
	t.Helper()
	b.relist(t)
	raw := b.entries[b.at(manifest.ManifestName)].payload
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("the manifest has no %q", old)
	}
	raw = bytes.Replace(raw, []byte(old), []byte(hostile), 1)
	n := slices.IndexFunc(b.m.Files, func(f manifest.File) bool { return inTop(f.Path) == b.entries[at].path })
	b.m.Files[n].Path = path
	b.entries[at].path = inTop(path)
	b.rewrite(raw, true)
}

// swapSignature puts another signature in the place of the bundle's; nil: none.
func (b *bundled) swapSignature(data []byte) {
	at := b.at(manifest.SignatureName)
	if data == nil {
		b.entries = slices.Delete(b.entries, at, at+1)
		return
	}
	b.entries[at].payload = data
}

// resign signs the manifest as it is now.
func (b *bundled) resign(t *testing.T, key sign.PrivateKey) {
	t.Helper()
	data, err := sign.Manifest(key, b.entries[0].payload)
	if err != nil {
		t.Fatal(err)
	}
	b.swapSignature(data)
}

// archive writes the entries as docs/formats.md says, in words of its own: it
// shares no code with what it tests. Edges are where members begin, and where
// the end member does.
func (b *bundled) archive() (data []byte, edges []int) {
	for _, e := range b.entries {
		edges = append(edges, len(data))
		raw := append(e.tarHeader(int64(b.m.Lock.Time.Unix())), e.payload...)
		raw = append(raw, make([]byte, (512-len(raw)%512)%512)...)
		if e.frame != nil {
			data = append(data, e.frame(raw)...)
		} else {
			data = append(data, stored(raw)...)
		}
	}
	edges = append(edges, len(data))
	return append(data, stored(make([]byte, 1024))...), edges
}

// stored is one gzip member of stored blocks.
func stored(raw []byte) []byte {
	out := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	crc := crc32.ChecksumIEEE(raw)
	total := len(raw)
	for {
		n := min(len(raw), 65535)
		final := byte(0)
		if n == len(raw) {
			final = 1
		}
		out = append(out, final, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		out = append(out, raw[:n]...)
		if raw = raw[n:]; final == 1 {
			break
		}
	}
	out = binary.LittleEndian.AppendUint32(out, crc)
	return binary.LittleEndian.AppendUint32(out, uint32(total))
}

// tarHeader is a USTAR header (POSIX.1-1988).
func (e entry) tarHeader(mtime int64) []byte {
	h := make([]byte, 512)
	name, prefix := e.path, ""
	for at := 0; len(name) > 100; {
		next := strings.IndexByte(e.path[at:], '/')
		if next < 0 {
			break
		}
		at += next + 1
		prefix, name = e.path[:at-1], e.path[at:]
	}
	copy(h[0:100], name)
	copy(h[100:], fmt.Sprintf("%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00", e.mode, 0, 0, len(e.payload), mtime))
	h[156] = e.flag
	copy(h[157:257], e.link)
	copy(h[257:], "ustar\x0000root")
	copy(h[297:], "root")
	copy(h[329:], fmt.Sprintf("%07o\x00%07o\x00", 0, 0))
	copy(h[345:500], prefix)
	if e.header != nil {
		e.header(h)
	}
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// folder unpacks the entries as a careless tar would; what no folder can hold
// is left out. Without root a socket stands for a device.
func (b *bundled) folder(t *testing.T, top string) {
	t.Helper()
	for _, e := range b.entries {
		path := filepath.Join(top, strings.TrimPrefix(e.path, bundle.TopFolder+"/"))
		if !strings.HasPrefix(path, top+"/") || strings.HasPrefix(e.path, "/") {
			continue
		}
		if !folders(top, filepath.Dir(path)) {
			continue
		}
		if err := e.unpack(path, top); err != nil {
			t.Fatal(err)
		}
	}
}

// folders makes the folders from top to dir. It says no when something else is
// in the way: the forger's own tar does not write through a link.
func folders(top, dir string) bool {
	if dir != filepath.Dir(top) && !folders(top, filepath.Dir(dir)) {
		return false
	}
	if info, err := os.Lstat(dir); err == nil {
		return info.IsDir()
	}
	return os.Mkdir(dir, 0o755) == nil
}

func (e entry) unpack(path, top string) error {
	switch e.flag {
	case '1':
		from := e.link
		if !filepath.IsAbs(from) {
			from = filepath.Join(filepath.Dir(top), e.link)
		}
		return os.Link(from, path)
	case '2':
		return os.Symlink(e.link, path)
	case '3', '4':
		return mknod(path, e.flag)
	case '5':
		return os.MkdirAll(path, 0o755)
	case '6':
		return syscall.Mkfifo(path, 0o644)
	}
	mode := fs.FileMode(e.mode & 0o777)
	for bit, m := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.mode&bit != 0 {
			mode |= m
		}
	}
	return errors.Join(os.WriteFile(path, e.payload, 0o600), os.Chmod(path, mode))
}
