package sdist

import "testing"

func TestUpTo(t *testing.T) {
	for _, test := range []struct{ in, ends, want string }{
		{"a, b", ",", "a"},
		{"f(a, b), c", ",", "f(a, b)"},
		{"[1, {2: (3, 4)}], c", ",", "[1, {2: (3, 4)}]"},
		{"'a, b', c", ",", "'a, b'"},
		{`"a\", b", c`, ",", `"a\", b"`},
		{"\"\"\"a\n, b\"\"\", c", ",", "\"\"\"a\n, b\"\"\""},
		{"a) + b", ",)]}\n", "a"},
		{"a)[b, c", ",", "a)[b, c"},
		{"[\n 'a',\n]\nnext = 1", "\n", "[\n 'a',\n]"},
		{"'unclosed, b\nc", "\n", "'unclosed, b"},
		{"(unclosed, b", ",", "(unclosed, b"},
		{"", ",", ""},
	} {
		if got := upTo(test.in, test.ends); got != test.want {
			t.Errorf("%q up to %q: %q, want %q", test.in, test.ends, got, test.want)
		}
	}
}

func TestArgument(t *testing.T) {
	text := newSource([]byte("NAME = \\\n  'x'\nsetup(name=NAME, packages=\n  ['a', 'b'], zip_safe=False)\n"))
	for name, want := range map[string]string{"NAME": "'x'", "name": "NAME", "packages": "['a', 'b']", "zip_safe": "False"} {
		if got, ok := text.argument(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
