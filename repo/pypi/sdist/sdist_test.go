package sdist

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgbundle/manifest"
)

var at = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

type files map[string]string

// with returns the files with others over them; "" removes one.
func (f files) with(over files) files {
	out := maps.Clone(f)
	for name, content := range over {
		if content == "" {
			delete(out, name)
		} else {
			out[name] = content
		}
	}
	return out
}

// targz packs files below "top/", sorted.
func targz(f files) []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w.WriteHeader(&tar.Header{Name: "thing-1.0/" + name, Mode: 0o755, Size: int64(len(f[name])), Typeflag: tar.TypeReg})
		io.WriteString(w, f[name])
	}
	w.Close()
	gz.Close()
	return b.Bytes()
}

func zipped(f files) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w, _ := z.Create("thing-1.0/" + name)
		io.WriteString(w, f[name])
	}
	z.Close()
	return b.Bytes()
}

// thing is a project with a package, a module, data and tests.
var thing = files{
	"PKG-INFO":                         "Metadata-Version: 1.1\nName: Thing.Name\nVersion: 1.0-1\nPlatform: UNKNOWN\nDescription: First\n        second\n        \n          code\nKeywords: a\n",
	"setup.py":                         "from setuptools import setup, find_packages\nsetup(name='thing', packages=find_packages(), # no\n py_modules=['single'])\n",
	"single.py":                        "1",
	"thing/__init__.py":                "2",
	"thing/mod.py":                     "3",
	"thing/data.txt":                   "4",
	"thing/py.typed":                   " ",
	"thing/sub/__init__.py":            "5",
	"thing/nopackage/x.py":             "6",
	"tests/test_x.py":                  "7",
	"LICENSE":                          "MIT",
	"thing_name.egg-info/SOURCES.txt":  "setup.py\nsingle.py\nthing/__init__.py\nthing/mod.py\nthing/data.txt\nthing/sub/__init__.py\nthing/nopackage/x.py\ntests/test_x.py\n",
	"thing_name.egg-info/requires.txt": "urllib3>=1.7\n\n[socks:python_version < \"3\" or os_name == \"nt\"]\nPySocks!=1.5.7\n\n[:sys_platform == 'win32']\nwin\n",
}

// members lists the files of a wheel and returns their contents.
func members(t *testing.T, wheel []byte) (string, map[string]string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	contents := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Mode().Perm() != 0o644 || len(f.Extra) != 0 || f.Flags != 0 {
			t.Errorf("%s: mode %v, extra %x, flags %x", f.Name, f.Mode(), f.Extra, f.Flags)
		}
		contents[f.Name] = string(data)
		if !strings.Contains(f.Name, ".dist-info/") {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " "), contents
}

func TestBuildWheel(t *testing.T) {
	for name, archive := range map[string][]byte{"tar.gz": targz(thing), "zip": zipped(thing)} {
		filename, wheel, err := BuildWheel(t.Context(), archive, at)
		if err != nil {
			t.Fatal(name, err)
		}
		if filename != "thing_name-1.0.post1-py3-none-any.whl" {
			t.Errorf("%s: %s", name, filename)
		}
		names, contents := members(t, wheel)
		if names != "single.py thing/__init__.py thing/mod.py thing/py.typed thing/sub/__init__.py" {
			t.Errorf("%s: %s", name, names)
		}
		want := "Metadata-Version: 2.1\nName: Thing.Name\nVersion: 1.0-1\nKeywords: a\nProvides-Extra: socks\nRequires-Dist: urllib3>=1.7\n" +
			"Requires-Dist: PySocks!=1.5.7; (python_version < \"3\" or os_name == \"nt\") and extra == \"socks\"\n" +
			"Requires-Dist: win; sys_platform == 'win32'\n\nFirst\nsecond\n\n  code\n"
		info := "thing_name-1.0.post1.dist-info/"
		if got := contents[info+"METADATA"]; got != want {
			t.Errorf("%s: METADATA\n%s", name, got)
		}
		if contents[info+"licenses/LICENSE"] != "MIT" {
			t.Errorf("%s: no licence", name)
		}
		if got := contents[info+"WHEEL"]; got != "Wheel-Version: 1.0\nGenerator: pgbundle\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n" {
			t.Errorf("%s: WHEEL\n%s", name, got)
		}
		record := contents[info+"RECORD"]
		if strings.Count(record, "\n") != len(contents) || !strings.Contains(record, "single.py,sha256=a4ayc_80_OGda4BO_1o_V0etpOqiLx1JwB5S3beHW0s,1\n") || !strings.HasSuffix(record, info+"RECORD,,\n") {
			t.Errorf("%s: RECORD\n%s", name, record)
		}
		_, again, err := BuildWheel(t.Context(), archive, at.In(time.FixedZone("x", 3600)))
		if err != nil || !bytes.Equal(wheel, again) {
			t.Errorf("%s: not the same bytes again", name)
		}
		metadata, err := Metadata(archive)
		if err != nil || string(metadata) != want {
			t.Errorf("%s: metadata alone: %v\n%s", name, err, metadata)
		}
	}
}

