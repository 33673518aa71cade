package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"strings"
)

// GetOptions bound and direct a Get.
type GetOptions struct {
	MaxBytes int64       // larger bodies are refused; 0: 64 MiB
	Header   http.Header // sent along to the origin that is asked first: Accept, …
	SHA256   string      // hex digits; a body with another digest sends Get to the next mirror
	// Check looks at a body that came whole; an error sends Get to the next
	// mirror. nil accepts all.
	Check func(*Response) error
}

// Response is a file that was read into memory.
type Response struct {
	Body   []byte
	URL    string      // where it was found in the end, to resolve relative links against; not to be shown: see Redact
	Header http.Header // empty for a local file
}

const defaultMaxBytes = 64 << 20

// Get reads one small file from the first mirror that has it. An HTML page
// where the address promises another format counts as a failure of that
// mirror. If no mirror has the file, errors.Is(err, fs.ErrNotExist) holds.
func (c *Client) Get(ctx context.Context, urls []string, o GetOptions) (*Response, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	var found *Response
	err := c.overMirrors(ctx, nameOf(urls), urls, func(loc location) (bool, error) {
		res, err := c.getOnce(ctx, loc, o)
		if err != nil {
			return false, err
		}
		found = res
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c *Client) getOnce(ctx context.Context, loc location, o GetOptions) (*Response, error) {
	var res *Response
	var err error
	if loc.url == nil {
		res, err = readLocal(loc, o.MaxBytes)
	} else {
		res, err = c.readRemote(ctx, loc, o)
	}
	if err != nil {
		return nil, err
	}
	if promisesOther(loc) && looksHTML(res.Body) {
		return nil, errHTML(loc)
	}
	if o.SHA256 != "" {
		sum := sha256.Sum256(res.Body)
		if got := hex.EncodeToString(sum[:]); !strings.EqualFold(got, o.SHA256) {
			return nil, damaged("GET %s: its sha256 is %s, not %s", loc, got, o.SHA256)
		}
	}
	if o.Check != nil {
		if err := o.Check(res); err != nil {
			return nil, hopeless{fmt.Errorf("GET %s: %w", loc, err)}
		}
	}
	return res, nil
}

func (c *Client) readRemote(ctx context.Context, loc location, o GetOptions) (*Response, error) {
	header := http.Header{}
	maps.Copy(header, o.Header)
	if o.SHA256 == "" && !isArchive(loc) {
		header.Set("Accept-Encoding", "gzip") // the pages of an index shrink to a tenth
	}
	res, err := c.get(ctx, loc, header)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.ContentLength > o.MaxBytes {
		return nil, errTooLarge(loc, o.MaxBytes)
	}
	var r io.Reader = res.Body
	if header.Get("Accept-Encoding") == "gzip" && res.Header.Get("Content-Encoding") == "gzip" {
		if r, err = unzip(res); err != nil {
			return nil, fmt.Errorf("GET %s: read its gzip encoding: %w", loc, err)
		}
	}
	body, err := readBounded(r, res.ContentLength, o.MaxBytes, loc)
	if err != nil {
		return nil, err
	}
	return &Response{Body: body, URL: res.url.String(), Header: res.Header}, nil
}

// unzip undoes the encoding that was agreed for the way.
func unzip(res *response) (io.Reader, error) {
	r, err := gzip.NewReader(res.Body)
	if err != nil {
		return nil, err
	}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	res.ContentLength = -1
	return r, nil
}

// isArchive tells whether a file is compressed by itself: some servers call
// that an encoding of the way, and undoing it would change the file.
func isArchive(loc location) bool {
	switch strings.ToLower(path.Ext(loc.url.Path)) {
	case ".gz", ".tgz", ".xz", ".zst", ".bz2", ".rpm", ".whl", ".zip":
		return true
	}
	return false
}

func readLocal(loc location, most int64) (*Response, error) {
	f, size, err := openLocal(loc.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := readBounded(f, size, most, loc)
	if err != nil {
		return nil, err
	}
	return &Response{Body: body, URL: "file://" + escapePath(loc.path), Header: http.Header{}}, nil
}

// openLocal opens a regular file.
func openLocal(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, hopeless{err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: not a regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, hopeless{err}
	}
	return f, info.Size(), nil
}

// readBounded reads all of r, of which size bytes (-1: unknown) are announced.
func readBounded(r io.Reader, size, most int64, loc location) ([]byte, error) {
	var b bytes.Buffer
	if size > 0 && size <= most {
		b.Grow(int(min(size, 4<<20)) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, errTooLarge(loc, most)
	}
	return b.Bytes(), nil
}

func errTooLarge(loc location, most int64) error {
	return hopeless{fmt.Errorf("GET %s: it is larger than the %d bytes that are allowed", loc, most)}
}

func errHTML(loc location) error {
	return damaged("GET %s: an HTML page came instead of the file (the login page of a network or proxy?)", loc)
}

// looksHTML tells whether a file begins like a web page.
func looksHTML(head []byte) bool {
	return strings.HasPrefix(http.DetectContentType(head), "text/html")
}

// promisesOther tells whether the name of a file rules out that it is HTML.
func promisesOther(loc location) bool {
	name := loc.path
	if loc.url != nil {
		name = loc.url.Path
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".gz", ".xz", ".zst", ".bz2", ".asc", ".sig", ".key", ".json", ".yaml", ".yml",
		".rpm", ".whl", ".zip", ".tgz", ".tar", ".pem", ".minisig", ".metadata":
		return true
	}
	return false
}

// nameOf is the last part of the first address, for messages.
func nameOf(urls []string) string {
	if len(urls) == 0 {
		return "file"
	}
	loc, err := parseLocation(urls[0])
	if err != nil {
		return "file"
	}
	name := loc.path
	if loc.url != nil {
		name = loc.url.Path
	}
	if base := path.Base(name); base != "/" && base != "." {
		return base
	}
	return loc.String()
}
