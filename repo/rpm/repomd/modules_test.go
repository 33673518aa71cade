package repomd

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

const modulesText = `---
document: modulemd-defaults
version: 1
data:
  module: db
  stream: "1"
  profiles:
    "1": [server]
...
---
document: modulemd
version: 2
data:
  name: db
  stream: 1
  version: 10
  context: aaaa
  arch: x86_64
  summary: A database
  dependencies:
  - requires:
      platform: [el8]
      lib: [2]
  artifacts:
    rpms:
    - db-0:1.0-1.module.x86_64
    - db-0:1.0-1.module.src
...
---
document: modulemd
version: 2
data:
  name: db
  stream: "2"
  artifacts:
    rpms: [db-0:2.0-1.module.x86_64, both-1:1-1.module.noarch]
...
---
document: modulemd
version: 2
data:
  name: lib
  stream: "2"
  artifacts:
    rpms: [lib-0:2-1.module.x86_64]
...
---
document: modulemd
version: 2
data:
  name: lib
  stream: "3"
  artifacts:
    rpms: [lib-0:3-1.module.x86_64]
...
---
document: modulemd-obsoletes
version: 1
data:
  module: db
`

// modularRepo is a repository with modules; a second one is plain. It returns
// what is to be had of both, and what hides the rest.
func modularRepo(t *testing.T, modules string, opts ModuleOptions, hotfixes bool) (visible, hidden string) {
	t.Helper()
	pkg := func(nevra, provides string) string {
		n, _ := rpm.ParseNEVRA(nevra)
		s := primaryPackage(n.Name, n.Version, provides)
		s = strings.Replace(s, `rel="1.el9"`, fmt.Sprintf(`rel="%s"`, n.Release), 1)
		if n.Epoch != "" {
			s = strings.Replace(s, `epoch="0"`, fmt.Sprintf(`epoch="%s"`, n.Epoch), 1)
		}
		return strings.Replace(s, "<arch>x86_64</arch>", "<arch>"+n.Arch+"</arch>", 1)
	}
	text := primaryHead + pkg("db-1.0-1.module.x86_64", "") + pkg("db-2.0-1.module.x86_64", "") + pkg("lib-2-1.module.x86_64", "") +
		pkg("lib-3-1.module.x86_64", "") + pkg("both-1:1-1.module.noarch", "") + pkg("plain-1-1.x86_64", "") + primaryTail
	m := memory{}
	m.index("1", m.add("primary", "primary.xml", []byte(text), len(text)), m.add("modules", "modules.yaml", []byte(modules), len(modules)))
	other := withPrimary(primaryHead + pkg("db-9-1.x86_64", "") +
		pkg("db-compat-1-1.x86_64", "    <rpm:provides>\n      <rpm:entry name=\"db\" flags=\"EQ\" epoch=\"0\" ver=\"1\"/>\n    </rpm:provides>\n") + primaryTail)
	pool := rpm.NewPool()
	_, err := Load(context.Background(), pool, []Input{
		{Repo: rpm.Repo{ID: "modular"}, Tree: m},
		{Repo: rpm.Repo{ID: "other", ModuleHotfixes: hotfixes}, Tree: other},
	}, Options{Modules: opts})
	if err != nil {
		return err.Error(), ""
	}
	var seen, rest []string
	for id := rpm.System + 1; int(id) < pool.Len(); id++ {
		pkg := pool.Package(id)
		if !pkg.Hidden {
			seen = append(seen, pool.NEVRA(id))
		} else {
			rest = append(rest, fmt.Sprintf("%s %s by %s", pool.NEVRA(id), pkg.HiddenWhy, pool.String(pkg.HiddenBy)))
		}
	}
	return strings.Join(seen, " "), strings.Join(rest, ", ")
}

