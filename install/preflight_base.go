package install

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Place is what is at the base of a node, and where its releases will lie.
type Place struct {
	Kind     PlaceKind
	Target   string    // of a link, as it is written
	Releases PlaceKind // what is where the releases folder will be
	Folder   string    // the nearest folder that exists on the way to the releases, links followed; node's path
	Older    bool      // a folder at Base has what older scripts placed
	Legacy   bool      // a former folder is kept already
	Loose    string    // a folder on the way that others than root may change; empty: none
}

// PlaceKind is the sort of what is at a path.
type PlaceKind string

const (
	PlaceFree      PlaceKind = ""          // nothing is there
	PlaceRelease   PlaceKind = "release"   // a link to a release of ours
	PlaceElsewhere PlaceKind = "elsewhere" // a link to something else
	PlaceFolder    PlaceKind = "folder"
	PlaceFile      PlaceKind = "file" // or a socket, a device
)

// Look says what is at a base of a node. It changes nothing.
func Look(n *node.Node, base string) (Place, error) {
	var p Place
	link, err := n.Path(base)
	if err != nil {
		return p, err
	}
	if p.Kind, p.Target, err = kindOf(link, filepath.Base(link)+".d"); err != nil {
		return p, fmt.Errorf("look at %s: %w", base, err)
	}
	if p.Kind == PlaceFolder {
		if p.Older, err = older(link); err != nil {
			return p, fmt.Errorf("look at %s: %w", base, err)
		}
	}
	releases := link + ".d"
	if p.Releases, _, err = kindOf(releases, ""); err != nil {
		return p, fmt.Errorf("look at %s.d: %w", base, err)
	}
	if info, err := os.Lstat(filepath.Join(releases, legacyRelease)); err == nil {
		p.Legacy = info.Mode()&fs.ModeSymlink == 0 // a link is half of an exchange, and will be swept
	}
	at := releases
	if p.Releases != PlaceFolder {
		for at = filepath.Dir(at); at != filepath.Dir(at); at = filepath.Dir(at) {
			if info, err := os.Stat(at); err == nil && info.IsDir() {
				break
			}
		}
	}
	if p.Folder, err = n.Real(n.Inside(at)); err != nil {
		return p, err
	}
	p.Folder = n.Inside(p.Folder)
	if p.Loose, err = loose(n, p.Folder); err != nil || p.Loose != "" {
		return p, err
	}
	p.Loose, err = looseWritten(n, base)
	return p, err
}

// older says whether a folder looks like what older scripts made.
func older(folder string) (bool, error) {
	for _, name := range []string{"rpms", "wheels", "etcd"} {
		if info, err := os.Lstat(filepath.Join(folder, name)); diskFault(err) {
			return false, err
		} else if err == nil && info.IsDir() {
			return true, nil
		}
	}
	return false, nil
}

// looseWritten is loose for the way as it is written: the repository file and
// the program's link go by it, and each link on it can lead elsewhere later.
func looseWritten(n *node.Node, base string) (string, error) {
	for at := path.Dir(base); at != "/"; at = path.Dir(at) {
		host, err := n.Path(at)
		if err != nil {
			return "", err
		}
		holder := filepath.Dir(host)
		if _, err := os.Stat(holder); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if found, err := loose(n, n.Inside(holder)); err != nil || found != "" {
			return found, err
		}
	}
	return "", nil
}

// kindOf says what is at a path of this host. A link is ours when it leads to
// a folder directly below releases, in relative words.
func kindOf(name, releases string) (PlaceKind, string, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return PlaceFree, "", nil
	case err != nil:
		return PlaceFree, "", err
	case info.IsDir():
		return PlaceFolder, "", nil
	case info.Mode()&fs.ModeSymlink == 0:
		return PlaceFile, "", nil
	}
	target, err := os.Readlink(name)
	if err != nil {
		return PlaceFree, "", err
	}
	if releases != "" && path.Dir(path.Clean(target)) == releases {
		return PlaceRelease, target, nil
	}
	return PlaceElsewhere, target, nil
}

