package sdist

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"pgbundle/repo/pypi/pep508"
)

// headers is a PKG-INFO file: header lines as they stand, folded ones included,
// and what follows them.
type headers struct {
	lines []string // "Name: value", continuation lines joined with \n
	body  string
}

func parseHeaders(data []byte) headers {
	text := strings.ReplaceAll(asUTF8(data), "\r\n", "\n")
	var h headers
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if line == "" {
			h.body = rest
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(h.lines) > 0 {
			h.lines[len(h.lines)-1] += "\n" + line
		} else {
			h.lines = append(h.lines, line)
		}
		text = rest
	}
	return h
}

// asUTF8 takes text that is no UTF-8 for ISO 8859-1, which old archives have names
// of authors in: METADATA is UTF-8 (core metadata specification).
func asUTF8(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func cutHeader(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ":")
	return strings.ToLower(name), strings.TrimSpace(value)
}

// get returns the first value of a header.
func (h *headers) get(name string) string {
	for _, line := range h.lines {
		if n, v := cutHeader(line); n == name {
			return v
		}
	}
	return ""
}

// all returns every value of a header.
func (h *headers) all(name string) []string {
	var out []string
	for _, line := range h.lines {
		if n, v := cutHeader(line); n == name {
			out = append(out, v)
		}
	}
	return out
}

func (h *headers) remove(name string) {
	h.lines = slices.DeleteFunc(h.lines, func(line string) bool { n, _ := cutHeader(line); return n == name })
}

func (h *headers) bytes() []byte {
	var b bytes.Buffer
	for _, line := range h.lines {
		b.WriteString(line + "\n")
	}
	if h.body != "" {
		b.WriteString("\n" + h.body)
	}
	return b.Bytes()
}

// dependencies says how the METADATA of the wheel gets its Requires-Dist.
type dependencies int

const (
	stated   dependencies = iota // PKG-INFO has them, or says that there are none
	fromEgg                      // egg-info/requires.txt has them
	computed                     // only a build can tell
)

// metadata makes the METADATA of the wheel from PKG-INFO and requires.txt.
func (a *archive) metadata(egg string, hasEgg bool) ([]byte, dependencies, error) {
	info, ok := a.files["PKG-INFO"]
	if !ok && hasEgg {
		info, ok = a.files[egg+"/PKG-INFO"]
	}
	if !ok {
		return nil, computed, unsupported("it has no PKG-INFO")
	}
	h := parseHeaders(info)
	if h.get("name") == "" || h.get("version") == "" {
		return nil, computed, unsupported("its PKG-INFO has no Name or no Version")
	}
	unfoldDescription(&h)
	h.lines = slices.DeleteFunc(h.lines, func(line string) bool { return line == "Platform: UNKNOWN" })
	if h.body = strings.TrimRight(h.body, "\n"); h.body != "" {
		h.body += "\n"
	}
	if format := h.get("metadata-version"); staticFormat(format) {
		dynamic := h.all("dynamic")
		for _, field := range dynamic {
			if strings.EqualFold(field, "requires-dist") {
				return h.bytes(), computed, nil
			}
		}
		h.remove("dynamic")
		return h.bytes(), stated, nil
	}
	if len(h.all("requires-dist")) > 0 {
		return h.bytes(), stated, nil
	}
	if !hasEgg {
		return h.bytes(), computed, nil
	}
	requires, extras, err := parseRequires(a.lines(egg + "/requires.txt"))
	if err != nil {
		return h.bytes(), computed, err
	}
	h.upgrade()
	have := h.all("provides-extra")
	for _, extra := range extras {
		if !slices.Contains(have, extra) {
			h.lines = append(h.lines, "Provides-Extra: "+extra)
		}
	}
	for _, r := range requires {
		h.lines = append(h.lines, "Requires-Dist: "+r)
	}
	return h.bytes(), fromEgg, nil
}

// staticFormat says whether a metadata version promises that what is not
// listed as Dynamic is the same in the wheel: 2.2 and later (PEP 643).
func staticFormat(format string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(format, "%d.%d", &major, &minor)
	return n == 2 && (major > 2 || major == 2 && minor >= 2)
}

// upgrade raises an old format to one that has Requires-Dist and Provides-Extra.
func (h *headers) upgrade() {
	for i, line := range h.lines {
		if n, v := cutHeader(line); n == "metadata-version" && v < "2.1" {
			h.lines[i] = "Metadata-Version: 2.1"
		}
	}
}

// unfoldDescription moves a Description header, which old formats indent by
// eight spaces, into the body.
func unfoldDescription(h *headers) {
	for _, line := range h.lines {
		if n, _ := cutHeader(line); n != "description" || strings.TrimSpace(h.body) != "" {
			continue
		}
		_, value, _ := strings.Cut(line, ":")
		lines := strings.Split(strings.TrimPrefix(value, " "), "\n")
		for i, l := range lines[1:] {
			lines[i+1] = strings.TrimPrefix(l, "        ")
		}
		h.body = strings.Join(lines, "\n") + "\n"
		h.remove("description")
		h.upgrade()
		return
	}
}

// parseRequires reads requires.txt: requirements, then sections "[extra]",
// "[extra:marker]" or "[:marker]".
func parseRequires(lines []string) (requires, extras []string, err error) {
	extra, marker := "", ""
	for _, line := range lines {
		if section, ok := strings.CutPrefix(line, "["); ok {
			section, ok = strings.CutSuffix(section, "]")
			if !ok {
				return nil, nil, unsupported("requires.txt has the line %q", line)
			}
			extra, marker, _ = strings.Cut(section, ":")
			if extra = strings.TrimSpace(extra); extra != "" && !slices.Contains(extras, extra) {
				extras = append(extras, extra)
			}
			continue
		}
		r, err := pep508.ParseRequirement(line)
		if err != nil || r.Marker != nil && marker != "" {
			return nil, nil, unsupported("requires.txt has the line %q", line)
		}
		requires = append(requires, condition(line, marker, extra))
	}
	return requires, extras, nil
}

// condition adds the marker of a section to a requirement.
func condition(line, marker, extra string) string {
	line, own, _ := strings.Cut(line, ";")
	var all []string
	for _, m := range []string{own, marker} {
		if m = strings.TrimSpace(m); m != "" {
			all = append(all, m)
		}
	}
	if extra != "" {
		for i, m := range all {
			if strings.Contains(m, " or ") {
				all[i] = "(" + m + ")"
			}
		}
		all = append(all, fmt.Sprintf("extra == %q", extra))
	}
	line = strings.TrimSpace(line)
	if len(all) == 0 {
		return line
	}
	return line + "; " + strings.Join(all, " and ")
}
