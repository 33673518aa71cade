// Package manifest says what is in a bundle, as plain data: the target it was
// resolved for, the artifacts in it, the lock that fixes them and the manifest
// that lists every file. It reads and writes these as strict YAML and knows
// their digests. It is a leaf: it opens no file, no archive and no connection.
package manifest

import "time"

// Version is the format version that this package writes and reads.
const Version = 1

// Target is the machine that a bundle is for. Nothing about the host that
// builds the bundle enters it.
type Target struct {
	OS            string `yaml:"os" json:"os"`                         // family: "rhel"
	Release       string `yaml:"release" json:"release"`               // "9" or "9.4"
	Arch          string `yaml:"arch" json:"arch"`                     // RPM's word: "x86_64", "aarch64"
	ControlPython string `yaml:"control_python" json:"control_python"` // "3.9": runs ansible-core
	NodePython    string `yaml:"node_python" json:"node_python"`       // "3.9": runs Patroni

	// The versions with patch level that the wheels were resolved for ("3.9.18"),
	// ascending; none where nobody told them. They fit each of these.
	ControlPythonFullVersions []string `yaml:"control_python_full_versions,flow,omitempty" json:"control_python_full_versions,omitempty"`
	NodePythonFullVersions    []string `yaml:"node_python_full_versions,flow,omitempty" json:"node_python_full_versions,omitempty"`
}

// Kind is the sort of an artifact, and of the source it comes from.
type Kind string

const (
	RPM        Kind = "rpm"
	Wheel      Kind = "wheel"
	Collection Kind = "collection"
	Release    Kind = "release" // a tarball with a checksum file: etcd
	Program    Kind = "program" // pgbundle itself, for the target
)

// Role is the part that a node plays: where an artifact is needed.
type Role string

const (
	Control    Role = "control" // runs Ansible
	TargetNode Role = "target"  // runs etcd, Patroni, PostgreSQL, HAProxy
)

// Origin is where the bytes of an artifact came from, as they were fetched.
type Origin struct {
	Source string `yaml:"source" json:"source"` // id of a Source of the lock
	Path   string `yaml:"path" json:"path"`     // relative to the source, so that a mirror can stand in
	Size   int64  `yaml:"size" json:"size"`     // bytes; -1 when the source does not tell
	SHA256 string `yaml:"sha256" json:"sha256"` // 64 lower-case hex digits
}

// Artifact is one file that was resolved, as it is placed in the bundle.
type Artifact struct {
	Path     string   `yaml:"path" json:"path"` // in the bundle, slash-separated: the identity
	Kind     Kind     `yaml:"kind" json:"kind"`
	Name     string   `yaml:"name" json:"name"`
	Version  string   `yaml:"version" json:"version"`               // RPM: [epoch:]version-release
	Arch     string   `yaml:"arch,omitempty" json:"arch,omitempty"` // RPM arch, or the wheel's tags
	Size     int64    `yaml:"size" json:"size"`
	SHA256   string   `yaml:"sha256" json:"sha256"`
	From     Origin   `yaml:"from" json:"from"`
	Made     string   `yaml:"made,omitempty" json:"made,omitempty"` // how From became Path: "wheel-from-sdist"
	Roles    []Role   `yaml:"roles,flow" json:"roles"`
	WantedBy []string `yaml:"wanted_by,flow,omitempty" json:"wanted_by,omitempty"` // names of what wants it; a request is itself
}

// Request is one thing that the spec asks for, in the words of its kind: a
// package name, a PEP 508 requirement, a collection with its version range.
type Request struct {
	Kind Kind   `yaml:"kind" json:"kind"`
	Role Role   `yaml:"role" json:"role"`
	Want string `yaml:"want" json:"want"`
	// Group says that nobody named the package: it was asked for in a group, in
	// these words ("@core").
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
}

// SourceRole says what a repository is for.
type SourceRole string

const (
	Provides SourceRole = "provides" // what it has may go into the bundle
	Present  SourceRole = "present"  // the target has it already
)

