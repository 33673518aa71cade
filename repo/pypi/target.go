package pypi

import (
	"fmt"
	"strconv"
	"strings"

	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/tags"
)

// Target is the interpreter that wheels are for: CPython on Linux with glibc.
type Target struct {
	Python string // "3.9", or "3.9.18" when the patch level is known
	Arch   string // "x86_64" or "aarch64"
	Glibc  string // "2.34"; "" for that of EL 9
}

// Glibc9 is the C library of EL 9.
const Glibc9 = "2.34"

// patchLevels are taken where a target names no patch level: those of EL 9.4.
// A few markers and Requires-Python fields look that closely.
var patchLevels = map[string]string{"3.9": "18", "3.11": "7", "3.12": "1"}

// String names the target in messages.
func (t Target) String() string {
	return fmt.Sprintf("CPython %s on %s (glibc %s)", t.Python, t.Arch, t.glibc())
}

func (t Target) glibc() string {
	if t.Glibc == "" {
		return Glibc9
	}
	return t.Glibc
}

// machine is a target in the forms that resolving needs.
type machine struct {
	target Target
	env    pep508.Environment
	python pep440.Version
	tags   *tags.Set
	minor  string // "3.9"
}

func newMachine(t Target) (*machine, error) {
	parts := strings.Split(t.Python, ".")
	if len(parts) != 2 && len(parts) != 3 {
		return nil, fmt.Errorf("target Python %q: not MAJOR.MINOR or MAJOR.MINOR.PATCH", t.Python)
	}
	var n [3]int
	for i, p := range parts {
		var err error
		if n[i], err = strconv.Atoi(p); err != nil || n[i] < 0 || strconv.Itoa(n[i]) != p {
			return nil, fmt.Errorf("target Python %q: not MAJOR.MINOR or MAJOR.MINOR.PATCH", t.Python)
		}
	}
	var glibc [2]int
	if _, err := fmt.Sscanf(t.glibc(), "%d.%d", &glibc[0], &glibc[1]); err != nil {
		return nil, fmt.Errorf("target glibc %q: not MAJOR.MINOR", t.Glibc)
	}
	set, err := tags.For(tags.Target{Major: n[0], Minor: n[1], Arch: t.Arch, Glibc: glibc})
	if err != nil {
		return nil, err
	}
	m := &machine{target: t, tags: set, minor: parts[0] + "." + parts[1]}
	full := t.Python
	if len(parts) == 2 {
		patch := patchLevels[m.minor]
		if patch == "" {
			patch = "0"
		}
		full = m.minor + "." + patch
	}
	if m.python, err = pep440.Parse(full); err != nil {
		return nil, err
	}
	m.env = pep508.Environment{
		OSName: "posix", SysPlatform: "linux", PlatformSystem: "Linux", PlatformMachine: t.Arch,
		PlatformPythonImplementation: "CPython", ImplementationName: "cpython",
		PythonVersion: m.minor, PythonFullVersion: full, ImplementationVersion: full,
	}
	return m, nil
}

// runs says whether a Requires-Python field allows the target. A field that
// cannot be read allows it, as in pip: old packages have such.
func (m *machine) runs(requiresPython string) bool {
	if requiresPython == "" {
		return true
	}
	specifiers, err := pep440.ParseSpecifiers(requiresPython)
	return err != nil || specifiers.Contains(m.python)
}
