package repomd

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"pgbundle/repo/rpm/pkgfile"
)

// Packaged is a package as it stands in a repository that is to be written.
type Packaged struct {
	Location string // of the file, relative to the folder that holds repodata, slash-separated
	Size     int64  // of the file
	SHA256   string // of the file, 64 lower-case hex digits
	Package  *pkgfile.Package
}

// WrittenFile is one file of a repository's metadata.
type WrittenFile struct {
	Path string // "repodata/repomd.xml", …
	Data []byte
}

// Generate writes the metadata of a repository: primary, filelists and other as
// createrepo_c 0.17 to 1.0 writes them, and repomd.xml, which is the last of the
// returned files. Packages are put in the order of their locations. The bytes
// depend on nothing but the arguments: revision stands for every time, and the
// gzip members hold stored blocks, since what a compressor makes of the same
// input changes with its version.
func Generate(pkgs []Packaged, revision time.Time) ([]WrittenFile, error) {
	pkgs = slices.Clone(pkgs)
	slices.SortFunc(pkgs, func(a, b Packaged) int { return cmp.Compare(a.Location, b.Location) })
	if err := writeCheck(pkgs); err != nil {
		return nil, err
	}
	kinds := []struct {
		name, root string
		each       func(w *xmlWriter, p *Packaged)
	}{
		{"primary", `metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"`,
			func(w *xmlWriter, p *Packaged) { writePrimary(w, p, revision.Unix()) }},
		{"filelists", `filelists xmlns="http://linux.duke.edu/metadata/filelists"`, writeFilelists},
		{"other", `otherdata xmlns="http://linux.duke.edu/metadata/other"`, writeOther},
	}
	written := make([]writtenData, len(kinds))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		wg.Go(func() {
			written[i] = newWrittenData(kind.name, writeDocument(kind.root, pkgs, kind.each))
		})
	}
	wg.Wait()
	var files []WrittenFile
	for _, d := range written {
		files = append(files, WrittenFile{Path: d.path, Data: d.data})
	}
	return append(files, WrittenFile{Path: "repodata/repomd.xml", Data: writeRepomd(written, revision.Unix())}), nil
}

// writeCheck refuses what would make a repository that lies: two packages at
// one place, a place outside, a digest that is none.
func writeCheck(pkgs []Packaged) error {
	for i, p := range pkgs {
		switch sum, err := hex.DecodeString(p.SHA256); {
		case p.Package == nil:
			return fmt.Errorf("write repodata for %s: no package header", p.Location)
		case p.Location == "" || path.IsAbs(p.Location) || path.Clean("/" + p.Location)[1:] != p.Location:
			return fmt.Errorf("write repodata: %q is no clean relative path", p.Location)
		case i > 0 && pkgs[i-1].Location == p.Location:
			return fmt.Errorf("write repodata: two packages at %s", p.Location)
		case err != nil || len(sum) != sha256.Size || p.SHA256 != hex.EncodeToString(sum):
			return fmt.Errorf("write repodata for %s: %q is no sha256", p.Location, p.SHA256)
		case p.Size <= 0:
			return fmt.Errorf("write repodata for %s: size %d", p.Location, p.Size)
		}
	}
	return nil
}

func writeDocument(root string, pkgs []Packaged, each func(*xmlWriter, *Packaged)) []byte {
	w := &xmlWriter{}
	w.raw(xmlDeclaration, "<", root, ` packages="`, strconv.Itoa(len(pkgs)), "\">\n")
	for i := range pkgs {
		each(w, &pkgs[i])
	}
	name, _, _ := bytes.Cut([]byte(root), []byte(" "))
	w.raw("</", string(name), ">")
	return w.buf
}

// writtenData is one <data> of repomd.xml with the file that it describes.
type writtenData struct {
	kind, path   string
	data         []byte
	sum, openSum string
	openSize     int
}

func newWrittenData(kind string, open []byte) writtenData {
	data := writeStored(open)
	d := writtenData{kind: kind, data: data, sum: writeSum(data), openSum: writeSum(open), openSize: len(open)}
	// With its digest in its name, a file never changes under a cache.
	d.path = "repodata/" + d.sum + "-" + kind + ".xml.gz"
	return d
}

func writeSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// writeStored wraps data in one gzip member of stored blocks (RFC 1951, section 3.2.4).
func writeStored(data []byte) []byte {
	const block = 0xffff
	out := make([]byte, 0, len(data)+5*(len(data)/block+1)+18)
	out = append(out, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff)
	for rest := data; ; {
		n := min(len(rest), block)
		final := byte(0)
		if n == len(rest) {
			final = 1
		}
		out = append(out, final, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		out = append(out, rest[:n]...)
		if rest = rest[n:]; final == 1 {
			break
		}
	}
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
	return binary.LittleEndian.AppendUint32(out, uint32(len(data)))
}

func writeRepomd(written []writtenData, revision int64) []byte {
	w := &xmlWriter{}
	w.raw(xmlDeclaration, `<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">`, "\n")
	at := strconv.FormatInt(revision, 10)
	w.raw("  <revision>", at, "</revision>\n")
	for _, d := range written {
		w.raw(`  <data type="`, d.kind, "\">\n")
		w.raw(`    <checksum type="sha256">`, d.sum, "</checksum>\n")
		w.raw(`    <open-checksum type="sha256">`, d.openSum, "</open-checksum>\n")
		w.raw(`    <location href="`, d.path, "\"/>\n")
		w.raw("    <timestamp>", at, "</timestamp>\n")
		w.raw("    <size>", strconv.Itoa(len(d.data)), "</size>\n")
		w.raw("    <open-size>", strconv.Itoa(d.openSize), "</open-size>\n  </data>\n")
	}
	w.raw("</repomd>\n")
	return w.buf
}
