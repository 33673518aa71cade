package rpm

import "strings"

// NEVRA is the full name of a build. Epoch is "" when it is not said.
type NEVRA struct {
	Name, Epoch, Version, Release, Arch string
}

// String writes name-[epoch:]version-release.arch; an epoch of 0 is left out,
// as dnf does.
func (n NEVRA) String() string {
	epoch := ""
	if n.Epoch != "" && n.Epoch != "0" {
		epoch = n.Epoch + ":"
	}
	return n.Name + "-" + epoch + n.Version + "-" + n.Release + "." + n.Arch
}

// ParseNEVRA reads name-[epoch:]version-release.arch; false when the text has
// not that shape. An epoch before the name, as in old lists, is not accepted.
func ParseNEVRA(s string) (NEVRA, bool) {
	rest, arch, ok := cutLast(s, '.')
	if !ok || strings.ContainsRune(arch, '-') {
		return NEVRA{}, false
	}
	rest, release, ok := cutLast(rest, '-')
	if !ok {
		return NEVRA{}, false
	}
	name, version, ok := cutLast(rest, '-')
	if !ok {
		return NEVRA{}, false
	}
	epoch := ""
	if hasEpoch(bytesOf(version)) {
		epoch, version, _ = strings.Cut(version, ":")
	}
	if name == "" || version == "" || release == "" || arch == "" || strings.ContainsRune(version, ':') {
		return NEVRA{}, false
	}
	return NEVRA{name, epoch, version, release, arch}, true
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// NEVRA writes the name of a package as dnf does: the epoch only when not 0.
func (p *Pool) NEVRA(id ID) string {
	pkg := p.Package(id)
	return p.String(pkg.Name) + "-" + p.String(pkg.EVR) + "." + p.String(pkg.Arch)
}
