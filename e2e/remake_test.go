//go:build e2e

package e2e

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

// unpacked takes the bundle apart, once.
func (s *site) unpacked(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(s.bundle); err != nil {
		s.must(t, command{name: "tar xzf", dir: s.work, args: []string{"tar", "xzf", s.archive}})
	}
}

// other is a second bundle for the same nodes, which lacks pgbackrest.
func (s *site) other(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(s.work, "other")
	for _, name := range []string{dir, filepath.Join(s.work, "strange")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.must(t, command{name: "another build", dir: s.work, args: append(s.wish("--sign", "site.key", "-q", "-o", dir), s.from()...)})
	s.must(t, command{name: "a stranger's key", dir: s.work, args: []string{s.pgbundle(), "keygen", "--no-password", "stranger"}})
	name := filepath.Join(s.work, "without-pgbackrest.tar.gz")
	if err := os.Rename(s.onlyBundle(t, dir), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// remake writes the bundle again after change was at work on a copy of its
// folder and on its manifest. Digests, sizes and framing are made anew: the
// bundle is consistent in itself, and only who judges the content can find out.
func (s *site) remake(t *testing.T, name string, change func(t *testing.T, dir string, m *manifest.Manifest)) string {
	t.Helper()
	s.unpacked(t)
	dir := filepath.Join(s.work, "remade")
	s.must(t, command{name: "copy the bundle's folder", args: []string{"cp", "-r", s.bundle, dir}})
	defer s.remove(t, "remade")
	raw, err := os.ReadFile(filepath.Join(dir, manifest.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	change(t, dir, m)
	m.Files = filesIn(t, dir)
	m.Lock.Artifacts = slices.DeleteFunc(m.Lock.Artifacts, func(a manifest.Artifact) bool {
		return !slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Path == a.Path })
	})
	for i := range m.Lock.Artifacts {
		a := &m.Lock.Artifacts[i]
		at := slices.IndexFunc(m.Files, func(f manifest.File) bool { return f.Path == a.Path })
		if a.SHA256 != m.Files[at].SHA256 {
			a.Size, a.SHA256 = m.Files[at].Size, m.Files[at].SHA256
			a.From.Size, a.From.SHA256 = a.Size, a.SHA256
		}
	}
	if raw, err = m.Marshal(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(s.work, name+".tar.gz")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	open := func(_ context.Context, path string) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, path)) }
	if _, err := bundle.Write(t.Context(), f, bundle.Content{Manifest: raw, Open: open}, bundle.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return archive
}

// filesIn describes the files of an unpacked bundle as a manifest does.
func filesIn(t *testing.T, dir string) []manifest.File {
	t.Helper()
	var files []manifest.File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || slices.Contains([]string{manifest.ManifestName, manifest.SignatureName, manifest.SumsName}, name) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		mode := uint32(0o644)
		if name == "pgbundle" || name == "airgap-install.sh" {
			mode = 0o755
		}
		files = append(files, manifest.File{Path: name, Size: int64(len(data)), Mode: mode, SHA256: manifest.Digest(data)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// repodataOf makes the metadata of a changed folder of RPMs anew.
func (s *site) repodataOf(t *testing.T, dir string) {
	t.Helper()
	s.must(t, command{name: "createrepo_c", args: []string{"sh", "-c", `rm -rf "$1/repodata" && createrepo_c --quiet --no-database "$1"`, "sh", filepath.Join(dir, "rpms")}})
}

// one is the only file of a pattern in a folder.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v (%v)", pattern, found, err)
	}
	return found[0]
}
