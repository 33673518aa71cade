package repomd

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// Namespaces of primary metadata.
const (
	commonNS = "http://linux.duke.edu/metadata/common"
	rpmNS    = "http://linux.duke.edu/metadata/rpm"
)

const maxDepth = 32 // of elements; metadata has 5

// xmlReader reads metadata of any shape that XML allows. It is slow, and the
// judge of what is an error.
type xmlReader struct {
	dec   *xml.Decoder
	in    *tokenLimit
	depth int
}

func newXMLReader(r io.Reader) *xmlReader {
	in := &tokenLimit{r: r}
	return &xmlReader{dec: xml.NewDecoder(in), in: in}
}

// token returns the next token, nil at the end of the document.
func (x *xmlReader) token() (xml.Token, error) {
	x.in.n = 0
	tok, err := x.dec.Token()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, x.damage(err)
	}
	switch tok.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxDepth {
			return nil, damaged(errors.New("its elements nest too deep"))
		}
	case xml.EndElement:
		x.depth--
	}
	return tok, nil
}

// damage tells what is wrong with the text from what is wrong with its source.
func (x *xmlReader) damage(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		if syntax.Msg == "unexpected EOF" {
			return damaged(fmt.Errorf("it is cut off at line %d", syntax.Line))
		}
		return damaged(fmt.Errorf("line %d: %s", syntax.Line, syntax.Msg))
	}
	return err
}

// root reads up to the first element and checks its name.
func (x *xmlReader) root(want string) error {
	for {
		tok, err := x.token()
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case nil:
			return damaged(errors.New("it holds no XML element"))
		case xml.StartElement:
			if tok.Name.Local != want {
				return damaged(fmt.Errorf("its root element is <%s>, want <%s>", tok.Name.Local, want))
			}
			return nil
		}
	}
}

// tokenLimit bounds the bytes of one token.
type tokenLimit struct {
	r io.Reader
	n int
}

func (t *tokenLimit) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if t.n += n; t.n > maxElement {
		return 0, damaged(fmt.Errorf("a text or tag is larger than %d bytes", maxElement))
	}
	return n, err
}

// primaryXML reads primary metadata with encoding/xml, passing over the first
// packages, which the tokenizer has added.
type primaryXML struct {
	*xmlReader
	build     *builder
	skip      int
	list      list
	inPackage bool
}

// parsePrimaryXML adds the packages of a document after the first skip.
func parsePrimaryXML(r io.Reader, b *builder, skip int) error {
	p := &primaryXML{xmlReader: newXMLReader(r), build: b, skip: skip, list: listCount}
	if err := p.root("metadata"); err != nil {
		return err
	}
	for {
		tok, err := p.token()
		if tok == nil || err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			err = p.open(tok)
		case xml.EndElement:
			err = p.close(tok.Name)
		}
		if err != nil {
			return err
		}
	}
}

// tag is an element's name as createrepo_c writes it; "" for other namespaces.
func tag(n xml.Name) string {
	switch n.Space {
	case commonNS, "":
		return n.Local
	case rpmNS:
		return "rpm:" + n.Local
	}
	return ""
}

func (p *primaryXML) open(e xml.StartElement) error {
	element := tag(e.Name)
	if element == "package" && !p.inPackage {
		p.inPackage = true
		if p.skip == 0 {
			p.build.start()
		}
		return nil
	}
	if !p.inPackage || p.skip > 0 {
		return nil
	}
	if f, ok := textFields[element]; ok {
		return p.text(e, element, f)
	}
	if len(element) > 4 && element[:4] == "rpm:" {
		if l, ok := listOf[element[4:]]; ok {
			p.list = l
			return nil
		}
	}
	if element == "rpm:entry" && p.list < listCount {
		p.build.entry(p.list, attr(e, "name"), attr(e, "flags"), attr(e, "epoch"), attr(e, "ver"), attr(e, "rel"))
		return nil
	}
	p.attributed(e, element)
	return nil
}

var textFields = map[string]field{
	"name": nameText, "arch": archText, "checksum": checksumText, "file": pathText,
	"rpm:vendor": vendorText, "rpm:sourcerpm": sourceText,
}

// text reads an element of text to its end.
func (p *primaryXML) text(e xml.StartElement, element string, f field) error {
	text, err := p.content()
	if err != nil {
		return err
	}
	if f == checksumText {
		p.build.checksumType(attr(e, "type"))
	}
	p.build.text(f, text)
	return nil
}

// content reads the text of the element that was just opened, up to its end;
// elements in it are passed over.
func (x *xmlReader) content() ([]byte, error) {
	var text []byte
	for depth := x.depth; x.depth >= depth; {
		tok, err := x.token()
		if err != nil {
			return nil, err
		}
		if tok == nil {
			return nil, damaged(errors.New("it is cut off"))
		}
		if data, ok := tok.(xml.CharData); ok && x.depth == depth {
			text = append(text, data...)
		}
		if len(text) > maxElement {
			return nil, damaged(fmt.Errorf("a text is larger than %d bytes", maxElement))
		}
	}
	return text, nil
}

func (p *primaryXML) attributed(e xml.StartElement, element string) {
	switch element {
	case "version":
		p.build.version(attr(e, "epoch"), attr(e, "ver"), attr(e, "rel"))
	case "time":
		p.build.buildTime(attr(e, "build"))
	case "size":
		p.build.sizes(attr(e, "package"), attr(e, "installed"))
	case "location":
		p.build.location(attr(e, "href"))
	}
}

// attr returns the last attribute of a name, nil when there is none.
func attr(e xml.StartElement, name string) []byte {
	var value []byte
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			value = []byte(a.Value)
		}
	}
	return value
}

func (p *primaryXML) close(n xml.Name) error {
	element := tag(n)
	switch {
	case !p.inPackage:
	case element == "package":
		p.inPackage = false
		if p.skip > 0 {
			p.skip--
			return nil
		}
		return p.build.end()
	case p.list < listCount && element == "rpm:"+listNames[p.list]:
		p.list = listCount
	}
	return nil
}

// listNames is listOf by number.
var listNames = func() (names [listCount]string) {
	for n, l := range listOf {
		names[l] = n
	}
	return names
}()
