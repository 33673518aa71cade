package pypi

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/manifest"
)

var el9 = Target{Python: "3.9.18", Arch: "x86_64"}

// brief writes an answer as "name==version".
func brief(r *Resolution) string {
	var out []string
	for _, f := range r.Files {
		out = append(out, f.Name+"=="+f.Version)
	}
	return strings.Join(out, " ")
}

func names(r *Resolution) string {
	var out []string
	for _, f := range r.Files {
		out = append(out, f.Filename)
	}
	return strings.Join(out, " ")
}

// small is an index with one case of each rule.
func small() *fixture {
	x := newFixture()
	x.wheel("app-1.0-py3-none-any.whl", "Requires-Dist: lib>=1", "Requires-Dist: win; sys_platform == 'win32'",
		"Provides-Extra: Fast_Mode", "Requires-Dist: speed; extra == 'fast-mode'",
		"Provides-Extra: all", "Requires-Dist: app[fast.mode]; extra == 'all'")
	x.wheel("lib-1.0-py3-none-any.whl")
	x.wheel("lib-1.5-py3-none-any.whl")
	x.wheel("lib-2.0-py3-none-any.whl", "Requires-Python: >=3.10")
	x.wheel("lib-1.6a1-py3-none-any.whl")
	x.wheel("lib-1.7-py3-none-win_amd64.whl")
	x.wheel("lib-1.8-py3-none-any.whl").yanked = "it <breaks>"
	x.wheel("speed-3-cp39-cp39-manylinux_2_17_x86_64.whl")
	x.wheel("speed-3-cp39-abi3-manylinux_2_34_x86_64.whl")
	x.wheel("speed-3-cp39-cp39-manylinux_2_28_x86_64.whl")
	x.wheel("speed-3-cp39-cp39-manylinux_2_28_aarch64.whl")
	x.wheel("speed-3-1-py3-none-any.whl")
	x.wheel("pre-2.0b1-py3-none-any.whl")
	x.wheel("left-1-py3-none-any.whl", "Requires-Dist: lib<1.5")
	x.wheel("left-2-py3-none-any.whl", "Requires-Dist: lib>=1.5")
	x.wheel("right-1-py3-none-any.whl", "Requires-Dist: lib==1.0")
	x.wheel("loop-1-py3-none-any.whl", "Requires-Dist: pool")
	x.wheel("pool-1-py3-none-any.whl", "Requires-Dist: loop[x]", "Provides-Extra: x")
	x.wheel("build-1-2-py3-none-any.whl")
	x.wheel("build-1-10-py3-none-any.whl")
	x.wheel("other-1-py3-none-any.whl").metadata = []byte("Metadata-Version: 2.1\nName: another\nVersion: 1\n\n")
	x.wheel("other-0.9-py3-none-any.whl")
	x.wheel("late-1-py3-none-any.whl", "Requires-Dist: app", "Requires-Dist: later")
	x.wheel("later-1-py3-none-any.whl", "Requires-Dist: APP[fast_mode]")
	return x
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name, want, limits, pins string
	}{
		{"newest that the Python runs", "app", "", "app==1.0 lib==1.5"},
		{"extra", "app[fast-mode]", "", "app==1.0 lib==1.5 speed==3"},
		{"extra in another spelling", "App[FAST__mode]", "", "app==1.0 lib==1.5 speed==3"},
		{"extra of itself", "app[all]", "", "app==1.0 lib==1.5 speed==3"},
		{"extra asked for late", "late", "", "app==1.0 late==1 later==1 lib==1.5 speed==3"},
		{"unknown extra", "app[nothing]", "", "app==1.0 lib==1.5"},
		{"constraint", "app", "lib<1.5", "app==1.0 lib==1.0"},
		{"constraint of what nobody wants", "lib", "speed==3", "lib==1.5"},
		{"constraint with a marker that does not hold", "lib", "lib<1.5; python_version < '3'", "lib==1.5"},
		{"pre-release when nothing else", "pre", "", "pre==2.0b1"},
		{"pre-release when named", "lib>=1.6a1", "", "lib==1.6a1"},
		{"yanked when pinned", "lib==1.8", "", "lib==1.8"},
		{"goes back", "left right", "", "left==1 lib==1.0 right==1"},
		{"cycle", "loop", "", "loop==1 pool==1"},
		{"metadata of another project", "other", "", "other==0.9"},
		{"marker of the request", "lib; python_version >= '3.10'", "", ""},
		{"asked twice", "lib,lib<1.5,lib>=1", "", "lib==1.0"},
	}
	for _, html := range []bool{false, true} {
		x := small()
		x.html = html
		index := x.index(t)
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/html=%v", tt.name, html), func(t *testing.T) {
				r, err := Resolve(t.Context(), index, split(tt.want), split(tt.limits), el9)
				if err != nil {
					t.Fatal(err)
				}
				if brief(r) != tt.pins {
					t.Errorf("got %q, want %q", brief(r), tt.pins)
				}
			})
		}
	}
}

