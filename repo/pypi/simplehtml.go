package pypi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
)

// maxToken bounds one tag of an index page in bytes.
const maxToken = 1 << 20

// parseSimpleHTML reads a page that was found at base: its links are files
// (PEP 503, with the attributes of 592, 658 and 714).
func parseSimpleHTML(data []byte, project string, base *url.URL) (*Page, error) {
	var links []map[string]string
	z := html.NewTokenizer(bytes.NewReader(data))
	z.SetMaxBuf(maxToken)
	based := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return nil, damagedPage(project, err.Error())
			}
			return linkedFiles(links, project, base), nil
		case html.StartTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		tag, _ := z.TagName()
		switch string(tag) {
		case "base":
			if u, err := base.Parse(attributes(z)["href"]); err == nil && !based {
				base, based = u, true
			}
		case "meta":
			if a := attributes(z); a["name"] == "pypi:repository-version" {
				if err := checkAPIVersion(project, a["content"]); err != nil {
					return nil, err
				}
			}
		case "a":
			links = append(links, attributes(z))
			if len(links) > maxFiles {
				return nil, damagedPage(project, fmt.Sprintf("more than %d files", maxFiles))
			}
		}
	}
}

// linkedFiles makes a page of its links. The first base counts for all of them,
// wherever it stands.
func linkedFiles(links []map[string]string, project string, base *url.URL) *Page {
	page := &Page{Name: project}
	for _, a := range links {
		if file := linkedFile(a, project, base); file != nil {
			page.Files = append(page.Files, file)
		}
	}
	return page
}

// attributes reads those of the current tag; of a repeated one the first counts.
func attributes(z *html.Tokenizer) map[string]string {
	out := map[string]string{}
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, twice := out[string(key)]; !twice && len(key) > 0 {
			out[string(key)] = string(value)
		}
	}
	return out
}

func linkedFile(a map[string]string, project string, base *url.URL) *File {
	href, ok := a["href"]
	if !ok {
		return nil
	}
	u, err := base.Parse(strings.TrimSpace(href))
	if err != nil || !safeName(path.Base(u.Path)) {
		return nil
	}
	out := &File{Project: project, Filename: path.Base(u.Path), Size: -1, RequiresPython: a["data-requires-python"]}
	out.setURL(u)
	out.SHA256 = digestIn(u.Fragment, "&")
	out.YankedReason, out.Yanked = a["data-yanked"]
	for _, key := range []string{"data-core-metadata", "data-dist-info-metadata"} {
		if value, ok := a[key]; ok {
			out.Metadata, out.MetadataSHA256 = value != "false", digestIn(value, "")
			break
		}
	}
	return out
}

// digestIn reads "sha256=…", which may be one of several parts.
func digestIn(text, separator string) string {
	parts := []string{text}
	if separator != "" {
		parts = strings.Split(text, separator)
	}
	for _, part := range parts {
		if sum, ok := strings.CutPrefix(part, "sha256="); ok && isSHA256(strings.ToLower(sum)) {
			return strings.ToLower(sum)
		}
	}
	return ""
}
