package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"pgbundle/install/node"
	"pgbundle/install/policy"
	"pgbundle/manifest"
)

const (
	marker        = ".incomplete"
	legacyRelease = "legacy" // the folder that older scripts made
)

// releaseName is id-role, and a number where an earlier one had to be replaced.
var releaseName = regexp.MustCompile(`^[0-9a-f]{12}-(control|target|both)(\.[1-9][0-9]{0,3})?$`)

// errUnfinished is the fault of a release that still has its marker.
var errUnfinished = errors.New("it was not finished")

// release is one folder of the releases folder.
type release struct {
	name    string
	dir     string   // path on this host
	receipt *Receipt // nil when it is not complete, and of legacy
	fault   error    // why it is not complete; nil for a whole one
	unread  bool     // the disk did not say: it may be whole
}

// installed is all that is below a base.
type installed struct {
	releases []*release // by name; legacy too
	active   string     // name of the release that the link names; empty: none
	history  history
	real     bool   // the base is a real folder, of older scripts
	foreign  string // where the base's link goes when that is no release

	historyFault error // why the history could not be read
}

func (s *installed) find(name string) *release {
	for _, r := range s.releases {
		if r.name == name {
			return r
		}
	}
	return nil
}

// complete says whether a release can be switched to.
func (r *release) complete() bool { return r != nil && r.fault == nil }

// read finds what is installed. A release that is not complete is found too,
// with its fault.
func (i *Installation) read() (*installed, error) {
	s := &installed{}
	// A link here would lead out of an image, or to what is not ours.
	if info, err := os.Lstat(i.releases); err == nil && !info.IsDir() {
		return nil, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("read the releases: %s is no folder: move it away, or use another --base-dir", i.node.Inside(i.releases)))
	}
	entries, err := os.ReadDir(i.releases)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the releases: %w", err)
	}
	for _, e := range entries {
		if r := i.readRelease(e); r != nil {
			s.releases = append(s.releases, r)
		}
	}
	s.history, s.historyFault = readHistory(i.releases)
	target, err := os.Readlink(i.link)
	switch info, statErr := os.Lstat(i.link); {
	case err == nil:
		if s.active = i.releaseOf(target); s.active == "" {
			s.foreign = target
		}
	case statErr == nil && info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("read the base: %w", err)
	case statErr == nil && info.IsDir():
		s.real = true
	case statErr != nil && !errors.Is(statErr, fs.ErrNotExist):
		return nil, fmt.Errorf("read the base: %w", statErr)
	}
	return s, nil
}

// releaseOf is the release that a link's text names, empty for any other.
func (i *Installation) releaseOf(target string) string {
	dir, name := filepath.Split(target)
	if filepath.Clean(dir) != filepath.Base(i.releases) || !releaseName.MatchString(name) && name != legacyRelease {
		return ""
	}
	return name
}

// linkText is the relative text of the link to a release.
func (i *Installation) linkText(name string) string {
	return filepath.Join(filepath.Base(i.releases), name)
}

func (i *Installation) readRelease(e fs.DirEntry) *release {
	r := &release{name: e.Name(), dir: filepath.Join(i.releases, e.Name())}
	if r.name == legacyRelease {
		if !e.IsDir() {
			return nil // half of an exchange: swept by the next run
		}
		return r
	}
	if !releaseName.MatchString(r.name) || !e.IsDir() {
		return nil
	}
	switch _, err := os.Lstat(filepath.Join(r.dir, marker)); {
	case err == nil:
		r.fault = errUnfinished
		return r
	case !errors.Is(err, fs.ErrNotExist):
		r.fault, r.unread = err, true
		return r
	}
	data, err := readSmall(filepath.Join(r.dir, receiptName), manifest.MaxYAML)
	r.unread = diskFault(err)
	if err == nil {
		r.receipt, err = ParseReceipt(data)
	}
	if err == nil && r.receipt.Release != r.name {
		err = fmt.Errorf("its receipt is that of %s", r.receipt.Release)
	}
	r.fault = err
	return r
}

// diskFault says whether a disk or the permissions kept something from being
// read: what is not there, or is something else, is no fault of theirs.
func diskFault(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && errno != syscall.ENOENT && errno != syscall.ENOTDIR && errno != syscall.EINVAL
}

// roleWord is how a release's name says its roles.
func roleWord(roles []manifest.Role) string {
	if len(roles) == 1 {
		return string(roles[0])
	}
	return "both"
}

// freeName is the name of a release to be made: the plain one, or one with a
// number where a release has it that must not be touched.
func (s *installed) freeName(id string, roles []manifest.Role) string {
	plain := id + "-" + roleWord(roles)
	name := plain
	for n := 1; s.find(name).complete() || name == s.active; n++ {
		name = plain + "." + strconv.Itoa(n)
	}
	return name
}

// same are the complete releases of a bundle with these roles, the active one
// first, the newest next.
func (s *installed) same(digest string, roles []manifest.Role) []*release {
	var found []*release
	for _, r := range s.releases {
		if r.complete() && r.of(digest) && roleWord(r.receipt.Roles) == roleWord(roles) && len(r.receipt.Roles) == len(roles) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b *release) int {
		switch {
		case a.name == s.active:
			return -1
		case b.name == s.active:
			return 1
		}
		return b.receipt.Installed.Compare(a.receipt.Installed)
	})
	return found
}

// unreadable says what the disk did not give out: a release that may be whole,
// or the history, which would forget what was newest if it were written anew.
func (s *installed) unreadable() error {
	for _, r := range s.releases {
		if r.unread {
			return fmt.Errorf("read release %s: %w", r.name, r.fault)
		}
	}
	if diskFault(s.historyFault) {
		return s.historyFault
	}
	return nil
}

// sweep removes what earlier runs left half done, and says what it was. Where
// something could not be read nobody knows what is: then nothing is done.
func (i *Installation) sweep(s *installed) error {
	if err := s.unreadable(); err != nil {
		return err
	}
	return i.sweepAll(s)
}

// sweepAll is sweep for who wants no release to stay.
func (i *Installation) sweepAll(s *installed) error {
	folders := []string{filepath.Dir(i.link), i.releases}
	for _, p := range []string{repositoryFile, programLinks[0], programLinks[1], policy.TrustFile} {
		host, err := i.node.Path(p)
		if err != nil {
			return err
		}
		folders = append(folders, filepath.Dir(host))
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		if err := i.sweepFolder(folder); err != nil {
			return err
		}
	}
	for _, r := range s.releases {
		if r.complete() || r.name == s.active {
			if err := i.sweepFolder(r.dir); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(i.node.Log(), "swept %s: %v\n", r.name, r.fault)
		if err := node.RemoveFolder(r.dir); err != nil {
			return err
		}
	}
	s.releases = slices.DeleteFunc(s.releases, func(r *release) bool { return !r.complete() && r.name != s.active })
	legacy := filepath.Join(i.releases, legacyRelease)
	if info, err := os.Lstat(legacy); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return node.Remove(legacy)
	}
	return nil
}

func (i *Installation) sweepFolder(folder string) error {
	names, err := node.Sweep(folder)
	if len(names) > 0 {
		fmt.Fprintf(i.node.Log(), "swept %s from %s\n", strings.Join(names, ", "), folder)
	}
	return err
}
