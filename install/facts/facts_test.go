package facts

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

var update = flag.Bool("update", false, "renew the golden files")

const elf = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00"

// rpmSays is what rpm tells of three packages.
const rpmSays = "package rpm\t(none)\t4.16.1.3-29.el9\tx86_64\tRed Hat, Inc.\n" +
	"provides rpm = 4.16.1.3-29.el9\nprovides rpm(x86-64) = 4.16.1.3-29.el9\n" +
	"requires /usr/bin/bash\nrequires /usr/bin/bash\nrequires rpmlib(CompressedFileNames) <= 3.0.4-1\nrequires libc.so.6(GLIBC_2.34)(64bit)\n" +
	"requires (selinux-policy >= 34.1.43-1 if selinux-policy)\nconflicts rpm-libs < 4.16\nobsoletes rpm-apidocs < 4.14\n" +
	"recommends rpm-plugin-systemd-inhibit\nsuggests rpm-cron\nsupplements dnf\nenhances yum\n" +
	"folder /usr/bin/\nfolder /usr/share/doc/\nfolder /etc/\nfile 0 rpm\nfile 1 rpm\nfile 2 rpm rc\nfile 2 \xff\n" +
	"package dnf\t(none)\t4.14.0-9.el9\tnoarch\tRed Hat, Inc.\nprovides dnf = 4.14.0-9.el9\n" +
	"package http\t2\t1-1\tnoarch\thttps://joe:hunter2@vendor.example\x1b[2J\n"

// answers are what the programs of a node say, by their first words. A program
// that is not there cannot be started.
type answers map[string]node.Output

func (a answers) Run(ctx context.Context, c node.Command) (node.Output, error) {
	if err := ctx.Err(); err != nil {
		return node.Output{}, err
	}
	line := strings.Join(c.Args, " ")
	for start, out := range a {
		if strings.HasPrefix(line, start) {
			return out, nil
		}
	}
	return node.Output{Stderr: "sh: exec: " + c.Args[0] + ": not found\n", Status: 127}, nil
}

// hardened is a node as the RHEL 9 STIG wants it, seen by root.
func hardened() Host {
	return Host{
		FS: mapFS(map[string]string{
			"etc/os-release": "ID=\"rhel\"\nVERSION_ID=\"9.4\"\nPRETTY_NAME=\"Red Hat Enterprise Linux 9.4 (Plow)\"\n",
			"usr/bin/rpm":    elf, "usr/sbin/fapolicyd": elf, "usr/bin/python3": elf, "usr/bin/python3.9": elf,
			"usr/bin/python3.11": elf, "usr/bin/python3.11-config": "#!/bin/sh\n", "usr/local/bin/python3.10": elf,
			"proc/sys/kernel/osrelease": "5.14.0-427.13.1.el9_4.x86_64\n", "proc/sys/crypto/fips_enabled": "1\n",
			"proc/meminfo": "MemTotal:        3732208 kB\nSwapTotal:       2097148 kB\n", "sys/devices/system/cpu/online": "0-3\n",
			"proc/mounts": "/dev/mapper/rl-root / xfs rw,seclabel,attr2 0 0\nproc /proc proc rw 0 0\n/dev/mapper/rl-tmp /tmp xfs rw,nosuid,nodev,noexec 0 0\n" +
				"filer:/export /mnt/archive nfs4 ro,addr=10.0.0.9 0 0\n/dev/sdz1 /broken xfs rw 0 0\n",
			"sys/class/net/eth0/operstate": "up\n", "sys/class/net/eth0/mtu": "1500\n", "sys/class/net/eth0/address": "52:54:00:12:34:56\n",
			"sys/class/net/lo/operstate": "unknown\n", "sys/class/net/lo/mtu": "65536\n", "sys/class/net/bonding_masters": "bond0\n",
			"proc/net/tcp": "header\n 0: 00000000:0016 00000000:0000 0A 0 0\n", "proc/net/tcp6": "header\n 0: 00000000000000000000000000000000:0016 0:0 0A\n",
			"proc/net/udp":                      "header\n 413: 0100007F:0143 00000000:0000 07\n 413: 0100007F:0143 00000000:0000 07\n",
			"sys/fs/selinux/enforce":            "1",
			"etc/selinux/config":                "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
			"etc/crypto-policies/state/current": "FIPS\n", "etc/login.defs": "UMASK\t\t077\n", "etc/sudoers": el9Sudoers,
			"etc/dnf/modules.d/postgresql.module": "[postgresql]\nname=postgresql\nstream=15\nprofiles=\nstate=enabled\n",
			"etc/dnf/dnf.conf":                    "[main]\ngpgcheck=1\nexcludepkgs=kernel*\nproxy_password=hunter2\n",
			"etc/yum.repos.d/site.repo":           "[site]\nbaseurl=https://joe:hunter2@mirror.example/\nexclude=https://joe:hunter2@mirror.example/list\n",
			"etc/dnf/plugins/versionlock.conf":    "[main]\nenabled = 1\nlocklist = /etc/dnf/plugins/versionlock.list\n",
			"etc/dnf/plugins/versionlock.list":    "bash-0:5.1.8-9.el9.*\n",
			"var/lib/rpm/rpmdb.sqlite":            "SQLite",
		}),
		Run: answers{
			"rpm --dbpath /var/lib/rpm -qa": {Stdout: rpmSays},
			"systemctl is-active":           {Stdout: "active\nactive\ninactive\ninactive\n", Status: 3},
			"/usr/bin/python3.9":            {Stdout: "3.9.18\n"},
			"/usr/bin/python3.11":           {Stdout: "3.11.7\nensurepip\n"},
		},
		Program: "pgbundle 1.2.3", Time: time.Date(2024, 5, 1, 14, 0, 0, 999, time.FixedZone("x", 7200)),
		Space: func(path string) (manifest.Space, error) {
			if path == "/broken" {
				return manifest.Space{}, errors.New("input/output error")
			}
			return manifest.Space{Size: 1 << 34, Free: 1 << 33}, nil
		},
		Addresses: func() (map[string][]netip.Prefix, error) {
			return map[string][]netip.Prefix{
				"eth0": {netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("fe80::5054:ff:fe12:3456/64")},
				"lo":   {netip.MustParsePrefix("127.0.0.1/8")},
			}, nil
		},
		ClockSet: func() (bool, error) { return true, nil },
	}
}

