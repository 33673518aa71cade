package pypi

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
)

// Bounds of a METADATA file.
const (
	maxMetadata     = 4 << 20 // bytes; descriptions are long
	maxHeaders      = 20_000
	maxRequirements = 10_000
)

// Metadata is what the METADATA of a wheel, or the PKG-INFO of a source
// archive, says about dependencies (core metadata specification).
type Metadata struct {
	Name           string // as written
	Version        string // as written
	RequiresPython string // "" for any
	RequiresDist   []string
	ProvidesExtra  []string // normalised
	Dynamic        []string // lower case: fields that a build may change
	Format         string   // "2.1"
}

// ParseMetadata reads the headers of a METADATA file.
func ParseMetadata(data []byte) (*Metadata, error) {
	if len(data) > maxMetadata {
		return nil, fmt.Errorf("parse metadata: larger than %d bytes", maxMetadata)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("parse metadata: not UTF-8")
	}
	m := &Metadata{}
	headers := 0
	for len(data) > 0 {
		var name, value string
		var ok bool
		name, value, data, ok = header(data)
		if !ok {
			break
		}
		if headers++; headers > maxHeaders || len(m.RequiresDist) > maxRequirements {
			return nil, fmt.Errorf("parse metadata: too many headers")
		}
		m.set(strings.ToLower(name), value)
	}
	if m.Name == "" || m.Version == "" {
		return nil, fmt.Errorf("parse metadata: no Name or no Version")
	}
	return m, nil
}

// set takes one header; of a repeated one that stands for one value the first
// counts, as in pip.
func (m *Metadata) set(name, value string) {
	switch name {
	case "metadata-version":
		m.Format = cmp.Or(m.Format, value)
	case "name":
		m.Name = cmp.Or(m.Name, value)
	case "version":
		m.Version = cmp.Or(m.Version, value)
	case "requires-python":
		m.RequiresPython = cmp.Or(m.RequiresPython, value)
	case "requires-dist":
		m.RequiresDist = append(m.RequiresDist, value)
	case "provides-extra":
		m.ProvidesExtra = append(m.ProvidesExtra, pep508.NormalizeName(value))
	case "dynamic":
		m.Dynamic = append(m.Dynamic, strings.ToLower(value))
	}
}

// header reads one header with its folded lines. It ends at an empty line and
// at what is no header.
func header(data []byte) (name, value string, rest []byte, ok bool) {
	line, rest := cutLine(data)
	name, value, ok = strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return "", "", rest, false
	}
	var folded strings.Builder
	folded.WriteString(strings.TrimSpace(value))
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		line, rest = cutLine(rest)
		folded.WriteString(" " + strings.TrimSpace(line))
	}
	return name, strings.TrimSpace(folded.String()), rest, true
}

func cutLine(data []byte) (line string, rest []byte) {
	l, rest, _ := bytes.Cut(data, []byte{'\n'})
	return string(bytes.TrimSuffix(l, []byte{'\r'})), rest
}

// consistent says whether metadata is of the project and version that a file
// name promises.
func (m *Metadata) consistent(name string, version pep440.Version) error {
	if got := pep508.NormalizeName(m.Name); got != name {
		return fmt.Errorf("its metadata is of %s", got)
	}
	v, err := pep440.Parse(m.Version)
	if err != nil || v.Compare(version) != 0 {
		return fmt.Errorf("its metadata is of version %s", m.Version)
	}
	return nil
}
