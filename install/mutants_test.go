package install

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A mutation is one kind of forgery. Sizes, checksums and framing are computed
// after it: what catches it has to be a digest, the layout or the signature.
type mutation struct {
	name   string
	change func(t *testing.T, d *rand.Rand, b *bundled)           // of the entries; nil: cut changes the archive's bytes
	cut    func(d *rand.Rand, archive []byte, edges []int) []byte // after the entries were written
	folder bool                                                   // an unpacked bundle can have it too
	whole  bool                                                   // it agrees with itself: without a trusted key it may be installed
}

const (
	victim  = "rpms/haproxy-2.4-1.el9.x86_64.rpm"
	planted = "planted" // a name for what nobody lists
)

var mutations = []mutation{
	{name: "bytes of a member", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		e := &b.entries[b.any(d, true)]
		if d.IntN(8) == 0 {
			e = &b.entries[b.at(manifest.SumsName)]
		}
		e.payload = flip(d, e.payload)
	}},
	{name: "size of a member", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		e := &b.entries[b.any(d, true)]
		if n := d.IntN(len(e.payload)); d.IntN(2) == 0 {
			e.payload = e.payload[:n]
		} else {
			e.payload = append(bytes.Clone(e.payload), noise(d, 1+d.IntN(2000))...)
		}
	}},
	{name: "dropped", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		at := b.any(d, false)
		if d.IntN(8) == 0 {
			at = b.at(manifest.SumsName)
		}
		b.entries = slices.Delete(b.entries, at, at+1)
	}},
	{name: "added", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		name := []string{"rpms/more.rpm", "more", ".hidden", "deep/er/and/deeper", "pgbundle.sh", "rpms/repodata/more.xml.gz", "venv/bin/python", receiptName, marker}[d.IntN(9)]
		b.insert(d, entry{path: inTop(name), flag: '0', mode: 0o644, payload: noise(d, d.IntN(3000))})
	}},
	{name: "renamed", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		e := &b.entries[b.any(d, false)]
		e.path += []string{"x", "/x", ".rpm", " ", "~"}[d.IntN(5)]
	}},
	{name: "reordered", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		from, to := b.any(d, false), b.any(d, false)
		for from == to {
			to = d.IntN(len(b.entries))
		}
		e := b.entries[from]
		b.entries = slices.Insert(slices.Delete(b.entries, from, from+1), min(to, len(b.entries)-1), e)
	}},
	{name: "symbolic link", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		to := []string{b.canary + "/secret", "../../canary/secret", "/etc/passwd", inTop(victim), b.canary}[d.IntN(5)]
		b.special(d, '2', to)
	}},
	{name: "folder that is a link", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		// Before the files that lie in it, as an archive would that wants them elsewhere.
		at := b.at(victim)
		link := entry{path: inTop("rpms"), flag: '2', mode: 0o777, link: b.canary}
		if d.IntN(2) == 0 {
			link = entry{path: inTop("outside"), flag: '2', mode: 0o777, link: b.canary}
		} else {
			b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return strings.HasPrefix(e.path, inTop("rpms/")) && d.IntN(2) == 0 })
			at = b.first()
		}
		b.entries = slices.Insert(b.entries, at, link)
	}},
	{name: "hard link", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		if d.IntN(2) == 0 {
			b.entries = append(b.entries, entry{path: inTop(planted), flag: '1', mode: 0o644, link: inTop(victim)})
			return
		}
		b.special(d, '1', b.canary+"/secret")
	}},
	{name: "device", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) { b.special(d, "34"[d.IntN(2)], "") }},
	{name: "fifo", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) { b.special(d, '6', "") }},
	{name: "folder in a file's place", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) { b.special(d, '5', "") }},
	{name: "other type", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.entries[b.any(d, false)].flag = []byte{0, '7', 'S', 'D', 'M', 'V', 'N', 'A'}[d.IntN(8)]
	}},
	{name: "..", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.stray(d, []string{"airgap-bundle/../" + planted, "../" + planted, "airgap-bundle/../../canary/" + planted, "airgap-bundle/rpms/../../../canary/secret", ".."}[d.IntN(5)])
	}},
	{name: ".. in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.relistPath(t, []string{"../" + planted, "../../canary/" + planted, "../../canary/secret", "rpms/../../../../canary/secret", "../../../../opt/" + planted}[d.IntN(5)])
	}},
	{name: "absolute", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.stray(d, []string{b.canary + "/" + planted, b.canary + "/secret", "/" + planted}[d.IntN(3)])
	}},
	{name: "absolute in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.relistPath(t, []string{b.canary + "/" + planted, b.canary + "/secret", "/" + planted, "//" + planted}[d.IntN(4)])
	}},
	{name: "duplicate", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		twin := b.entries[b.any(d, true)]
		if d.IntN(2) == 0 {
			twin.payload = flip(d, twin.payload)
		}
		b.insert(d, twin)
	}},
	{name: "duplicate in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		names := []string{keyFile, "pgbundle", manifest.ManifestName, manifest.SumsName, manifest.SignatureName, "rpms/repodata"}
		b.relistPath(t, names[d.IntN(len(names))])
	}},
	{name: "case twin", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		twin := b.entries[b.any(d, false)]
		twin.path = inTop(strings.ToUpper(strings.TrimPrefix(twin.path, inTop(""))))
		b.insert(d, twin)
	}},
	{name: "case twin in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		names := []string{strings.ToUpper(keyFile), "PGBUNDLE", "Manifest.yaml", "sha256sums", "RPMS/other.rpm", "rpms/RepoData/x"}
		b.relistPath(t, names[d.IntN(len(names))])
	}},
	{name: "reserved name in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		names := []string{receiptName, marker, madeName, "venv/bin/python", "Venv/x", "RECEIPT.yaml", "venv.sha256sums"}
		b.relistPath(t, names[d.IntN(len(names))])
	}},
	{name: "strange name in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		names := []string{"rpms/./x", "rpms//x", " x", "x ", "rpms/x\u00e9", "a/" + strings.Repeat("n", 120), strings.Repeat("d/", 600) + "x", "."}
		b.relistPath(t, names[d.IntN(len(names))])
	}},
	{name: "wrong mode", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		e := &b.entries[b.any(d, false)]
		e.mode = []uint32{0o666, 0o777, 0o4755, 0o2755, 0o1777, 0o444, 0o400, 0o754 &^ e.mode & 0o777}[d.IntN(8)]
	}},
	{name: "wrong mode in the manifest", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		at := b.at(victim)
		word := []string{"04755", "0777", "0666", "02755", "0600", "-1", "0x1ed"}[d.IntN(7)]
		b.relist(t)
		raw := string(b.entries[0].payload)
		digest := strings.Index(raw, manifest.Digest(b.entries[at].payload))
		old := raw[strings.LastIndex(raw[:digest], "mode: "):digest]
		b.relistAs(t, at, old, strings.Replace(old, "0644", word, 1), victim)
	}},
	{name: "lie in a header", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		field := []struct {
			at   int
			text string
		}{{108, "0001750"}, {116, "0001750"}, {136, "00000000000"}, {265, "mallory"}, {297, "mallory"}, {329, "0000001"}, {345, "../canary"}, {500, "x"}, {257, "ustar  \x00"}, {257, "\x00\x00\x00\x00\x00\x00\x00\x00"}, {157, "link"}, {124, "\x80"}}[d.IntN(12)]
		b.entries[b.any(d, false)].header = func(h []byte) { copy(h[field.at:], field.text) }
	}},
	{name: "PAX header", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		record := []string{"path=../../canary/" + planted, "path=" + b.canary + "/" + planted, "path=" + inTop("other"), "size=1", "linkpath=" + b.canary, "comment=hello", "SCHILY.xattr.user.x=y"}[d.IntN(7)]
		b.before(d, entry{path: inTop("PaxHeaders.0/x"), flag: "xg"[d.IntN(2)], mode: 0o644, payload: paxRecord(record)})
	}},
	{name: "GNU long name", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		name := []string{"../../canary/" + planted, b.canary + "/" + planted, inTop(strings.Repeat("n", 200)), inTop(victim)}[d.IntN(4)]
		b.before(d, entry{path: "././@LongLink", flag: "LK"[d.IntN(2)], mode: 0o644, payload: []byte(name + "\x00")})
	}},
	{name: "other framing", change: func(t *testing.T, d *rand.Rand, b *bundled) {
		b.entries[b.any(d, false)].frame = framings[d.IntN(len(framings))]
	}},
	{name: "bytes between or behind members", cut: func(d *rand.Rand, archive []byte, edges []int) []byte {
		more := [][]byte{stored(nil), stored(make([]byte, 512)), noise(d, 1+d.IntN(600)), {0}, archive[edges[3]:edges[4]]}[d.IntN(5)]
		at := append(slices.Clone(edges), len(archive), len(archive))[d.IntN(len(edges)+2)]
		return slices.Concat(archive[:at], more, archive[at:])
	}},
	{name: "truncated", cut: func(d *rand.Rand, archive []byte, edges []int) []byte {
		switch d.IntN(3) {
		case 0: // at a member's edge, and ended as an archive should be
			return slices.Concat(archive[:edges[d.IntN(len(edges)-1)]], archive[edges[len(edges)-1]:])
		case 1:
			return archive[:edges[d.IntN(len(edges))]]
		}
		return archive[:d.IntN(len(archive))]
	}},
	{name: "manifest edited", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		f := &b.m.Files[d.IntN(len(b.m.Files))]
		switch d.IntN(5) {
		case 0:
			f.Size++
		case 1:
			f.SHA256 = manifest.Digest(noise(d, 8))
		case 2:
			f.Mode ^= 0o644 ^ 0o755
		case 3:
			f.Path += "x"
		default:
			b.m.Files = slices.Delete(b.m.Files, 0, 1)
		}
		b.remarshal(t, d.IntN(4) > 0)
	}},
	{name: "manifest edited, sums not", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		raw := b.entries[0].payload
		switch d.IntN(3) {
		case 0:
			b.rewrite(append(bytes.Clone(raw), "# more\n"...), false)
		case 1:
			b.m.Lock.Time = b.m.Lock.Time.AddDate(0, 0, d.IntN(100)+1)
			b.remarshal(t, false)
		default:
			b.m.Lock.Target.Release = "9.3"
			b.remarshal(t, false)
		}
	}},
	{name: "manifest that is no strict YAML", folder: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		raw := string(b.entries[0].payload)
		b.rewrite([]byte([]string{
			raw + "version: 1\n",
			raw + "more: x\n",
			strings.Replace(raw, "version: 1", "version: &v 1", 1),
			strings.Replace(raw, "version: 1", "version: !!int 1", 1),
			strings.Replace(raw, "version: 1", "version: 2", 1),
			raw + "---\n" + raw,
			strings.Replace(raw, "path: pgbundle\n", "path: \"pgbundle\\0\"\n", 1),
			raw[:d.IntN(len(raw))],
		}[d.IntN(8)]), true)
	}},
	{name: "signature", folder: true, whole: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		data := b.entries[b.at(manifest.SignatureName)].payload
		switch d.IntN(5) {
		case 0:
			b.swapSignature(nil)
		case 1:
			b.resign(t, stranger(t))
		case 2:
			b.swapSignature(bytes.Replace(data, []byte("trusted comment: pgbundle"), []byte("trusted comment: pgBundle"), 1))
		case 3:
			b.swapSignature(noise(d, d.IntN(300)+1))
		default:
			// The first line is minisign's untrusted comment, which it does not sign.
			from := bytes.IndexByte(data, '\n') + 1
			at := from + d.IntN(len(data)-from-1)
			out := bytes.Clone(data)
			out[at] = "AZaz09+/"[d.IntN(8)]
			if bytes.Equal(out, data) {
				out[at] = 'b'
			}
			b.swapSignature(out)
		}
	}},
	{name: "manifest edited and rehashed", folder: true, whole: true, change: func(t *testing.T, d *rand.Rand, b *bundled) {
		switch at := b.any(d, true); d.IntN(6) {
		case 0:
			b.entries[at].payload = flip(d, b.entries[at].payload)
		case 1:
			b.entries[at].payload = noise(d, d.IntN(100000))
		case 2:
			b.insertLast(entry{path: inTop("rpms/zzz-evil.rpm"), flag: '0', mode: 0o755, payload: noise(d, 3000)})
		case 3:
			b.entries = slices.Delete(b.entries, b.at(victim), b.at(victim)+1)
		case 4:
			b.entries[b.at(victim)].path = inTop("rpms/haproxy-9.9-1.el9.x86_64.rpm")
		default:
			b.m.Lock.Time = b.m.Lock.Time.AddDate(0, 0, d.IntN(100)+1)
		}
		slices.SortFunc(b.entries[b.first():], func(x, y entry) int { return strings.Compare(x.path, y.path) })
		b.relist(t)
		switch d.IntN(3) {
		case 0:
			b.swapSignature(nil)
		case 1:
			b.resign(t, stranger(t))
		}
	}},
}

