package install

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// fittingNode is a RHEL 9.4 node that everything is well with.
func fittingNode() *manifest.Node {
	return &manifest.Node{
		Version: 1, Collected: manifest.Collected{By: "x", Root: true, Booted: true},
		OS:   manifest.NodeOS{Family: "rhel", ID: "rhel", Release: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"},
		Arch: "x86_64",
		Disks: []manifest.Disk{
			{Mount: "/", Options: []string{"rw"}, Space: &manifest.Space{Size: 1 << 40, Free: 1 << 39, Inodes: 1 << 20, FreeInodes: 1 << 19}},
			{Mount: "/tmp", Options: []string{"rw", "noexec"}, Space: &manifest.Space{Size: 1 << 30}},
		},
		Security: manifest.Security{
			SELinux: manifest.SELinux{Mode: "disabled", Configured: "disabled"}, FIPS: "disabled", CryptoPolicy: "DEFAULT", Fapolicyd: "absent", Umask: "077",
		},
		Pythons: []manifest.Python{{Path: "/usr/bin/python3.9", Version: "3.9.18"}, {Path: "/usr/bin/python3.11", Version: "3.11.7"}},
		RPM:     "4.16.1.3-29.el9", DNF: "4.14.0-9.el9",
		Packages: []manifest.Package{{Name: "rpm", EVR: "4.16.1.3-29.el9", Arch: "x86_64"}},
	}
}

// fittingBundle is a bundle for that node, for both roles.
func fittingBundle() *manifest.Manifest {
	m := &manifest.Manifest{Lock: manifest.Lock{Target: manifest.Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.11", NodePython: "3.9"}}}
	for _, path := range []string{
		"pgbundle", "rpms/python3.11-3.11.7-1.el9.x86_64.rpm", "rpms/haproxy-2.4.22-3.el9.x86_64.rpm", "rpms/repodata/repomd.xml",
		"rpms/keys/RPM-GPG-KEY-patroni-airgap", "wheels/target/psycopg2_binary-2.9.9.whl", "wheels/control/ansible_core-2.15.13-py3-none-any.whl",
		"collections/ansible-posix-1.6.2.tar.gz", "etcd/etcd-v3.5.16-linux-amd64.tar.gz",
	} {
		m.Files = append(m.Files, manifest.File{Path: path, Size: 1000})
	}
	m.Lock.Artifacts = []manifest.Artifact{
		{Path: "rpms/haproxy-2.4.22-3.el9.x86_64.rpm", Kind: manifest.RPM, Name: "haproxy", Version: "2.4.22-3.el9", Arch: "x86_64"},
		{Path: "rpms/python3.11-3.11.7-1.el9.x86_64.rpm", Kind: manifest.RPM, Name: "python3.11", Version: "3.11.7-1.el9", Arch: "x86_64"},
		{Path: "wheels/control/ansible_core-2.15.13-py3-none-any.whl", Kind: manifest.Wheel, Name: "ansible-core", Version: "2.15.13", Roles: []manifest.Role{manifest.Control}},
		{Path: "wheels/target/psycopg2_binary-2.9.9.whl", Kind: manifest.Wheel, Name: "psycopg2-binary", Version: "2.9.9", Roles: []manifest.Role{manifest.TargetNode}},
	}
	return m
}

func fittingWish() Wish {
	return Wish{Roles: []manifest.Role{manifest.TargetNode, manifest.Control}, Base: DefaultBase, Need: 1 << 30, Inodes: 10_000,
		There: Place{Folder: "/opt"}}
}

// lines writes findings as one line each, but for the note on the nodes'
// Python, which is always there.
func lines(found []Finding) []string {
	var list []string
	for _, f := range found {
		line := string(f.Severity) + " " + f.Check + ": " + f.Detail
		if f.Hint != "" {
			line += " | " + f.Hint
		}
		if !strings.HasPrefix(line, "note python: Patroni will run on Python 3.9, which") {
			list = append(list, line)
		}
	}
	return list
}

func TestPreflightFits(t *testing.T) {
	found := Preflight(fittingBundle(), fittingNode(), fittingWish())
	if got := lines(found); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if err := Refused(found); err != nil {
		t.Error(err)
	}
}

func TestPreflight(t *testing.T) {
	type edit func(m *manifest.Manifest, n *manifest.Node, w *Wish)
	control := func(e edit) edit {
		return func(m *manifest.Manifest, n *manifest.Node, w *Wish) {
			w.Roles = []manifest.Role{manifest.Control}
			e(m, n, w)
		}
	}
	for name, c := range map[string]struct {
		edit edit
		want string // the beginning of the only line
	}{
		"another run":    {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.Busy = true }, "error running: another pgbundle is at work on this node | wait"},
		"not root":       {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Collected.Root = false }, "error user: not root: only root may install below /opt | run it with sudo"},
		"another system": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Family, n.OS.Name = "debian", "Debian 12" }, "error os: the bundle is for rhel, this is Debian 12"},
		"no os-release": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.OS = manifest.NodeOS{}
			n.Unknown = []manifest.UnknownFact{{Fact: "os", Why: "it is gone"}}
		}, "warning os: could not be looked at: it is gone"},
		"another major":   {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "8.10" }, "error release: the bundle is for 9.4, this is 8.10"},
		"an older minor":  {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "9.2" }, "error release: the bundle is for 9.4, this is 9.2: packages for a later minor may need what this one lacks | build one with --target rhel9.2, or update the node to 9.4"},
		"older, control":  {control(func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "9.2" }), "warning release: the bundle is for 9.4, this is 9.2"},
		"a later minor":   {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "9.10" }, "warning release: the bundle is for 9.4, this is 9.10: packages of the node are newer than the bundle's"},
		"Stream":          {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "9" }, "warning release: the bundle is for 9.4, this is 9 without a minor"},
		"for any minor":   {func(m *manifest.Manifest, _ *manifest.Node, _ *Wish) { m.Lock.Target.Release = "9" }, "note release: the bundle is for any minor of 9"},
		"no release":      {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.OS.Release = "" }, "warning release: os-release names no release"},
		"another machine": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Arch = "aarch64" }, "error arch: the bundle is for x86_64, this is aarch64 | use a bundle built with --arch aarch64"},
		"no RPMs":         {func(m *manifest.Manifest, _ *manifest.Node, _ *Wish) { m.Files = append(m.Files[:3], m.Files[5:]...) }, "error contents: the bundle has nothing for role target in rpms/repodata/repomd.xml, rpms/keys/"},
		"no collections":  {control(func(m *manifest.Manifest, _ *manifest.Node, _ *Wish) { m.Files = m.Files[:7] }), "error contents: the bundle has nothing for role control in collections/"},
		"no Python":       {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Pythons = n.Pythons[:1] }, "error python: the control node's wheels are for Python 3.11, and here is 3.9.18 | dnf install python3.11 where the node has a repository with RHEL's AppStream; or from this bundle: pgbundle install --role target, which needs no Python, then dnf --disablerepo='*' --enablerepo=patroni-airgap install python3.11, then this command again; or a bundle that was built with --control-python 3.9"},
		"no Python in the bundle": {func(m *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Pythons[0].Lacks, n.Pythons[1].Version = []string{"venv"}, "3.10.9"
			n.Pythons = append(n.Pythons, manifest.Python{Path: "/usr/bin/python3.12", Version: "3.12.1"})
			m.Lock.Artifacts = slices.Delete(m.Lock.Artifacts, 1, 2)
		}, "error python: the control node's wheels are for Python 3.11, and here is 3.9.18, 3.10.9, 3.12.1 | dnf install python3.11 where the node has a repository with RHEL's AppStream; or a bundle that was built with --control-python 3.10"},
		"no Python for a later Ansible": {func(m *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Pythons[1] = manifest.Python{Path: "/usr/bin/python3.12", Version: "3.12.1"}
			m.Lock.Artifacts[2].Version = "2.17.14"
		}, "error python: the control node's wheels are for Python 3.11, and here is 3.9.18, 3.12.1 | dnf install python3.11 where the node has a repository with RHEL's AppStream; or from this bundle: pgbundle install --role target, which needs no Python, then dnf --disablerepo='*' --enablerepo=patroni-airgap install python3.11, then this command again; or a bundle that was built with --control-python 3.12"},
		"patch levels in an old lock": {func(m *manifest.Manifest, _ *manifest.Node, _ *Wish) {
			m.Lock.Target.ControlPython, m.Lock.Target.NodePython = "3.11.2", "3.9.2"
		}, ""},
		"the system's Python": {func(m *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Pythons, m.Lock.Target.ControlPython = nil, "3.9"
		}, "error python: the control node's wheels are for Python 3.9, and here is none | dnf install python3 where the node has a repository with RHEL's BaseOS"},
		"no Python at all": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Pythons = nil }, "error python: the control node's wheels are for Python 3.11, and here is none"},
		"3.1 is not 3.11":  {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Pythons[1].Version = "3.1.5" }, "error python: "},
		"no ensurepip":     {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Pythons[1].Lacks = []string{"ensurepip"} }, "error python: /usr/bin/python3.11 lacks ensurepip: no venv can be made"},
		"another has all": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Pythons = append([]manifest.Python{{Path: "/usr/local/bin/python3.11", Version: "3.11.1", Lacks: []string{"venv"}}}, n.Pythons...)
		}, ""},
		"a broken Python": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Pythons = n.Pythons[:1]
			n.Unknown = []manifest.UnknownFact{{Fact: "pythons /usr/bin/python3.11", Why: "it crashed"}}
		}, "error python: Python 3.11 could not be looked at: it crashed"},
		"an image without": {control(func(_ *manifest.Manifest, n *manifest.Node, w *Wish) { n.Pythons = nil; w.Image = true }), "warning python: the control node's wheels are for Python 3.11, and here is none | dnf install python3.11 where the node has a repository with RHEL's AppStream, before pgbundle install --finish"},
		"no dnf":           {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.DNF = "" }, "error tools: there is no package dnf on the node"},
		"no dnf, control":  {control(func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.DNF = "" }), ""},
		"packages unknown": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Packages = nil
			n.Unknown = []manifest.UnknownFact{{Fact: "packages", Why: "locked"}}
		}, "warning tools: could not be looked at: locked"},
		"an exclude": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Excludes = []manifest.Exclude{{Where: "main", Option: "excludepkgs", Patterns: []string{"kernel*", "hap*"}}}
		}, "warning excludes: excludepkgs=hap* hides haproxy of the bundle from dnf"},
		"of another repo": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Excludes = []manifest.Exclude{{Where: "epel", Option: "excludepkgs", Patterns: []string{"*"}}}
		}, ""},
		"a version lock": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.VersionLock = []string{"bash-0:5.1.8-9.el9.*", "haproxy-0:2.4.17-1.el9.*"}
		}, "warning excludes: the version lock haproxy-0:2.4.17-1.el9.* may keep haproxy of the bundle out | dnf versionlock delete haproxy"},
		"no room":   {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Disks[0].Space.Free = 1_000_000_000 }, "error space: the release needs 1074 MB, and / has 1000 MB free | free 74 MB, or choose another place with --base-dir"},
		"no inodes": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Disks[0].Space.FreeInodes = 9_999 }, "error inodes: the release needs 10000 inodes, and / has 9999 free"},
		"inodes without end": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Disks[0].Space.Inodes, n.Disks[0].Space.FreeInodes = 0, 0
		}, ""},
		"room unknown": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) {
			n.Disks[0].Space = nil
			n.Unknown = []manifest.UnknownFact{{Fact: "disks /", Why: "a server"}}
		}, "warning space: could not be looked at: a server"},
		"no disks":         {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Disks = nil }, "warning space: could not be looked at: nothing is known of it"},
		"noexec":           {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) { n.Disks[0].Options = []string{"rw", "noexec"} }, "error mount: /opt/patroni-airgap.d lies on /, which is mounted noexec: no program can be run there | choose another place with --base-dir"},
		"noexec elsewhere": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) { w.There.Folder = "/tmpfiles" }, ""},
		"in /tmp": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) {
			w.There.Folder = "/tmp/x"
			w.Need = 0
			n.Disks[1].Space.Inodes = 0
		}, "error mount: /opt/patroni-airgap.d lies on /tmp, which is mounted noexec"},
		"read-only": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) { n.Disks[0].Options = []string{"ro"} }, "error mount: /opt/patroni-airgap.d lies on /, which is mounted read-only"},
		"link read-only": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) {
			n.Disks = append(n.Disks, manifest.Disk{Mount: "/opt/patroni-airgap.d", Space: n.Disks[0].Space})
			n.Disks[0].Options = []string{"ro"}
			w.There.Folder = "/opt/patroni-airgap.d"
		}, "error mount: /opt/patroni-airgap lies on /, which is mounted read-only"},
		"an older folder": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.There.Kind, w.There.Older = PlaceFolder, true }, "note base: /opt/patroni-airgap is a folder of older scripts: it will be exchanged for a link and kept as release legacy"},
		"a second one": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) {
			w.There.Kind, w.There.Older = PlaceFolder, true
			w.There.Legacy = true
		}, "error base: /opt/patroni-airgap is a folder, and an earlier one is kept as release legacy already"},
		"a mount point": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) {
			w.There.Kind, w.There.Older = PlaceFolder, true
			n.Disks = append(n.Disks, manifest.Disk{Mount: DefaultBase})
		}, "error base: /opt/patroni-airgap is a mount point: it cannot be exchanged for a link | unmount it, or mount it at /opt/patroni-airgap.d instead"},
		"another file system": {func(_ *manifest.Manifest, n *manifest.Node, w *Wish) {
			w.There.Kind, w.There.Older = PlaceFolder, true
			n.Disks = append(n.Disks, manifest.Disk{Mount: DefaultBase + ".d"})
		}, "error base: /opt/patroni-airgap is a folder, and /opt/patroni-airgap.d is another file system"},
		"a file": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.There.Kind = PlaceFile }, "error base: /opt/patroni-airgap is a file | move it away, or choose"},
		"a link elsewhere": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) {
			w.There.Kind, w.There.Target = PlaceElsewhere, "/data"
		}, "error base: /opt/patroni-airgap is a link to /data, which is no release of pgbundle"},
		"another base": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.Other = "/srv/pg" }, "error base: there is an installation below /srv/pg already, and a node has one: its repository file and the link to its program would be taken from it | install there, without --base-dir; or take that away first: pgbundle uninstall --base-dir /srv/pg"},
		"ours": {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) {
			w.There.Kind, w.There.Target = PlaceRelease, "patroni-airgap.d/x"
		}, ""},
		"no folder":            {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.There.Releases = PlaceFile }, "error base: /opt/patroni-airgap.d is no folder"},
		"anybody's":            {func(_ *manifest.Manifest, _ *manifest.Node, w *Wish) { w.There.Loose = "/opt" }, "error base: others than root may change /opt, and so what root will run"},
		"enforcing":            {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.SELinux.Mode = "enforcing" }, "note selinux: SELinux is enforcing"},
		"SELinux unknown":      {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.SELinux.Mode = "" }, "warning selinux: could not be looked at"},
		"FIPS, control":        {control(func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.FIPS = "enabled" }), "note fips: FIPS mode: a bundle's minisign signature"},
		"FIPS unknown":         {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.FIPS = "" }, "warning fips: could not be looked at"},
		"a crypto policy":      {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.CryptoPolicy = "FUTURE" }, "note crypto-policy: the crypto policy is FUTURE"},
		"fapolicyd":            {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.Fapolicyd = "active" }, "note fapolicyd: fapolicyd is active"},
		"fapolicyd asleep":     {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.Fapolicyd = "inactive" }, "note fapolicyd: fapolicyd is installed and not active"},
		"fapolicyd, who knows": {func(_ *manifest.Manifest, n *manifest.Node, _ *Wish) { n.Security.Fapolicyd = "installed" }, "warning fapolicyd: could not be looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			m, n, w := fittingBundle(), fittingNode(), fittingWish()
			c.edit(m, n, &w)
			found := Preflight(m, n, w)
			got := lines(found)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
			if err := Refused(found); (err != nil) != strings.HasPrefix(c.want, "error ") || err != nil && !errors.Is(err, manifest.ErrUnsolvable) {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

// A node in FIPS mode hears of both things that are no FIPS algorithm or module.
func TestPreflightFIPS(t *testing.T) {
	n, m := fittingNode(), fittingBundle()
	n.Security.FIPS = "enabled"
	for _, python := range []string{"3.9", "3.9.18"} { // a lock from before may have a patch level
		m.Lock.Target.NodePython = python
		got := lines(Preflight(m, n, fittingWish()))
		if len(got) != 2 || !strings.HasPrefix(got[0], "warning fips: FIPS mode: psycopg2-binary 2.9.9 brings an OpenSSL of its own | build the bundle with --psycopg rpm: Patroni then uses python3-psycopg2") ||
			!strings.HasPrefix(got[1], "note fips: ") {
			t.Errorf("%s: %s", python, strings.Join(got, "\n"))
		}
	}
}

// Everything is found at once, worst first, and the refusal names every error
// with its way out and nothing else.
func TestPreflightFindsAllAtOnce(t *testing.T) {
	m, n, w := fittingBundle(), fittingNode(), fittingWish()
	n.Collected.Root, n.OS.Release, n.Arch, n.Pythons, n.Disks[0].Space.Free = false, "8.10", "aarch64", nil, 0
	n.Security.SELinux.Mode, n.Security.FIPS = "enforcing", ""
	w.Busy = true
	found := Preflight(m, n, w)
	var checks []string
	for _, f := range found {
		checks = append(checks, string(f.Severity)+" "+f.Check)
	}
	want := []string{"error running", "error user", "error release", "error arch", "error python", "error space", "warning fips", "note python", "note selinux"}
	if diff := cmp.Diff(want, checks); diff != "" {
		t.Error(diff)
	}
	err := Refused(found)
	if !errors.Is(err, manifest.ErrUnsolvable) {
		t.Fatal(err)
	}
	text := strings.Split(err.Error(), "\n")
	if len(text) != 7 || text[2] != "user: not root: only root may install below /opt: run it with sudo" {
		t.Error(err)
	}
}

// An image tells little of itself; that is no reason to refuse it.
func TestPreflightOfAnImage(t *testing.T) {
	n := &manifest.Node{OS: manifest.NodeOS{Family: "rhel", Release: "9.4"}, Unknown: []manifest.UnknownFact{{Fact: "security.fips", Why: "the system is not booted"}}}
	w := fittingWish()
	w.Image, w.There.Loose = true, "/opt"
	found := Preflight(fittingBundle(), n, w)
	if err := Refused(found); err != nil {
		t.Error(err)
	}
	if got := strings.Join(lines(found), "\n"); !strings.Contains(got, "note fips: could not be looked at: the system is not booted | pgbundle install --finish looks at it on the booted system") ||
		!strings.Contains(got, "note user: not root") {
		t.Error(got)
	}
}

func TestLockedName(t *testing.T) {
	for lock, want := range map[string]string{
		"bash-0:5.1.8-9.el9.*": "bash", "postgresql16-server-0:16.4-1PGDG.rhel9.*": "postgresql16-server", "haproxy-2.4.22-3.el9": "haproxy",
		"python3-psycopg2": "python3-psycopg2", "kernel*": "kernel*", "": "",
	} {
		if got := lockedName(lock); got != want {
			t.Errorf("%q: %q", lock, got)
		}
	}
}

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		make func(root string) error
		want Place
	}{
		"nothing":    {func(root string) error { return nil }, Place{Folder: "/"}},
		"/opt alone": {func(root string) error { return os.Mkdir(root+"/opt", 0o755) }, Place{Folder: "/opt"}},
		"a linked /opt": {func(root string) error {
			return errors.Join(os.MkdirAll(root+"/data/opt", 0o755), os.Symlink("/data/opt", root+"/opt"))
		}, Place{Folder: "/data/opt"}},
		"releases": {func(root string) error {
			return errors.Join(os.MkdirAll(root+"/opt/patroni-airgap.d/legacy", 0o755), os.Symlink("patroni-airgap.d/0-both", root+"/opt/patroni-airgap"))
		}, Place{Kind: PlaceRelease, Target: "patroni-airgap.d/0-both", Releases: PlaceFolder, Folder: "/opt/patroni-airgap.d", Legacy: true}},
		"an older folder":   {func(root string) error { return os.MkdirAll(root+"/opt/patroni-airgap/rpms", 0o755) }, Place{Kind: PlaceFolder, Older: true, Folder: "/opt"}},
		"somebody's folder": {func(root string) error { return os.MkdirAll(root+"/opt/patroni-airgap/tools", 0o755) }, Place{Kind: PlaceFolder, Folder: "/opt"}},
		"a link elsewhere": {func(root string) error {
			return errors.Join(os.Mkdir(root+"/opt", 0o755), os.Symlink("../data", root+"/opt/patroni-airgap"))
		}, Place{Kind: PlaceElsewhere, Target: "../data", Folder: "/opt"}},
		"a link deeper": {func(root string) error {
			return errors.Join(os.Mkdir(root+"/opt", 0o755), os.Symlink("patroni-airgap.d/x/y", root+"/opt/patroni-airgap"))
		}, Place{Kind: PlaceElsewhere, Target: "patroni-airgap.d/x/y", Folder: "/opt"}},
		"files": {func(root string) error {
			return errors.Join(os.Mkdir(root+"/opt", 0o755), os.WriteFile(root+"/opt/patroni-airgap", nil, 0o644), os.WriteFile(root+"/opt/patroni-airgap.d", nil, 0o644))
		}, Place{Kind: PlaceFile, Releases: PlaceFile, Folder: "/opt"}},
		"/opt is a file": {func(root string) error { return os.WriteFile(root+"/opt", nil, 0o644) }, Place{Folder: "/"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			must(t, c.make(root))
			n, err := node.Open(root, nil)
			must(t, err)
			got, err := Look(n, DefaultBase)
			if os.Getuid() != 0 {
				got.Loose = "" // everything here is an ordinary user's
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

// Who may rename a folder above what root runs is root.
func TestLookFindsLooseFolders(t *testing.T) {
	for name, c := range map[string]struct {
		mode os.FileMode
		want string
	}{"root's": {0o755, ""}, "everybody's": {0o777, "/srv"}, "everybody's, sticky": {0o777 | os.ModeSticky, ""}} {
		if os.Getuid() != 0 {
			c.want = "/" // everything here is an ordinary user's
		}
		root := t.TempDir()
		must(t, os.MkdirAll(root+"/srv/x", 0o755))
		must(t, os.Chmod(root+"/srv", c.mode))
		n, err := node.Open(root, nil)
		must(t, err)
		if got, err := Look(n, "/srv/x/base"); got.Loose != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got.Loose, err)
		}
	}
}

func TestNeeds(t *testing.T) {
	m := &manifest.Manifest{Files: []manifest.File{
		{Path: "pgbundle", Size: 1}, {Path: "rpms/a.rpm", Size: 4097}, {Path: "rpms/repodata/repomd.xml", Size: 4096},
		{Path: "wheels/control/a.whl", Size: 1_000_000}, {Path: "collections/b.tar.gz", Size: 1_000_000},
	}}
	const block = 4096
	for name, c := range map[string]struct {
		roles         []manifest.Role
		bytes, inodes int64
	}{
		"target": {[]manifest.Role{manifest.TargetNode}, ownBytes + 4*block + 2*block, ownInodes + 3 + 2},
		// Files of 1 MB take 245 blocks; a venv takes itself, 5.2 and 14.1 MB.
		"control": {[]manifest.Role{manifest.Control}, ownBytes + block + 2*245*block + 3*block + venvBytes + 19_300_000, ownInodes + 3 + 3 + venvInodes + 320 + 1020},
	} {
		bytes, inodes := Needs(m, c.roles)
		if bytes != c.bytes || inodes != c.inodes {
			t.Errorf("%s: %d bytes and %d inodes, want %d and %d", name, bytes, inodes, c.bytes, c.inodes)
		}
	}
	target, _ := Needs(m, []manifest.Role{manifest.TargetNode})
	control, _ := Needs(m, []manifest.Role{manifest.Control})
	both, _ := Needs(m, []manifest.Role{manifest.TargetNode, manifest.Control})
	if both != target+control-ownBytes-block {
		t.Errorf("both take %d, alone they take %d and %d", both, target, control)
	}
}

// The measured venv fits into what Needs asks for, and Needs does not ask for
// half as much again.
func TestNeedsAsMeasured(t *testing.T) {
	m := &manifest.Manifest{Files: []manifest.File{{Path: "wheels/control/all.whl", Size: 9_305_655}, {Path: "collections/all.tar.gz", Size: 2_162_966}}}
	bytes, inodes := Needs(m, []manifest.Role{manifest.Control})
	bytes -= ownBytes + 9_305_655 + 2_162_966
	if bytes < 96_878_592 || bytes > 145_000_000 || inodes < 6_379 || inodes > 9_500 {
		t.Errorf("%d bytes, %d inodes", bytes, inodes)
	}
}
