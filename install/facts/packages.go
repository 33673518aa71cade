package facts

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// rpmFormat prints one package a line: name, epoch, version and release,
// architecture, vendor; "(none)" for what it has not.
const rpmFormat = `%{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\n`

// packages lists what rpm's database holds, and takes the versions of the
// package managers from it: dnf writes a log even when asked for its version.
func (c *collector) packages() {
	if !c.booted("packages") {
		return
	}
	list, err := c.rpmList()
	if err != nil {
		c.unknown("packages", err)
		return
	}
	c.node.Packages = list
	for _, p := range list {
		switch p.Name {
		case "rpm":
			c.node.RPM = p.EVR
		case "dnf":
			c.node.DNF = p.EVR
		}
	}
}

func (c *collector) rpmList() ([]manifest.Package, error) {
	dir, ok := c.rpmdb()
	if !ok {
		return nil, errors.New("there is no RPM database in /var/lib/rpm")
	}
	out, err := c.run("rpm", "--dbpath", dir, "-qa", "--qf", rpmFormat)
	if err != nil {
		return nil, err
	}
	if out.Status != 0 {
		return nil, failure("rpm -qa", out)
	}
	list, err := parsePackages(out.Stdout)
	if err == nil && len(list) == 0 {
		return nil, errors.New("rpm knows no installed package")
	}
	return list, err
}

// rpmdb finds rpm's database: where it is on EL 9, or where it was moved to
// since. rpm makes an empty one when it finds none, so it is run on one that is
// there and on no other.
func (c *collector) rpmdb() (string, bool) {
	for _, dir := range []string{"var/lib/rpm", "usr/lib/sysimage/rpm"} {
		for _, file := range []string{"rpmdb.sqlite", "Packages", "Packages.db"} {
			if c.has(dir + "/" + file) {
				return "/" + dir, true
			}
		}
	}
	return "", false
}

// parsePackages reads lines of rpmFormat, sorted by name, architecture and EVR.
// Public keys, which rpm keeps as packages without an architecture, are left out.
func parsePackages(stdout string) ([]manifest.Package, error) {
	var list []manifest.Package
	for line := range strings.Lines(stdout) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 || slices.Contains(fields[:4], "") {
			return nil, fmt.Errorf("rpm -qa printed %.80q", line)
		}
		for i, field := range fields {
			if field == "(none)" {
				fields[i] = ""
			}
		}
		if fields[0] == "" || fields[3] == "" {
			continue
		}
		p := manifest.Package{Name: fields[0], EVR: fields[2], Arch: fields[3], Vendor: fields[4]}
		if epoch := fields[1]; epoch != "" && epoch != "0" {
			p.EVR = epoch + ":" + p.EVR
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b manifest.Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), strings.Compare(a.EVR, b.EVR))
	})
	return list, nil
}
