package repomd

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errUnusual says that the text is not what createrepo_c writes: the caller
// reads it again with encoding/xml, which also words the error if there is one.
var errUnusual = errors.New("unusual XML")

// segments cuts XML at every '<'. The tokenizers know the few elements that
// metadata has, byte for byte; comments, CDATA, single quotes, unknown elements
// and attributes, other prefixes, carriage returns: all that is errUnusual.
type segments struct {
	rest    []byte
	scratch []byte // unescaped values of one element
}

// begin starts on a block of text.
func (s *segments) begin(text []byte) error {
	if bytes.IndexByte(text, '\r') >= 0 { // XML turns these into newlines
		return errUnusual
	}
	i := bytes.IndexByte(text, '<')
	if i < 0 {
		i = len(text)
	}
	if len(bytes.TrimSpace(text[:i])) > 0 {
		return errUnusual
	}
	s.rest = text[i:]
	return nil
}

// next returns the text from one '<' to before the next, nil at the end.
func (s *segments) next() []byte {
	if len(s.rest) == 0 {
		return nil
	}
	n := bytes.IndexByte(s.rest[1:], '<') + 1
	if n == 0 {
		n = len(s.rest)
	}
	seg := s.rest[:n]
	s.rest = s.rest[n:]
	s.scratch = s.scratch[:0]
	return seg
}

// content returns the text behind the tag of a segment whose element ends
// right after it, and passes over the end tag.
func (s *segments) content(text []byte, endTag string) ([]byte, error) {
	if len(s.rest) < len(endTag) || string(s.rest[:len(endTag)]) != endTag {
		return nil, errUnusual
	}
	text, err := s.unescape(text)
	s.rest = s.rest[len(endTag):]
	i := bytes.IndexByte(s.rest, '<')
	if i < 0 {
		i = len(s.rest)
	}
	s.rest = s.rest[i:]
	return text, err
}

// unescape replaces references, into memory that lasts until the next segment.
func (s *segments) unescape(v []byte) ([]byte, error) {
	i := bytes.IndexByte(v, '&')
	if i < 0 {
		return v, nil
	}
	start := len(s.scratch)
	for ; i >= 0; i = bytes.IndexByte(v, '&') {
		s.scratch = append(s.scratch, v[:i]...)
		v = v[i+1:]
		end := bytes.IndexByte(v, ';')
		if end < 0 {
			return nil, errUnusual
		}
		r, ok := reference(string(v[:end]))
		if !ok {
			return nil, errUnusual
		}
		s.scratch = utf8.AppendRune(s.scratch, r)
		v = v[end+1:]
	}
	s.scratch = append(s.scratch, v...)
	return s.scratch[start:], nil
}

// reference reads what stands between '&' and ';'.
func reference(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if !ok || err != nil || n < ' ' || n > 0xd7ff { // the odd ones are left to encoding/xml
		return 0, false
	}
	return rune(n), true
}

// attrs reads the attributes of a tag: name="value", as createrepo_c quotes.
type attrs struct {
	rest []byte // from behind the element's name
	bad  bool
}

// next returns the next attribute; ok is false at the end of the tag.
func (a *attrs) next() (key, value []byte, ok bool) {
	s := a.rest
	i := 0
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if i == len(s) {
		a.bad = true
		return nil, nil, false
	}
	if s[i] == '>' || s[i] == '/' && i+1 < len(s) && s[i+1] == '>' {
		a.rest = s[i:]
		return nil, nil, false
	}
	if i == 0 {
		a.bad = true
		return nil, nil, false
	}
	s = s[i:]
	eq := bytes.IndexByte(s, '=')
	if eq <= 0 || eq+1 >= len(s) || s[eq+1] != '"' {
		a.bad = true
		return nil, nil, false
	}
	end := bytes.IndexByte(s[eq+2:], '"')
	if end < 0 {
		a.bad = true
		return nil, nil, false
	}
	a.rest = s[eq+2+end+1:]
	return s[:eq], s[eq+2 : eq+2+end], true
}