func TestContents(t *testing.T) {
	setup := func(args string) files {
		return files{"setup.py": "import os\nfrom setuptools import setup, find_packages\nsetup(name='thing',\n  " + args + ")\n"}
	}
	all := "thing/__init__.py thing/mod.py thing/nopackage/x.py thing/py.typed thing/sub/__init__.py"
	tests := []struct {
		name  string
		over  files
		names string
	}{
		{"literal", setup(`packages=["thing"], py_modules=[]`), "thing/__init__.py thing/mod.py thing/py.typed"},
		{"name of a list", files{"setup.py": "mods = ['single']\nPACKAGES = [\n 'thing', # one\n 'thing.sub',\n]\nsetup(packages=PACKAGES)\n"}, "thing/__init__.py thing/mod.py thing/py.typed thing/sub/__init__.py"},
		{"exclude", setup(`packages=find_packages(exclude=("*.sub", "tests*"))`), "thing/__init__.py thing/mod.py thing/py.typed"},
		{"include", setup(`packages=setuptools.find_packages(".", include=["thing"])`), "thing/__init__.py thing/mod.py thing/py.typed"},
		{"namespace", setup(`packages=find_namespace_packages(include=["thing*"])`), all},
		{"include_package_data", setup(`packages=find_packages(), include_package_data=True`), "thing/__init__.py thing/data.txt thing/mod.py thing/nopackage/x.py thing/py.typed thing/sub/__init__.py"},
		{"package_data", setup(`packages=['thing'], package_data={'': ['*.md'], 'thing': ['d*.txt', 'nopackage/*']}`), "thing/__init__.py thing/data.txt thing/mod.py thing/nopackage/x.py thing/py.typed"},
		{"package_data, deep", setup(`packages=['thing'], package_data={'thing': ['**/*.py']}`), all},
		{"setup.cfg", files{"setup.py": "import setuptools; setuptools.setup()", "setup.cfg": "[options]\npackages = find:\npy_modules =\n    single\n[options.packages.find]\nexclude =\n    thing.sub\n[options.package_data]\nthing =\n    *.txt\n[bdist_wheel]\nuniversal = 1\n"},
			"single.py thing/__init__.py thing/data.txt thing/mod.py thing/py.typed"},
		{"setup.cfg, literal", files{"setup.py": "", "setup.cfg": "[options]\npackages = thing\ninclude-package-data = true\n"}, "thing/__init__.py thing/data.txt thing/mod.py thing/nopackage/x.py thing/py.typed thing/sub/__init__.py"},
		{"pyproject", files{"setup.py": "", "pyproject.toml": "[build-system]\nrequires = [\"setuptools>=61\", # yes\n \"wheel\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname='thing'\n[tool.setuptools]\npackages = ['thing']\ninclude-package-data = false\n"},
			"thing/__init__.py thing/mod.py thing/py.typed"},
		{"pyproject, find", files{"setup.py": "", "pyproject.toml": "[project]\nname='thing'\n[tool.setuptools.packages.find]\ninclude = ['thing*']\nnamespaces = false\n[tool.setuptools]\ninclude-package-data=false\n[tool.setuptools.package-data]\n'thing' = ['*.txt']\n"},
			"thing/__init__.py thing/data.txt thing/mod.py thing/py.typed thing/sub/__init__.py"},
		{"discovered", files{"setup.py": "", "pyproject.toml": "[project]\nname='thing'\n", "thing_name.egg-info/top_level.txt": "single\nthing\n"}, "single.py thing/__init__.py thing/data.txt thing/mod.py thing/nopackage/x.py thing/py.typed thing/sub/__init__.py"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			filename, wheel, err := BuildWheel(t.Context(), targz(thing.with(tt.over)), at)
			if err != nil {
				t.Fatal(err)
			}
			if names, _ := members(t, wheel); names != tt.names {
				t.Errorf("got  %s\nwant %s", names, tt.names)
			}
			if universal := strings.Contains(filename, "py2.py3"); universal != strings.Contains(tt.over["setup.cfg"], "universal") {
				t.Errorf("got %s", filename)
			}
		})
	}
}

