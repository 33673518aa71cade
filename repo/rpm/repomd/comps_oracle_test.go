//go:build oracle

package repomd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// dnfComps prints for each line of stdin, repositories and a word, what the word
// means to dnf, as wordsOf writes it.
const dnfComps = `
import json, os, sys, tempfile
import dnf, dnf.comps, dnf.exceptions, libdnf.transaction
class History:
    class Kind:
        def search_by_pattern(self, pattern): return []
        def new(self, *args): return self
        def addPackage(self, *args): pass
        def addGroup(self, *args): pass
        def install(self, item): pass
    group = env = Kind()
kinds = dnf.comps.CompsQuery.ENVIRONMENTS | dnf.comps.CompsQuery.GROUPS
for line in sys.stdin:
    ask = json.loads(line)
    comps = dnf.comps.Comps()
    for text in ask["repos"]:
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write("<?xml version='1.0'?><comps>" + text + "</comps>")
            f.flush()
            comps._add_from_xml_filename(f.name)
    word, _, types = ask["word"].partition("/")
    types = libdnf.transaction.listToCompsPackageType(types.split(",") if types else ["mandatory", "default", "conditional"])
    solver = dnf.comps.Solver(History, comps, lambda name: None)
    try:
        found = dnf.comps.CompsQuery(comps, History, kinds, dnf.comps.CompsQuery.AVAILABLE).get(word)
    except dnf.exceptions.CompsError:
        print("none")
        continue
    trans = dnf.comps.TransactionBunch()
    for i in found.groups:
        trans += solver._group_install(i, types)
    for i in found.environments:
        trans += solver._environment_install(i, types)
    print(*sorted(set(p.name + ("+" + p.requires if p.requires else "") for p in trans.install)))
`

// TestDNFComps holds the cases, and random comps of up to three repositories,
// against dnf and libcomps.
func TestDNFComps(t *testing.T) {
	cases := append([]compsCase(nil), compsCases...)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		cases = append(cases, randomComps(r, fmt.Sprintf("random %d", n)))
	}
	var input strings.Builder
	enc := json.NewEncoder(&input)
	for _, c := range cases {
		if err := enc.Encode(map[string]any{"repos": c.repos, "word": c.word}); err != nil {
			t.Fatal(err)
		}
	}
	answers := askPython(t, dnfComps, input.String(), len(cases))
	none, different := 0, 0
	for i, c := range cases {
		if answers[i] == "none" {
			none++
		}
		if got := foundBy(compsOf(t, c.repos...), c.word); got != answers[i] {
			if different++; different < 6 {
				t.Errorf("%s: @%s: %s, dnf %s\n%s", c.name, c.word, got, answers[i], strings.Join(c.repos, "\n"))
			}
		}
	}
	t.Logf("%d words, %d that mean nothing, %d different", len(cases), none, different)
}

// randomComps makes up the comps of some repositories and a word.
func randomComps(r *rand.Rand, name string) compsCase {
	ids := []string{"g", "h", "G", "gh", "tools", "Tools"}
	id := func() string { return ids[r.IntN(len(ids))] }
	some := func(n int, word func() string) string {
		var words []string
		for range r.IntN(n) {
			words = append(words, word())
		}
		return strings.Join(words, " ")
	}
	// A group names a package once: what libcomps makes of more is an accident.
	left := []int(nil)
	pkg := func() string {
		p := string(rune('a' + left[0]))
		left = left[1:]
		switch r.IntN(6) {
		case 0:
			return p + ":optional"
		case 1:
			return p + ":default"
		case 2:
			return p + ":conditional:" + string(rune('v'+r.IntN(2)))
		}
		return p
	}
	c := compsCase{name: name}
	for range 1 + r.IntN(3) {
		text := ""
		for range 1 + r.IntN(3) {
			left = r.Perm(6)
			text += group(id(), id(), some(5, pkg))
		}
		for range r.IntN(3) {
			text += environment(id(), id(), some(3, id), some(2, id))
		}
		c.repos = append(c.repos, text)
	}
	c.word = id()
	switch r.IntN(8) {
	case 0:
		c.word = []string{"*", "t*", "?", "[gh]", "*H", "[!g]"}[r.IntN(6)]
	case 1:
		c.word = strings.ToUpper(c.word)
	case 2:
		c.word += "/" + []string{"optional", "mandatory,default", "conditional"}[r.IntN(3)]
	}
	return c
}

// askPython runs a program over an input of which each line has one line of answer.
func askPython(t *testing.T, program, input string, lines int) []string {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", program)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != lines {
		t.Fatalf("dnf answered %d of %d", len(answers), lines)
	}
	return answers
}
