package install

import (
	"bytes"
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

	"golang.org/x/sync/errgroup"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

const (
	venvFolder = "venv"
	// madeName lists the files of the venv, as sha256sum does: they are made on
	// the node, so that no manifest knows them.
	madeName = "venv.SHA256SUMS"
)

// maxMade bounds the list of what was made, in bytes.
const maxMade = 64 << 20

// listMade lists what is in the venv: a line as of sha256sum for each file, and
// where each link goes. Both are empty where there is no venv.
func listMade(root *os.Root) (list []byte, links map[string]string, err error) {
	var b bytes.Buffer
	err = fs.WalkDir(root.FS(), venvFolder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if name == venvFolder && errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			}
			return err
		case d.IsDir():
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			target, err := root.Readlink(name)
			if links == nil {
				links = map[string]string{}
			}
			links[name] = target
			return err
		}
		if err := manifest.CheckPath(name); err != nil {
			return err
		}
		sum, err := digestOf(root, name)
		fmt.Fprintf(&b, "%s  %s\n", sum, name)
		return err
	})
	return b.Bytes(), links, err
}

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

// checkFile says how the file at name differs from f, or nothing.
func checkFile(root *os.Root, name string, f manifest.File) string {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is not there"
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return "it is no regular file"
	case info.Mode().Perm() != fs.FileMode(f.Mode):
		return fmt.Sprintf("mode %s, placed with %s", info.Mode().Perm(), fs.FileMode(f.Mode))
	case f.Size >= 0 && info.Size() != f.Size:
		return fmt.Sprintf("%d bytes, placed with %d", info.Size(), f.Size)
	}
	sum, err := digestOf(root, name)
	switch {
	case err != nil:
		return err.Error()
	case sum != f.SHA256:
		return "its bytes are not those that were placed"
	}
	return ""
}

// Drift is one thing of a release that is not as it was installed.
type Drift struct {
	Path   string `json:"path"` // in the release
	Detail string `json:"detail"`
}

// drift compares a complete release with what was installed, and returns every
// difference. Compiled Python that ansible wrote later is none.
func (r *release) drift(ctx context.Context, jobs int, progress Progress) ([]Drift, error) {
	if r.receipt == nil {
		return nil, nil // legacy: nobody knows what it was
	}
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, fmt.Errorf("open release %s: %w", r.name, err)
	}
	defer root.Close()
	d := &drifter{release: r, root: root, known: map[string]bool{receiptName: true}}
	if !d.expect() {
		return d.found, nil
	}
	if err := d.files(ctx, jobs, progress); err != nil {
		return nil, err
	}
	d.strangers()
	slices.SortFunc(d.found, func(a, b Drift) int { return strings.Compare(a.Path, b.Path) })
	return d.found, ctx.Err()
}

type drifter struct {
	*release
	root     *os.Root
	expected []manifest.File // size -1: unknown
	known    map[string]bool // files and folders that belong there

	mu    sync.Mutex
	found []Drift
}

func (d *drifter) add(path, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = append(d.found, Drift{path, fmt.Sprintf(format, args...)})
}

// expect reads what has to be there. Without its manifest a release cannot be
// compared with anything.
func (d *drifter) expect() bool {
	raw, err := d.read(manifest.ManifestName, manifest.MaxYAML)
	if err != nil || manifest.Digest(raw) != d.receipt.Manifest {
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
	d.known[manifest.SignatureName] = true
	d.expectMade()
	for _, f := range d.expected {
		d.know(f.Path)
	}
	return true
}

// expectMade adds what was made here, by the list whose digest the receipt has.
func (d *drifter) expectMade() {
	for name, target := range d.receipt.Links {
		d.know(name)
		if now, err := d.root.Readlink(name); err != nil || now != target {
			d.add(name, "it is not the link to %s that was made", target)
		}
	}
	if d.receipt.Made == "" {
		return
	}
	d.know(madeName)
	list, err := d.read(madeName, maxMade)
	if err != nil || manifest.Digest(list) != d.receipt.Made {
		d.add(madeName, "not the list that was made: the venv cannot be compared")
		return
	}
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		info, err := d.root.Lstat(name)
		if !ok || err != nil || !info.Mode().IsRegular() {
			d.know(name)
			d.add(name, "it is not there, or no regular file")
			continue
		}
		// Its mode is not listed; what must not be is that others may write.
		mode := info.Mode().Perm() &^ 0o022
		d.expected = append(d.expected, manifest.File{Path: name, Size: -1, Mode: uint32(mode), SHA256: sum})
	}
}

// know notes that a path and its folders belong there.
func (d *drifter) know(name string) {
	for ; name != "." && !d.known[name]; name = path.Dir(name) {
		d.known[name] = true
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
			if detail := checkFile(d.root, f.Path, f); detail != "" {
				d.add(f.Path, "%s", detail)
			}
			progress.Add(max(f.Size, 0))
			return inner.Err()
		})
	}
	return group.Wait()
}

// strangers finds what does not belong there. A folder of strangers is named
// once.
func (d *drifter) strangers() {
	err := fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			d.add(name, "%v", err)
			return nil
		case name == "." || d.known[name]:
			return nil
		case name == venvFolder && slices.Contains(d.receipt.Pending, stepVenv):
			return fs.SkipDir // begun, and begun anew by install --finish
		case strings.HasPrefix(name, venvFolder+"/") && (path.Base(name) == "__pycache__" || path.Ext(name) == ".pyc"):
			return nil
		case e.IsDir() && strings.HasPrefix(name, venvFolder+"/"):
			return nil // pip leaves empty folders; a file in one is told
		}
		d.add(name, "nobody installed it")
		if e.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		d.add(".", "%v", err)
	}
}
