package repomd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// group writes a group: words are packages, "NAME", "NAME:TYPE" or
// "NAME:TYPE:REQUIRES".
func group(id, name, packages string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<group><id>%s</id><name>%s</name><packagelist>", id, name)
	for _, word := range strings.Fields(packages) {
		parts := append(strings.Split(word, ":"), "mandatory", "")
		if n := strings.Count(word, ":"); n > 0 {
			parts = append(strings.Split(word, ":"), "")
		}
		requires := ""
		if parts[2] != "" {
			requires = fmt.Sprintf(` requires="%s"`, parts[2])
		}
		fmt.Fprintf(&b, `<packagereq type="%s"%s>%s</packagereq>`, parts[1], requires, parts[0])
	}
	return b.String() + "</packagelist></group>"
}

func environment(id, name, groups, optional string) string {
	list := func(words string) string {
		text := ""
		for _, id := range strings.Fields(words) {
			text += "<groupid>" + id + "</groupid>"
		}
		return text
	}
	return fmt.Sprintf("<environment><id>%s</id><name>%s</name><grouplist>%s</grouplist><optionlist>%s</optionlist></environment>",
		id, name, list(groups), list(optional))
}

// compsOf merges the comps of repositories, each given without its root.
func compsOf(t *testing.T, texts ...string) *Comps {
	t.Helper()
	all := &Comps{}
	for _, text := range texts {
		c, err := ParseComps(strings.NewReader("<comps>" + text + "</comps>"))
		if err != nil {
			t.Fatal(err)
		}
		all.Merge(c)
	}
	return all
}

// compsCase is what repositories say, by their rank, a word after "@" and the
// packages that it means; TestDNFComps asks dnf the same.
type compsCase struct {
	name  string
	repos []string
	word  string
	want  string // NAME[+REQUIRES], or "none"
}

var compsCases = []compsCase{
	{"types", []string{group("g", "Tools", "a b:default c:optional d:conditional:e")}, "g", "a b d+e"},
	{"one type", []string{group("g", "Tools", "a b:default c:optional d:conditional:e")}, "g/optional", "c"},
	{"two types", []string{group("g", "Tools", "a b:default c:optional")}, "g/optional,default", "b c"},
	{"a condition whatever the type", []string{group("g", "Tools", "a:mandatory:b c:conditional")}, "g", "a+b c"},
	{"by name", []string{group("g", "Some Tools", "a")}, "Some Tools", "a"},
	{"in another case", []string{group("g", "Some Tools", "a")}, "SOME tools", "a"},
	{"exact before alike", []string{group("g", "Tools", "a") + group("G", "Others", "b")}, "G", "b"},
	{"id and name", []string{group("g", "h", "a") + group("h", "Others", "b")}, "h", "a b"},
	{"glob", []string{group("g1", "One", "a") + group("g2", "Two", "b") + group("h", "Gone", "c")}, "g?", "a b"},
	{"glob over names", []string{group("g1", "One", "a") + group("g2", "Two", "b")}, "t[w]o", "b"},
	{"unknown", []string{group("g", "Tools", "a")}, "h", "none"},
	{"nothing", []string{group("g", "Tools", "a")}, "", "none"},
	{"no sign of environments", []string{group("g", "Tools", "a") + environment("e", "All", "g", "")}, "^e", "none"},
	{"twice in one file", []string{group("g", "Tools", "a") + group("g", "More", "b")}, "g", "a b"},
	{"the last name", []string{group("g", "Tools", "a") + group("g", "More", "b")}, "Tools", "none"},
	{"two repositories", []string{group("g", "Tools", "a b:optional c"), group("g", "More", "b d:default c:optional")}, "g", "a b d"},
	{"two repositories turned round", []string{group("g", "More", "b d:default c:optional"), group("g", "Tools", "a b:optional c")}, "g", "a c d"},
	{"condition of another repository", []string{group("g", "Tools", "a b"), group("g", "Tools", "b:conditional:c")}, "g", "a b+c"},
	{"environment", []string{group("g", "One", "a") + group("h", "Two", "b") + environment("e", "All", "g", "h")}, "e", "a"},
	{"environment by name", []string{group("g", "One", "a") + group("h", "Two", "b") + environment("e", "All", "g h", "")}, "all", "a b"},
	{"environment and group", []string{group("g", "One", "a") + group("e", "Two", "b") + environment("e", "All", "g", "")}, "e", "a b"},
	{"environment of two repositories", []string{group("g", "One", "a") + environment("e", "All", "g", ""), group("h", "Two", "b") + environment("e", "All", "h", "")}, "e", "a b"},
	{"environment without its group", []string{group("g", "One", "a") + environment("e", "All", "g h", "")}, "e", "a"},
	{"package in two groups", []string{group("g", "One", "a") + group("h", "Two", "a b") + environment("e", "All", "g h", "")}, "e", "a b"},
}

func foundBy(c *Comps, word string) string {
	packages, _, err := c.Find(word)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	} else if err != nil {
		return err.Error()
	}
	return wordsOf(packages)
}

func TestFind(t *testing.T) {
	for _, test := range compsCases {
		t.Run(test.name, func(t *testing.T) {
			if got := foundBy(compsOf(t, test.repos...), test.word); got != test.want {
				t.Errorf("@%s: %s, want %s", test.word, got, test.want)
			}
		})
	}
	c := compsOf(t, group("g", "One", "a")+environment("e", "All", "g h", ""))
	if _, notes, err := c.Find("e"); err != nil || fmt.Sprint(notes) != "[environment e: no repository has its group h]" {
		t.Errorf("%q, %v", notes, err)
	}
	if got, want := foundBy(c, "g/fast"), `group g: takes packages of type mandatory, default, conditional and optional, and not "fast"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// wordsOf writes packages as the cases do, in the order of the alphabet.
func wordsOf(packages []GroupPackage) string {
	var words []string
	for _, p := range packages {
		word := p.Name
		if p.Requires != "" {
			word += "+" + p.Requires
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
