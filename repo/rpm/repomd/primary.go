package repomd

import "bytes"

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

// textElements are the elements whose text is kept, with how they may begin
// and must end.
var textElements = []struct {
	open, end string
	field     field
}{
	{"<file>", "</file>", pathText},
	{`<file type="dir">`, "</file>", pathText},
	{`<file type="ghost">`, "</file>", pathText},
	{"<name>", "</name>", nameText},
	{"<arch>", "</arch>", archText},
	{"<rpm:vendor>", "</rpm:vendor>", vendorText},
	{"<rpm:sourcerpm>", "</rpm:sourcerpm>", sourceText},
}

// inside reads the elements of a package other than entries.
func (t *tokenizer) inside(seg []byte) error {
	for i := range textElements {
		e := &textElements[i]
		if hasPrefix(seg, e.open) {
			text, err := t.content(seg[len(e.open):], e.end)
			if err == nil {
				t.build.text(e.field, text)
			}
			return err
		}
	}
	if l, ok := listTag(seg, "<rpm:"); ok {
		t.list = l
		return nil
	}
	if hasPrefix(seg, "</package>") {
		t.inPackage = false
		return t.build.end()
	}
	end := bytes.IndexByte(seg, '>')
	if end < 0 {
		return errUnusual
	}
	if ignored[string(seg[1:end])] {
		return nil
	}
	return t.attributed(seg)
}

// ignored are the tags of elements that a closure has no use for.
var ignored = func() map[string]bool {
	tags := make(map[string]bool)
	for _, e := range []string{
		"summary", "description", "packager", "url", "format", "rpm:license", "rpm:group", "rpm:buildhost",
	} {
		tags[e], tags[e+"/"], tags["/"+e] = true, true, true
	}
	for _, e := range []string{"rpm:vendor", "rpm:sourcerpm", "rpm:header-range"} {
		tags[e+"/"] = true
	}
	for l := range listOf {
		tags["rpm:"+l+"/"] = true
	}
	return tags
}()

// attributed reads the elements of a package that have attributes.
func (t *tokenizer) attributed(seg []byte) error {
	end := bytes.IndexByte(seg, ' ')
	if end < 0 {
		return errUnusual
	}
	element := string(seg[1:end])
	known, ok := attributesOf[element]
	if !ok {
		return errUnusual
	}
	a := attrs{rest: seg[end:]}
	var values [3][]byte
	for {
		key, value, ok := a.next()
		if !ok {
			break
		}
		i := indexOf(known[:], key)
		if i < 0 {
			return errUnusual
		}
		var err error
		if values[i], err = t.unescape(value); err != nil {
			return err
		}
	}
	if a.bad || element != "checksum" && a.rest[0] != '/' {
		return errUnusual
	}
	return t.set(element, values, a.rest[1:])
}

// attributesOf are the attributes that an element may have.
var attributesOf = map[string][3]string{
	"version":          {"epoch", "ver", "rel"},
	"checksum":         {"type", "pkgid"},
	"time":             {"file", "build"},
	"size":             {"package", "installed", "archive"},
	"location":         {"href"},
	"rpm:header-range": {"start", "end"},
}

func indexOf(names []string, key []byte) int {
	for i, n := range names {
		if n == string(key) {
			return i
		}
	}
	return -1
}

// set hands the attributes of an element to the builder; text is what follows
// its tag.
func (t *tokenizer) set(element string, v [3][]byte, text []byte) error {
	switch element {
	case "version":
		t.build.version(v[0], v[1], v[2])
	case "time":
		t.build.buildTime(v[1])
	case "size":
		t.build.sizes(v[0], v[1])
	case "location":
		t.build.location(v[0])
	case "checksum":
		t.build.checksumType(v[0])
		sum, err := t.content(text, "</checksum>")
		if err != nil {
			return err
		}
		t.build.text(checksumText, sum)
	}
	return nil
}
