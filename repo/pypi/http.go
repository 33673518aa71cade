package pypi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/sdist"
)

// Getter reads from addresses; *fetch.Client is one.
type Getter interface {
	Get(ctx context.Context, urls []string, o fetch.GetOptions) (*fetch.Response, error)
	Open(ctx context.Context, urls []string) (io.ReadCloser, error)
	ReadRange(ctx context.Context, urls []string, off, n int64) (*fetch.Piece, error)
	Fetch(ctx context.Context, want fetch.Want, urls []string, progress func(n int64)) (string, error)
	Cached(sha256 string) (path string, ok bool)
	FetchUnknown(ctx context.Context, urls []string, maxBytes int64) (path, sha256 string, size int64, err error)
}

// accept asks for JSON and takes HTML (PEP 691, "Version + Format Selection").
const accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

// maxWheel bounds a wheel that is fetched for its metadata, in bytes.
const maxWheel = 4 << 30

// Open returns the index at an address: a simple index over http, https or
// file://, without the project's name, or the path of a folder of files.
func Open(client Getter, address string) (Index, error) {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "file") {
		if u.Scheme == "file" {
			if info, err := os.Stat(u.Path); err == nil && info.IsDir() && !hasPages(u.Path) {
				return openDir(u.Path)
			}
		}
		user := u.User
		u.User, u.Fragment = nil, ""
		return &httpIndex{client: client, base: u, user: user}, nil
	}
	info, err := os.Stat(address)
	if err != nil {
		return nil, fmt.Errorf("%w: index %s: neither an address nor a folder: %w", manifest.ErrUsage, fetch.Redact(address), err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: index %s: not a folder", manifest.ErrUsage, address)
	}
	return openDir(address)
}

// hasPages says whether a folder is a simple index on disk: it has pages in
// folders, and its own files are no packages.
func hasPages(folder string) bool {
	pages, err := fs.Glob(os.DirFS(folder), "*/index.html")
	return err == nil && len(pages) > 0
}

// httpIndex is a simple index.
type httpIndex struct {
	client Getter
	base   *url.URL
	user   *url.Userinfo // goes with requests to the origin of base only
	links  bool          // base is one page with files of many projects (pip's --find-links)
	pages  flight[string, *Page]
	whole  atomic.Bool // a server sent no parts of files
}

// Project reads a project's page.
func (x *httpIndex) Project(ctx context.Context, name string) (*Page, error) {
	if !pep508.ValidName(name) {
		return nil, fmt.Errorf("index page of %q: no project has such a name: %w", name, fs.ErrNotExist)
	}
	return x.pages.do(name, func() (*Page, error) {
		if x.links {
			return x.fromLinks(ctx, name)
		}
		page := *x.base
		page.Path = strings.TrimRight(page.Path, "/") + "/" + name + "/"
		page.RawPath = ""
		if page.Scheme == "file" {
			page.Path += "index.html"
		}
		return x.read(ctx, name, &page)
	})
}

// read reads one page. Name is the project that it is of, "" for a page of
// links.
func (x *httpIndex) read(ctx context.Context, name string, page *url.URL) (*Page, error) {
	response, err := x.client.Get(ctx, []string{x.withUser(page.String())}, fetch.GetOptions{
		MaxBytes: maxPage,
		Header:   http.Header{"Accept": {accept}},
	})
	if err != nil {
		return nil, err
	}
	found, err := url.Parse(response.URL)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pageName(name), err)
	}
	found.User = nil
	kind, _, _ := strings.Cut(strings.ToLower(response.Header.Get("Content-Type")), ";")
	body := strings.TrimLeft(string(response.Body[:min(len(response.Body), 64)]), " \t\r\n\ufeff")
	switch {
	case strings.HasSuffix(strings.TrimSpace(kind), "json"), kind == "" && strings.HasPrefix(body, "{"):
		return parseSimpleJSON(response.Body, name, found)
	case strings.Contains(kind, "html"), kind == "" && strings.HasPrefix(body, "<"):
		return parseSimpleHTML(response.Body, name, found)
	}
	return nil, fmt.Errorf("read %s: its type %q is neither JSON nor HTML: is %s a simple index?", pageName(name), kind, fetch.Redact(x.base.String()))
}

// withUser adds the credentials of the index to an address of its origin.
func (x *httpIndex) withUser(address string) string {
	u, err := url.Parse(address)
	if x.user == nil || err != nil || u.Scheme != x.base.Scheme || u.Host != x.base.Host {
		return address
	}
	u.User = x.user
	return u.String()
}

