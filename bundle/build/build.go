// Package build makes a bundle: it turns a spec into requests, resolves them
// into a lock, fetches what the lock names, lays it out, proves that the
// result is closed by itself and packs it. It is the only package that knows
// all kinds of source. It prints nothing and reads neither the environment nor
// the clock: what it has to tell goes to a Progress.
package build

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"pgbundle/bundle"
	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// Progress is told how the work goes. Its methods are called from several
// goroutines at once.
type Progress interface {
	// Plan comes once, before the first artifact is fetched.
	Plan(Plan)
	// Stage begins a stage; total is its bytes, 0 when nobody knows yet.
	Stage(name string, total int64)
	// Add counts bytes done in the current stage.
	Add(n int64)
	// Note is a sentence that a person should read.
	Note(text string)
}

// Silent is a Progress that tells nobody.
type Silent struct{}

func (Silent) Plan(Plan)           {}
func (Silent) Stage(string, int64) {}
func (Silent) Add(int64)           {}
func (Silent) Note(string)         {}

// Options says what to build and with what.
type Options struct {
	Spec    Spec // with its defaults
	Sources Sources
	Fetch   *fetch.Client
	Program Program
	Nodes   []*Node // that the bundle is to fit
	// Playbook is the Ansible content that goes into the bundle.
	Playbook fs.FS
	Jobs     int
	// WithKeys fetches the keys of the repositories, which a lock holds.
	WithKeys bool
	// Exact refuses a lock that fixes another pgbundle than Program; otherwise
	// Program takes its place.
	Exact bool
	Notes []string // for the plan
	// Epoch overrides the time of the lock (SOURCE_DATE_EPOCH); zero: the
	// newest time that the metadata names.
	Epoch time.Time
	// Now decides whether a key has expired.
	Now      time.Time
	Progress Progress
}

// Output says where a bundle goes.
type Output struct {
	Path string // file, or a folder that gets the standard name; "" is the current folder
	// Sign makes the signature of the manifest's bytes; nil leaves it unsigned.
	Sign func(manifest []byte, id string) ([]byte, error)
}

// Built describes a finished bundle.
type Built struct {
	Path    string           `json:"path"`
	ID      string           `json:"id"`
	Size    int64            `json:"size"`
	SHA256  string           `json:"sha256"`
	Signed  bool             `json:"signed"`
	Counts  []Group          `json:"contents"`
	Checked []manifest.Check `json:"checked"`
	Nodes   []*Transaction   `json:"nodes,omitempty"` // what installing changes on each node whose facts were given
}

// Build makes a bundle from a lock. The bundle appears under its final name
// only complete and proven; a failure leaves nothing there. Errors are of the
// classes of package manifest.
func Build(ctx context.Context, o Options, lock *manifest.Lock, to Output) (*Built, error) {
	if err := lock.Validate(); err != nil {
		return nil, fmt.Errorf("build from the lock: %w", err)
	}
	name, err := FileName(lock)
	if err != nil {
		return nil, err
	}
	program, err := o.Program.artifact(ctx, o.Fetch, lock.Target.Arch)
	if err != nil {
		return nil, err
	}
	if lock, err = o.withProgram(lock, program); err != nil {
		return nil, err
	}
	sources, err := o.sourcesOf(ctx, lock)
	if err != nil {
		return nil, err
	}
	files, signatures, err := fetchArtifacts(ctx, o, sources, lock, program.SHA256)
	if err != nil {
		return nil, err
	}
	layout, err := lay(ctx, lock, files, o.Playbook, o.Jobs)
	if err != nil {
		return nil, err
	}
	o.Progress.Stage("prove", 0)
	checked, err := Prove(ctx, layout, lock, ProveOptions{Now: o.Now, Jobs: o.Jobs, signatures: signatures})
	if err != nil {
		return nil, fmt.Errorf("the bundle would not be complete: %w", err)
	}
	nodes, err := ProveNodes(ctx, layout, lock, o.Nodes, o.Spec.AllowUpgrades)
	if err != nil {
		return nil, err
	}
	m := manifest.Manifest{Version: manifest.Version, Lock: *lock, Files: layout.files, Checked: checked}
	raw, err := m.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	content := bundle.Content{Manifest: raw, Open: layout.Open}
	if to.Sign != nil {
		if content.Signature, err = to.Sign(raw, manifest.BundleID(raw)); err != nil {
			return nil, fmt.Errorf("sign manifest: %w", err)
		}
	}
	written, path, err := pack(ctx, o, content, to.Path, name)
	if err != nil {
		return nil, err
	}
	return &Built{
		Path: path, ID: written.ID, Size: written.Size, SHA256: written.SHA256,
		Signed: to.Sign != nil, Counts: Groups(lock), Checked: checked, Nodes: nodes,
	}, nil
}