func TestModules(t *testing.T) {
	none := strings.Replace(modulesText, "document: modulemd-defaults", "document: ignored", 1)
	for _, c := range []struct {
		name, text string
		opts       ModuleOptions
		hotfixes   bool
		want       string
	}{
		{"nothing active", none, ModuleOptions{}, false, "plain-1-1.x86_64 db-9-1.x86_64 db-compat-1-1.x86_64"},
		{"a default, and what it requires", modulesText, ModuleOptions{}, false, "db-1.0-1.module.x86_64 lib-2-1.module.x86_64 plain-1-1.x86_64"},
		{"a repository of hot fixes", modulesText, ModuleOptions{}, true,
			"db-1.0-1.module.x86_64 lib-2-1.module.x86_64 plain-1-1.x86_64 db-9-1.x86_64 db-compat-1-1.x86_64"},
		{"another stream enabled", modulesText, ModuleOptions{Enabled: []string{"db:2"}}, false, "db-2.0-1.module.x86_64 both-1:1-1.module.noarch plain-1-1.x86_64"},
		{"the default disabled", modulesText, ModuleOptions{Disabled: []string{"db"}}, false, "plain-1-1.x86_64 db-9-1.x86_64 db-compat-1-1.x86_64"},
		{"what it requires is enabled otherwise", modulesText, ModuleOptions{Enabled: []string{"lib:3"}}, false,
			"lib-3-1.module.x86_64 plain-1-1.x86_64 db-9-1.x86_64 db-compat-1-1.x86_64"},
		{"an unknown stream", modulesText, ModuleOptions{Enabled: []string{"db:7"}}, false, `enable module "db:7": no repository has that stream, only 1, 2`},
		{"an unknown module", modulesText, ModuleOptions{Enabled: []string{"x:7"}}, false, `enable module "x:7": no repository has that module, only db, lib`},
		{"no stream", modulesText, ModuleOptions{Enabled: []string{"db"}}, false, `enable module "db": want NAME:STREAM`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := modularRepo(t, c.text, c.opts, c.hotfixes); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestModulesHide says which stream hides a package.
func TestModulesHide(t *testing.T) {
	for _, c := range []struct{ enabled, want string }{
		{"", "db-2.0-1.module.x86_64 modular by db:2, lib-3-1.module.x86_64 modular by lib:3, both-1:1-1.module.noarch modular by db:2, " +
			"db-9-1.x86_64 shadowed by db:1, db-compat-1-1.x86_64 shadowed by db:1"},
		{"db:2", "db-1.0-1.module.x86_64 modular by db:1, lib-2-1.module.x86_64 modular by lib:2, lib-3-1.module.x86_64 modular by lib:3, " +
			"db-9-1.x86_64 shadowed by db:2, db-compat-1-1.x86_64 shadowed by db:2"},
	} {
		if _, got := modularRepo(t, modulesText, ModuleOptions{Enabled: strings.Fields(c.enabled)}, false); got != c.want {
			t.Errorf("enabled %q:\ngot  %s\nwant %s", c.enabled, got, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		streams []string
		stream  string
		want    bool
	}{
		{nil, "1", true}, {[]string{"1", "2"}, "2", true}, {[]string{"1", "2"}, "3", false},
		{[]string{"-1", "-2"}, "2", false}, {[]string{"-1", "-2"}, "3", true},
	} {
		if got := allows(c.streams, c.stream); got != c.want {
			t.Errorf("%q in %q: %v", c.stream, c.streams, got)
		}
	}
}

func TestParseModulesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"document: modulemd\ndata: []\n":                                                       "document 1: yaml: unmarshal errors:",
		"document: modulemd\nversion: 2\ndata:\n  stream: [1]\n":                               "document 1: line 4: want a text",
		"document: modulemd\nversion: 2\ndata:\n  dependencies: {a: b}\n":                      "document 1: yaml: unmarshal errors:",
		"document: modulemd\nversion: 2\ndata:\n  artifacts:\n    rpms: {a: b}\n":              "document 1: yaml: unmarshal errors:",
		"---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\ndocument: [*b]\n": "document 1: yaml: ",
	} {
		_, err := ParseModules(bytes.NewReader([]byte(text)))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

const compsText = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group>
    <id>tools</id>
    <name>Tools</name>
    <name xml:lang="de">Werkzeuge</name>
    <description>All sorts</description>
    <default>false</default>
    <uservisible>true</uservisible>
    <packagelist>
      <packagereq type="mandatory">make</packagereq>
      <packagereq type="conditional" requires="kde">kdesdk</packagereq>
      <packagereq basearchonly="true">git</packagereq>
    </packagelist>
  </group>
  <environment>
    <id>env</id>
    <name>Everything</name>
    <grouplist><groupid>tools</groupid><groupid>gone</groupid></grouplist>
    <optionlist><groupid default="true">games</groupid></optionlist>
  </environment>
  <category><id>cat</id></category>
</comps>
`

func TestComps(t *testing.T) {
	m := newMemory()
	p := []byte(goodPrimary())
	m.index("1", m.add("primary", "primary.xml", p, len(p)), m.add("group", "comps.xml", []byte(compsText), len(compsText)))
	_, repos, err := loadOne(m)
	if err != nil {
		t.Fatal(err)
	}
	comps, err := repos[0].Comps(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := "{[{tools Tools [{make mandatory  false} {kdesdk conditional kde false} {git mandatory  true}]}] [{env Everything [tools gone]}]}"
	if got := fmt.Sprint(*comps); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m["repodata/comps.xml"][50] ^= 1
	if _, err := repos[0].Comps(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "read comps of test: its sha256 is ") {
		t.Errorf("got %v", err)
	}
}

func TestCompsReal(t *testing.T) {
	_, repos := loadReal(t)
	for i, want := range [][2]int{{34, 3}, {63, 4}} {
		comps, err := repos[i].Comps(context.Background())
		if err != nil || len(comps.Groups) != want[0] || len(comps.Environments) != want[1] {
			t.Errorf("%s: %d groups, %d environments, want %d, %v", repos[i].Name, len(comps.Groups), len(comps.Environments), want, err)
		}
	}
}
