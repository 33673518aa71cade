package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pgbundle/bundle"
	"pgbundle/install/node"
	"pgbundle/manifest"
)

// roleOf are the folders of a bundle that only one role needs. Everything else
// belongs to both.
var roleOf = []struct {
	folder string
	role   manifest.Role
}{
	{"rpms/", manifest.TargetNode},
	{"etcd/", manifest.TargetNode},
	{"wheels/target/", manifest.TargetNode},
	{"wheels/control/", manifest.Control},
	{"collections/", manifest.Control},
	{"playbook/", manifest.Control},
}

// wanted says whether the roles need a file of the bundle.
func wanted(path string, roles []manifest.Role) bool {
	for _, r := range roleOf {
		if strings.HasPrefix(path, r.folder) {
			return slices.Contains(roles, r.role)
		}
	}
	return true
}

// filesFor are the files of a bundle that the roles need.
func filesFor(m *manifest.Manifest, roles []manifest.Role) []manifest.File {
	var files []manifest.File
	for _, f := range m.Files {
		if wanted(f.Path, roles) {
			files = append(files, f)
		}
	}
	return files
}

// reserved are the names in a release that are ours; a bundle with such a file
// is no bundle of pgbundle.
var reserved = []string{marker, receiptName, madeName, venvFolder, manifest.ManifestName, manifest.SignatureName, manifest.SumsName}

func checkReserved(m *manifest.Manifest) error {
	for _, f := range m.Files {
		top, _, _ := strings.Cut(f.Path, "/")
		for _, name := range reserved {
			if strings.EqualFold(top, name) || strings.HasPrefix(top, node.Prefix) {
				return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("place %s: the name is pgbundle's own: no pgbundle built this", f.Path))
			}
		}
	}
	return nil
}

// placement is one release while it is made.
type placement struct {
	*Installation
	name  string
	dir   string // path on this host
	roles []manifest.Role
	from  *release // of the same bundle, whose files may be linked; or nil
	root  *os.Root // the release
	begun bool     // its folder was made here
}

// begin makes the folder of the release with its marker, both synced: from now
// on there is something that the next run would remove.
func (p *placement) begin() error {
	if err := node.MakeFolders(p.releases); err != nil {
		return err
	}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return fmt.Errorf("make release: %w", err)
	}
	p.begun = true
	// Below a setgid folder it has another group, and so would all in it.
	if err := errors.Join(os.Chown(p.dir, os.Geteuid(), os.Getegid()), os.Chmod(p.dir, 0o700)); err != nil {
		return fmt.Errorf("make release: %w", err)
	}
	node.Fault("release folder made")
	if err := node.WriteFile(filepath.Join(p.dir, marker), nil, 0o600); err != nil {
		return err
	}
	if err := node.SyncFolder(p.releases); err != nil {
		return err
	}
	node.Fault("marker written")
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return fmt.Errorf("open release: %w", err)
	}
	p.root = root
	return nil
}

// discard removes what was made of a release.
func (p *placement) discard() error {
	if p.root != nil {
		p.root.Close()
	}
	if !p.begun {
		return nil
	}
	return node.RemoveFolder(p.dir)
}

// place verifies the whole bundle and writes what the roles need of it, in one
// pass over its bytes.
func (p *placement) place(ctx context.Context, b *bundle.Bundle, o Options) error {
	m := b.Manifest()
	if err := checkReserved(m); err != nil {
		return err
	}
	files := filesFor(m, p.roles)
	if err := p.makeFolders(files); err != nil {
		return err
	}
	linked, err := p.linkFrom(ctx, files)
	if err != nil {
		return err
	}
	report, err := b.Verify(ctx, bundle.VerifyOptions{
		Keys: o.Keys, Jobs: o.Jobs, Progress: p.progress.Add,
		Place: func(f manifest.File) (io.WriteCloser, error) {
			if linked[f.Path] || !wanted(f.Path, p.roles) {
				return nil, nil
			}
			return p.create(f)
		},
	})
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return err
	}
	if string(report.RawManifest()) != string(b.RawManifest()) {
		return manifest.Classify(manifest.ErrDamaged, errors.New("place the bundle: its manifest was exchanged meanwhile"))
	}
	node.Fault("files placed")
	own := []struct {
		name string
		data []byte
	}{
		{manifest.ManifestName, b.RawManifest()},
		{manifest.SignatureName, b.Signature()},
		{manifest.SumsName, bundle.SHA256Sums(m, b.RawManifest())},
	}
	for _, f := range own {
		if f.data == nil {
			continue
		}
		if err := p.write(f.name, f.data); err != nil {
			return err
		}
	}
	return nil
}

