package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

const receiptName = "receipt.yaml"

// Receipt says what a release is and how it came here. It lies in the release,
// written before the marker goes.
type Receipt struct {
	Version       int               `yaml:"version" json:"version"`
	Release       string            `yaml:"release" json:"release"`
	Bundle        string            `yaml:"bundle" json:"bundle"`                            // id
	Manifest      string            `yaml:"manifest" json:"manifest"`                        // sha256 of its bytes
	Made          string            `yaml:"made,omitempty" json:"made,omitempty"`            // sha256 of the list of files made here
	Links         map[string]string `yaml:"links,omitempty" json:"links,omitempty"`          // made here: path → target
	Built         time.Time         `yaml:"built" json:"built"`                              // time of the bundle's lock
	Installed     time.Time         `yaml:"installed" json:"installed"`                      //
	Roles         []manifest.Role   `yaml:"roles,flow" json:"roles"`                         //
	Program       string            `yaml:"program" json:"program"`                          // version of pgbundle
	Source        string            `yaml:"source" json:"source"`                            // where the bundle lay
	Authenticated bool              `yaml:"authenticated" json:"authenticated"`              // a trusted key signed it
	By            string            `yaml:"by,omitempty" json:"by,omitempty"`                // id of that key
	Pending       []string          `yaml:"pending,flow,omitempty" json:"pending,omitempty"` // steps that wait for the booted node
	Notes         []string          `yaml:"notes,omitempty" json:"notes,omitempty"`          // what preflight warned of
}

const receiptVersion = 1

// ParseReceipt reads a receipt: strict YAML, then its own rules. The error is
// of class manifest.ErrDamaged.
func ParseReceipt(data []byte) (*Receipt, error) {
	var r Receipt
	err := manifest.DecodeStrict(data, &r)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s: %w", receiptName, err))
	}
	return &r, nil
}

func (r *Receipt) check() error {
	switch {
	case r.Version != receiptVersion:
		return fmt.Errorf("version %d: this pgbundle reads version %d", r.Version, receiptVersion)
	case !releaseName.MatchString(r.Release):
		return fmt.Errorf("release %q: not the name of a release", r.Release)
	case len(r.Manifest) != 64 || r.Bundle != r.Manifest[:12]:
		return fmt.Errorf("bundle %q of manifest %q: they do not belong together", r.Bundle, r.Manifest)
	case len(r.Roles) == 0:
		return errors.New("no roles")
	}
	for path := range r.Links {
		if err := manifest.CheckPath(path); err != nil {
			return fmt.Errorf("links: %w", err)
		}
	}
	for _, role := range r.Roles {
		if role != manifest.Control && role != manifest.TargetNode {
			return fmt.Errorf("role %q: unknown", role)
		}
	}
	return nil
}

func (r *Receipt) has(role manifest.Role) bool { return slices.Contains(r.Roles, role) }

// write writes a receipt that can be read again: without that the release
// would be no one's. Where the bundle lay may be any bytes, and so is quoted
// unless it is plain; notes are for people, and lose what cannot be printed.
func (r *Receipt) write(dir string) error {
	clean := *r
	if !isPlain(r.Source) {
		clean.Source = strconv.Quote(r.Source)
	}
	clean.Notes = nil
	for _, note := range r.Notes {
		clean.Notes = append(clean.Notes, manifest.CleanText(note))
	}
	data, err := marshal(&clean)
	if err != nil {
		return fmt.Errorf("write %s: %w", receiptName, err)
	}
	if _, err := ParseReceipt(data); err != nil {
		return fmt.Errorf("write %s: it could not be read again: %v", receiptName, err) // nothing is damaged yet
	}
	return node.WriteFile(filepath.Join(dir, receiptName), data, 0o644)
}

func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := errors.Join(e.Encode(value), e.Close())
	return b.Bytes(), err
}

// readSmall reads a file of the node of at most limit bytes. A link in its
// place is an error.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("no regular file of at most %d bytes", limit)}
	}
	return os.ReadFile(path)
}
