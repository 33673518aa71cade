package facts

import (
	"errors"
	"fmt"
	"strings"
)

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
	for _, p := range list {
		c.node.Packages = append(c.node.Packages, p.Package)
		if p.unfit > 0 {
			c.unknown("packages "+p.Name, fmt.Errorf("paths that are not printable text are left out: %d", p.unfit))
		}
		switch p.Name {
		case "rpm":
			c.node.RPM = p.EVR
		case "dnf":
			c.node.DNF = p.EVR
		}
	}
}

func (c *collector) rpmList() ([]installed, error) {
	dir, ok := c.rpmdb()
	if !ok {
		return nil, errors.New("there is no RPM database in /var/lib/rpm")
	}
	format := rpmNames + rpmRelations
	if c.Brief {
		format = rpmNames
	}
	out, err := c.run("rpm", "--dbpath", dir, "-qa", "--qf", format)
	switch {
	case err != nil:
		return nil, err
	case out.Status != 0:
		return nil, failure("rpm -qa", out)
	case out.Cut:
		return nil, errors.New("rpm -qa said more than is read of a program")
	}
	// rpm passes over a package that it cannot read, and ends with 0.
	for line := range strings.Lines(out.Stderr) {
		if strings.HasPrefix(line, "error: ") {
			return nil, fmt.Errorf("rpm -qa: %s", strings.TrimSpace(line))
		}
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
