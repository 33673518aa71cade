package build

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"pgbundle/manifest"
)

// SpecFile is a spec that was read from a file. It knows the lines of its
// values, for those who have to say what is wrong with them.
type SpecFile struct {
	Name   string
	Spec   Spec
	values map[string]*yaml.Node // by key
}

// maxSpec bounds a pgbundle.yaml, in bytes.
const maxSpec = 1 << 20

// ReadSpec reads pgbundle.yaml; name is for messages. An unknown key, a duplicate
// or a wrong type is an error with its line, of class manifest.ErrUsage. A file
// that says nothing is a spec of defaults.
func ReadSpec(name string, data []byte) (*SpecFile, error) {
	f := &SpecFile{Name: name}
	if len(data) > maxSpec {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s: longer than %d bytes", name, maxSpec))
	}
	if saysNothing(data) {
		return f, nil
	}
	err := manifest.DecodeStrict(data, &f.Spec)
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) == nil && len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		f.values = map[string]*yaml.Node{}
		for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
			f.values[doc.Content[0].Content[i].Value] = doc.Content[0].Content[i+1]
		}
	}
	if err != nil {
		// A spec is written by hand: what is wrong with it is not damage.
		return nil, manifest.Classify(manifest.ErrUsage, f.told(err))
	}
	return f, nil
}

// saysNothing reports whether a document has nothing but blank lines and
// comments.
func saysNothing(data []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

// told puts the file's name and the line before everything that is wrong with
// its YAML.
func (f *SpecFile) told(err error) error {
	bad, ok := errors.AsType[*manifest.SyntaxError](err)
	if !ok {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	var errs []error
	for _, p := range bad.Problems {
		errs = append(errs, errors.New(f.at(p.Line)+f.plain(p)))
	}
	return errors.Join(errs...)
}

func (f *SpecFile) at(line int) string {
	switch {
	case f.Name == "":
		return ""
	case line == 0:
		return f.Name + ": "
	}
	return fmt.Sprintf("%s:%d: ", f.Name, line)
}

var (
	wrongType = regexp.MustCompile("(?s)^cannot unmarshal !!([a-z]+)(?: `(.*)`)? into (.+)$")
	givenAs   = map[string]string{"seq": "a list", "map": "keys with values"}
	takenAs   = map[string]string{
		"string": "one value", "[]string": "a list, such as [a, b]", "bool": "true or false",
		"map[string]string": "an id and an address a line", "map[string]manifest.SignaturePolicy": "an id and a policy a line", "build.Spec": "keys with values, such as postgresql: 16",
	}
)

// plain says in the words of a spec what yaml.v3 says in those of Go.
func (f *SpecFile) plain(p manifest.Problem) string {
	found := wrongType.FindStringSubmatch(p.Text)
	if found == nil {
		return p.Text
	}
	given := givenAs[found[1]]
	if given == "" {
		given = fmt.Sprintf("%q", found[2])
	}
	takes := takenAs[found[3]]
	if takes == "" {
		takes = "another kind of value"
	}
	text := fmt.Sprintf("takes %s, not %s", takes, given)
	for key, value := range f.values {
		if value.Line == p.Line {
			return key + ": " + text
		}
	}
	return text
}

// Check returns every mistake in a spec, joined, each of class
// manifest.ErrUsage. Those of values that stand in the file name its line; the
// others came over it from flags. The spec needs no defaults yet.
func (f *SpecFile) Check(s Spec) error {
	var errs []error
	for _, m := range s.mistakes() {
		place := ""
		if line := f.line(m); line > 0 {
			place = f.at(line)
		}
		errs = append(errs, manifest.Classify(manifest.ErrUsage, errors.New(place+m.text)))
	}
	return errors.Join(errs...)
}

// line finds where the file has the value of a mistake; 0: nowhere.
func (f *SpecFile) line(m mistake) int {
	for _, key := range m.keys {
		value, ok := f.values[key]
		if !ok {
			continue
		}
		for _, n := range append([]*yaml.Node{value}, value.Content...) {
			if n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == strings.TrimSpace(m.value) {
				return n.Line
			}
		}
	}
	return 0
}
