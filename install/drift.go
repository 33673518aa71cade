package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"pgbundle/bundle"
	"pgbundle/install/node"
	"pgbundle/manifest"
)

// digestOf hashes a file of a release.
func digestOf(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, buffer := sha256.New(), buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, *buffer); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// buffers are for reading: a venv has thousands of small files.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// owner is whose a file or folder is.
type owner struct{ uid, gid uint32 }

func (o owner) String() string { return fmt.Sprintf("%d:%d", o.uid, o.gid) }

// rootOwner is who owns what is installed on a booted node.
var rootOwner = owner{0, 0}

func ownerOf(info fs.FileInfo) owner {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}
	}
	return owner{stat.Uid, stat.Gid}
}

// checkFile says how the file at name differs from f, or nothing. Its owner has
// to be that of the root folder: for everybody else could change it at will.
func checkFile(root *os.Root, name string, f manifest.File) error {
	top, err := root.Stat(".")
	if err != nil {
		return err
	}
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it is not there")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no regular file")
	case ownerOf(info) != ownerOf(top):
		return fmt.Errorf("owned by %s, its release by %s", ownerOf(info), ownerOf(top))
	case info.Mode() != fs.FileMode(f.Mode): // with setuid, setgid and sticky
		return fmt.Errorf("mode %s, placed with %s", info.Mode(), fs.FileMode(f.Mode))
	case f.Size >= 0 && info.Size() != f.Size:
		return fmt.Errorf("%d bytes, placed with %d", info.Size(), f.Size)
	}
	sum, err := digestOf(root, name)
	switch {
	case err != nil:
		return err
	case sum != f.SHA256:
		return errors.New("its bytes are not those that were placed")
	}
	return nil
}

// Drift is one thing of a release that is not as it was installed.
type Drift struct {
	Path   string `json:"path"` // in the release
	Detail string `json:"detail"`

	unread bool // the disk did not say: it may be as it was
}

// drift compares a complete release with what was installed, and returns every
// difference: bytes, modes, owners, and what is missing or too much. Compiled
// Python that ansible wrote later is none. On a booted node all must be root's;
// an image that an ordinary user made is all his.
func (i *Installation) drift(ctx context.Context, r *release, jobs int) ([]Drift, error) {
	return r.compare(ctx, i.node.Booted(), jobs, i.progress)
}

func (r *release) compare(ctx context.Context, booted bool, jobs int, progress Progress) ([]Drift, error) {
	if r.receipt == nil {
		return nil, nil // legacy: nobody knows what it was
	}
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, fmt.Errorf("open release %s: %w", r.name, err)
	}
	defer root.Close()
	top, err := root.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("open release %s: %w", r.name, err)
	}
	d := &drifter{release: r, root: root, owner: ownerOf(top), known: map[string]kind{receiptName: kindOurs}}
	if (booted || d.owner.uid == 0) && d.owner != rootOwner {
		d.add(".", "the release is owned by %s, not by root", d.owner)
	}
	if !d.expect() {
		return d.found, nil
	}
	if err := d.files(ctx, jobs, progress); err != nil {
		return nil, err
	}
	d.walk()
	slices.SortFunc(d.found, func(a, b Drift) int { return strings.Compare(a.Path, b.Path) })
	return d.found, ctx.Err()
}

// refuse is the error that something cannot be done with a release that has
// drifted, or that could not be compared: that is the disk's fault.
func (r *release) refuse(operation string, drift []Drift) error {
	for _, d := range drift {
		if d.unread {
			return fmt.Errorf("%s %s: compare %s: %s", operation, r.name, d.Path, d.Detail)
		}
	}
	return manifest.Classify(manifest.ErrDamaged, fmt.Errorf(
		"%s %s: it is not as it was installed in %d places, %s among them (%s): install its bundle again", operation, r.name, len(drift), drift[0].Path, drift[0].Detail))
}

// kind is what has to be at a path of a release.
type kind int

const (
	kindStranger kind = iota
	kindFolder
	kindPlaced // a file that is compared by its digest
	kindLink   // one that was made here
	kindOurs   // a file of pgbundle's own, which is read where it is needed
)

type drifter struct {
	*release
	root     *os.Root
	owner    owner           // of the release, and so of all in it
	expected []manifest.File // size -1: unknown
	known    map[string]kind // what belongs there

	mu    sync.Mutex
	found []Drift
}

func (d *drifter) add(path, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := Drift{Path: path, Detail: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok && diskFault(err) {
			found.unread = true
		}
	}
	d.found = append(d.found, found)
}

