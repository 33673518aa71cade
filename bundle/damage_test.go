package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// owners tells the member that an offset of the archive is in.
func (s *sample) owners(t testing.TB) func(off int64) string {
	t.Helper()
	b, err := New(bytes.NewReader(s.archive), int64(len(s.archive)))
	if err != nil {
		t.Fatal(err)
	}
	return func(off int64) string {
		for _, m := range b.layout.members {
			if off >= m.off && off < m.off+m.length() {
				return m.path
			}
		}
		return EndName
	}
}

// flipped reads an archive with one bit of it changed.
type flipped struct {
	archive []byte
	off     int64
	mask    byte
}

func (f flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(f.archive).ReadAt(p, off)
	if f.off >= off && f.off < off+int64(n) {
		p[f.off-off] ^= f.mask
	}
	return n, err
}

// checkFlip verifies with one bit changed: damaged, the one member that it is
// in named, all others checked unless it is the manifest.
func checkFlip(t *testing.T, s *sample, owner string, off int64, mask byte, keys []sign.PublicKey) {
	t.Helper()
	var told int64
	opts := VerifyOptions{Jobs: 1, Keys: keys, Progress: func(n int64) { told += n }}
	report, err := VerifyArchive(context.Background(), flipped{s.archive, off, mask}, int64(len(s.archive)), opts)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(report.Err(), manifest.ErrDamaged) || errors.Is(report.Err(), manifest.ErrSignature) {
		t.Fatalf("offset %d in %s: %v", off, owner, report.Err())
	}
	if len(report.Findings) != 1 || report.Findings[0].Path != owner {
		t.Fatalf("offset %d in %s: findings %+v", off, owner, report.Findings)
	}
	if complete := report.Incomplete == ""; complete == (owner == manifest.ManifestName) {
		t.Fatalf("offset %d in %s: incomplete %q", off, owner, report.Incomplete)
	}
	if owner != manifest.ManifestName && told == 0 {
		t.Fatalf("offset %d in %s: nothing else was checked", off, owner)
	}
}

