//go:build oracle

package repomd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgbundle/repo/rpm/pkgfile"
)

// TestWriteOracle compares with createrepo_c on three lots of packages: some
// built here from testdata/specs, the real ones of the data folder, and any
// folder that PGBUNDLE_RPMS names.
func TestWriteOracle(t *testing.T) {
	t.Run("specs", func(t *testing.T) { compareWithCreaterepo(t, buildSpecs(t)) })
	t.Run("data", func(t *testing.T) {
		data := filepath.Join(writeDataFolder(t), "pg-extensions-el9")
		compareWithCreaterepo(t, linkPackages(t, data))
	})
	if dir := os.Getenv("PGBUNDLE_RPMS"); dir != "" {
		t.Run("PGBUNDLE_RPMS", func(t *testing.T) { compareWithCreaterepo(t, linkPackages(t, dir)) })
	}
}

func writeDataFolder(t *testing.T) string {
	dir := os.Getenv("PGBUNDLE_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no data folder: %v", err)
		}
		t.Skipf("no data folder: %v", err)
	}
	return dir
}

// linkPackages makes a folder of its own for the packages below dir, since
// createrepo_c writes into the folder that it reads.
func linkPackages(t *testing.T, dir string) string {
	out := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".rpm") {
			return err
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		return os.Symlink(abs, filepath.Join(out, filepath.Base(path)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func buildSpecs(t *testing.T) string {
	out, top := t.TempDir(), t.TempDir()
	specs, err := filepath.Glob("testdata/specs/*.spec")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no spec files: %v", err)
	}
	for _, spec := range specs {
		run(t, "rpmbuild", "-ba", "--quiet", "--define", "_topdir "+top, "--define", "_rpmdir "+out,
			"--define", "_srcrpmdir "+out, "--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
			"--define", "debug_package %{nil}", "--define", "__os_install_post %{nil}", spec)
	}
	return out
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH=1700000000", "TZ=UTC")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// generateFolder writes the metadata of the packages in dir to a new folder.
func generateFolder(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no packages in %s: %v", dir, err)
	}
	read, err := pkgfile.ReadFiles(context.Background(), paths, 2)
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []Packaged
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		pkgs = append(pkgs, Packaged{Location: filepath.Base(path), Size: int64(len(data)),
			SHA256: hex.EncodeToString(sum[:]), Package: read[i]})
	}
	return saveFolder(t, pkgs)
}

func saveFolder(t *testing.T, pkgs []Packaged) string {
	t.Helper()
	files, err := Generate(pkgs, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, "repodata"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(out, filepath.FromSlash(f.Path)), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func canon(t *testing.T, dir string) string {
	t.Helper()
	return run(t, "/usr/bin/python3", "../../../scripts/oracle/canon_repodata.py", dir)
}

func compareWithCreaterepo(t *testing.T, dir string) {
	t.Helper()
	run(t, "createrepo_c", "--quiet", "--no-database", dir)
	want, got := canon(t, dir), canon(t, generateFolder(t, dir))
	if want == got {
		t.Logf("%d packages, %d lines equal", strings.Count(want, "}name ["), strings.Count(want, "\n"))
		return
	}
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		if wantLines[i] != gotLines[i] {
			t.Fatalf("line %d\ncreaterepo_c: %s\nours:         %s", i+1, wantLines[i], gotLines[i])
		}
	}
	t.Fatalf("%d lines of createrepo_c, %d of ours", len(wantLines), len(gotLines))
}
