//go:build oracle

package pypi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// randomWorld is a small index and what is asked of it. It can be made smaller
// as long as it still shows something.
type randomWorld struct {
	html, beside              bool
	files                     []randomFile
	requirements, constraints []string
}

// randomFile is a wheel; its headers start with those that each METADATA has.
type randomFile struct {
	name, requiresPython, yanked string
	headers                      []string
}

func (w *randomWorld) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "html %v, metadata beside wheels %v\n", w.html, w.beside)
	for _, f := range w.files {
		fmt.Fprintf(&b, "%s yanked=%q requires-python=%q\n  %s\n", f.name, f.yanked, f.requiresPython, strings.Join(f.headers[1:], "\n  "))
	}
	fmt.Fprintf(&b, "wanted %q, constraints %q", w.requirements, w.constraints)
	return b.String()
}

// serve serves the index. Pip reads HTML with an absolute base only.
func (w *randomWorld) serve() *httptest.Server {
	x := newFixture()
	x.html, x.noMetadata = w.html, !w.beside
	for _, f := range w.files {
		metadata := []byte(strings.Join(f.headers, "\n") + "\n\n")
		x.add(f.name, &fixtureFile{metadata: metadata, content: makeWheel(f.name, metadata, nil), requiresPython: f.requiresPython, yanked: f.yanked})
	}
	return httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		if !w.html || !strings.HasPrefix(r.URL.Path, "/simple/") {
			x.ServeHTTP(to, r)
			return
		}
		page := httptest.NewRecorder()
		x.ServeHTTP(page, r)
		to.Header().Set("Content-Type", page.Header().Get("Content-Type"))
		to.WriteHeader(page.Code)
		fmt.Fprint(to, strings.Replace(page.Body.String(), "href='/'", "href='http://"+r.Host+"/'", 1))
	}))
}

// smaller lists the worlds that lack one thing.
func (w *randomWorld) smaller() (out []*randomWorld) {
	without := func(list []string, i int) []string { return slices.Delete(slices.Clone(list), i, i+1) }
	add := func(change func(*randomWorld)) {
		c := *w
		c.files = slices.Clone(w.files)
		change(&c)
		out = append(out, &c)
	}
	for i, f := range w.files {
		add(func(c *randomWorld) { c.files = slices.Delete(c.files, i, i+1) })
		for j := range f.headers[3:] {
			add(func(c *randomWorld) { c.files[i].headers = without(f.headers, j+3) })
		}
		if f.requiresPython != "" {
			add(func(c *randomWorld) { c.files[i].requiresPython = "" })
		}
		if f.yanked != "" {
			add(func(c *randomWorld) { c.files[i].yanked = "" })
		}
	}
	for i := range w.constraints {
		add(func(c *randomWorld) { c.constraints = without(w.constraints, i) })
	}
	for i := range w.requirements {
		if len(w.requirements) > 1 {
			add(func(c *randomWorld) { c.requirements = without(w.requirements, i) })
		}
	}
	return out
}

// worldMaker makes a world by chance. Rates are percent: how often something
// odd is to be met.
type worldMaker struct {
	*rand.Rand
	world    *randomWorld
	names    []string            // normalised
	versions map[string][]string // by project

	yanked, pythons, pre, extras, markers, broken, several int

	bound       int  // how often a requirement has versions
	everyPython bool // each wheel has Requires-Python, as most do
}

