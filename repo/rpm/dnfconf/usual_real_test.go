package dnfconf

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
)

// TestUsuallyInIsSo holds the table to real metadata, of CentOS Stream 9: what
// BaseOS or AppStream provides is not said to be elsewhere, and each of their rows
// matches something.
func TestUsuallyInIsSo(t *testing.T) {
	data := os.Getenv("PGBUNDLE_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(data, "el9")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the real metadata is missing: %v", err)
		}
		t.Skipf("the real metadata is missing: %v", err)
	}
	matched := map[string]bool{}
	names := map[string]string{"baseos": baseOS.name, "appstream": appStream.name}
	in := map[string]map[string]bool{baseOS.name: {}, appStream.name: {}}
	for id, name := range names {
		pool := rpm.NewPool()
		if _, err := repomd.Load(t.Context(), pool, []repomd.Input{{Repo: rpm.Repo{ID: id}, Tree: inFolder(filepath.Join(data, "el9", id))}}, repomd.Options{}); err != nil {
			t.Fatal(err)
		}
		for i := rpm.System + 1; int(i) < pool.Len(); i++ {
			for _, d := range pool.Package(i).Provides {
				in[name][pool.DepString(d)] = true
			}
		}
	}
	checked := 0
	for name, capabilities := range in {
		for c := range capabilities {
			p, ok := placeOf(c)
			if !ok {
				continue
			}
			checked++
			if p.name != name && !in[p.name][c] {
				t.Errorf("%s is in %s, and said to be in %s", c, name, p.name)
			}
			word, _, _ := strings.Cut(c, " ")
			for _, row := range usual {
				for _, pattern := range strings.Fields(row.patterns) {
					matched[row.place.name+" "+pattern] = matched[row.place.name+" "+pattern] || rpm.Match(pattern, word)
				}
			}
		}
	}
	for _, row := range usual {
		for _, pattern := range strings.Fields(row.patterns) {
			if in[row.place.name] != nil && !matched[row.place.name+" "+pattern] && !strings.HasPrefix(pattern, "/") {
				t.Errorf("%s: nothing there matches %s", row.place.name, pattern)
			}
		}
	}
	t.Logf("%d capabilities", checked)
}

// inFolder is a repository in a folder.
type inFolder string

func (f inFolder) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
}
