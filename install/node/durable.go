package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes the file at path, a path of this host, hold data and have
// mode, whatever the umask. It appears whole and stays over a power cut: it is
// written beside its place under a name with Prefix, synced and renamed.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), Prefix+filepath.Base(path)+".")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	Fault("write file")
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), syncFile(f), f.Close())
	if err == nil {
		Fault("rename file")
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return SyncFolder(filepath.Dir(path))
}

// Link makes path, a path of this host, a symbolic link with the text target,
// in one step: whoever reads it finds the old link or the new one. Anything
// but a link in its place is an error.
func Link(target, path string) error {
	info, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link %s: %w", path, err)
	}
	if err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("link %s: it is there already, and no link", path)
	}
	beside := filepath.Join(filepath.Dir(path), Prefix+filepath.Base(path))
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Symlink(target, beside); err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	Fault("rename link")
	if err := os.Rename(beside, path); err != nil {
		os.Remove(beside)
		return fmt.Errorf("link %s: %w", path, err)
	}
	Fault("link renamed")
	return SyncFolder(filepath.Dir(path))
}

// Remove removes a file or a link, so that it stays away over a power cut. That
// it is not there is no error.
func Remove(path string) error {
	Fault("remove")
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	Fault("removed")
	return SyncFolder(filepath.Dir(path))
}

// RemoveFolder removes a folder and all in it. It loses its name first, so that
// no reader ever finds half of it.
func RemoveFolder(path string) error {
	trash := filepath.Join(filepath.Dir(path), Prefix+"trash-"+filepath.Base(path))
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("remove %s: %w", trash, err)
	}
	Fault("rename folder")
	err := os.Rename(path, trash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	if err := SyncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	Fault("remove folder")
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// Sweep removes what a run that was killed has left in a folder: everything
// whose name begins with Prefix. It returns their names.
func Sweep(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweep %s: %w", folder, err)
	}
	var swept []string
	for _, e := range entries {
		if len(e.Name()) < len(Prefix) || e.Name()[:len(Prefix)] != Prefix {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
			return swept, fmt.Errorf("sweep %s: %w", folder, err)
		}
		swept = append(swept, e.Name())
	}
	return swept, nil
}

// MakeFolders makes the folder at path and those above it that are missing,
// all with mode 0755 whatever the umask, and syncs each name.
func MakeFolders(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("make folder %s: it is there already, and no folder", path)
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := MakeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	// It gets its name when it has its mode: what is there is not made again.
	fresh := filepath.Join(filepath.Dir(path), Prefix+filepath.Base(path))
	if err := os.Mkdir(fresh, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	Fault("folder made")
	if err := errors.Join(os.Chmod(fresh, 0o755), os.Rename(fresh, path)); err != nil {
		os.Remove(fresh)
		return fmt.Errorf("make folder: %w", err)
	}
	Fault("folder named")
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names in a folder stay over a power cut.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer f.Close()
	if err := syncFile(f); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

// SyncFileSystem writes everything in the file system of path to its disk.
func SyncFileSystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync file system: %w", err)
	}
	defer f.Close()
	if err := syncFS(f); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", path, err)
	}
	return nil
}

// Exchange swaps two names of one file system in one step.
func Exchange(a, b string) error {
	if err := exchange(a, b); err != nil {
		return fmt.Errorf("exchange %s and %s: %w", a, b, err)
	}
	Fault("exchanged")
	return errors.Join(SyncFolder(filepath.Dir(a)), SyncFolder(filepath.Dir(b)))
}
