package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/repo"
)

// Wheelhouse resolves requirements for the spec's interpreter on the nodes and
// makes a folder of the answer: the wheels, those that are made of source
// archives too, and requirements.lock, as pip install --no-index
// --require-hashes reads them. The folder must not be there yet; it appears
// complete and proven to resolve by itself, or not at all.
func Wheelhouse(ctx context.Context, o Options, wants, constraints []string, folder string) ([]Resolved, error) {
	if err := checkNewFolder(folder); err != nil {
		return nil, fmt.Errorf("make the wheelhouse %s: %w", folder, err)
	}
	o.Progress.Stage("resolve", 0)
	places, before, err := o.openWheelPlaces()
	if err != nil {
		return nil, err
	}
	const role = manifest.TargetNode
	lock := &manifest.Lock{
		Version: manifest.Version, Target: o.Spec.MachineTarget(),
		Requests: wheelRequests(role, wants), Constraints: wheelRequests(role, constraints),
	}
	request := wheelhouseRequest{
		places: places, index: places.join(), before: before, client: o.Fetch, role: role, clock: &newest{}, note: o.Progress.Note,
		wants: wants, constraints: constraints,
	}
	if lock.Artifacts, err = request.Resolve(ctx, lock.Target); err != nil {
		return nil, err
	}
	sources := map[string]repo.Locator{}
	for _, place := range places {
		sources[place.id] = place.index
	}
	at, _, err := fetchArtifacts(ctx, o, sources, lock)
	if err != nil {
		return nil, err
	}
	l := &layout{content: map[string]placed{}}
	if err := l.layArtifacts(lock, at); err != nil {
		return nil, err
	}
	l.layWheelLocks(lock)
	o.Progress.Stage("prove", 0)
	if _, err := proveWheels(role)(ctx, l, lock, ProveOptions{}); err != nil {
		return nil, fmt.Errorf("the wheelhouse would not be complete: %w", err)
	}
	if err := l.writeFolder(ctx, wheelhouse(role), folder, o.Jobs); err != nil {
		return nil, fmt.Errorf("make the wheelhouse %s: %w", folder, err)
	}
	list := make([]Resolved, len(lock.Artifacts))
	for i, a := range lock.Artifacts {
		list[i] = Resolved{Name: a.Name, Version: a.Version, File: path.Base(a.Path), Size: a.Size, SHA256: a.SHA256, Source: a.From.Source, WantedBy: a.WantedBy}
		if a.Made != "" {
			list[i].MadeFrom = path.Base(a.From.Path)
			o.Progress.Note(fmt.Sprintf("%s was made here of %s: no index has it", list[i].File, list[i].MadeFrom))
		}
	}
	return list, nil
}

func wheelRequests(role manifest.Role, wants []string) []manifest.Request {
	list := make([]manifest.Request, len(wants))
	for i, want := range wants {
		list[i] = manifest.Request{Kind: manifest.Wheel, Role: role, Want: want}
	}
	return list
}

// checkNewFolder refuses a place that something stands in, and one that no
// folder can be made in.
func checkNewFolder(folder string) error {
	_, err := os.Lstat(folder)
	if err == nil {
		return manifest.Classify(manifest.ErrUsage, errors.New("it is there, and nothing is overwritten: name a folder that is not there yet"))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(folder))
	if info, err := os.Stat(above); err != nil || !info.IsDir() {
		return manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s is no folder: make it, or name another place", above))
	}
	return nil
}

// writeFolder writes what is below a folder of the layout to a folder on disk.
func (l *layout) writeFolder(ctx context.Context, from, to string, jobs int) error {
	pending, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), ".pgbundle-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(pending) // nothing is there once it has its name
	var group errgroup.Group
	group.SetLimit(max(jobs, 1))
	for _, name := range l.List(from) {
		group.Go(func() error { return l.writeFile(ctx, path.Join(from, name), filepath.Join(pending, name)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := os.Chmod(pending, 0o755); err != nil { // others install from it
		return err
	}
	return os.Rename(pending, to)
}

// writeFile copies one file of the layout, and syncs it.
func (l *layout) writeFile(ctx context.Context, from, to string) error {
	in, err := l.Open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()) // whatever the umask
}
