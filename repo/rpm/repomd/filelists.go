package repomd

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"pgbundle/repo/rpm"
)

// LoadFiles reads the file lists of repositories and gives the packages of the
// pool the paths that dependencies name and primary does not list, see
// rpm.Pool.NeedFiles, and those that are asked for: paths, or globs in the sense
// of rpm.Match. A repository without file lists has no such path. The pool is
// left to be prepared again.
func LoadFiles(ctx context.Context, pool *rpm.Pool, repos []*Repository, asked ...string) error {
	named := make(map[string]bool)
	for _, s := range pool.NamedPaths() {
		named[pool.String(s)] = true
	}
	var globs []string
	for _, path := range asked {
		if rpm.IsGlob(path) {
			globs = append(globs, path)
			continue
		}
		pool.InternString(path) // so that packages are found by it
		named[path] = true
	}
	var errs []error
	for _, r := range repos {
		d, ok := r.Index.Find("filelists")
		if !ok {
			continue
		}
		if err := r.loadFiles(ctx, newOwners(pool, r, named, globs), d); err != nil {
			errs = append(errs, fmt.Errorf("read filelists of %s: %w", r.Name, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	pool.FilesLoaded()
	return nil
}

func (r *Repository) loadFiles(ctx context.Context, o *owners, d *Data) error {
	f, err := openData(ctx, r.tree, d)
	if err != nil {
		return err
	}
	defer f.Close()
	b := readBlocks(ctx, f, "</package>")
	t := &filesTokenizer{owners: o}
	err = readAllBlocks(b, t.block)
	if err == nil && !t.done {
		err = errUnusual
	}
	b.close()
	if err = f.verify(err); !errors.Is(err, errUnusual) {
		return err
	}
	again, err := openData(ctx, r.tree, d)
	if err != nil {
		return err
	}
	defer again.Close()
	return again.verify(parseFilesXML(again, o, o.finished))
}

// owners gives packages their paths. Both readers of file lists drive it.
type owners struct {
	pool     *rpm.Pool
	named    map[string]bool
	globs    []string
	repo     *Repository
	expected rpm.ID            // file lists follow the order of primary
	bySum    map[string]rpm.ID // made when they do not
	id       rpm.ID            // 0: not a package of the pool
	finished int               // packages that ended
}

func newOwners(pool *rpm.Pool, r *Repository, named map[string]bool, globs []string) *owners {
	return &owners{pool: pool, named: named, globs: globs, repo: r, expected: r.First}
}

// start begins the list of a package, by its checksum.
func (o *owners) start(pkgid []byte) {
	end := o.repo.First + rpm.ID(o.repo.Packages)
	if o.expected < end && o.pool.String(o.pool.Package(o.expected).Checksum) == string(pkgid) {
		o.id = o.expected
		o.expected++
		return
	}
	if o.bySum == nil {
		o.bySum = make(map[string]rpm.ID, o.repo.Packages)
		for id := o.repo.First; id < end; id++ {
			o.bySum[o.pool.String(o.pool.Package(id).Checksum)] = id
		}
	}
	o.id = o.bySum[string(pkgid)]
	if o.id != 0 {
		o.expected = o.id + 1
	}
}

func (o *owners) path(path []byte) {
	if o.id != 0 && (o.named[string(path)] || o.fitsGlob(path)) {
		o.pool.AddFile(o.id, path)
	}
}

func (o *owners) fitsGlob(path []byte) bool {
	for _, g := range o.globs {
		if rpm.Match(g, string(path)) {
			return true
		}
	}
	return false
}

func (o *owners) end() {
	o.finished++
	o.id = 0
}

// filesTokenizer reads file lists as createrepo_c writes them.
type filesTokenizer struct {
	segments
	*owners
	inPackage, rooted, done bool
}

const filesRoot = `<filelists xmlns="http://linux.duke.edu/metadata/filelists"`

func (t *filesTokenizer) block(text []byte) error {
	if err := t.begin(text); err != nil {
		return err
	}
	for seg := t.next(); seg != nil; seg = t.next() {
		var err error
		if t.inPackage {
			err = t.inside(seg)
		} else {
			err = t.outside(seg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *filesTokenizer) outside(seg []byte) error {
	switch {
	case t.done:
		return errUnusual
	case t.rooted && hasPrefix(seg, "<package "):
		var v [3][]byte
		if _, err := t.attributes(seg[len("<package"):], packageAttrs, ">", &v); err != nil {
			return err
		}
		t.inPackage = true
		t.start(v[0])
	case t.rooted && hasPrefix(seg, "</filelists>"):
		t.done = true
	case !t.rooted && isDeclaration(seg):
	case !t.rooted && hasPrefix(seg, filesRoot) && onlyCount(seg[len(filesRoot):]):
		t.rooted = true
	default:
		return errUnusual
	}
	return nil
}

var packageAttrs = []string{"pkgid", "name", "arch"}

func (t *filesTokenizer) inside(seg []byte) error {
	for _, open := range [...]string{"<file>", `<file type="dir">`, `<file type="ghost">`} {
		if hasPrefix(seg, open) {
			path, err := t.content(seg[len(open):], "</file>")
			if err == nil {
				t.path(path)
			}
			return err
		}
	}
	switch {
	case hasPrefix(seg, "</package>"):
		t.inPackage = false
		t.end()
		return nil
	case hasPrefix(seg, "<version "):
		var v [3][]byte
		_, err := t.attributes(seg[len("<version"):], versionAttrs, "/>", &v)
		return err
	}
	return errUnusual
}

// parseFilesXML reads file lists with encoding/xml, after the first skip
// packages.
func parseFilesXML(r io.Reader, o *owners, skip int) error {
	x := newXMLReader(r)
	if err := x.root("filelists"); err != nil {
		return err
	}
	o.id = 0
	inPackage := false
	for {
		tok, err := x.token()
		if tok == nil || err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch {
			case tok.Name.Local == "package" && !inPackage:
				inPackage = true
				if skip == 0 {
					o.start(attr(tok, "pkgid"))
				}
			case tok.Name.Local == "file" && inPackage:
				path, err := x.content()
				if err != nil {
					return err
				}
				o.path(path)
			}
		case xml.EndElement:
			if tok.Name.Local == "package" && inPackage {
				inPackage = false
				if skip > 0 {
					skip--
				} else {
					o.end()
				}
			}
		}
	}
}