func newRandomWorld(seed uint64) *randomWorld {
	m := &worldMaker{Rand: rand.New(rand.NewPCG(seed, 0)), versions: map[string][]string{}}
	m.world = &randomWorld{html: m.percent(30), beside: m.percent(70)}
	for _, rate := range []*int{&m.yanked, &m.pythons, &m.pre, &m.extras, &m.markers, &m.broken, &m.several} {
		*rate = []int{0, 0, 10, 40}[m.IntN(4)]
	}
	projects, versions := 2+m.IntN(7), 6
	if m.bound = 40; m.percent(40) { // something to search for
		projects, versions, m.bound, m.broken, m.extras = 8+m.IntN(7), 12, 70, 0, m.extras/4
		m.everyPython = m.percent(70)
	}
	m.names = []string{"a", "b", "c", "d-e", "f", "g", "h-i-j", "k", "l", "m", "n", "o", "p", "q"}[:projects]
	for _, name := range m.names {
		for range 1 + m.IntN(versions) {
			if v := m.version(); !slices.Contains(m.versions[name], v) {
				m.versions[name] = append(m.versions[name], v)
			}
		}
	}
	for i, name := range m.names {
		for _, version := range m.versions[name] {
			m.file(i, name, version)
			for range m.IntN(3) {
				if m.percent(m.several) {
					m.file(i, name, version)
				}
			}
		}
	}
	for range 1 + m.IntN(3) {
		m.world.requirements = append(m.world.requirements, m.requirement(-1, false))
	}
	if m.percent(35) {
		m.world.constraints = append(m.world.constraints, m.choice(m.names)+m.specifiers("", 100))
	}
	return m.world
}

func (m *worldMaker) percent(n int) bool { return m.IntN(100) < n }

func (m *worldMaker) choice(list []string) string { return list[m.IntN(len(list))] }

func (m *worldMaker) version() string {
	v := m.choice([]string{"0.9", "1", "1.0", "1.1", "1.2", "1.2.3", "2", "2.0", "2.1", "2.10", "3", "3.0.1", "4"})
	if m.percent(m.pre) {
		v += m.choice([]string{"a1", "rc2", "b1.dev3", ".dev4", ".post1", ".post2.dev1", "+local.1", "+2", ".post1+x"})
	}
	if m.percent(m.pre / 10) {
		v = "1!" + v
	}
	return v
}

// spelled writes a normalised name in another spelling.
func (m *worldMaker) spelled(name string, separators ...string) string {
	name = strings.ReplaceAll(name, "-", m.choice(separators))
	if m.percent(20) {
		name = strings.ToUpper(name)
	}
	return name
}

func (m *worldMaker) extra() string {
	return m.choice([]string{"x", "y", "X", "two-words", "Two_Words", "two.words", "all"})
}

// file adds a wheel of a version; i is the place of its project among the
// names.
func (m *worldMaker) file(i int, name, version string) {
	f := randomFile{
		name:    m.spelled(name, "_", ".") + "-" + version + "-" + m.tag() + ".whl",
		headers: []string{"Metadata-Version: 2.1", "Name: " + m.spelled(name, "-", "_", "."), "Version: " + version},
	}
	if slices.ContainsFunc(m.world.files, func(o randomFile) bool { return o.name == f.name }) {
		return
	}
	python := m.choice([]string{">=3.8", ">=3.8", ">=3.8", "<3.8", ">=3.17", "~=3.6", "!=3.9.*,!=3.10.*,!=3.11.*", ">=3.6.*", ">2.7,<4", ">=3.17,", ""})
	switch {
	case m.everyPython:
		f.requiresPython, python = ">=3.8", ">=3.8"
	case !m.percent(m.pythons):
		python = ""
	case m.percent(70):
		f.requiresPython = python
	}
	switch lie := m.percent(m.broken / 2); {
	case lie && m.percent(25):
		f.headers[1] = "Name: other"
	case lie && m.percent(33):
		f.headers[2] = "Version: 99"
	case lie && m.percent(50):
		f.headers = append(f.headers, "Requires-Dist: "+m.choice([]string{"?", "a>=1.*", "a>=1 <2", "a; python_version", "a==1.0-", "b [x", "a=>1"}))
	case lie:
		python = m.choice([]string{"<3", ">=4", "3.8", ">=3.x"})
	}
	if python != "" {
		f.headers = append(f.headers, "Requires-Python: "+python)
	}
	if m.percent(m.extras) {
		for range 1 + m.IntN(3) {
			f.headers = append(f.headers, "Provides-Extra: "+m.extra())
		}
		for range m.IntN(4) {
			f.headers = append(f.headers, "Requires-Dist: "+m.requirement(m.IntN(len(m.names)+1)-1, true))
		}
	}
	for range m.IntN(3) {
		f.headers = append(f.headers, "Requires-Dist: "+m.requirement(i, false))
	}
	if m.percent(m.yanked) {
		f.yanked = "no good"
	}
	m.world.files = append(m.world.files, f)
}

