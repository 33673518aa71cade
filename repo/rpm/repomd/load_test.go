package repomd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

const wantA = `a-1.0-1.el9.x86_64 vendor="Example" location="Packages/a-1.0-1.el9.x86_64.rpm" checksum=sha256:SUM source="a-1.0-1.el9.src.rpm" 1234 5678 1700000000
provides: "a = 1.0-1.el9" "font(מא)"
requires: "/usr/libexec/tool" "/bin/sh" "b >= 2:1" "(x >= 1 if y)"
conflicts:
obsoletes:
recommends:
suggests: "c"
supplements:
enhances:
files: ["/etc/a.conf" "/etc/a.d"]
`

func TestLoad(t *testing.T) {
	pool, repos, err := loadOne(newMemory())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(wantA, "SUM", sumOf("a1.0"))
	if got := describe(pool, repos[0].First); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := repos[0].Time().Unix(); got != 1700000000 {
		t.Errorf("time: %d", got)
	}
}

func TestLoadCompressions(t *testing.T) {
	text := []byte(goodPrimary())
	for _, how := range []string{"gz", "xz", "zst", "bz2", "plain"} {
		t.Run(how, func(t *testing.T) {
			m := memory{}
			m.index("1", m.add("primary", "primary.xml."+how, pack(t, how, text), len(text)))
			pool, _, err := loadOne(m)
			if err != nil || pool.Len() != 4 {
				t.Errorf("%d packages, error %v", pool.Len()-2, err)
			}
		})
	}
}

// TestUnusualXML holds documents that createrepo_c does not write and XML
// allows: they are read all the same, and the same.
func TestUnusualXML(t *testing.T) {
	good := goodPrimary()
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the document", old)
		}
		return strings.ReplaceAll(good, old, new)
	}
	for name, text := range map[string]string{
		"comment":            replace("<name>b</name>", "<!-- <name>c</name> --><name>b</name>"),
		"end tag in comment": replace("<name>b</name>", "<name>b</name><!-- </package> -->"),
		"CDATA":              replace("<name>b</name>", "<name><![CDATA[b]]></name>"),
		"single quotes":      replace(`ver="2~rc1"`, "ver='2~rc1'"),
		"other prefix":       strings.ReplaceAll(replace("xmlns:rpm", "xmlns:r"), "rpm:", "r:"),
		"other order":        replace(`flags="GE" epoch="2"`, `epoch="2" flags="GE"`),
		"spaces":             replace(`<rpm:entry name="c"/>`, `<rpm:entry  name = "c" />`),
		"long form":          replace(`<rpm:entry name="c"/>`, `<rpm:entry name="c"></rpm:entry>`),
		"unknown element":    replace("<name>b</name>", "<name>b</name><extra><name2>c</name2></extra>"),
		"unknown attribute":  replace(`pkgid="YES"`, `pkgid="YES" also="this"`),
		"no declaration":     replace(`<?xml version="1.0" encoding="UTF-8"?>`+"\n", ""),
		"byte order mark":    "\ufeff" + good,
		"carriage returns":   replace("\n", "\r\n"),
		"processing":         replace("<name>b</name>", "<?x y?><name>b</name>"),
		"default namespace":  replace("<rpm:license>MIT</rpm:license>", `<license xmlns="http://linux.duke.edu/metadata/rpm">MIT</license>`),
		"references":         replace("<name>b</name>", "<name>&#98;</name>"),
	} {
		t.Run(name, func(t *testing.T) {
			pool, _, err := loadOne(withPrimary(text))
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := loadOne(withPrimary(good))
			if err != nil {
				t.Fatal(err)
			}
			comparePools(t, pool, want)
		})
	}
}

