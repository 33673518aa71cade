package repomd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"pgbundle/repo/rpm"
)

// memory is a repository in memory.
type memory map[string][]byte

func (m memory) Open(_ context.Context, path string) (io.ReadCloser, error) {
	data, ok := m[path]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// add places a metadata file and returns its <data> element.
func (m memory) add(kind, name string, packed []byte, openSize int) string {
	sum := sha256.Sum256(packed)
	m["repodata/"+name] = packed
	return fmt.Sprintf(`<data type="%s"><checksum type="sha256">%s</checksum><location href="repodata/%s"/>`+
		`<timestamp>1700000000</timestamp><size>%d</size><open-size>%d</open-size></data>`,
		kind, hex.EncodeToString(sum[:]), name, len(packed), openSize)
}

// index writes repomd.xml.
func (m memory) index(revision string, data ...string) {
	m[IndexPath] = []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>` + revision + `</revision>` +
		strings.Join(data, "\n") + `</repomd>`)
}

const (
	primaryHead = `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
`
	primaryTail   = "</metadata>\n"
	filelistsHead = `<?xml version="1.0" encoding="UTF-8"?>
<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="2">
`
	filelistsTail = "</filelists>\n"
)

// primaryPackage is a package as createrepo_c writes it; format goes between
// the lists.
func primaryPackage(name, ver, format string) string {
	return fmt.Sprintf(`<package type="rpm">
  <name>%[1]s</name>
  <arch>x86_64</arch>
  <version epoch="0" ver="%[2]s" rel="1.el9"/>
  <checksum type="sha256" pkgid="YES">%[3]s</checksum>
  <summary>A &amp; B</summary>
  <description>It says "x &lt; y".</description>
  <packager/>
  <url>https://example.org/</url>
  <time file="1700000001" build="1700000000"/>
  <size package="1234" installed="5678" archive="6000"/>
  <location href="Packages/%[1]s-%[2]s-1.el9.x86_64.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor>Example</rpm:vendor>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>localhost</rpm:buildhost>
    <rpm:sourcerpm>%[1]s-%[2]s-1.el9.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="100" end="200"/>
%[4]s  </format>
</package>
`, name, ver, sumOf(name+ver), format)
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const (
	formatA = `    <rpm:provides>
      <rpm:entry name="a" flags="EQ" epoch="0" ver="1.0" rel="1.el9"/>
      <rpm:entry name="font(&#x5DE;&#1488;)"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name="/usr/libexec/tool"/>
      <rpm:entry name="/bin/sh" pre="1"/>
      <rpm:entry name="b" flags="GE" epoch="2" ver="1"/>
      <rpm:entry name="(x &gt;= 1 if y)"/>
      <rpm:entry name="b" flags="GE" epoch="2" ver="1"/>
    </rpm:requires>
    <rpm:suggests>
      <rpm:entry name="c"/>
    </rpm:suggests>
    <file>/etc/a.conf</file>
    <file type="dir">/etc/a.d</file>
`
	formatB = `    <rpm:provides>
      <rpm:entry name="b"/>
    </rpm:provides>
`
)

func goodPrimary() string {
	return primaryHead + primaryPackage("a", "1.0", formatA) + primaryPackage("b", "2~rc1", formatB) + primaryTail
}

// newMemory is a small repository.
func newMemory() memory {
	m := memory{}
	p := []byte(goodPrimary())
	f := []byte(filelistsHead +
		`<package pkgid="` + sumOf("a1.0") + `" name="a" arch="x86_64"><version epoch="0" ver="1.0" rel="1.el9"/>` +
		`<file>/usr/share/doc/a</file></package>` + "\n" +
		`<package pkgid="` + sumOf("b2~rc1") + `" name="b" arch="x86_64"><version epoch="0" ver="2~rc1" rel="1.el9"/>` +
		`<file>/usr/libexec/tool</file></package>` + "\n" + filelistsTail)
	m.index("1700000000", m.add("primary", "primary.xml", p, len(p)), m.add("filelists", "filelists.xml", f, len(f)))
	return m
}

// withPrimary replaces the primary metadata.
func withPrimary(text string) memory {
	m := memory{}
	m.index("1700000000", m.add("primary", "primary.xml", []byte(text), len(text)))
	return m
}

func loadOne(tree memory) (*rpm.Pool, []*Repository, error) {
	pool := rpm.NewPool()
	repos, err := Load(context.Background(), pool, []Input{{Repo: rpm.Repo{ID: "test", Priority: 99}, Tree: tree}}, Options{})
	pool.Prepare("x86_64")
	return pool, repos, err
}

// pack compresses in one of the ways that repositories use.
func pack(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "gz":
		w = gzip.NewWriter(&buf)
	case "xz":
		w, err = xz.NewWriter(&buf)
	case "zst":
		w, err = zstd.NewWriter(&buf)
	case "bz2":
		w, err = bzip2.NewWriter(&buf, nil)
	default:
		return data
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
