package pypi

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyVersions keeps a refusal short, however many versions were tried.
func TestManyVersions(t *testing.T) {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl")
	for version := 10; version < 100; version++ {
		x.wheel(fmt.Sprintf("app-%d-py3-none-any.whl", version), fmt.Sprintf("Requires-Dist: lib>=%d", version))
	}
	_, err := Resolve(t.Context(), x.index(t), []string{"app"}, nil, el9)
	const want = `no solution for CPython 3.9.18 on x86_64 (glibc 2.34)
  lib: no version fits
    lib>=99 is wanted by app 99, wanted by you
    lib>=98 is wanted by app 98, wanted by you
    lib>=97 is wanted by app 97, wanted by you
    and so want 87 more versions of app
    there is 1`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestManyRequirements counts versions, not what each of them requires.
func TestManyRequirements(t *testing.T) {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl")
	x.wheel("app-1-py3-none-any.whl", "Requires-Dist: lib<9", "Requires-Dist: lib!=8", "Requires-Dist: lib!=7", "Requires-Dist: lib>=2")
	_, err := Resolve(t.Context(), x.index(t), []string{"app"}, nil, el9)
	if err == nil || strings.Contains(err.Error(), "more versions") || strings.Count(err.Error(), "is wanted by app 1") != 4 {
		t.Errorf("got %v", err)
	}
}

// TestWhatThereIs lists the newest version first, and of wheels for others those
// of this kind of system.
func TestWhatThereIs(t *testing.T) {
	x := newFixture()
	for _, version := range []string{"1.9", "1.10", "1.2"} {
		x.wheel("late-"+version+"-py3-none-any.whl", "Requires-Python: >=3.12")
	}
	for _, tag := range []string{"cp39-cp39-win_amd64", "cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-musllinux_1_2_aarch64"} {
		x.wheel("native-1-" + tag + ".whl")
	}
	x.wheel("windows-1-cp39-cp39-win_amd64.whl")
	for project, want := range map[string]string{
		"late":    "not for Python 3.9.18: 1.10 (>=3.12), 1.9 (>=3.12), 1.2 (>=3.12)",
		"native":  "not for CPython 3.9.18 on x86_64 (glibc 2.34): native-1-cp313-cp313-manylinux_2_17_x86_64.whl",
		"windows": "not for CPython 3.9.18 on x86_64 (glibc 2.34): windows-1-cp39-cp39-win_amd64.whl",
	} {
		_, err := Resolve(t.Context(), x.index(t), []string{project}, nil, el9)
		if err == nil || !strings.HasSuffix(err.Error(), "\n    "+want) {
			t.Errorf("%s: got\n%v\nwant\n%s", project, err, want)
		}
	}
}