// TestLoadRefuses pins the text of every refusal.
func TestLoadRefuses(t *testing.T) {
	good := goodPrimary()
	html := "<!DOCTYPE html>\n<html><body>Please log in</body></html>"
	packed := pack(t, "gz", []byte(good))
	bomb := pack(t, "gz", bytes.Repeat([]byte(" "), 10<<20))
	damage := func(change func(memory)) memory {
		m := newMemory()
		change(m)
		return m
	}
	for _, c := range []struct {
		name string
		tree memory
		want string
	}{
		{"no repository", memory{}, "read repomd.xml of test: open repodata/repomd.xml: file does not exist (an address is that of the folder with repodata/ in it)"},
		{"HTML for repomd", memory{IndexPath: []byte(html)},
			"read repomd.xml of test: it is an HTML page, not XML: does a login or a proxy answer at that address?"},
		{"empty repomd", memory{IndexPath: nil}, "read repomd.xml of test: it is empty"},
		{"text for repomd", memory{IndexPath: []byte("404 not found")}, `read repomd.xml of test: it is not XML: it begins with "404 not found"`},
		{"truncated repomd", memory{IndexPath: newMemory()[IndexPath][:200]}, "read repomd.xml of test: XML syntax error on line 2: unexpected EOF"},
		{"no primary", damage(func(m memory) { m.index("1") }), "read repomd.xml of test: it lists no primary metadata"},
		{"path outside", damage(func(m memory) {
			m[IndexPath] = bytes.ReplaceAll(m[IndexPath], []byte("repodata/primary"), []byte("../../primary"))
		}), `read repomd.xml of test: primary: location "../../primary.xml" is not a plain path inside the repository`},
		{"primary missing", damage(func(m memory) { delete(m, "repodata/primary.xml") }),
			"read primary of test: open repodata/primary.xml: file does not exist"},
		{"half a file", damage(func(m memory) { m["repodata/primary.xml"] = m["repodata/primary.xml"][:500] }),
			fmt.Sprintf("read primary of test: it has 500 bytes, repomd.xml says %d", len(good))},
		{"one byte wrong", damage(func(m memory) { m["repodata/primary.xml"][1000] ^= 1 }), "read primary of test: its sha256 is "},
		{"HTML for primary", damage(func(m memory) { m["repodata/primary.xml"] = []byte(html) }),
			fmt.Sprintf("read primary of test: it has %d bytes, repomd.xml says %d", len(html), len(good))},
		{"HTML with its digest", withPrimary(html), "read primary of test: it is an HTML page, not XML: does a login or a proxy answer at that address?"},
		{"truncated XML with its digest", withPrimary(good[:len(good)-40]), "read primary of test: it is cut off at line "},
		{"tags that do not match", withPrimary(strings.Replace(good, "</format>", "</fromat>", 1)),
			"read primary of test: line 38: element <format> closed by </fromat>"},
		{"another root", withPrimary("<other></other>"), "read primary of test: its root element is <other>, want <metadata>"},
		{"no name", withPrimary(strings.Replace(good, "<name>b</name>", "", 1)), "read primary of test: package 2 has no name, version or architecture"},
		{"a location outside", withPrimary(strings.Replace(good, "Packages/b", "Packages/../../b", 1)),
			`read primary of test: package b: location "Packages/../../b-2~rc1-1.el9.x86_64.rpm" is outside the repository`},
		{"an absolute location", withPrimary(strings.Replace(good, "Packages/b", "/srv/b", 1)),
			`read primary of test: package b: location "/srv/b-2~rc1-1.el9.x86_64.rpm" is outside the repository`},
		{"truncated gzip with its digest", func() memory {
			m := memory{}
			m.index("1", m.add("primary", "primary.xml.gz", packed[:len(packed)/2], len(good)))
			return m
		}(), "read primary of test: unpack: unexpected EOF"},
		{"a bomb", func() memory {
			m := memory{}
			m.index("1", m.add("primary", "primary.xml.gz", bomb, 1<<20))
			return m
		}(), "read primary of test: it unpacks to more than the 1048576 bytes that repomd.xml says"},
		{"unpacks to less", func() memory {
			m := memory{}
			m.index("1", m.add("primary", "primary.xml.gz", packed, 1<<20))
			return m
		}(), fmt.Sprintf("read primary of test: it unpacks to %d bytes, repomd.xml says 1048576", len(good))},
		{"nested without end", withPrimary(primaryHead + strings.Repeat("<a>", 100)), "read primary of test: its elements nest too deep"},
		{"modules that are no YAML", damage(func(m memory) {
			p := []byte(good)
			m.index("1", m.add("primary", "primary.xml", p, len(p)), m.add("modules", "modules.yaml", []byte("a: [\n"), 5))
		}), "read modules of test: document 1: yaml: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := loadOne(c.tree)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			missing := strings.Contains(c.want, "does not exist")
			if errors.Is(err, manifest.ErrDamaged) == missing {
				t.Errorf("class of %v: damaged is %v", err, !missing)
			}
		})
	}
}

func TestLoadTellsEveryRepositoryThatFails(t *testing.T) {
	_, err := Load(context.Background(), rpm.NewPool(), []Input{
		{Repo: rpm.Repo{ID: "one"}, Tree: memory{}},
		{Repo: rpm.Repo{ID: "two"}, Tree: newMemory()},
		{Repo: rpm.Repo{ID: "three"}, Tree: memory{IndexPath: nil}},
	}, Options{})
	if err == nil || !strings.Contains(err.Error(), "of one") || !strings.Contains(err.Error(), "of three") {
		t.Errorf("got %v", err)
	}
}

