package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"pgbundle/bundle"
	"pgbundle/install/control"
	"pgbundle/install/facts"
	"pgbundle/install/node"
	"pgbundle/install/policy"
	"pgbundle/install/proof"
	"pgbundle/manifest"
)

// Steps that run the node's own programs. On an image they are pending.
const (
	stepVenv   = "venv"   // the control node's Ansible
	stepProof  = "proof"  // rpmkeys and dnf of the node judge the repository
	stepPolicy = "policy" // fapolicyd's trust, SELinux' labels
)

// stepsFor are the steps that the roles need.
func stepsFor(roles []manifest.Role) []string {
	var steps []string
	if slices.Contains(roles, manifest.Control) {
		steps = append(steps, stepVenv)
	}
	if slices.Contains(roles, manifest.TargetNode) {
		steps = append(steps, stepProof)
	}
	return append(steps, stepPolicy)
}

// judge lets the node's own programs work on a release that is placed, and
// notes in its receipt what has to wait.
func (i *Installation) judge(ctx context.Context, dir string, m *manifest.Manifest, receipt *Receipt, res *Result) error {
	if !i.node.Booted() {
		receipt.Pending = stepsFor(receipt.Roles)
		return nil
	}
	receipt.Pending = nil
	if receipt.has(manifest.Control) {
		if err := i.makeVenv(ctx, dir, m); err != nil {
			return err
		}
	}
	if receipt.has(manifest.TargetNode) {
		if err := i.prove(ctx, dir, m, res); err != nil {
			return err
		}
	}
	return nil
}

// scratch makes a folder that only root can enter, beside the releases: /tmp is
// noexec on a hardened node, and its names are predictable.
func (i *Installation) scratch() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(i.releases, node.Prefix+"scratch-")
	if err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

func (i *Installation) makeVenv(ctx context.Context, dir string, m *manifest.Manifest) (err error) {
	i.progress.Stage("venv", 0)
	scratch, remove, err := i.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	node.Fault("venv")
	return control.Build(ctx, i.node, control.Options{
		Release: dir, Python: m.Lock.Target.Python(manifest.Control), Interpreter: i.interpreter, Scratch: scratch, Note: i.progress.Note,
		Trust: func(ctx context.Context) error { return policy.Trust(ctx, i.node, dir) },
	})
}

// prove lets the node's rpmkeys and dnf judge the repository of a release.
func (i *Installation) prove(ctx context.Context, dir string, m *manifest.Manifest, res *Result) (err error) {
	roots := rootsOf(m)
	if len(roots) == 0 {
		return nil
	}
	i.progress.Stage("proof", 0)
	scratch, remove, err := i.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	node.Fault("proof")
	res.Proof, err = proof.Prove(ctx, i.node, proof.Options{
		Folder: filepath.Join(dir, "rpms"), Keys: filepath.Join(dir, keyFile), Roots: roots, Scratch: scratch,
		Unsigned: unsignedOf(m), Others: reachesOthers(m), Empty: !slices.ContainsFunc(m.Lock.Artifacts, isRPM),
	})
	return err
}

// reachesOthers reports whether the bundle counts on repositories that the target
// has itself.
func reachesOthers(m *manifest.Manifest) bool {
	return slices.ContainsFunc(m.Lock.Sources, func(s manifest.Source) bool { return s.Role == manifest.Present })
}

func isRPM(a manifest.Artifact) bool { return a.Kind == manifest.RPM }