// Metadata reads METADATA out of a wheel that is in the cache, beside the wheel,
// out of its end, or out of all of it.
func (x *httpIndex) Metadata(ctx context.Context, f *File) ([]byte, error) {
	if !f.Wheel() {
		data, err := x.archive(ctx, f)
		if err != nil {
			return nil, err
		}
		return sdist.Metadata(data)
	}
	if data := x.cached(f); data != nil {
		return data, nil
	}
	address := x.withUser(f.URL)
	if f.Metadata {
		response, err := x.client.Get(ctx, []string{beside(address)}, fetch.GetOptions{MaxBytes: maxMetadata, SHA256: f.MetadataSHA256})
		if err == nil {
			return response.Body, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	data, err := x.fromEnd(ctx, f, address)
	if !errors.Is(err, fetch.ErrNoRanges) {
		return data, err
	}
	x.whole.Store(true)
	name, err := x.fetch(ctx, f)
	if err != nil {
		return nil, err
	}
	return metadataOf(name, f)
}

// cached reads the METADATA of a wheel that is in the cache, or nil: what is
// wrong there is found when the wheel itself is wanted. One that is not what the
// index says of the METADATA beside the wheel does not stand in for that.
func (x *httpIndex) cached(f *File) []byte {
	name, ok := x.client.Cached(f.SHA256)
	if !ok {
		return nil
	}
	data, err := metadataOf(name, f)
	if err != nil || f.MetadataSHA256 != "" && manifest.Digest(data) != f.MetadataSHA256 {
		return nil
	}
	return data
}

// metadataOf reads METADATA out of a wheel on disk.
func metadataOf(name string, f *File) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readWheelMetadata(file, f.Filename)
}

// Cheap is true for wheels, unless there is nothing beside them and the server
// does not send parts.
func (x *httpIndex) Cheap(_ context.Context, f *File) bool {
	return f.Wheel() && (f.Metadata || !x.whole.Load())
}

// beside is the address of the metadata file of a wheel (PEP 658).
func beside(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address + ".metadata"
	}
	u.Path += ".metadata"
	if u.RawPath != "" {
		u.RawPath += ".metadata"
	}
	return u.String()
}

// fromEnd reads the directory of a wheel and its METADATA, which build tools
// put last, by ranges.
func (x *httpIndex) fromEnd(ctx context.Context, f *File, address string) ([]byte, error) {
	r, err := newRangeReader(ctx, x.client, address)
	if err != nil {
		return nil, err
	}
	return wheelMetadata(r, r.size, f.Filename)
}

// archive reads a source archive, by way of the cache: it is wanted again when
// a wheel is made of it.
func (x *httpIndex) archive(ctx context.Context, f *File) ([]byte, error) {
	if f.Size > sdist.MaxArchive {
		return nil, &sdist.Unsupported{Reason: fmt.Sprintf("the archive is larger than %d bytes", sdist.MaxArchive)}
	}
	name, err := x.fetch(ctx, f)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

// fetch brings a file into the cache.
func (x *httpIndex) fetch(ctx context.Context, f *File) (string, error) {
	urls := []string{x.withUser(f.URL)}
	if f.SHA256 != "" {
		return x.client.Fetch(ctx, fetch.Want{Name: f.Filename, Size: max(f.Size, 0), SHA256: f.SHA256}, urls, nil)
	}
	name, _, _, err := x.client.FetchUnknown(ctx, urls, maxWheel)
	return name, err
}

// Digest fetches a file that is listed without digest and hashes it.
func (x *httpIndex) Digest(ctx context.Context, f *File) (string, int64, error) {
	_, sum, size, err := x.client.FetchUnknown(ctx, []string{x.withUser(f.URL)}, maxWheel)
	return sum, size, err
}

// Locate returns the address of a file.
func (x *httpIndex) Locate(ctx context.Context, path string) ([]string, error) {
	project, filename, ok := strings.Cut(path, "/")
	if !ok {
		return nil, fmt.Errorf("locate %q: not PROJECT/FILE", path)
	}
	page, err := x.Project(ctx, project)
	if err != nil {
		return nil, err
	}
	for _, f := range page.Files {
		if f.Filename == filename {
			return []string{x.withUser(f.URL)}, nil
		}
	}
	return nil, fmt.Errorf("locate %s: the index does not list it: %w", path, fs.ErrNotExist)
}

// Open streams a file.
func (x *httpIndex) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	urls, err := x.Locate(ctx, path)
	if err != nil {
		return nil, err
	}
	return x.client.Open(ctx, urls)
}
