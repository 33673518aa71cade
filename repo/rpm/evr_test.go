package rpm

import (
	"testing"

	rpmversion "github.com/knqyf263/go-rpm-version"
)

// versionPairs holds the cases of rpm's own test (tests/rpmvercmp.at): the left
// side compared with the right.
var versionPairs = []struct {
	a, b string
	want int
}{
	{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0", "1.0", 1},
	{"2.0.1", "2.0.1", 0}, {"2.0", "2.0.1", -1}, {"2.0.1", "2.0", 1},
	{"2.0.1a", "2.0.1a", 0}, {"2.0.1a", "2.0.1", 1}, {"2.0.1", "2.0.1a", -1},
	{"5.5p1", "5.5p1", 0}, {"5.5p1", "5.5p2", -1}, {"5.5p2", "5.5p1", 1},
	{"5.5p10", "5.5p10", 0}, {"5.5p1", "5.5p10", -1}, {"5.5p10", "5.5p1", 1},
	{"10xyz", "10.1xyz", -1}, {"10.1xyz", "10xyz", 1},
	{"xyz10", "xyz10", 0}, {"xyz10", "xyz10.1", -1}, {"xyz10.1", "xyz10", 1},
	{"xyz.4", "xyz.4", 0}, {"xyz.4", "8", -1}, {"8", "xyz.4", 1}, {"xyz.4", "2", -1}, {"2", "xyz.4", 1},
	{"5.5p2", "5.6p1", -1}, {"5.6p1", "5.5p2", 1}, {"5.6p1", "6.5p1", -1}, {"6.5p1", "5.6p1", 1},
	{"6.0.rc1", "6.0", 1}, {"6.0", "6.0.rc1", -1},
	{"10b2", "10a1", 1}, {"10a2", "10b2", -1},
	{"1.0aa", "1.0aa", 0}, {"1.0a", "1.0aa", -1}, {"1.0aa", "1.0a", 1},
	{"10.0001", "10.0001", 0}, {"10.0001", "10.1", 0}, {"10.1", "10.0001", 0},
	{"10.0001", "10.0039", -1}, {"10.0039", "10.0001", 1},
	{"4.999.9", "5.0", -1}, {"5.0", "4.999.9", 1},
	{"20101121", "20101121", 0}, {"20101121", "20101122", -1}, {"20101122", "20101121", 1},
	{"2_0", "2_0", 0}, {"2.0", "2_0", 0}, {"2_0", "2.0", 0},
	{"a", "a", 0}, {"a+", "a+", 0}, {"a+", "a_", 0}, {"a_", "a+", 0}, {"+a", "+a", 0}, {"+a", "_a", 0}, {"_a", "+a", 0},
	{"+_", "+_", 0}, {"_+", "+_", 0}, {"_+", "_+", 0}, {"+", "_", 0}, {"_", "+", 0},
	{"1.0~rc1", "1.0~rc1", 0}, {"1.0~rc1", "1.0", -1}, {"1.0", "1.0~rc1", 1},
	{"1.0~rc1", "1.0~rc2", -1}, {"1.0~rc2", "1.0~rc1", 1},
	{"1.0~rc1~git123", "1.0~rc1~git123", 0}, {"1.0~rc1~git123", "1.0~rc1", -1}, {"1.0~rc1", "1.0~rc1~git123", 1},
	{"1.0^", "1.0^", 0}, {"1.0^", "1.0", 1}, {"1.0", "1.0^", -1},
	{"1.0^git1", "1.0^git1", 0}, {"1.0^git1", "1.0", 1}, {"1.0", "1.0^git1", -1},
	{"1.0^git1", "1.0^git2", -1}, {"1.0^git2", "1.0^git1", 1}, {"1.0^git1", "1.01", -1}, {"1.01", "1.0^git1", 1},
	{"1.0^20160101", "1.0^20160101", 0}, {"1.0^20160101", "1.0.1", -1}, {"1.0.1", "1.0^20160101", 1},
	{"1.0^20160101^git1", "1.0^20160101^git1", 0}, {"1.0^20160102", "1.0^20160101^git1", 1}, {"1.0^20160101^git1", "1.0^20160102", -1},
	{"1.0~rc1^git1", "1.0~rc1^git1", 0}, {"1.0~rc1^git1", "1.0~rc1", 1}, {"1.0~rc1", "1.0~rc1^git1", -1},
	{"1.0^git1~pre", "1.0^git1~pre", 0}, {"1.0^git1", "1.0^git1~pre", 1}, {"1.0^git1~pre", "1.0^git1", -1},
	// beyond rpm's own
	{"", "", 0}, {"", "1", -1}, {"1", "", 1}, {"~", "", -1}, {"", "^", -1}, {"^", "~", 1}, {"~~", "~", -1},
	{"00000000000000000000000000000000001", "1", 0}, {"99999999999999999999999", "100000000000000000000000", -1},
	{"1é", "1", 0}, {"1.", "1", 0}, {"A", "a", -1}, {"1a", "1.a", 0},
}

func TestCompare(t *testing.T) {
	for _, c := range versionPairs {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("%q and %q: got %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestCompareEVR(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0-1", "1.0-1", 0}, {"1.0-1", "1.0-2", -1}, {"1.0-9", "1.1-1", -1},
		{"1:1.0-1", "2.0-1", 1}, {"0:1.0-1", "1.0-1", 0}, {"00:1.0-1", "1.0-1", 0}, {"2:1-1", "10:1-1", -1},
		{"1.0", "1.0-1", -1}, {"1.0-1", "1.0", 1}, {"1.0", "1.0", 0},
		{"1.0~rc1-1", "1.0-0", -1}, {"1.0^git-1", "1.0-9", 1}, {"1.0-1~x", "1.0-1", -1},
		{"1-2-3", "1-2-4", -1}, {"a:1", "b:1", -1}, {":1", "1", 0},
	} {
		if got := CompareEVR(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := CompareEVR(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: got %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestSplitEVR(t *testing.T) {
	for in, want := range map[string][3]string{
		"1:2.0-3": {"1", "2.0", "3"}, "2.0-3": {"", "2.0", "3"}, "2.0": {"", "2.0", ""}, "x:2-1": {"", "x:2", "1"}, "": {"", "", ""},
	} {
		e, v, r := SplitEVR(in)
		if [3]string{e, v, r} != want {
			t.Errorf("%q: got %q %q %q", in, e, v, r)
		}
	}
}

// FuzzEVR compares with an independent implementation of rpmvercmp, and checks
// that the order is one: antisymmetric and transitive.
func FuzzEVR(f *testing.F) {
	for i, c := range versionPairs {
		f.Add(c.a, c.b, versionPairs[(i*7)%len(versionPairs)].a)
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, bc, ac := Compare(a, b), Compare(b, c), Compare(a, c)
		if Compare(b, a) != -ab || Compare(a, a) != 0 {
			t.Errorf("%q and %q: %d, and the other way round %d", a, b, ab, Compare(b, a))
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab >= 0 && bc >= 0 && ac < 0 {
			t.Errorf("not transitive: %q, %q, %q", a, b, c)
		}
		if x := CompareEVR(a, b); x != -CompareEVR(b, a) {
			t.Errorf("full versions %q and %q: %d", a, b, x)
		}
		if !plainVersion(a) || !plainVersion(b) {
			return // the library splits these differently
		}
		if want := rpmversion.NewVersion(a).Compare(rpmversion.NewVersion(b)); want != ab {
			t.Errorf("%q and %q: got %d, want %d", a, b, ab, want)
		}
	})
}

// plainVersion reports whether a text is a version that a package may have.
func plainVersion(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && c != '.' && c != '_' && c != '+' && c != '~' && c != '^' {
			return false
		}
	}
	return s != ""
}

func BenchmarkCompareEVR(b *testing.B) {
	for b.Loop() {
		CompareEVR("1:5.14.0-503.15.1.el9_5", "1:5.14.0-503.14.1.el9_5")
	}
}
