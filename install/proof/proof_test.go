package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// programs answers in place of a node's own.
type programs struct {
	mu     sync.Mutex
	ran    []string // command lines
	answer func(args []string) node.Output
}

func (p *programs) Run(_ context.Context, c node.Command) (node.Output, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran = append(p.ran, strings.Join(c.Args, " "))
	return p.answer(c.Args), nil
}

// folder is a repository whose RPMs are named only.
func folder(t *testing.T, names ...string) Options {
	t.Helper()
	top := t.TempDir()
	o := Options{Folder: filepath.Join(top, "rpms"), Keys: filepath.Join(top, "keys"), Scratch: filepath.Join(top, "scratch"), Roots: []string{"acl"}}
	if err := os.Mkdir(o.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Keys, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(o.Folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// good answers as a node where everything holds: each file is signed and holds
// the package that its name says.
func good(args []string) node.Output {
	var out strings.Builder
	for _, name := range args {
		file, ok := strings.CutPrefix(name, "./")
		if !ok {
			continue
		}
		switch args[0] {
		case "rpmkeys":
			fmt.Fprintf(&out, "./%s: digests signatures OK\n", file)
		case "rpm":
			nvr, arch := strings.TrimSuffix(file, ".rpm"), "x86_64"
			nvr = strings.TrimSuffix(nvr, "."+arch)
			parts := strings.Split(nvr, "-")
			n := len(parts)
			fmt.Fprintf(&out, "%s\t0\t%s-%s\t%s\tFixture Linux\n", strings.Join(parts[:n-2], "-"), parts[n-2], parts[n-1], arch)
		}
	}
	if args[0] == "dnf" {
		return node.Output{Stdout: "Nothing to do.\n"}
	}
	return node.Output{Stdout: out.String()}
}

// TestProveEmpty holds that a bundle may carry no package, where its lock has none.
func TestProveEmpty(t *testing.T) {
	o := folder(t)
	if _, err := Prove(t.Context(), &programs{answer: good}, o); !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("packages are gone: %v", err)
	}
	o = folder(t)
	o.Empty = true
	if err := os.Remove(o.Keys); err != nil {
		t.Fatal(err)
	}
	p := &programs{answer: good}
	r, err := Prove(t.Context(), p, o)
	if err != nil || r.Signed+r.Unsigned != 0 || len(p.ran) != 1 || !strings.HasPrefix(p.ran[0], "dnf ") {
		t.Errorf("no package is carried: %+v, %v; ran %q", r, err, p.ran)
	}
}

func TestProveInOrder(t *testing.T) {
	o := folder(t, "acl-2.3.1-4.el9.x86_64.rpm", "bash-5.1.8-9.el9.x86_64.rpm", "not-an-rpm")
	p := &programs{answer: good}
	r, err := Prove(t.Context(), p, o)
	if err != nil || r.Signed != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i, begin := range []string{"rpmkeys --dbpath " + o.Scratch + "/rpmdb --import " + o.Keys, "rpmkeys --dbpath " + o.Scratch + "/rpmdb --checksig ./acl",
		"rpm --query", "dnf --disableplugin=* --enableplugin=versionlock --setopt=reposdir=" + o.Scratch} {
		if i >= len(p.ran) || !strings.HasPrefix(p.ran[i], begin) {
			t.Fatalf("ran %q, want %q as number %d", p.ran, begin, i)
		}
	}
	repo, err := os.ReadFile(filepath.Join(o.Scratch, "repos/patroni-airgap.repo"))
	if err != nil || !strings.Contains(string(repo), "baseurl=file://"+o.Folder+"\n") || !strings.Contains(string(repo), "\ngpgkey=file://"+o.Keys+"\n") || !strings.Contains(string(repo), "\ngpgcheck=1\n") {
		t.Errorf("%v:\n%s", err, repo)
	}
}

func TestProveSignatures(t *testing.T) {
	const acl, bash = "acl-2.3.1-4.el9.x86_64.rpm", "bash-5.1.8-9.el9.x86_64.rpm"
	for _, c := range []struct {
		name, verdict, stderr string
		unsigned              map[string]bool
		status                int
		class                 error
		has                   string
	}{
		{name: "stranger", verdict: "digests SIGNATURES NOT OK", status: 1, class: manifest.ErrSignature, has: acl + ": digests SIGNATURES NOT OK"},
		{name: "unsigned", verdict: "digests OK", class: manifest.ErrSignature, has: acl + ": not signed"},
		{name: "unsigned and said so", verdict: "digests OK", unsigned: map[string]bool{acl: true}},
		{name: "unsigned and another said so", verdict: "digests OK", unsigned: map[string]bool{bash: true}, class: manifest.ErrSignature, has: "not signed"},
		{name: "said to be unsigned but by a stranger", verdict: "digests SIGNATURES NOT OK", unsigned: map[string]bool{acl: true}, status: 1, class: manifest.ErrSignature, has: acl},
		{name: "damaged", verdict: "DIGESTS SIGNATURES NOT OK", status: 1, class: manifest.ErrDamaged, has: acl},
		{name: "no answer", stderr: "error: open failed", status: 1, class: manifest.ErrDamaged, has: acl + ": no answer\n  error: open failed"},
		{name: "twice", verdict: "digests signatures OK\n./" + acl + ": digests signatures OK", class: manifest.ErrDamaged, has: acl},
		{name: "good words and a bad status", verdict: "digests signatures OK", status: 1, has: "exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := folder(t, acl, bash)
			o.Unsigned = c.unsigned
			p := &programs{answer: func(args []string) node.Output {
				if args[0] != "rpmkeys" || args[3] != "--checksig" {
					return good(args)
				}
				out := node.Output{Stdout: "./" + bash + ": digests signatures OK\n", Stderr: c.stderr, Status: c.status}
				if c.verdict != "" {
					out.Stdout += "./" + acl + ": " + c.verdict + "\n"
				}
				return out
			}}
			r, err := Prove(t.Context(), p, o)
			if c.has == "" {
				if err != nil || r.Signed != 1 || r.Unsigned != 1 {
					t.Fatalf("%+v, %v", r, err)
				}
				return
			}
			if err == nil || c.class != nil && !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.has) {
				t.Fatalf("%v, want %q of class %v", err, c.has, c.class)
			}
			if slices.ContainsFunc(p.ran, func(s string) bool { return strings.HasPrefix(s, "dnf") }) {
				t.Error("dnf was asked all the same")
			}
		})
	}
}