// Key is a public key that a source's packages or metadata are checked with.
type Key struct {
	Fingerprint string `yaml:"fingerprint" json:"fingerprint"` // upper-case hex, 40 digits for v4
	Armor       string `yaml:"armor" json:"armor"`             // ASCII armoured, RFC 9580 section 6
}

// Source is a place that artifacts come from.
type Source struct {
	ID   string     `yaml:"id" json:"id"`
	Kind Kind       `yaml:"kind" json:"kind"`
	Role SourceRole `yaml:"role" json:"role"`
	URLs []string   `yaml:"urls" json:"urls"` // without credentials
	Keys []Key      `yaml:"keys,omitempty" json:"keys,omitempty"`
	// Signatures says of an RPM source what was asked of its packages' signatures,
	// MetadataSignatures of that of its repomd.xml. Whatever they say, every digest
	// is checked.
	Signatures         SignaturePolicy `yaml:"signatures,omitempty" json:"signatures,omitempty"`
	MetadataSignatures SignaturePolicy `yaml:"metadata_signatures,omitempty" json:"metadata_signatures,omitempty"`
	// Alone says of a release that its checksums came from one host, and that no
	// second one could be compared.
	Alone bool `yaml:"alone,omitempty" json:"alone,omitempty"`
}

// Profile says how much of what the requests need a bundle carries.
type Profile string

const (
	Full  Profile = "full"  // all of it: the packages close on an empty system
	Delta Profile = "delta" // what the target lacks
)

// LockNode is a node whose facts a delta was made for.
type LockNode struct {
	Name   string `yaml:"name" json:"name"`     // of the facts' file
	SHA256 string `yaml:"sha256" json:"sha256"` // of the facts' file
}

// Lock fixes exactly what a spec resolved to.
type Lock struct {
	Version     int        `yaml:"version" json:"version"`
	Spec        string     `yaml:"spec" json:"spec"` // sha256 of the spec it came from
	Time        time.Time  `yaml:"time" json:"time"` // data, not the clock: the newest time of the metadata
	Target      Target     `yaml:"target" json:"target"`
	Profile     Profile    `yaml:"profile,omitempty" json:"profile,omitempty"` // "" is Full
	Requests    []Request  `yaml:"requests" json:"requests"`
	Constraints []Request  `yaml:"constraints,omitempty" json:"constraints,omitempty"` // narrow a version, ask for nothing
	Modules     []string   `yaml:"modules,omitempty" json:"modules,omitempty"`         // module streams that were on, "name:stream", sorted
	Sources     []Source   `yaml:"sources" json:"sources"`
	Artifacts   []Artifact `yaml:"artifacts" json:"artifacts"` // sorted by Path
	// Nodes are what a delta was made for; there are none when it was made for the
	// repositories that the target has.
	Nodes []LockNode `yaml:"nodes,omitempty" json:"nodes,omitempty"`
	// Assumed are the packages of Present sources that the target is counted on to
	// have, or to get from there: with them the packages close. One that provides
	// nothing only says which paths a package of the nodes owns.
	Assumed []Package `yaml:"assumed,omitempty" json:"assumed,omitempty"`
}

// IsDelta reports whether the bundle lacks what the target has.
func (l *Lock) IsDelta() bool { return l.Profile == Delta }

// File is one file of the bundle after the manifest.
type File struct {
	Path   string `yaml:"path" json:"path"`
	Size   int64  `yaml:"size" json:"size"`
	Mode   uint32 `yaml:"mode" json:"mode"` // permission bits: 0644 or 0755, written in octal
	SHA256 string `yaml:"sha256" json:"sha256"`
}

// Check is one proof that was made when the bundle was built.
type Check struct {
	Name   string `yaml:"name" json:"name"`
	Result string `yaml:"result" json:"result"`
}

// Manifest lists every file of a bundle in order, except itself, its signature
// and SHA256SUMS, and so fixes the place and the framing of every byte.
type Manifest struct {
	Version int     `yaml:"version" json:"version"`
	Lock    Lock    `yaml:"lock" json:"lock"`
	Files   []File  `yaml:"files" json:"files"`
	Checked []Check `yaml:"checked" json:"checked"`
}