// expect reads what has to be there. Without its manifest a release cannot be
// compared with anything.
func (d *drifter) expect() bool {
	raw, err := d.read(manifest.ManifestName, manifest.MaxYAML)
	if err != nil {
		d.add(manifest.ManifestName, "%v: nothing else can be compared", err)
		return false
	}
	if manifest.Digest(raw) != d.receipt.Manifest {
		d.add(manifest.ManifestName, "not the manifest that was installed: nothing else can be compared")
		return false
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		d.add(manifest.ManifestName, "%v", err)
		return false
	}
	d.expected = filesFor(m, d.receipt.Roles)
	sums := bundle.SHA256Sums(m, raw)
	d.expected = append(d.expected,
		manifest.File{Path: manifest.ManifestName, Size: int64(len(raw)), Mode: 0o644, SHA256: d.receipt.Manifest},
		manifest.File{Path: manifest.SumsName, Size: int64(len(sums)), Mode: 0o644, SHA256: manifest.Digest(sums)})
	d.known[manifest.SignatureName] = kindOurs
	if d.waits(stepVenv) {
		d.known[madeName] = kindOurs // written before the receipt says so
	}
	d.expectMade()
	for _, f := range d.expected {
		d.know(f.Path, kindPlaced)
	}
	return true
}

func (d *drifter) waits(step string) bool { return slices.Contains(d.receipt.Pending, step) }

// expectMade adds what was made here, by the list whose digest the receipt has.
func (d *drifter) expectMade() {
	for name, target := range d.receipt.Links {
		d.know(name, kindLink)
		if now, err := d.root.Readlink(name); err != nil || now != target {
			d.add(name, "it is not the link to %s that was made", target)
		}
	}
	if d.receipt.Made == "" {
		return
	}
	d.know(madeName, kindOurs)
	list, err := d.read(madeName, maxMade)
	if err != nil {
		d.add(madeName, "%v: the venv cannot be compared", err)
		return
	}
	if manifest.Digest(list) != d.receipt.Made {
		d.add(madeName, "not the list that was made: the venv cannot be compared")
		return
	}
	for line := range strings.Lines(string(list)) {
		f, ok := parseMade(line)
		if !ok {
			d.add(madeName, "the line %q is not expected", line)
			continue
		}
		d.expected = append(d.expected, f)
	}
}

// know notes what belongs at a path, and that its folders do.
func (d *drifter) know(name string, what kind) {
	for ; d.known[name] == kindStranger; name, what = path.Dir(name), kindFolder {
		d.known[name] = what
	}
}

func (d *drifter) read(name string, limit int64) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// files hashes every file that has to be there.
func (d *drifter) files(ctx context.Context, jobs int, progress Progress) error {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, f := range d.expected {
		group.Go(func() error {
			if err := checkFile(d.root, f.Path, f); err != nil {
				d.add(f.Path, "%v", err)
			}
			progress.Add(max(f.Size, 0))
			return inner.Err()
		})
	}
	return group.Wait()
}

// walk looks at everything that is there but the files that were compared.
// A folder of strangers is named once.
func (d *drifter) walk() {
	err := fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		what := d.known[name]
		switch {
		case err != nil:
			d.add(name, "%v", err)
			return nil
		case what == kindPlaced:
			return nil
		case what == kindStranger && name == venvFolder && e.IsDir() && d.waits(stepVenv):
			return fs.SkipDir // begun, and begun anew by install --finish
		case what == kindStranger && strings.HasPrefix(name, node.Prefix) && e.Type().IsRegular():
			return nil // a renewed receipt that a kill kept from its place
		case what == kindStranger && !tolerated(name, e):
			d.add(name, "nobody installed it")
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if detail := d.look(what, e); detail != "" {
			d.add(name, "%s", detail)
		}
		return nil
	})
	if err != nil {
		d.add(".", "%v", err)
	}
}

// tolerated says whether a stranger is what Python and pip leave in a venv:
// compiled modules, and empty folders. A file in one is told.
func tolerated(name string, e fs.DirEntry) bool {
	return strings.HasPrefix(name, venvFolder+"/") && (e.IsDir() || e.Type().IsRegular() && path.Ext(name) == ".pyc")
}

// look says what is wrong with the kind, the owner or the mode of what is
// there, or nothing.
func (d *drifter) look(what kind, e fs.DirEntry) string {
	info, err := e.Info()
	if err != nil {
		return err.Error()
	}
	mode := info.Mode()
	switch {
	case what == kindFolder && !mode.IsDir():
		return "it is no folder"
	case what == kindOurs && !mode.IsRegular():
		return "it is no regular file"
	case ownerOf(info) != d.owner:
		return fmt.Sprintf("owned by %s, its release by %s", ownerOf(info), d.owner)
	case what == kindFolder && mode != fs.ModeDir|0o755:
		return fmt.Sprintf("mode %s, made with %s", mode, fs.ModeDir|0o755)
	case what == kindOurs && mode != 0o644:
		return fmt.Sprintf("mode %s, written with %s", mode, fs.FileMode(0o644))
	case what == kindStranger && mode.Perm()&0o022 != 0:
		return fmt.Sprintf("mode %s: others than its owner may write to it", mode)
	}
	return ""
}
