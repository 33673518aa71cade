package manifest

import "time"

// NodeVersion is the format version of a Node that this package writes and
// reads. Version 1 did not tell what the packages provide and require.
const NodeVersion = 2

// Node is what is known about one machine, collected without root or network.
// It is meant to be read by whoever lets it out of a protected network: it holds
// no environment, no command line, no user name, no host name and no hardware
// address, and no address with credentials in it.
//
// A fact that could not be found out is left out, and stands in Unknown under
// its YAML path with the reason. What is left out and is not in Unknown is not
// there: a node without version locks has none.
type Node struct {
	Version     int           `yaml:"version" json:"version"`
	Collected   Collected     `yaml:"collected" json:"collected"`
	OS          NodeOS        `yaml:"os,omitempty" json:"os"`
	Arch        string        `yaml:"arch,omitempty" json:"arch,omitempty"`     // RPM's word: "x86_64"
	Kernel      string        `yaml:"kernel,omitempty" json:"kernel,omitempty"` // the running one, as uname -r
	CPUs        int           `yaml:"cpus,omitempty" json:"cpus,omitempty"`     // online
	Memory      int64         `yaml:"memory,omitempty" json:"memory,omitempty"` // bytes
	Swap        int64         `yaml:"swap,omitempty" json:"swap,omitempty"`     // bytes
	Disks       []Disk        `yaml:"disks,omitempty" json:"disks,omitempty"`   // sorted by Mount
	Interfaces  []Interface   `yaml:"interfaces,omitempty" json:"interfaces,omitempty"`
	Ports       []Port        `yaml:"ports,omitempty" json:"ports,omitempty"` // that somebody listens on
	Security    Security      `yaml:"security,omitempty" json:"security"`
	Sudo        Sudo          `yaml:"sudo,omitempty" json:"sudo"`
	TimeSync    TimeSync      `yaml:"time_sync,omitempty" json:"time_sync"`
	Pythons     []Python      `yaml:"pythons,omitempty" json:"pythons,omitempty"` // in the order of the node's PATH
	RPM         string        `yaml:"rpm,omitempty" json:"rpm,omitempty"`         // EVR of the package rpm
	DNF         string        `yaml:"dnf,omitempty" json:"dnf,omitempty"`         // EVR of the package dnf
	Modules     []Module      `yaml:"modules,omitempty" json:"modules,omitempty"` // that somebody enabled, disabled or reset
	Excludes    []Exclude     `yaml:"excludes,omitempty" json:"excludes,omitempty"`
	VersionLock []string      `yaml:"versionlock,omitempty" json:"versionlock,omitempty"` // patterns as versionlock.list has them
	Unknown     []UnknownFact `yaml:"unknown,omitempty" json:"unknown,omitempty"`
	Packages    []Package     `yaml:"packages,omitempty" json:"packages,omitempty"` // sorted; last, since they are many
}

// Collected says who wrote the facts down, when and from where.
type Collected struct {
	By     string    `yaml:"by" json:"by"`         // "pgbundle 0.3.0"
	Time   time.Time `yaml:"time" json:"time"`     // UTC, whole seconds
	Root   bool      `yaml:"root" json:"root"`     // by root: no file was kept from us
	Booted bool      `yaml:"booted" json:"booted"` // of a running system, not of an image's files
}

// NodeOS is what os-release(5) says.
type NodeOS struct {
	Family  string `yaml:"family,omitempty" json:"family,omitempty"`   // "rhel" for RHEL and what is rebuilt from it
	ID      string `yaml:"id,omitempty" json:"id,omitempty"`           // "rocky"
	Release string `yaml:"release,omitempty" json:"release,omitempty"` // "9.4"; "9" for CentOS Stream
	Name    string `yaml:"name,omitempty" json:"name,omitempty"`       // PRETTY_NAME
	Variant string `yaml:"variant,omitempty" json:"variant,omitempty"` // VARIANT_ID
}

// Disk is one mounted file system that can hold files.
type Disk struct {
	Mount   string   `yaml:"mount" json:"mount"`
	Device  string   `yaml:"device,omitempty" json:"device,omitempty"`
	Type    string   `yaml:"type,omitempty" json:"type,omitempty"`            // "xfs"
	Options []string `yaml:"options,flow,omitempty" json:"options,omitempty"` // those without a value: "ro", "noexec"
	Space   *Space   `yaml:"space,omitempty" json:"space,omitempty"`          // nil: not known, see Unknown
}

// Space is the room of a file system: statvfs(3).
type Space struct {
	Size       int64 `yaml:"size" json:"size"`               // bytes
	Free       int64 `yaml:"free" json:"free"`               // bytes that an ordinary user may fill
	Inodes     int64 `yaml:"inodes" json:"inodes"`           // 0: there is no fixed number
	FreeInodes int64 `yaml:"free_inodes" json:"free_inodes"` // means nothing when Inodes is 0
}

// Interface is one network interface.
type Interface struct {
	Name      string   `yaml:"name" json:"name"`
	State     string   `yaml:"state" json:"state"`                                  // operstate (RFC 2863): "up", "down", "unknown" …
	MTU       int      `yaml:"mtu,omitempty" json:"mtu,omitempty"`                  // bytes
	Addresses []string `yaml:"addresses,flow,omitempty" json:"addresses,omitempty"` // with prefix length: "10.0.0.5/24"
}

// Port is one address that a program takes packets or connections on.
type Port struct {
	Protocol string `yaml:"protocol" json:"protocol"` // "tcp", "udp"
	Address  string `yaml:"address" json:"address"`   // "0.0.0.0" and "::" mean every address
	Port     int    `yaml:"port" json:"port"`
}

