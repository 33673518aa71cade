package manifest

import (
	"regexp"
	"strconv"
	"strings"
)

// fullVersion is MAJOR.MINOR.PATCH. No patch level of CPython has three digits, and
// so a list of them is short.
var fullVersion = regexp.MustCompile(`^(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]?)$`)

// IsPythonFullVersion reports whether a version of Python has a patch level and no
// more ("3.9.18"): python_full_version of a final release (PEP 508).
func IsPythonFullVersion(version string) bool { return fullVersion.MatchString(version) }

// PythonMinor cuts a version of Python to MAJOR.MINOR: "3.11" of "3.11.7".
func PythonMinor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// Python is the MAJOR.MINOR of the interpreter that a role's wheels are for, which
// is the part that names of programs and packages have.
func (t Target) Python(role Role) string {
	python, _ := t.python(role)
	return PythonMinor(python)
}

// PythonFullVersions are the versions with patch level that the wheels of a role
// were resolved for, ascending. There are none where the patch level was not known.
func (t Target) PythonFullVersions(role Role) []string {
	python, full := t.python(role)
	if len(full) == 0 && IsPythonFullVersion(python) {
		return []string{python} // a lock from before there were fields for it
	}
	return full
}

// PythonVersions are the versions that the wheels of a role are for, at least one:
// those with patch level, or MAJOR.MINOR where none is known.
func (t Target) PythonVersions(role Role) []string {
	if full := t.PythonFullVersions(role); len(full) > 0 {
		return full
	}
	return []string{t.Python(role)}
}

func (t Target) python(role Role) (python string, full []string) {
	if role == Control {
		return t.ControlPython, t.ControlPythonFullVersions
	}
	return t.NodePython, t.NodePythonFullVersions
}

// validatePython holds that the full versions are of the interpreter's MAJOR.MINOR,
// ascending.
func (t Target) validatePython(f *findings, key string, role Role) {
	python, full := t.python(role)
	last := -1
	for _, version := range full {
		if !IsPythonFullVersion(version) || PythonMinor(version) != python {
			f.add("target %s_full_versions %q: not a version of Python %s with patch level", key, version, python)
			continue
		}
		patch, err := strconv.Atoi(version[len(python)+1:])
		if err != nil || patch <= last {
			f.add("target %s_full_versions %q: not after the one before", key, version)
		}
		last = patch
	}
}