// TestPassedOver tells of newer versions that could not be used.
func TestPassedOver(t *testing.T) {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl")
	x.wheel("lib-2-py3-none-any.whl", "Requires-Dist: dep @ https://host.example/dep.whl")
	x.wheel("lib-3-py3-none-any.whl", "Requires-Dist: a b")
	r, err := Resolve(t.Context(), x.index(t), []string{"lib"}, nil, el9)
	if err != nil || brief(r) != "lib==1" || len(r.Warnings) != 2 ||
		r.Warnings[0] != "lib 2 is passed over: lib 2 requires dep @ https://host.example/dep.whl, which is not from an index" ||
		!strings.HasPrefix(r.Warnings[1], "lib 3 is passed over: lib-3-py3-none-any.whl: its metadata: parse requirement") {
		t.Errorf("got %v, %v", r, err)
	}
	if r, err = Resolve(t.Context(), x.index(t), []string{"lib<2"}, nil, el9); err != nil || len(r.Warnings) != 0 {
		t.Errorf("got %v, %v", r, err)
	}
}

// TestSeveralRequirements of one project are met together: a pin allows the
// yanked version that the other alone would not.
func TestSeveralRequirements(t *testing.T) {
	x := newFixture()
	x.wheel("lib-3-py3-none-any.whl").yanked = "-"
	r, err := Resolve(t.Context(), x.index(t), []string{"lib==3", "lib"}, nil, el9)
	if err != nil || brief(r) != "lib==3" {
		t.Errorf("got %v, %v", r, err)
	}
}