// loose finds the first folder on the way to a path that somebody else than
// root may change: who may rename it decides what root runs.
func loose(n *node.Node, folder string) (string, error) {
	at := "/"
	for _, name := range append([]string{""}, strings.Split(strings.Trim(folder, "/"), "/")...) {
		at = path.Join(at, name)
		host, err := n.Real(at)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(host)
		if err != nil {
			return "", fmt.Errorf("look at %s: %w", at, err)
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		mode := info.Mode()
		others := mode&0o002 != 0 || mode&0o020 != 0 && owner.Gid != 0
		if owner.Uid != 0 || others && mode&fs.ModeSticky == 0 {
			return at, nil
		}
	}
	return "", nil
}

const otherBase = "choose another place with --base-dir"

// base looks at what the link has to replace.
func (p *preflight) base() {
	t := p.w.There
	if p.w.Other != "" {
		p.add(SeverityError, "base", "install there, without --base-dir; or take that away first: pgbundle uninstall --base-dir "+p.w.Other,
			"there is an installation below %s already, and a node has one: its repository file and the link to its program would be taken from it", p.w.Other)
	}
	switch t.Kind {
	case PlaceFolder:
		switch {
		case !t.Older:
			p.add(SeverityError, "base", "move it away, or choose another place: --base-dir names what is to become a link, as "+DefaultBase+" does",
				"%s is a folder, and not one that older scripts made", p.w.Base)
		case p.isMount(p.w.Base):
			p.add(SeverityError, "base", "unmount it, or mount it at "+p.w.Base+".d instead; or "+otherBase,
				"%s is a mount point: it cannot be exchanged for a link", p.w.Base)
		case t.Legacy:
			p.add(SeverityError, "base", "remove "+p.w.Base+".d/"+legacyRelease+", or move it away",
				"%s is a folder, and an earlier one is kept as release %s already", p.w.Base, legacyRelease)
		case p.isMount(p.w.Base + ".d"):
			p.add(SeverityError, "base", "move "+p.w.Base+" away; or "+otherBase,
				"%s is a folder, and %s.d is another file system: the two cannot be exchanged", p.w.Base, p.w.Base)
		default:
			p.add(SeverityNote, "base", "", "%s is a folder of older scripts: it will be exchanged for a link and kept as release %s", p.w.Base, legacyRelease)
		}
	case PlaceFile:
		p.add(SeverityError, "base", "move it away, or "+otherBase, "%s is a file", p.w.Base)
	case PlaceElsewhere:
		p.add(SeverityError, "base", "remove the link, or "+otherBase, "%s is a link to %s, which is no release of pgbundle", p.w.Base, t.Target)
	}
	if t.Releases == PlaceFile || t.Releases == PlaceElsewhere {
		p.add(SeverityError, "base", "move it away, or "+otherBase, "%s.d is no folder: releases are to lie in it", p.w.Base)
	}
	if t.Loose != "" && !p.w.Image {
		p.add(SeverityError, "base", "chown root "+t.Loose+" and chmod go-w it, or "+otherBase,
			"others than root may change %s, and so what root will run", t.Loose)
	}
}

func (p *preflight) isMount(name string) bool {
	return slices.ContainsFunc(p.n.Disks, func(d manifest.Disk) bool { return d.Mount == name })
}

// disk is the file system that a folder lies on; nil: not known.
func (p *preflight) disk(folder string) *manifest.Disk {
	var best *manifest.Disk
	for i, d := range p.n.Disks {
		inside := d.Mount == "/" || folder == d.Mount || strings.HasPrefix(folder, d.Mount+"/")
		if inside && (best == nil || len(d.Mount) > len(best.Mount)) {
			best = &p.n.Disks[i]
		}
	}
	return best
}

// home is the file system that the releases will lie on.
func (p *preflight) home() *manifest.Disk {
	return p.disk(cmp.Or(p.w.There.Folder, p.w.Base+".d"))
}

// mounts holds that programs can be placed and run there, and that the link
// can be made.
func (p *preflight) mounts() {
	home := p.home()
	if home == nil || p.w.Image {
		return // space tells that it is not known
	}
	const way = otherBase + ", or remount it"
	if slices.Contains(home.Options, "noexec") {
		p.add(SeverityError, "mount", way, "%s.d lies on %s, which is mounted noexec: no program can be run there", p.w.Base, home.Mount)
	}
	if slices.Contains(home.Options, "ro") {
		p.add(SeverityError, "mount", way, "%s.d lies on %s, which is mounted read-only", p.w.Base, home.Mount)
	}
	if link := p.disk(path.Dir(p.w.Base)); link != nil && link != home && slices.Contains(link.Options, "ro") {
		p.add(SeverityError, "mount", way, "%s lies on %s, which is mounted read-only", p.w.Base, link.Mount)
	}
}

// space holds that the release fits.
func (p *preflight) space() {
	d := p.home()
	if d == nil || d.Space == nil {
		fact := "disks"
		if d != nil {
			fact += " " + d.Mount
		}
		p.unknown("space", fact)
		return
	}
	s := d.Space
	if s.Free < p.w.Need {
		p.add(SeverityError, "space", fmt.Sprintf("free %s, or %s", megabytes(p.w.Need-s.Free), otherBase),
			"the release needs %s, and %s has %s free", megabytes(p.w.Need), d.Mount, megabytes(s.Free))
	}
	if s.Inodes > 0 && s.FreeInodes < p.w.Inodes {
		p.add(SeverityError, "inodes", "remove files, or "+otherBase,
			"the release needs %d inodes, and %s has %d free", p.w.Inodes, d.Mount, s.FreeInodes)
	}
}

// megabytes writes a size, rounded up.
func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+999_999)/1_000_000) }
