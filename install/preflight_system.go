package install

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

func (p *preflight) running() {
	if p.w.Busy {
		p.add(SeverityError, "running", "wait until it has ended, then try again", "another pgbundle is at work on this node")
	}
}

func (p *preflight) user() {
	switch {
	case p.n.Collected.Root:
	case p.w.Image:
		p.add(SeverityNote, "user", "run it as root for an image that is to boot", "not root: the files of the image will belong to this user")
	default:
		p.add(SeverityError, "user", "run it with sudo", "not root: only root may install below %s", path.Dir(p.w.Base))
	}
}

func (p *preflight) system() {
	want, have := p.m.Lock.Target.OS, p.n.OS.Family
	switch {
	case have == "":
		p.unknown("os", "os")
	case have != want:
		p.add(SeverityError, "os", "use a bundle for this system, or a node of the family "+want,
			"the bundle is for %s, this is %s", want, p.systemName())
	}
}

func (p *preflight) systemName() string {
	if p.n.OS.Name != "" {
		return p.n.OS.Name
	}
	return p.n.OS.ID + " " + p.n.OS.Release
}

// release compares major and minor. What was built on a minor may need what
// older ones lack (PGDG's builds need a later OpenSSL), so an older node is
// refused when RPMs are to be installed. A later minor keeps what an older one
// had, but its packages are newer than the bundle's: whether dnf can join the
// two is for the proof to say.
func (p *preflight) release() {
	target, node := p.m.Lock.Target.Release, p.n.OS.Release
	if node == "" {
		if p.n.OS.Family != "" {
			p.add(SeverityWarning, "release", "", "os-release names no release: the bundle is for %s", target)
		}
		return
	}
	wantMajor, wantMinor := splitRelease(target)
	major, minor := splitRelease(node)
	rebuild := "build one with --target " + p.m.Lock.Target.OS + node
	severity := SeverityWarning // a control node needs Python, and that is the same in every minor
	if p.w.has(manifest.TargetNode) {
		severity = SeverityError
	}
	switch {
	case major != wantMajor:
		p.add(SeverityError, "release", "use a bundle for this release", "the bundle is for %s, this is %s", target, node)
	case wantMinor < 0:
		p.add(SeverityNote, "release", "", "the bundle is for any minor of %s: whether its packages fit %s is for dnf to say", target, node)
	case minor < 0:
		p.add(SeverityWarning, "release", "", "the bundle is for %s, this is %s without a minor: whether the packages fit is for dnf to say", target, node)
	case minor < wantMinor:
		p.add(severity, "release", rebuild+", or update the node to "+target,
			"the bundle is for %s, this is %s: packages for a later minor may need what this one lacks", target, node)
	case minor > wantMinor:
		p.add(SeverityWarning, "release", rebuild+" if dnf finds no solution",
			"the bundle is for %s, this is %s: packages of the node are newer than the bundle's, and whether they go together is for dnf to say", target, node)
	}
}

// splitRelease splits "9.4"; a part that is not there or no number is -1.
func splitRelease(release string) (major, minor int) {
	number := func(s string) int {
		if n, err := strconv.ParseUint(s, 10, 31); err == nil {
			return int(n)
		}
		return -1
	}
	first, rest, _ := strings.Cut(release, ".")
	second, _, _ := strings.Cut(rest, ".")
	return number(first), number(second)
}

func (p *preflight) arch() {
	want := p.m.Lock.Target.Arch
	switch p.n.Arch {
	case "":
		p.unknown("arch", "arch")
	case want:
	default:
		p.add(SeverityError, "arch", "use a bundle built with --arch "+p.n.Arch, "the bundle is for %s, this is %s", want, p.n.Arch)
	}
}

// needed are the places of a bundle that a role cannot do without; signed
// packages need the key file as well.
var needed = map[manifest.Role][]string{
	manifest.TargetNode: {"rpms/repodata/repomd.xml", "wheels/target/", "etcd/"},
	manifest.Control:    {"wheels/control/", "collections/"},
}

