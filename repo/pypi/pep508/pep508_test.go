package pep508

import (
	"strings"
	"testing"
)

var el9 = Environment{
	OSName: "posix", SysPlatform: "linux", PlatformSystem: "Linux", PlatformMachine: "x86_64",
	PlatformPythonImplementation: "CPython", ImplementationName: "cpython",
	PythonVersion: "3.9", PythonFullVersion: "3.9.18", ImplementationVersion: "3.9.18",
}

func TestParseRequirement(t *testing.T) {
	tests := []struct{ in, want, marker string }{
		{"requests", "requests", ""},
		{"  Zope.Interface  ", "zope-interface", ""},
		{"A_b--c", "a-b-c", ""},
		{"name[quux, Strange_Extra];python_version<'2.7'", "name[quux,strange-extra]", "python_version<'2.7'"},
		{"name[]>=1", "name>=1", ""},
		{"name (>=3,<2)", "name>=3,<2", ""},
		{"name(==1.0)", "name==1.0", ""},
		{"name >= 1.0 , != 1.5 ; extra == 'x'", "name>=1.0,!=1.5", "extra == 'x'"},
		{"name>=1,", "name>=1", ""},
		{"name@http://foo.example/a;b ; os_name=='a'", "name @ http://foo.example/a;b", "os_name=='a'"},
		{"name[x] @ git+https://h/r@v#egg=q", "name[x] @ git+https://h/r@v#egg=q", ""},
		{"name===any-thing", "name===any-thing", ""},
	}
	for _, tt := range tests {
		r, err := ParseRequirement(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		marker := ""
		if r.Marker != nil {
			marker = r.Marker.String()
		}
		if r.String() != tt.want || marker != tt.marker {
			t.Errorf("%q = %q %q, want %q %q", tt.in, r, marker, tt.want, tt.marker)
		}
	}
}

func TestRequirementErrors(t *testing.T) {
	for _, text := range []string{
		"", ";", "-name", "name 1.0", "name>=", "name[", "name[a b]", "name[a,]", "name[,a]", "name(>=1", "name @", "name @ http://x;y z",
		"name; ", "name; os_name", "name; os_name ==", "name; 'a' == 'b'", "name; os_name == sys_platform", "name; os_name == 'x", "name; (os_name == 'x'",
		"name; os_name == 'x' and", "name; unknown == 'x'", "name; os_name not 'x'", "name; os_name == 'x' or or os_name == 'y'", "name,>=1",
		"name; " + strings.Repeat("(", 60) + "os_name == 'x'" + strings.Repeat(")", 60), strings.Repeat("a", 20000),
	} {
		if r, err := ParseRequirement(text); err == nil {
			t.Errorf("%q = %q, want an error", text, r)
		}
	}
}

func TestMarkerEval(t *testing.T) {
	tests := []struct {
		marker string
		extra  string
		want   bool
	}{
		{"python_version < '3.10'", "", true},
		{"python_version >= '3.10'", "", false},
		{"python_version == '3.9'", "", true},
		{"python_version == '3.9.*'", "", true},
		{"python_version in '3.8 3.9'", "", true},
		{"python_version not in '3.8, 3.10'", "", true},
		{"'3.9' <= python_version", "", true},
		{"'3.10' <= python_version", "", false},
		{"python_full_version >= '3.9.2'", "", true},
		{"python_full_version < '3.9.2'", "", false},
		{"python_full_version ~= '3.9.1'", "", true},
		{"implementation_name == 'cpython' and platform_python_implementation != 'PyPy'", "", true},
		{"python_implementation == 'CPython'", "", true},
		{"os.name == 'posix' and sys.platform == 'linux' and platform.machine == 'x86_64'", "", true},
		{"sys_platform == 'win32' or os_name == 'nt'", "", false},
		{"sys_platform == 'win32' or os_name == 'posix' and python_version < '3'", "", false},
		{"(sys_platform == 'win32' or os_name == 'posix') and python_version >= '3'", "", true},
		{"'linux' in sys_platform", "", true},
		{"platform_machine not in 'x86_64 aarch64'", "", false},
		{"platform_release >= '5'", "", false},
		{"platform_version == ''", "", true},
		{"extra == 'socks'", "", false},
		{"extra == 'socks'", "socks", true},
		{"extra == 'Some_Extra'", "some-extra", true},
		{"'some.extra' == extra", "Some-Extra", true},
		{"extra != 'x'", "", true},
		{"extra=='a' and python_version<'3.10'", "a", true},
		{"os_name>'a'", "", false},
		{"os_name>='posix'", "", true},
	}
	for _, tt := range tests {
		m, err := ParseMarker(tt.marker)
		if err != nil {
			t.Errorf("%s: %v", tt.marker, err)
		} else if got := m.Eval(&el9, tt.extra); got != tt.want {
			t.Errorf("%s with extra %q = %v, want %v", tt.marker, tt.extra, got, tt.want)
		}
	}
	if !(*Marker)(nil).Eval(&el9, "") {
		t.Error("no marker does not hold")
	}
}

func FuzzMarker(f *testing.F) {
	for _, seed := range []string{"python_version < '3.10' and (os_name == \"posix\" or extra == 'x')", "'linux' in sys_platform", "extra not in 'a b'", "((((", "python_version~='3'", "platform_release>='5.14.0-427.el9'"} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, text, extra string) {
		m, err := ParseMarker(text)
		if err != nil {
			return
		}
		again, err := ParseMarker(m.String())
		if err != nil || again.Eval(&el9, extra) != m.Eval(&el9, extra) {
			t.Fatalf("%q and its own text %q differ: %v", text, m, err)
		}
		both, err := ParseMarker("(" + m.String() + ") and (" + m.String() + ")")
		if err == nil && both.Eval(&el9, extra) != m.Eval(&el9, extra) {
			t.Fatalf("%q and itself differ from itself", m)
		}
	})
}

func FuzzRequirement(f *testing.F) {
	for _, seed := range []string{"name[a,b]>=1,<2; python_version<'3'", "A.b_c (==1.*)", "x @ https://h/p ; os_name=='nt'", "x===1;extra=='y'", "n~=1.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRequirement(text)
		if err != nil {
			return
		}
		again, err := ParseRequirement(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q is written as %q, which reads as %v, %v", text, r, again, err)
		}
		if !ValidName(r.Name) || NormalizeName(r.Name) != r.Name {
			t.Fatalf("%q: name %q", text, r.Name)
		}
		r.Marker.Eval(&el9, "x")
	})
}
