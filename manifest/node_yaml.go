package manifest

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// ParseNode reads the facts of a node: strict YAML (see DecodeStrict), then
// Validate. The error is of class ErrDamaged.
func ParseNode(data []byte) (*Node, error) {
	var n Node
	if err := DecodeStrict(data, &n); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read facts of a node: %w", err))
	}
	if err := n.Validate(); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read facts of a node: %w", err))
	}
	return &n, nil
}

// Marshal writes the facts as canonical YAML: the same facts give the same
// bytes. Facts that Validate refuses are not written. The time is written in
// UTC and whole seconds.
func (n *Node) Marshal() ([]byte, error) {
	c := *n
	c.Collected.Time = canonicalTime(c.Collected.Time)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("write facts of a node: %w", err)
	}
	return encode(&c)
}

// MarshalYAML writes a port on one line.
func (p Port) MarshalYAML() (any, error) {
	type plain Port
	return oneLine(plain(p))
}

// MarshalYAML writes the room of a file system on one line.
func (s Space) MarshalYAML() (any, error) {
	type plain Space
	return oneLine(plain(s))
}

func oneLine(value any) (any, error) {
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return nil, err
	}
	n.Style |= yaml.FlowStyle
	return &n, nil
}

// Bounds on the facts of one node.
const (
	maxListed = 100_000 // entries of one list; a kernel provides 20,000 symbols
	maxBuilds = 256     // packages of one name, which a resolver compares each with each; some kernels are usual
	maxText   = 4096    // bytes of one text: a path's (PATH_MAX); the longest dependency of EL 9 has 535
)

// Validate says everything that is wrong with the facts, or nil. Every text is
// one printable line without credentials in an address.
func (n *Node) Validate() error {
	var f findings
	if n.Version > NodeVersion {
		f.add("facts of format version %d: this pgbundle reads version %d, use a newer one", n.Version, NodeVersion)
	} else if n.Version == 1 {
		f.add("facts of format version 1 do not tell what the packages require: write them again with pgbundle facts of this version")
	} else if n.Version != NodeVersion {
		f.add("facts of format version %d: there is no such version", n.Version)
	}
	if len(f.all) > 0 {
		return f.err()
	}
	c := factCheck{&f}
	c.text("collected.by", n.Collected.By)
	if t := n.Collected.Time; t.Unix() < 0 || t.After(lastTime) {
		f.add("collected.time: not between 1970 and %d", lastTime.Year())
	}
	c.text("os", n.OS.Family, n.OS.ID, n.OS.Release, n.OS.Name, n.OS.Variant)
	c.text("arch", n.Arch)
	c.text("kernel", n.Kernel)
	c.positive("cpus", int64(n.CPUs))
	c.positive("memory", n.Memory, n.Swap)
	c.machine(n)
	c.security(n.Security)
	c.text("sudo.secure_path", n.Sudo.SecurePath...)
	c.word("time_sync.state", n.TimeSync.State, "synchronised", "unsynchronised")
	c.text("time_sync.service", n.TimeSync.Service)
	c.software(n)
	c.length("unknown", len(n.Unknown))
	for _, u := range n.Unknown {
		c.needed("unknown", u.Fact, u.Why)
	}
	return f.err()
}

// factCheck checks facts by their sort.
type factCheck struct{ f *findings }

func (c factCheck) machine(n *Node) {
	c.length("disks", len(n.Disks))
	for _, d := range n.Disks {
		if !strings.HasPrefix(d.Mount, "/") {
			c.f.add("disks: mount %q: not an absolute path", d.Mount)
		}
		c.needed("disks", d.Mount)
		c.text("disks", append([]string{d.Device, d.Type}, d.Options...)...)
		if s := d.Space; s != nil {
			c.positive("disks "+d.Mount, s.Size, s.Free, s.Inodes, s.FreeInodes)
		}
	}
	c.length("interfaces", len(n.Interfaces))
	for _, i := range n.Interfaces {
		c.needed("interfaces", i.Name, i.State)
		c.positive("interfaces "+i.Name, int64(i.MTU))
		for _, a := range i.Addresses {
			if _, err := netip.ParsePrefix(a); err != nil {
				c.f.add("interfaces %s: address %q: not an IP address with its prefix length", i.Name, a)
			}
		}
	}
	c.length("ports", len(n.Ports))
	for _, p := range n.Ports {
		if _, err := netip.ParseAddr(p.Address); err != nil || p.Port < 1 || p.Port > 65535 {
			c.f.add("ports: %s %q %d: not an IP address and a port", p.Protocol, p.Address, p.Port)
		}
		c.word("ports", p.Protocol, "tcp", "udp")
	}
}

