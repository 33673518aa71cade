package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/rpm/repomd"
)

// Spec is what somebody wants in a bundle: the content of pgbundle.yaml, of
// the flags, or of both. A zero field means the default.
type Spec struct {
	PostgreSQL     string   `yaml:"postgresql,omitempty"`      // major: "16"
	Etcd           string   `yaml:"etcd,omitempty"`            // version: "3.5.16"
	Target         string   `yaml:"target,omitempty"`          // "rhel9" or "rhel9.4"
	Arch           string   `yaml:"arch,omitempty"`            // "x86_64" or "aarch64"
	Python         string   `yaml:"python,omitempty"`          // sets both of the next two
	ControlPython  string   `yaml:"control_python,omitempty"`  // "3.9"
	NodePython     string   `yaml:"node_python,omitempty"`     // "3.9"
	Patroni        string   `yaml:"patroni,omitempty"`         // a version range, or a whole requirement
	Psycopg        string   `yaml:"psycopg,omitempty"`         // where Patroni's driver comes from: "wheel" or "rpm"
	AnsibleCore    string   `yaml:"ansible_core,omitempty"`    // a version range
	With           []string `yaml:"with,omitempty"`            // optional parts: "pgbackrest"
	Packages       []string `yaml:"packages,omitempty"`        // further RPM packages for the nodes
	Wheels         []string `yaml:"wheels,omitempty"`          // further requirements for the nodes
	ControlWheels  []string `yaml:"control_wheels,omitempty"`  // further requirements for the control node
	Constraints    []string `yaml:"constraints,omitempty"`     // narrow wheel versions, ask for none
	Collections    []string `yaml:"collections,omitempty"`     // further Ansible collections
	WeakDeps       bool     `yaml:"weak_deps,omitempty"`       // follow Recommends and Supplements
	Pins           []string `yaml:"pins,omitempty"`            // builds of RPM packages, NAME=EVR
	Strict         bool     `yaml:"strict,omitempty"`          // take no older RPM where the newest cannot be met
	Profile        string   `yaml:"profile,omitempty"`         // "full", or "delta": only what the target lacks
	Present        []string `yaml:"present,omitempty"`         // ids of repositories that the target has
	AllowUpgrades  bool     `yaml:"allow_upgrades,omitempty"`  // packages of a node may be replaced by newer ones
	Modules        []string `yaml:"modules,omitempty"`         // module streams to enable, NAME:STREAM
	DisableModules []string `yaml:"disable_modules,omitempty"` // modules of which no stream is on

	Repos        []string          `yaml:"repos,omitempty"`        // "rocky", "alma", "host", or a .repo file
	Repositories map[string]string `yaml:"repositories,omitempty"` // id: URL or folder
	Keys         []string          `yaml:"keys,omitempty"`         // files of public keys for the repositories
	// What is asked of the signatures of packages and of repomd.xml, by the id of
	// the repository, where its configuration is not to decide.
	Signatures         map[string]manifest.SignaturePolicy `yaml:"signatures,omitempty"`
	MetadataSignatures map[string]manifest.SignaturePolicy `yaml:"metadata_signatures,omitempty"`

	IndexURL       string   `yaml:"index_url,omitempty"`
	ExtraIndexURLs []string `yaml:"extra_index_urls,omitempty"` // further Python package indexes
	FindLinks      []string `yaml:"find_links,omitempty"`       // pages of links to wheels, or folders of wheels
	GalaxyURL      string   `yaml:"galaxy_url,omitempty"`
	EtcdURLs       []string `yaml:"etcd_urls,omitempty"`

	// ExcludeNewer leaves out wheels that were uploaded at this time (RFC 3339)
	// or later, or after this day (2006-01-02) in UTC.
	ExcludeNewer string `yaml:"exclude_newer,omitempty"`
}

const (
	defaultPostgreSQL  = "16"
	defaultEtcd        = "3.5.16"
	defaultTarget      = "rhel9"
	defaultArch        = "x86_64"
	defaultPython      = "3.9"
	defaultPatroni     = "patroni[etcd3]>=3.0.3,<4"
	defaultAnsibleCore = ">=2.15,<2.16"
	// safePatroni is the floor of every bundle: before it, a leader that was
	// frozen and thawed takes its lock back unconditionally, and rows that were
	// acknowledged by its successor are lost.
	safePatroni = "patroni>=3.0.3"
	// etcdClient keeps python-etcd working: it calls HTTPResponse.getheader,
	// which urllib3 2.6 removed.
	etcdClient = "urllib3<2.6"
)

// WithDefaults returns the spec with every field set that has a default.
func (s Spec) WithDefaults() Spec {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&s.PostgreSQL, defaultPostgreSQL)
	set(&s.Etcd, defaultEtcd)
	set(&s.Target, defaultTarget)
	set(&s.Arch, defaultArch)
	set(&s.ControlPython, s.Python)
	set(&s.NodePython, s.Python)
	set(&s.ControlPython, defaultPython)
	set(&s.NodePython, defaultPython)
	s.Python = ""
	set(&s.Patroni, defaultPatroni)
	set(&s.AnsibleCore, defaultAnsibleCore)
	if !strings.HasPrefix(s.Patroni, "patroni") {
		s.Patroni = "patroni[etcd3]" + s.Patroni
	}
	s.Etcd = strings.TrimPrefix(s.Etcd, "v")
	if s.Psycopg == psycopgWheel {
		s.Psycopg = "" // so that saying it changes nothing
	}
	return s
}

