package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// record is what a server said of bytes that are kept: beside a partial file
// so that it can be resumed, and under the key of an address so that it need
// not be sent again. It is written as one JSON object.
type record struct {
	Source       string `json:"source"`                  // key of the address
	ETag         string `json:"etag,omitempty"`          // strong, with its quotes
	LastModified string `json:"last_modified,omitempty"` // as the server wrote it
	SHA256       string `json:"sha256,omitempty"`        // of the whole file, once it is there
}

const maxRecordBytes = 16 << 10

// keyOf names an address without telling it: the digest of the URL without its
// user part.
func keyOf(loc location) string {
	sum := sha256.Sum256([]byte(loc.path))
	if loc.url != nil {
		sum = sha256.Sum256([]byte(loc.url.String()))
	}
	return hex.EncodeToString(sum[:])
}

// newRecord keeps the validators of an answer that are strong enough to join
// bytes by (RFC 9110 section 8.8): a strong entity tag, or a Last-Modified at
// least a second before Date, since a file can change twice within a second.
func newRecord(loc location, h http.Header) record {
	r := record{Source: keyOf(loc)}
	if etag := h.Get("Etag"); isStrongTag(etag) {
		r.ETag = etag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return r
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err == nil && date.Sub(modified) >= time.Second {
		r.LastModified = h.Get("Last-Modified")
	}
	return r
}

// validator is the value for If-Range, or "".
func (r record) validator() string {
	if r.ETag != "" {
		return r.ETag
	}
	return r.LastModified
}

// contradicts tells whether an answer's validators are others than the record's.
func (r record) contradicts(h http.Header) bool {
	if etag := h.Get("Etag"); r.ETag != "" && etag != "" {
		return etag != r.ETag
	}
	modified := h.Get("Last-Modified")
	return r.LastModified != "" && modified != "" && modified != r.LastModified
}

// parseRecord reads a record strictly. The cache is a folder that others may
// write to: nothing in it may become a strange header.
func parseRecord(data []byte) (record, error) {
	var r record
	if len(data) > maxRecordBytes {
		return r, errors.New("record is too large")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return record{}, fmt.Errorf("record: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return record{}, errors.New("record: something follows it")
	}
	_, err := http.ParseTime(r.LastModified)
	switch {
	case !isDigest(r.Source),
		r.SHA256 != "" && !isDigest(r.SHA256),
		r.ETag != "" && !isStrongTag(r.ETag),
		r.LastModified != "" && err != nil:
		return record{}, errors.New("record: a value is not of its form")
	}
	return r, nil
}

// isStrongTag tells whether a value is a strong entity tag (RFC 9110 section 8.8.3).
func isStrongTag(s string) bool {
	if len(s) < 2 || len(s) > 1024 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	return !strings.ContainsFunc(s[1:len(s)-1], func(r rune) bool {
		return r <= ' ' || r == '"' || r >= 0x7f
	})
}

// readRecord gives the record in a file; one that is missing or cannot be read
// is as good as none.
func readRecord(name string) record {
	f, err := os.Open(name)
	if err != nil {
		return record{}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecordBytes+1))
	if err != nil {
		return record{}
	}
	r, err := parseRecord(data)
	if err != nil {
		return record{}
	}
	return r
}

// writeRecord replaces a record whole. The caller holds the lock of its key.
func writeRecord(name string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", data, 0o644); err != nil {
		return disk("write a record", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return disk("write a record", err)
	}
	return nil
}

// remember keeps what an address held, so that it need not be sent again. An
// answer without a validator leaves nothing to ask with.
func (c *cache) remember(r record, digest string) error {
	if r.validator() == "" {
		return nil
	}
	r.SHA256 = digest
	if err := os.MkdirAll(filepath.Join(c.dir, "url"), 0o755); err != nil {
		return disk("make a folder", err)
	}
	return writeRecord(c.known(r.Source), r)
}
