package facts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

func TestParsePackages(t *testing.T) {
	got, err := parsePackages(rpmSays + "package openssl-libs\t1\t3.0.7-27.el9\tx86_64\tRocky Enterprise Software Foundation\n" +
		"package gpg-pubkey\t(none)\t350d275d-6279464b\t(none)\t(none)\nprovides gpg(Rocky)\npackage (none)\t(none)\t(none)-(none)\tnoarch\t(none)\n" +
		"package kernel-core\t(none)\t5.14.0-427.el9\tx86_64\tX\nprovides kernel = 5.14.0-427.el9\n" +
		"package kernel-core\t0\t5.14.0-362.el9\tx86_64\tX\nprovides kernel = 5.14.0-362.el9\npackage local\t(none)\t1-1\tnoarch\t(none)\n")
	want := []installed{
		{Package: manifest.Package{Name: "dnf", EVR: "4.14.0-9.el9", Arch: "noarch", Vendor: "Red Hat, Inc.", Provides: []string{"dnf = 4.14.0-9.el9"}}},
		{Package: manifest.Package{Name: "http", EVR: "2:1-1", Arch: "noarch", Vendor: "https://joe:hunter2@vendor.example\x1b[2J"}},
		{Package: manifest.Package{Name: "kernel-core", EVR: "5.14.0-362.el9", Arch: "x86_64", Vendor: "X", Provides: []string{"kernel = 5.14.0-362.el9"}}},
		{Package: manifest.Package{Name: "kernel-core", EVR: "5.14.0-427.el9", Arch: "x86_64", Vendor: "X", Provides: []string{"kernel = 5.14.0-427.el9"}}},
		{Package: manifest.Package{Name: "local", EVR: "1-1", Arch: "noarch"}},
		{Package: manifest.Package{Name: "openssl-libs", EVR: "1:3.0.7-27.el9", Arch: "x86_64", Vendor: "Rocky Enterprise Software Foundation"}},
		{Package: manifest.Package{
			Name: "rpm", EVR: "4.16.1.3-29.el9", Arch: "x86_64", Vendor: "Red Hat, Inc.",
			Provides:  []string{"rpm = 4.16.1.3-29.el9", "rpm(x86-64) = 4.16.1.3-29.el9"},
			Requires:  []string{"/usr/bin/bash", "libc.so.6(GLIBC_2.34)(64bit)", "(selinux-policy >= 34.1.43-1 if selinux-policy)"},
			Conflicts: []string{"rpm-libs < 4.16"}, Obsoletes: []string{"rpm-apidocs < 4.14"}, Recommends: []string{"rpm-plugin-systemd-inhibit"},
			Suggests: []string{"rpm-cron"}, Supplements: []string{"dnf"}, Enhances: []string{"yum"},
			Files: []string{"/usr/bin/rpm", "/etc/rpm rc"},
		}, unfit: 1},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(installed{}), cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestParsePackagesRefuses(t *testing.T) {
	const a = "package a\t(none)\t1-1\tnoarch\tv\n"
	for name, c := range map[string]struct{ text, want string }{
		"a message":              {"error: rpmdb open failed\n", `rpm -qa printed "error: rpmdb open failed" before any package`},
		"a word":                 {a + "(none)\n", `rpm -qa printed "(none)\n"`},
		"an unknown word":        {a + "needs b\n", `rpm -qa printed "needs b" for a`},
		"two fields":             {"package a\tb\n", `rpm -qa printed "a\tb" for a package`},
		"an empty field":         {"package a\t\t1-1\tx86_64\tv\n", "for a package"},
		"half a line":            {a + "requires b", `rpm -qa printed "requires b"`},
		"an empty dependency":    {a + "requires \n", `a requires "", which cannot be written down`},
		"an escape sequence":     {a + "provides \x1b[2J\n", `a provides "\x1b[2J", which cannot be written down`},
		"credentials":            {a + "provides x(http://u:p@h/)\n", "which cannot be written down"},
		"a very long dependency": {a + "enhances " + strings.Repeat("x", 5000) + "\n", "which cannot be written down"},
		"no such folder":         {a + "folder /etc/\nfile 1 x\n", `rpm -qa printed the path "1 x" for a`},
		"another's folder":       {a + "folder /etc/\n" + a + "file 0 x\n", `rpm -qa printed the path "0 x" for a`},
		"no folder":              {a + "folder /etc/\nfile -1 x\n", `the path "-1 x"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parsePackages(c.text); err == nil || !strings.Contains(err.Error(), c.want) || got != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestParsePackagesIsBounded(t *testing.T) {
	many := func(before string, count int) string {
		var b strings.Builder
		b.WriteString(before)
		for i := range count {
			fmt.Fprintf(&b, "provides p%d\n", i)
		}
		return b.String()
	}
	const a = "package a\t(none)\t1-1\tnoarch\tv\n"
	most := many(a, maxListed)
	for want, text := range map[string]string{
		"": most + most + most + most,
		"the packages have more than 400000 dependencies and paths": most + most + most + most + a + "requires b\n",
		"a has more than 100000 dependencies or paths of one kind":  many(a, maxListed+1),
		"rpm -qa printed more than 100000 packages":                 strings.Repeat(a, maxListed+1),
	} {
		got := ""
		if _, err := parsePackages(text); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

// An answer that is not whole is no answer.
func TestPackagesAreAllOrUnknown(t *testing.T) {
	for want, out := range map[string]node.Output{
		"rpm -qa said more than is read of a program":                   {Stdout: rpmSays, Cut: true},
		"rpm -qa: error: rpmdbNextIterator: skipping h# 12: bad header": {Stdout: rpmSays, Stderr: "warning: old\nerror: rpmdbNextIterator: skipping h# 12: bad header\n"},
		"rpm -qa ended with status 137: it said nothing":                {Stdout: rpmSays, Status: 137},
		"rpm knows no installed package":                                {},
		`rpm -qa printed "provides rpm = 4.16.1.3-"`:                    {Stdout: rpmSays[:80]},
	} {
		h := hardened()
		h.Run = answers{"rpm": out}
		n, err := Collect(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if why, _ := n.Why("packages"); why != want || n.Packages != nil || n.RPM != "" {
			t.Errorf("%s; want %s", why, want)
		}
	}
}

// What only has to be looked for is not asked for in full.
func TestBriefPackages(t *testing.T) {
	h := hardened()
	h.Brief = true
	h.Run = answers{"rpm --dbpath /var/lib/rpm -qa --qf " + rpmNames: {Stdout: "package rpm\t(none)\t4.16.1.3-29.el9\tx86_64\tRed Hat, Inc.\n"}}
	n, err := Collect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if n.RPM != "4.16.1.3-29.el9" || len(n.Packages) != 1 {
		t.Errorf("%q, %+v", n.RPM, n.Packages)
	}
}