// framings hold the same bytes in another gzip member.
var framings = []func(raw []byte) []byte{
	func(raw []byte) []byte { return deflated(raw, gzip.BestCompression, "") },
	func(raw []byte) []byte { return deflated(raw, gzip.NoCompression, "") },
	func(raw []byte) []byte { return deflated(raw, gzip.NoCompression, "name") },
	func(raw []byte) []byte { return append(stored(raw[:512]), stored(raw[512:])...) },
	func(raw []byte) []byte { b := stored(raw); b[4] = 1; return b },
	func(raw []byte) []byte { b := stored(raw); b[9] = 3; return b },
	func(raw []byte) []byte { b := stored(raw); b[10] |= 0x80; return b },
	func(raw []byte) []byte { return stored(append(bytes.Clone(raw), make([]byte, 512)...)) },
}

func deflated(raw []byte, level int, name string) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, level)
	w.Name = name
	w.Write(raw)
	w.Close()
	return out.Bytes()
}

// insert puts an entry in some place behind SHA256SUMS.
func (b *bundled) insert(d *rand.Rand, e entry) {
	b.entries = slices.Insert(b.entries, b.first()+d.IntN(len(b.entries)-b.first()+1), e)
}

func (b *bundled) insertLast(e entry) { b.entries = append(b.entries, e) }

