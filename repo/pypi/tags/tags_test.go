package tags

import (
	"slices"
	"strings"
	"testing"
)

func el9(t *testing.T, minor int, arch string) *Set {
	t.Helper()
	s, err := For(Target{3, minor, arch, [2]int{2, 34}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOrder(t *testing.T) {
	list := el9(t, 9, "x86_64").List()
	inOrder := []string{
		"cp39-cp39-manylinux_2_34_x86_64", "cp39-cp39-manylinux_2_17_x86_64", "cp39-cp39-manylinux2014_x86_64", "cp39-cp39-manylinux_2_12_x86_64",
		"cp39-cp39-manylinux2010_x86_64", "cp39-cp39-manylinux_2_5_x86_64", "cp39-cp39-manylinux1_x86_64", "cp39-cp39-linux_x86_64",
		"cp39-abi3-manylinux_2_34_x86_64", "cp39-none-manylinux_2_34_x86_64", "cp38-abi3-manylinux_2_34_x86_64", "cp32-abi3-linux_x86_64",
		"py39-none-manylinux_2_34_x86_64", "py3-none-linux_x86_64", "py38-none-linux_x86_64", "py30-none-linux_x86_64", "cp39-none-any",
		"py39-none-any", "py3-none-any", "py38-none-any", "py30-none-any",
	}
	at := -1
	for _, tag := range inOrder {
		i := slices.Index(list, tag)
		if i <= at {
			t.Errorf("%s stands at %d, after %d", tag, i, at)
		}
		at = i
	}
	for _, tag := range []string{"cp39-cp39-manylinux_2_35_x86_64", "cp310-abi3-manylinux_2_17_x86_64", "cp39-cp39-any", "py2-none-any", "cp39-cp39-manylinux_2_17_aarch64"} {
		if slices.Contains(list, tag) {
			t.Errorf("%s is supported", tag)
		}
	}
	for _, tag := range el9(t, 9, "aarch64").List() {
		if strings.Contains(tag, "2_16") || strings.Contains(tag, "manylinux2010") || strings.Contains(tag, "manylinux1_") || strings.Contains(tag, "x86") {
			t.Errorf("aarch64 has %s", tag)
		}
	}
}

func TestTargetErrors(t *testing.T) {
	for _, target := range []Target{{3, 9, "s390x", [2]int{2, 34}}, {2, 7, "x86_64", [2]int{2, 34}}, {3, 9, "aarch64", [2]int{2, 12}}, {3, 9, "x86_64", [2]int{3, 0}}} {
		if _, err := For(target); err == nil {
			t.Errorf("%v is accepted", target)
		}
	}
}

func TestParseWheelAndRank(t *testing.T) {
	set := el9(t, 9, "x86_64")
	tests := []struct {
		name string
		ok   bool
	}{
		{"psycopg2_binary-2.9.12-cp39-cp39-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", true},
		{"cryptography-50.0.0-cp39-abi3-manylinux_2_34_x86_64.whl", true},
		{"cryptography-50.0.0-cp311-abi3-manylinux_2_34_x86_64.whl", false},
		{"x-1-py2.py3-none-any.whl", true},
		{"x-1-py3-none-win_amd64.whl", false},
		{"x-1-cp39-cp39-musllinux_1_2_x86_64.whl", false},
		{"x-1-12b-py3-none-any.whl", true},
	}
	for _, tt := range tests {
		w, err := ParseWheel(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if _, ok := set.Rank(w); ok != tt.ok {
			t.Errorf("%s: supported %v, want %v", tt.name, ok, tt.ok)
		}
	}
	w, _ := ParseWheel("x-1-12b-py3-none-any.whl")
	if w.Build != (Build{true, 12, "b"}) || w.Tags() != "py3-none-any" {
		t.Errorf("got %+v", w)
	}
	for _, name := range []string{"", "x.whl", "x-1-py3-none.whl", "x-1-a-py3-none-any.whl", "x--py3-none-any.whl", "x-1-2-3-py3-none-any.whl", "x-1-py3-none-any.zip",
		"a__b-1-py3-none-any.whl", "a+b-1-py3-none-any.whl", "a-1-py3.-none-any.whl", "a-1-py3-none-a..b.whl", "a-1-py3.8-none-any.whl", "a-1-3-none-any.whl", strings.Repeat("x", 600) + "-1-py3-none-any.whl"} {
		if w, err := ParseWheel(name); err == nil {
			t.Errorf("%q = %+v, want an error", name, w)
		}
	}
}

func TestBuildOrder(t *testing.T) {
	builds := []Build{{}, {true, 0, ""}, {true, 1, ""}, {true, 1, "a"}, {true, 2, ""}, {true, 10, ""}}
	for i, a := range builds {
		for j, b := range builds {
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%v <=> %v = %d", a, b, got)
			}
		}
	}
}

func FuzzWheelName(f *testing.F) {
	for _, seed := range []string{"a-1-py3-none-any.whl", "a-1-2x-cp39.cp38-abi3.none-manylinux_2_17_x86_64.linux_x86_64.whl", "a-1-py3-none-.whl", "-----.whl"} {
		f.Add(seed)
	}
	set, err := For(Target{3, 12, "aarch64", [2]int{2, 34}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w, err := ParseWheel(name)
		if err != nil {
			return
		}
		set.Rank(w)
		again, err := ParseWheel(w.Name + "-" + w.Version + "-" + w.Tags() + ".whl")
		if err != nil || again.Tags() != w.Tags() {
			t.Fatalf("%q: %+v reads as %+v, %v", name, w, again, err)
		}
	})
}
