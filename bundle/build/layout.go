package build

import (
	"bytes"
	"context"
	_ "embed" // the script
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/galaxy"
	"pgbundle/repo/pypi"
	"pgbundle/repo/rpm/pkgfile"
	"pgbundle/repo/rpm/repomd"
)

// Places in a bundle.
const (
	rpmFolder        = "rpms"
	keyFile          = "rpms/keys/RPM-GPG-KEY-patroni-airgap"
	wheelFolder      = "wheels"
	collectionFolder = "collections"
	playbookFolder   = "playbook"
	requirementsLock = "requirements.lock"
)

// The name that people know for what installs a bundle.
const scriptName = "airgap-install.sh"

//go:embed airgap-install.sh
var script []byte

// placed is where the bytes of an artifact are: a file, or memory when they
// were made here.
type placed struct {
	file string
	made []byte
}

// layout is a bundle before it is packed: all its files in order, and their
// bytes. It is the Tree that is proven.
type layout struct {
	files   []manifest.File
	content map[string]placed
}

// Open opens one file of the bundle to be.
func (l *layout) Open(_ context.Context, name string) (io.ReadCloser, error) {
	p, ok := l.content[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case p.file == "":
		return io.NopCloser(bytes.NewReader(p.made)), nil
	}
	return os.Open(p.file)
}

// lay puts the artifacts and what goes with them in their places: the
// repository's metadata and keys, the wheelhouses' locks, the collections'
// requirements, the playbook. The program comes first, all else by path.
func lay(ctx context.Context, lock *manifest.Lock, at map[string]placed, playbook fs.FS, jobs int) (*layout, error) {
	l := &layout{content: map[string]placed{}}
	if err := l.layArtifacts(lock, at); err != nil {
		return nil, err
	}
	if err := l.layRepodata(ctx, lock, jobs); err != nil {
		return nil, err
	}
	l.layScript(lock)
	l.layKeys(lock)
	l.layWheelLocks(lock)
	l.layCollections(lock)
	if err := l.layPlaybook(playbook); err != nil {
		return nil, err
	}
	slices.SortFunc(l.files, func(a, b manifest.File) int {
		if first := programFirst(b.Path) - programFirst(a.Path); first != 0 {
			return first
		}
		return strings.Compare(a.Path, b.Path)
	})
	return l, nil
}

func (l *layout) layArtifacts(lock *manifest.Lock, at map[string]placed) error {
	for _, a := range lock.Artifacts {
		p, ok := at[a.Path]
		if !ok {
			return fmt.Errorf("lay out %s: its bytes were not fetched", a.Path)
		}
		mode := uint32(0o644)
		if a.Kind == manifest.Program {
			mode = 0o755
		}
		l.files = append(l.files, manifest.File{Path: a.Path, Size: a.Size, Mode: mode, SHA256: a.SHA256})
		l.content[a.Path] = p
	}
	return nil
}

func programFirst(path string) int {
	if path == "pgbundle" {
		return 1
	}
	return 0
}

// add puts a file that is made here into the bundle.
func (l *layout) add(name string, data []byte) {
	l.files = append(l.files, manifest.File{Path: name, Size: int64(len(data)), Mode: 0o644, SHA256: manifest.Digest(data)})
	l.content[name] = placed{made: data}
}

// layScript adds the script that runs the program, where there is one to run.
func (l *layout) layScript(lock *manifest.Lock) {
	if !slices.ContainsFunc(lock.Artifacts, func(a manifest.Artifact) bool { return a.Kind == manifest.Program }) {
		return
	}
	l.add(scriptName, script)
	l.files[len(l.files)-1].Mode = 0o755
}

