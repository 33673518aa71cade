package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Places of a node outside the base, as the node names them.
const (
	repositoryFile = "/etc/yum.repos.d/patroni-airgap.repo"
	repositoryID   = "patroni-airgap"
	keyFile        = "rpms/keys/RPM-GPG-KEY-patroni-airgap"
	programName    = "pgbundle"
	legacyText     = "legacy.repo" // in the releases folder: what older scripts had as repository file
)

// programLinks are where the program is found: for everybody, and for sudo
// whose secure_path does not know the former.
var programLinks = []string{"/usr/local/bin/" + programName, "/usr/bin/" + programName}

// repositoryText is the same for every release: all in it goes through the
// link. It is not enabled, so that a dnf update of the node does not see it;
// module_hotfixes lets its packages stand beside modular ones; the metadata
// expire at once, since a rollback changes them under the same address. They
// carry no OpenPGP signature: each package has one, and the manifest names them.
func (i *Installation) repositoryText() []byte {
	return fmt.Appendf(nil, `# Written by pgbundle install; the same for every release.
# To use it: dnf --disablerepo='*' --enablerepo=%[1]s install …
[%[1]s]
name=PostgreSQL high availability, carried here by pgbundle
baseurl=file://%[2]s/rpms
enabled=0
gpgcheck=1
repo_gpgcheck=0
gpgkey=file://%[2]s/%[3]s
module_hotfixes=1
metadata_expire=1
skip_if_unavailable=0
`, repositoryID, i.base, keyFile)
}

// outside puts what lies outside the base in its place. It is the same for
// every release, so it may come before the switch. Undo takes it back, as far
// as it was done, and can be called also after an error.
func (i *Installation) outside() (undo func() error, err error) {
	var steps []func() error
	undo = func() error {
		var errs []error
		for n := len(steps) - 1; n >= 0; n-- {
			errs = append(errs, steps[n]())
		}
		return errors.Join(errs...)
	}
	back, err := i.writeRepository()
	steps = append(steps, back)
	if err != nil {
		return undo, err
	}
	for n, link := range programLinks {
		if n == 1 && !i.secureLacksLocal {
			continue
		}
		back, err := i.linkProgram(link)
		steps = append(steps, back)
		if err != nil {
			return undo, err
		}
	}
	return undo, nil
}

func nothing() error { return nil }

// writeRepository writes the repository file. That of older scripts is kept,
// for a rollback to what they placed.
func (i *Installation) writeRepository() (undo func() error, err error) {
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return nothing, err
	}
	text := i.repositoryText()
	before, err := readSmall(host, manifest.MaxYAML)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		undo = func() error { return node.Remove(host) }
	case err != nil:
		return nothing, fmt.Errorf("write the repository file: %w", err)
	case string(before) == string(text):
		return nothing, nil
	default:
		undo = func() error { return node.WriteFile(host, before, 0o644) }
		if err := i.keepRepository(before); err != nil {
			return nothing, err
		}
	}
	if err := node.MakeFolders(filepath.Dir(host)); err != nil {
		return nothing, err
	}
	return undo, node.WriteFile(host, text, 0o644)
}

// keepRepository keeps a repository file that older scripts wrote. The first
// one is theirs; another may be what somebody made of ours.
func (i *Installation) keepRepository(text []byte) error {
	kept := filepath.Join(i.releases, legacyText)
	if _, err := os.Lstat(kept); err == nil || i.ours(text) {
		return nil
	}
	return node.WriteFile(kept, text, 0o644)
}

// ours says whether a repository file was written here, for whatever base.
func (i *Installation) ours(text []byte) bool {
	first, _, _ := strings.Cut(string(i.repositoryText()), "\n")
	return strings.HasPrefix(string(text), first+"\n")
}

// linkProgram makes a link to the program. Something of that name that is not
// our link is left alone, and told.
func (i *Installation) linkProgram(link string) (undo func() error, err error) {
	host, err := i.node.Path(link)
	if err != nil {
		return nothing, err
	}
	want := path.Join(i.base, programName)
	target, err := os.Readlink(host)
	switch {
	case diskFault(err):
		return nothing, fmt.Errorf("link %s: %w", link, err)
	case err == nil && target == want:
		return nothing, nil
	case err == nil && i.baseOf(target) != "":
		undo = func() error { return node.Link(target, host) }
	case errors.Is(err, fs.ErrNotExist):
		undo = func() error { return node.Remove(host) }
	default:
		i.progress.Note(fmt.Sprintf("%s is there already and not ours: it was left as it is", link))
		return nothing, nil
	}
	if err := node.MakeFolders(filepath.Dir(host)); err != nil {
		return nothing, err
	}
	return undo, node.Link(want, host)
}

