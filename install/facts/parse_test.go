package facts

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"pgbundle/manifest"
)

func TestParseOSRelease(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want manifest.NodeOS
	}{
		"RHEL": {`NAME="Red Hat Enterprise Linux"
VERSION="9.4 (Plow)"
ID="rhel"
ID_LIKE="fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"
ANSI_COLOR="0;31"
CPE_NAME="cpe:/o:redhat:enterprise_linux:9::baseos"

REDHAT_BUGZILLA_PRODUCT="Red Hat Enterprise Linux 9"
`, manifest.NodeOS{Family: "rhel", ID: "rhel", Release: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"}},
		"Rocky": {`NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
`, manifest.NodeOS{Family: "rhel", ID: "rocky", Release: "9.4", Name: "Rocky Linux 9.4 (Blue Onyx)"}},
		"CentOS Stream has no minor": {"ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"\n",
			manifest.NodeOS{Family: "rhel", ID: "centos", Release: "9", Name: "CentOS Stream 9"}},
		"Oracle names the platform only": {"ID=\"ol\"\nID_LIKE=\"fedora\"\nVARIANT=\"Server\"\nVARIANT_ID=\"server\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\n",
			manifest.NodeOS{Family: "rhel", ID: "ol", Release: "9.4", Variant: "server"}},
		"Debian":           {"ID=debian\nVERSION_ID=\"12\"\n", manifest.NodeOS{Family: "debian", ID: "debian", Release: "12"}},
		"Ubuntu":           {"ID=ubuntu\nID_LIKE=debian\n", manifest.NodeOS{Family: "debian", ID: "ubuntu"}},
		"quotes of shells": {"# ID=x\nID='a b'\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\x\"\nVERSION_ID=\"\n", manifest.NodeOS{Family: "a b", ID: "a b", Name: `a "b" $c \x`, Release: `"`}},
		"nothing":          {"", manifest.NodeOS{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseOSRelease([]byte(c.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestELFArch(t *testing.T) {
	for name, c := range map[string]struct{ header, want string }{
		"x86_64":       {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00", "x86_64"},
		"aarch64":      {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\xb7\x00", "aarch64"},
		"ppc64le":      {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x15\x00", "ppc64le"},
		"s390x":        {"\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x16", "s390x"},
		"a script":     {"#!/bin/sh\nexec /bin/true\n", ""},
		"cut short":    {"\x7fELF\x02\x01", ""},
		"an old Alpha": {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x26\x90", ""},
	} {
		if got, err := elfArch([]byte(c.header)); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestParseMeminfo(t *testing.T) {
	const el9 = "MemTotal:        3732208 kB\nMemFree:          236412 kB\nMemAvailable:    2896416 kB\nSwapTotal:       2097148 kB\nHugePages_Total:       0\nHugepagesize:       2048 kB\n"
	memory, swap, err := parseMeminfo([]byte(el9))
	if memory != 3732208<<10 || swap != 2097148<<10 || err != nil {
		t.Errorf("%d, %d, %v", memory, swap, err)
	}
	for _, bad := range []string{"", "MemTotal: many kB\n", "MemTotal: -1 kB\n", "MemTotal: 99999999999999999999 kB\n", "MemTotal: 1 MB\n"} {
		if _, _, err := parseMeminfo([]byte(bad)); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-1,3": 3, "0,2-3,8-15": 11, "": 0, "3-0": 0, "a": 0, "0-": 0, "0-9999999": 0} {
		if got, err := countCPUs(list); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", list, got, err)
		}
	}
}

const el9Mounts = `/dev/mapper/rl-root / xfs rw,seclabel,relatime,attr2,inode64,logbufs=8,logbsize=32k,noquota 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
sysfs /sys sysfs rw,seclabel,nosuid,nodev,noexec,relatime 0 0
devtmpfs /dev devtmpfs rw,seclabel,nosuid,size=4096k,nr_inodes=460432,mode=755,inode64 0 0
tmpfs /dev/shm tmpfs rw,seclabel,nosuid,nodev,inode64 0 0
tmpfs /run tmpfs rw,seclabel,nosuid,nodev,size=746444k,nr_inodes=819200,mode=755,inode64 0 0
systemd-1 /proc/sys/fs/binfmt_misc autofs rw,relatime,fd=29,pgrp=1,timeout=0,minproto=5,maxproto=5,direct 0 0
none /run/credentials/systemd-sysctl.service ramfs ro,seclabel,nosuid,nodev,noexec,relatime,mode=700 0 0
/dev/sda1 /boot xfs rw,seclabel,relatime,attr2,inode64,logbufs=8,logbsize=32k,noquota 0 0
tmpfs /run/user/1000 tmpfs rw,seclabel,nosuid,nodev,relatime,size=373220k,uid=1000,gid=1000,inode64 0 0
/dev/sdb1 /srv/with\040space\134and\011tab xfs ro,noexec 0 0
//filer/share /mnt/share cifs rw,username=joe,domain=CORP,vers=3.1.1 0 0
joe@build:/home /mnt/home fuse.sshfs rw,user_id=1000 0 0
/dev/sdc1 /data ext4 rw 0 0
/dev/sdd1 /data ext4 ro,noexec 0 0
`

func TestParseMounts(t *testing.T) {
	var got []manifest.Disk
	for _, d := range parseMounts([]byte(el9Mounts + "\n/dev/x\nx relative xfs rw 0 0\n")) {
		if holdsFiles(d) {
			got = append(got, d)
		}
	}
	want := []manifest.Disk{
		{Mount: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Options: []string{"rw", "seclabel", "relatime", "attr2", "inode64", "noquota"}},
		{Mount: "/boot", Device: "/dev/sda1", Type: "xfs", Options: []string{"rw", "seclabel", "relatime", "attr2", "inode64", "noquota"}},
		{Mount: "/data", Device: "/dev/sdd1", Type: "ext4", Options: []string{"ro", "noexec"}}, // the later one hides the former
		{Mount: "/dev/shm", Type: "tmpfs", Options: []string{"rw", "seclabel", "nosuid", "nodev", "inode64"}},
		{Mount: "/mnt/home", Type: "fuse.sshfs", Options: []string{"rw"}},
		{Mount: "/mnt/share", Type: "cifs", Options: []string{"rw"}},
		{Mount: "/run", Type: "tmpfs", Options: []string{"rw", "seclabel", "nosuid", "nodev", "inode64"}},
		{Mount: "/srv/with space\\and\ttab", Device: "/dev/sdb1", Type: "xfs", Options: []string{"ro", "noexec"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParsePorts(t *testing.T) {
	for name, c := range map[string]struct {
		protocol, text string
		want           []manifest.Port
	}{
		"tcp": {"tcp", `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21843 1 0000000000000000 100 0 0 10 0                     
   1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000    26        0 31843 1 0000000000000000 100 0 0 10 0                     
   2: 0F02000A:0016 0202000A:D2F6 01 00000000:00000000 02:000A8B0B 00000000     0        0 34124 2 0000000000000000 20 4 29 10 -1                    
`, []manifest.Port{{Protocol: "tcp", Address: "0.0.0.0", Port: 22}, {Protocol: "tcp", Address: "127.0.0.1", Port: 5432}}},
		"tcp6": {"tcp", `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21845 1 0000000000000000 100 0 0 10 0
   1: 000080FE00000000FF005450BF6A2EFE:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21846 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21847 1 0000000000000000 100 0 0 10 0
`, []manifest.Port{{Protocol: "tcp", Address: "::", Port: 22}, {Protocol: "tcp", Address: "fe80::5054:ff:fe2e:6abf", Port: 80}, {Protocol: "tcp", Address: "127.0.0.1", Port: 8080}}},
		"udp": {"udp", `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  413: 0100007F:0143 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20301 2 0000000000000000 0        
  414: 0F02000A:0044 0202000A:0043 01 00000000:00000000 00:00000000 00000000     0        0 24301 2 0000000000000000 0        
`, []manifest.Port{{Protocol: "udp", Address: "127.0.0.1", Port: 323}}},
		"nobody listens": {"tcp", "  sl  local_address\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parsePorts([]byte(c.text), c.protocol)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	for _, bad := range []string{"x\nx\n", "x\n0: 0100007F 0 0A\n", "x\n0: 01007F:0016 0 0A\n", "x\n0: 0100007F:10016 0 0A\n"} {
		if got, err := parsePorts([]byte(bad), "tcp"); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestParseSELinux(t *testing.T) {
	const el9 = `# This file controls the state of SELinux on the system.
# SELINUX= can take one of these three values:
#     enforcing - SELinux security policy is enforced.
SELINUX=enforcing
# SELINUXTYPE= can take one of these three values:
SELINUXTYPE=targeted

`
	for text, want := range map[string][2]string{
		el9:                                      {"enforcing", "targeted"},
		" SELINUX = Permissive\nSELINUXTYPE=mls": {"permissive", "mls"},
		"SELINUX=on\n":                           {"", ""},
		"":                                       {"", ""},
	} {
		if mode, policy := parseSELinux([]byte(text)); mode != want[0] || policy != want[1] {
			t.Errorf("%q: %q, %q", text, mode, policy)
		}
	}
}

func TestParseUmask(t *testing.T) {
	for text, want := range map[string]string{
		"# UMASK 077\nMAIL_DIR\t/var/spool/mail\nUMASK\t\t022\nHOME_MODE\t0700\n": "022",
		"UMASK 022\nUMASK 077\n": "077",
		"UMASK 0027\n":           "0027",
		"":                       "022",
		"UMASK u=rwx\n":          "",
		"UMASK 00000777\n":       "",
	} {
		if got, err := parseUmask([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestParseActive(t *testing.T) {
	for text, want := range map[string][]bool{
		"active\nactive\ninactive\ninactive\n": {true, true, false, false},
		"reloading\nfailed\nunknown\n":         {true, false, false},
		"":                                     nil,
	} {
		if diff := cmp.Diff(want, parseActive(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// el9Sudoers is what RHEL 9 ships, cut.
const el9Sudoers = `## Sudoers allows particular users to run various commands as
Defaults   !visiblepw
Defaults    always_set_home
Defaults    env_reset
Defaults    env_keep =  "COLORS DISPLAY HOSTNAME HISTSIZE KDEDIR LS_COLORS"
Defaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin
root	ALL=(ALL) 	ALL
%wheel	ALL=(ALL)	ALL
## Read drop-in files from /etc/sudoers.d (the # here does not mean a comment)
#includedir /etc/sudoers.d
`

func TestSudoers(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
		err   string
	}{
		"EL 9":                {map[string]string{"etc/sudoers": el9Sudoers}, "/sbin:/bin:/usr/sbin:/usr/bin", ""},
		"none":                {map[string]string{"etc/sudoers": "root ALL=(ALL) ALL\n"}, "", ""},
		"quoted":              {map[string]string{"etc/sudoers": "Defaults\tsecure_path=\"/a:/b\"\n"}, "/a:/b", ""},
		"with others":         {map[string]string{"etc/sudoers": `Defaults env_keep="A,B", secure_path = /a, !lecture`}, "/a", ""},
		"over two lines":      {map[string]string{"etc/sudoers": "Defaults env_reset, \\\n  secure_path=/a\n"}, "/a", ""},
		"a comment":           {map[string]string{"etc/sudoers": "# Defaults secure_path=/x\nDefaults secure_path=/a # not /b\n"}, "/a", ""},
		"of one user":         {map[string]string{"etc/sudoers": "Defaults:joe secure_path=/x\nDefaults!/bin/ls secure_path=/x\nDefaults@web secure_path=/x\nDefaults>root secure_path=/x\n"}, "", ""},
		"taken back":          {map[string]string{"etc/sudoers": "Defaults secure_path=/x\nDefaults !secure_path\n"}, "", ""},
		"a later drop-in":     {map[string]string{"etc/sudoers": el9Sudoers, "etc/sudoers.d/10-local": "Defaults secure_path=/usr/local/bin:/bin\n"}, "/usr/local/bin:/bin", ""},
		"in their order":      {map[string]string{"etc/sudoers": "@includedir sudoers.d\n", "etc/sudoers.d/b": "Defaults secure_path=/b\n", "etc/sudoers.d/a": "Defaults secure_path=/a\n"}, "/b", ""},
		"left behind":         {map[string]string{"etc/sudoers": el9Sudoers, "etc/sudoers.d/x.rpmnew": "Defaults secure_path=/x\n", "etc/sudoers.d/y~": "Defaults secure_path=/x\n"}, "/sbin:/bin:/usr/sbin:/usr/bin", ""},
		"one file":            {map[string]string{"etc/sudoers": "@include \"/etc/a\"\n#include b\n", "etc/a": "Defaults secure_path=/a\n", "etc/b": ""}, "/a", ""},
		"a file that is gone": {map[string]string{"etc/sudoers": "@include /etc/a\n"}, "", "etc/a"},
		"itself":              {map[string]string{"etc/sudoers": "@include /etc/sudoers\n"}, "", "more than 128 files"},
		"the host's name":     {map[string]string{"etc/sudoers": "@include /etc/sudoers.%h\n"}, "", "depends on the host's name"},
		"no name":             {map[string]string{"etc/sudoers": "@include /\n"}, "", "without a name"},
		"no sudoers":          {nil, "", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := &collector{Host: Host{FS: mapFS(c.files)}}
			c2.sudo()
			why, _ := c2.node.Why("sudo.secure_path")
			if got := strings.Join(c2.node.Sudo.SecurePath, ":"); got != c.want || !strings.Contains(why, c.err) || (why == "") != (c.err == "") {
				t.Errorf("%q, %q", got, why)
			}
		})
	}
}

func TestParsePython(t *testing.T) {
	for text, want := range map[string]manifest.Python{
		"3.9.18\n":                  {Version: "3.9.18"},
		"3.11.2\nensurepip\n":       {Version: "3.11.2", Lacks: []string{"ensurepip"}},
		"3.12.1\nvenv\nensurepip\n": {Version: "3.12.1", Lacks: []string{"venv", "ensurepip"}},
		"":                          {}, "Python 3.9.18\n": {}, "2.7.18\n": {}, "3.9.18\nos\n": {}, "3.9\n": {},
	} {
		got, err := parsePython(text)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want.Version != "") {
			t.Errorf("%q: %s%v", text, diff, err)
		}
	}
}

func TestParseModules(t *testing.T) {
	got := parseModules([]byte("[postgresql]\nname=postgresql\nstream=15\nprofiles=server, client\nstate=enabled\n\n[nodejs]\nname=nodejs\nstream=\nprofiles=\nstate=disabled\n\n[php]\nname=php\nstream=\nprofiles=\nstate=\n"))
	want := []manifest.Module{
		{Name: "postgresql", Stream: "15", State: "enabled", Profiles: []string{"server", "client"}},
		{Name: "nodejs", State: "disabled", Profiles: []string{}}, {Name: "php", State: "default", Profiles: []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseExcludes(t *testing.T) {
	got := parseExcludes([]byte(`# dnf's own
[main]
gpgcheck=1
installonly_limit=3
exclude=kernel* kmod-*
excludepkgs = postgresql*,
  haproxy
  ; no comment: libdnf goes on with the value
[pgdg16]
name=PostgreSQL 16
baseurl=https://joe:hunter2@mirror.example/16
password=hunter2
includepkgs=postgresql16*
[empty]
exclude=
`))
	want := []manifest.Exclude{
		{Where: "main", Option: "excludepkgs", Patterns: []string{"kernel*", "kmod-*", "postgresql*", "haproxy", ";", "no", "comment:", "libdnf", "goes", "on", "with", "the", "value"}},
		{Where: "pgdg16", Option: "includepkgs", Patterns: []string{"postgresql16*"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseLocks(t *testing.T) {
	got := parseLocks([]byte("\n# Added lock on Wed May  1 12:00:00 2024\nbash-0:5.1.8-9.el9.*\n!vim-2:8.2.*  # never\n"))
	if diff := cmp.Diff([]string{"bash-0:5.1.8-9.el9.*", "!vim-2:8.2.*"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "etc/x", Err: fs.ErrNotExist}, "/etc/x does not exist"},
		{&fs.PathError{Op: "open", Path: "etc/x", Err: fs.ErrPermission}, "/etc/x may not be read by this user"},
		{&fs.PathError{Op: "read", Path: "etc/x", Err: errors.New("is a directory")}, "read /etc/x: is a directory"},
		{errImage, "the system is not booted"},
	} {
		if got := reason(c.err); got != c.want {
			t.Errorf("%q", got)
		}
	}
}

func mapFS(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return m
}