func TestProveKeyRefused(t *testing.T) {
	p := &programs{answer: func(args []string) node.Output {
		if len(args) > 3 && args[3] == "--import" {
			return node.Output{Stderr: "error: key 1 import failed.\n", Status: 1}
		}
		return good(args)
	}}
	if _, err := Prove(t.Context(), p, folder(t, "acl-2.3.1-4.el9.x86_64.rpm")); !errors.Is(err, manifest.ErrSignature) {
		t.Errorf("%v", err)
	}
	p.answer = func([]string) node.Output { return node.Output{Stderr: "sh: exec: rpmkeys: not found", Status: 127} }
	if _, err := Prove(t.Context(), p, folder(t, "acl-2.3.1-4.el9.x86_64.rpm")); err == nil || errors.Is(err, manifest.ErrSignature) {
		t.Errorf("without rpmkeys: %v", err)
	}
}

// TestProveWithoutKeys: a bundle whose packages are all unsigned has no file of
// keys; its repository asks for signatures all the same, as the installed one.
func TestProveWithoutKeys(t *testing.T) {
	const acl = "acl-2.3.1-4.el9.x86_64.rpm"
	o := folder(t, acl)
	o.Unsigned = map[string]bool{acl: true}
	if err := os.Remove(o.Keys); err != nil {
		t.Fatal(err)
	}
	p := &programs{answer: func(args []string) node.Output {
		if args[0] == "rpmkeys" {
			return node.Output{Stdout: "./" + acl + ": digests OK\n"}
		}
		return good(args)
	}}
	r, err := Prove(t.Context(), p, o)
	if err != nil || r.Unsigned != 1 || slices.ContainsFunc(p.ran, func(s string) bool { return strings.Contains(s, "--import") }) {
		t.Fatalf("%+v, %v, ran %q", r, err, p.ran)
	}
	if repo, err := os.ReadFile(filepath.Join(o.Scratch, "repos/patroni-airgap.repo")); err != nil || !strings.Contains(string(repo), "\ngpgcheck=1\n") || !strings.Contains(string(repo), "\ngpgkey=file://"+o.Keys+"\n") {
		t.Errorf("%v:\n%s", err, repo)
	}

	o.Unsigned = nil
	p.ran = nil
	if _, err := Prove(t.Context(), p, o); !errors.Is(err, manifest.ErrSignature) || !strings.Contains(err.Error(), "keys is not there, and 1 packages need it:\n  "+acl) || len(p.ran) > 0 {
		t.Errorf("%v, ran %q", err, p.ran)
	}
}

