package repomd

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/pkgfile"
)

// writtenTree serves what Generate made.
type writtenTree []WrittenFile

func (w writtenTree) Open(_ context.Context, path string) (io.ReadCloser, error) {
	for _, f := range w {
		if f.Path == path {
			return io.NopCloser(bytes.NewReader(f.Data)), nil
		}
	}
	return nil, fs.ErrNotExist
}

func writeSample(name string) Packaged {
	return Packaged{
		Location: name + "-1-2.x86_64.rpm", Size: 4096, SHA256: strings.Repeat("ab", 32),
		Package: &pkgfile.Package{
			Name: name, Epoch: 7, Version: "1", Release: "2", Arch: "x86_64", Summary: "<" + name + "> & more",
			Provides:   []pkgfile.Dependency{{Name: name, Flags: pkgfile.SenseEqual, Version: "7:1-2"}},
			Requires:   []pkgfile.Dependency{{Name: "(x if y)"}, {Name: "/bin/sh", Flags: pkgfile.SenseScriptPre}},
			Files:      []pkgfile.File{{Dir: "/usr/bin/", Base: name, Mode: 0o100755}, {Dir: "/srv/", Base: name, Mode: 0o040755}},
			Changelogs: []pkgfile.Changelog{{Time: 1700000000, Author: "Ann", Text: "- first"}},
		},
	}
}

