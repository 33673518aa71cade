package repomd

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

func FuzzRepomd(f *testing.F) {
	f.Add([]byte(newMemory()[IndexPath]))
	f.Add([]byte("<html>login</html>"))
	f.Add([]byte(`<repomd><revision>9-stream</revision><data type="primary"><location href="../x"/></data></repomd>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ParseIndex(data)
		if err != nil {
			return
		}
		x.Time()
		for _, d := range x.Data {
			if err := checkHref(d.Location.Href); err != nil {
				t.Error(err)
			}
		}
	})
}

// primarySeeds are documents that the tokenizer and encoding/xml read alike.
func primarySeeds() []string {
	good := goodPrimary()
	return []string{
		good,
		primaryHead + primaryTail,
		strings.Replace(good, "<name>b</name>", "<name><![CDATA[b]]></name>", 1),
		strings.Replace(good, "<name>b</name>", "<!-- </package> --><name>b</name>", 1),
		strings.Replace(good, `name="c"`, `name='c'`, 1),
		strings.Replace(good, `name="c"`, `name="&quot;&#x41;&#66;&apos;"`, 1),
		strings.Replace(good, "<packager/>", "<packager>A &lt;b&gt;</packager>", 1),
		strings.Replace(good, "\n", "\r\n", -1),
		strings.Replace(good, "rpm:", "r:", -1),
	}
}

// FuzzPrimary holds the tokenizer to what encoding/xml says: where both read a
// document, they read the same.
func FuzzPrimary(f *testing.F) {
	for _, s := range primarySeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fast, slow := rpm.NewPool(), rpm.NewPool()
		errFast := readPrimaryFast(fast, data)
		errSlow := parsePrimaryXML(bytes.NewReader(data), newBuilder(slow, 0), 0)
		if errFast == nil && errSlow == nil {
			comparePools(t, fast, slow)
		}
	})
}

func readPrimaryFast(pool *rpm.Pool, data []byte) error {
	b := readBlocks(context.Background(), bytes.NewReader(data), "</package>")
	defer b.close()
	return tokenize(b, newTokenizer(newBuilder(pool, 0)))
}

// FuzzFilelists does the same for file lists.
func FuzzFilelists(f *testing.F) {
	good := string(newMemory()["repodata/filelists.xml"])
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "<file>", `<file type="dir">`, 1)))
	f.Add([]byte(strings.Replace(good, "<file>", `<file type='ghost'>`, 1)))
	f.Add([]byte(strings.Replace(good, "/usr/libexec/tool", "/usr/libexec/t&amp;ool", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(parse func(*owners) error) (*rpm.Pool, error) {
			pool, repos, err := loadOne(newMemory())
			if err != nil {
				t.Fatal(err)
			}
			o := newOwners(pool, repos[0], map[string]bool{"/usr/libexec/tool": true, "/usr/share/doc/a": true}, nil)
			err = parse(o)
			return pool, err
		}
		fast, errFast := read(func(o *owners) error {
			b := readBlocks(context.Background(), bytes.NewReader(data), "</package>")
			defer b.close()
			t := &filesTokenizer{owners: o}
			if err := readAllBlocks(b, t.block); err != nil || t.done {
				return err
			}
			return errUnusual
		})
		slow, errSlow := read(func(o *owners) error { return parseFilesXML(bytes.NewReader(data), o, 0) })
		if errFast == nil && errSlow == nil {
			comparePools(t, fast, slow)
		}
	})
}

func FuzzModules(f *testing.F) {
	f.Add([]byte(modulesText))
	f.Add([]byte("---\ndocument: modulemd\nversion: 1\ndata:\n  name: a\n  stream: 1.10\n  dependencies:\n    requires:\n      b: f29\n"))
	f.Add([]byte("a: &x [*x, *x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseModules(bytes.NewReader(data))
		if err != nil {
			return
		}
		active, err := m.active(ModuleOptions{})
		if err != nil || len(active) != len(m.Streams) {
			t.Errorf("%d of %d, %v", len(active), len(m.Streams), err)
		}
		pool := rpm.NewPool()
		filter := newModuleFilter(pool)
		for i := range m.Streams {
			filter.add(&m.Streams[i], active[i])
		}
		filter.apply()
	})
}

func FuzzComps(f *testing.F) {
	f.Add([]byte(compsText))
	f.Fuzz(func(t *testing.T, data []byte) {
		comps, err := ParseComps(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(comps.Groups)+len(comps.Environments) > maxGroups {
			t.Error("too many groups")
		}
		for _, id := range comps.IDs() {
			if _, _, err := comps.Find(id); err != nil && id != "" && !strings.Contains(id, "/") {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}

// FuzzUnpack feeds the decompressors.
func FuzzUnpack(f *testing.F) {
	for _, how := range []string{"gz", "xz", "zst", "bz2", "plain"} {
		f.Add(pack(f, how, []byte(goodPrimary())))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := memory{}
		d := Data{Checksum: Checksum{"sha256", sumOf(string(data))}}
		d.Location.Href = "x"
		m["x"] = data
		file, err := openData(context.Background(), m, &d)
		if err != nil {
			return
		}
		defer file.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(file, 1<<20))
		if err := file.verify(err); err == nil && len(data) == 0 {
			return
		}
	})
}