// before puts an entry before some file, which it may be about.
func (b *bundled) before(d *rand.Rand, e entry) {
	b.entries = slices.Insert(b.entries, b.any(d, false), e)
}

// special puts something that is no file in the place of one, or beside it.
func (b *bundled) special(d *rand.Rand, flag byte, link string) {
	e := entry{flag: flag, mode: 0o644, link: link, path: inTop(planted)}
	if d.IntN(3) == 0 {
		b.insert(d, e)
		return
	}
	at := b.any(d, false)
	e.path = b.entries[at].path
	b.entries[at] = e
}

// stray lets an entry bear a name that leads elsewhere.
func (b *bundled) stray(d *rand.Rand, path string) {
	if at := b.any(d, false); d.IntN(2) == 0 {
		b.entries[at].path = path
		return
	}
	b.insert(d, entry{path: path, flag: '0', mode: 0o644, payload: noise(d, 100)})
}

// relistPath lists the victim under another name.
func (b *bundled) relistPath(t *testing.T, path string) {
	b.relistAs(t, b.at(victim), "path: "+victim+"\n", fmt.Sprintf("path: %q\n", path), path)
}

// remarshal puts the manifest in as it is now, whatever the entries are.
func (b *bundled) remarshal(t *testing.T, sums bool) {
	t.Helper()
	raw, err := b.m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b.rewrite(raw, sums)
}

// flip changes one to eight bytes.
func flip(d *rand.Rand, data []byte) []byte {
	out := bytes.Clone(data)
	for range 1 + d.IntN(8) {
		out[d.IntN(len(out))] ^= byte(1 + d.IntN(255))
	}
	if bytes.Equal(out, data) {
		out[0] ^= 1
	}
	return out
}

func noise(d *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(d.Uint32())
	}
	return out
}

// paxRecord is one record of an extended header (POSIX.1-2001 pax): its length
// counts itself.
func paxRecord(text string) []byte {
	for n := len(text) + 3; ; n++ {
		if record := fmt.Sprintf("%d %s\n", n, text); len(record) == n {
			return []byte(record)
		}
	}
}

func stranger(t *testing.T) sign.PrivateKey {
	t.Helper()
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{9}, 256)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
