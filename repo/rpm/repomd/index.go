// Package repomd is the form in which a dnf repository writes its metadata down:
// repomd.xml, primary, filelists, other, modules and comps. It reads them into a
// rpm.Pool and writes them for a set of packages. It must not know where a
// repository lies, how it is fetched, or how a closure is chosen.
package repomd

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgbundle/manifest"
)

// IndexPath is where a repository lists its metadata.
const IndexPath = "repodata/repomd.xml"

// maxIndex bounds repomd.xml and its signature; real ones have some 10 kB.
const maxIndex = 4 << 20

// Checksum is a digest of a file in the words of repomd.xml.
type Checksum struct {
	Type string `xml:"type,attr"` // "sha256", "sha512", "sha1" or "sha"
	Hex  string `xml:",chardata"`
}

// Data is one metadata file that repomd.xml lists.
type Data struct {
	Type         string   `xml:"type,attr"` // "primary", "filelists", "modules", "group", …
	Checksum     Checksum `xml:"checksum"`
	OpenChecksum Checksum `xml:"open-checksum"`
	Location     struct {
		Href string `xml:"href,attr"`
		Base string `xml:"base,attr"`
	} `xml:"location"`
	Timestamp string `xml:"timestamp"`
	Size      string `xml:"size"`
	OpenSize  string `xml:"open-size"`
}

// Index is repomd.xml.
type Index struct {
	Revision string
	Data     []Data
}

// Find returns the metadata file of a type, when it is listed.
func (x *Index) Find(kind string) (*Data, bool) {
	i := slices.IndexFunc(x.Data, func(d Data) bool { return d.Type == kind })
	if i < 0 {
		return nil, false
	}
	return &x.Data[i], true
}

// Time is when the repository was made: the revision when it is a Unix time, as
// createrepo_c writes it, else the newest timestamp of its files. The zero time
// when neither is there.
func (x *Index) Time() time.Time {
	newest := unixTime(x.Revision)
	if newest == 0 {
		for _, d := range x.Data {
			newest = max(newest, unixTime(d.Timestamp))
		}
	}
	if newest == 0 {
		return time.Time{}
	}
	return time.Unix(newest, 0).UTC()
}

// unixTime reads a Unix time between 1990 and 2100; 0 when the text is
// something else, such as "9-stream" or "20250113".
func unixTime(s string) int64 {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ".") // old createrepo wrote fractions
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 631152000 || n > 4102444800 {
		return 0
	}
	return n
}

// ParseIndex reads repomd.xml. Every listed file has a clean relative path.
func ParseIndex(data []byte) (*Index, error) {
	if err := looksLikeXML(data); err != nil {
		return nil, err
	}
	var doc struct {
		XMLName  xml.Name `xml:"repomd"`
		Revision string   `xml:"revision"`
		Data     []Data   `xml:"data"`
	}
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, damaged(err)
	}
	x := &Index{Revision: strings.TrimSpace(doc.Revision), Data: doc.Data}
	for i := range x.Data {
		d := &x.Data[i]
		d.Checksum.Hex = strings.ToLower(strings.TrimSpace(d.Checksum.Hex))
		d.Location.Href = strings.TrimSpace(d.Location.Href)
		if err := checkHref(d.Location.Href); err != nil {
			return nil, damaged(fmt.Errorf("%s: %w", d.Type, err))
		}
	}
	return x, nil
}

// checkHref refuses a path that leaves the repository.
func checkHref(href string) error {
	if href == "" {
		return errors.New("it has no location")
	}
	if path.IsAbs(href) || path.Clean(href) != href || href == ".." || strings.HasPrefix(href, "../") ||
		strings.ContainsAny(href, "\\\x00\n") {
		return fmt.Errorf("location %q is not a plain path inside the repository", href)
	}
	return nil
}

// looksLikeXML tells an HTML page (a login, an error of a proxy) and an empty
// file from XML.
func looksLikeXML(data []byte) error {
	head := bytes.TrimSpace(bytes.TrimPrefix(data[:min(len(data), 1024)], []byte("\ufeff")))
	lower := bytes.ToLower(head)
	switch {
	case len(head) == 0:
		return damaged(errors.New("it is empty"))
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return damaged(errors.New("it is an HTML page, not XML: does a login or a proxy answer at that address?"))
	case head[0] != '<':
		return damaged(fmt.Errorf("it is not XML: it begins with %q", head[:min(len(head), 20)]))
	}
	return nil
}

// damaged is for what is wrong with bytes.
func damaged(err error) error {
	if errors.Is(err, manifest.ErrDamaged) {
		return err
	}
	return manifest.Classify(manifest.ErrDamaged, err)
}

// newHash returns the hash of a checksum type; false when it is not known.
func newHash(checksumType string) (hash.Hash, bool) {
	switch strings.ToLower(checksumType) {
	case "sha256":
		return sha256.New(), true
	case "sha512":
		return sha512.New(), true
	case "sha384":
		return sha512.New384(), true
	case "sha224":
		return sha256.New224(), true
	case "sha", "sha1":
		return sha1.New(), true // what old repositories write; their packages carry signatures
	}
	return nil, false
}

// Match checks bytes against a checksum.
func (c Checksum) Match(data []byte) error {
	h, ok := newHash(c.Type)
	if !ok {
		return fmt.Errorf("checksum type %q is not known", c.Type)
	}
	h.Write(data)
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.ToLower(c.Hex) {
		return damaged(fmt.Errorf("%s is %s, want %s", c.Type, got, c.Hex))
	}
	return nil
}

// readAll reads a whole small file.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, damaged(fmt.Errorf("it is larger than %d bytes", limit))
	}
	return data, nil
}