// contents holds that the bundle has what the roles need at all, and tells of
// what it has that dnf will not take.
func (p *preflight) contents() {
	signed, unsigned := p.rpms()
	for _, role := range p.w.Roles {
		places := slices.Clone(needed[role])
		if role == manifest.TargetNode && len(signed) > 0 {
			places = append(places, keyFile)
		}
		var missing []string
		for _, place := range places {
			if !slices.ContainsFunc(p.m.Files, func(f manifest.File) bool {
				return f.Path == place || strings.HasSuffix(place, "/") && strings.HasPrefix(f.Path, place)
			}) {
				missing = append(missing, place)
			}
		}
		if len(missing) > 0 {
			p.add(SeverityError, "contents", "use a bundle that pgbundle build made whole", "the bundle has nothing for role %s in %s", role, strings.Join(missing, ", "))
		}
	}
	if p.w.has(manifest.TargetNode) && len(unsigned) > 0 {
		p.add(SeverityWarning, "unsigned", "build the bundle from a source that signs, or decide to install these with dnf --nogpgcheck",
			"dnf will refuse what of this has no signature: %s", strings.Join(unsigned, ", "))
	}
}

// rpms are the names of the bundle's RPM files, apart by whether somebody chose
// to take them without a signature.
func (p *preflight) rpms() (signed, unsigned []string) {
	let := unsignedOf(p.m)
	for _, a := range p.m.Lock.Artifacts {
		name := path.Base(a.Path)
		switch {
		case a.Kind != manifest.RPM:
		case let[name]:
			unsigned = append(unsigned, name)
		default:
			signed = append(signed, name)
		}
	}
	return signed, unsigned
}

// python holds that the control node can make its venv. The nodes' interpreter
// comes as an RPM of the bundle.
func (p *preflight) python() {
	if p.w.has(manifest.TargetNode) {
		p.add(SeverityNote, "python", "", "Patroni will run on Python %s, which the playbook installs from the bundle", p.m.Lock.Target.Python(manifest.TargetNode))
	}
	if !p.w.has(manifest.Control) {
		return
	}
	want := p.m.Lock.Target.Python(manifest.Control)
	severity := SeverityError
	if p.w.Image {
		severity = SeverityWarning // the venv is made when the install is finished
	}
	if _, ok := PythonFor(p.n, want); ok {
		return
	}
	var lacking *manifest.Python
	for i, have := range p.n.Pythons {
		if manifest.PythonMinor(have.Version) == want {
			lacking = &p.n.Pythons[i]
		}
	}
	hint := p.wayToPython(want)
	if lacking != nil {
		p.add(severity, "python", hint, "%s lacks %s: no venv can be made", lacking.Path, strings.Join(lacking.Lacks, " and "))
		return
	}
	for _, u := range p.n.Unknown {
		if u.Fact == "pythons" || strings.HasPrefix(u.Fact, "pythons ") && path.Base(u.Fact) == "python"+want {
			p.add(severity, "python", hint, "Python %s could not be looked at: %s", want, u.Why)
			return
		}
	}
	have := "none"
	if len(p.n.Pythons) > 0 {
		var list []string
		for _, one := range p.n.Pythons {
			list = append(list, one.Version)
		}
		have = strings.Join(list, ", ")
	}
	p.add(severity, "python", hint, "the control node's wheels are for Python %s, and here is %s", want, have)
}

// PythonFor returns the path of the node's first interpreter of a version
// ("3.11") that can make a venv with pip in it, in the order of PATH. One that
// lacks what that takes may come before it.
func PythonFor(n *manifest.Node, version string) (path string, ok bool) {
	for _, have := range n.Pythons {
		if manifest.PythonMinor(have.Version) == version && len(have.Lacks) == 0 {
			return have.Path, true
		}
	}
	return "", false
}

// pythonPackage is what EL 9 calls the package of an interpreter: 3.9 is the
// system's own.
func pythonPackage(minor string) string {
	if minor == "3.9" {
		return "python3"
	}
	return "python" + minor
}

// ansiblePythons are what a bundle of the same Ansible can be built for; none where
// nobody here knows it.
func (p *preflight) ansiblePythons() []string {
	for _, a := range p.m.Lock.Artifacts {
		if a.Kind == manifest.Wheel && a.Name == "ansible-core" {
			if series, known := manifest.AnsibleCoreOf(a.Version); known {
				return series.Pythons()
			}
		}
	}
	return nil
}

