package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// swapper is somebody who changes the source while install reads it.
type swapper struct {
	dir    string // what it may change: the source lies in it
	source string // an unpacked bundle, or an archive
	other  string // another whole bundle of the same form
	canary string // a folder with the names of the bundle's files, and what nobody may place
	d      *rand.Rand
	did    []string
}

// swaps change an unpacked bundle. Each has a name for the log.
var swaps = []struct {
	name string
	do   func(s *swapper, file string) error
}{
	{"bytes in place", func(s *swapper, file string) error { return overwrite(file, noise(s.d, 1+s.d.IntN(4000)), s.d) }},
	{"longer in place", func(s *swapper, file string) error { return appendTo(file, noise(s.d, 5000)) }},
	{"shorter in place", func(s *swapper, file string) error { return shorten(file, int64(s.d.IntN(100))) }},
	{"another file renamed over it", func(s *swapper, file string) error {
		return errors.Join(os.WriteFile(file+"~", noise(s.d, 40000), 0o644), os.Rename(file+"~", file))
	}},
	{"a link to a secret", func(s *swapper, file string) error {
		return errors.Join(os.Remove(file), os.Symlink(filepath.Join(s.canary, "secret"), file))
	}},
	{"a hard link to a secret", func(s *swapper, file string) error {
		return errors.Join(os.Remove(file), os.Link(filepath.Join(s.canary, "secret"), file))
	}},
	{"a pipe", func(_ *swapper, file string) error { return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o644)) }},
	{"its folder a link", func(s *swapper, file string) error {
		folder := filepath.Dir(file)
		link := filepath.Join(s.dir, "link")
		os.Remove(link)
		return errors.Join(os.Symlink(filepath.Join(s.canary, filepath.Base(folder)), link), os.RemoveAll(folder+"~"), os.Rename(folder, folder+"~"), os.Rename(link, folder))
	}},
	{"another bundle in its place", func(s *swapper, _ string) error {
		return errors.Join(os.Rename(s.source, s.source+"~"), os.Rename(s.other, s.source))
	}},
	{"another bundle's manifest", func(s *swapper, _ string) error {
		var errs []error
		for _, name := range []string{manifest.ManifestName, manifest.SumsName} {
			data, err := os.ReadFile(filepath.Join(s.other, name))
			errs = append(errs, err, os.WriteFile(filepath.Join(s.source, name+"~"), data, 0o644), os.Rename(filepath.Join(s.source, name+"~"), filepath.Join(s.source, name)))
		}
		return errors.Join(errs...)
	}},
	{"one more file", func(s *swapper, file string) error { return os.WriteFile(file+".more", noise(s.d, 100), 0o644) }},
	{"gone and back", func(_ *swapper, file string) error {
		return errors.Join(os.Rename(file, file+"~"), os.Rename(file+"~", file))
	}},
}

// archiveSwaps change an archive.
var archiveSwaps = []struct {
	name string
	do   func(s *swapper, file string) error
}{
	{"bytes in place", func(s *swapper, file string) error { return overwrite(file, noise(s.d, 1+s.d.IntN(400)), s.d) }},
	{"another bundle in place", func(s *swapper, file string) error {
		data, err := os.ReadFile(s.other)
		return errors.Join(err, overwriteAt(file, data, 0))
	}},
	{"shorter in place", func(s *swapper, file string) error { return shorten(file, int64(s.d.IntN(200000))) }},
	{"another bundle renamed over it", func(s *swapper, file string) error { return os.Rename(s.other, file) }},
	{"a pipe", func(_ *swapper, file string) error {
		return errors.Join(os.RemoveAll(file+"~"), syscall.Mkfifo(file+"~", 0o644), os.Rename(file+"~", file))
	}},
	{"a link to a secret", func(s *swapper, file string) error {
		return errors.Join(os.RemoveAll(file+"~"), os.Symlink(filepath.Join(s.canary, "secret"), file+"~"), os.Rename(file+"~", file))
	}},
}

func overwrite(file string, data []byte, d *rand.Rand) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return overwriteAt(file, data, d.Int64N(info.Size()+1))
}

