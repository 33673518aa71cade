package rpm

import "testing"

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "ab", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true}, {"[^a]x", "ax", false}, {`\**`, "*a", true}, {`\**`, "aa", false},
		{`\`, `\`, true}, {"a.b", "a.b", true}, {"a.b", "axb", false},
		{"[", "[", true}, {"a**b", "ab", true}, {"*/x", "/a/b/x", true}, {"", "", true}, {"", "a", false},
		{"[]", "a", false}, {"a[-]", "a-", true},
	} {
		if got := Match(test.pattern, test.text); got != test.want {
			t.Errorf("%q on %q: %v", test.pattern, test.text, got)
		}
	}
}