// Security is what hardening has set.
type Security struct {
	SELinux      SELinux `yaml:"selinux,omitempty" json:"selinux"`
	FIPS         string  `yaml:"fips,omitempty" json:"fips,omitempty"`                   // "enabled", "disabled": the kernel's mode
	CryptoPolicy string  `yaml:"crypto_policy,omitempty" json:"crypto_policy,omitempty"` // "DEFAULT", "FIPS:OSPP"
	Fapolicyd    string  `yaml:"fapolicyd,omitempty" json:"fapolicyd,omitempty"`         // "absent", "installed" (no more is known), "inactive", "active"
	Umask        string  `yaml:"umask,omitempty" json:"umask,omitempty"`                 // of a login, from login.defs: "022"
}

// SELinux tells the mode that is and the one that the next boot will have.
type SELinux struct {
	Mode       string `yaml:"mode,omitempty" json:"mode,omitempty"`             // "enforcing", "permissive", "disabled"
	Configured string `yaml:"configured,omitempty" json:"configured,omitempty"` // as Mode
	Policy     string `yaml:"policy,omitempty" json:"policy,omitempty"`         // "targeted", "mls"
}

// Sudo is what sudo does for everybody. Who may use it is not told.
type Sudo struct {
	SecurePath []string `yaml:"secure_path,flow,omitempty" json:"secure_path,omitempty"` // where it looks for programs; empty: in the user's PATH
}

// TimeSync says who sets the clock, and whether it is set.
type TimeSync struct {
	Service string `yaml:"service,omitempty" json:"service,omitempty"` // "chronyd", "none"
	State   string `yaml:"state,omitempty" json:"state,omitempty"`     // "synchronised", "unsynchronised": the kernel's word
}

// Python is one interpreter.
type Python struct {
	Path    string   `yaml:"path" json:"path"`
	Version string   `yaml:"version" json:"version"`                      // "3.9.18"; of an image "3.9", from its name
	Lacks   []string `yaml:"lacks,flow,omitempty" json:"lacks,omitempty"` // of what makes a venv with pip: "venv", "ensurepip"
}

// Module is one DNF module stream and what was decided about it.
type Module struct {
	Name     string   `yaml:"name" json:"name"`
	Stream   string   `yaml:"stream,omitempty" json:"stream,omitempty"`
	State    string   `yaml:"state" json:"state"` // "enabled", "disabled", "default"
	Profiles []string `yaml:"profiles,flow,omitempty" json:"profiles,omitempty"`
}

// Exclude is one line of dnf's configuration that hides packages.
type Exclude struct {
	Where    string   `yaml:"where" json:"where"`   // "main" or a repository's id
	Option   string   `yaml:"option" json:"option"` // "excludepkgs", "includepkgs"
	Patterns []string `yaml:"patterns,flow" json:"patterns"`
}

// Package is one installed RPM. The public keys that rpm lists as packages
// (gpg-pubkey) are none. The dependencies are in RPM's words, "name", "name op
// [epoch:]version[-release]" or a rich one in parentheses, without duplicates, in
// the package's order; requirements of RPM itself (rpmlib) are left out.
type Package struct {
	Name        string   `yaml:"name" json:"name"`
	EVR         string   `yaml:"evr" json:"evr"` // [epoch:]version-release, no epoch 0
	Arch        string   `yaml:"arch" json:"arch"`
	Vendor      string   `yaml:"vendor,omitempty" json:"vendor,omitempty"`
	Provides    []string `yaml:"provides,flow,omitempty" json:"provides,omitempty"`
	Requires    []string `yaml:"requires,flow,omitempty" json:"requires,omitempty"`
	Conflicts   []string `yaml:"conflicts,flow,omitempty" json:"conflicts,omitempty"`
	Obsoletes   []string `yaml:"obsoletes,flow,omitempty" json:"obsoletes,omitempty"`
	Recommends  []string `yaml:"recommends,flow,omitempty" json:"recommends,omitempty"`
	Suggests    []string `yaml:"suggests,flow,omitempty" json:"suggests,omitempty"`
	Supplements []string `yaml:"supplements,flow,omitempty" json:"supplements,omitempty"`
	Enhances    []string `yaml:"enhances,flow,omitempty" json:"enhances,omitempty"`
	// Files are the paths that a repository's primary metadata would list: what
	// other packages usually require a path of.
	Files []string `yaml:"files,flow,omitempty" json:"files,omitempty"`
}

// Relation is one list of a package's dependencies.
type Relation struct {
	Kind  string // "provides", as the YAML key
	Texts *[]string
}

// Relations are the lists of a package's dependencies, provides and requires
// first, in the order of the fields.
func (p *Package) Relations() []Relation {
	return []Relation{
		{"provides", &p.Provides}, {"requires", &p.Requires}, {"conflicts", &p.Conflicts}, {"obsoletes", &p.Obsoletes},
		{"recommends", &p.Recommends}, {"suggests", &p.Suggests}, {"supplements", &p.Supplements}, {"enhances", &p.Enhances},
	}
}

// UnknownFact is a fact that could not be found out.
type UnknownFact struct {
	Fact string `yaml:"fact" json:"fact"` // YAML path: "sudo.secure_path", or "disks /data"
	Why  string `yaml:"why" json:"why"`
}

// Why returns the reason why a fact is not known, and whether that is so.
func (n *Node) Why(fact string) (string, bool) {
	for _, u := range n.Unknown {
		if u.Fact == fact {
			return u.Why, true
		}
	}
	return "", false
}