// secret is a key pair for tests.
func secret(t testing.TB, seed uint64) sign.PrivateKey {
	t.Helper()
	key, err := sign.GenerateKey(bytes.NewReader(random(seed, 256)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is the sample with a signature of key in it.
func (s *sample) signed(t testing.TB, key sign.PrivateKey) *sample {
	t.Helper()
	signature, err := sign.Manifest(key, s.raw)
	if err != nil {
		t.Fatal(err)
	}
	c := s.content()
	c.Signature = signature
	out := *s
	var archive bytes.Buffer
	if out.written, err = Write(t.Context(), &archive, c, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	out.archive = archive.Bytes()
	return &out
}

// One bit at every offset of a small bundle, unsigned and signed.
func TestFlipAtEveryOffset(t *testing.T) {
	t.Parallel()
	key := secret(t, 1)
	plain := pack(t, smallFiles(), 1)
	for _, c := range []struct {
		name string
		s    *sample
		keys []sign.PublicKey
	}{
		{"unsigned", plain, nil},
		{"signed", plain.signed(t, key), nil},
		{"signed and trusted", plain.signed(t, key), []sign.PublicKey{key.Public()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			owner := c.s.owners(t)
			for off := range int64(len(c.s.archive)) {
				checkFlip(t, c.s, owner(off), off, 1<<random.IntN(8), c.keys)
			}
		})
	}
}

// 3,000 random offsets of a larger one, of many blocks and spans.
func TestFlipAtRandomOffsets(t *testing.T) {
	t.Parallel()
	files := smallFiles()
	for i, size := range []int{blockSize - tarBlock, 2*blockSize + 1, 5 * tarBlock, frameBlocks*blockSize + 3} {
		files[fmt.Sprintf("large/%d", i)] = random(uint64(i), size)
	}
	s := pack(t, files, 8)
	owner := s.owners(t)
	dice := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		off := dice.Int64N(int64(len(s.archive)))
		checkFlip(t, s, owner(off), off, 1<<dice.IntN(8), nil)
	}
}

// Every length that a copy can be cut to is damage, and a cut at a member's
// edge names it as missing.
func TestTruncatedAnywhere(t *testing.T) {
	t.Parallel()
	s := pack(t, smallFiles(), 1)
	for n := range len(s.archive) {
		if n%7 != 0 && n < len(s.archive)-2000 {
			continue
		}
		report := verify(t, s.archive[:n], VerifyOptions{Jobs: 1})
		if !errors.Is(report.Err(), manifest.ErrDamaged) {
			t.Fatalf("cut to %d: %v", n, report.Err())
		}
		if _, err := New(bytes.NewReader(s.archive[:n]), int64(n)); !errors.Is(err, manifest.ErrDamaged) {
			t.Fatalf("open, cut to %d: %v", n, err)
		}
	}
	b, _ := New(bytes.NewReader(s.archive), int64(len(s.archive)))
	last := b.layout.members[len(b.layout.members)-1]
	report := verify(t, s.archive[:last.off], VerifyOptions{})
	want := []Finding{{Missing, last.path, "the archive ends before it"}}
	if len(report.Findings) != 2 || report.Findings[0] != want[0] || report.Findings[1].Path != EndName {
		t.Errorf("cut before the last member: %+v", report.Findings)
	}
}

// parts are the members of an archive as bytes, to build hostile ones of.
func (s *sample) parts(t *testing.T) (members []member, bytesOf func(path string) []byte) {
	t.Helper()
	b, err := New(bytes.NewReader(s.archive), int64(len(s.archive)))
	if err != nil {
		t.Fatal(err)
	}
	return b.layout.members, func(path string) []byte {
		if path == EndName {
			return slices.Clip(s.archive[b.layout.end:])
		}
		m := b.files[path]
		return slices.Clip(s.archive[m.off : m.off+m.length()])
	}
}

// entryOf is a whole tar entry.
func entryOf(t *testing.T, path string, payload []byte, edit func(h []byte)) []byte {
	t.Helper()
	h, err := tarHeader(path, int64(len(payload)), 0o644, 1714564800)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(h[:])
		sum := int64(0)
		copy(h[148:156], "        ")
		for _, b := range h {
			sum += int64(b)
		}
		octal(h[148:155], sum)
		h[155] = ' '
	}
	raw := make([]byte, rawLength(int64(len(payload))))
	copy(raw, h[:])
	copy(raw[tarBlock:], payload)
	return raw
}

// unframe returns the raw bytes of a member.
func unframe(t *testing.T, framed []byte, size int64) []byte {
	t.Helper()
	var raw []byte
	s := &scanner{r: bytes.NewReader(framed)}
	if err := s.scan(0, rawLength(size), func(_ int64, data []byte) error {
		raw = append(raw, data...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return raw
}

// What tar would extract differently, or might, is damage.
func TestHostileArchives(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	members, bytesOf := s.parts(t)
	var order []string
	for _, m := range members {
		order = append(order, m.path)
	}
	order = append(order, EndName)
	// build joins the members, with some replaced or followed by something.
	build := func(order []string, replace map[string][]byte) []byte {
		var out []byte
		for _, path := range order {
			if r, ok := replace[path]; ok {
				out = append(out, r...)
			} else {
				out = append(out, bytesOf(path)...)
			}
		}
		return out
	}
	const victim = "rpms/haproxy-2.4.el9.rpm"
	payload := s.files[victim]
	raw := unframe(t, bytesOf(victim), int64(len(payload)))
	hidden := entryOf(t, "rpms/hidden", []byte("x"), nil)
	pax := append(entryOf(t, "PaxHeaders/x", []byte("19 path=../../evil\n"), func(h []byte) { h[156] = 'x' }), raw...)
	long := append(entryOf(t, "././@LongLink", []byte("../../evil\x00"), func(h []byte) { h[156] = 'L' }), raw...)
	otherHeader := func(edit func(h []byte)) []byte { return frame(entryOf(t, victim, payload, edit)) }
	zeros := make([]byte, 2*tarBlock)

	for _, c := range []struct {
		name    string
		archive []byte
		named   string // must be among the findings
		only    bool   // and no other may be
	}{
		{"a hidden entry in the member", build(order, map[string][]byte{victim: frame(append(slices.Clone(raw), hidden...))}), victim, false},
		{"a hidden entry in a member of its own", build(order, map[string][]byte{victim: append(bytesOf(victim), frame(hidden)...)}), EndName, false},
		{"an entry after the zero blocks, in the end member", build(order, map[string][]byte{EndName: frame(append(slices.Clone(zeros), hidden...))}), EndName, true},
		{"an entry before the zero blocks, in the end member", build(order, map[string][]byte{EndName: frame(append(slices.Clone(hidden), zeros...))}), EndName, true},
		{"an entry after the end member", append(slices.Clone(s.archive), frame(hidden)...), EndName, true},
		{"a byte after the end", append(slices.Clone(s.archive), 0), EndName, true},
		{"zeros after the end", append(slices.Clone(s.archive), make([]byte, 512)...), EndName, true},
		{"a second gzip stream", append(slices.Clone(s.archive), s.archive...), EndName, true},
		{"an empty gzip stream at the end", append(slices.Clone(s.archive), "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"...), EndName, true},
		{"a PAX block", build(order, map[string][]byte{victim: frame(pax)}), victim, false},
		{"a PAX block in a member of its own", build(order, map[string][]byte{victim: append(frame(pax[:1024]), bytesOf(victim)...)}), victim, false},
		{"a GNU long name", build(order, map[string][]byte{victim: frame(long)}), victim, false},
		{"two members in place of one", build(order, map[string][]byte{victim: append(frame(raw[:512]), frame(raw[512:])...)}), victim, false},
		{"another name", build(order, map[string][]byte{victim: frame(entryOf(t, "rpms/haproxy-2.5.el9.rpm", payload, nil))}), victim, true},
		{"a name outside", build(order, map[string][]byte{victim: frame(entryOf(t, "../../../etc/passwd", payload, nil))}), victim, true},
		{"setuid", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { copy(h[100:], "0004755") })}), victim, true},
		{"another owner", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { copy(h[108:], "0001750") })}), victim, true},
		{"another owner's name", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { copy(h[265:], "mail") })}), victim, true},
		{"another time", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { copy(h[136:], "14614432201") })}), victim, true},
		{"a symbolic link", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { h[156] = '2'; copy(h[157:], "/etc/passwd") })}), victim, true},
		{"a device", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { h[156] = '3' })}), victim, true},
		{"the size in base 256", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { copy(h[124:136], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03") })}), victim, true},
		{"bytes in the padding", build(order, map[string][]byte{victim: frame(append(slices.Clone(raw[:len(raw)-1]), 1))}), victim, true},
		{"a byte in the unused end of the header", build(order, map[string][]byte{victim: otherHeader(func(h []byte) { h[511] = 1 })}), victim, true},
		{"two swapped members", build(swapped(order, 3, 4), nil), order[3], false},
		{"a member that is not there", build(slices.Delete(slices.Clone(order), 3, 4), nil), order[3], false},
		{"a member twice", build(slices.Insert(slices.Clone(order), 3, order[3]), nil), EndName, false},
		{"SHA256SUMS of other files", build(order, map[string][]byte{manifest.SumsName: frame(entryOf(t, manifest.SumsName, bytes.Repeat([]byte("a"), len(SHA256Sums(s.manifest, s.raw))), nil))}), manifest.SumsName, true},
		{"another manifest", build(order, map[string][]byte{manifest.ManifestName: frame(entryOf(t, manifest.ManifestName, bytes.Replace(s.raw, []byte("rhel"), []byte("rhox"), 1), nil))}), manifest.SumsName, true},
		{"a manifest that is no manifest", build(order, map[string][]byte{manifest.ManifestName: frame(entryOf(t, manifest.ManifestName, bytes.Repeat([]byte("x"), len(s.raw)), nil))}), manifest.ManifestName, true},
		{"a manifest of another time", build(order, map[string][]byte{manifest.ManifestName: frame(entryOf(t, manifest.ManifestName, s.raw, func(h []byte) { copy(h[136:], "14614432201") }))}), manifest.ManifestName, true},
		{"a signature that is none", build(slices.Insert(slices.Clone(order), 1, "sig"), map[string][]byte{"sig": frame(entryOf(t, manifest.SignatureName, []byte("trust me\n"), nil))}), manifest.SignatureName, true},
		{"an empty signature", build(slices.Insert(slices.Clone(order), 1, "sig"), map[string][]byte{"sig": frame(entryOf(t, manifest.SignatureName, nil, nil))}), manifest.SignatureName, false},
		{"nothing", nil, manifest.ManifestName, true},
		{"no archive", []byte(strings.Repeat("PK\x03\x04", 999)), manifest.ManifestName, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := verify(t, c.archive, VerifyOptions{})
			if !errors.Is(report.Err(), manifest.ErrDamaged) {
				t.Fatalf("%v", report.Err())
			}
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Path == c.named }) {
				t.Errorf("%s is not named: %+v", c.named, report.Findings)
			}
			if c.only && slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Path != c.named }) {
				t.Errorf("more is named than %s: %+v", c.named, report.Findings)
			}
		})
	}
}

