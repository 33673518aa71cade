package pypi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// OpenLinks returns what pip's --find-links finds at an address: a page of
// links to files of any projects, a folder of files (its subfolders are not
// looked into, HTML files in it are such pages), or one file. Errors are of
// class manifest.ErrUsage.
func OpenLinks(client Getter, address string) (Index, error) {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return openLinksPage(client, u), nil
	}
	name := address
	if err == nil && u.Scheme == "file" {
		name = u.Path
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: find-links %s: neither an address nor a folder: %w", manifest.ErrUsage, fetch.Redact(address), err)
	}
	if name, err = filepath.Abs(name); err != nil {
		return nil, fmt.Errorf("find-links %s: %w", name, err)
	}
	switch {
	case info.IsDir():
		return openFlat(client, name)
	case isPage(name):
		return openLinksPage(client, &url.URL{Scheme: "file", Path: filepath.ToSlash(name)}), nil
	}
	return OpenTree(dirTree(filepath.Dir(name)), []string{filepath.Base(name)}), nil
}

// openLinksPage returns the index of a page, or of the file that an address is
// of.
func openLinksPage(client Getter, u *url.URL) Index {
	page := *u
	page.User, page.Fragment, page.RawFragment = nil, "", ""
	return &httpIndex{client: client, base: &page, user: u.User, links: true}
}

// openFlat returns the index of the files of a folder and of the pages in it.
func openFlat(client Getter, folder string) (Index, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list folder of packages: %w", err)
	}
	var files []string
	var pages []Place
	for _, e := range entries {
		name := e.Name()
		switch {
		case isPage(name):
			at := filepath.Join(folder, name)
			pages = append(pages, Place{Index: openLinksPage(client, &url.URL{Scheme: "file", Path: filepath.ToSlash(at)})})
		case strings.HasSuffix(name, ".whl"), strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".zip"):
			files = append(files, name)
		}
	}
	index := OpenTree(dirTree(folder), files)
	if len(pages) == 0 {
		return index, nil
	}
	return Join(append([]Place{{Index: index}}, pages...)...), nil
}

// isPage says whether pip takes a local file for a page.
func isPage(name string) bool {
	suffix := strings.ToLower(path.Ext(name))
	return suffix == ".html" || suffix == ".htm"
}

// fromLinks picks the files of a project off a page of links.
func (x *httpIndex) fromLinks(ctx context.Context, name string) (*Page, error) {
	if _, _, _, err := identify(path.Base(x.base.Path), ""); err == nil {
		return x.only(name)
	}
	all, err := x.pages.do("", func() (*Page, error) { return x.read(ctx, "", x.base) })
	if errors.Is(err, fs.ErrNotExist) {
		// Of a page it would only say that the project is elsewhere.
		return nil, fmt.Errorf("read page of links: %v", err)
	}
	if err != nil {
		return nil, err
	}
	page := &Page{Name: name}
	for _, f := range all.Files {
		if project, _, _, err := identify(f.Filename, name); err == nil && project == name {
			own := *f
			own.Project = name
			page.Files = append(page.Files, &own)
		}
	}
	if len(page.Files) == 0 {
		return nil, fmt.Errorf("look up %s: the page of links has no file of it: %w", name, fs.ErrNotExist)
	}
	return page, nil
}

// only is the page of the one file that an address is of, when it is the
// project's.
func (x *httpIndex) only(name string) (*Page, error) {
	f := &File{Project: name, Filename: path.Base(x.base.Path), Size: -1, link: x.base.String()}
	if project, _, _, err := identify(f.Filename, name); err != nil || project != name {
		return nil, fmt.Errorf("look up %s: the file is of another project: %w", name, fs.ErrNotExist)
	}
	f.setURL(x.base)
	return &Page{Name: name, Files: []*File{f}}, nil
}