// rootsOf are the packages that somebody asked for, by name.
func rootsOf(m *manifest.Manifest) []string {
	var roots []string
	for _, r := range m.Lock.Requests {
		if r.Kind == manifest.RPM {
			roots = append(roots, r.Want)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

// unsignedOf are the file names of the RPMs that somebody chose to take without
// a signature.
func unsignedOf(m *manifest.Manifest) map[string]bool {
	sources := map[string]bool{}
	for _, s := range m.Lock.Sources {
		sources[s.ID] = s.Unsigned()
	}
	unsigned := map[string]bool{}
	for _, a := range m.Lock.Artifacts {
		if a.Kind == manifest.RPM && sources[a.From.Source] {
			unsigned[filepath.Base(a.Path)] = true
		}
	}
	return unsigned
}

// wish is what is asked of the node for a bundle, less what is here already.
func (s *installed) wish(b *bundle.Bundle, roles []manifest.Role, busy bool) Wish {
	w := Wish{Roles: roles, Busy: busy}
	w.Need, w.Inodes = Needs(b.Manifest(), roles)
	digest := manifest.Digest(b.RawManifest())
	switch relative := s.relative(digest); {
	case len(s.same(digest, roles)) > 0:
		w.Need, w.Inodes = ownBytes, ownInodes // if it has drifted, placing tells
	case relative != nil:
		there, inodes := linkable(b.Manifest(), relative.receipt.Roles)
		w.Need, w.Inodes = w.Need-there, w.Inodes-inodes
	}
	return w
}

// wishToFinish is what the pending steps of a release ask of the node.
func wishToFinish(m *manifest.Manifest, r *release) Wish {
	w := Wish{Roles: r.receipt.Roles}
	there, inodes := linkable(m, w.Roles)
	w.Need, w.Inodes = Needs(m, w.Roles)
	w.Need, w.Inodes = w.Need-there, w.Inodes-inodes
	return w
}

// preflight collects the facts of the node and returns everything that speaks
// against a wish, also when it refuses.
func (i *Installation) preflight(ctx context.Context, m *manifest.Manifest, w Wish) ([]Finding, error) {
	i.progress.Stage("preflight", 0)
	host := facts.Of(i.node)
	host.User, host.Program, host.Time, host.Brief = os.Geteuid(), i.program, i.now(), true
	n, err := facts.Collect(ctx, host)
	if err != nil {
		return nil, err
	}
	i.secureLacksLocal = lacksLocal(n)
	i.interpreter, _ = PythonFor(n, m.Lock.Target.Python(manifest.Control))
	w.There, err = Look(i.node, i.base)
	if err != nil && (host.User == 0 || !errors.Is(err, fs.ErrPermission)) {
		return nil, err // who is not root is told that first
	}
	w.Base, w.Image, w.Other = i.base, !i.node.Booted(), i.elsewhere()
	findings := Preflight(m, n, w)
	if err := Refused(findings); err != nil {
		return findings, err
	}
	if w.Busy {
		return findings, manifest.Classify(manifest.ErrUnsolvable, node.ErrBusy)
	}
	return findings, nil
}

// lacksLocal says whether sudo on the node would not find what is in
// /usr/local/bin.
func lacksLocal(n *manifest.Node) bool {
	path := n.Sudo.SecurePath
	return len(path) > 0 && !slices.Contains(path, "/usr/local/bin")
}

// expireMetadata lets dnf read the repository anew: under the same address there
// is another one now, and dnf believes what it read for a second or more. That
// it cannot be told is no failure: the cache expires by itself.
func (i *Installation) expireMetadata(ctx context.Context) {
	cached, err := fs.Glob(i.node.FS(), "var/cache/dnf/"+repositoryID+"*")
	if !i.node.Booted() || err != nil || len(cached) == 0 {
		return // nobody has read it yet
	}
	scratch, remove, err := i.scratch()
	if err == nil {
		var out node.Output
		out, err = i.node.Run(ctx, node.Command{Args: []string{"dnf", "--quiet", "--setopt=logdir=" + scratch,
			"--disablerepo=*", "--enablerepo=" + repositoryID, "clean", "expire-cache"}, Env: []string{"PYTHONDONTWRITEBYTECODE=1"}})
		if err == nil && out.Status != 0 {
			err = fmt.Errorf("dnf clean expire-cache: status %d", out.Status)
		}
		err = errors.Join(err, remove())
	}
	if err != nil {
		i.progress.Note("dnf could not be told to read the repository anew: its cache expires by itself in a few seconds")
	}
}

// forget takes back what fapolicyd was told of a release that failed.
func (i *Installation) forget(ctx context.Context, s *installed) error {
	_, err := i.applyPolicy(context.WithoutCancel(ctx), s)
	return err
}

// applyPolicy tells the node's security policies of every release that stays.
func (i *Installation) applyPolicy(ctx context.Context, s *installed) (policy.Result, error) {
	if !i.node.Booted() {
		return nil, nil
	}
	var dirs []string
	for _, r := range s.releases {
		if r.complete() && r.receipt != nil {
			dirs = append(dirs, r.dir)
		}
	}
	return policy.Apply(ctx, i.node, dirs)
}
