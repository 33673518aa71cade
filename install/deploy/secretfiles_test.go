package deploy

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTempFolder(t *testing.T) {
	parent := t.TempDir()
	first, err := newTempFolder([]string{filepath.Join(parent, "absent"), parent})
	if err != nil {
		t.Fatal(err)
	}
	path, err := first.write("become", []byte("x\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, first.path: 0o700 | os.ModeDir} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if _, err := first.write("become", nil); err == nil {
		t.Error("a second file of the same name")
	}

	// Another run lets it be, while it is in use; what a killed one left goes.
	second, err := newTempFolder([]string{parent})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("a run removed the password of another")
	}
	first.lock.Close() // as the kernel does
	if err := second.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(parent, tempPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	third, err := newTempFolder([]string{parent})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.path); err == nil {
		t.Error("what a killed run left is still there")
	}
	if err := third.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := newTempFolder([]string{"/dev/null"}); err == nil {
		t.Error("a folder in a file")
	}
}
