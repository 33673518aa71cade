package repomd

import (
	"bytes"
	"slices"
)

// tokenizer reads primary metadata block by block into a builder.
type tokenizer struct {
	segments
	build     *builder
	list      list // listCount outside the lists
	inPackage bool
	rooted    bool
	done      bool
}

func newTokenizer(b *builder) *tokenizer { return &tokenizer{build: b, list: listCount} }

// primaryRoot is how createrepo_c opens the document, up to the package count.
const primaryRoot = `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"`

// block reads a block that holds whole packages.
func (t *tokenizer) block(text []byte) error {
	if err := t.begin(text); err != nil {
		return err
	}
	for seg := t.next(); seg != nil; seg = t.next() {
		var err error
		switch {
		case t.list < listCount:
			err = t.inList(seg)
		case t.inPackage:
			err = t.inside(seg)
		default:
			err = t.outside(seg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outside reads what stands before, between and behind the packages.
func (t *tokenizer) outside(seg []byte) error {
	switch {
	case t.done:
		return errUnusual
	case t.rooted && hasPrefix(seg, `<package type="rpm">`):
		t.inPackage = true
		t.build.start()
	case t.rooted && hasPrefix(seg, "</metadata>"):
		t.done = true
	case !t.rooted && isDeclaration(seg):
	case !t.rooted && hasPrefix(seg, primaryRoot) && onlyCount(seg[len(primaryRoot):]):
		t.rooted = true
	default:
		return errUnusual
	}
	return nil
}

// isDeclaration reports whether a segment is `<?xml … encoding="UTF-8"?>`.
func isDeclaration(seg []byte) bool {
	return bytes.EqualFold(bytes.TrimSpace(seg), []byte(`<?xml version="1.0" encoding="utf-8"?>`))
}

// onlyCount reports whether a tag ends here, or after packages="N".
func onlyCount(rest []byte) bool {
	a := attrs{rest: rest}
	for {
		key, _, ok := a.next()
		if !ok {
			return !a.bad && a.rest[0] == '>'
		}
		if string(key) != "packages" {
			return false
		}
	}
}

// hasPrefix is bytes.HasPrefix for a constant.
func hasPrefix(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && string(s[:len(prefix)]) == prefix
}

// inList reads the entries of a dependency list.
func (t *tokenizer) inList(seg []byte) error {
	if hasPrefix(seg, "<rpm:entry ") {
		return t.entry(seg[len("<rpm:entry"):])
	}
	if hasPrefix(seg, "</rpm:entry>") {
		return nil
	}
	if l, ok := listTag(seg, "</rpm:"); ok && l == t.list {
		t.list = listCount
		return nil
	}
	return errUnusual
}

// listTag returns the list that a segment opens or closes, by its prefix.
func listTag(seg []byte, prefix string) (list, bool) {
	end := bytes.IndexByte(seg, '>')
	if !hasPrefix(seg, prefix) || end < len(prefix) {
		return 0, false
	}
	l, ok := listOf[string(seg[len(prefix):end])]
	return l, ok
}

func (t *tokenizer) entry(rest []byte) error {
	var name, flags, epoch, ver, rel []byte
	escaped := bytes.IndexByte(rest, '&') >= 0
	a := attrs{rest: rest}
	for {
		key, value, ok := a.next()
		if !ok {
			break
		}
		if escaped {
			var err error
			if value, err = t.unescape(value); err != nil {
				return err
			}
		}
		switch string(key) {
		case "name":
			name = value
		case "flags":
			flags = value
		case "epoch":
			epoch = value
		case "ver":
			ver = value
		case "rel":
			rel = value
		case "pre":
		default:
			return errUnusual
		}
	}
	if a.bad {
		return errUnusual
	}
	t.build.entry(t.list, name, flags, epoch, ver, rel)
	return nil
}

// inside reads the elements of a package other than entries.
func (t *tokenizer) inside(seg []byte) error {
	end := bytes.IndexByte(seg, '>')
	if end < 0 {
		return errUnusual
	}
	text := seg[end+1:]
	switch string(seg[1:end]) {
	case "file", `file type="dir"`, `file type="ghost"`:
		return t.text(pathText, text, "</file>")
	case "name":
		return t.text(nameText, text, "</name>")
	case "arch":
		return t.text(archText, text, "</arch>")
	case "rpm:vendor":
		return t.text(vendorText, text, "</rpm:vendor>")
	case "rpm:sourcerpm":
		return t.text(sourceText, text, "</rpm:sourcerpm>")
	case "/package":
		t.inPackage = false
		return t.build.end()
	case "summary", "description", "packager", "url", "rpm:license", "rpm:group", "rpm:buildhost", "format",
		"/summary", "/description", "/packager", "/url", "/rpm:license", "/rpm:group", "/rpm:buildhost", "/format",
		"summary/", "description/", "packager/", "url/", "rpm:license/", "rpm:group/", "rpm:buildhost/", "format/",
		"rpm:vendor/", "rpm:sourcerpm/":
		return nil // a closure has no use for these
	}
	if l, ok := listTag(seg, "<rpm:"); ok {
		t.list = l
		return nil
	}
	return t.attributed(seg)
}

// text keeps the text of an element.
func (t *tokenizer) text(f field, text []byte, endTag string) error {
	text, err := t.content(text, endTag)
	if err == nil {
		t.build.text(f, text)
	}
	return err
}

// Elements with attributes, and the attributes that each may have.
var (
	versionAttrs  = []string{"epoch", "ver", "rel"}
	checksumAttrs = []string{"type", "pkgid"}
	timeAttrs     = []string{"file", "build"}
	sizeAttrs     = []string{"package", "installed", "archive"}
	locationAttrs = []string{"href"}
	rangeAttrs    = []string{"start", "end"}
)

// attributed reads the elements of a package that have attributes.
func (t *tokenizer) attributed(seg []byte) error {
	end := bytes.IndexByte(seg, ' ')
	if end < 0 {
		return errUnusual
	}
	var err error
	var v [3][]byte
	switch rest := seg[end:]; string(seg[1:end]) {
	case "version":
		_, err = t.attributes(rest, versionAttrs, "/>", &v)
		t.build.version(v[0], v[1], v[2])
	case "time":
		_, err = t.attributes(rest, timeAttrs, "/>", &v)
		t.build.buildTime(v[1])
	case "size":
		_, err = t.attributes(rest, sizeAttrs, "/>", &v)
		t.build.sizes(v[0], v[1])
	case "location":
		_, err = t.attributes(rest, locationAttrs, "/>", &v)
		t.build.location(v[0])
	case "rpm:header-range":
		_, err = t.attributes(rest, rangeAttrs, "/>", &v)
	case "checksum":
		rest, err = t.attributes(rest, checksumAttrs, ">", &v)
		t.build.checksumType(v[0])
		if err == nil {
			err = t.text(checksumText, rest, "</checksum>")
		}
	default:
		return errUnusual
	}
	return err
}

// attributes reads the attributes of a tag into values, in the order of known,
// and returns what follows the tag, which must end as given.
func (s *segments) attributes(rest []byte, known []string, endTag string, values *[3][]byte) ([]byte, error) {
	a := attrs{rest: rest}
	for {
		key, value, ok := a.next()
		if !ok {
			break
		}
		i := slices.Index(known, string(key))
		if i < 0 {
			return nil, errUnusual
		}
		var err error
		if values[i], err = s.unescape(value); err != nil {
			return nil, err
		}
	}
	if a.bad || !hasPrefix(a.rest, endTag) {
		return nil, errUnusual
	}
	return a.rest[len(endTag):], nil
}
