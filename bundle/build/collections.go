package build

import (
	"context"
	"fmt"
	"path"
	"slices"

	"pgbundle/manifest"
	"pgbundle/repo/galaxy"
)

const galaxySource = "galaxy" // its id in the lock

// collectionRequest asks a Galaxy server for collections that an ansible-core
// can run: a repo.Source.
type collectionRequest struct {
	server galaxy.Server
	wants  []string
	core   string // version of ansible-core
	clock  *newest
	note   func(string)
}

// Resolve finds the newest collections that fit together.
func (r collectionRequest) Resolve(ctx context.Context, _ manifest.Target) ([]manifest.Artifact, error) {
	res, err := galaxy.Resolve(ctx, r.server, r.wants, r.core)
	if err != nil {
		return nil, fmt.Errorf("resolve collections: %w", refusedByGalaxy(err))
	}
	for _, text := range res.Notes {
		r.note(text)
	}
	artifacts := make([]manifest.Artifact, len(res.Collections))
	for i, c := range res.Collections {
		r.clock.see(c.Created)
		artifacts[i] = manifest.Artifact{
			Path: path.Join(collectionFolder, c.Filename), Kind: manifest.Collection, Name: c.Name.String(), Version: c.Version,
			Size: c.Size, SHA256: c.SHA256,
			From:  manifest.Origin{Source: galaxySource, Path: c.Filename, Size: c.Size, SHA256: c.SHA256},
			Roles: []manifest.Role{manifest.Control}, WantedBy: c.WantedBy,
		}
	}
	return artifacts, nil
}

// proveCollections reads every collection of the bundle, and resolves the
// requests again out of them for the ansible-core beside them.
func proveCollections(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
	wants := wanted(lock.Requests, manifest.Collection, "")
	if len(wants) == 0 {
		return manifest.Check{}, nil
	}
	core := ""
	for _, a := range lock.Artifacts {
		if a.Kind == manifest.Wheel && a.Name == "ansible-core" && a.Roles[0] == manifest.Control {
			core = a.Version
		}
	}
	if core == "" {
		return manifest.Check{}, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("prove collections: no ansible-core is in the bundle to run them"))
	}
	server, err := galaxy.OpenTree(ctx, below{tree, collectionFolder}, tree.List(collectionFolder))
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove collections: %w", err)
	}
	res, err := galaxy.Resolve(ctx, server, wants, core)
	if err != nil {
		return manifest.Check{}, fmt.Errorf("prove collections: %w", err)
	}
	placed := artifactsIn(lock, manifest.Collection, collectionFolder)
	for _, a := range placed {
		if !slices.ContainsFunc(res.Collections, func(c galaxy.Collection) bool { return c.Filename == path.Base(a.Path) && c.SHA256 == a.SHA256 }) {
			return manifest.Check{}, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("prove collections: %s is there, and nothing needs it", a.Path))
		}
	}
	return manifest.Check{Name: "collections", Result: fmt.Sprintf("%d collections close %d requests and run on ansible-core %s",
		len(placed), len(wants), core)}, nil
}
