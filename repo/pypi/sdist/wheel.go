package sdist

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"pgbundle/repo/pypi/pep440"
)

// BuildWheel makes a wheel of a source archive (.tar.gz or .zip): the same
// files that setuptools would put into it, the same bytes for the same archive
// and time. The error is an *Unsupported when that needs a build.
func BuildWheel(ctx context.Context, archive []byte, at time.Time) (filename string, wheel []byte, err error) {
	a, err := read(archive)
	if err != nil {
		return "", nil, err
	}
	p, err := a.plan()
	if err != nil {
		return "", nil, err
	}
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	wheel, err = p.write(at)
	return p.filename(), wheel, err
}

// Metadata returns the METADATA that the wheel of a source archive has. The
// error is an *Unsupported, with what is known, when BuildWheel cannot make it.
func Metadata(archive []byte) ([]byte, error) {
	a, err := read(archive)
	if err != nil {
		return nil, err
	}
	p, err := a.plan()
	if err != nil {
		return nil, err
	}
	return p.metadata, nil
}

// plan is what a wheel will hold.
type plan struct {
	name, version string // as in file names: escaped
	universal     bool   // py2.py3
	metadata      []byte
	members       []member // of site-packages, sorted
	info          []member // of dist-info, without WHEEL and RECORD
}

type member struct {
	name    string
	content []byte
}

func (p *plan) filename() string { return p.name + "-" + p.version + "-" + p.tag() + "-none-any.whl" }

func (p *plan) tag() string {
	if p.universal {
		return "py2.py3"
	}
	return "py3"
}

// escape writes a name or version as a part of a wheel's file name (binary
// distribution format, "Escaping and Unicode").
func escape(s string) string {
	return strings.ReplaceAll(s, "-", "_")
}

// normalise names the wheel after its metadata.
func (p *plan) normalise(name, version string) error {
	v, err := pep440.Parse(version)
	if err != nil {
		return unsupported("its version %q is not one of PEP 440", version)
	}
	var b strings.Builder
	dash := false
	for _, c := range strings.ToLower(name) {
		if separator := c == '-' || c == '_' || c == '.'; separator && dash {
			continue
		} else if separator {
			c, dash = '_', true
		} else {
			dash = false
		}
		b.WriteRune(c)
	}
	p.name, p.version = b.String(), escape(v.String())
	return nil
}

// oldest is the earliest time that a zip archive can hold.
var oldest = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func (p *plan) write(at time.Time) ([]byte, error) {
	if at = at.UTC(); at.Before(oldest) {
		at = oldest
	}
	folder := p.name + "-" + p.version + ".dist-info"
	members := slices.Clone(p.members)
	tags := ""
	for tag := range strings.SplitSeq(p.tag(), ".") {
		tags += "Tag: " + tag + "-none-any\n"
	}
	info := append(slices.Clone(p.info),
		member{"METADATA", p.metadata},
		member{"WHEEL", []byte("Wheel-Version: 1.0\nGenerator: pgbundle\nRoot-Is-Purelib: true\n" + tags + "\n")})
	slices.SortFunc(info, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for _, m := range info {
		m.name = folder + "/" + m.name
		members = append(members, m)
	}
	var record strings.Builder
	for _, m := range members {
		sum := sha256.Sum256(m.content)
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", quote(m.name), base64.RawURLEncoding.EncodeToString(sum[:]), len(m.content))
	}
	record.WriteString(quote(folder+"/RECORD") + ",,\n")
	members = append(members, member{folder + "/RECORD", []byte(record.String())})

	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		if err := add(z, m, at); err != nil {
			return nil, fmt.Errorf("write wheel: %s: %w", m.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write wheel: %w", err)
	}
	return b.Bytes(), nil
}

// add stores a member without deflating it, so that the bytes do not depend on
// the version of a compressor, and with its sizes in front.
func add(z *zip.Writer, m member, at time.Time) error {
	h := &zip.FileHeader{
		Name:               m.name,
		Method:             zip.Store,
		CRC32:              crc32.ChecksumIEEE(m.content),
		CompressedSize64:   uint64(len(m.content)),
		UncompressedSize64: uint64(len(m.content)),
	}
	//lint:ignore SA1019 the MS-DOS fields alone: Modified would add an extra field
	h.ModifiedDate = uint16(at.Day() + int(at.Month())<<5 + (at.Year()-1980)<<9)
	//lint:ignore SA1019 as above
	h.ModifiedTime = uint16(at.Second()/2 + at.Minute()<<5 + at.Hour()<<11)
	h.SetMode(0o644)
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = w.Write(m.content)
	return err
}

// quote writes a field of RECORD, which is CSV.
func quote(field string) string {
	if strings.ContainsAny(field, `",`) {
		return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
	}
	return field
}