// split cuts a list of requirements at commas that a name follows, or at blanks
// where no marker stands.
func split(list string) []string {
	if strings.Contains(list, ";") || list == "" {
		return slices.DeleteFunc([]string{list}, func(s string) bool { return s == "" })
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' })
}

func TestBestFile(t *testing.T) {
	tests := []struct {
		target Target
		want   string
		file   string
	}{
		{el9, "speed", "speed-3-cp39-cp39-manylinux_2_28_x86_64.whl"},
		{Target{Python: "3.9", Arch: "x86_64", Glibc: "2.17"}, "speed", "speed-3-cp39-cp39-manylinux_2_17_x86_64.whl"},
		{Target{Python: "3.11", Arch: "x86_64"}, "speed", "speed-3-cp39-abi3-manylinux_2_34_x86_64.whl"},
		{Target{Python: "3.9", Arch: "aarch64"}, "speed", "speed-3-cp39-cp39-manylinux_2_28_aarch64.whl"},
		{Target{Python: "3.12", Arch: "aarch64"}, "speed", "speed-3-1-py3-none-any.whl"},
		{el9, "build", "build-1-10-py3-none-any.whl"},
		{Target{Python: "3.12", Arch: "x86_64"}, "lib", "lib-2.0-py3-none-any.whl"},
	}
	index := small().index(t)
	for _, tt := range tests {
		r, err := Resolve(t.Context(), index, []string{tt.want}, nil, tt.target)
		if err != nil {
			t.Errorf("%s for %s: %v", tt.want, tt.target, err)
		} else if names(r) != tt.file {
			t.Errorf("%s for %s: %s, want %s", tt.want, tt.target, names(r), tt.file)
		}
	}
}

func TestAnswer(t *testing.T) {
	x := small()
	x.files["lib"]["lib-1.5-py3-none-any.whl"].uploaded = "2024-05-06T07:08:09.123456Z"
	index := x.index(t)
	r, err := Resolve(t.Context(), index, []string{"app[all]", "lib==1.8"}, nil, el9)
	if err != nil {
		t.Fatal(err)
	}
	app, lib := r.Files[0], r.Files[1]
	if !slices.Equal(app.WantedBy, []string{"app"}) || !slices.Equal(lib.WantedBy, []string{"app", "lib"}) ||
		!slices.Equal(app.Requires, []string{"lib", "speed"}) || !slices.Equal(app.Extras, []string{"all", "fast-mode"}) {
		t.Errorf("got %+v\n%+v", app, lib)
	}
	if want := []string{"lib 1.8 is yanked: it <breaks>"}; !slices.Equal(r.Warnings, want) {
		t.Errorf("warnings %q, want %q", r.Warnings, want)
	}
	file := x.files["lib"]["lib-1.8-py3-none-any.whl"]
	if lib.SHA256 != hexSum(file.content) || lib.Size != int64(len(file.content)) || lib.Path() != "lib/lib-1.8-py3-none-any.whl" {
		t.Errorf("got %+v", lib)
	}
	rc, err := index.Open(t.Context(), lib.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if data, err := io.ReadAll(rc); err != nil || hexSum(data) != lib.SHA256 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if r, err = Resolve(t.Context(), index, []string{"lib"}, nil, el9); err != nil || !r.Files[0].UploadTime.Equal(time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)) {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestBefore(t *testing.T) {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl").uploaded = "2024-01-01T00:00:00Z"
	x.wheel("lib-2-py3-none-any.whl").uploaded = "2024-02-01T00:00:00Z"
	r := &Resolver{Index: x.index(t), Target: el9, Before: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)}
	got, err := r.Resolve(t.Context(), []string{"lib"})
	if err != nil || brief(got) != "lib==1" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err = r.Resolve(t.Context(), []string{"lib>1"}); err == nil || !strings.Contains(err.Error(), "uploaded too late: 2") {
		t.Errorf("got %v", err)
	}
	// A wheel that does not run here need not tell; of any other nobody knows.
	x.wheel("other-1-py3-none-win_amd64.whl")
	x.wheel("other-2-py3-none-any.whl").uploaded = "2024-01-01T00:00:00Z"
	if got, err = r.Resolve(t.Context(), []string{"other"}); err != nil || brief(got) != "other==2" {
		t.Errorf("got %v, %v", got, err)
	}
	x.wheel("silent-1-py3-none-any.whl")
	if _, err = r.Resolve(t.Context(), []string{"silent"}); !errors.Is(err, manifest.ErrUsage) || !strings.Contains(err.Error(), "list silent: the index does not say when silent-1-py3-none-any.whl was uploaded: leave --exclude-newer out") {
		t.Errorf("got %v", err)
	}
	// Files on this host count, whenever they came.
	folder := t.TempDir()
	write(t, folder, "silent-2-py3-none-any.whl", x.wheel("silent-2-py3-none-any.whl").content)
	if r.Index, err = OpenLinks(testClient(t), folder); err != nil {
		t.Fatal(err)
	}
	if got, err = r.Resolve(t.Context(), []string{"silent"}); err != nil || brief(got) != "silent==2" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestUnsolvable holds the words of each way to have no solution.
func TestUnsolvable(t *testing.T) {
	x := small()
	x.wheel("mid-1-py3-none-any.whl", "Requires-Dist: left<2")
	x.wheel("wants_gone-1-py3-none-any.whl", "Requires-Dist: gone>=1")
	x.wheel("newer-1-py3-none-any.whl", "Requires-Python: >=3.12")
	x.wheel("url-1-py3-none-any.whl", "Requires-Dist: lib @ https://host.example/lib.whl")
	x.wheel("windows-1-cp39-cp39-win_amd64.whl")
	x.wheel("lies-1-py3-none-any.whl", "Requires-Python: >=3.12").requiresPython = ""
	index := x.index(t)
	tests := []struct{ name, want, limits, text string }{
		{"unknown, all of them", "gone nowhere", "", "gone: the index has no such project\n    gone is wanted by you\n  nowhere: the index has no such project\n    nowhere is wanted by you"},
		{"no such version", "lib>=9", "", "lib: no version fits\n    lib>=9 is wanted by you\n    there is 1.6a1, 1.5, 1.0"},
		{"other platform", "windows", "", "windows: no version fits\n    windows is wanted by you\n    not for CPython 3.9.18 on x86_64 (glibc 2.34): windows-1-cp39-cp39-win_amd64.whl"},
		{"other Python", "newer", "", "newer: no version fits\n    newer is wanted by you\n    not for Python 3.9.18: 1 (>=3.12)"},
		{"Python in the metadata alone", "lies", "", "lies: no version that fits runs on Python 3.9.18\n    lies 1, wanted by you\n    lies-1-py3-none-any.whl: needs Python >=3.12"},
		{"yanked", "lib>1.7", "", "yanked, so taken only when pinned with ==: 1.8"},
		{"dependency unknown", "wants-gone", "", "gone: the index has no such project\n    gone>=1 is wanted by wants-gone 1, wanted by you"},
		{"conflict, with its chain", "mid lib>=1.5", "", "lib: no version fits\n    lib>=1.5 is wanted by you\n    lib<1.5 is wanted by left 1, wanted by mid 1, wanted by you\n    there is 1.6a1, 1.5, 1.0"},
		{"constraint", "app", "lib<1", "lib<1 is a constraint"},
		{"address", "url", "", "url 1 requires lib @ https://host.example/lib.whl, which is not from an index"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Resolve(t.Context(), index, strings.Fields(tt.want), strings.Fields(tt.limits), el9)
			if err == nil {
				t.Fatalf("got %s", brief(r))
			}
			if !errors.Is(err, manifest.ErrUnsolvable) {
				t.Errorf("%v is not ErrUnsolvable", err)
			}
			if !strings.HasPrefix(err.Error(), "no solution for CPython 3.9.18 on x86_64 (glibc 2.34)\n") || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got\n%v\nwant in it\n%s", err, tt.text)
			}
		})
	}
}

func TestWrongUsage(t *testing.T) {
	index := small().index(t)
	tests := []struct {
		want, limits []string
		target       Target
	}{
		{[]string{"not a requirement"}, nil, el9},
		{[]string{"lib @ https://host.example/x.whl"}, nil, el9},
		{[]string{"lib"}, []string{"lib[x]<1"}, el9},
		{[]string{"lib"}, []string{"lib @ https://host.example/x.whl"}, el9},
		{[]string{"lib"}, []string{"<1"}, el9},
		{[]string{"lib"}, nil, Target{Python: "3", Arch: "x86_64"}},
		{[]string{"lib"}, nil, Target{Python: "3.x", Arch: "x86_64"}},
		{[]string{"lib"}, nil, Target{Python: "2.7", Arch: "x86_64"}},
		{[]string{"lib"}, nil, Target{Python: "3.9", Arch: "s390x"}},
		{[]string{"lib"}, nil, Target{Python: "3.9", Arch: "x86_64", Glibc: "new"}},
	}
	for _, tt := range tests {
		if _, err := Resolve(t.Context(), index, tt.want, tt.limits, tt.target); !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("%v %v %v: %v", tt.want, tt.limits, tt.target, err)
		}
	}
}

