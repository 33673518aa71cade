package deploy

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree lists what is below a folder: mode, or what a link leads to.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		at, err := filepath.Rel(dir, name)
		list[at] = info.Mode().String()
		if info.Mode()&fs.ModeSymlink != 0 {
			list[at], err = os.Readlink(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWriteModes: modes are ours whatever the umask is, in a new folder and in
// one that is there.
func TestWriteModes(t *testing.T) {
	s := siteOf(t, three(), SiteRelease{})
	for _, umask := range []int{0, 0o077, 0o777} {
		for _, exists := range []bool{false, true} {
			t.Run(fmt.Sprintf("%03o/%v", umask, exists), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "site")
				if exists {
					if err := os.Mkdir(dir, 0o750); err != nil {
						t.Fatal(err)
					}
				}
				old := syscall.Umask(umask)
				names, err := s.Write(context.Background(), dir, SiteVault{Plain: true}, rand.Reader)
				syscall.Umask(old)
				if err != nil {
					t.Fatal(err)
				}
				got := tree(t, dir)
				for _, name := range names {
					want := "-rw-r-----"
					switch {
					case name == VaultPath:
						want = "-rw-------"
					case slices.Contains(siteLinks, name):
						want = "../" + path.Base(name)
					}
					if got[name] != want {
						t.Errorf("%s: %s, want %s", name, got[name], want)
					}
					delete(got, name)
				}
				for name, mode := range got {
					if mode != "drwxr-x---" {
						t.Errorf("%s: %s", name, mode)
					}
				}
				if len(got) != 6 {
					t.Errorf("folders: %v", got)
				}
				if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		}
	}
}

// TestWriteOverwritesNothing: whatever is in the way is named, all of it, and
// stays as it was; what is not in the way stays too.
func TestWriteOverwritesNothing(t *testing.T) {
	s := siteOf(t, three(), SiteRelease{})
	for name, c := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"files": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ansible.cfg"), []byte("mine"), 0o600)
		}, "ansible.cfg is there already"},
		"a folder that is a file": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "inventory"), []byte("mine"), 0o600)
		}, "inventory is there already"},
		"a folder that is a link": {func(dir string) error {
			return os.Symlink("/etc", filepath.Join(dir, "group_vars"))
		}, "group_vars is there already"},
		"a link to nothing": {func(dir string) error {
			return os.Symlink("nowhere", filepath.Join(dir, "site.yml"))
		}, "site.yml is there already"},
		"several": {func(dir string) error {
			return errJoin(os.Mkdir(filepath.Join(dir, "site.yml"), 0o700), os.Symlink("x", filepath.Join(dir, "playbooks")))
		}, "playbooks, site.yml are there already"},
		"everybody's": {func(dir string) error { return os.Chmod(dir, 0o777) }, "everybody may write in it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errJoin(os.Mkdir(filepath.Join(dir, "host_vars"), 0o755), os.WriteFile(filepath.Join(dir, "README"), []byte("mine"), 0o644), c.make(dir)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			_, err := s.Write(context.Background(), dir, SiteVault{Plain: true}, rand.Reader)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v lacks %q", err, c.want)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("changed:\n%s", diff)
			}
		})
	}
}

// TestWriteBeside: files of others in the same folder do not matter.
func TestWriteBeside(t *testing.T) {
	dir := t.TempDir()
	if err := errJoin(os.Chmod(dir, 0o700), os.Mkdir(filepath.Join(dir, "host_vars"), 0o755), os.WriteFile(filepath.Join(dir, "README"), []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := siteOf(t, three(), SiteRelease{}).Write(context.Background(), dir, SiteVault{Password: []byte("secret")}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	got := tree(t, dir)
	if got["README"] != "-rw-r--r--" || got["host_vars"] != "drwxr-xr-x" || got["."] != "drwx------" || got["host_vars/.gitkeep"] == "" {
		t.Errorf("%v", got)
	}
	data, err := os.ReadFile(filepath.Join(dir, VaultPath))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := decryptVault([]byte("secret"), data); err != nil || len(decoded(t, text)) != len(siteSecrets) {
		t.Errorf("vault: %q, %v", text, err)
	}
}

// TestWriteLeavesNothing: a run that fails or is stopped half way takes away
// what it made, and nothing else.
func TestWriteLeavesNothing(t *testing.T) {
	s := siteOf(t, three(), SiteRelease{})
	files, err := s.all(SiteVault{Plain: true}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for _, exists := range []bool{false, true} {
		top := t.TempDir()
		dir := filepath.Join(top, "site")
		if exists {
			if err := os.Mkdir(dir, 0o750); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, top)
		if _, err := s.Write(stopped, dir, SiteVault{Plain: true}, rand.Reader); err == nil {
			t.Error("it was not stopped")
		}
		if _, err := s.Write(context.Background(), dir, SiteVault{}, rand.Reader); err == nil || !strings.Contains(err.Error(), "no password") {
			t.Errorf("without a password: %v", err)
		}
		if _, err := s.Write(context.Background(), dir, SiteVault{Plain: true}, bytes.NewReader(nil)); err == nil {
			t.Error("without randomness")
		}
		if diff := cmp.Diff(before, tree(t, top)); diff != "" {
			t.Errorf("left behind:\n%s", diff)
		}
	}
	// Somebody else makes the last file after it was looked for.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.yml"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	if err := placeSite(context.Background(), dir, files, true); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("placed over another's file: %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
}

func TestWriteWhere(t *testing.T) {
	s := siteOf(t, three(), SiteRelease{})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := errJoin(os.WriteFile(file, nil, 0o600), os.Symlink("nowhere", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"file": "it is a file", "link": "it is a link to nothing", "no/such/site": "no such file"} {
		if _, err := s.Write(context.Background(), filepath.Join(dir, name), SiteVault{Plain: true}, rand.Reader); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteVaultPassword(t *testing.T) {
	name := filepath.Join(t.TempDir(), "password")
	word, err := NewVaultPassword(rand.Reader)
	if err != nil || len(word) != 32 {
		t.Fatalf("%q, %v", word, err)
	}
	if err := WriteVaultPassword(name, word); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if info, statErr := os.Stat(name); err != nil || statErr != nil || string(data) != word+"\n" || info.Mode() != 0o600 {
		t.Errorf("%q, %v, %v", data, err, statErr)
	}
	if err := WriteVaultPassword(name, word); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("again: %v", err)
	}
}
