package build

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"pgbundle/bundle"
	"pgbundle/manifest"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/pkgfile"
)

// maxLock bounds a lock file, in bytes.
const maxLock = 32 << 20

// Resolution is a lock with what a person should know of it.
type Resolution struct {
	Lock *manifest.Lock
	Plan Plan
}

// ReadLock reads a lock file, or the lock inside a bundle.
func ReadLock(path string) (*manifest.Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read lock %s: %w", path, err)
	}
	magic := make([]byte, 2)
	if n, _ := io.ReadFull(f, magic); info.IsDir() || n == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		b, err := bundle.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read lock of bundle %s: %w", path, err)
		}
		defer b.Close()
		return &b.Manifest().Lock, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read lock %s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("read lock %s: %w", path, err)
	}
	if len(data) > maxLock {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read lock %s: longer than %d bytes", path, maxLock))
	}
	lock, err := manifest.ParseLock(data)
	if err != nil {
		return nil, fmt.Errorf("read lock %s: %w", path, err)
	}
	return lock, nil
}

// WriteLock writes a lock file, whole or not at all.
func WriteLock(path string, lock *manifest.Lock) error {
	data, err := lock.Marshal()
	if err != nil {
		return fmt.Errorf("write lock %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write lock %s: %w", path, err)
	}
	return nil
}

// Fits reports whether a lock still is what the spec wants, and if not why. No
// lock does not fit.
func (o Options) Fits(lock *manifest.Lock) (bool, string, error) {
	if lock == nil {
		return false, "there is none", nil
	}
	digest, err := o.Spec.Digest()
	if err != nil {
		return false, "", err
	}
	if lock.Spec != digest {
		return false, "it was made for another spec", nil
	}
	if lock.IsDelta() && !slices.Equal(lock.Nodes, lockNodes(o.Nodes)) {
		return false, "it was made for other nodes, or for other facts of them", nil
	}
	for _, full := range o.target(nil).NodePythonFullVersions {
		if !slices.Contains(lock.Target.PythonFullVersions(manifest.TargetNode), full) {
			return false, fmt.Sprintf("its wheels were not resolved for Python %s of %s", full, o.whose(full, nil)), nil
		}
	}
	if reason := o.otherTrust(lock); reason != "" {
		return false, reason, nil
	}
	return true, "", nil
}

// otherTrust says how the repositories of a lock differ from those at hand in
// what must be signed and by whom. Keys that are files are looked into; those
// at a URL count as they were when the lock was made.
func (o Options) otherTrust(lock *manifest.Lock) string {
	locked := map[string]manifest.Source{}
	for _, s := range lock.Sources {
		if s.Kind == manifest.RPM {
			locked[s.ID] = s
		}
	}
	for _, r := range o.Sources.Repos {
		s, ok := locked[r.ID]
		switch {
		case !ok && r.SkipIfUnavailable:
			continue // it could not be reached, and need not be
		case !ok:
			return "it knows no repository " + r.ID
		case s.Signatures != r.Signatures:
			return "whether the packages of " + r.ID + " must be signed has changed"
		case s.MetadataSignatures != r.MetadataSignatures:
			return "whether repomd.xml of " + r.ID + " must be signed has changed"
		case otherKeys(r, s):
			return "the key files of " + r.ID + " hold other keys"
		}
		delete(locked, r.ID)
	}
	for id := range locked {
		return "the repository " + id + " is no longer among those at hand"
	}
	return ""
}

// otherKeys reports whether the key files of a repository hold a key that its
// lock does not.
func otherKeys(r dnfconf.Repo, s manifest.Source) bool {
	for _, address := range r.GPGKeys {
		path := strings.TrimPrefix(address, "file://")
		if strings.Contains(path, "://") || s.Signatures == manifest.SignatureOff && s.MetadataSignatures == manifest.SignatureOff {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return true
		}
		ring, err := pkgfile.ParseKeys(data)
		if err != nil {
			return true
		}
		for _, f := range ring.Fingerprints() {
			wanted := len(r.Fingerprints) == 0 || slices.Contains(r.Fingerprints, f)
			if wanted && !slices.ContainsFunc(s.Keys, func(k manifest.Key) bool { return k.Fingerprint == f }) {
				return true
			}
		}
	}
	return false
}

// Locked is the resolution that a lock fixes, dated by the options' epoch when
// there is one.
func (o Options) Locked(lock *manifest.Lock) *Resolution {
	if !o.Epoch.IsZero() {
		dated := *lock
		dated.Time = o.Epoch
		lock = &dated
	}
	plan := PlanOf(lock, o.cached)
	plan.Notes = slices.Concat(o.Notes, plan.Notes)
	if len(o.Nodes) > 0 {
		plan.Notes = append(plan.Notes, "the lock is taken as it is: what changes on the nodes comes out when the bundle is built")
	}
	return &Resolution{Lock: lock, Plan: plan}
}

func (o Options) cached(sha256 string) bool {
	_, ok := o.Fetch.Cached(sha256)
	return ok
}

// errProgram says that a lock fixes another pgbundle than the one at hand.
var errProgram = errors.New("the lock fixes another pgbundle than this one")

// withProgram checks that the program at hand is the one that the lock fixes.
// Where nobody insists on the lock, the lock that is returned has the program
// at hand instead.
func (o Options) withProgram(lock *manifest.Lock, program manifest.Artifact) (*manifest.Lock, error) {
	i := slices.IndexFunc(lock.Artifacts, func(a manifest.Artifact) bool { return a.Kind == manifest.Program })
	if i < 0 || lock.Artifacts[i].SHA256 == program.SHA256 {
		return lock, nil
	}
	if o.Exact {
		return nil, fmt.Errorf("%w: it wants version %s, sha256 %s: name that file with --node-binary, or resolve anew with pgbundle lock",
			errProgram, lock.Artifacts[i].Version, lock.Artifacts[i].SHA256)
	}
	renewed := *lock
	renewed.Artifacts = slices.Clone(lock.Artifacts)
	renewed.Artifacts[i] = program
	return &renewed, nil
}