// makeFolders makes the folders that files lie in, with their mode set.
func (p *placement) makeFolders(files []manifest.File) error {
	made := map[string]bool{".": true}
	var make func(dir string) error
	make = func(dir string) error {
		if made[dir] {
			return nil
		}
		if err := make(path.Dir(dir)); err != nil {
			return err
		}
		made[dir] = true
		if err := p.root.Mkdir(dir, 0o755); err != nil {
			return err
		}
		return p.root.Chmod(dir, 0o755)
	}
	for _, f := range files {
		if err := make(path.Dir(f.Path)); err != nil {
			return fmt.Errorf("make the folder of %s: %w", f.Path, err)
		}
	}
	return nil
}

// create opens the place of a file. There must be nothing yet.
func (p *placement) create(f manifest.File) (io.WriteCloser, error) {
	out, err := p.root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &placedFile{File: out, mode: fs.FileMode(f.Mode)}, nil
}

// placedFile is a file of a release while it is written.
type placedFile struct {
	*os.File
	mode fs.FileMode
}

func (f *placedFile) Close() error {
	err := f.Chmod(f.mode)
	node.StartWriteback(f.File)
	err = errors.Join(err, f.File.Close())
	node.Fault("file placed")
	return err
}

// write writes a small file of the release.
func (p *placement) write(name string, data []byte) error {
	f, err := p.create(manifest.File{Path: name, Mode: 0o644})
	if err != nil {
		return fmt.Errorf("place %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("place %s: %w", name, err)
	}
	return nil
}

// linkFrom links those files that another release of the same bundle has, after
// their bytes there were hashed, and says which. A drifted one is left to be
// placed anew.
func (p *placement) linkFrom(ctx context.Context, files []manifest.File) (map[string]bool, error) {
	linked := map[string]bool{}
	if p.from == nil {
		return linked, nil
	}
	all, err := os.OpenRoot(p.releases)
	if err != nil {
		return nil, fmt.Errorf("link from release %s: %w", p.from.name, err)
	}
	defer all.Close()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		there := path.Join(p.from.name, f.Path)
		if checkFile(all, there, f) != nil {
			continue
		}
		if err := all.Link(there, path.Join(p.name, f.Path)); err != nil {
			continue // another file system, or too many links: it is copied
		}
		node.Fault("file linked")
		linked[f.Path] = true
	}
	return linked, nil
}

// finish seals the release: its list, its receipt, then one sync of the whole
// file system, then the marker goes.
func (p *placement) finish(r *Receipt) error {
	if err := p.record(r); err != nil {
		return err
	}
	node.Fault("receipt written")
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return fmt.Errorf("open release %s to all: %w", p.name, err)
	}
	if err := node.SyncFileSystem(p.dir); err != nil {
		return err
	}
	node.Fault("release synced")
	if err := node.Remove(filepath.Join(p.dir, marker)); err != nil {
		return err
	}
	node.Fault("marker removed")
	return p.root.Close()
}

// record writes the list of what was made here, and the receipt.
func (p *placement) record(r *Receipt) error {
	list, links, err := listMade(p.root)
	if err != nil {
		return fmt.Errorf("list what was made in release %s: %w", p.name, err)
	}
	r.Made, r.Links = "", links
	if len(list) > 0 {
		r.Made = manifest.Digest(list)
		if err := node.WriteFile(filepath.Join(p.dir, madeName), list, 0o644); err != nil {
			return err
		}
	}
	return r.write(p.dir)
}

// total is how many bytes the files of a bundle have.
func total(m *manifest.Manifest) (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}
