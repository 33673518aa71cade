package manifest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sampleNode has every field set.
func sampleNode() Node {
	return Node{
		Version:   NodeVersion,
		Collected: Collected{By: "pgbundle 0.3.0", Time: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Root: true, Booted: true},
		OS:        NodeOS{Family: "rhel", ID: "rocky", Release: "9.4", Name: "Rocky Linux 9.4 (Blue Onyx)", Variant: "server"},
		Arch:      "x86_64", Kernel: "5.14.0-427.13.1.el9_4.x86_64", CPUs: 4, Memory: 16 << 30, Swap: 1 << 30,
		Disks: []Disk{
			{Mount: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Options: []string{"rw", "noexec"}, Space: &Space{1 << 40, 1 << 39, 1 << 20, 1 << 19}},
			{Mount: "/mnt/archive", Device: "filer:/export", Type: "nfs4", Options: []string{"ro"}},
		},
		Interfaces: []Interface{{Name: "eth0", State: "up", MTU: 1500, Addresses: []string{"10.0.0.5/24", "fe80::1/64"}}},
		Ports:      []Port{{"tcp", "0.0.0.0", 22}, {"udp", "::1", 323}},
		Security: Security{
			SELinux: SELinux{Mode: "permissive", Configured: "enforcing", Policy: "targeted"}, FIPS: "enabled", CryptoPolicy: "FIPS:OSPP",
			Fapolicyd: "active", Umask: "077",
		},
		Sudo:        Sudo{SecurePath: []string{"/sbin", "/bin"}},
		TimeSync:    TimeSync{Service: "chronyd", State: "synchronised"},
		Pythons:     []Python{{Path: "/usr/bin/python3.9", Version: "3.9.18"}, {Path: "/usr/bin/python3.11", Version: "3.11.7", Lacks: []string{"ensurepip"}}},
		RPM:         "4.16.1.3-29.el9",
		DNF:         "4.14.0-9.el9",
		Modules:     []Module{{Name: "postgresql", Stream: "15", State: "enabled", Profiles: []string{"server"}}},
		Excludes:    []Exclude{{Where: "main", Option: "excludepkgs", Patterns: []string{"kernel*"}}},
		VersionLock: []string{"bash-0:5.1.8-6.el9.*"},
		Unknown:     []UnknownFact{{Fact: "disks /mnt/archive", Why: "a file system of the network"}},
		Packages: []Package{{
			Name: "bash", EVR: "5.1.8-6.el9", Arch: "x86_64", Vendor: "Rocky Enterprise Software Foundation",
			Provides: []string{"bash = 5.1.8-6.el9"}, Requires: []string{"libc.so.6(GLIBC_2.34)(64bit)"}, Conflicts: []string{"filesystem < 3"},
			Obsoletes: []string{"x < 1"}, Recommends: []string{"bash-completion"}, Suggests: []string{"(a if b)"}, Supplements: []string{"c"},
			Enhances: []string{"d"}, Files: []string{"/usr/bin/bash"},
		}, {Name: "x", EVR: "1:2-3", Arch: "noarch"}},
	}
}

func TestNodeRoundTrip(t *testing.T) {
	want := sampleNode()
	wantNoZero(t, reflect.ValueOf(want), "Node")
	text, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`  release: "9.4"`, `  umask: "077"`, "    space: {size: 1099511627776, free: 549755813888, inodes: 1048576, free_inodes: 524288}",
		"  - {protocol: tcp, address: 0.0.0.0, port: 22}", "  - name: x", "    evr: 1:2-3", "    lacks: [ensurepip]",
		"    provides: [bash = 5.1.8-6.el9]", "    suggests: [(a if b)]", "    files: [/usr/bin/bash]",
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	got, err := ParseNode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Error(diff)
	}
}

// wantNoZero holds that a sample forgets no field: each has a value in it, in a
// list at least once.
func wantNoZero(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	for i := range v.NumField() {
		field, name := v.Field(i), path+"."+v.Type().Field(i).Name
		switch {
		case field.IsZero():
			t.Errorf("%s is not set", name)
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]():
			wantNoZero(t, field, name)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			of := field.Type().Elem()
			for j := range of.NumField() {
				set := false
				for k := range field.Len() {
					set = set || !field.Index(k).Field(j).IsZero()
				}
				if !set {
					t.Errorf("%s[].%s is not set", name, of.Field(j).Name)
				}
			}
		}
	}
}

