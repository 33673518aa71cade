package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgbundle/install/node"
	"pgbundle/install/policy"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// Status is what is installed on a node.
type Status struct {
	Base     string          `json:"base"`
	Active   string          `json:"active"` // name of the active release; empty: none
	Releases []ReleaseStatus `json:"releases"`
	Findings []string        `json:"findings"` // what is not as install leaves it
	Notes    []string        `json:"notes"`    // what is not ours, and stands in the way; what could not be looked at
	Pending  []string        `json:"pending"`  // steps that wait for install --finish on the booted node
	Running  bool            `json:"running"`  // another pgbundle is at work: what is unfinished is its
	Left     []string        `json:"left"`     // by a run that did not end; no reader takes notice, the next run removes it
	Verified bool            `json:"verified"` // every file was compared
	Whole    bool            `json:"whole"`    // nothing was found; without Verified: as far as one sees at once
}

// ReleaseStatus is one release of a node.
type ReleaseStatus struct {
	*Receipt
	Name   string     `json:"name"`
	Path   string     `json:"path"`
	Active bool       `json:"active"`
	Since  *time.Time `json:"since,omitempty"` // when it became active for the last time
	Fault  string     `json:"fault,omitempty"` // why it is not complete; the next run removes it
	// Unfinished says that a run is at work on it: then Fault is no fault.
	Unfinished bool    `json:"unfinished,omitempty"`
	Drift      []Drift `json:"drift"`
	// Authentic says what the trusted keys say of its manifest now; empty when
	// nobody asked.
	Authentic string `json:"authentic,omitempty"`
}

// StatusOptions say how much to look at.
type StatusOptions struct {
	Verify bool             // compare every file of every release
	Keys   []sign.PublicKey // whose signature makes a manifest authentic, beside an image's own
	Jobs   int
}

// Status finds what is installed. It changes nothing and needs no lock.
func (i *Installation) Status(ctx context.Context, o StatusOptions) (*Status, error) {
	running, _ := i.busy() // asked again where it matters
	s, err := i.read()
	if err != nil {
		return nil, err
	}
	st := &Status{Base: i.base, Active: s.active, Releases: []ReleaseStatus{}, Notes: []string{}, Pending: []string{}, Left: []string{}, Verified: o.Verify}
	own, err := i.ownKeys()
	if err != nil {
		return nil, err
	}
	o.Keys = slices.Concat(o.Keys, own)
	if o.Verify {
		i.progress.Stage("compare", 0)
	}
	for _, r := range s.releases {
		rs, err := i.releaseStatus(ctx, s, r, o)
		if err != nil {
			return nil, err
		}
		st.Releases = append(st.Releases, rs)
	}
	slices.SortStableFunc(st.Releases, func(a, b ReleaseStatus) int { return after(a).Compare(after(b)) * -1 })
	if err := i.findings(ctx, s, st); err != nil {
		return nil, err
	}
	if st.Left, err = i.leftovers(s); err != nil {
		return nil, err
	}
	i.whose(s, st, running)
	if r := s.find(s.active); r != nil && r.receipt != nil {
		st.Pending = append(st.Pending, r.receipt.Pending...)
	}
	st.Whole = len(st.Findings) == 0 && !slices.ContainsFunc(st.Releases, func(r ReleaseStatus) bool { return len(r.Drift) > 0 })
	return st, nil
}

// after orders releases by when they were active: the active one is the newest.
func after(r ReleaseStatus) time.Time {
	switch {
	case r.Active:
		return time.Unix(1<<40, 0)
	case r.Since != nil:
		return *r.Since
	}
	return time.Time{}
}

func (i *Installation) releaseStatus(ctx context.Context, s *installed, r *release, o StatusOptions) (ReleaseStatus, error) {
	rs := ReleaseStatus{Receipt: r.receipt, Name: r.name, Path: i.inRelease(r.name), Active: r.name == s.active, Drift: []Drift{}}
	if since := s.history.since(r.name); !since.IsZero() {
		rs.Since = &since
	}
	if r.fault != nil {
		rs.Fault = r.fault.Error()
	}
	if r.receipt == nil {
		return rs, nil
	}
	if o.Verify || len(o.Keys) > 0 {
		rs.Authentic = authenticNow(r, o.Keys)
	}
	if !o.Verify {
		return rs, nil
	}
	drift, err := i.drift(ctx, r, o.Jobs)
	rs.Drift = append(rs.Drift, drift...)
	return rs, err
}

// authenticNow checks the signature of a release's manifest again.
func authenticNow(r *release, keys []sign.PublicKey) string {
	if len(keys) == 0 {
		return "no trusted key is here"
	}
	raw, err := readSmall(filepath.Join(r.dir, manifest.ManifestName), manifest.MaxYAML)
	if err != nil {
		return err.Error()
	}
	if !r.of(manifest.Digest(raw)) {
		return "its manifest is not the one that was installed"
	}
	signature, err := readSmall(filepath.Join(r.dir, manifest.SignatureName), sign.MaxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return "not signed"
	}
	if err != nil {
		return err.Error()
	}
	key, _, err := sign.Verify(keys, raw, signature)
	if err != nil {
		return err.Error()
	}
	return "signed by " + key.ID()
}