// IsDelta reports whether only what the target lacks is wanted.
func (s Spec) IsDelta() bool { return s.Profile == string(manifest.Delta) || len(s.Present) > 0 }

// MachineTarget is the target that the spec names.
func (s Spec) MachineTarget() manifest.Target {
	return manifest.Target{
		OS: "rhel", Release: strings.TrimPrefix(s.Target, "rhel"), Arch: s.Arch,
		ControlPython: manifest.PythonMinor(s.ControlPython), NodePython: manifest.PythonMinor(s.NodePython),
		ControlPythonFullVersions: fullVersions(s.ControlPython), NodePythonFullVersions: fullVersions(s.NodePython),
	}
}

// excludeNewer is the time from which on uploads do not count; zero: all do. A
// day is one that counts to its end, in UTC, since the host's own zone would make
// the answer depend on the host.
func (s Spec) excludeNewer() (time.Time, error) {
	if s.ExcludeNewer == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s.ExcludeNewer); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Parse(time.RFC3339, s.ExcludeNewer)
}

// moduleOptions say which module streams are on at the nodes.
func (s Spec) moduleOptions() repomd.ModuleOptions {
	major, _, _ := strings.Cut(s.MachineTarget().Release, ".")
	return repomd.ModuleOptions{Enabled: s.Modules, Disabled: s.DisableModules, Platform: "el" + major}
}

// Digest is the sha256 of what the spec wants, in hex. Where things come from
// is left out, so that a mirror can stand in for a repository, under the
// repository's id, without a new lock; how many places there are is not.
func (s Spec) Digest() (string, error) {
	ids := make([]string, 0, len(s.Repositories))
	for id := range s.Repositories {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	s.Repositories = nil
	extra, links := len(s.ExtraIndexURLs), len(s.FindLinks)
	s.IndexURL, s.ExtraIndexURLs, s.FindLinks, s.GalaxyURL, s.EtcdURLs = "", nil, nil, "", nil
	text, err := yaml.Marshal(struct {
		Spec         Spec     `yaml:"spec"`
		Repositories []string `yaml:"repositories,omitempty"`
		ExtraIndexes int      `yaml:"extra_indexes,omitempty"`
		FindLinks    int      `yaml:"find_links,omitempty"`
	}{s, ids, extra, links})
	if err != nil {
		return "", fmt.Errorf("digest of the spec: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Requests lists what the spec asks for, kind by kind, in a fixed order.
func (s Spec) Requests() []manifest.Request {
	var list []manifest.Request
	add := func(kind manifest.Kind, role manifest.Role, wants ...string) {
		for _, want := range wants {
			r := manifest.Request{Kind: kind, Role: role, Want: want}
			if !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	pg := "postgresql" + s.PostgreSQL
	add(manifest.RPM, manifest.TargetNode, pg+"-server", pg+"-contrib", "pgbouncer", "haproxy", "keepalived",
		"chrony", "acl", "tar", "python3-pip", "python3-psycopg2", "python3-libsemanage")
	add(manifest.RPM, manifest.TargetNode, interpreter(s.NodePython)...)
	if s.Psycopg == psycopgRPM {
		add(manifest.RPM, manifest.TargetNode, interpreter(s.NodePython)[0]+"-psycopg2")
	}
	add(manifest.RPM, manifest.TargetNode, s.With...)
	add(manifest.RPM, manifest.TargetNode, s.Packages...)
	add(manifest.RPM, manifest.Control, interpreter(s.ControlPython)...)

	add(manifest.Wheel, manifest.TargetNode, s.Patroni)
	if s.Psycopg != psycopgRPM {
		add(manifest.Wheel, manifest.TargetNode, psycopgBinary)
	}
	add(manifest.Wheel, manifest.TargetNode, "python-etcd", "setuptools", "wheel")
	add(manifest.Wheel, manifest.TargetNode, s.Wheels...)
	add(manifest.Wheel, manifest.Control, "ansible-core"+s.AnsibleCore, "setuptools", "wheel")
	add(manifest.Wheel, manifest.Control, s.ControlWheels...)

	add(manifest.Collection, manifest.Control, "community.general:>=8", "community.postgresql:>=3", "ansible.posix:>=1.5")
	add(manifest.Collection, manifest.Control, s.Collections...)

	add(manifest.Release, manifest.TargetNode, "etcd=="+s.Etcd)
	return list
}

// ConstraintRequests lists what narrows the wheels of the nodes.
func (s Spec) ConstraintRequests() []manifest.Request {
	list := []manifest.Request{
		{Kind: manifest.Wheel, Role: manifest.TargetNode, Want: safePatroni},
	}
	if !slices.ContainsFunc(s.Constraints, isAboutURLLib3) {
		list = append(list, manifest.Request{Kind: manifest.Wheel, Role: manifest.TargetNode, Want: etcdClient})
	}
	for _, c := range s.Constraints {
		list = append(list,
			manifest.Request{Kind: manifest.Wheel, Role: manifest.TargetNode, Want: c},
			manifest.Request{Kind: manifest.Wheel, Role: manifest.Control, Want: c})
	}
	return list
}

func isAboutURLLib3(constraint string) bool {
	r, err := pep508.ParseRequirement(constraint)
	return err == nil && r.Name == "urllib3"
}

// interpreter names the packages of a Python on EL 9, where 3.9 is the
// system's and every other has its version in its name.
func interpreter(python string) []string {
	if minor(python) == 9 {
		return []string{"python3", "python3-pip"}
	}
	name := "python3." + strconv.Itoa(minor(python))
	return []string{name, name + "-pip"}
}
