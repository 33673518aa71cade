package pypi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep508"
)

// Bounds of an index page.
const (
	maxPage  = 64 << 20 // bytes
	maxFiles = 200_000
)

// simplePage is the JSON of a project's page (PEP 691, with the fields of 592,
// 658, 700 and 714).
type simplePage struct {
	Meta struct {
		Version lenient `json:"api-version"`
	} `json:"meta"`
	Name  string       `json:"name"`
	Files []simpleFile `json:"files"`
}

type simpleFile struct {
	Filename       string  `json:"filename"`
	URL            string  `json:"url"`
	Hashes         digests `json:"hashes"`
	RequiresPython *string `json:"requires-python"`
	Yanked         yanked  `json:"yanked"`
	CoreMetadata   *offer  `json:"core-metadata"`
	DistInfo       *offer  `json:"dist-info-metadata"`
	OldDistInfo    *offer  `json:"data-dist-info-metadata"`
	Size           lenient `json:"size"`
	UploadTime     string  `json:"upload-time"`
}

// lenient is the text of a string or of anything else, "" for null: pages of some
// servers have a number for a string, or the other way round, and are read by pip.
type lenient string

func (l *lenient) UnmarshalJSON(data []byte) error {
	*l = ""
	if string(data) != "null" {
		*l = lenient(strings.Trim(string(data), `"`))
	}
	return nil
}

// yanked is false, true or a reason. An empty one is false, as in pip.
type yanked struct {
	is     bool
	reason string
}

func (y *yanked) UnmarshalJSON(data []byte) error {
	*y = yanked{}
	switch data[0] {
	case 't':
		y.is = true
	case '"':
		err := json.Unmarshal(data, &y.reason)
		y.is = y.reason != ""
		return err
	}
	return nil
}

// digests are those of a file that are of use here.
type digests struct {
	SHA256 string `json:"sha256"`
}

// offer is false, true, or the digests of a metadata file.
type offer struct {
	is     bool
	hashes digests
}

func (o *offer) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case 't':
		o.is = true
	case '{':
		o.is = true
		return json.Unmarshal(data, &o.hashes)
	}
	return nil
}

// parseSimpleJSON reads a page that was found at base. Files without a usable
// name or address are left out.
func parseSimpleJSON(data []byte, project string, base *url.URL) (*Page, error) {
	var in simplePage
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &in); err != nil {
		return nil, damagedPage(project, err.Error())
	}
	if err := checkAPIVersion(project, string(in.Meta.Version)); err != nil {
		return nil, err
	}
	if project != "" && in.Name != "" && pep508.NormalizeName(in.Name) != project {
		return nil, damagedPage(project, "it is of "+in.Name)
	}
	if len(in.Files) > maxFiles {
		return nil, damagedPage(project, fmt.Sprintf("more than %d files", maxFiles))
	}
	page := &Page{Name: project}
	for _, f := range in.Files {
		if file := f.file(project, base); file != nil {
			page.Files = append(page.Files, file)
		}
	}
	return page, nil
}

func (f *simpleFile) file(project string, base *url.URL) *File {
	u, err := base.Parse(f.URL)
	if err != nil || f.URL == "" || !safeName(f.Filename) {
		return nil
	}
	out := &File{Project: project, Filename: f.Filename, Size: -1, Yanked: f.Yanked.is, YankedReason: f.Yanked.reason}
	out.setURL(u)
	out.SHA256 = f.Hashes.hex()
	if f.RequiresPython != nil {
		out.RequiresPython = *f.RequiresPython
	}
	if size, err := strconv.ParseInt(string(f.Size), 10, 64); err == nil && size >= 0 {
		out.Size = size
	}
	if at, err := time.Parse(time.RFC3339, f.UploadTime); err == nil {
		out.UploadTime = at.UTC()
	}
	for _, o := range []*offer{f.CoreMetadata, f.DistInfo, f.OldDistInfo} {
		if o != nil {
			out.Metadata, out.MetadataSHA256 = o.is, o.hashes.hex()
			break
		}
	}
	return out
}

// checkAPIVersion refuses a page of another major version than 1 (PEP 629).
func checkAPIVersion(project, version string) error {
	if major, _, _ := strings.Cut(version, "."); version != "" && major != "1" {
		return fmt.Errorf("read %s: its version is %s, only 1 is known", pageName(project), version)
	}
	return nil
}

func damagedPage(project, why string) error {
	return fmt.Errorf("read %s: %s: %w", pageName(project), why, manifest.ErrDamaged)
}

// pageName says in messages what a page is of.
func pageName(project string) string {
	if project == "" {
		return "page of links"
	}
	return "index page of " + project
}

// setURL keeps an address without its user part and fragment.
func (f *File) setURL(u *url.URL) {
	clean := *u
	clean.User, clean.Fragment, clean.RawFragment = nil, "", ""
	f.URL = clean.String()
}

// safeName says whether a file name can stand as one part of a path.
func safeName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 512 && !strings.ContainsAny(name, "/\\\x00\r\n")
}

// hex returns the sha256 in lower case; "" for what is none.
func (d digests) hex() string {
	if sum := strings.ToLower(d.SHA256); isSHA256(sum) {
		return sum
	}
	return ""
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
