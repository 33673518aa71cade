package rpm

import (
	"strings"
	"testing"
)

func TestParseDep(t *testing.T) {
	for in, want := range map[string]string{
		"foo":                            "foo",
		" foo  >=  1.0 ":                 "foo >= 1.0",
		"foo = 0:1.0-1":                  "foo = 1.0-1",
		"foo == 1":                       "foo = 1",
		"foo <= 2:1.0-1":                 "foo <= 2:1.0-1",
		"libc.so.6(GLIBC_2.34)(64bit)":   "libc.so.6(GLIBC_2.34)(64bit)",
		"(a or b)":                       "(a or b)",
		"( a   or  b )":                  "(a or b)",
		"(a or b or c)":                  "(a or b or c)",
		"(a or (b or c))":                "(a or b or c)",
		"((a or b) or c)":                "((a or b) or c)",
		"(a and (b or c))":               "(a and (b or c))",
		"(a >= 1 with a < 2)":            "(a >= 1 with a < 2)",
		"(a if b)":                       "(a if b)",
		"(a if b else c)":                "(a if b else c)",
		"(a unless b else c)":            "(a unless b else c)",
		"(a if (b and c) else (d or e))": "(a if (b and c) else (d or e))",
		"(x() without y()(64bit) )":      "(x() without y()(64bit))",
		"(a)":                            "a",
		"((a) and ((b)))":                "(a and b)",
		"(pkgconfig(x) >= 1 or y)":       "(pkgconfig(x) >= 1 or y)",
	} {
		p := NewPool()
		d, err := p.ParseDep(in)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := p.DepString(d); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParseDepRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `parse dependency "": it is empty`,
		"a b":                    `parse dependency "a b": want a name, or a name, a comparison and a version`,
		"a => b c":               `parse dependency "a => b c": want a name, or a name, a comparison and a version`,
		"a ~ 1":                  `parse dependency "a ~ 1": "~" is not a comparison`,
		"(a":                     `parse dependency "(a": a parenthesis is not closed`,
		"(a or":                  `parse dependency "(a or": a name is missing`,
		"()":                     `parse dependency "()": a name is missing`,
		"(a b)":                  `parse dependency "(a b)": "b" is not an operator`,
		"(a or b and c)":         `parse dependency "(a or b and c)": and after or needs parentheses`,
		"(a if b if c)":          `parse dependency "(a if b if c)": if after if needs parentheses`,
		"(a else b)":             `parse dependency "(a else b)": else without if or unless`,
		"(a if b else c else d)": `parse dependency "(a if b else c else d)": else without if or unless`,
		"(a >=)":                 `parse dependency "(a >=)": a version is missing after >=`,
		"(f(a b) or c)":          `parse dependency "(f(a b) or c)": a parenthesis is not closed`,
		"(a, b)":                 `parse dependency "(a, b)": "" is not an operator`,
		"(a) b":                  `parse dependency "(a) b": " b" follows the closing parenthesis`,
	} {
		p := NewPool()
		if _, err := p.ParseDep(in); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", in, err, want)
		}
	}
	p := NewPool()
	if _, err := p.ParseDep(strings.Repeat("(", 1e6)); err == nil || !strings.Contains(err.Error(), "nests too deep") {
		t.Error("a million parentheses were read")
	}
	if _, err := p.ParseDep("(" + strings.Repeat("a or ", 1e5) + "a)"); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error("a chain of a hundred thousand was read")
	}
}

