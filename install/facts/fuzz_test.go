package facts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/manifest"
)

// Every parser takes anything; what it makes of it FuzzCollect looks at.

func FuzzParseOSRelease(f *testing.F) {
	f.Add([]byte("ID=\"rocky\"\nID_LIKE='rhel centos'\nPRETTY_NAME=\"a \\\"b\\\"\"\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseOSRelease(data) })
}

func FuzzELFArch(f *testing.F) {
	f.Add([]byte(elf))
	f.Fuzz(func(t *testing.T, data []byte) {
		if arch, err := elfArch(data); (arch == "") != (err != nil) {
			t.Errorf("%q, %v", arch, err)
		}
	})
}

func FuzzParseMeminfo(f *testing.F) {
	f.Add([]byte("MemTotal:        3732208 kB\nSwapTotal:       2097148 kB\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if memory, swap, err := parseMeminfo(data); err == nil && (memory <= 0 || swap < 0) {
			t.Errorf("%d, %d", memory, swap)
		}
	})
}

func FuzzCountCPUs(f *testing.F) {
	f.Add("0-3,5")
	f.Fuzz(func(t *testing.T, list string) {
		if n, err := countCPUs(list); err == nil && n <= 0 {
			t.Errorf("%d", n)
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add([]byte(el9Mounts))
	f.Fuzz(func(t *testing.T, data []byte) {
		disks := parseMounts(data)
		for i, d := range disks {
			if d.Mount[0] != '/' || i > 0 && disks[i-1].Mount >= d.Mount {
				t.Errorf("%q", d.Mount)
			}
		}
	})
}

func FuzzParsePorts(f *testing.F) {
	f.Add([]byte("header\n 0: 0100007F:1538 00000000:0000 0A\n 1: 00000000000000000000000001000000:0016 0:0 07\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, protocol := range []string{"tcp", "udp"} {
			ports, _ := parsePorts(data, protocol)
			for _, p := range ports {
				if p.Port < 1 || p.Port > 65535 || p.Address == "" {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}

func FuzzSudoers(f *testing.F) {
	f.Add([]byte(el9Sudoers), []byte("Defaults secure_path=\"/a\", \\\n !x # y\n@include a\n"))
	f.Fuzz(func(_ *testing.T, main, dropIn []byte) {
		c := &collector{Host: Host{FS: mapFS(map[string]string{"etc/sudoers": string(main), "etc/sudoers.d/a": string(dropIn)})}}
		c.sudo()
	})
}

func FuzzParseINI(f *testing.F) {
	f.Add([]byte("[main]\nexclude = a,\n b\n[x]\nname=y\nstate=enabled\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseExcludes(data)
		for _, m := range parseModules(data) {
			if m.Name == "" || m.State == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}

func FuzzParsePackages(f *testing.F) {
	f.Add(rpmSays)
	f.Add("package gpg-pubkey\t(none)\t1-1\t(none)\t(none)\nprovides gpg(x)\n")
	f.Fuzz(func(t *testing.T, stdout string) {
		list, err := parsePackages(stdout)
		if err != nil {
			return
		}
		n := manifest.Node{Version: manifest.NodeVersion, Collected: manifest.Collected{Time: time.Unix(0, 0)}}
		for _, p := range list {
			p.Name, p.EVR, p.Arch, p.Vendor = "a", "1-1", "noarch", "" // clean makes them fit
			n.Packages = append(n.Packages, p.Package)
			if slices.ContainsFunc(p.Requires, func(d string) bool { return strings.HasPrefix(d, "rpmlib(") }) {
				t.Errorf("%q", p.Requires)
			}
		}
		if err := n.Validate(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParsePrograms(f *testing.F) {
	f.Add("3.9.18\nensurepip\n")
	f.Add("active\ninactive\n")
	f.Fuzz(func(_ *testing.T, stdout string) {
		_, _ = parsePython(stdout)
		parseActive(stdout)
		parseLocks([]byte(stdout))
		parseSELinux([]byte(stdout))
		_, _ = parseUmask([]byte(stdout))
	})
}
