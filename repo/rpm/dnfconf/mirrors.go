package dnfconf

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm/repomd"
)

// MaxMirrors bounds what is read of a mirror list or a metalink, in bytes.
const MaxMirrors = 4 << 20

const maxMirrors = 1000 // kept of a list

// ParseMirrorlist reads a mirror list: one base URL per line, comments behind #.
// Variables in the URLs are replaced.
func ParseMirrorlist(data []byte, vars Vars) ([]string, error) {
	if err := isPage(data); err != nil {
		return nil, damaged(err)
	}
	var urls []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		u := strings.TrimRight(vars.Expand(line), "/")
		if !strings.Contains(u, "://") {
			return nil, damaged(fmt.Errorf("it says %q where a URL should be", shorten(line)))
		}
		if isMirror(u) && len(urls) < maxMirrors {
			urls = append(urls, u)
		}
	}
	if len(urls) == 0 {
		return nil, damaged(errors.New("it names no http or https mirror"))
	}
	return urls, nil
}

// isMirror passes over ftp, rsync and files of the host.
func isMirror(u string) bool {
	return (strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://")) && checkURL("mirror", u) == nil
}

// Metalink is what a metalink says of a repository.
type Metalink struct {
	URLs []string // base URLs, https first, then by preference
	// Checksums are the strongest known digests of repomd.xml: of the present one
	// first, then of older ones that mirrors may still have.
	Checksums []repomd.Checksum
}

type metalinkHash struct {
	Type string `xml:"type,attr"`
	Hex  string `xml:",chardata"`
}

type metalinkURL struct {
	Protocol   string `xml:"protocol,attr"`
	Preference int    `xml:"preference,attr"`
	URL        string `xml:",chardata"`
}

// ParseMetalink reads a metalink (version 3, as MirrorManager writes it) of a
// repository's repomd.xml.
func ParseMetalink(data []byte) (*Metalink, error) {
	if err := isPage(data); err != nil {
		return nil, damaged(err)
	}
	var doc struct {
		XMLName xml.Name `xml:"metalink"`
		Files   []struct {
			Name       string         `xml:"name,attr"`
			Hashes     []metalinkHash `xml:"verification>hash"`
			Alternates []struct {
				Hashes []metalinkHash `xml:"verification>hash"`
			} `xml:"alternates>alternate"`
			URLs []metalinkURL `xml:"resources>url"`
		} `xml:"files>file"`
	}
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, damaged(err)
	}
	for _, f := range doc.Files {
		if f.Name != "repomd.xml" {
			continue
		}
		m := &Metalink{URLs: metalinkBases(f.URLs)}
		hashes := [][]metalinkHash{f.Hashes}
		for _, a := range f.Alternates {
			hashes = append(hashes, a.Hashes)
		}
		for _, h := range hashes {
			if sum, ok := strongest(h); ok {
				m.Checksums = append(m.Checksums, sum)
			}
		}
		if len(m.URLs) == 0 {
			return nil, damaged(errors.New("it names no http or https mirror"))
		}
		return m, nil
	}
	return nil, damaged(errors.New("it does not say where repomd.xml is"))
}

// metalinkBases turns the URLs of repomd.xml into base URLs.
func metalinkBases(urls []metalinkURL) []string {
	slices.SortStableFunc(urls, func(a, b metalinkURL) int {
		if a.https() != b.https() {
			if a.https() {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Preference, a.Preference)
	})
	var bases []string
	for _, u := range urls {
		base, ok := strings.CutSuffix(strings.TrimSpace(u.URL), "/"+repomd.IndexPath)
		if ok && isMirror(base) && !slices.Contains(bases, base) && len(bases) < maxMirrors {
			bases = append(bases, base)
		}
	}
	return bases
}

func (u metalinkURL) https() bool { return strings.HasPrefix(strings.TrimSpace(u.URL), "https:") }

// strongest returns the best digest of a set; MD5 is none.
func strongest(hashes []metalinkHash) (repomd.Checksum, bool) {
	for _, want := range []string{"sha512", "sha256", "sha1"} {
		for _, h := range hashes {
			if strings.EqualFold(strings.ReplaceAll(h.Type, "-", ""), want) {
				return repomd.Checksum{Type: want, Hex: strings.ToLower(strings.TrimSpace(h.Hex))}, true
			}
		}
	}
	return repomd.Checksum{}, false
}

// isPage tells a web page from a list.
func isPage(data []byte) error {
	head := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 512)]))
	if bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) {
		return errors.New("it is an HTML page: does a login or a proxy answer at that address?")
	}
	return nil
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func damaged(err error) error { return manifest.Classify(manifest.ErrDamaged, err) }