func TestCapability(t *testing.T) {
	p := NewPool()
	capability := func(name string, op Op, epoch, ver, rel string) string {
		return p.DepString(p.Capability([]byte(name), op, []byte(epoch), []byte(ver), []byte(rel)))
	}
	for _, c := range []struct{ got, want string }{
		{capability("a", 0, "", "", ""), "a"},
		{capability("a", EQ, "0", "1", "2"), "a = 1-2"},
		{capability("a", GT|EQ, "3", "1", ""), "a >= 3:1"},
		{capability("a", LT, "0", "1:2", ""), "a < 0:1:2"},
		{capability("(a or b)", 0, "", "", ""), "(a or b)"},
		{capability("(broken", 0, "", "", ""), "(broken"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// FuzzParseDep checks that a dependency survives being written and read again.
func FuzzParseDep(f *testing.F) {
	for _, s := range []string{
		"foo", "foo >= 1.0", "(a or b)", "(a >= 1 with a < 2)", "(a if (b and c) else (d or e))", "(x() without y()(64bit))", "((a", "(a unless b else c)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := NewPool()
		d, err := p.ParseDep(s)
		if err != nil {
			return
		}
		text := p.DepString(d)
		again, err := p.ParseDep(text)
		if err != nil {
			t.Fatalf("%q became %q: %v", s, text, err)
		}
		if again != d {
			t.Errorf("%q became %q, which reads as %q", s, text, p.DepString(again))
		}
		p.Prepare("x86_64")
		p.Providers(d)
	})
}

func TestParseNEVRA(t *testing.T) {
	for in, want := range map[string]NEVRA{
		"a-1-2.x86_64":                      {"a", "", "1", "2", "x86_64"},
		"perl-4:5.32.1-481.el9.x86_64":      {"perl", "4", "5.32.1", "481.el9", "x86_64"},
		"glibc-langpack-en-2.34-1.el9.i686": {"glibc-langpack-en", "", "2.34", "1.el9", "i686"},
	} {
		got, ok := ParseNEVRA(in)
		if !ok || got != want || got.String() != in {
			t.Errorf("%s: got %+v", in, got)
		}
	}
	for _, in := range []string{"", "a", "a-1", "a-1-2", "a.noarch", "a-1.x86_64", "-1-2.x86_64", "a--2.x86_64", "a-1-.x86_64", "a-1-2.", "a-x:1-2.x86_64"} {
		if got, ok := ParseNEVRA(in); ok {
			t.Errorf("%s: read as %+v", in, got)
		}
	}
	if got := (NEVRA{"a", "0", "1", "2", "noarch"}).String(); got != "a-1-2.noarch" {
		t.Errorf("got %s", got)
	}
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		include, exclude []string
		want             string
	}{
		{nil, nil, ""},
		{nil, []string{"a"}, "a-1-1.x86_64 excluded by a, a-1-1.i686 excluded by a"},
		{nil, []string{"a.i686"}, "a-1-1.i686 excluded by a.i686"},
		{nil, []string{"zzz", "*.i686"}, "a-1-1.i686 excluded by *.i686"},
		{nil, []string{"b-0:2*"}, "b-2-1.noarch excluded by b-0:2*"},
		{nil, []string{"c-3-1.noarch"}, "c-5:3-1.noarch excluded by c-3-1.noarch"},
		{nil, []string{"c-5:3-1"}, "c-5:3-1.noarch excluded by c-5:3-1"},
		{nil, []string{"[!abc]"}, ""},
		{[]string{"a", "b"}, nil, "c-5:3-1.noarch not included by a,b"},
		{[]string{"a"}, []string{"a.i686"}, "a-1-1.i686 excluded by a.i686, b-2-1.noarch not included by a, c-5:3-1.noarch not included by a"},
	} {
		p := newTestPool(t)
		p.pkg("a-1-1.x86_64")
		p.pkg("a-1-1.i686")
		p.pkg("b-2-1.noarch")
		p.pkg("c-5:3-1.noarch")
		p.Filter(p.repo, c.include, c.exclude)
		var got []string
		for id := System + 1; int(id) < p.Len(); id++ {
			if pkg := p.Package(id); pkg.Hidden {
				got = append(got, p.NEVRA(id)+" "+pkg.HiddenWhy.String()+" by "+p.String(pkg.HiddenBy))
			}
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("include %q, exclude %q:\ngot  %s\nwant %s", c.include, c.exclude, got, c.want)
		}
	}
}
