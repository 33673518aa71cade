package manifest

import (
	"slices"
	"testing"
)

func TestAnsibleCoreOf(t *testing.T) {
	for version, want := range map[string][]string{
		"2.15.13": {"3.9", "3.10", "3.11"}, "2.17.0rc1": {"3.10", "3.11", "3.12"}, "2.19.4": {"3.11", "3.12", "3.13"},
		"2.1.0": nil, "2.150.1": nil, "2.15": nil, "": nil,
	} {
		series, known := AnsibleCoreOf(version)
		if got := series.Pythons(); known != (want != nil) || known && !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", version, got, known, want)
		}
	}
}

// What looks into a range of series counts on this: the newest in it that a Python
// can install is one that runs on it, if any does.
func TestAnsibleCoresRise(t *testing.T) {
	for i, a := range AnsibleCores[1:] {
		if before := AnsibleCores[i]; a.First < before.First || a.Last < before.Last || a.First > a.Last {
			t.Errorf("%+v after %+v", a, before)
		}
	}
}
