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

	"github.com/google/rpmpack"

	"pgbundle/repo/rpm/pkgfile"
)

// TestWriteOracle compares with createrepo_c on four lots of packages: some
// built here from testdata/specs, some with headers as rpmbuild never makes them,
// the real ones of the data folder, and those below any folder that
// PGBUNDLE_RPMS names.
func TestWriteOracle(t *testing.T) {
	t.Run("specs", func(t *testing.T) { compareWithCreaterepo(t, buildSpecs(t)) })
	t.Run("odd", func(t *testing.T) { compareWithCreaterepo(t, oddPackages(t)) })
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
		link := filepath.Join(out, filepath.Base(path))
		if _, err := os.Lstat(link); err == nil {
			return nil // the same package of another repository
		}
		return os.Symlink(abs, link)
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

// oddPackages makes packages with headers that rpmbuild does not make.
func oddPackages(t *testing.T) string {
	out := t.TempDir()
	rel := func(name string, flags uint32, version string) *rpmpack.Relation {
		r := &rpmpack.Relation{Name: name, Version: version, Sense: rpmpack.SenseAny}
		for range flags { // the type of Sense cannot be named from here
			r.Sense++
		}
		return r
	}
	for name, change := range map[string]func(*rpmpack.RPM){
		"latin1":  func(r *rpmpack.RPM) { r.AddCustomTag(1004, rpmpack.EntryString("caf\xe9 \x93x\x94")) },
		"newline": func(r *rpmpack.RPM) { r.AddCustomTag(1005, rpmpack.EntryString("a\r\nb\tc\n\n  d ]]> e\n")) },
		"author": func(r *rpmpack.RPM) {
			r.AddCustomTag(1080, rpmpack.EntryUint32([]uint32{9, 9, 9, 8, 8, 7, 7, 7, 6, 5, 4, 3}))
			r.AddCustomTag(1081, rpmpack.EntryStringSlice([]string{"a  ", " ", "", "b\n\"c\"", "e", "f", "g", "h", "i", "j", "k", "l"}))
			r.AddCustomTag(1082, rpmpack.EntryStringSlice([]string{"", " ", "x", "\xfc", "e", "f", "g", "h", "i", "j", "k", "l"}))
		},
		"deps": func(r *rpmpack.RPM) {
			r.Requires = rpmpack.Relations{rel("a", 0, "1"), rel("b", 8, ":1"), rel("c", 8, "2:1-3-4"), rel("d", 6, "1"), rel("e", 8, "1:"),
				rel("libc.so.6", 0, ""), rel("libc.so.6()(64bit)", 0, ""), rel("libc.so.6(X)", 0, ""), rel("f", 8, "-1"), rel("g", 1<<19, ""), rel("h", 1<<19|8, "2")}
			r.Provides = append(r.Provides, rel("", 0, ""), rel("q\"<>&'", 8, "1"), rel("epoch", 8, "x:1"))
		},
		"bare": func(r *rpmpack.RPM) {},
	} {
		r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: name, Version: "1", Release: "2", Arch: "noarch", Epoch: rpmpack.NoEpoch})
		if err != nil {
			t.Fatal(err)
		}
		r.AddFile(rpmpack.RPMFile{Name: "/etc/caf\xe9", Mode: 0o100644})
		change(r)
		var buf bytes.Buffer
		if err := r.Write(&buf); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, name+"-1-2.noarch.rpm"), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
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
	return saveFiles(t, files)
}

