package repomd

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// xmlWriter appends XML in the layout of libxml2, which createrepo_c uses.
type xmlWriter struct{ buf []byte }

// raw appends markup, and text that needs no escaping.
func (w *xmlWriter) raw(parts ...string) {
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
}

// element appends a line with one element that holds text.
func (w *xmlWriter) element(indent, name, text string) {
	w.raw(indent, "<", name, ">")
	w.text(text)
	w.raw("</", name, ">\n")
}

// attr appends an attribute.
func (w *xmlWriter) attr(name, value string) {
	w.raw(" ", name, `="`)
	w.escape(value, true)
	w.raw(`"`)
}

func (w *xmlWriter) number(name string, value int64) {
	w.raw(" ", name, `="`)
	w.buf = strconv.AppendInt(w.buf, value, 10)
	w.raw(`"`)
}

func (w *xmlWriter) text(s string) { w.escape(s, false) }

// escape appends text with its markup escaped. A string that is not UTF-8 is
// taken for Latin-1, as createrepo_c does, without the control codes from 0x80
// to 0x9f. What XML 1.0 cannot hold (section 2.2) is left out.
func (w *xmlWriter) escape(s string, inAttr bool) {
	if isPlain(s) {
		w.buf = append(w.buf, s...)
		return
	}
	if !utf8.ValidString(s) {
		s = fromLatin1(s)
	}
	for _, r := range s {
		switch {
		case r == '<':
			w.raw("&lt;")
		case r == '>':
			w.raw("&gt;")
		case r == '&':
			w.raw("&amp;")
		case r == '"' && inAttr:
			w.raw("&quot;")
		case r == '\r', inAttr && (r == '\n' || r == '\t'):
			w.raw("&#", strconv.Itoa(int(r)), ";")
		case r < ' ' && r != '\n' && r != '\t', r == 0xfffe, r == 0xffff:
		default:
			w.buf = utf8.AppendRune(w.buf, r)
		}
	}
}

// isPlain tells whether a string can stand anywhere as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' || c == '"' {
			return false
		}
	}
	return true
}

func fromLatin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x80 || c >= 0xc0 {
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}