// TestProveChanges lets dnf give recorded answers, and rpm know both sides.
func TestProveChanges(t *testing.T) {
	node1 := "haproxy\t0\t2.4.10-1.el9\tx86_64\tFixture EPEL\npostgresql16-libs\t0\t16.3-1PGDG.rhel9\tx86_64\tFixture Linux\nacl\t0\t2.4.0-1.el9\tx86_64\tFixture Linux\n"
	prove := func(t *testing.T, name string, without string) (*Result, error) {
		t.Helper()
		table, err := read(recorded(t, name))
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		headers := map[string]string{}
		for _, r := range table.rows {
			if r.name == without {
				continue
			}
			file := strings.ReplaceAll(r.nevra(), ":", "_") + ".rpm"
			files = append(files, file)
			epoch, vr, ok := strings.Cut(r.evr, ":")
			if !ok {
				epoch, vr = "0", r.evr
			}
			headers["./"+file] = strings.Join([]string{r.name, epoch, vr, r.arch, "Fixture Linux"}, "\t") + "\n"
		}
		return Prove(t.Context(), &programs{answer: func(args []string) node.Output {
			if args[0] == "dnf" {
				return recorded(t, name)
			}
			if args[0] != "rpm" {
				return good(args)
			}
			if !slices.Contains(args, "--package") {
				return node.Output{Stdout: node1}
			}
			var out node.Output
			for _, a := range args {
				out.Stdout += headers[a]
			}
			return out
		}}, folder(t, files...))
	}

	t.Run("upgrade", func(t *testing.T) {
		r, err := prove(t, "upgrade", "")
		if err != nil {
			t.Fatal(err)
		}
		want := Change{Name: "haproxy", Arch: "x86_64", EVR: "2.4.22-3.el9_3", From: "2.4.10-1.el9", Vendor: "Fixture Linux", FromVendor: "Fixture EPEL"}
		if len(r.VendorChanged) != 1 || r.VendorChanged[0] != want || len(r.Upgraded) != 2 || r.Upgraded[0] != want {
			t.Errorf("%+v", r)
		}
		if len(r.Present) != 0 || r.Blocked() || r.Signed != len(r.New)+2 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("replaces", func(t *testing.T) {
		r, err := prove(t, "replaces", "")
		if !errors.Is(err, manifest.ErrUnsolvable) || !strings.Contains(err.Error(), "fixture-former-1.9~rc1-1.el9.noarch would be removed, replaced by fixture-renamed") {
			t.Errorf("%v", err)
		}
		if r == nil || len(r.Removed) != 1 || r.Removed[0].By != "fixture-renamed" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("downgrade", func(t *testing.T) {
		r, err := prove(t, "downgrade", "")
		if !errors.Is(err, manifest.ErrUnsolvable) || !strings.Contains(err.Error(), "acl.x86_64 would go from 2.4.0-1.el9 down to 2.3.1-4.el9") {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("an RPM is gone", func(t *testing.T) {
		_, err := prove(t, "fresh", "haproxy")
		if !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), "haproxy-2.4.22-3.el9_3.x86_64") {
			t.Errorf("%v", err)
		}
	})
}

func TestProveRefusesPaths(t *testing.T) {
	for _, bad := range []string{"/srv/a b", "/srv/a,b", "/srv/$releasever", "relative", "/srv/%{x}", "/srv/a#b", "/srv/a\nb"} {
		if _, err := Prove(t.Context(), &programs{answer: good}, Options{Folder: bad, Scratch: "/srv/x"}); !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What dnf would take for something else than a package of the repository never
// reaches it; what a build takes as a request does.
func TestProveRoots(t *testing.T) {
	for _, root := range []string{
		"", "--installroot=/", "-y", "@postgresql:16", "@core", ":x", "http://evil.example/x", "HTTPS://evil.example/x.rpm", "ftp://x/y", "file:/etc/x", "file:///root/x.rpm",
		"s3://bucket/x", "x.rpm", "/root/x.rpm", "./x", "../x", "~/x", "acl bash", "acl\nbash", "acl\tbash", " acl", "acl ", "acl >= ", "acl >= 1 2", "acl =\n1", "ACL\x00", "(acl or bash)",
	} {
		p := &programs{answer: good}
		o := folder(t, "acl-2.3.1-4.el9.x86_64.rpm")
		o.Roots = []string{"bash", root}
		if _, err := Prove(t.Context(), p, o); !errors.Is(err, manifest.ErrUsage) || len(p.ran) > 0 {
			t.Errorf("%q: %v, ran %q", root, err, p.ran)
		}
	}
	roots := []string{
		"postgresql16-server", "python3.11", "gtk+", "acl.x86_64", "acl-2.3.1-4.el9", "pgbouncer-1:1.22.0-1.x86_64", "a~b^c", "389-ds", "_x",
		"python3dist(psycopg2)", "perl(HTTP::Tiny)", "libpq.so.5()(64bit)", "python3.9dist(x[y])", "font(:lang=en)", "config(acl) = 2.3.1-4.el9", "acl >= 2.3", "acl>=2.3", "file", "ftp",
		"/usr/lib64/gconv/gconv-modules.d/extra.conf", "/usr/bin/getfacl", "/usr/pgsql-16/lib/pgcr*.so", "postgresql16-*", "*-libs", "[ab]cl", "?cl",
	}
	p := &programs{answer: good}
	o := folder(t, "acl-2.3.1-4.el9.x86_64.rpm")
	o.Roots = roots
	if _, err := Prove(t.Context(), p, o); err != nil {
		t.Fatal(err)
	}
	if last := p.ran[len(p.ran)-1]; !strings.HasSuffix(last, " --assumeno install "+strings.Join(roots, " ")) {
		t.Errorf("ran %q", last)
	}
}

func TestBatches(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("%0200d.rpm", i))
	}
	var again []string
	for _, b := range batch(names) {
		if size := len(strings.Join(b, "")); len(b) == 0 || len(b) > batchFiles || size > batchBytes {
			t.Errorf("a batch of %d names, %d bytes", len(b), size)
		}
		again = append(again, b...)
	}
	if !slices.Equal(again, names) {
		t.Error("names were lost or changed order")
	}
}
