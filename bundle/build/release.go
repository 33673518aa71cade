package build

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
	"pgbundle/repo/release"
)

const etcdSource = "etcd" // its id in the lock

// etcdRequest asks the places of etcd's releases for one: the first that has
// it, its checksums compared with those on every other host that answers. Alone
// is told when none does.
func (o Options) etcdRequest(alone func(reason string)) release.Request {
	urls := o.Sources.etcd()
	base := fetch.Base{Client: o.Fetch, URLs: urls}
	places := make([]release.Place, len(urls))
	for i, u := range urls {
		places[i] = release.Place{Host: hostName(u), Tree: fetch.Base{Client: o.Fetch, URLs: []string{u}}}
	}
	return release.Request{
		ID: etcdSource, Places: places, Name: "etcd", Version: o.Spec.Etcd, Alone: alone,
		Size: func(ctx context.Context, path, sha256 string) (int64, error) { return o.size(ctx, base, path, sha256) },
	}
}

// hostName is the host in an address; folders are all on this one.
func hostName(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return strings.ToLower(u.Hostname())
	}
	return "this host"
}

// size asks for a file's size by its first byte, and fetches the whole where a
// server does not send parts.
func (o Options) size(ctx context.Context, base fetch.Base, path, sha256 string) (int64, error) {
	urls, err := base.Locate(ctx, path)
	if err != nil {
		return 0, err
	}
	if piece, err := o.Fetch.ReadRange(ctx, urls, 0, 1); err == nil && piece.Size >= 0 {
		return piece.Size, nil
	}
	file, err := o.Fetch.Fetch(ctx, fetch.Want{Name: path, SHA256: sha256}, urls, nil)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// proveRelease looks into the release's tarball.
func proveRelease(ctx context.Context, tree Tree, lock *manifest.Lock, _ ProveOptions) (manifest.Check, error) {
	for _, a := range lock.Artifacts {
		if a.Kind != manifest.Release {
			continue
		}
		f, err := tree.Open(ctx, a.Path)
		if err != nil {
			return manifest.Check{}, fmt.Errorf("prove %s: %w", a.Path, err)
		}
		defer f.Close()
		file := release.FileName(a.Name, a.Version, lock.Target.Arch)
		if !strings.HasSuffix(a.Path, "/"+file) {
			return manifest.Check{}, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("prove %s: the target wants %s", a.Path, file))
		}
		if err := release.CheckTarball(f, strings.TrimSuffix(file, ".tar.gz"), "etcd", "etcdctl"); err != nil {
			return manifest.Check{}, fmt.Errorf("prove %s: %w", a.Path, err)
		}
		return manifest.Check{Name: "release", Result: fmt.Sprintf("%s %s for %s holds etcd and etcdctl; its digest was %s",
			a.Name, a.Version, lock.Target.Arch, crossCheck(lock, a.From.Source))}, nil
	}
	return manifest.Check{}, nil
}

// crossCheck says how far the digest of a release is to be trusted: it comes out
// of a file that nobody signed.
func crossCheck(lock *manifest.Lock, source string) string {
	if slices.ContainsFunc(lock.Sources, func(s manifest.Source) bool { return s.ID == source && s.Alone }) {
		return "not cross-checked: one host alone gave it"
	}
	return "the same on two hosts when it was locked"
}
