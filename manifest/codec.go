package manifest

import (
	"bytes"
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// ParseLock reads a lock: strict YAML (see DecodeStrict), then Validate. The
// error is of class ErrDamaged.
func ParseLock(data []byte) (*Lock, error) {
	var l Lock
	if err := DecodeStrict(data, &l); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read lock: %w", err))
	}
	if err := l.Validate(); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read lock: %w", err))
	}
	return &l, nil
}

// ParseManifest reads a manifest: strict YAML (see DecodeStrict), then
// Validate. The error is of class ErrDamaged.
func ParseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := DecodeStrict(data, &m); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read manifest: %w", err))
	}
	if err := m.Validate(); err != nil {
		return nil, Classify(ErrDamaged, fmt.Errorf("read manifest: %w", err))
	}
	return &m, nil
}

// Marshal writes the lock as canonical YAML: the same lock gives the same
// bytes. A lock that Validate refuses is not written. The time is written in
// UTC and whole seconds.
func (l *Lock) Marshal() ([]byte, error) {
	c := *l
	c.Time = canonicalTime(c.Time)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return encode(&c)
}

// Marshal writes the manifest as canonical YAML: the same manifest gives the
// same bytes. A manifest that Validate refuses is not written.
func (m *Manifest) Marshal() ([]byte, error) {
	c := *m
	c.Lock.Time = canonicalTime(c.Lock.Time)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return encode(&c)
}

// canonicalTime drops what the lock does not carry: a zone and the parts of a
// second that upload times of package indexes have.
func canonicalTime(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encode YAML: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("encode YAML: %w", err)
	}
	if b.Len() > MaxYAML {
		return nil, fmt.Errorf("encode YAML: %d bytes, at most %d can be read again", b.Len(), MaxYAML)
	}
	if n := countTokens(b.Bytes()); n > maxTokens {
		return nil, fmt.Errorf("encode YAML: %d tokens, at most %d can be read again", n, maxTokens)
	}
	return b.Bytes(), nil
}

// MarshalYAML writes the mode in octal, as everybody reads it.
func (f File) MarshalYAML() (any, error) {
	return struct {
		Path   string    `yaml:"path"`
		Size   int64     `yaml:"size"`
		Mode   yaml.Node `yaml:"mode"`
		SHA256 string    `yaml:"sha256"`
	}{
		f.Path, f.Size,
		yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprintf("%#o", f.Mode)},
		f.SHA256,
	}, nil
}