// layPlaybook adds the Ansible content that deploys what is in the bundle.
func (l *layout) layPlaybook(playbook fs.FS) error {
	if playbook == nil {
		return nil
	}
	err := fs.WalkDir(playbook, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(playbook, name)
		if err == nil {
			l.add(path.Join(playbookFolder, name), data)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("lay out the playbook: %w", err)
	}
	return nil
}

// layRepodata makes the folder of RPMs a dnf repository.
func (l *layout) layRepodata(ctx context.Context, lock *manifest.Lock, jobs int) error {
	var names []string
	var rpms []manifest.Artifact
	for _, a := range lock.Artifacts {
		if a.Kind == manifest.RPM {
			names = append(names, l.content[a.Path].file)
			rpms = append(rpms, a)
		}
	}
	headers, err := pkgfile.ReadFiles(ctx, names, jobs)
	if err != nil {
		return fmt.Errorf("make the repository's metadata: %w", err)
	}
	packaged := make([]repomd.Packaged, len(rpms))
	for i, a := range rpms {
		packaged[i] = repomd.Packaged{Location: path.Base(a.Path), Size: a.Size, SHA256: a.SHA256, Package: headers[i]}
	}
	files, err := repomd.Generate(packaged, lock.Time)
	if err != nil {
		return fmt.Errorf("make the repository's metadata: %w", err)
	}
	for _, f := range files {
		l.add(path.Join(rpmFolder, f.Path), f.Data)
	}
	return nil
}

// layKeys writes the public keys of the repositories that something came from,
// all in one file, so that one repository file fits every bundle. A key that EL 9
// does not import would cost the whole file; none of its signatures passed.
func (l *layout) layKeys(lock *manifest.Lock) {
	used := map[string]bool{}
	for _, a := range lock.Artifacts {
		used[a.From.Source] = true
	}
	var keys []string
	for _, s := range lock.Sources {
		if s.Kind != manifest.RPM || !used[s.ID] {
			continue
		}
		for _, k := range s.Keys {
			k, err := pkgfile.Export(k, el9(manifest.SignatureRequired, lock.Time))
			if err != nil {
				continue
			}
			text := "pgbundle: key " + k.Fingerprint + "\n" + strings.TrimSpace(k.Armor) + "\n"
			if !slices.Contains(keys, text) {
				keys = append(keys, text)
			}
		}
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		l.add(keyFile, []byte(strings.Join(keys, "\n")))
	}
}

// layWheelLocks writes the list of each wheelhouse, with digests, in the form
// that pip --require-hashes reads.
func (l *layout) layWheelLocks(lock *manifest.Lock) {
	for _, role := range []manifest.Role{manifest.Control, manifest.TargetNode} {
		var pins pypi.Resolution
		for _, a := range artifactsIn(lock, manifest.Wheel, wheelhouse(role)) {
			pins.Files = append(pins.Files, pypi.Chosen{Name: a.Name, Version: a.Version, SHA256: a.SHA256})
		}
		if len(pins.Files) > 0 {
			slices.SortFunc(pins.Files, func(a, b pypi.Chosen) int { return strings.Compare(a.Name, b.Name) })
			l.add(path.Join(wheelhouse(role), requirementsLock), pypi.RequirementsLock(&pins))
		}
	}
}

func wheelhouse(role manifest.Role) string { return path.Join(wheelFolder, string(role)) }

func (l *layout) layCollections(lock *manifest.Lock) {
	var pins []galaxy.Pin
	for _, a := range lock.Artifacts {
		if a.Kind == manifest.Collection {
			pins = append(pins, galaxy.Pin{Filename: path.Base(a.Path), Version: a.Version})
		}
	}
	if len(pins) > 0 {
		l.add(path.Join(collectionFolder, "requirements.yml"), galaxy.RequirementsFile(pins))
	}
}

// Tree is an opened bundle as the resolvers see it: a place with named files,
// all of which can be listed.
type Tree interface {
	repo.Tree
	List(folder string) []string // names of the files in one folder
}

// List names the files in one folder of the bundle to be.
func (l *layout) List(folder string) []string { return listFolder(l.files, folder) }

func listFolder(files []manifest.File, folder string) []string {
	var names []string
	for _, f := range files {
		if rest, ok := strings.CutPrefix(f.Path, folder+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	return names
}

// below is the part of a Tree under one folder.
type below struct {
	tree   repo.Tree
	folder string
}

func (b below) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return b.tree.Open(ctx, path.Join(b.folder, name))
}