func (st *Status) found(format string, args ...any) {
	st.Findings = append(st.Findings, fmt.Sprintf(format, args...))
}

// findings are what is not as install leaves it, beside the releases' files.
func (i *Installation) findings(ctx context.Context, s *installed, st *Status) error {
	st.Findings = []string{}
	if s.historyFault != nil {
		st.found("%v", s.historyFault)
	}
	if s.real {
		st.Notes = append(st.Notes, fmt.Sprintf("%s is a folder, and no link to a release: if older scripts made it, pgbundle install keeps it as release %s", i.base, legacyRelease))
	}
	active := s.find(s.active)
	switch {
	case s.foreign != "":
		st.found("%s links to %s, which is no release", i.base, s.foreign)
	case s.active != "" && active == nil:
		st.found("%s links to a release that is not there: pgbundle rollback goes to one that is", i.base)
	case active != nil && active.fault != nil:
		st.found("the active release %s is not complete: %v: install its bundle again", active.name, active.fault)
	}
	if active == nil || active.receipt == nil {
		return nil
	}
	if err := i.repositoryFindings(st); err != nil {
		return err
	}
	if err := i.programFindings(st); err != nil {
		return err
	}
	i.trustFindings(ctx, active, st)
	return nil
}

func (i *Installation) repositoryFindings(st *Status) error {
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	text, err := readSmall(host, manifest.MaxYAML)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st.found("%s is not there: install the bundle again", repositoryFile)
	case err != nil:
		st.found("%s: %v", repositoryFile, err)
	case string(text) != string(i.repositoryText()):
		st.found("%s is not as it was written: install the bundle again, or keep what you changed elsewhere", repositoryFile)
	}
	return nil
}

// programFindings looks where the links to the program go. The second is made
// for the sudo of some nodes only. What is not ours install leaves alone.
func (i *Installation) programFindings(st *Status) error {
	want := path.Join(i.base, programName)
	for n, link := range programLinks {
		host, err := i.node.Path(link)
		if err != nil {
			return err
		}
		target, err := os.Readlink(host)
		switch {
		case err == nil && target == want:
		case err == nil && i.baseOf(target) != "":
			st.found("%s goes to %s, not to %s: a node has one base: pgbundle uninstall --base-dir takes one of the two away", link, target, want)
		case !errors.Is(err, fs.ErrNotExist):
			st.Notes = append(st.Notes, fmt.Sprintf("%s is not ours: the program installed here is %s", link, want))
		case n == 0:
			st.found("%s is not there: install the bundle again", link)
		}
	}
	return nil
}

// trustFindings looks whether fapolicyd, where it is in force, was told of what
// people start. The list of a release is written at once, so that one program
// speaks for all.
func (i *Installation) trustFindings(ctx context.Context, r *release, st *Status) {
	if !i.node.Booted() || slices.Contains(r.receipt.Pending, stepPolicy) {
		return
	}
	paths := []string{i.inRelease(r.name, programName)}
	if r.receipt.has(manifest.Control) && !slices.Contains(r.receipt.Pending, stepVenv) {
		paths = append(paths, i.inRelease(r.name, venvFolder, "bin", "ansible-playbook"))
	}
	switch unknown, err := policy.Unknown(ctx, i.node, paths...); {
	case errors.Is(err, fs.ErrPermission):
		st.Notes = append(st.Notes, fmt.Sprintf("fapolicyd: %v: root is told", err))
	case err != nil:
		st.found("fapolicyd: %v", err)
	case unknown != "":
		st.found("fapolicyd was not told of %s as it is now: install the bundle again", unknown)
	}
}

// whose tells what a run that is at work has not finished yet from what one left
// that did not end. It may have begun, or ended, while the rest was read: running
// says whether there was one before.
func (i *Installation) whose(s *installed, st *Status, running bool) {
	now, err := i.busy()
	if st.Running = running || now; !st.Running {
		if err != nil && len(st.Left) > 0 {
			st.Notes = append(st.Notes, fmt.Sprintf("whether another pgbundle is at work, whose unfinished files these are, was not told: %v", err))
		}
		return
	}
	st.Left = []string{}
	for n := range st.Releases {
		if r := s.find(st.Releases[n].Name); errors.Is(r.fault, errUnfinished) {
			st.Releases[n].Fault, st.Releases[n].Unfinished = "it is not finished yet", true
		}
	}
}

// leftovers are the node's paths of what a run that was killed left.
func (i *Installation) leftovers(s *installed) ([]string, error) {
	left := []string{}
	entries, err := os.ReadDir(i.releases)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the releases: %w", err)
	}
	for _, e := range entries {
		r := s.find(e.Name())
		if strings.HasPrefix(e.Name(), node.Prefix) || r != nil && r.fault != nil && r.name != s.active {
			left = append(left, i.inRelease(e.Name()))
		}
	}
	for _, r := range s.releases {
		inside, err := filepath.Glob(filepath.Join(r.dir, node.Prefix+"*"))
		if err != nil {
			return nil, fmt.Errorf("look for what was left in release %s: %w", r.name, err)
		}
		for _, path := range inside {
			left = append(left, i.inRelease(r.name, filepath.Base(path)))
		}
	}
	return left, nil
}