func mustGenerate(t testing.TB, pkgs []Packaged) []WrittenFile {
	t.Helper()
	files, err := Generate(pkgs, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestGenerateIsRead reads with this package's own reader what it writes.
func TestGenerateIsRead(t *testing.T) {
	pool := rpm.NewPool()
	files := mustGenerate(t, []Packaged{writeSample("b"), writeSample("a")})
	repos, err := Load(context.Background(), pool, []Input{{Repo: rpm.Repo{ID: "ours"}, Tree: writtenTree(files)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if repos[0].Packages != 2 {
		t.Fatalf("%d packages", repos[0].Packages)
	}
	if got := pool.NEVRA(repos[0].First); got != "a-7:1-2.x86_64" {
		t.Errorf("first package %s", got)
	}
	p := pool.Package(repos[0].First)
	if got := pool.String(p.Location); got != "a-1-2.x86_64.rpm" {
		t.Errorf("location %s", got)
	}
	var requires []string
	for _, d := range p.Requires {
		requires = append(requires, pool.DepString(d))
	}
	if !slices.Contains(requires, "/bin/sh") || !slices.Contains(requires, "(x if y)") {
		t.Errorf("requires %v", requires)
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	one := mustGenerate(t, []Packaged{writeSample("a"), writeSample("b"), writeSample("c")})
	for range 5 {
		two := mustGenerate(t, []Packaged{writeSample("c"), writeSample("a"), writeSample("b")})
		if !slices.EqualFunc(one, two, func(a, b WrittenFile) bool { return a.Path == b.Path && bytes.Equal(a.Data, b.Data) }) {
			t.Fatal("the bytes depend on the order of the packages")
		}
	}
	if last := one[len(one)-1].Path; last != "repodata/repomd.xml" {
		t.Errorf("the last file is %s", last)
	}
}

func TestGenerateRefuses(t *testing.T) {
	for name, change := range map[string]func(*Packaged){
		"same location":  func(p *Packaged) { p.Location = "other-1-2.x86_64.rpm" },
		"no location":    func(p *Packaged) { p.Location = "" },
		"absolute":       func(p *Packaged) { p.Location = "/a.rpm" },
		"parent":         func(p *Packaged) { p.Location = "../a.rpm" },
		"not clean":      func(p *Packaged) { p.Location = "x//a.rpm" },
		"short digest":   func(p *Packaged) { p.SHA256 = "ab" },
		"upper digest":   func(p *Packaged) { p.SHA256 = strings.ToUpper(p.SHA256) },
		"no size":        func(p *Packaged) { p.Size = 0 },
		"no package":     func(p *Packaged) { p.Package = nil },
		"markup for hex": func(p *Packaged) { p.SHA256 = strings.Repeat("\"", 64) },
	} {
		p := writeSample("a")
		change(&p)
		if files, err := Generate([]Packaged{writeSample("other"), p}, time.Now()); err == nil || files != nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestGenerateNothing(t *testing.T) {
	files := mustGenerate(t, nil)
	repos, err := Load(context.Background(), rpm.NewPool(), []Input{{Tree: writtenTree(files)}}, Options{})
	if err != nil || repos[0].Packages != 0 {
		t.Errorf("%v, %v", repos, err)
	}
}

func TestWriteStored(t *testing.T) {
	for _, n := range []int{0, 1, 0xfffe, 0xffff, 0x10000, 3 * 0xffff, 200001} {
		data := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		packed := writeStored(data)
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes do not come back: %v", n, err)
		}
		if blocks := max((n+0xfffe)/0xffff, 1); len(packed) != n+10+8+5*blocks {
			t.Errorf("%d bytes became %d", n, len(packed))
		}
	}
}

func TestWriteEscape(t *testing.T) {
	for _, c := range []struct{ in, text, attr string }{
		{"plain", "plain", "plain"},
		{`a<b>&"c'`, `a&lt;b&gt;&amp;"c'`, `a&lt;b&gt;&amp;&quot;c'`},
		{"a\tb\nc\rd", "a\tb\nc&#13;d", "a&#9;b&#10;c&#13;d"},
		{"é漢🐘", "é漢🐘", "é漢🐘"},
		{"a\x01b\x1bc\x00d", "abcd", "abcd"},
		{"caf\xe9", "café", "café"},
		{"\x93quoted\x94 \xfc", "quoted ü", "quoted ü"},
		{"a\ufffeb\uffffc", "abc", "abc"},
		{"half \xe2\x82 sign", "half â sign", "half â sign"},
	} {
		var text, attr xmlWriter
		text.escape(c.in, false)
		attr.escape(c.in, true)
		if string(text.buf) != c.text || string(attr.buf) != c.attr {
			t.Errorf("%q: text %q, attribute %q", c.in, text.buf, attr.buf)
		}
	}
}

func TestWrittenRequires(t *testing.T) {
	dep := func(name string, flags uint32, version string) pkgfile.Dependency {
		return pkgfile.Dependency{Name: name, Flags: flags, Version: version}
	}
	const ge, eq = pkgfile.SenseGreater | pkgfile.SenseEqual, pkgfile.SenseEqual
	pkg := &pkgfile.Package{
		Provides: []pkgfile.Dependency{dep("own", eq, "1"), dep("any", 0, "")},
		Files: []pkgfile.File{
			{Dir: "/usr/bin/", Base: "tool"}, {Dir: "/usr/lib/", Base: "x"}, {Dir: "/etc/", Base: "y"},
		},
	}
	for _, c := range []struct {
		name        string
		requires    []pkgfile.Dependency
		want, weaks string
	}{
		{"rpmlib", []pkgfile.Dependency{dep("rpmlib(CompressedFileNames)", pkgfile.SenseLess|eq, "3")}, "", ""},
		{"own provide, same version", []pkgfile.Dependency{dep("own", eq, "1")}, "", ""},
		{"own provide, other version", []pkgfile.Dependency{dep("own", ge, "1"), dep("own", eq, "2")}, "own GE 1,own EQ 2", ""},
		{"own provide without version", []pkgfile.Dependency{dep("any", 0, "")}, "", ""},
		{"own file of primary", []pkgfile.Dependency{dep("/usr/bin/tool", 0, ""), dep("/etc/y", pkgfile.SenseScriptPre, "")}, "", ""},
		{"own file elsewhere", []pkgfile.Dependency{dep("/usr/lib/x", 0, "")}, "/usr/lib/x", ""},
		{"another's file", []pkgfile.Dependency{dep("/usr/bin/other", 0, "")}, "/usr/bin/other", ""},
		{"repeated", []pkgfile.Dependency{dep("r", ge, "1"), dep("r", ge, "1")}, "r GE 1", ""},
		{"repeated with pre", []pkgfile.Dependency{dep("r", 0, ""), dep("r", pkgfile.SensePrereq, "")}, "r,r pre", ""},
		{"repeated with another between", []pkgfile.Dependency{dep("r", 0, ""), dep("r", ge, "1"), dep("r", 0, "")}, "r,r GE 1,r", ""},
		{"libc goes last, highest", []pkgfile.Dependency{dep("libc.so.6(GLIBC_2.4)(64bit)", 0, ""), dep("libc.so.6(GLIBC_2.34)(64bit)", 0, ""),
			dep("libc.so.6()(64bit)", 0, ""), dep("z", 0, "")}, "z,libc.so.6(GLIBC_2.34)(64bit)", ""},
		{"libc without versions", []pkgfile.Dependency{dep("libc.so.6", 0, ""), dep("libc.so.6()(64bit)", 0, "")}, "libc.so.6()(64bit)", ""},
		{"allowed to be missing", []pkgfile.Dependency{dep("m", pkgfile.SenseMissingOK, "")}, "", "m"},
		{"epoch is no number", []pkgfile.Dependency{dep("e", eq, "x:1"), dep("f", eq, ":1"), dep("g", eq, "2:1-3-4")}, "f EQ 1,g EQ 2:1-3-4", ""},
		{"odd comparison", []pkgfile.Dependency{dep("o", pkgfile.SenseLess|pkgfile.SenseGreater, "1")}, "o", ""},
		{"no name", []pkgfile.Dependency{dep("", eq, "1")}, "", ""},
	} {
		pkg.Requires = c.requires
		requires, recommended := writtenRequires(pkg)
		if got := writtenText(requires); got != c.want {
			t.Errorf("%s: requires %q, want %q", c.name, got, c.want)
		}
		if got := writtenText(recommended); got != c.weaks {
			t.Errorf("%s: recommends %q, want %q", c.name, got, c.weaks)
		}
	}
}

func writtenText(deps []writtenDep) string {
	var list []string
	for _, d := range deps {
		s := d.name
		if d.flags != "" {
			s += " " + d.flags + " "
			if d.epoch != "0" {
				s += d.epoch + ":"
			}
			if s += d.version; d.release != "" {
				s += "-" + d.release
			}
		}
		if d.pre {
			s += " pre"
		}
		list = append(list, s)
	}
	return strings.Join(list, ",")
}

func TestWrittenLibcOlder(t *testing.T) {
	ascending := []string{
		"libc.so.6", "libc.so.6(unclosed", "libc.so.6()(64bit)", "libc.so.6(GLIBC_PRIVATE)(64bit)",
		"libc.so.6(GLIBC_2.2.5)(64bit)", "libc.so.6(GLIBC_2.4)(64bit)", "libc.so.6(GLIBC_2.34)(64bit)",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := writtenLibcOlder(a, b); got != (i < j) {
				t.Errorf("%s older than %s: %v", a, b, got)
			}
		}
	}
}

func TestWrittenChangelogs(t *testing.T) {
	var entries []pkgfile.Changelog
	for i := range 12 {
		entries = append(entries, pkgfile.Changelog{Time: int64(1000 - i/3), Author: "me  ", Text: string(rune('a' + i))})
	}
	got := writtenChangelogs(entries)
	var texts strings.Builder
	var times []int64
	for _, c := range got {
		texts.WriteString(c.Text)
		times = append(times, c.Time)
		if c.Author != "me" {
			t.Errorf("author %q", c.Author)
		}
	}
	if texts.String() != "jihgfedcba" {
		t.Errorf("order %s", texts.String())
	}
	if want := []int64{997, 998, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006}; !slices.Equal(times, want) {
		t.Errorf("times %v, want %v", times, want)
	}
	if entries[0].Time != 1000 {
		t.Error("the package's own entries were changed")
	}
	for in, want := range map[string]string{"": "", "   ": " ", "a b  ": "a b"} {
		if got := writtenAuthor(in); got != want {
			t.Errorf("author %q became %q", in, got)
		}
	}
}

// FuzzWrite holds that whatever a header says, the result is well-formed XML
// that gives the text back.
func FuzzWrite(f *testing.F) {
	f.Add("name", "a<b>&\"c", "1:2-3", "/usr/bin/x")
	f.Add("\x00", "\xff\xfe", "\r\n\t", "]]>")
	f.Fuzz(func(t *testing.T, name, text, version, file string) {
		p := writeSample("a")
		p.Package.Name, p.Package.Summary = name, text
		p.Package.Requires = append(p.Package.Requires, pkgfile.Dependency{Name: name, Flags: pkgfile.SenseEqual, Version: version})
		p.Package.Files = append(p.Package.Files, pkgfile.File{Dir: "/etc/", Base: file})
		p.Package.Changelogs = append(p.Package.Changelogs, pkgfile.Changelog{Author: text, Text: text})
		for _, each := range []func(*xmlWriter, *Packaged){func(w *xmlWriter, p *Packaged) { writePrimary(w, p, 1) }, writeFilelists, writeOther} {
			data := writeDocument(`metadata xmlns:rpm="r"`, []Packaged{p}, each)
			if !utf8.Valid(data) {
				t.Fatal("not UTF-8")
			}
			for d := xml.NewDecoder(bytes.NewReader(data)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%v\n%s", err, data)
				}
			}
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	pkgs := make([]Packaged, 134)
	for i := range pkgs {
		pkgs[i] = writeSample(strings.Repeat("n", i+1))
		for len(pkgs[i].Package.Files) < 200 {
			pkgs[i].Package.Files = append(pkgs[i].Package.Files, pkgfile.File{Dir: "/usr/share/doc/sample/", Base: "some-file-name.txt"})
		}
	}
	for b.Loop() {
		mustGenerate(b, pkgs)
	}
}
