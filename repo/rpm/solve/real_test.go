package solve

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
)

// realData returns the folder of real metadata. Where the data must be there
// (CI=true) its absence is a failure.
func realData(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("PGBUNDLE_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the real metadata is missing: %v", err)
		}
		t.Skipf("the real metadata is missing: %v", err)
	}
	return folder
}

// folderTree is a repository in a folder.
type folderTree string

func (f folderTree) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
}

// source is a repository of a test, in configuration order.
type source struct {
	id, folder     string
	priority, cost int
	exclude        []string
	include        []string
}

func el9Sources(t testing.TB) []source {
	data := filepath.Join(realData(t), "el9")
	return []source{
		{id: "baseos", folder: filepath.Join(data, "baseos"), priority: 99, cost: 1000},
		{id: "appstream", folder: filepath.Join(data, "appstream"), priority: 99, cost: 1000},
	}
}

// loadPool loads repositories with their file lists.
func loadPool(t testing.TB, sources []source) *rpm.Pool {
	t.Helper()
	pool := rpm.NewPool()
	loadInto(t, pool, sources)
	return pool
}

// loadInto adds repositories with their file lists to a pool and prepares it.
func loadInto(t testing.TB, pool *rpm.Pool, sources []source) {
	t.Helper()
	var inputs []repomd.Input
	for _, s := range sources {
		inputs = append(inputs, repomd.Input{
			Repo: rpm.Repo{ID: s.id, Priority: s.priority, Cost: s.cost},
			Tree: folderTree(s.folder), Exclude: s.exclude, Include: s.include,
		})
	}
	repos, err := repomd.Load(t.Context(), pool, inputs, repomd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := repomd.LoadFiles(t.Context(), pool, repos); err != nil {
		t.Fatal(err)
	}
	pool.Prepare("x86_64")
}

// names returns the names that have a visible build for the machine.
func names(s *Solver) []string {
	var out []string
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if in := &s.info[id]; in.installable && (in.score == 1 || in.class() == 1) {
			out = append(out, s.pool.String(in.name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var el9Solver = sync.OnceValue(func() func(testing.TB) *Solver {
	var once sync.Once
	var s *Solver
	return func(t testing.TB) *Solver {
		t.Helper()
		sources := el9Sources(t)
		once.Do(func() { s = NewSolver(loadPool(t, sources)) })
		return s
	}
})()

// TestEL9Closures pins the sizes of the closures that dnf finds without weak
// dependencies.
func TestEL9Closures(t *testing.T) {
	s := el9Solver(t)
	for _, test := range []struct {
		name  string
		count int
	}{
		{"haproxy", 85}, {"keepalived", 178}, {"python3.11", 58}, {"nginx", 87}, {"git", 160},
		{"podman", 99}, {"ansible-core", 110}, {"php", 60}, {"rsync", 41}, {"openssl-libs", 37},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := s.Solve(t.Context(), Job{Requests: []string{test.name}, Best: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Packages) != test.count {
				t.Errorf("%d packages, dnf takes %d", len(r.Packages), test.count)
			}
		})
	}
}