// TestOldEncoding writes METADATA in UTF-8 whatever the archive's author wrote.
func TestOldEncoding(t *testing.T) {
	archive := targz(thing.with(files{"PKG-INFO": "Metadata-Version: 1.0\nName: thing\nVersion: 1.0\nAuthor: Andr\xe9\n"}))
	data, err := Metadata(archive)
	if err != nil || !strings.Contains(string(data), "Author: André\n") {
		t.Errorf("got %q, %v", data, err)
	}
	_, wheel, err := BuildWheel(t.Context(), archive, at)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("thing-1.0.dist-info/METADATA")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || !utf8.Valid(data) {
		t.Errorf("got %q, %v", data, err)
	}
}

// TestSourceLayout takes packages from the folder that the egg-info lies in.
func TestSourceLayout(t *testing.T) {
	over := files{"setup.py": "setup(packages=find_packages('src'), package_dir={'': 'src'})"}
	moved := files{}
	for name, content := range thing {
		if strings.HasPrefix(name, "thing") {
			name = "src/" + name
		}
		moved[name] = content
	}
	_, wheel, err := BuildWheel(t.Context(), targz(moved.with(over)), at)
	if err != nil {
		t.Fatal(err)
	}
	if names, _ := members(t, wheel); names != "thing/__init__.py thing/mod.py thing/py.typed thing/sub/__init__.py" {
		t.Errorf("got %s", names)
	}
}

