// Package galaxy resolves Ansible collections: the newest versions that fit
// together and that a given ansible-core can run, from a Galaxy server (API v3),
// a private Automation Hub or a folder of tarballs. It owns that API, the ranges
// of collection versions and what a collection's tarball must be; it must not
// know what else is in a bundle.
package galaxy

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pgbundle/repo"
)

// Server is a place that has collections. As a repo.Locator it knows each
// tarball by its standard name, "<namespace>-<name>-<version>.tar.gz". It is
// safe for concurrent use.
type Server interface {
	repo.Locator
	// Versions lists all versions of a collection, in any order. For an unknown
	// one errors.Is(err, fs.ErrNotExist) holds.
	Versions(ctx context.Context, name Name) ([]Version, error)
	// Details says what is needed to take one version.
	Details(ctx context.Context, name Name, version string) (*Details, error)
}

// Name is the fully qualified name of a collection.
type Name struct{ Namespace, Name string }

func (n Name) String() string { return n.Namespace + "." + n.Name }

var nameForm = regexp.MustCompile(`^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$`)

// ParseName reads "namespace.name".
func ParseName(text string) (Name, error) {
	if len(text) > 128 || !nameForm.MatchString(text) {
		return Name{}, fmt.Errorf("collection name %.140q: takes namespace.name", text)
	}
	namespace, name, _ := strings.Cut(text, ".")
	return Name{namespace, name}, nil
}

// Version is a line of a server's list.
type Version struct {
	Version string
	// RequiresAnsible is the range of ansible-core versions (PEP 440) that the
	// collection runs on, "" when the list does not tell or there is none.
	RequiresAnsible string
}

// Details describe one version of a collection.
type Details struct {
	Filename        string
	URL             string // of the tarball; "" in a folder
	SHA256          string // lower-case hex digits
	Size            int64  // bytes
	Dependencies    map[string]string
	RequiresAnsible string
	Created         time.Time
}

// FileName is the standard name of a collection's tarball.
func FileName(name Name, version string) string {
	return name.Namespace + "-" + name.Name + "-" + version + ".tar.gz"
}

// splitFileName is the reverse of FileName: neither part of a name holds a dash.
func splitFileName(file string) (Name, string, error) {
	stem, isTarball := strings.CutSuffix(file, ".tar.gz")
	parts := strings.SplitN(stem, "-", 3)
	if !isTarball || len(parts) != 3 {
		return Name{}, "", fmt.Errorf("%.200q: takes namespace-name-version.tar.gz", file)
	}
	name, err := ParseName(parts[0] + "." + parts[1])
	if err != nil || !isVersion(parts[2]) {
		return Name{}, "", fmt.Errorf("%.200q: takes namespace-name-version.tar.gz", file)
	}
	return name, parts[2], nil
}

// Pin is one collection of a finished set.
type Pin struct{ Filename, Version string }

// RequirementsFile writes requirements.yml as ansible-galaxy collection download
// does: the tarballs by their names, relative to the folder that it lies in.
func RequirementsFile(pins []Pin) []byte {
	pins = slices.Clone(pins)
	slices.SortFunc(pins, func(a, b Pin) int { return strings.Compare(a.Filename, b.Filename) })
	var b bytes.Buffer
	b.WriteString("collections:\n")
	for _, p := range pins {
		fmt.Fprintf(&b, "- name: %s\n  version: %s\n", p.Filename, p.Version)
	}
	return b.Bytes()
}
