package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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
	trustFolder    = "/etc/fapolicyd/trust.d/patroni-airgap"
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
// every release, so it may come before the switch.
func (i *Installation) outside(secureLacksLocal bool) error {
	if err := i.writeRepository(); err != nil {
		return err
	}
	for n, link := range programLinks {
		if n == 1 && !secureLacksLocal {
			continue
		}
		if err := i.linkProgram(link); err != nil {
			return err
		}
	}
	return nil
}

func (i *Installation) writeRepository() error {
	host, err := i.node.Path(repositoryFile)
	if err != nil {
		return err
	}
	text := i.repositoryText()
	now, err := readSmall(host, manifest.MaxYAML)
	switch {
	case err == nil && string(now) == string(text):
		return nil
	case err == nil && !i.ours(now):
		if err := node.WriteFile(filepath.Join(i.releases, legacyText), now, 0o644); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the repository file: %w", err)
	}
	if err := node.MakeFolders(filepath.Dir(host)); err != nil {
		return err
	}
	return node.WriteFile(host, text, 0o644)
}

// ours says whether a repository file was written here, for whatever base.
func (i *Installation) ours(text []byte) bool {
	first, _, _ := strings.Cut(string(i.repositoryText()), "\n")
	return strings.HasPrefix(string(text), first+"\n")
}

// linkProgram makes a link to the program. Something of that name that is not
// our link is left alone, and told.
func (i *Installation) linkProgram(link string) error {
	host, err := i.node.Path(link)
	if err != nil {
		return err
	}
	want := path.Join(i.base, programName)
	target, err := os.Readlink(host)
	switch {
	case err == nil && target == want:
		return nil
	case err == nil && path.Base(target) != programName, err != nil && !errors.Is(err, fs.ErrNotExist):
		i.progress.Note(fmt.Sprintf("%s is there already and not ours: it was left as it is", link))
		return nil
	}
	if err := node.MakeFolders(filepath.Dir(host)); err != nil {
		return err
	}
	return node.Link(want, host)
}

// foundBase is the base of what is installed already, by the link to the
// program, else the default.
func (i *Installation) foundBase() string {
	for _, link := range programLinks {
		host, err := i.node.Path(link)
		if err != nil {
			continue
		}
		target, err := os.Readlink(host)
		if err == nil && path.IsAbs(target) && path.Base(target) == programName && path.Dir(target) != "/" {
			return path.Clean(path.Dir(target))
		}
	}
	return DefaultBase
}

// switchTo makes a release the active one in one step, and then notes it. A
// folder of older scripts in the link's place is kept as the release legacy.
func (i *Installation) switchTo(s *installed, name string) error {
	switch {
	case s.active == name:
	case s.real:
		if err := i.exchangeLegacy(name); err != nil {
			return err
		}
	default:
		node.Fault("switch")
		if err := node.Link(i.linkText(name), i.link); err != nil {
			return fmt.Errorf("switch to release %s: %w", name, err)
		}
	}
	node.Fault("switched")
	s.history.note(s.active, i.now())
	if s.real {
		s.history.note(legacyRelease, i.now())
	}
	fmt.Fprintf(i.log, "active: %s, before: %s\n", name, s.active)
	s.active, s.real = name, false
	s.history.note(name, i.now())
	return s.history.write(i.releases)
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
	if err := node.Exchange(legacy, i.link); err != nil {
		return errors.Join(err, node.Remove(legacy))
	}
	return nil
}