// Texts that YAML would take for something else stay texts.
func TestNodeTextsStayTexts(t *testing.T) {
	want := sampleNode()
	for _, text := range []string{"1e3", "yes", "null", "~", "- x", "0x10", "2024-05-01", "{a: b}", "a: b", "# x", "é"} {
		want.Packages[0].Vendor, want.Packages[0].EVR, want.OS.Release = text, text, text
		data, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseNode(data)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(want, *got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestValidateNode(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(n *Node)
		want string
	}{
		"a newer version":        {func(n *Node) { n.Version = 3 }, "facts of format version 3: this pgbundle reads version 2, use a newer one"},
		"an older version":       {func(n *Node) { n.Version = 1 }, "facts of format version 1 do not tell what the packages require: write them again with pgbundle facts of this version"},
		"no version":             {func(n *Node) { n.Version = 0 }, "there is no such version"},
		"no time":                {func(n *Node) { n.Collected.Time = time.Time{} }, "collected.time: not between 1970 and 2242"},
		"an escape sequence":     {func(n *Node) { n.OS.Name = "\x1b[2J" }, "os: "},
		"two lines":              {func(n *Node) { n.Packages[0].Vendor = "a\nb" }, "packages: "},
		"a very long text":       {func(n *Node) { n.Kernel = strings.Repeat("x", maxText+1) }, "kernel: "},
		"a relative mount":       {func(n *Node) { n.Disks[0].Mount = "boot" }, `disks: mount "boot": not an absolute path`},
		"negative space":         {func(n *Node) { n.Disks[0].Space.Free = -1 }, "disks /: -1: less than nothing"},
		"negative memory":        {func(n *Node) { n.Memory = -1 }, "memory: -1: less than nothing"},
		"no address":             {func(n *Node) { n.Interfaces[0].Addresses = []string{"10.0.0.5"} }, `interfaces eth0: address "10.0.0.5": not an IP address with its prefix length`},
		"port 0":                 {func(n *Node) { n.Ports[0].Port = 0 }, "not an IP address and a port"},
		"an unknown protocol":    {func(n *Node) { n.Ports[0].Protocol = "sctp" }, `ports: "sctp": none of tcp, udp`},
		"an unknown mode":        {func(n *Node) { n.Security.SELinux.Mode = "on" }, `security.selinux: "on": none of enforcing`},
		"FIPS neither on nor of": {func(n *Node) { n.Security.FIPS = "1" }, `security.fips: "1"`},
		"a umask of words":       {func(n *Node) { n.Security.Umask = "u=rwx" }, "not an octal mode"},
		"a package without arch": {func(n *Node) { n.Packages[0].Arch = "" }, "packages: an entry without its name or its value"},
		"an empty dependency":    {func(n *Node) { n.Packages[0].Requires = []string{""} }, "packages: requires of bash: an entry without"},
		"a dependency of lines":  {func(n *Node) { n.Packages[0].Enhances = []string{"a\nb"} }, `packages: enhances of bash: "a\nb": not one printable line`},
		"a long dependency":      {func(n *Node) { n.Packages[0].Provides[0] = strings.Repeat("x", maxText+1) }, "packages: provides of bash: "},
		"too many dependencies":  {func(n *Node) { n.Packages[0].Conflicts = make([]string, maxListed+1) }, "packages: conflicts of bash: 100001 entries"},
		"a relative path":        {func(n *Node) { n.Packages[0].Files = []string{"usr/bin/bash"} }, `packages: files of bash: "usr/bin/bash": not an absolute path`},
		"a path of two lines":    {func(n *Node) { n.Packages[0].Files = []string{"/etc/\n"} }, "packages: files of bash: "},
		"an unknown module":      {func(n *Node) { n.Modules[0].State = "on" }, `modules: "on"`},
		"a reason without fact":  {func(n *Node) { n.Unknown[0].Fact = "" }, "unknown: an entry without"},
		"too many of a name":     {func(n *Node) { n.Packages = slices.Repeat(n.Packages[:1], maxBuilds+1) }, `packages: more than 256 of the name "bash"`},
		"too many packages":      {func(n *Node) { n.Packages = make([]Package, maxListed+1) }, "packages: 100001 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			n := sampleNode()
			c.edit(&n)
			if err := n.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if _, err := n.Marshal(); err == nil {
				t.Error("it was written all the same")
			}
		})
	}
}

// An address with a password is refused wherever it stands, and not repeated.
func TestCredentialsStayOutOfFacts(t *testing.T) {
	const secret = "https://user:hunter2@example.org/"
	for name, edit := range map[string]func(n *Node){
		"exclude": func(n *Node) { n.Excludes[0].Patterns[0] = secret },
		"vendor":  func(n *Node) { n.Packages[0].Vendor = secret },
		"device":  func(n *Node) { n.Disks[0].Device = secret },
		"reason":  func(n *Node) { n.Unknown[0].Why = "open " + secret },
		"package": func(n *Node) { n.Packages[0].Name, n.Packages[0].Files = secret, []string{secret} },
		"require": func(n *Node) { n.Packages[0].Requires = []string{secret} },
		"file":    func(n *Node) { n.Packages[0].Files = []string{"/etc/" + secret} },
	} {
		n := sampleNode()
		edit(&n)
		if err := n.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "an address with credentials") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCleanText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		" a\tb\n":                            "a?b",
		"\x1b[2J":                            "?[2J",
		"\u00a0\n":                           "?",
		"\xff\xfe":                           "?",
		"a\u202eb":                           "a?b",
		"Société":                            "Société",
		"see https://u:p@example.org/x":      "see https://example.org/x",
		"https://a@b@c/":                     "https://c/",
		"h://u@://b@c":                       "h://://c",
		strings.Repeat("é", maxText):         strings.Repeat("é", maxText/2),
		strings.Repeat("x", maxText-1) + "é": strings.Repeat("x", maxText-1),
	} {
		got := CleanText(text)
		if got != want {
			t.Errorf("%.40q: %.40q", text, got)
		}
		n := sampleNode()
		n.OS.Name = got
		if err := n.Validate(); err != nil {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add("https://u:p@example.org/ \x1b")
	f.Fuzz(func(t *testing.T, text string) {
		n := sampleNode()
		n.OS.Name = CleanText(text)
		if err := n.Validate(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhy(t *testing.T) {
	n := sampleNode()
	if why, unknown := n.Why("disks /mnt/archive"); !unknown || why != "a file system of the network" {
		t.Errorf("%q, %v", why, unknown)
	}
	if why, unknown := n.Why("arch"); unknown || why != "" {
		t.Errorf("%q, %v", why, unknown)
	}
}

func FuzzParseNode(f *testing.F) {
	n := sampleNode()
	text, err := n.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.ReplaceAll(text, []byte("rocky"), []byte(`"\x1b"`)))
	f.Add([]byte("version: 2\ncollected: {by: x, time: 2024-05-01T12:00:00Z, root: true, booted: false}\npackages: [{name: a, evr: 1-1, arch: x}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseNode(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		roundTrip(t, n, ParseNode)
	})
}