func TestRefused(t *testing.T) {
	setup := func(args string) files { return files{"setup.py": "setup(packages=['thing'], " + args + ")"} }
	sources := thing["thing_name.egg-info/SOURCES.txt"]
	tests := []struct {
		name  string
		over  files
		why   string
		known bool // metadata is known nevertheless
	}{
		{"C", files{"thing_name.egg-info/SOURCES.txt": sources + "thing/fast.c\n"}, "it has code to compile: thing/fast.c", true},
		{"Cython", files{"thing_name.egg-info/SOURCES.txt": sources + "thing/fast.pyx\n"}, "it has code to compile: thing/fast.pyx", true},
		{"extension", setup("ext_modules = [Extension('a', [])]"), "setup() has ext_modules", true},
		{"scripts", setup("scripts=['bin/x']"), "setup() has scripts", true},
		{"data files", setup("data_files=[('a', ['b'])]"), "setup() has data_files", true},
		{"namespace", files{"thing_name.egg-info/namespace_packages.txt": "thing\n"}, "namespace packages in the old style", true},
		{"computed packages", files{"setup.py": "setup(packages=get_packages())"}, "packages in setup.py is computed", true},
		{"computed modules", files{"setup.py": "setup(py_modules=[x for x in y])"}, "py_modules in setup.py is computed", true},
		{"computed find", files{"setup.py": "setup(packages=find_packages(exclude=EXCLUDED))"}, "the arguments of find_packages in setup.py are computed", true},
		{"computed data", setup("package_data={'thing': data()}"), "package_data in setup.py is computed", true},
		{"computed arguments", files{"setup.py": "setup(**args)"}, "the arguments of setup() are computed", true},
		{"own build", setup("cmdclass={'build_py': Own}"), "setup() replaces the command build_py", true},
		{"computed commands", setup("cmdclass=versioneer.get_cmdclass()"), "setup() has a computed cmdclass", true},
		{"other folder", setup("package_dir={'thing': 'lib'}"), "its package thing lies in a folder of another name", true},
		{"other root", setup("package_dir={'': 'lib'}"), "its packages lie in lib, its egg-info in", true},
		{"backend", files{"pyproject.toml": "[build-system]\nbuild-backend = \"hatchling.build\"\n"}, `its build backend is "hatchling.build", not setuptools`, true},
		{"build requirement", files{"pyproject.toml": "[build-system]\nrequires = ['setuptools', 'Cython>=3']\n"}, "its build needs Cython>=3", true},
		{"own backend", files{"pyproject.toml": "[build-system]\nbackend-path = ['.']\nbuild-backend='setuptools.build_meta'\n"}, "its build backend is its own", true},
		{"computed dependencies", files{"setup.py": "requires = []\nif x: requires.append('y')\nsetup(packages=['thing'], install_requires=requires)"}, "its dependencies are computed by setup.py", true},
		{"dynamic dependencies", files{"PKG-INFO": "Metadata-Version: 2.4\nName: thing\nVersion: 1\nDynamic: Requires-Dist\n"}, "its dependencies are computed by setup.py", false},
		{"no egg-info", files{"thing_name.egg-info/SOURCES.txt": "", "thing_name.egg-info/requires.txt": ""}, "it has no egg-info of setuptools", false},
		{"no PKG-INFO", files{"PKG-INFO": ""}, "it has no PKG-INFO", false},
		{"no name", files{"PKG-INFO": "Version: 1\n"}, "has no Name or no Version", false},
		{"version", files{"PKG-INFO": "Name: thing\nVersion: french toast\n"}, "is not one of PEP 440", true},
		{"requires.txt", files{"thing_name.egg-info/requires.txt": "a b c\n"}, `requires.txt has the line "a b c"`, false},
		{"module gone", files{"setup.py": "setup(py_modules=['gone'])"}, "its module gone.py is not in the archive", true},
		{"nothing", files{"setup.py": "setup(packages=['gone'])"}, "no package or module is found in it", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			archive := targz(thing.with(tt.over))
			_, _, err := BuildWheel(t.Context(), archive, at)
			refused, ok := errors.AsType[*Unsupported](err)
			if !ok || !strings.Contains(err.Error(), tt.why) {
				t.Fatalf("got %v, want %s", err, tt.why)
			}
			if (refused.Metadata != nil) != tt.known {
				t.Errorf("metadata %q", refused.Metadata)
			}
			if _, err := Metadata(archive); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("metadata alone: %v", err)
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	raw := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		gz := gzip.NewWriter(&b)
		w := tar.NewWriter(gz)
		for _, h := range headers {
			w.WriteHeader(&h)
			w.Write(make([]byte, h.Size))
		}
		w.Close()
		gz.Close()
		return b.Bytes()
	}
	tests := []struct {
		name    string
		archive []byte
		damaged bool
		why     string
	}{
		{"empty", nil, false, "neither .tar.gz nor .zip"},
		{"text", []byte("hello"), false, "neither .tar.gz nor .zip"},
		{"cut", targz(thing)[:100], true, ""},
		{"no tar", func() []byte {
			var b bytes.Buffer
			g := gzip.NewWriter(&b)
			fmt.Fprint(g, strings.Repeat("x", 2000))
			g.Close()
			return b.Bytes()
		}(), true, ""},
		{"no zip", []byte("PK\x03\x04xxxxxxxx"), true, ""},
		{"up", raw(tar.Header{Name: "a/../../x", Typeflag: tar.TypeReg}), true, "leaves the archive's folder"},
		{"absolute", raw(tar.Header{Name: "/etc/passwd", Typeflag: tar.TypeReg}), true, "leaves the archive's folder"},
		{"twice", raw(tar.Header{Name: "a/b", Typeflag: tar.TypeReg}, tar.Header{Name: "a/b", Typeflag: tar.TypeReg}), true, "stands there twice"},
		{"two tops", raw(tar.Header{Name: "a/b", Typeflag: tar.TypeReg}, tar.Header{Name: "c/b", Typeflag: tar.TypeReg}), false, "not in one top folder"},
		{"bomb", raw(tar.Header{Name: "a/b", Typeflag: tar.TypeReg, Size: maxUnpacked + 1}), true, "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := BuildWheel(t.Context(), tt.archive, at)
			if err == nil || errors.Is(err, manifest.ErrDamaged) != tt.damaged || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzSdist(f *testing.F) {
	f.Add([]byte(thing["setup.py"]), []byte(""), []byte(""), []byte(thing["PKG-INFO"]), []byte(thing["thing_name.egg-info/requires.txt"]))
	f.Add([]byte("setup(packages=find_packages('src', exclude=['a'],), package_data={'': ['**/*']}, cmdclass={})"), []byte("[options]\npackages=find:\n"), []byte("[build-system]\nrequires=[\n'x']\n[tool.setuptools]\npackages=['a']"), []byte("Name: x\nVersion: 1\n"), []byte("[a:b]\nc"))
	f.Add([]byte("x = '''\n''' \"\\\"\" # '\nsetup(py_modules=('a',))"), []byte(" a\n[x\n]=\n=:"), []byte("a.b.'c' = {d = [1,\n2]}\n[[x]]"), []byte("Metadata-Version: 2.2\nName: x\nVersion: 1\nDynamic: requires-dist\n"), []byte("[]\n;\n"))
	f.Fuzz(func(t *testing.T, setup, cfg, toml, info, requires []byte) {
		archive := targz(thing.with(files{"setup.py": string(setup), "setup.cfg": string(cfg), "pyproject.toml": string(toml), "PKG-INFO": string(info), "thing_name.egg-info/requires.txt": string(requires)}))
		_, wheel, err := BuildWheel(t.Context(), archive, at)
		if err != nil {
			return
		}
		_, again, err := BuildWheel(t.Context(), archive, at)
		if err != nil || !bytes.Equal(wheel, again) {
			t.Fatalf("not the same twice: %v", err)
		}
		if _, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel))); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(targz(thing))
	f.Add(zipped(thing))
	f.Fuzz(func(t *testing.T, archive []byte) {
		BuildWheel(t.Context(), archive, at)
	})
}