// wayToPython says how the node comes to an interpreter: out of the site's own
// repositories; out of the bundle, whose repository the role target puts here
// without one; or not at all, with wheels for another that is here.
func (p *preflight) wayToPython(minor string) string {
	name := pythonPackage(minor)
	from := "AppStream"
	if name == "python3" {
		from = "BaseOS"
	}
	hint := "dnf install " + name + " where the node has a repository with RHEL's " + from
	carried := slices.ContainsFunc(p.m.Lock.Artifacts, func(a manifest.Artifact) bool { return a.Kind == manifest.RPM && a.Name == name })
	switch {
	case p.w.Image:
		hint += ", before pgbundle install --finish"
	case carried:
		hint += "; or from this bundle: pgbundle install --role target, which needs no Python, then dnf --disablerepo='*' --enablerepo=" + repositoryID +
			" install " + name + ", then this command again"
	}
	var others []string
	runs := p.ansiblePythons()
	for _, have := range p.n.Pythons {
		if other := manifest.PythonMinor(have.Version); other != minor && len(have.Lacks) == 0 && slices.Contains(runs, other) {
			others = append(others, other)
		}
	}
	if others = slices.Compact(others); len(others) > 0 {
		hint += "; or a bundle that was built with --control-python " + strings.Join(others, " or ")
	}
	return hint
}

// tools holds that the node has what proves and installs the RPMs.
func (p *preflight) tools() {
	if !p.w.has(manifest.TargetNode) {
		return
	}
	if len(p.n.Packages) == 0 {
		p.unknown("tools", "packages")
		return
	}
	for _, tool := range []struct{ name, evr string }{{"rpm", p.n.RPM}, {"dnf", p.n.DNF}} {
		if tool.evr == "" {
			p.add(SeverityError, "tools", "install "+tool.name+" on the node first", "there is no package %s on the node: nothing could be installed from the bundle", tool.name)
		}
	}
}

// excludes warns of what hides packages of the bundle from dnf, or holds others
// in their place.
func (p *preflight) excludes() {
	if !p.w.has(manifest.TargetNode) {
		return
	}
	const way = "; pgbundle changes nothing of it"
	for _, e := range p.n.Excludes {
		if e.Where != "main" || e.Option != "excludepkgs" {
			continue // others are about another repository, or about what may be seen
		}
		for _, pattern := range e.Patterns {
			if hit := p.rpmsLike(pattern); len(hit) > 0 {
				p.add(SeverityWarning, "excludes", "take it out of /etc/dnf/dnf.conf, or install with --setopt=excludepkgs="+way,
					"excludepkgs=%s hides %s of the bundle from dnf", pattern, someOf(hit))
			}
		}
	}
	for _, lock := range p.n.VersionLock {
		name := lockedName(strings.TrimPrefix(lock, "!"))
		if hit := p.rpmsLike(name); name != "" && len(hit) > 0 {
			p.add(SeverityWarning, "excludes", "dnf versionlock delete "+name+way, "the version lock %s may keep %s of the bundle out", lock, someOf(hit))
		}
	}
	for _, what := range []string{"excludes", "versionlock"} {
		if _, unknown := p.n.Why(what); unknown {
			p.unknown("excludes", what)
		}
	}
}

// rpmsLike are the bundle's packages whose name, or name.arch, matches a
// pattern of dnf.
func (p *preflight) rpmsLike(pattern string) []string {
	var hit []string
	for _, a := range p.m.Lock.Artifacts {
		if a.Kind != manifest.RPM {
			continue
		}
		for _, form := range []string{a.Name, a.Name + "." + a.Arch, a.Name + "-" + a.Version, a.Name + "-" + a.Version + "." + a.Arch} {
			if ok, err := path.Match(pattern, form); ok && err == nil {
				hit = append(hit, a.Name)
				break
			}
		}
	}
	return slices.Compact(hit)
}

// lockedName is the name in a lock: "bash" of "bash-0:5.1.8-9.el9.*", as the
// plugin writes it, or what somebody wrote by hand.
func lockedName(lock string) string {
	parts := strings.Split(lock, "-")
	for i, part := range parts {
		if i > 0 && strings.Contains(part, ":") {
			return strings.Join(parts[:i], "-")
		}
	}
	if at := len(parts) - 2; at > 0 && parts[at] != "" && parts[at][0] >= '0' && parts[at][0] <= '9' {
		return strings.Join(parts[:at], "-")
	}
	return lock
}

// someOf names at most three.
func someOf(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}
