package galaxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// Getter reads small files and streams large ones; *fetch.Client is one.
type Getter interface {
	Get(ctx context.Context, urls []string, o fetch.GetOptions) (*fetch.Response, error)
	Open(ctx context.Context, urls []string) (io.ReadCloser, error)
}

// Bounds of what a server may say.
const (
	maxPage     = 16 << 20 // bytes of one answer
	maxPages    = 500
	maxVersions = 20_000
)

// Open returns the server at an address: the base URL of a Galaxy server, with
// or without api/, of an Automation Hub's repository, or the path of a folder
// of tarballs.
func Open(ctx context.Context, client Getter, address string) (Server, error) {
	if !strings.Contains(address, "://") {
		return OpenFolder(ctx, address)
	}
	if path, ok := strings.CutPrefix(address, "file://"); ok {
		return OpenFolder(ctx, path)
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("open Galaxy server %s: no http or https URL, and no folder", fetch.Redact(address)))
	}
	return &server{client: client, base: base, details: map[string]*Details{}}, nil
}

// server speaks API v3 as pulp_ansible serves it.
type server struct {
	client Getter
	base   *url.URL

	once sync.Once
	root *url.URL // of v3/, with a slash at the end
	err  error

	mu      sync.Mutex
	details map[string]*Details
}

// api finds where API v3 is: servers name it, below their base or below api/.
func (s *server) api(ctx context.Context) (*url.URL, error) {
	s.once.Do(func() { s.root, s.err = s.discover(ctx) })
	return s.root, s.err
}

func (s *server) discover(ctx context.Context) (*url.URL, error) {
	bases := []*url.URL{s.base.JoinPath("api/"), s.base.JoinPath("/")}
	if strings.Contains(s.base.Path+"/", "/api/") {
		bases = []*url.URL{s.base.JoinPath("/"), s.base.JoinPath("api/")}
	}
	var errs []error
	for _, base := range bases {
		var answer struct {
			Versions map[string]string `json:"available_versions"`
		}
		at, err := s.get(ctx, base, &answer)
		if err == nil && answer.Versions["v3"] == "" {
			err = fmt.Errorf("%s names no API v3", fetch.Redact(base.String()))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		root, err := at.Parse(answer.Versions["v3"])
		if err != nil {
			return nil, fmt.Errorf("open Galaxy server %s: the address of its API is no URL", fetch.Redact(s.base.String()))
		}
		return root.JoinPath("/"), nil
	}
	return nil, fmt.Errorf("open Galaxy server %s: %w", fetch.Redact(s.base.String()), errors.Join(errs...))
}

// get reads one JSON answer and returns where it was found in the end.
func (s *server) get(ctx context.Context, at *url.URL, into any) (*url.URL, error) {
	res, err := s.client.Get(ctx, []string{at.String()}, fetch.GetOptions{MaxBytes: maxPage, Check: func(r *fetch.Response) error {
		if !json.Valid(r.Body) {
			return fmt.Errorf("%s answers with something else than JSON", fetch.Redact(at.String()))
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(bytes.NewReader(res.Body)).Decode(into); err != nil {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("%s: the answer has another shape than API v3: %w", fetch.Redact(at.String()), err))
	}
	return url.Parse(res.URL)
}

// versionsPage is a page of …/versions/.
type versionsPage struct {
	Data []struct {
		Version         string `json:"version"`
		RequiresAnsible string `json:"requires_ansible"`
	} `json:"data"`
	Links struct {
		Next string `json:"next"`
	} `json:"links"`
}

// Versions reads all pages. A page that fails fails the list: half of it would
// be another answer.
func (s *server) Versions(ctx context.Context, name Name) ([]Version, error) {
	root, err := s.api(ctx)
	if err != nil {
		return nil, err
	}
	at := root.JoinPath("collections", name.Namespace, name.Name, "versions/")
	at.RawQuery = "limit=100"
	var list []Version
	for range maxPages {
		var page versionsPage
		found, err := s.get(ctx, at, &page)
		if err != nil {
			return nil, fmt.Errorf("list versions of %s: %w", name, err)
		}
		for _, v := range page.Data {
			if isVersion(v.Version) {
				list = append(list, Version{v.Version, v.RequiresAnsible})
			}
		}
		if page.Links.Next == "" {
			return list, nil
		}
		if at, err = found.Parse(page.Links.Next); err != nil || len(list) > maxVersions {
			break
		}
	}
	return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("list versions of %s: the pages have no end", name))
}

// Details reads …/versions/VERSION/.
func (s *server) Details(ctx context.Context, name Name, version string) (*Details, error) {
	file := FileName(name, version)
	s.mu.Lock()
	known := s.details[file]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	root, err := s.api(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		URL      string `json:"download_url"`
		Artifact struct {
			SHA256 string `json:"sha256"`
			Size   int64  `json:"size"`
		} `json:"artifact"`
		Metadata struct {
			Dependencies map[string]string `json:"dependencies"`
		} `json:"metadata"`
		RequiresAnsible string    `json:"requires_ansible"`
		Created         time.Time `json:"created_at"`
	}
	found, err := s.get(ctx, root.JoinPath("collections", name.Namespace, name.Name, "versions", version+"/"), &answer)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", name, version, err)
	}
	at, err := found.Parse(answer.URL)
	if err != nil || answer.URL == "" || !isDigest(answer.Artifact.SHA256) || answer.Artifact.Size <= 0 {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read %s %s: the server gives no address, size or sha256", name, version))
	}
	d := &Details{
		Filename: file, URL: at.String(), SHA256: answer.Artifact.SHA256, Size: answer.Artifact.Size,
		Dependencies: answer.Metadata.Dependencies, RequiresAnsible: answer.RequiresAnsible, Created: answer.Created,
	}
	s.mu.Lock()
	s.details[file] = d
	s.mu.Unlock()
	return d, nil
}

// Locate finds the address of a tarball.
func (s *server) Locate(ctx context.Context, path string) ([]string, error) {
	name, version, err := splitFileName(path)
	if err != nil {
		return nil, fmt.Errorf("locate %w: %w", err, fs.ErrNotExist)
	}
	d, err := s.Details(ctx, name, version)
	if err != nil {
		return nil, err
	}
	return []string{d.URL}, nil
}

func (s *server) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	urls, err := s.Locate(ctx, path)
	if err != nil {
		return nil, err
	}
	return s.client.Open(ctx, urls)
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