func saveFiles(t *testing.T, files []WrittenFile) string {
	t.Helper()
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

// TestCanonNotices shows that the canonical form differs for each thing that
// dnf looks at, and for nothing that it is said to leave out.
func TestCanonNotices(t *testing.T) {
	base := func() *pkgfile.Package {
		return &pkgfile.Package{
			Name: "a", Version: "1", Release: "2", Arch: "x86_64", BuildTime: 5,
			Provides:   []pkgfile.Dependency{{Name: "a", Flags: pkgfile.SenseEqual, Version: "1-2"}, {Name: "b"}},
			Requires:   []pkgfile.Dependency{{Name: "c", Flags: pkgfile.SenseGreater, Version: "3"}},
			Files:      []pkgfile.File{{Dir: "/etc/", Base: "x", Mode: 0o100644}, {Dir: "/var/", Base: "y", Mode: 0o100644}},
			Changelogs: []pkgfile.Changelog{{Time: 2, Author: "me", Text: "- two"}, {Time: 1, Author: "me", Text: "- one"}},
		}
	}
	pack := func(p *pkgfile.Package) Packaged {
		return Packaged{Location: "a.rpm", Size: 1000, SHA256: strings.Repeat("0", 64), Package: p}
	}
	canonOf := func(p Packaged) string { return canon(t, saveFolder(t, []Packaged{p})) }
	want := canonOf(pack(base()))
	for name, change := range map[string]func(*Packaged){
		"provide":             func(p *Packaged) { p.Package.Provides[1].Name = "bb" },
		"order of provides":   func(p *Packaged) { d := p.Package.Provides; d[0], d[1] = d[1], d[0] },
		"flag":                func(p *Packaged) { p.Package.Requires[0].Flags |= pkgfile.SenseEqual },
		"pre":                 func(p *Packaged) { p.Package.Requires[0].Flags |= pkgfile.SenseScriptPre },
		"requirement's epoch": func(p *Packaged) { p.Package.Requires[0].Version = "1:3" },
		"epoch":               func(p *Packaged) { p.Package.Epoch = 1 },
		"file type":           func(p *Packaged) { p.Package.Files[1].Mode = 0o040755 },
		"ghost":               func(p *Packaged) { p.Package.Files[0].Flags = 1 << 6 },
		"changelog entry":     func(p *Packaged) { p.Package.Changelogs[1].Text = "- One" },
		"changelog time":      func(p *Packaged) { p.Package.Changelogs[1].Time = 0 },
		"location":            func(p *Packaged) { p.Location = "b.rpm" },
		"space in a text":     func(p *Packaged) { p.Package.Description = " " },
		"build time":          func(p *Packaged) { p.Package.BuildTime = 6 },
		"digest":              func(p *Packaged) { p.SHA256 = strings.Repeat("1", 64) },
	} {
		p := pack(base())
		change(&p)
		if canonOf(p) == want {
			t.Errorf("a changed %s goes unseen", name)
		}
	}
	other, err := Generate([]Packaged{pack(base())}, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if canon(t, saveFiles(t, other)) != want {
		t.Error("the time of the metadata is seen")
	}
}

// TestWriteDnf lets dnf read the metadata and answer from it.
func TestWriteDnf(t *testing.T) {
	dir := generateFolder(t, buildSpecs(t))
	dnf := func(args ...string) string {
		return run(t, "dnf", append([]string{"--noplugins", "--quiet", "--disablerepo=*", "--releasever=9", "--forcearch=x86_64",
			"--setopt=module_platform_id=platform:el9", "--setopt=reposdir=/nonexistent", "--setopt=cachedir=" + t.TempDir(),
			"--installroot=" + t.TempDir(), "--repofrompath=ours," + dir, "--enablerepo=ours"}, args...)...)
	}
	dnf("makecache")
	for _, c := range []struct{ query, want string }{
		{"repoquery --qf %{name}-%{epoch}:%{version}-%{release}.%{arch}", "pgb-empty-3:1.2~rc1^git5-7.1.x86_64 pgb-plain-0:1.2~rc1^git5-7.1.noarch pgb-rich-3:1.2~rc1^git5-7.1.src pgb-rich-3:1.2~rc1^git5-7.1.x86_64"},
		{"repoquery --qf %{name} --whatprovides /usr/bin/pgb-tool", "pgb-rich"},
		{"repoquery --qf %{name} --file /usr/libexec/pgb/own", "pgb-rich"},
		{"repoquery --qf %{name} --whatrequires pgb-rich", "pgb-plain"},
		{"repoquery --suggests pgb-rich.x86_64", "pgb-suggested = 1:2-3"},
		{"repoquery --supplements pgb-rich.x86_64", "(pgb-s1 and pgb-s2)"},
		{"repoquery --location pgb-empty", "file://" + dir + "/pgb-empty-1.2~rc1^git5-7.1.x86_64.rpm"},
	} {
		if got := strings.Join(strings.Fields(dnf(strings.Fields(c.query)...)), " "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.query, got, c.want)
		}
	}
}
