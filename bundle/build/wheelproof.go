package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi"
)

// proveWheels resolves a wheelhouse out of its own folder, for each interpreter that
// it was resolved for: every answer must be just what is in it.
func proveWheels(role manifest.Role) func(context.Context, Tree, *manifest.Lock, ProveOptions) (manifest.Check, error) {
	return func(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
		wants := wanted(lock.Requests, manifest.Wheel, role)
		if len(wants) == 0 {
			return manifest.Check{}, nil
		}
		folder := wheelhouse(role)
		artifacts := artifactsIn(lock, manifest.Wheel, folder)
		var versions []string
		var errs []error
		for _, python := range pythonTargets(lock.Target, role) {
			versions = append(versions, python.Python)
			needed, err := closeWheels(ctx, tree, lock, role, python)
			if err != nil {
				return manifest.Check{}, fmt.Errorf("prove %s: %w", folder, err)
			}
			for _, a := range artifacts {
				if file := path.Base(a.Path); !needed[file] {
					errs = append(errs, fmt.Errorf("prove %s: %s is there, and nothing needs it on Python %s", folder, file, python.Python))
				} else if err := checkWheel(ctx, tree, a, python); err != nil {
					errs = append(errs, fmt.Errorf("prove %s: %w", folder, err))
				}
			}
		}
		if err := errors.Join(errs...); err != nil {
			return manifest.Check{}, manifest.Classify(manifest.ErrDamaged, err)
		}
		return manifest.Check{Name: "wheels-" + string(role),
			Result: fmt.Sprintf("%d wheels close %s on Python %s", len(artifacts), strings.Join(wants, ", "), inWords(versions))}, nil
	}
}

// closeWheels resolves what a role asks for out of its wheelhouse alone, and returns
// the names of the files that it takes on an interpreter.
func closeWheels(ctx context.Context, tree Tree, lock *manifest.Lock, role manifest.Role, python pypi.Target) (map[string]bool, error) {
	folder := wheelhouse(role)
	index := pypi.OpenTree(below{tree, folder}, tree.List(folder))
	res, err := pypi.Resolve(ctx, index, wanted(lock.Requests, manifest.Wheel, role), wanted(lock.Constraints, manifest.Wheel, role), python)
	if err != nil {
		return nil, err
	}
	needed := make(map[string]bool, len(res.Files))
	for _, c := range res.Files {
		needed[c.Filename] = true
	}
	return needed, nil
}

// proveNodeWheels proves the nodes' wheelhouse for the interpreter that a node has, and
// for the one that a transaction leaves there. It returns their versions: none when the
// node has no such interpreter, or its facts do not tell. What the node does not need
// is installed all the same, for requirements.lock names it, and so has to run there.
func proveNodeWheels(ctx context.Context, tree Tree, lock *manifest.Lock, node *Node, t *Transaction) ([]string, error) {
	if len(wanted(lock.Requests, manifest.Wheel, manifest.TargetNode)) == 0 {
		return nil, nil
	}
	versions := node.pythons(lock.Target.Python(manifest.TargetNode), t)
	for _, version := range versions {
		if err := fitWheels(ctx, tree, lock, pythonTarget(lock.Target, version)); err != nil {
			return nil, refusedWheels(node, version, err)
		}
	}
	return versions, nil
}

// fitWheels holds that the nodes' wheelhouse closes on an interpreter, and that every
// wheel in it runs there.
func fitWheels(ctx context.Context, tree Tree, lock *manifest.Lock, python pypi.Target) error {
	needed, err := closeWheels(ctx, tree, lock, manifest.TargetNode, python)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range artifactsIn(lock, manifest.Wheel, wheelhouse(manifest.TargetNode)) {
		if !needed[path.Base(a.Path)] {
			errs = append(errs, checkWheel(ctx, tree, a, python))
		}
	}
	return errors.Join(errs...)
}

// refusedWheels makes a refusal of an error that says that wheels do not fit.
func refusedWheels(node *Node, version string, err error) error {
	if !errors.Is(err, manifest.ErrUnsolvable) {
		return fmt.Errorf("prove wheels for node %s: %w", node.Name, err)
	}
	return manifest.Classify(manifest.ErrUnsolvable, &WheelsError{told: told{[]string{node.Name}, strings.Split(err.Error(), "\n")}, python: version})
}
