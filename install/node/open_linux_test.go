package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An image may have anything where a file is looked for: it is said, and
// nothing waits for the other end of a pipe.
func TestOpenFilesAndFoldersOnly(t *testing.T) {
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(root, "folder"), 0o755))
	must(os.WriteFile(filepath.Join(root, "folder/file"), []byte("text"), 0o644))
	must(os.Symlink("/folder/file", filepath.Join(root, "link")))
	must(syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644))
	must(os.Symlink("pipe", filepath.Join(root, "link-to-pipe")))
	must(syscall.Mknod(filepath.Join(root, "socket"), syscall.S_IFSOCK|0o644, 0))
	if os.Getuid() == 0 {
		must(syscall.Mknod(filepath.Join(root, "device"), syscall.S_IFCHR|0o644, 1<<8|3)) // as /dev/null
	}
	n, err := Open(root, nil)
	must(err)
	for name, want := range map[string]string{
		"folder/file": "", "link": "", "folder": "", ".": "", "nothing": "no such file",
		"pipe": "it is neither a file nor a folder", "link-to-pipe": "neither", "socket": "neither", "device": "neither",
	} {
		if name == "device" && os.Getuid() != 0 {
			continue
		}
		done := make(chan error, 1)
		go func() {
			f, err := n.FS().Open(name)
			if err == nil {
				f.Close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		case <-time.After(2 * time.Second):
			t.Errorf("%s: Open waits", name)
			if w, err := os.OpenFile(filepath.Join(root, "pipe"), os.O_RDWR, 0); err == nil {
				<-done
				w.Close()
			}
		}
	}
	for name, want := range map[string]string{"folder/file": "text", "link": "text"} {
		if data, err := fs.ReadFile(n.FS(), name); string(data) != want || err != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := fs.ReadDir(n.FS(), "pipe"); err == nil {
		t.Error("a pipe has entries")
	}
}