func overwriteAt(file string, data []byte, at int64) error {
	f, err := openOwn(file)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	return errors.Join(err, f.Close())
}

func appendTo(file string, data []byte) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	return overwriteAt(file, data, info.Size())
}

func shorten(file string, size int64) error {
	f, err := openOwn(file)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// openOwn opens a file of the bundle to change it; what was made a link to the
// secret before is left alone, since the secret is not to change.
func openOwn(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if st, ok := info.Sys().(*syscall.Stat_t); err == nil && (!ok || st.Nlink > 1) {
		err = errors.New("it is a hard link")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// run changes the source one to three times, each after a while, until stop is
// closed. What cannot be changed any more is no failure: it was changed before.
func (s *swapper) run(files []string, stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	for range 1 + s.d.IntN(3) {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(s.d.IntN(6000)) * time.Microsecond):
		}
		kinds := swaps
		if len(files) == 0 {
			kinds = archiveSwaps
		}
		kind, file := kinds[s.d.IntN(len(kinds))], s.source
		if len(files) > 0 {
			file = filepath.Join(s.source, files[s.d.IntN(len(files))])
		}
		word := "did"
		if err := kind.do(s, file); err != nil {
			word = "could not do"
		}
		s.did = append(s.did, fmt.Sprintf("%s %s to %s", word, kind.name, filepath.Base(file)))
	}
}

// swapBundles are two bundles with the same names and large enough files that
// something can happen while they are read. The key has signed the first.
func swapBundles(t *testing.T, key *sign.PrivateKey) (files map[string][]byte, first, second made) {
	t.Helper()
	files = content("two")
	d := rand.New(rand.NewPCG(1, 1))
	for _, name := range []string{"rpms/a.rpm", "rpms/b.rpm", "wheels/control/c.whl", "wheels/target/d.whl", "etcd/e.tar.gz", "collections/f.tar.gz"} {
		files[name] = noise(d, 300_000)
	}
	others := map[string][]byte{}
	for name, data := range files {
		others[name] = bytes.Clone(data)
		slices.Reverse(others[name])
	}
	return files, pack(t, files, key), pack(t, others, nil)
}

// unpackAll is unpack for a signed bundle.
func unpackAll(t *testing.T, b made, to string) {
	t.Helper()
	opened := openBundle(t, b)
	folder := unpack(t, b)
	if opened.Signature() != nil {
		must(t, os.WriteFile(filepath.Join(folder, manifest.SignatureName), opened.Signature(), 0o644))
	}
	must(t, os.Rename(folder, to))
}

// Whatever happens to the source while install reads it: either it fails and
// leaves nothing, or every byte that was placed is the manifest's. With a trusted
// key it is the manifest that the key signed. PGBUNDLE_SWAPS is how often.
func TestSourceSwappedWhileInstalling(t *testing.T) {
	rounds, seed := tries(t, "PGBUNDLE_SWAPS", 20), seedOf(t)
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	files, first, second := swapBundles(t, &key)
	raws := map[string]map[string][]byte{string(first.raw): files, string(second.raw): nil}
	found := map[string]any{"seed": strconv.FormatUint(seed, 10)}
	for _, form := range []string{"folder", "archive"} {
		t.Run(form, func(t *testing.T) {
			installed, refused, lost := 0, 0, 0
			for i := range rounds {
				mine := seed + uint64(i)
				s := newSite(t)
				w := newSwapper(t, form, first, second, files, mine)
				o := Options{Bundle: w.source, Roles: [][]manifest.Role{target, {manifest.Control, manifest.TargetNode}}[i%2], Jobs: 1 + w.d.IntN(4)}
				if w.d.IntN(2) == 0 {
					o.Keys = []sign.PublicKey{key.Public()}
				}
				var names []string
				if form == "folder" {
					names = append(slices.Collect(maps.Keys(files)), manifest.ManifestName, manifest.SumsName, manifest.SignatureName)
					slices.Sort(names)
				}
				stop, done := make(chan struct{}), make(chan struct{})
				go w.run(names, stop, done)
				res, err := s.open(t).Install(t.Context(), o)
				close(stop)
				<-done
				switch {
				case err != nil:
					refused++
					s.holdsNothing(t)
				case len(w.did) == 0:
					lost++ // install was faster
				default:
					installed++
				}
				if err == nil {
					s.holds(t, res, raws, first, len(o.Keys) > 0)
				}
				if secret, err := os.ReadFile(filepath.Join(w.canary, "secret")); err != nil || string(secret) != "the secret" {
					t.Errorf("the canary has %d bytes (%v)", len(secret), err)
				}
				if t.Failed() {
					t.Fatalf("seed %d, round %d: %s; install: %v", seed, i, strings.Join(w.did, "; "), err)
				}
				must(t, errors.Join(os.RemoveAll(s.root), os.RemoveAll(w.dir)))
			}
			t.Logf("%d rounds: %d refused, %d installed whole though something was changed, %d undisturbed", rounds, refused, installed, lost)
			found[form] = map[string]int{"rounds": rounds, "refused": refused, "installedWhole": installed, "undisturbed": lost}
			if rounds >= 60 && (refused == 0 || installed == 0) {
				t.Error("one of the two never happened: the test cannot fail")
			}
		})
	}
	leave(t, "swaps.json", found)
}

func newSwapper(t *testing.T, form string, first, second made, files map[string][]byte, seed uint64) *swapper {
	t.Helper()
	dir := t.TempDir()
	w := &swapper{dir: dir, source: filepath.Join(dir, "source"), other: filepath.Join(dir, "other"), canary: filepath.Join(dir, "canary"), d: rand.New(rand.NewPCG(seed, 0))}
	if form == "archive" {
		for from, to := range map[string]string{first.path: w.source, second.path: w.other} {
			data, err := os.ReadFile(from)
			must(t, errors.Join(err, os.WriteFile(to, data, 0o644)))
		}
	} else {
		unpackAll(t, first, w.source)
		unpackAll(t, second, w.other)
	}
	for name := range files {
		path := filepath.Join(w.canary, filepath.Base(filepath.Dir(name)), filepath.Base(name))
		must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("the secret"), 0o644)))
	}
	must(t, os.WriteFile(filepath.Join(w.canary, "secret"), []byte("the secret"), 0o600))
	return w
}

