package manifest

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on a YAML document from outside.
const (
	MaxYAML     = 32 << 20  // bytes
	maxTokens   = 1_000_000 // separators: a bound on the nodes, and so on memory
	maxDepth    = 32        // nested mappings and sequences
	maxKeys     = 10_000    // of one mapping: yaml.v3 compares each with each
	maxProblems = 20        // reported at once
)

// A Problem is one thing that is wrong with a YAML document.
type Problem struct {
	Line int // from 1; 0 when it concerns no single line
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// A SyntaxError lists everything that is wrong with a YAML document, in the
// order of its lines as far as that is known.
type SyntaxError struct{ Problems []Problem }

func (e *SyntaxError) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func (e *SyntaxError) add(line int, format string, args ...any) {
	e.Problems = append(e.Problems, Problem{line, fmt.Sprintf(format, args...)})
}

func (e *SyntaxError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// DecodeStrict reads one YAML document (YAML 1.2 as yaml.v3 reads it) into the
// value that into points to. Keys are those of the struct tags of into. It
// refuses what can hide a meaning from a reader: anchors, aliases, merge keys,
// explicit tags, directives, duplicate keys, a second document; and unknown
// keys, more than MaxYAML bytes and more than 32 levels. The error is a
// *SyntaxError that lists every problem with its line; its class is the
// caller's to choose (see Classify).
func DecodeStrict(data []byte, into any) error {
	doc, err := parseOne(data)
	if err != nil {
		return err
	}
	w := walker{}
	w.walk(doc, reflect.TypeOf(into), 0)
	if err := w.orNil(); err != nil {
		return err
	}
	return typeErrors(doc.Decode(into))
}

// parseOne parses data as exactly one document.
func parseOne(data []byte) (*yaml.Node, error) {
	var bad SyntaxError
	if len(data) > MaxYAML {
		bad.add(0, "%d bytes of YAML: at most %d are read", len(data), MaxYAML)
		return nil, &bad
	}
	if countTokens(data) > maxTokens {
		bad.add(0, "more than %d YAML tokens", maxTokens)
		return nil, &bad
	}
	if line := directive(data); line > 0 {
		bad.add(line, "YAML directives are not allowed")
		return nil, &bad
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF:
		bad.add(0, "no YAML document in it")
		return nil, &bad
	case err != nil:
		return nil, typeErrors(err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		bad.add(second.Line, "a second YAML document: one is expected")
		return nil, &bad
	case err != io.EOF:
		return nil, typeErrors(err)
	}
	return &doc, nil
}

// countTokens returns a number that the count of nodes cannot exceed by more
// than a small factor, before anything is allocated for them.
func countTokens(data []byte) int {
	n := 0
	for i, c := range data {
		switch c {
		case '\n', ',', '[', '{':
			n++
		case ':', '-', '?':
			if i+1 == len(data) || strings.IndexByte(" \t\r\n", data[i+1]) >= 0 {
				n++
			}
		}
	}
	return n
}

// directive returns the line of a %YAML or %TAG directive, or 0. A line that
// begins with a percent sign inside a document is no valid plain scalar either.
func directive(data []byte) int {
	for line := 1; ; line++ {
		if bytes.HasPrefix(data, []byte("%")) {
			return line
		}
		_, rest, more := bytes.Cut(data, []byte("\n"))
		if !more {
			return 0
		}
		data = rest
	}
}

// typeErrors turns the errors of yaml.v3, which carry their lines in their
// text, into a SyntaxError.
func typeErrors(err error) error {
	if err == nil {
		return nil
	}
	lines := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		lines = typed.Errors
	}
	var bad SyntaxError
	for _, text := range lines {
		line := 0
		if rest, ok := strings.CutPrefix(text, "line "); ok {
			if number, what, ok := strings.Cut(rest, ": "); ok {
				if n, err := strconv.Atoi(number); err == nil {
					line, text = n, what
				}
			}
		}
		bad.add(line, "%s", text)
	}
	return &bad
}

// walker visits every node of a document beside the type it is meant for.
type walker struct{ SyntaxError }

var (
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// walk checks n; t is the type that it is decoded into, nil when any will do.
func (w *walker) walk(n *yaml.Node, t reflect.Type, depth int) {
	if depth > maxDepth {
		w.add(n.Line, "more than %d levels", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		w.add(n.Line, "alias *%s: aliases are not allowed", n.Value)
		return
	}
	if n.Anchor != "" {
		w.add(n.Line, "anchor &%s: anchors are not allowed", n.Anchor)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		w.add(n.Line, "tag %s: tags are not allowed", n.Tag)
	}
	t = shape(t)
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			w.walk(c, t, depth)
		}
	case yaml.SequenceNode:
		var elem reflect.Type
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			elem = t.Elem()
		}
		for _, c := range n.Content {
			w.walk(c, elem, depth+1)
		}
	case yaml.MappingNode:
		w.mapping(n, t, depth)
	}
}

func (w *walker) mapping(n *yaml.Node, t reflect.Type, depth int) {
	var fields map[string]reflect.Type
	var elem reflect.Type
	if t != nil && t.Kind() == reflect.Struct {
		fields = map[string]reflect.Type{}
		structFields(t, fields)
	} else if t != nil && t.Kind() == reflect.Map {
		elem = t.Elem()
	}
	if len(n.Content)/2 > maxKeys {
		w.add(n.Line, "more than %d keys in one mapping", maxKeys)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		w.walk(key, nil, depth+1)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" || key.ShortTag() == "!!null" {
			w.add(key.Line, "a key must be a plain word")
			continue
		}
		if first, ok := seen[key.Value]; ok {
			w.add(key.Line, "key %q is there twice: first in line %d", key.Value, first)
			continue
		}
		seen[key.Value] = key.Line
		of := elem
		if fields != nil {
			field, ok := fields[key.Value]
			if !ok {
				w.add(key.Line, "unknown key %q%s", key.Value, suggest(key.Value, fields))
				continue
			}
			of = field
		}
		w.walk(value, of, depth+1)
	}
}

// shape strips pointers; it is nil for a type whose keys cannot be known, one
// that decodes itself or an interface.
func shape(t reflect.Type) reflect.Type {
	for t != nil {
		p := reflect.PointerTo(t)
		if p.Implements(yamlUnmarshaler) || p.Implements(textUnmarshaler) || t.Kind() == reflect.Interface {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// structFields collects the keys of a struct as yaml.v3 names them.
func structFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" {
			continue
		}
		if strings.Contains(options, "inline") {
			if s := shape(f.Type); s != nil && s.Kind() == reflect.Struct {
				structFields(s, into)
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		into[name] = f.Type
	}
}

// suggest names the known key that is nearest to an unknown one.
func suggest(key string, known map[string]reflect.Type) string {
	best, distance := "", 3
	for k := range known {
		if d := editDistance(key, k); d < distance || (d == distance && best != "" && k < best) {
			best, distance = k, d
		}
	}
	if best == "" || len(key) <= distance {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is Levenshtein's, in bytes; long words are not compared.
func editDistance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
