//go:build oracle

package proof

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgbundle/install/node"
	"pgbundle/internal/fixture"
	"pgbundle/manifest"
)

// machine runs this host's dnf and rpm on an rpmdb of its own: rpm takes its
// place from the macros in HOME.
type machine struct {
	run  *node.Node
	home string
}

func newMachine(t *testing.T, packages ...string) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root: dnf install does")
	}
	run, err := node.Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{run: run, home: t.TempDir()}
	write(t, filepath.Join(m.home, ".rpmmacros"), "%_dbpath "+m.home+"/rpmdb\n")
	if err := os.Mkdir(filepath.Join(m.home, "rpmdb"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.rpm(t, "--initdb")
	if len(packages) > 0 {
		m.rpm(t, append([]string{"--install", "--justdb", "--nodeps", "--force", "--noscripts", "--notriggers", "--nosignature"}, packages...)...)
	}
	return m
}

func (m *machine) Run(ctx context.Context, c node.Command) (node.Output, error) {
	c.Env = append(slices.Clone(c.Env), "HOME="+m.home)
	return m.run.Run(ctx, c)
}

func (m *machine) rpm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.Run(t.Context(), node.Command{Args: append([]string{"rpm"}, args...)})
	if err != nil || out.Status != 0 {
		t.Fatalf("rpm %v: %v %s", args, err, out.Text())
	}
	return out.Stdout
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// release lays the packages of a plain build into a folder, as a bundle does.
type release struct {
	world *fixture.World
	top   string
}

var theWorld = sync.OnceValues(func() (*fixture.World, error) { return fixture.New("", fixture.Options{}) })

func newRelease(t *testing.T) *release {
	t.Helper()
	world, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	r := &release{world: world, top: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(r.rpms(), "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	var keys strings.Builder
	for _, repo := range world.Repos() {
		if repo.Role == "provides" {
			r.add(t, repo.Path("x86_64")+"/Packages/")
		}
	}
	for _, name := range []string{fixture.DistroKey, fixture.EPELKey, fixture.PGDGKey} {
		keys.WriteString("pgbundle: key " + world.Fingerprint(name) + "\n" + string(world.File("keys/"+name+".asc")) + "\n")
	}
	write(t, r.keys(), keys.String())
	r.index(t)
	return r
}

func (r *release) rpms() string { return filepath.Join(r.top, "rpms") }
func (r *release) keys() string { return filepath.Join(r.rpms(), "keys/RPM-GPG-KEY-patroni-airgap") }

// add copies the world's files with this prefix.
func (r *release) add(t *testing.T, prefix string) {
	t.Helper()
	paths := r.world.Paths(prefix)
	if len(paths) == 0 {
		t.Fatalf("nothing at %s", prefix)
	}
	for _, p := range paths {
		if strings.HasSuffix(p, ".rpm") {
			write(t, filepath.Join(r.rpms(), filepath.Base(p)), string(r.world.File(p)))
		}
	}
}

func (r *release) remove(t *testing.T, glob string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.rpms(), glob))
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing at %s (%v)", glob, err)
	}
	for _, f := range found {
		if err := os.RemoveAll(f); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *release) index(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("createrepo_c", "--quiet", "--no-database", r.rpms()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// file takes a package out of the world, by its path below rpm/.
func (r *release) file(t *testing.T, path string) string {
	t.Helper()
	data := r.world.File("rpm/" + path)
	if data == nil {
		t.Fatalf("no %s", path)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(path))
	write(t, file, string(data))
	return file
}

var someRoots = []string{"postgresql16-server", "haproxy", "keepalived"}

func (r *release) prove(t *testing.T, m *machine, roots []string, change func(*Options)) (*Result, error) {
	t.Helper()
	o := Options{Folder: r.rpms(), Keys: r.keys(), Roots: roots, Scratch: filepath.Join(t.TempDir(), "scratch")}
	if change != nil {
		change(&o)
	}
	before := m.rpm(t, "-qa")
	result, err := Prove(t.Context(), m, o)
	if after := m.rpm(t, "-qa"); after != before {
		t.Errorf("the node's packages were changed:\n%s\nand were\n%s", after, before)
	}
	if strings.Contains(m.rpm(t, "-qa"), "gpg-pubkey") {
		t.Error("a key is in the node's rpmdb")
	}
	return result, err
}

// TestProofHolds: what dnf says it would install is what the proof says.
func TestProofHolds(t *testing.T) {
	r, m := newRelease(t), newMachine(t)
	result, err := r.prove(t, m, someRoots, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Signed < 100 || result.Unsigned != 0 || len(result.New) < 60 || len(result.Upgraded)+len(result.Removed)+len(result.Downgraded) != 0 {
		t.Errorf("%+v", result)
	}
	for _, c := range result.New {
		if c.Vendor == "" || c.EVR == "" || c.From != "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestProofTouchesNothing lists what is on this machine where dnf and rpm write
// by themselves, before and after.
func TestProofTouchesNothing(t *testing.T) {
	listing := func() string {
		out, err := exec.Command("find", "/var/cache/dnf", "/var/lib/dnf", "/var/log", "/etc/dnf", "/etc/yum.repos.d", "/var/lib/rpm", "/run", "/tmp", "/var/tmp",
			"-maxdepth", "1", "(", "-name", "*dnf*", "-o", "-name", "*hawkey*", "-o", "-name", "*rpm*", "-o", "-name", "*.repo", ")", "-printf", "%p %T@\n").Output()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	r, m := newRelease(t), newMachine(t)
	before := listing()
	if _, err := r.prove(t, m, someRoots, nil); err != nil {
		t.Fatal(err)
	}
	if after := listing(); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

func TestProofFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *release, *Options)
		roots  []string
		class  error
		has    string
	}{
		{name: "wrong key", class: manifest.ErrSignature, has: "SIGNATURES NOT OK", change: func(t *testing.T, r *release, o *Options) {
			write(t, r.keys(), string(r.world.File("keys/"+fixture.StrangerKey+".asc")))
		}},
		{name: "one key too few", class: manifest.ErrSignature, has: "pgbackrest-2.53-1PGDG.rhel9.x86_64.rpm: digests SIGNATURES NOT OK", change: func(t *testing.T, r *release, o *Options) {
			write(t, r.keys(), string(r.world.File("keys/"+fixture.DistroKey+".asc")))
		}},
		{name: "no key", class: manifest.ErrSignature, has: "import", change: func(t *testing.T, r *release, o *Options) { write(t, r.keys(), "junk\n") }},
		{name: "unsigned RPM", class: manifest.ErrSignature, has: "acl-2.4.0-1.el9.x86_64.rpm: not signed", change: func(t *testing.T, r *release, o *Options) {
			r.add(t, "rpm/bad-unsigned/x86_64/")
			r.index(t)
		}},
		{name: "stranger's RPM", class: manifest.ErrSignature, has: "acl-2.4.0-1.el9.x86_64.rpm: digests SIGNATURES NOT OK", change: func(t *testing.T, r *release, o *Options) {
			r.add(t, "rpm/bad-stranger/x86_64/")
			r.index(t)
		}},
		{name: "changed RPM", class: manifest.ErrDamaged, has: "haproxy-2.4.22-3.el9_3.x86_64.rpm: DIGESTS", change: func(t *testing.T, r *release, o *Options) {
			path := filepath.Join(r.rpms(), "haproxy-2.4.22-3.el9_3.x86_64.rpm")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-30] ^= 1
			write(t, path, string(data))
		}},
		{name: "missing RPM", class: manifest.ErrDamaged, has: "haproxy-2.4.22-3.el9_3.x86_64", change: func(t *testing.T, r *release, o *Options) {
			r.remove(t, "haproxy-2.4.22*")
		}},
		{name: "missing RPM in packages and metadata", class: manifest.ErrUnsolvable, has: "nothing provides", change: func(t *testing.T, r *release, o *Options) {
			r.remove(t, "net-snmp-libs-*")
			r.index(t)
		}},
		{name: "missing root", class: manifest.ErrUnsolvable, has: "No match for argument: nosuch", roots: []string{"haproxy", "nosuch"}, change: func(t *testing.T, r *release, o *Options) {}},
		{name: "deleted repodata", class: manifest.ErrDamaged, has: "repomd.xml", change: func(t *testing.T, r *release, o *Options) { r.remove(t, "repodata") }},
		{name: "deleted primary", class: manifest.ErrDamaged, has: "primary", change: func(t *testing.T, r *release, o *Options) { r.remove(t, "repodata/*primary*") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, m := newRelease(t), newMachine(t)
			roots := c.roots
			if roots == nil {
				roots = someRoots
			}
			result, err := r.prove(t, m, roots, func(o *Options) { c.change(t, r, o) })
			if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.has) {
				t.Errorf("%+v, %v; want %q of class %v", result, err, c.has, c.class)
			}
		})
	}
}

func TestProofUnsignedSource(t *testing.T) {
	r, m := newRelease(t), newMachine(t)
	r.add(t, "rpm/bad-unsigned/x86_64/")
	r.index(t)
	result, err := r.prove(t, m, []string{"acl"}, func(o *Options) { o.Unsigned = map[string]bool{"acl-2.4.0-1.el9.x86_64.rpm": true} })
	if err != nil || result.Unsigned != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestProofOfChanges: a node that has an older haproxy of another vendor, a
// package that has another name now, and one that is newer than the bundle's.
func TestProofOfChanges(t *testing.T) {
	r := newRelease(t)
	m := newMachine(t, r.file(t, "epel/x86_64/Packages/h/haproxy-2.4.10-1.el9.x86_64.rpm"),
		r.file(t, "appstream/x86_64/Packages/f/fixture-former-1.9~rc1-1.el9.noarch.rpm"), r.file(t, "bad-unsigned/x86_64/Packages/a/acl-2.4.0-1.el9.x86_64.rpm"))
	result, err := r.prove(t, m, []string{"haproxy", "acl"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Change{Name: "haproxy", Arch: "x86_64", EVR: "2.4.22-3.el9_3", From: "2.4.10-1.el9", Vendor: "Fixture Linux", FromVendor: "Fixture EPEL"}
	if len(result.VendorChanged) != 1 || result.VendorChanged[0] != want || len(result.Upgraded) != 1 {
		t.Errorf("%+v", result)
	}
	if !slices.Equal(result.Present, []string{"acl-2.4.0-1.el9.x86_64"}) {
		t.Errorf("present: %q", result.Present)
	}
	if result, err = r.prove(t, m, []string{"fixture-renamed"}, nil); !errors.Is(err, manifest.ErrUnsolvable) || len(result.Removed) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	if result, err = r.prove(t, m, []string{"acl-2.3.1"}, nil); !errors.Is(err, manifest.ErrUnsolvable) || len(result.Downgraded) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}