func swapped(order []string, i, j int) []string {
	out := slices.Clone(order)
	out[i], out[j] = out[j], out[i]
	return out
}

// The framing itself is compared: what decompresses to the same bytes in
// another way is damage too.
func TestOtherFramingOfTheSameBytes(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	members, _ := s.parts(t)
	m := members[len(members)-1]
	for name, edit := range map[string]func(member []byte) []byte{
		"a time in the gzip header":  func(b []byte) []byte { b[4] = 1; return b },
		"another operating system":   func(b []byte) []byte { b[9] = 3; return b },
		"bits behind the block type": func(b []byte) []byte { b[10] |= 0x40; return b },
		"the best compression flag":  func(b []byte) []byte { b[8] = 2; return b },
	} {
		t.Run(name, func(t *testing.T) {
			archive := slices.Clone(s.archive)
			end := m.off + m.length()
			copy(archive[m.off:end], edit(slices.Clone(archive[m.off:end])))
			report := verify(t, archive, VerifyOptions{})
			if len(report.Findings) != 1 || report.Findings[0].Path != m.path {
				t.Errorf("findings %+v", report.Findings)
			}
		})
	}
}

// A disk that fails in one place hides nothing of the rest.
func TestUnreadablePlace(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	members, _ := s.parts(t)
	m := members[3]
	r := failing{bytes.NewReader(s.archive), m.off + 20}
	report, err := VerifyArchive(t.Context(), r, int64(len(s.archive)), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) != 1 || report.Findings[0] != (Finding{Unreadable, m.path, "input/output error"}) {
		t.Errorf("findings %+v", report.Findings)
	}
}

type failing struct {
	r   *bytes.Reader
	off int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if f.off >= off && f.off < off+int64(len(p)) {
		return 0, errors.New("input/output error")
	}
	return f.r.ReadAt(p, off)
}