func TestLoadOrder(t *testing.T) {
	pool := rpm.NewPool()
	repos, err := Load(context.Background(), pool, []Input{
		{Repo: rpm.Repo{ID: "late", Priority: 99, Cost: 1000}, Tree: newMemory()},
		{Repo: rpm.Repo{ID: "cheap", Priority: 99, Cost: 500}, Tree: newMemory()},
		{Repo: rpm.Repo{ID: "first", Priority: 10, Cost: 1000}, Tree: newMemory()},
		{Repo: rpm.Repo{ID: "later", Priority: 99, Cost: 1000}, Tree: newMemory()},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var order []rpm.ID
	for _, r := range repos {
		order = append(order, r.First)
	}
	if fmt.Sprint(order) != "[6 4 2 8]" {
		t.Errorf("first packages of late, cheap, first, later: %v", order)
	}
}

func TestLoadSignature(t *testing.T) {
	stranger := errors.New("signed by a stranger")
	verify := func(data, sig []byte) error {
		if string(sig) != "good" || !bytes.HasPrefix(data, []byte("<?xml")) {
			return fmt.Errorf("%w: %w", stranger, manifest.ErrSignature)
		}
		return nil
	}
	for name, c := range map[string]struct {
		sig  string
		want error
	}{"good": {"good", nil}, "bad": {"bad", stranger}, "missing": {"", manifest.ErrSignature}} {
		m := newMemory()
		if c.sig != "" {
			m[SignaturePath] = []byte(c.sig)
		}
		_, err := Load(context.Background(), rpm.NewPool(), []Input{{Tree: m, Verify: verify}}, Options{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoadExpected(t *testing.T) {
	m := newMemory()
	sums := []Checksum{{"sha256", sumOf("an older one")}, {"sha256", sumOf(string(m[IndexPath]))}}
	load := func(expected []Checksum) error {
		_, err := Load(context.Background(), rpm.NewPool(), []Input{{Tree: m, Expected: expected}}, Options{})
		return err
	}
	if err := load(sums); err != nil {
		t.Error(err)
	}
	if err := load(sums[:1]); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestLoadFiles(t *testing.T) {
	pool, repos, err := loadOne(newMemory())
	if err != nil {
		t.Fatal(err)
	}
	tool := rpm.Dep(pool.Lookup("/usr/libexec/tool"))
	if got := pool.Providers(tool); len(got) != 0 {
		t.Fatalf("before the file lists: %v", got)
	}
	if need := pool.NeedFiles(); len(need) != 1 {
		t.Fatalf("need %v", need)
	}
	if err := LoadFiles(context.Background(), pool, repos); err != nil {
		t.Fatal(err)
	}
	pool.Prepare("x86_64")
	if got := pool.Providers(tool); len(got) != 1 || pool.NEVRA(got[0]) != "b-2~rc1-1.el9.x86_64" {
		t.Errorf("got %v", got)
	}
	if got := pool.FilesOf(repos[0].First); len(got) != 2 {
		t.Errorf("a path that nobody names was kept: %q", got)
	}
}

// TestLoadFilesAskedFor finds the owners of paths that no dependency names.
func TestLoadFilesAskedFor(t *testing.T) {
	for asked, owner := range map[string]string{"/usr/share/doc/a": "a-1.0-1.el9.x86_64", "/usr/sh*/a": "a-1.0-1.el9.x86_64", "/usr/share/doc/b": "", "*/b?": ""} {
		pool, repos, err := loadOne(newMemory())
		if err != nil {
			t.Fatal(err)
		}
		if err := LoadFiles(context.Background(), pool, repos, asked); err != nil {
			t.Fatal(err)
		}
		pool.Prepare("x86_64")
		got := ""
		for id := repos[0].First; int(id) < pool.Len(); id++ {
			for _, path := range pool.FilesOf(id) {
				if rpm.Match(asked, path) {
					got += pool.NEVRA(id)
				}
			}
		}
		if got != owner {
			t.Errorf("%s belongs to %q, want %q", asked, got, owner)
		}
	}
}

func TestLoadFilesMissing(t *testing.T) {
	m := newMemory()
	delete(m, "repodata/filelists.xml")
	pool, repos, err := loadOne(m)
	if err != nil {
		t.Fatal(err) // not needed yet
	}
	err = LoadFiles(context.Background(), pool, repos)
	if want := "read filelists of test: open repodata/filelists.xml: file does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Load(ctx, rpm.NewPool(), []Input{{Tree: newMemory()}}, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
