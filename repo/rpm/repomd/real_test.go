package repomd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

// folder is a repository on disk.
type folder string

func (f folder) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
}

// realData returns the folder of real repositories: the
// environment's PGBUNDLE_DATA, or shared/data beside the checkout.
func realData(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PGBUNDLE_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	if _, err := os.Stat(filepath.Join(dir, "el9")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no real repositories: %v", err)
		}
		t.Skipf("no real repositories: %v", err)
	}
	return dir
}

func realInputs(t testing.TB) []Input {
	base := realData(t)
	var inputs []Input
	for _, id := range []string{"baseos", "appstream"} {
		inputs = append(inputs, Input{
			Repo: rpm.Repo{ID: id, Priority: 99, Cost: 1000},
			Tree: folder(filepath.Join(base, "el9", id)),
		})
	}
	return inputs
}

func loadReal(t testing.TB) (*rpm.Pool, []*Repository) {
	t.Helper()
	pool := rpm.NewPool()
	repos, err := Load(context.Background(), pool, realInputs(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return pool, repos
}

func TestLoadReal(t *testing.T) {
	pool, repos := loadReal(t)
	pool.Prepare("x86_64")
	if repos[0].Packages != 1125 || repos[1].Packages != 17649 {
		t.Errorf("packages: %d and %d, want 1125 and 17649", repos[0].Packages, repos[1].Packages)
	}
	hidden := 0
	for id := rpm.System; int(id) < pool.Len(); id++ {
		if pool.Package(id).Hidden {
			hidden++
		}
	}
	if hidden != 516 {
		t.Errorf("hidden: %d, want the 516 artifacts of module streams", hidden)
	}
	if got := repos[0].Time().Unix(); got != 1644263915 { // the revision
		t.Errorf("time of baseos: %d", got)
	}
	if got := repos[1].Time().Unix(); got != 1736761580 { // revision 9-stream: the newest timestamp
		t.Errorf("time of appstream: %d", got)
	}
	if need := pool.NeedFiles(); len(need) != 0 {
		t.Errorf("file lists are needed before anybody asked: %v", need)
	}
}

// TestReadersAgreeOnRealData reads every real repository with the tokenizer and
// with encoding/xml.
func TestReadersAgreeOnRealData(t *testing.T) {
	base := realData(t)
	for _, dir := range []string{"el9/baseos", "el9/appstream", "pg-extensions-el9"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			tree := folder(filepath.Join(base, dir))
			data, err := os.ReadFile(filepath.Join(string(tree), IndexPath))
			if err != nil {
				t.Fatal(err)
			}
			index, err := ParseIndex(data)
			if err != nil {
				t.Fatal(err)
			}
			d, _ := index.Find("primary")
			fast, slow := rpm.NewPool(), rpm.NewPool()
			readWith(t, tree, d, func(r io.Reader) error {
				b := readBlocks(context.Background(), r, "</package>")
				defer b.close()
				return tokenize(b, newTokenizer(newBuilder(fast, 0)))
			})
			readWith(t, tree, d, func(r io.Reader) error {
				return parsePrimaryXML(r, newBuilder(slow, 0), 0)
			})
			comparePools(t, fast, slow)
		})
	}
}

func readWith(t *testing.T, tree folder, d *Data, read func(io.Reader) error) {
	t.Helper()
	f, err := openData(context.Background(), tree, d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.verify(read(f)); err != nil {
		t.Fatal(err)
	}
}

// comparePools reports the first difference between two pools.
func comparePools(t *testing.T, a, b *rpm.Pool) {
	t.Helper()
	a.Prepare("x86_64")
	b.Prepare("x86_64")
	if a.Len() != b.Len() {
		t.Fatalf("%d packages and %d", a.Len(), b.Len())
	}
	for id := rpm.System + 1; int(id) < a.Len(); id++ {
		if x, y := describe(a, id), describe(b, id); x != y {
			t.Fatalf("package %d differs:\n%s\n%s", id, x, y)
		}
	}
}

// describe writes all that a pool knows of a package.
func describe(p *rpm.Pool, id rpm.ID) string {
	pkg := p.Package(id)
	var s strings.Builder
	fmt.Fprintf(&s, "%s vendor=%q location=%q checksum=%s:%s source=%q %d %d %d\n", p.NEVRA(id), p.String(pkg.Vendor),
		p.String(pkg.Location), p.String(pkg.ChecksumType), p.String(pkg.Checksum), p.String(pkg.SourceRPM),
		pkg.Size, pkg.Installed, pkg.BuildTime)
	for i, l := range [][]rpm.Dep{
		pkg.Provides, pkg.Requires, pkg.Conflicts, pkg.Obsoletes, pkg.Recommends, pkg.Suggests, pkg.Supplements, pkg.Enhances,
	} {
		s.WriteString(listNames[i] + ":")
		for _, d := range l {
			s.WriteString(" " + strconv.Quote(p.DepString(d)))
		}
		s.WriteByte('\n')
	}
	fmt.Fprintf(&s, "files: %q\n", p.FilesOf(id))
	return s.String()
}

func BenchmarkLoadEL9(b *testing.B) {
	inputs := realInputs(b)
	b.ReportAllocs()
	for b.Loop() {
		pool := rpm.NewPool()
		if _, err := Load(context.Background(), pool, inputs, Options{}); err != nil {
			b.Fatal(err)
		}
		pool.Prepare("x86_64")
	}
}
