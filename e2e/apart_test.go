//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
)

// apart runs the rest of a test in a process with mounts of its own and says
// whether this is that process. Whatever ends it, no mount, no loop device and
// nothing in memory is left of it.
func apart(t *testing.T) bool {
	t.Helper()
	if dir, archive, inside := strings.Cut(os.Getenv("PGBUNDLE_APART"), "\n"); inside {
		made.dir, made.archive = dir, archive
		return true
	}
	t.Parallel()
	b := openBed(t)
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{bed: b, checkout: checkout, work: t.TempDir(), evidence: &evidence{Facts: map[string]any{}}}
	s.build(t) // for all the processes of this run
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=0")
	cmd.Env = append(os.Environ(), "PGBUNDLE_APART="+made.dir+"\n"+made.archive)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Fatalf("the process apart: %v", err)
	}
	return false
}

// memory is a folder on a file system of its own that is no disk: what a SIGKILL
// leaves does not depend on one, and syncing costs nothing.
func memory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8g"); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// times reads how often something is to be tried, from the environment.
func times(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: takes a number from 1", name, text)
	}
	return n
}

// lot draws from PGBUNDLE_SEED, or a new seed, which stands in the evidence.
func (s *site) lot(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PGBUNDLE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("PGBUNDLE_SEED=%s: takes a number", text)
		}
	}
	s.evidence.Facts["seed"] = strconv.FormatUint(seed, 10)
	t.Logf("PGBUNDLE_SEED=%d draws the same again", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// image is the root of a node of the bed, before its first boot.
func (s *site) image(t *testing.T, name string) string {
	t.Helper()
	var b struct{ Images map[string]string }
	data, err := os.ReadFile(filepath.Join(s.dir, "bed.json"))
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil || b.Images[name] == "" {
		t.Fatalf("no image %s in bed.json (%v)", name, err)
	}
	return b.Images[name]
}

// small is the bundle cut down to about 20 MB for a target, most of it the
// program: two packages, the small wheels, one collection, and in etcd's place
// bytes of no meaning, which make bundles of different names differ.
func (s *site) small(t *testing.T, name string) string {
	t.Helper()
	roots := []string{"acl", "tar"}
	archive := s.remake(t, name, func(t *testing.T, dir string, m *manifest.Manifest) {
		drop(t, dir, "rpms/*.rpm", func(name string, _ int64) bool {
			return slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(name, root+"-") })
		})
		drop(t, dir, "wheels/target/*.whl", func(_ string, size int64) bool { return size < 200_000 })
		drop(t, dir, "collections/*.tar.gz", func(name string, _ int64) bool { return strings.HasPrefix(name, "ansible-posix-") })
		s.repodataOf(t, dir)
		m.Lock.Requests = slices.DeleteFunc(m.Lock.Requests, func(r manifest.Request) bool {
			return r.Kind == manifest.Collection || r.Kind == manifest.RPM && !slices.Contains(roots, r.Want)
		})
		for _, root := range roots {
			if r := (manifest.Request{Kind: manifest.RPM, Role: manifest.TargetNode, Want: root}); !slices.Contains(m.Lock.Requests, r) {
				m.Lock.Requests = append(m.Lock.Requests, r)
			}
		}
		posix := filepath.Base(one(t, dir, "collections/ansible-posix-*.tar.gz"))
		version := strings.TrimSuffix(strings.TrimPrefix(posix, "ansible-posix-"), ".tar.gz")
		wanted := fmt.Sprintf("collections:\n- name: %s\n  version: %s\n", posix, version)
		noise := make([]byte, 2<<20)
		random := rand.New(rand.NewPCG(uint64(name[0]), uint64(len(name))))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		for path, data := range map[string][]byte{filepath.Join(dir, "collections/requirements.yml"): []byte(wanted), one(t, dir, "etcd/*.tar.gz"): noise} {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	return archive
}

// drop removes the files of a pattern that are not to be kept.
func drop(t *testing.T, dir, pattern string, keep func(name string, size int64) bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err == nil && !keep(info.Name(), info.Size()) {
			err = os.Remove(file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// compile builds pgbundle again with a tag that a test needs; the program lies
// in a folder of that name.
func (s *site) compile(t *testing.T, tag, folder string) {
	t.Helper()
	s.must(t, command{name: "go build -tags " + tag, dir: s.checkout, env: []string{"CGO_ENABLED=0"},
		args: []string{"go", "build", "-tags", tag, "-o", filepath.Join(folder, tag, "pgbundle"), "./cmd/pgbundle"}})
}
