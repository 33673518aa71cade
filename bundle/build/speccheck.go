package build

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/galaxy"
	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
)

var (
	targetForm     = regexp.MustCompile(`^rhel(9(?:\.(?:[0-9]|1[0-9]))?)$`)
	etcdForm       = regexp.MustCompile(`^v?3\.[0-9]{1,3}\.[0-9]{1,3}$`)
	versionForm    = regexp.MustCompile(`[0-9][0-9A-Za-z.]*`)
	pinForm        = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+-]*=([0-9]+:)?[^-:=\s]+(-[^-:=\s]+)?$`)
	moduleForm     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+-]*:[0-9A-Za-z][0-9A-Za-z._+-]*$`)
	moduleNameForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+-]*$`)
	pythonForm     = regexp.MustCompile(`^3\.(0|[1-9][0-9]?)(\.(0|[1-9][0-9]?))?$`)
)

// Check returns every mistake in a spec, joined; each is of class
// manifest.ErrUsage and names the field and what it takes.
func (s Spec) Check() error { return (&SpecFile{}).Check(s) }

// mistake is a value that a spec cannot have.
type mistake struct {
	keys  []string // of pgbundle.yaml that may hold it
	value string   // as it was written
	text  string
}

// mistakes lists all of a spec, in the order of its fields.
func (s Spec) mistakes() []mistake {
	var list []mistake
	wrong := func(keys, value, format string, args ...any) {
		list = append(list, mistake{strings.Fields(keys), value, fmt.Sprintf(format, args...)})
	}
	d := s.WithDefaults()
	if pg, err := strconv.Atoi(d.PostgreSQL); err != nil || pg < 14 || pg > 17 {
		wrong("postgresql", s.PostgreSQL, "postgresql %q: takes 14, 15, 16 or 17", s.PostgreSQL)
	}
	if !etcdForm.MatchString(d.Etcd) {
		wrong("etcd", s.Etcd, "etcd %q: takes a version like 3.5.16", s.Etcd)
	}
	if !targetForm.MatchString(d.Target) {
		wrong("target", s.Target, "target %q: takes rhel9, or a minor like rhel9.4", s.Target)
	}
	if s.Profile != "" && s.Profile != string(manifest.Full) && s.Profile != string(manifest.Delta) {
		wrong("profile", s.Profile, "profile %q: takes full or delta", s.Profile)
	}
	if s.Profile == string(manifest.Full) && len(s.Present) > 0 {
		wrong("profile present", s.Profile, "profile full carries everything: leave present out, or take profile delta")
	}
	if d.Arch != "x86_64" && d.Arch != "aarch64" {
		wrong("arch", s.Arch, "arch %q: takes x86_64 or aarch64", s.Arch)
	}
	if !pythonForm.MatchString(d.NodePython) {
		wrong("node_python python", d.NodePython, "node python %q: takes a version like 3.9 or 3.11", d.NodePython)
	}
	if text := wrongControlPython(d.ControlPython, d.AnsibleCore); text != "" {
		wrong("control_python python", d.ControlPython, "%s", text)
	}
	if r, err := pep508.ParseRequirement(d.Patroni); err != nil || r.Name != "patroni" {
		wrong("patroni", s.Patroni, "patroni %q: takes a version range such as >=3.0.3,<4 or ==3.3.2, or a whole requirement such as patroni[etcd3]>=3.0.3", s.Patroni)
	} else if unsafePatroni(d.Patroni) {
		wrong("patroni", s.Patroni, "patroni %q: below 3.0.3 it can lose acknowledged rows when a frozen leader thaws; ask for >=3.0.3", s.Patroni)
	}
	if d.Psycopg != "" && d.Psycopg != psycopgRPM {
		wrong("psycopg", s.Psycopg, "psycopg %q: takes wheel or rpm", s.Psycopg)
	}
	if set, err := pep440.ParseSpecifiers(d.AnsibleCore); err != nil || len(set) == 0 {
		wrong("ansible_core", s.AnsibleCore, "ansible_core %q: takes a version range such as >=2.15,<2.16 or ==2.15.13", s.AnsibleCore)
	}
	for _, part := range s.With {
		if part != "pgbackrest" {
			wrong("with", part, "with %q: the optional part is pgbackrest", part)
		}
	}
	for _, name := range s.Packages {
		if strings.TrimSpace(name) != name || name == "" || name == "@" {
			wrong("packages", name, "packages %q: takes a name, a capability, a /path or a @group", name)
		}
	}
	for _, pin := range s.Pins {
		if !pinForm.MatchString(pin) {
			wrong("pins", pin, "pins %q: takes NAME=VERSION or NAME=VERSION-RELEASE, such as postgresql16-server=16.4", pin)
		}
	}
	list = append(list, s.wrongModules()...)
	for _, field := range []struct {
		key      string
		policies map[string]manifest.SignaturePolicy
	}{{"signatures", s.Signatures}, {"metadata_signatures", s.MetadataSignatures}} {
		for _, id := range slices.Sorted(maps.Keys(field.policies)) {
			if p := field.policies[id]; !slices.Contains(manifest.SignaturePolicies, p) {
				wrong(field.key, string(p), "%s %s=%s: takes required, if-present or off", field.key, id, p)
			}
		}
	}
	if _, err := s.excludeNewer(); err != nil {
		wrong("exclude_newer", s.ExcludeNewer, "exclude_newer %q: takes a date such as 2025-01-31, or a time such as 2025-01-31T12:00:00Z", s.ExcludeNewer)
	}
	for _, field := range []struct {
		key    string
		places []string
	}{{"extra_index_urls", s.ExtraIndexURLs}, {"find_links", s.FindLinks}} {
		if slices.Contains(field.places, "") {
			wrong(field.key, "", "%s: takes URLs or folders, and one is empty", field.key)
		}
	}
	return append(list, s.wrongRequirements()...)
}

// wrongModules are those that name no module, or contradict each other.
func (s Spec) wrongModules() []mistake {
	var list []mistake
	wrong := func(key, value, format string, args ...any) {
		list = append(list, mistake{[]string{key}, value, fmt.Sprintf(format, args...)})
	}
	streams := map[string]string{}
	for _, m := range s.Modules {
		if !moduleForm.MatchString(m) {
			wrong("modules", m, "modules %q: takes NAME:STREAM, such as postgresql:15", m)
			continue
		}
		name, stream, _ := strings.Cut(m, ":")
		if other := streams[name]; other != "" && other != stream {
			wrong("modules", m, "modules %q: %s:%s is enabled too, and a module has one stream", m, name, other)
		}
		streams[name] = stream
	}
	for _, name := range s.DisableModules {
		switch {
		case !moduleNameForm.MatchString(name):
			wrong("disable_modules", name, "disable_modules %q: takes the NAME of a module, such as postgresql", name)
		case streams[name] != "":
			wrong("disable_modules", name, "disable_modules %q: its stream %s is enabled", name, streams[name])
		}
	}
	return list
}

// wrongRequirements are those that no resolver could read.
func (s Spec) wrongRequirements() []mistake {
	var list []mistake
	for _, field := range []struct {
		key      string
		wants    []string
		read     func(string) error
		examples string
	}{
		{"wheels", s.Wheels, requirement, "a requirement such as psycopg>=3"},
		{"control_wheels", s.ControlWheels, requirement, "a requirement such as jmespath>=1"},
		{"constraints", s.Constraints, requirement, "a requirement such as urllib3<2"},
		{"collections", s.Collections, galaxy.CheckRequest, "namespace.name or namespace.name:RANGE, such as community.general:>=8"},
	} {
		for _, want := range field.wants {
			if err := field.read(want); err != nil {
				list = append(list, mistake{[]string{field.key}, want, fmt.Sprintf("%s %q: takes %s (%s)", field.key, want, field.examples, err)})
			}
		}
	}
	return list
}

func requirement(text string) error {
	_, err := pep508.ParseRequirement(text)
	return err
}

// unsafePatroni reports whether a requirement leaves room only for versions
// below the floor: nothing from the floor up to the newest that could ever be
// asked for satisfies it.
func unsafePatroni(requirement string) bool {
	i := strings.IndexAny(requirement, "<>=!~")
	if i < 0 {
		return false
	}
	set, err := pep440.ParseSpecifiers(requirement[i:])
	if err != nil {
		return false // the resolver says what is wrong with it
	}
	floor, err := pep440.Parse("3.0.3")
	if err != nil {
		return false
	}
	// A range that is not empty above the floor holds one of these: the floor,
	// what follows it, or a version that the range itself names.
	tries := append([]string{"3.0.3", "3.0.4", "3.99", "9999"}, versionForm.FindAllString(requirement[i:], -1)...)
	return !slices.ContainsFunc(tries, func(text string) bool {
		v, err := pep440.Parse(text)
		return err == nil && v.Compare(floor) >= 0 && set.Contains(v)
	})
}

// minor returns the minor of a Python version 3.N[.M], or -1.
func minor(python string) int {
	if !pythonForm.MatchString(python) {
		return -1
	}
	n, err := strconv.Atoi(strings.Split(python, ".")[1])
	if err != nil {
		return -1
	}
	return n
}
