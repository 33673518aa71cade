package pypi

import (
	"archive/zip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/tags"
)

// Bounds of what installing a wheel may write.
const (
	maxRecord    = 64 << 20
	maxInstalled = 16 << 30 // bytes of all members
	maxRatio     = 1100     // deflate cannot do better than 1032 to 1
)

// CheckWheel says whether a wheel can be installed on a target and whether its
// inside is what its name says: tags, METADATA, WHEEL, RECORD, and members that
// stay inside. All findings are returned, joined: of manifest.ErrUnsolvable for
// one that does not fit, of manifest.ErrDamaged for the rest.
//
// A zip archive is read from its end: what is not a file on disk is taken into
// memory.
func CheckWheel(r io.Reader, filename string, target Target) error {
	m, err := newMachine(target)
	if err != nil {
		return fmt.Errorf("check %s: %w: %w", filename, manifest.ErrUsage, err)
	}
	name, err := tags.ParseWheel(filename)
	if err != nil {
		return fmt.Errorf("check %s: %w: %w", filename, manifest.ErrDamaged, err)
	}
	c := wheelCheck{filename: filename}
	if _, ok := m.tags.Rank(name); !ok {
		c.findings = append(c.findings, fmt.Errorf("check %s: it is for %s, not for %s: %w", filename, name.Tags(), target, manifest.ErrUnsolvable))
	}
	at, size, err := randomAccess(r)
	if err != nil {
		return fmt.Errorf("check %s: %w", filename, err)
	}
	z, err := openWheel(at, size)
	if err != nil {
		return errors.Join(append(c.findings, fmt.Errorf("check %s: %w", filename, err))...)
	}
	c.members(z)
	info, err := distInfo(z, name)
	if err != nil {
		return errors.Join(append(c.findings, fmt.Errorf("check %s: %w", filename, err))...)
	}
	c.metadata(z, info, m)
	c.wheelFile(z, info)
	c.record(z, info)
	c.data(z)
	c.entryPoints(z, info)
	return errors.Join(c.findings...)
}

// wheelCheck gathers findings.
type wheelCheck struct {
	filename string
	findings []error
}

// maxFindings bounds what is said of one wheel.
const maxFindings = 50

func (c *wheelCheck) damaged(format string, args ...any) {
	if len(c.findings) >= maxFindings {
		return
	}
	c.findings = append(c.findings, fmt.Errorf("check %s: %s: %w", c.filename, fmt.Sprintf(format, args...), manifest.ErrDamaged))
}

// members looks at names, kinds and sizes.
func (c *wheelCheck) members(z *zip.Reader) {
	seen := map[string]bool{}
	var total uint64
	for _, f := range z.File {
		if !inside(strings.TrimSuffix(f.Name, "/")) {
			c.damaged("member %q would be written outside", f.Name)
		}
		if seen[f.Name] {
			c.damaged("member %q stands there twice", f.Name)
		}
		seen[f.Name] = true
		if kind := f.Mode().Type(); kind != 0 && kind != fs.ModeDir {
			c.damaged("member %q is not a regular file", f.Name)
		}
		if f.UncompressedSize64 > f.CompressedSize64*maxRatio+4096 {
			c.damaged("member %q claims %d bytes in %d", f.Name, f.UncompressedSize64, f.CompressedSize64)
		}
		if f.UncompressedSize64 > maxInstalled {
			total = maxInstalled
		}
		total = min(total+f.UncompressedSize64, 2*maxInstalled)
	}
	if total > maxInstalled {
		c.damaged("its members are larger than %d bytes together", uint64(maxInstalled))
	}
}

// inside says whether a name stays below the folder that it is written to.
func inside(name string) bool {
	return name != "" && !path.IsAbs(name) && path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsAny(name, "\\\x00") && !(len(name) > 1 && name[1] == ':')
}

func (c *wheelCheck) metadata(z *zip.Reader, info string, m *machine) {
	data, err := readMember(z, info+"/METADATA", maxMetadata)
	if err != nil {
		c.findings = append(c.findings, fmt.Errorf("check %s: %w", c.filename, err))
		return
	}
	meta, err := ParseMetadata(data)
	if err != nil {
		c.damaged("%s", err)
		return
	}
	project, version, _, err := identify(c.filename, "")
	if err != nil {
		c.damaged("%s", err)
		return
	}
	if err := meta.consistent(project, version); err != nil {
		c.damaged("%s", err)
	}
	if !m.runs(meta.RequiresPython) {
		c.findings = append(c.findings, fmt.Errorf("check %s: it needs Python %s, not %s: %w", c.filename, meta.RequiresPython, m.python, manifest.ErrUnsolvable))
	}
	for _, r := range meta.RequiresDist {
		if _, err := pep508.ParseRequirement(r); err != nil {
			c.damaged("%s", err)
		}
	}
}

// wheelFile looks at the version of the format (binary distribution format,
// "File contents").
func (c *wheelCheck) wheelFile(z *zip.Reader, info string) {
	data, err := readMember(z, info+"/WHEEL", maxMetadata)
	if err != nil {
		c.findings = append(c.findings, fmt.Errorf("check %s: %w", c.filename, err))
		return
	}
	for len(data) > 0 {
		name, value, rest, ok := header(data)
		if !ok {
			break
		}
		if strings.EqualFold(name, "Wheel-Version") {
			if major, _, _ := strings.Cut(value, "."); major != "1" {
				c.damaged("its wheel version is %s, only 1 is known", value)
			}
			return
		}
		data = rest
	}
	c.damaged("its WHEEL has no Wheel-Version")
}

// record looks at the list of files: what it lists is in the wheel.
func (c *wheelCheck) record(z *zip.Reader, info string) {
	data, err := readMember(z, info+"/RECORD", maxRecord)
	if err != nil {
		c.findings = append(c.findings, fmt.Errorf("check %s: %w", c.filename, err))
		return
	}
	members := map[string]bool{}
	for _, f := range z.File {
		members[f.Name] = true
	}
	rows := csv.NewReader(strings.NewReader(string(data)))
	rows.FieldsPerRecord = 3
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.damaged("its RECORD cannot be read: %s", err)
			return
		}
		if !members[row[0]] {
			c.damaged("its RECORD lists %q, which is not in it", row[0])
		}
	}
}
