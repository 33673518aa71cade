package manifest

import (
	"bytes"
	"slices"
	"testing"
)

func TestPython(t *testing.T) {
	for name, c := range map[string]struct {
		target Target
		minor  string
		full   []string
	}{
		"minor alone":            {Target{NodePython: "3.9"}, "3.9", nil},
		"with patch levels":      {Target{NodePython: "3.9", NodePythonFullVersions: []string{"3.9.16", "3.9.18"}}, "3.9", []string{"3.9.16", "3.9.18"}},
		"of the control node":    {Target{NodePython: "3.11", ControlPythonFullVersions: []string{"3.9.18"}}, "3.11", nil},
		"a lock from before":     {Target{NodePython: "3.11.7"}, "3.11", []string{"3.11.7"}},
		"nothing":                {Target{}, "", nil},
		"a lock of somebody's":   {Target{NodePython: "3"}, "3", nil},
		"more than a patchlevel": {Target{NodePython: "3.9.1.2"}, "3.9", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.target.Python(TargetNode); got != c.minor {
				t.Errorf("Python: %q, want %q", got, c.minor)
			}
			if got := c.target.PythonFullVersions(TargetNode); !slices.Equal(got, c.full) {
				t.Errorf("PythonFullVersions: %q, want %q", got, c.full)
			}
		})
	}
}

// A lock that was written before there were full versions reads, and has its bytes
// still: with a patch level in node_python too, which the spec let through.
func TestLockWithoutFullVersions(t *testing.T) {
	for _, python := range []string{"3.9", "3.9.18"} {
		lock := sampleLock()
		lock.Target = Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.9", NodePython: python}
		text, err := lock.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if want := []byte("\n  control_python: \"3.9\"\n  node_python: \"3.9\"\nrequests:\n"); python == "3.9" && !bytes.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
		read, err := ParseLock(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := read.Marshal(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%v: other bytes:\n%s", err, again)
		}
	}
}