func TestSourceArchives(t *testing.T) {
	x := newFixture()
	x.sdist("simple", "1.0", "", "lib>=1", "", "[more]", "speed")
	x.wheel("lib-1-py3-none-any.whl")
	x.wheel("speed-1-py3-none-any.whl")
	x.wheel("mixed-1-py3-none-any.whl")
	x.sdist("mixed", "2", "")
	x.sdist("compiled", "2", ", ext_modules=[Extension('x', ['x.c'])]", "lib")
	x.wheel("compiled-1-py3-none-any.whl")
	x.sdist("computed", "1", ", scripts=glob('bin/*')")
	index := x.index(t)
	r, err := Resolve(t.Context(), index, []string{"simple[more]", "mixed"}, nil, el9)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(r); got != "lib-1-py3-none-any.whl mixed-2.tar.gz simple-1.0.tar.gz speed-1-py3-none-any.whl" || !r.Files[2].Sdist {
		t.Errorf("got %s", got)
	}
	prefer := &Resolver{Index: index, Target: el9, PreferWheels: true}
	if r, err = prefer.Resolve(t.Context(), []string{"mixed", "compiled"}); err != nil || names(r) != "compiled-1-py3-none-any.whl mixed-1-py3-none-any.whl" {
		t.Errorf("got %v, %v", r, err)
	}
	_, err = Resolve(t.Context(), index, []string{"compiled", "computed"}, nil, el9)
	want := "no wheel for CPython 3.9.18 on x86_64 (glibc 2.34), and the source archive cannot be made one\n" +
		"  compiled-2.tar.gz: setup() has ext_modules\n    compiled 2, wanted by you\n    the newest version with a wheel is 1: constrain compiled<=1\n" +
		"  computed-1.tar.gz: setup() has scripts\n    computed 1, wanted by you\n    no version that would do has a wheel: build one and serve it from a folder or an index"
	if err == nil || err.Error() != want || !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
