//go:build oracle

package facts

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/rpmpack"

	"pgbundle/install/node"
	"pgbundle/internal/fixture"
	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
)

// rpmWords are the options that rpm lists a package's parts by, by our words.
var rpmWords = map[string]string{
	"provides": "--provides", "requires": "--requires", "conflicts": "--conflicts", "obsoletes": "--obsoletes", "recommends": "--recommends",
	"suggests": "--suggests", "supplements": "--supplements", "enhances": "--enhances", "files": "--list",
}

// database lets this host's rpm read the database below a folder.
type database struct {
	run  *node.Node
	root string
}

func (d database) Run(ctx context.Context, c node.Command) (node.Output, error) {
	c.Args = slices.Clone(c.Args)
	for i, arg := range c.Args {
		if arg == "/var/lib/rpm" {
			c.Args[i] = d.root + arg
		}
	}
	return d.run.Run(ctx, c)
}

// rpmSaid runs rpm and returns its lines.
func rpmSaid(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("rpm", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("rpm %v: %v: %.2000s", args, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// everyKind writes a package with dependencies of every kind and paths of every
// kind.
func everyKind(t *testing.T, file string) {
	t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: "every", Version: "1", Release: "2", Arch: "x86_64", Epoch: 3})
	if err != nil {
		t.Fatal(err)
	}
	const less, greater, equal, pre, rpmlib = 2, 4, 8, 1 << 9, 1 << 24
	for i, tags := range [][3]int{
		{1047, 1113, 1112}, {1049, 1050, 1048}, {1054, 1055, 1053}, {1090, 1115, 1114},
		{5046, 5047, 5048}, {5049, 5050, 5051}, {5052, 5053, 5054}, {5055, 5056, 5057},
	} {
		names := []string{"plain", "old", "new", "older", "same", "lib.so()(64bit)", "plain", "/bin/sh", "/bin/sh"}
		versions := []string{"", "1", "0:2", "1:2-3", "1:2~rc1-3^x", "", "", "", ""}
		flags := []uint32{0, less, greater | equal, less | equal, equal, 0, 0, 0, pre}
		if i == 1 {
			names, versions, flags = append(names, "rpmlib(X)"), append(versions, "4-1"), append(flags, less|equal|rpmlib)
		}
		if i != 0 && i != 3 {
			names, versions, flags = append(names, "(a >= 1:2-3 if (b or c) else d)"), append(versions, ""), append(flags, 0)
		}
		if i == 0 {
			names, versions, flags = append(names, "every"), append(versions, "3:1-2"), append(flags, equal)
		}
		r.AddCustomTag(tags[0], rpmpack.EntryStringSlice(names))
		r.AddCustomTag(tags[1], rpmpack.EntryStringSlice(versions))
		r.AddCustomTag(tags[2], rpmpack.EntryUint32(flags))
	}
	for name, file := range map[string]rpmpack.RPMFile{
		"/etc/every": {Mode: 0o40755}, "/etc/every/a b": {Mode: 0o100644, Type: rpmpack.ConfigFile}, "/usr/bin/tést": {Mode: 0o100755},
		"/usr/lib/sendmail": {Mode: 0o120777, Body: []byte("every")}, "/opt/x/sbin/ghost": {Mode: 0o100644, Type: rpmpack.GhostFile},
		"/usr/share/every": {Mode: 0o100644}, "/bin": {Mode: 0o120777, Body: []byte("usr/bin")}, "/etcetera/x": {Mode: 0o100644},
	} {
		file.Name, file.Owner, file.Group = name, "root", "root"
		r.AddFile(file)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := r.Write(f); err != nil {
		t.Fatal(err)
	}
}

// machineOf is a machine whose RPM database holds the packages of some files.
func machineOf(t *testing.T, files []string) Host {
	t.Helper()
	root := t.TempDir()
	db := filepath.Join(root, "var/lib/rpm")
	rpmSaid(t, append([]string{"--dbpath", db, "-i", "--justdb", "--nodeps", "--force", "--ignorearch", "--nosignature"}, files...)...)
	here, err := node.Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := Of(here)
	h.FS, h.Run, h.Program, h.Time = os.DirFS(root), database{here, root}, "pgbundle", time.Unix(0, 0)
	return h
}

// wholeFacts collects the facts of a machine and reads them back from YAML.
func wholeFacts(t *testing.T, h Host) *manifest.Node {
	t.Helper()
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if why, unknown := n.Why("packages"); unknown {
		t.Fatal(why)
	}
	text, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := manifest.ParseNode(text)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// lists are the dependencies and paths of a package by our words.
func lists(p manifest.Package) map[string][]string {
	return map[string][]string{
		"provides": p.Provides, "requires": p.Requires, "conflicts": p.Conflicts, "obsoletes": p.Obsoletes, "recommends": p.Recommends,
		"suggests": p.Suggests, "supplements": p.Supplements, "enhances": p.Enhances, "files": p.Files,
	}
}

// What facts tell of a package is what rpm tells, but for duplicates, features of
// rpm and paths that nobody requires.
func TestOraclePackagesAreRPMs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "every.rpm")
	everyKind(t, file)
	n := wholeFacts(t, machineOf(t, []string{file}))
	if len(n.Packages) != 1 || n.Packages[0].EVR != "3:1-2" {
		t.Fatalf("%+v", n.Packages)
	}
	for kind, got := range lists(n.Packages[0]) {
		var want []string
		for _, line := range rpmSaid(t, "-qp", "--nosignature", rpmWords[kind], file) {
			if slices.Contains(want, line) || strings.HasPrefix(line, "rpmlib(") || kind == "files" && !rpm.InPrimary(line) {
				continue
			}
			want = append(want, line)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) < 4 {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

type folder string

func (f folder) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
}

// Packages that a node has are in a pool what they are in the repository that
// createrepo_c makes of them, but for requirements that it leaves out since the
// package meets them itself.
func TestOraclePackagesAreCreaterepos(t *testing.T) {
	dir := t.TempDir()
	if _, err := fixture.New(dir, fixture.Options{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, id := range []string{"baseos", "appstream", "pgdg16", "pgdg-common", "epel"} {
		found, err := filepath.Glob(filepath.Join(dir, fixture.Repo{ID: id}.Path("x86_64"), "Packages/*/*.rpm"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", id, found, err)
		}
		files = append(files, found...)
	}
	all := filepath.Join(t.TempDir(), "all")
	if err := os.Mkdir(all, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Link(file, filepath.Join(all, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	every := filepath.Join(all, "every.rpm")
	everyKind(t, every)
	if out, err := exec.Command("createrepo_c", "--no-database", "--general-compress-type=gz", all).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	repository := rpm.NewPool()
	if _, err := repomd.Load(t.Context(), repository, []repomd.Input{{Repo: rpm.Repo{ID: "all"}, Tree: folder(all)}}, repomd.Options{}); err != nil {
		t.Fatal(err)
	}
	installed := rpm.NewPool()
	installed.AddInstalled(wholeFacts(t, machineOf(t, append(files, every))).Packages)
	want, got := listsOf(repository), listsOf(installed)
	if len(got) < 100 {
		t.Errorf("%d packages", len(got))
	}
	for nevra, p := range got {
		q, there := want[nevra]
		if !there {
			t.Errorf("%s is in no repository", nevra)
		}
		requires := slices.DeleteFunc(p["requires"], func(d string) bool {
			own := slices.Contains(p["provides"], d) || slices.Contains(p["files"], d)
			return own && !slices.Contains(q["requires"], d)
		})
		if p["requires"] = requires; len(requires) == 0 {
			delete(p, "requires")
		}
		if diff := cmp.Diff(q, p); diff != "" {
			t.Errorf("%s: %s", nevra, diff)
		}
	}
	t.Logf("%d packages", len(got))
}

// listsOf are the dependencies and paths in a pool, sorted, by NEVRA and kind.
func listsOf(pool *rpm.Pool) map[string]map[string][]string {
	pool.Prepare("x86_64")
	out := map[string]map[string][]string{}
	for id := rpm.ID(1); int(id) < pool.Len(); id++ {
		pkg, p := pool.Package(id), map[string][]string{"files": pool.FilesOf(id)}
		for kind, deps := range map[string][]rpm.Dep{
			"provides": pkg.Provides, "requires": pkg.Requires, "conflicts": pkg.Conflicts, "obsoletes": pkg.Obsoletes,
			"recommends": pkg.Recommends, "suggests": pkg.Suggests, "supplements": pkg.Supplements, "enhances": pkg.Enhances,
		} {
			for _, d := range deps {
				p[kind] = append(p[kind], pool.DepString(d))
			}
		}
		for _, list := range p {
			slices.Sort(list)
		}
		out[pool.NEVRA(id)] = p
	}
	return out
}