// The whole document of a hardened node, as a security officer gets it.
func TestCollect(t *testing.T) {
	n, err := Collect(t.Context(), hardened())
	if err != nil {
		t.Fatal(err)
	}
	got, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/hardened.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"hunter2", "joe", "52:54:00", "5054:ff", "10.0.0.9", "\x1b"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("%q is in it", secret)
		}
	}
	back, err := manifest.ParseNode(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.Marshal(); err != nil || string(again) != string(got) {
		t.Errorf("it reads as another: %v", err)
	}
}

// closed is a file system that keeps some files from its reader.
type closed struct {
	fs.FS
	names []string
}

func (c closed) Open(name string) (fs.File, error) {
	if slices.Contains(c.names, name) {
		return nil, &fs.PathError{Op: "open", Path: "/root/of/image/" + name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

// What is kept from an ordinary user is unknown, with the reason, and never
// looks like a setting.
func TestCollectAsOrdinaryUser(t *testing.T) {
	h := hardened()
	h.User = 1000
	h.FS = closed{h.FS, []string{"etc/sudoers", "etc/yum.repos.d/site.repo", "etc/dnf/modules.d", "sys/fs/selinux/enforce", "proc/mounts"}}
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if n.Collected.Root || n.Sudo.SecurePath != nil || n.Security.SELinux.Mode != "" || n.Disks != nil {
		t.Errorf("%+v", n)
	}
	for fact, want := range map[string]string{
		"sudo.secure_path":      "/etc/sudoers may not be read by this user",
		"excludes":              "/etc/yum.repos.d/site.repo may not be read by this user",
		"modules":               "/etc/dnf/modules.d may not be read by this user",
		"security.selinux.mode": "/sys/fs/selinux/enforce may not be read by this user",
		"disks":                 "/proc/mounts may not be read by this user",
	} {
		if why, _ := n.Why(fact); why != want {
			t.Errorf("%s: %q", fact, why)
		}
	}
}

// A machine with nothing on it makes everything unknown that is not plainly
// absent, and the document is fit to be written all the same.
func TestCollectOfAnEmptyMachine(t *testing.T) {
	broken := errors.New("no such call")
	h := Host{
		FS: fstest.MapFS{}, Run: answers{}, Program: "pgbundle", Time: time.Unix(0, 0), User: 1,
		Space:     func(string) (manifest.Space, error) { return manifest.Space{}, broken },
		Addresses: func() (map[string][]netip.Prefix, error) { return nil, broken },
		ClockSet:  func() (bool, error) { return false, broken },
	}
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Marshal(); err != nil {
		t.Error(err)
	}
	var facts []string
	for _, u := range n.Unknown {
		facts = append(facts, u.Fact)
	}
	want := []string{"os", "arch", "kernel", "memory", "cpus", "disks", "interfaces", "ports", "ports", "security.fips", "security.crypto_policy",
		"security.umask", "sudo.secure_path", "time_sync.service", "time_sync.state", "packages"}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Error(diff)
	}
	if why, _ := n.Why("time_sync.service"); why != "systemctl is-active ended with status 127: sh: exec: systemctl: not found" {
		t.Error(why)
	}
}

// Nothing of an image is run, and nothing of this host is taken for the
// image's.
func TestCollectOfAnImage(t *testing.T) {
	h := hardened()
	h.Run = nil
	h.FS = h.FS.(fstest.MapFS)
	h.FS.(fstest.MapFS)["usr/lib64/python3.9/venv/__init__.py"] = &fstest.MapFile{}
	h.FS.(fstest.MapFS)["usr/lib/python3.9/ensurepip/__init__.py"] = &fstest.MapFile{}
	h.Addresses = func() (map[string][]netip.Prefix, error) { t.Error("asked for addresses"); return nil, nil }
	h.ClockSet = func() (bool, error) { t.Error("asked for the clock"); return true, nil }
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if n.Collected.Booted || n.OS.Release != "9.4" || n.Arch != "x86_64" || n.Kernel != "" || n.Memory != 0 || n.Packages != nil ||
		n.Security.FIPS != "" || n.Security.SELinux != (manifest.SELinux{Configured: "enforcing", Policy: "targeted"}) ||
		n.Security.Fapolicyd != "installed" || n.TimeSync != (manifest.TimeSync{}) || len(n.VersionLock) != 1 {
		t.Errorf("%+v", n)
	}
	wantPythons := []manifest.Python{
		{Path: "/usr/local/bin/python3.10", Version: "3.10", Lacks: []string{"venv", "ensurepip"}},
		{Path: "/usr/bin/python3.9", Version: "3.9"},
		{Path: "/usr/bin/python3.11", Version: "3.11", Lacks: []string{"venv", "ensurepip"}},
	}
	if diff := cmp.Diff(wantPythons, n.Pythons); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]manifest.Disk{{Mount: "/", Space: &manifest.Space{Size: 1 << 34, Free: 1 << 33}}}, n.Disks); diff != "" {
		t.Error(diff)
	}
	for _, fact := range []string{"kernel", "memory", "cpus", "disks", "interfaces", "ports", "security.fips", "security.selinux.mode",
		"security.fapolicyd", "time_sync", "packages"} {
		if why, _ := n.Why(fact); why != "the system is not booted" {
			t.Errorf("%s: %q", fact, why)
		}
	}
}

func TestCollectStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := Collect(ctx, hardened()); n != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", n, err)
	}
}

// slow is a program that does not answer in time.
type slow struct{}

func (slow) Run(context.Context, node.Command) (node.Output, error) {
	return node.Output{}, context.DeadlineExceeded
}

func TestCollectDoesNotWait(t *testing.T) {
	h := hardened()
	h.Run = slow{}
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if why, _ := n.Why("packages"); why != "rpm did not answer within 1m0s" {
		t.Error(why)
	}
}

// A file that is larger than anything of its sort is not read.
func TestReadIsBounded(t *testing.T) {
	h := hardened()
	h.FS.(fstest.MapFS)["proc/mounts"] = &fstest.MapFile{Data: make([]byte, maxFile+1)}
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if why, _ := n.Why("disks"); why != "/proc/mounts holds more than 16777216 bytes" {
		t.Error(why)
	}
}

// FuzzCollect puts anything into any file, and into the mouth of any program:
// what is collected can be written, reads as the same again and has no secret
// in it.
func FuzzCollect(f *testing.F) {
	files := []string{}
	for name, file := range hardened().FS.(fstest.MapFS) {
		files = append(files, name)
		f.Add(uint(0), file.Data)
	}
	slices.Sort(files)
	for i, name := range files {
		f.Add(uint(i), hardened().FS.(fstest.MapFS)[name].Data)
	}
	f.Add(uint(1), []byte(el9Mounts))
	programs := []string{"rpm", "systemctl", "/usr/bin/python3.9"}
	f.Fuzz(func(t *testing.T, which uint, data []byte) {
		h := hardened()
		if at := int(which % uint(len(files)+len(programs))); at < len(files) {
			h.FS.(fstest.MapFS)[files[at]] = &fstest.MapFile{Data: data}
		} else {
			h.Run = answers{programs[at-len(files)]: {Stdout: string(data)}}
		}
		n, err := Collect(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		text, err := n.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := manifest.ParseNode(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if again, err := back.Marshal(); err != nil || string(again) != string(text) {
			t.Fatalf("it reads as another: %v\n%s\n%s", err, text, again)
		}
	})
}
