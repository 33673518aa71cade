package bundle

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
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A typeError says that something is no regular file.
type typeError struct{ mode fs.FileMode }

func (e *typeError) Error() string {
	switch {
	case e.mode&fs.ModeSymlink != 0:
		return "it is a symbolic link"
	case e.mode.IsDir():
		return "it is a folder"
	case e.mode&fs.ModeDevice != 0:
		return "it is a device"
	case e.mode&fs.ModeNamedPipe != 0:
		return "it is a named pipe"
	case e.mode&fs.ModeSocket != 0:
		return "it is a socket"
	}
	return "it is no regular file"
}

// openRegularInside opens a regular file of a folder. A link is refused, not
// followed, and a pipe is not waited for.
func openRegularInside(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, &typeError{before.Mode()}
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = errors.New("it was exchanged while it was opened")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// openInside opens the file of a folder that m describes.
func openInside(root *os.Root, m member) (*os.File, error) {
	f, info, err := openRegularInside(root, m.path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", m.path, err)
	}
	if info.Size() != m.size {
		f.Close()
		return nil, manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("open %s: %d bytes where the manifest says %d", m.path, info.Size(), m.size))
	}
	return f, nil
}

// readInside reads a file of at most limit bytes.
func readInside(root *os.Root, name string, limit int64) ([]byte, error) {
	f, info, err := openRegularInside(root, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, manifest.Classify(manifest.ErrDamaged,
			fmt.Errorf("read %s: %d bytes, at most %d are read", name, info.Size(), limit))
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

func verifyFolder(ctx context.Context, path string, opts VerifyOptions) (*Report, error) {
	root, err := os.OpenRoot(innerFolder(path))
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	defer root.Close()
	return verifyRoot(ctx, root, opts)
}

// verifyRoot proves an unpacked bundle: every file of it, and that there is
// nothing else in the folder.
func verifyRoot(ctx context.Context, root *os.Root, opts VerifyOptions) (*Report, error) {
	report := &Report{Findings: []Finding{}}
	raw, err := readInside(root, manifest.ManifestName, manifest.MaxYAML)
	if err != nil {
		status, err := folderReason(err)
		report.add(status, manifest.ManifestName, "%s", trimName(err))
		report.Incomplete = manifestUnread
		return report, ctx.Err()
	}
	report.raw, report.ID = raw, manifest.BundleID(raw)
	signature, err := readInside(root, manifest.SignatureName, sign.MaxSignature)
	if report.Signed = !errors.Is(err, fs.ErrNotExist); report.Signed && err != nil {
		status, err := folderReason(err)
		report.add(status, manifest.SignatureName, "%s", trimName(err))
	} else if !report.authenticate(raw, signature, opts.Keys) {
		return report, ctx.Err()
	}
	m, err := manifest.ParseManifest(raw)
	if err != nil {
		report.add(Damaged, manifest.ManifestName, "%s", trimName(err))
		report.Incomplete = manifestUnread
		return report, ctx.Err()
	}
	report.listed(m)
	signatureSize := int64(0)
	if report.Signed {
		signatureSize = max(int64(len(signature)), 1)
	}
	l, err := newLayout(m, raw, signatureSize)
	if err != nil {
		report.add(Damaged, manifest.ManifestName, "%s", err)
		report.Incomplete = manifestUnread
		return report, ctx.Err()
	}
	v := &folderVerifier{root: root, members: l.members, progress: opts.Progress, placer: placerOf(m, opts)}
	found, err := v.run(ctx, opts.Jobs)
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	report.Findings = append(report.Findings, found...)
	return report, nil
}

// A folderVerifier checks the files of an unpacked bundle.
type folderVerifier struct {
	root    *os.Root
	members []member
	placer  placer

	mu       sync.Mutex // holds progress
	progress func(n int64)
}

func (v *folderVerifier) run(ctx context.Context, jobs int) ([]Finding, error) {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	found := make([][]Finding, len(v.members))
	group, inner := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(jobs, len(v.members)) {
		group.Go(func() error {
			buffer := make([]byte, 1<<20)
			for i := next.Add(1) - 1; i < int64(len(v.members)); i = next.Add(1) - 1 {
				findings, err := v.file(inner, v.members[i], buffer)
				if err != nil {
					return err
				}
				found[i] = findings
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	return append(all, v.others(ctx)...), ctx.Err()
}

// file checks one file that must be there: type, size, mode and digest. Its
// bytes go to their place meanwhile. The error is for what ends the run.
func (v *folderVerifier) file(ctx context.Context, m member, buffer []byte) ([]Finding, error) {
	f, info, err := openRegularInside(v.root, m.path)
	if err != nil {
		status, err := folderReason(err)
		return []Finding{{status, m.path, trimName(err)}}, nil
	}
	defer f.Close()
	var found []Finding
	if detail := wrongMode(info.Mode(), m.mode); detail != "" {
		found = append(found, Finding{Mode, m.path, detail})
	}
	if m.sha256 == "" {
		return found, nil // the signature: checked before
	}
	if info.Size() != m.size {
		return append(found, Finding{Damaged, m.path, fmt.Sprintf("%d bytes where the manifest says %d", info.Size(), m.size)}), nil
	}
	place, err := v.placer.open(m.path)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	err = v.read(ctx, io.LimitReader(f, m.size), buffer, func(data []byte) error {
		digest.Write(data)
		return place.write(data)
	})
	if err := errors.Join(place.close(), ctx.Err()); err != nil {
		return nil, err
	}
	if err != nil {
		return append(found, Finding{Unreadable, m.path, err.Error()}), nil
	}
	if !sameDigest(digest.Sum(nil), m.sha256) {
		found = append(found, Finding{Damaged, m.path, "its sha256 is not the manifest's"})
	}
	return found, nil
}

// read gives what r reads to take, one buffer at a time.
func (v *folderVerifier) read(ctx context.Context, r io.Reader, buffer []byte, take func(data []byte) error) error {
	for ctx.Err() == nil {
		n, err := r.Read(buffer)
		if err := take(buffer[:n]); err != nil {
			return err
		}
		v.count(int64(n))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wrongMode says how the mode of an unpacked file differs from the manifest's.
// An umask may have taken rights from group and others, as on hardened nodes;
// nothing may have given any, and the owner's must be exact.
func wrongMode(got fs.FileMode, want uint32) string {
	bits := uint32(got.Perm())
	if bits&^want == 0 && bits&0o700 == want&0o700 && got&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == 0 {
		return ""
	}
	return fmt.Sprintf("mode %s where the manifest says %#o", got, want)
}

// others lists what is in the folder and not in the manifest. A folder of
// strangers is named once, not file by file.
func (v *folderVerifier) others(ctx context.Context) []Finding {
	known, folders := map[string]bool{}, map[string]bool{".": true}
	for _, m := range v.members {
		known[m.path] = true
		for dir := path.Dir(m.path); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	var found []Finding
	err := fs.WalkDir(v.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return fs.SkipAll
		case err != nil:
			found = append(found, Finding{Unreadable, name, err.Error()})
			return nil
		case known[name] && d.IsDir():
			return fs.SkipDir // told already: a folder where a file belongs
		case known[name] || folders[name] && d.IsDir():
			return nil
		case folders[name]:
			found = append(found, Finding{Type, name, (&typeError{d.Type()}).Error() + " where a folder belongs"})
			return nil
		}
		what := "a file that the manifest does not list"
		if !d.Type().IsRegular() {
			what = (&typeError{d.Type()}).Error() + " that the manifest does not list"
		}
		found = append(found, Finding{Extra, name, strings.TrimPrefix(what, "it is ")})
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		found = append(found, Finding{Unreadable, ".", err.Error()})
	}
	return found
}

func (v *folderVerifier) count(n int64) {
	if v.progress == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress(n)
}

// folderReason turns an error of opening a file into a finding's words.
func folderReason(err error) (Status, error) {
	var wrong *typeError
	switch {
	case errors.As(err, &wrong):
		return Type, wrong
	case errors.Is(err, fs.ErrNotExist):
		return Missing, errors.New("it is not there")
	case errors.Is(err, manifest.ErrDamaged):
		return Damaged, err
	}
	return Unreadable, err
}
