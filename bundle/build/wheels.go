package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi"
	"pgbundle/repo/pypi/sdist"
	"pgbundle/repo/pypi/tags"
)

// wheelhouseRequest asks for one wheelhouse: a repo.Source.
type wheelhouseRequest struct {
	places      wheelPlaces
	index       pypi.Index // of all places
	before      time.Time  // files uploaded then or later do not count; zero: all do
	client      *fetch.Client
	role        manifest.Role
	wants       []string
	constraints []string
	clock       *newest
	note        func(string)
	whose       func(full string) string // who has an interpreter, see Options.whose
}

// Resolve finds the wheels of the role for the target's interpreters, and makes
// wheels of source archives to know their digests.
func (r wheelhouseRequest) Resolve(ctx context.Context, target manifest.Target) ([]manifest.Artifact, error) {
	res, err := r.answer(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("resolve wheels for the %s node: %w", r.role, err)
	}
	for _, text := range res.Warnings {
		r.note(text)
	}
	artifacts := make([]manifest.Artifact, 0, len(res.Files))
	var errs []error
	for _, c := range res.Files {
		a, err := r.artifact(ctx, c, target.Arch)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.clock.see(c.UploadTime)
		artifacts = append(artifacts, a)
	}
	return artifacts, errors.Join(errs...)
}

func (r wheelhouseRequest) artifact(ctx context.Context, c pypi.Chosen, arch string) (manifest.Artifact, error) {
	a := manifest.Artifact{
		Path: path.Join(wheelhouse(r.role), placedName(c.Filename, arch)), Kind: manifest.Wheel, Name: c.Name, Version: c.Version,
		Size: c.Size, SHA256: c.SHA256,
		From:  manifest.Origin{Source: c.Source, Path: c.Path(), Size: c.Size, SHA256: c.SHA256},
		Roles: []manifest.Role{r.role}, WantedBy: c.WantedBy,
	}
	if c.Sdist {
		return r.made(ctx, a)
	}
	return a, nil
}

// maxBase is the longest last part of a path that USTAR can hold, in bytes.
const maxBase = 100

// placedName is the name of a wheel in its wheelhouse: its own, unless that is
// longer than tar can hold. Wheels that name one build by many platform tags
// are; then the shortest of the tags that fit the architecture is left, which
// names the same build (PEP 425, "Compressed Tag Sets").
func placedName(filename, arch string) string {
	w, err := tags.ParseWheel(filename)
	if err != nil || len(filename) <= maxBase {
		return filename
	}
	stem := filename[:strings.LastIndexByte(filename, '-')+1]
	short := filename
	for _, platform := range w.Platforms {
		if name := stem + platform + ".whl"; strings.HasSuffix(platform, "_"+arch) && len(name) < len(short) {
			short = name
		}
	}
	return short
}

// made makes a wheel of a source archive, so that the lock can name its digest.
func (r wheelhouseRequest) made(ctx context.Context, a manifest.Artifact) (manifest.Artifact, error) {
	urls, err := r.places.index(a.From.Source).Locate(ctx, a.From.Path)
	if err != nil {
		return a, fmt.Errorf("fetch %s: %w", a.From.Path, err)
	}
	file, err := r.client.Fetch(ctx, fetch.Want{Name: a.From.Path, Size: a.From.Size, SHA256: a.From.SHA256}, urls, nil)
	if err != nil {
		return a, fmt.Errorf("fetch %s: %w", a.From.Path, err)
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		return a, fmt.Errorf("make a wheel of %s: %w", a.From.Path, err)
	}
	name, wheel, err := sdist.BuildWheel(ctx, archive, wheelTime)
	if err != nil {
		return a, fmt.Errorf("make a wheel of %s: %w", a.From.Path, err)
	}
	a.From.Size = int64(len(archive))
	a.Path = path.Join(path.Dir(a.Path), name)
	a.Size, a.SHA256, a.Made = int64(len(wheel)), manifest.Digest(wheel), wheelFromSdist
	return a, nil
}

// checkWheel looks into one wheel of the bundle.
func checkWheel(ctx context.Context, tree Tree, a manifest.Artifact, target pypi.Target) error {
	f, err := tree.Open(ctx, a.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return pypi.CheckWheel(f, path.Base(a.Path), target)
}
