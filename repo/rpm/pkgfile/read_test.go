package pkgfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cavalier "github.com/cavaliergopher/rpm"
	"github.com/sassoftware/go-rpmutils"

	"pgbundle/manifest"
)

// dataPackages returns the real packages of the data folder.
func dataPackages(t testing.TB) []string {
	t.Helper()
	dir := os.Getenv("PGBUNDLE_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	paths, err := filepath.Glob(filepath.Join(dir, "pg-extensions-el9", "*.rpm"))
	if err == nil && len(paths) > 0 {
		return paths
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no packages in %s (PGBUNDLE_DATA): %v", dir, err)
	}
	t.Skipf("no packages in %s (PGBUNDLE_DATA)", dir)
	return nil
}

func TestRead(t *testing.T) {
	data := testPackage(t)
	r := bytes.NewReader(data)
	p, err := Read(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.NEVRA(); got != "sample-4:1.2-3.el9.x86_64" {
		t.Errorf("NEVRA %s", got)
	}
	if left := int64(len(data) - r.Len()); left != p.HeaderEnd {
		t.Errorf("the reader stands at %d, the payload begins at %d", left, p.HeaderEnd)
	}
	if p.Summary != "A sample" || p.Description != "Only a sample." || p.License != "MIT" || p.Vendor != "Example" ||
		p.URL != "https://example.org" || p.Packager != "Ann" || p.Group != "Databases" || p.BuildHost != "builder" ||
		p.BuildTime != signed.Unix() || p.Source {
		t.Errorf("%+v", p)
	}
	if want := (Dependency{"glibc", SenseGreater | SenseEqual, "2.34"}); !slices.Contains(p.Requires, want) {
		t.Errorf("requires %v", p.Requires)
	}
	var files []string
	for _, f := range p.Files {
		files = append(files, fmt.Sprint(f.Path(), " ", f.IsDir(), " ", f.IsGhost()))
	}
	if got := strings.Join(files, " "); got != "/etc/sample.conf false false /var/lib/sample true false /var/log/sample.log false true" {
		t.Errorf("files %s", got)
	}
}

// TestReadAgainstLibraries compares with the two Go libraries for RPM on
// packages that those can read.
func TestReadAgainstLibraries(t *testing.T) {
	for _, path := range dataPackages(t) {
		ours, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		theirs, err := cavalier.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if start, end := theirs.HeaderRange(); int64(start) != ours.HeaderStart || int64(end) != ours.HeaderEnd {
			t.Errorf("%s: header range %d-%d, %d-%d", path, ours.HeaderStart, ours.HeaderEnd, start, end)
		}
		if len(theirs.Files()) != len(ours.Files) || len(theirs.Requires()) != len(ours.Requires) ||
			theirs.Name() != ours.Name || theirs.Summary() != ours.Summary {
			t.Errorf("%s differs", path)
		}
		h, err := rpmutils.ReadHeader(f)
		if err != nil {
			t.Fatal(err)
		}
		nevra, err := h.GetNEVRA()
		if err != nil || nevra.Name != ours.Name || nevra.Version != ours.Version || nevra.Release != ours.Release || nevra.Arch != ours.Arch {
			t.Errorf("%s: %v, %v", path, nevra, err)
		}
		files, err := h.GetFiles()
		if err != nil {
			t.Fatal(err)
		}
		for i, theirs := range files {
			if theirs.Name() != ours.Files[i].Path() || uint16(theirs.Mode()) != ours.Files[i].Mode {
				t.Errorf("%s: file %d is %s, %s", path, i, ours.Files[i].Path(), theirs.Name())
			}
		}
	}
}

// TestVerifyAgainstLibrary signs with go-rpmutils and checks its signatures.
func TestVerifyAgainstLibrary(t *testing.T) {
	data, key := testPackage(t), testKeys["good"](t)
	h, err := rpmutils.SignRpmStream(bytes.NewReader(data), key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := h.DumpSignatureHeader(false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readBlocks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(sig, data[b.start:])
	policy := Policy{Now: today.AddDate(100, 0, 0)} // go-rpmutils signs at the time of the clock
	if v, err := Verify(bytes.NewReader(whole), ringOf(t, key), policy); err != nil || v.Signer == nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range 20 {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%d.rpm", i)))
		p := takeApart(t, testPackage(t))
		p.header[tagVersion] = textEntry(fmt.Sprint(i))
		if err := os.WriteFile(paths[i], p.bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := ReadFiles(context.Background(), paths, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pkgs {
		if p.Version != fmt.Sprint(i) {
			t.Errorf("place %d holds %s", i, p.NEVRA())
		}
	}
	if err := os.WriteFile(paths[7], []byte("no package"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFiles(context.Background(), paths, 4); !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), paths[7]) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ReadFiles(ctx, paths, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	lists := func(name, flags, version uint32) func(*parts) {
		return func(p *parts) {
			p.header[name], p.header[flags], p.header[version] = listEntry("a", "b"), numberEntry(0), listEntry("", "")
		}
	}
	for name, change := range map[string]func(*parts){
		"no name":              func(p *parts) { delete(p.header, tagName) },
		"no arch":              func(p *parts) { delete(p.header, tagArch) },
		"name is a number":     func(p *parts) { p.header[tagName] = numberEntry(7) },
		"few flags":            lists(tagRequireName, tagRequireFlags, tagRequireVersion),
		"few weak flags":       lists(tagSupplementName, tagSupplementFlags, tagSupplementVersion),
		"no versions":          func(p *parts) { delete(p.header, tagProvideVersion) },
		"directory outside":    func(p *parts) { p.header[tagDirIndexes] = numberEntry(0, 1, 99) },
		"few modes":            func(p *parts) { p.header[tagFileModes] = numberEntry(0) },
		"rpm 3's file names":   func(p *parts) { delete(p.header, tagBaseNames); p.header[tagOldFilenames] = listEntry("/a") },
		"few changelog times":  func(p *parts) { p.header[tagChangelogName] = listEntry("a") },
		"unknown type":         func(p *parts) { p.header[9999] = rawEntry{77, 1, []byte{0}} },
		"null type":            func(p *parts) { p.header[9999] = rawEntry{0, 1, []byte{0}} },
		"count 0":              func(p *parts) { p.header[9999] = rawEntry{typeInt32, 0, []byte{0, 0, 0, 0}} },
		"count beyond":         func(p *parts) { p.header[9999] = rawEntry{typeInt64, 1 << 31, make([]byte, 8)} },
		"strings beyond":       func(p *parts) { p.header[9999] = rawEntry{typeStringArray, 1 << 31, []byte{0}} },
		"two strings in one":   func(p *parts) { p.header[9999] = rawEntry{typeString, 2, []byte{0, 0}} },
		"format 5":             func(p *parts) { p.lead = bytes.Clone(p.lead); p.lead[4] = 5 },
		"old signature format": func(p *parts) { p.lead = bytes.Clone(p.lead); p.lead[79] = 1 },
		"no lead":              func(p *parts) { p.lead = bytes.Repeat([]byte("<"), leadSize) },
	} {
		t.Run(name, func(t *testing.T) {
			p := takeApart(t, testPackage(t))
			change(p)
			if got, err := Read(bytes.NewReader(p.bytes())); !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestReadRefusesBlocks changes the numbers of a header block itself.
func TestReadRefusesBlocks(t *testing.T) {
	data := testPackage(t)
	b, err := readBlocks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	at, count := int(b.start), binary.BigEndian.Uint32(b.header.raw[8:])
	for name, c := range map[string]struct {
		offset int
		value  uint32
	}{
		"magic":            {at, 0},
		"reserved":         {at + 4, 1},
		"no entries":       {at + 8, 0},
		"entries":          {at + 8, 0x10000},
		"entry too many":   {at + 8, count + 1},
		"store":            {at + 12, 0xffffffff},
		"store too short":  {at + 12, 8},
		"region type":      {at + introSize + 4, typeInt32},
		"region offset":    {at + introSize + 8, 0},
		"region length":    {at + introSize + 12, 32},
		"signature region": {at + introSize, regionSignatures},
		"offset":           {at + introSize + 5*entrySize + 8, 0},
		"offset far":       {at + introSize + 5*entrySize + 8, 0x7fffffff},
		"tag twice":        {at + introSize + 3*entrySize, binary.BigEndian.Uint32(b.header.raw[introSize+2*entrySize:])},
		"trailer":          {int(b.start) + len(b.header.raw) - 8, 0xfffffff0},
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(data)
			binary.BigEndian.PutUint32(bad[c.offset:], c.value)
			if got, err := Read(bytes.NewReader(bad)); !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for n := range int(b.start) + len(b.header.raw) {
		if _, err := Read(bytes.NewReader(data[:n])); !errors.Is(err, manifest.ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestReadSourcePackage(t *testing.T) {
	p := takeApart(t, testPackage(t))
	delete(p.header, tagSourceRPM)
	got, err := Read(bytes.NewReader(p.bytes()))
	if err != nil || got.Arch != "src" || !got.Source {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	data := testPackage(f)
	f.Add(data)
	f.Add(data[:300])
	small := &parts{lead: data[:leadSize], header: map[uint32]rawEntry{
		tagName: textEntry("a"), tagVersion: textEntry("1"), tagRelease: textEntry("2"), tagArch: textEntry("noarch"),
		tagBaseNames: listEntry("x"), tagDirNames: listEntry("/"), tagDirIndexes: numberEntry(0),
		tagFileModes: {typeInt16, 1, []byte{0x81, 0xa4}}, tagFileFlags: numberEntry(64),
		tagRequireName: listEntry("b"), tagRequireFlags: numberEntry(8), tagRequireVersion: listEntry("1:2-3"),
		tagChangelogTime: numberEntry(1), tagChangelogName: listEntry("me"), tagChangelogText: listEntry("- x"),
	}, sigs: map[uint32]rawEntry{}}
	f.Add(small.digests().bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		p, err := Read(r)
		if err != nil {
			if !errors.Is(err, manifest.ErrDamaged) {
				t.Fatalf("%v is not damage", err)
			}
			return
		}
		if p.HeaderEnd != int64(len(data)-r.Len()) || p.Name == "" {
			t.Fatalf("%+v", p)
		}
		for _, f := range p.Files {
			_ = f.Path()
		}
		// Whatever Read takes, Verify must bear too.
		_, _ = Verify(io.LimitReader(bytes.NewReader(data), 1<<20), nil, Policy{Mode: Off})
	})
}

func BenchmarkReadFiles(b *testing.B) {
	paths := dataPackages(b)
	for b.Loop() {
		if _, err := ReadFiles(context.Background(), paths, 2); err != nil {
			b.Fatal(err)
		}
	}
}