func (c factCheck) security(s Security) {
	for _, mode := range []string{s.SELinux.Mode, s.SELinux.Configured} {
		c.word("security.selinux", mode, "enforcing", "permissive", "disabled")
	}
	c.text("security.selinux.policy", s.SELinux.Policy)
	c.word("security.fips", s.FIPS, "enabled", "disabled")
	c.text("security.crypto_policy", s.CryptoPolicy)
	c.word("security.fapolicyd", s.Fapolicyd, "absent", "installed", "inactive", "active")
	if strings.Trim(s.Umask, "01234567") != "" || len(s.Umask) > 4 {
		c.f.add("security.umask %q: not an octal mode", s.Umask)
	}
}

func (c factCheck) software(n *Node) {
	for _, p := range n.Pythons {
		c.needed("pythons", p.Path, p.Version)
		c.text("pythons", p.Lacks...)
	}
	c.text("rpm", n.RPM)
	c.text("dnf", n.DNF)
	c.length("modules", len(n.Modules))
	for _, m := range n.Modules {
		c.needed("modules", m.Name, m.State)
		c.word("modules", m.State, "enabled", "disabled", "default")
		c.text("modules", append([]string{m.Stream}, m.Profiles...)...)
	}
	for _, e := range n.Excludes {
		c.needed("excludes", e.Where, e.Option)
		c.word("excludes", e.Option, "excludepkgs", "includepkgs")
		c.text("excludes", e.Patterns...)
	}
	c.text("versionlock", n.VersionLock...)
	c.length("packages", len(n.Packages))
	countBuilds(c.f, "packages", n.Packages)
	for _, p := range n.Packages {
		c.pkg(p)
	}
}

// countBuilds refuses more packages of one name than any machine has.
func countBuilds(f *findings, fact string, packages []Package) {
	builds := map[string]int{}
	for _, p := range packages {
		if builds[p.Name]++; builds[p.Name] == maxBuilds+1 {
			f.add("%s: more than %d of the name %.40q", fact, maxBuilds, CleanText(p.Name))
		}
	}
}

func (c factCheck) pkg(p Package) {
	c.needed("packages", p.Name, p.EVR, p.Arch)
	c.text("packages", p.Vendor)
	name := CleanText(p.Name) // a finding repeats it
	for _, list := range append(p.Relations(), Relation{"files", &p.Files}) {
		fact := "packages: " + list.Kind + " of " + name
		c.length(fact, len(*list.Texts))
		c.needed(fact, *list.Texts...)
	}
	for _, path := range p.Files {
		if path != "" && path[0] != '/' {
			c.f.add("packages: files of %s: %.40q: not an absolute path", name, CleanText(path))
		}
	}
}

// credentials finds the user part of an address.
var credentials = regexp.MustCompile(`://[^/\s]*@`)

// CleanText makes text from outside fit to stand in a Node: one line of
// printable characters, short, and without credentials in an address. What is
// not empty does not become so.
func CleanText(s string) string {
	if s == "" {
		return ""
	}
	s = cmp.Or(strings.TrimSpace(strings.ToValidUTF8(s, "?")), "?")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	for credentials.MatchString(s) { // what is left may be an address again
		s = credentials.ReplaceAllString(s, "://")
	}
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// text checks texts that may be empty. What is refused for its credentials is
// not repeated.
func (c factCheck) text(fact string, texts ...string) {
	for _, s := range texts {
		switch {
		case credentials.MatchString(s):
			c.f.add("%s: an address with credentials", fact)
		case len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
			// What turns the direction of writing would deceive a reader too.
			c.f.add("%s: %.40q: not one printable line of at most %d bytes", fact, s, maxText)
		}
	}
}

func (c factCheck) needed(fact string, texts ...string) {
	if slices.Contains(texts, "") {
		c.f.add("%s: an entry without its name or its value", fact)
	}
	c.text(fact, texts...)
}

// word checks a text that is empty or one of a few.
func (c factCheck) word(fact, s string, words ...string) {
	if s != "" && !slices.Contains(words, s) {
		c.f.add("%s: %.40q: none of %s", fact, s, strings.Join(words, ", "))
	}
}

func (c factCheck) positive(fact string, numbers ...int64) {
	for _, n := range numbers {
		if n < 0 {
			c.f.add("%s: %d: less than nothing", fact, n)
		}
	}
}

func (c factCheck) length(fact string, n int) {
	if n > maxListed {
		c.f.add("%s: %d entries, at most %d are read", fact, n, maxListed)
	}
}