// holdsNothing holds that a refused install left no release and no half of one.
func (s *site) holdsNothing(t *testing.T) {
	t.Helper()
	for _, line := range s.listing(t) {
		path, _, _ := strings.Cut(line, " ")
		if !slices.Contains([]string{"", "/etc", "/etc/os-release", "/opt", DefaultBase + ".d"}, path) {
			t.Errorf("a refused install left %s", line)
		}
	}
}

// holds compares what was placed with one of the manifests, byte by byte and
// with no help of pgbundle's own.
func (s *site) holds(t *testing.T, res *Result, raws map[string]map[string][]byte, first made, trusted bool) {
	t.Helper()
	dir := s.path(res.Path)
	raw, err := os.ReadFile(filepath.Join(dir, manifest.ManifestName))
	must(t, err)
	if _, ok := raws[string(raw)]; !ok || trusted && string(raw) != string(first.raw) {
		t.Errorf("a manifest was placed that is none of the two, or not the signed one (trusted key: %v)", trusted)
		return
	}
	m, err := manifest.ParseManifest(raw)
	must(t, err)
	want := map[string]string{}
	for _, f := range m.Files {
		if wanted(f.Path, res.Roles) {
			want[f.Path] = f.SHA256
		}
	}
	own := []string{manifest.ManifestName, manifest.SumsName, manifest.SignatureName, receiptName}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if slices.Contains(own, name) {
			return nil
		}
		data, err := os.ReadFile(path)
		if digest, listed := want[name]; !listed || !d.Type().IsRegular() || manifest.Digest(data) != digest {
			t.Errorf("placed %s (%s), listed %v: not what the manifest says", name, d.Type(), listed)
		}
		delete(want, name)
		return err
	}))
	for name := range want {
		t.Errorf("%s is not there", name)
	}
}
