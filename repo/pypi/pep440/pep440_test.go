package pep440

import (
	"slices"
	"strings"
	"testing"
)

func TestVersionNormalForm(t *testing.T) {
	tests := []struct{ in, want string }{
		{"1.0", "1.0"}, {" v1.0 ", "1.0"}, {"1.0ALPHA1", "1.0a1"}, {"1.0-preview_2", "1.0rc2"}, {"1.0c", "1.0rc0"},
		{"1.0-1", "1.0.post1"}, {"1.0.rev3", "1.0.post3"}, {"1.0dev", "1.0.dev0"}, {"1!02.0", "1!2.0"},
		{"1.0+Ubuntu-1_x", "1.0+ubuntu.1.x"}, {"1.0a.post1", "1.0a0.post1"}, {"20240102030405060708090", "20240102030405060708090"},
		{"", ""}, {"1.0.x", ""}, {"french toast", ""}, {"1.0+", ""}, {"1.0.*", ""}, {"1.0 .1", ""}, {strings.Repeat("1", 600), ""},
	}
	for _, tt := range tests {
		v, err := Parse(tt.in)
		if tt.want == "" {
			if err == nil {
				t.Errorf("Parse(%q) = %s, want an error", tt.in, v)
			}
		} else if err != nil || v.String() != tt.want {
			t.Errorf("Parse(%q) = %s, %v; want %s", tt.in, v, err, tt.want)
		}
	}
}

// TestVersionOrder holds the order of PEP 440, "Summary of permitted suffixes
// and relative ordering".
func TestVersionOrder(t *testing.T) {
	ordered := []string{
		"0.9", "1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2", "1.0b2.post345.dev456",
		"1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5", "1.0+5.1", "1.0.post456.dev34", "1.0.post456",
		"1.0.15", "1.1.dev1", "1.9", "1.10", "9999999999999999999999", "1!0.1",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			va, _ := Parse(a)
			vb, _ := Parse(b)
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := va.Compare(vb); got != want {
				t.Errorf("%s <=> %s = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestContains(t *testing.T) {
	tests := []struct{ specifiers, yes, no string }{
		{"", "1 1a1 2.dev0", ""},
		{"==1.0", "1 1.0.0 1.0+local", "1.0.1 1.0a1 1.0.post1"},
		{"==1.0+local", "1.0+local", "1.0 1.0+other"},
		{"==1.*", "1 1.0 1.9a1 1.0.post1 1+x", "2 10 2.dev0 1!1.0"},
		{"!=1.5.*", "1.4 1.6", "1.5 1.5.1 1.5a1"},
		{"~=2.2", "2.2 2.3 2.2.post1", "3.0 2.1 2.2a1 3.0a1"},
		{"~=1.4.5a4", "1.4.5a4 1.4.5 1.4.9", "1.4.5a3 1.5"},
		{"<2", "1.9 1.9.post1 1.9a1", "2 2a1 2.dev0"},
		{"<2a2", "2a1 1", "2a2 2"},
		{">1", "1.0.1 2", "1 1.post1 1+local 1a1"},
		{">1.post1", "1.post2 2", "1.post1 1.post1+x 1"},
		{">=1.0", "1.0 1.0+local 2a1", "1.0a1 0.9"},
		{"<=1.0", "1.0 1.0+local 1.0a1", "1.0.1 1.0.post1"},
		{"===1.0", "1.0", "1 1.0.0"},
		{">=1,<2,!=1.5", "1 1.4 1.6", "1.5 2 0.9"},
	}
	for _, tt := range tests {
		s, err := ParseSpecifiers(tt.specifiers)
		if err != nil {
			t.Fatal(err)
		}
		for want, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for _, text := range strings.Fields(list) {
				if v, err := Parse(text); err != nil || s.Contains(v) != want {
					t.Errorf("%q contains %s = %v, want %v (%v)", tt.specifiers, text, !want, want, err)
				}
			}
		}
	}
}

func TestSpecifierErrors(t *testing.T) {
	for _, text := range []string{"1.0", "=1.0", ">=", ">=1.*", "~=1", "==1.0a1.*", "<1+local", "==*", "=>1", ">=1 2", ">=dev", "===a b", strings.Repeat(">=1,", 300)} {
		if s, err := ParseSpecifiers(text); err == nil {
			t.Errorf("ParseSpecifiers(%q) = %v, want an error", text, s)
		}
	}
}

// TestFilter holds the rule that the comparison itself does not have: a
// pre-release counts only when it is asked for, or when there is nothing else.
func TestFilter(t *testing.T) {
	tests := []struct{ name, specifiers, versions, want string }{
		{"finals only", ">=1", "0.9 1.0 1.1a1 1.2 2.0rc1", "1.0 1.2"},
		{"named in the set", ">=1.1a1", "1.0 1.1a1 1.2 2.0rc1", "1.1a1 1.2 2.0rc1"},
		{"nothing else", ">=1", "0.9 1.1a1 2.0rc1", "1.1a1 2.0rc1"},
		{"nothing else, no set", "", "1.0.dev1", "1.0.dev1"},
		{"excluding names none", "!=1.1a1", "1.0 1.2a1", "1.0"},
		{"pinned", "==1.1a1", "1.0 1.1a1", "1.1a1"},
		{"identity", "===1.1a1", "1.0 1.1a1", "1.1a1"},
		{"post-releases are finals", ">=1", "1.0.post1 1.0.post2.dev1", "1.0.post1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSpecifiers(tt.specifiers)
			if err != nil {
				t.Fatal(err)
			}
			got := Filter(s, strings.Fields(tt.versions), func(text string) Version { v, _ := Parse(text); return v })
			if !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func FuzzSpecifier(f *testing.F) {
	for _, seed := range [][2]string{{">=1.0,<2", "1.5"}, {"==1.*", "1!1.0+x.1"}, {"~=1.4.5a4", "1.4.5.post1.dev2"}, {"===x", "v1.0-1"}, {"!=1.0.*", "1c_"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, specifiers, version string) {
		s, err := ParseSpecifiers(specifiers)
		v, verr := Parse(version)
		if verr == nil {
			again, err := Parse(v.String())
			if err != nil || again.Compare(v) != 0 || again.String() != v.String() {
				t.Fatalf("%q: normal form %q reads as %q, %v", version, v, again, err)
			}
		}
		if err != nil {
			return
		}
		again, err := ParseSpecifiers(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: written as %q: %v", specifiers, s, err)
		}
		if verr != nil {
			return
		}
		got := s.Contains(v)
		if got != again.Contains(v) {
			t.Fatalf("%q and %q differ on %s", specifiers, s, v)
		}
		for _, c := range s {
			if c.Op == "==" || c.Op == "!=" {
				other := c
				other.Op = map[string]string{"==": "!=", "!=": "=="}[c.Op]
				if c.Contains(v) == other.Contains(v) {
					t.Fatalf("%s and %s agree on %s", c, other, v)
				}
			}
		}
	})
}
