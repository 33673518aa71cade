package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"pgbundle/bundle"
	"pgbundle/manifest"
	"pgbundle/repo"
)

// ProveOptions says how to prove.
type ProveOptions struct {
	Now  time.Time // decides whether a key has expired
	Jobs int

	signatures *signatureCheck // of all packages of the lock, when it is done already
}

// Prove resolves the requests of a lock again out of a bundle alone, with the
// code that resolved them from the world, and returns what was checked: that
// the packages are signed and closed, each wheelhouse holds what its
// requirements need on its interpreter, the collections fit the ansible-core
// beside them, and the release and the program are for the target. All failures
// are returned. It believes the bytes: those are bundle.Verify's.
func Prove(ctx context.Context, tree Tree, lock *manifest.Lock, o ProveOptions) ([]manifest.Check, error) {
	var checks []manifest.Check
	var errs []error
	for _, prove := range []func(context.Context, Tree, *manifest.Lock, ProveOptions) (manifest.Check, error){
		proveSignatures, proveRPMs, proveWheels(manifest.Control), proveWheels(manifest.TargetNode), proveCollections, proveRelease, proveProgram,
	} {
		check, err := prove(ctx, tree, lock, o)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			errs = append(errs, err)
		} else if check.Name != "" {
			checks = append(checks, check)
		}
	}
	return checks, errors.Join(errs...)
}

// TreeOf is an opened bundle as Prove reads it.
func TreeOf(b *bundle.Bundle) Tree { return opened{b} }

type opened struct{ *bundle.Bundle }

func (o opened) List(folder string) []string { return listFolder(o.Manifest().Files, folder) }

// wanted lists the requests of a kind, of one role or of any.
func wanted(requests []manifest.Request, kind manifest.Kind, role manifest.Role) []string {
	var list []string
	for _, r := range requests {
		if r.Kind == kind && (role == "" || r.Role == role) {
			list = append(list, r.Want)
		}
	}
	return list
}

// artifactsIn lists the artifacts of a kind below a folder.
func artifactsIn(lock *manifest.Lock, kind manifest.Kind, folder string) []manifest.Artifact {
	var list []manifest.Artifact
	for _, a := range lock.Artifacts {
		if a.Kind == kind && strings.HasPrefix(a.Path, folder+"/") {
			list = append(list, a)
		}
	}
	return list
}

// proveProgram checks that the program in the bundle runs on the target: the
// headers of a static ELF for its machine.
func proveProgram(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
	for _, a := range lock.Artifacts {
		if a.Kind != manifest.Program {
			continue
		}
		data, err := readAll(ctx, tree, a.Path, maxProgram)
		if err != nil {
			return manifest.Check{}, fmt.Errorf("check program %s: %w", a.Path, err)
		}
		if err := checkELF(bytes.NewReader(data), lock.Target.Arch); err != nil {
			return manifest.Check{}, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("check program %s: %w", a.Path, err))
		}
		return manifest.Check{Name: "program", Result: fmt.Sprintf("%s %s runs on %s", a.Name, a.Version, a.Arch)}, nil
	}
	return manifest.Check{}, manifest.Classify(manifest.ErrDamaged, errors.New("check program: the bundle holds none"))
}

// readAll reads one file of a tree, of at most limit bytes.
func readAll(ctx context.Context, tree repo.Tree, name string, limit int64) ([]byte, error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: longer than %d bytes", path.Base(name), limit)
	}
	return data, err
}
