package playbook

import (
	"io/fs"
	"os/exec"
	"strings"
	"testing"
)

// TestFilters runs what roles judge in Python: the rules of preflight against
// a case for each refusal, and what operations make of a cluster's answers.
func TestFilters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"test_preflight.py", "test_cluster.py"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command("python3", "-B", "testdata/"+name).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestContent holds what a bundle needs the content to be: names that every
// reader of a bundle takes, and nothing of the tests.
func TestContent(t *testing.T) {
	t.Parallel()
	var files []string
	err := fs.WalkDir(FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.Contains(name, "/.") || strings.HasPrefix(name, ".") || strings.Contains(name, "test") || strings.HasSuffix(name, ".pyc") {
			t.Errorf("%s has no place in a bundle", name)
		}
	}
	for _, name := range []string{"site.yml", "playbooks/connection-info.yml", "roles/defaults/defaults/main.yml", "plugins/callback/pgbundle_events.py"} {
		if _, err := fs.Stat(FS, name); err != nil {
			t.Error(err)
		}
	}
}
