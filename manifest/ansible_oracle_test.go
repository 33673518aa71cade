//go:build oracle

package manifest

import (
	"archive/zip"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnsibleCoresOracle holds the table to the newest wheel of each series that
// pip finds: First to its Requires-Python, Last to its classifiers.
func TestAnsibleCoresOracle(t *testing.T) {
	for _, a := range AnsibleCores {
		t.Run(a.Series, func(t *testing.T) {
			dir := t.TempDir()
			pip := exec.CommandContext(t.Context(), "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python",
				"--only-binary", ":all:", "--dest", dir, "ansible-core=="+a.Series+".*")
			if out, err := pip.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text := metadataIn(t, dir)
			if want := fmt.Sprintf("\nRequires-Python: >=3.%d\n", a.First); !strings.Contains(text, want) {
				t.Errorf("no %q", want)
			}
			for minor := 8; minor < 20; minor++ {
				classifier := fmt.Sprintf("\nClassifier: Programming Language :: Python :: 3.%d\n", minor)
				if named := strings.Contains(text, classifier); named != (minor >= a.First && minor <= a.Last) {
					t.Errorf("Python 3.%d: named is %v", minor, named)
				}
			}
		})
	}
}

// metadataIn is the METADATA of the one wheel in a folder.
func metadataIn(t *testing.T, dir string) string {
	t.Helper()
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		t.Fatalf("%v, %v", wheels, err)
	}
	z, err := zip.OpenReader(wheels[0])
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".dist-info/METADATA") {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
	t.Fatalf("%s has no METADATA", wheels[0])
	return ""
}
