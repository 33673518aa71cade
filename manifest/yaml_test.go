package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// spec stands for a document that somebody writes by hand.
type spec struct {
	Postgres string            `yaml:"postgres"`
	Repos    []specRepo        `yaml:"repos"`
	Options  map[string]string `yaml:"options"`
	When     time.Time         `yaml:"when"`
	Any      any               `yaml:"any"`
	Own      decodesItself     `yaml:"own"`
	Plain    int
	Pointer  *specRepo `yaml:"pointer"`
	Shared   specRepo  `yaml:",inline"`
	hidden   int
}

type specRepo struct {
	ID  string `yaml:"id"`
	URL string `yaml:"url"`
}

type decodesItself struct{ keys int }

func (d *decodesItself) UnmarshalYAML(n *yaml.Node) error {
	d.keys = len(n.Content) / 2
	return nil
}

func TestDecodeStrictReads(t *testing.T) {
	var s spec
	text := `# a comment
postgres: "16"
repos:
  - id: a
    url: |
      long
  - {id: b}
options: {x: y, "1": z}
when: 2024-05-01T00:00:00Z
any: {what: [ever, 1]}
own: {a: 1, b: 2}
plain: 3
pointer: {id: p}
id: inline
`
	if err := DecodeStrict([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Postgres != "16" || len(s.Repos) != 2 || s.Repos[0].URL != "long\n" || s.Options["1"] != "z" || s.Own.keys != 2 ||
		s.Plain != 3 || s.Pointer.ID != "p" || s.Shared.ID != "inline" || s.When.Year() != 2024 || s.hidden != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDecodeStrictRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":            {"postgres: 16\nrepo: []\n", `line 2: unknown key "repo" (did you mean "repos"?)`},
		"an unknown key, far":       {"gibberish: 16\n", `line 1: unknown key "gibberish"`},
		"an unknown key, deep":      {"repos:\n- id: a\n- ide: a\n", `line 3: unknown key "ide" (did you mean "id"?)`},
		"an unknown key, pointer":   {"pointer: {x: y}\n", `line 1: unknown key "x"`},
		"an unexported field":       {"hidden: 1\n", `unknown key "hidden"`},
		"several":                   {"a1234: 1\nb1234: 2\n", "line 1: unknown key \"a1234\"\nline 2: unknown key \"b1234\""},
		"a duplicate key":           {"plain: 1\npostgres: x\nplain: 1\n", `line 3: key "plain" is there twice: first in line 1`},
		"a duplicate key, any":      {"any:\n  a: 1\n  a: 2\n", `line 3: key "a" is there twice`},
		"a duplicate key, own":      {"own:\n  a: 1\n  'a': 2\n", `line 3: key "a" is there twice`},
		"an anchor":                 {"postgres: &a 16\n", `line 1: anchor &a: anchors are not allowed`},
		"an alias":                  {"any: &a [1]\noptions: *a\n", `line 2: alias *a: aliases are not allowed`},
		"an alias to itself":        {"any: &a [*a]\n", "aliases are not allowed"},
		"a merge key":               {"<<: {plain: 1}\n", `line 1: a key must be a plain word`},
		"a tag":                     {"plain: !!int \"3\"\n", `line 1: tag !!int: tags are not allowed`},
		"a tag of one's own":        {"any: !x {}\n", `tag !x: tags are not allowed`},
		"a directive":               {"%TAG ! tag:x,2000:\n---\nplain: 1\n", "line 1: YAML directives are not allowed"},
		"a sequence as key":         {"any: {? [a] : b}\n", "a key must be a plain word"},
		"null as key":               {"any: {~: b}\n", "a key must be a plain word"},
		"two documents":             {"plain: 1\n---\nplain: 2\n", "line 2: a second YAML document"},
		"two documents, one broken": {"plain: 1\n---\n{\n", "line 3: did not find expected"},
		"nothing":                   {"", "no YAML document in it"},
		"a comment alone":           {"# x\n", "no YAML document in it"},
		"the wrong type":            {"plain: many\n", "line 1: cannot unmarshal !!str `many` into int"},
		"a scalar for a mapping":    {"hello\n", "line 1: cannot unmarshal !!str `hello`"},
		"broken":                    {"plain: [1\n", "line 1: did not find expected ',' or ']'"},
		"control characters":        {"postgres: \"\x01\"\n", "control characters are not allowed"},
		"too deep":                  {"any: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n", "more than 32 levels"},
		"too many tokens":           {"any: [" + strings.Repeat("1,", maxTokens) + "]", "more than 1000000 YAML tokens"},
		"too many keys":             {"any: {" + manyKeys(maxKeys+1) + "}", "more than 10000 keys in one mapping"},
		"too long":                  {"postgres: " + strings.Repeat("x", MaxYAML), "at most 33554432 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			var s spec
			err := DecodeStrict([]byte(c.text), &s)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	return b.String()
}

// A document with very many problems names the first of them.
func TestSyntaxErrorIsBounded(t *testing.T) {
	var s spec
	err := DecodeStrict([]byte(strings.Repeat("repos: []\n", 1000)), &s)
	if err == nil || !strings.HasSuffix(err.Error(), "and 979 more") || strings.Count(err.Error(), "\n") != maxProblems {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeStrict(f *testing.F) {
	f.Add([]byte("postgres: 16\nrepos: [{id: a}]\n"))
	f.Add([]byte("? a\n: b\n"))
	f.Add([]byte("a: !!binary |\n  eA==\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var s spec
		_ = DecodeStrict(data, &s)
	})
}