// tag returns a build tag, seldom, and a tag set. That of x86_64 runs on no
// other host, where such a wheel is one more that does not fit.
func (m *worldMaker) tag() string {
	if !m.percent(m.several) {
		return "py3-none-any"
	}
	tag := m.choice([]string{
		"py3-none-any", "py2.py3-none-any", "py2-none-any", "cp38-abi3-manylinux2014_x86_64", "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64",
		"cp311-cp311-win_amd64", "cp27-cp27mu-linux_x86_64", "py3-none-linux_x86_64", "py38-none-any", "cp38-abi3-manylinux_2_999_x86_64", "py3-none-macosx_11_0_arm64.linux_x86_64",
	})
	if m.percent(20) {
		tag = m.choice([]string{"1", "2", "10", "1a", "1b"}) + "-" + tag
	}
	return tag
}

// requirement makes one of a project that comes after place i, most often.
func (m *worldMaker) requirement(i int, optional bool) string {
	name := m.choice(m.names)
	if i+1 < len(m.names) && m.percent(80) {
		name = m.choice(m.names[i+1:])
	}
	text := m.spelled(name, "-", "_", ".", "--")
	if m.percent(m.extras) {
		text += "[" + m.extra()
		if m.percent(30) {
			text += ", " + m.extra()
		}
		text += "]"
	}
	versions := m.specifiers(name, m.bound)
	if versions != "" && m.percent(10) {
		versions = " (" + versions + ")"
	}
	text += versions
	var markers []string
	if optional {
		markers = append(markers, "extra == '"+m.extra()+"'")
	}
	if m.percent(m.markers) {
		markers = append(markers, m.choice([]string{
			"python_version >= '3.9'", "python_version<'3'", "sys_platform == 'linux'", "os_name != \"posix\"", "platform_machine in 'x86_64 aarch64'",
			"(python_version > '3.7' and implementation_name == 'cpython')", "'3.9' <= python_version", "platform_system == 'Windows' or python_full_version >= '3.10'",
			"python_version not in '2.7, 3.5'", "extra != 'x'", "python_version == '3.*'", "extra == 'y' or os_name == 'posix'",
		}))
	}
	m.Shuffle(len(markers), func(i, j int) { markers[i], markers[j] = markers[j], markers[i] })
	if len(markers) > 0 {
		text += " ; " + strings.Join(markers, m.choice([]string{" and ", " and ", " or "}))
	}
	return text
}

// specifiers makes clauses about versions that a project has, most often.
func (m *worldMaker) specifiers(name string, rate int) string {
	var clauses []string
	for ; m.percent(rate) && len(clauses) < 3; rate /= 3 {
		version := m.version()
		if own := m.versions[name]; len(own) > 0 && m.percent(90) {
			version = m.choice(own)
		}
		public, _, _ := strings.Cut(version, "+")
		op := m.choice([]string{"==", "!=", "!=", "<", "<=", "<=", ">", ">=", ">=", ">=", ">=", "~=", "==*", "!=*", "==="})
		switch op {
		case "==", "!=":
		case "===":
			// What follows would be read as part of the version.
			return strings.Join(append(clauses, op+version), ",")
		case "==*", "!=*":
			if end := strings.IndexAny(public, "abcdeprov"); end > 0 {
				public = strings.TrimRight(public[:end], ".")
			}
			op, version = op[:2], public+".*"
		case "~=":
			if version = public; len(public) < 3 || public[1] != '.' || public[2] > '9' {
				op = ">="
			}
		default:
			version = public
		}
		clauses = append(clauses, op+m.choice([]string{"", "", " "})+version)
	}
	return strings.Join(clauses, m.choice([]string{",", ", "}))
}