// baseOf is the base that a link to the program goes through; empty when the
// link is not one that install made. A base is known by what lies beside it,
// so that one whose uninstall was killed is found too.
func (i *Installation) baseOf(target string) string {
	base := path.Dir(target)
	if path.Base(target) != programName || !plainPath.MatchString(base) || path.Clean(base) != base || base == "/" {
		return ""
	}
	host, err := i.node.Path(base)
	if err != nil {
		return ""
	}
	if info, err := os.Lstat(host); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return "" // a folder of somebody's
	}
	entries, err := os.ReadDir(host + ".d")
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if releaseName.MatchString(e.Name()) || e.Name() == historyName {
			return base
		}
	}
	return ""
}

// foundBase is the base of what is installed already, by the link to the
// program, else the default.
func (i *Installation) foundBase() string {
	for _, link := range programLinks {
		host, err := i.node.Path(link)
		if err != nil {
			continue
		}
		if target, err := os.Readlink(host); err == nil {
			if base := i.baseOf(target); base != "" {
				return base
			}
		}
	}
	return DefaultBase
}

// elsewhere is another base that something is installed below, by the link to
// the program or by the repository file: a node has one of each, and so has room
// for one base. It is empty when there is none.
func (i *Installation) elsewhere() string {
	var bases []string
	for _, link := range programLinks {
		if host, err := i.node.Path(link); err == nil {
			target, _ := os.Readlink(host)
			bases = append(bases, i.baseOf(target))
		}
	}
	if host, err := i.node.Path(repositoryFile); err == nil {
		text, _ := readSmall(host, manifest.MaxYAML)
		if found := repositoryBase.FindSubmatch(text); found != nil {
			bases = append(bases, i.baseOf(path.Join(string(found[1]), programName)))
		}
	}
	for _, base := range bases {
		// It may be this one by another way.
		if host, err := i.node.Path(base); base != "" && err == nil && host != i.link {
			return base
		}
	}
	return ""
}

// repositoryBase finds the base in a repository file.
var repositoryBase = regexp.MustCompile(`(?m)^baseurl=file://(/.*)/rpms/?$`)

// switchTo makes a release the active one in one step, and then notes it. A
// folder of older scripts in the link's place is kept as the release legacy.
func (i *Installation) switchTo(s *installed, name string) error {
	var err error
	switch {
	case s.active == name:
	case s.real:
		err = i.exchangeLegacy(name)
	default:
		node.Fault("switch")
		if err = node.Link(i.linkText(name), i.link); err != nil {
			err = fmt.Errorf("switch to release %s: %w", name, err)
		}
	}
	if err != nil {
		// The disk may have failed after the step itself: the link is the truth.
		if target, readErr := os.Readlink(i.link); readErr == nil && target == i.linkText(name) {
			s.active, s.real = name, false
		}
		return err
	}
	node.Fault("switched")
	if s.active != name {
		s.history.note(s.active, i.now())
	}
	if s.real || s.exchanged() {
		s.history.note(legacyRelease, i.now())
	}
	fmt.Fprintf(i.log, "active: %s, before: %s\n", name, s.active)
	s.active, s.real = name, false
	s.history.note(name, i.now())
	return s.history.write(i.releases)
}

// exchanged says whether a run that was killed has put away the folder of older
// scripts and not noted it.
func (s *installed) exchanged() bool {
	n := len(s.history.Activations)
	noted := n > 0 && s.history.Activations[n-1].Release == s.active
	return !noted && s.find(legacyRelease) != nil && !slices.Contains(s.history.former(""), legacyRelease)
}

// exchangeLegacy swaps the real folder in the base's place with a link to a
// release, in one step.
func (i *Installation) exchangeLegacy(name string) error {
	legacy := filepath.Join(i.releases, legacyRelease)
	if _, err := os.Lstat(legacy); err == nil {
		return fmt.Errorf("keep %s as %s: there is one already: remove it, or move it away, then install again", i.base, i.inRelease(legacyRelease))
	}
	if err := os.Symlink(i.linkText(name), legacy); err != nil {
		return fmt.Errorf("switch to release %s: %w", name, err)
	}
	node.Fault("legacy prepared")
	err := node.Exchange(legacy, i.link)
	if info, statErr := os.Lstat(legacy); err != nil && statErr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return errors.Join(err, node.Remove(legacy)) // it was not swapped
	}
	return err
}
