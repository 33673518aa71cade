//go:build oracle

package pypi

import (
	"slices"
	"testing"
)

// TestPatchLevelWithPip holds that the patch level of the target decides as in pip
// --python-version, on projects whose Requires-Python looks at it. (uv 0.13 passes over
// an exclusion such as !=3.9.1, and takes cryptography 47 there, which pip refuses.)
func TestPatchLevelWithPip(t *testing.T) {
	index := oracleIndex(t)
	pip := uvOracle{folder: newPip(t, "python3").folder}
	chosen := map[string][]string{} // by project, what the levels got
	for _, python := range []string{"3.9.0", "3.9.1", "3.9.2", "3.9.18"} {
		target := Target{Python: python, Arch: "x86_64"}
		for _, project := range []string{"cryptography", "astroid"} {
			want, err := pip.files(t.Context(), []string{project}, target)
			if err != nil {
				t.Fatalf("%s on %s: %v", project, python, err)
			}
			res, err := Resolve(t.Context(), index, []string{project}, nil, target)
			if err != nil {
				t.Fatalf("%s on %s: %v", project, python, err)
			}
			i := slices.IndexFunc(res.Files, func(c Chosen) bool { return c.Name == project })
			if got := res.Files[i].Filename; len(want) != 1 || got != want[0] {
				t.Errorf("%s on %s: %s, pip takes %s", project, python, got, want)
			}
			chosen[project] = append(chosen[project], want...)
		}
	}
	if files := chosen["cryptography"]; files[1] == files[2] {
		t.Errorf("the level decides nothing any more: cryptography %v", files)
	}
}
