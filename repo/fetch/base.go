package fetch

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
)

// Base is a place with named files: base addresses that all hold the same,
// the preferred first. It is a repo.Locator.
type Base struct {
	Client *Client
	URLs   []string // http, https or file URLs, or folders
}

// Locate joins a relative, slash-separated path to each base. A path that
// would lead out of the base is refused: it comes from a repository's metadata.
func (b Base) Locate(_ context.Context, path string) ([]string, error) {
	if !fs.ValidPath(path) || path == "." || strings.ContainsAny(path, "\\\x00") {
		return nil, fmt.Errorf("locate %q: not a relative path below its source", path)
	}
	var urls []string
	for _, base := range b.URLs {
		joined, err := join(base, path)
		if err != nil {
			return nil, fmt.Errorf("locate %s: %w", path, err)
		}
		urls = append(urls, joined)
	}
	return urls, nil
}

// join appends a path to a base address. The query of a base stays: it may be
// the token of a signed address. The user part stays too, for the request.
func join(base, path string) (string, error) {
	loc, err := parseLocation(base)
	if err != nil {
		return "", err
	}
	if loc.url == nil {
		return filepath.Join(loc.path, filepath.FromSlash(path)), nil
	}
	u := *loc.url
	escaped := strings.TrimRight(u.EscapedPath(), "/") + "/" + escapePath(path)
	if u.Path, err = url.PathUnescape(escaped); err != nil {
		return "", hopeless{fmt.Errorf("%s: invalid path", loc)}
	}
	u.RawPath = escaped
	u.User = loc.user
	return u.String(), nil
}

// escapePath percent-encodes all but unreserved characters and slashes (RFC
// 3986 section 2.3): some stores read a plain "+" as a blank, and packages
// have "+", "~" and "^" in their names.
func escapePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Open streams a file from the first base that has it. When the connection
// breaks in mid-file, the stream is resumed where the server lets it be.
func (b Base) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	urls, err := b.Locate(ctx, path)
	if err != nil {
		return nil, err
	}
	return b.Client.Open(ctx, urls)
}
