package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SiteVault says how the secrets of a site are kept.
type SiteVault struct {
	Password []byte // encrypts them, as Ansible Vault does
	Plain    bool   // they are not encrypted
}

// Write makes the site directory dir, with new secrets out of random. What
// exists is never overwritten: everything that is in the way is told at once.
// When dir does not exist it appears whole or not at all; otherwise the files
// appear one by one, each whole, and a failure takes away those that did. The
// answer lists the files, links included, slash-separated and in order.
func (s *Site) Write(ctx context.Context, dir string, vault SiteVault, random io.Reader) ([]string, error) {
	files, err := s.all(vault, random)
	if err != nil {
		return nil, fmt.Errorf("make site %s: %w", dir, err)
	}
	exists, err := freeFor(dir)
	if err == nil {
		err = placeSite(ctx, dir, files, exists)
	}
	if err != nil {
		return nil, fmt.Errorf("make site %s: %w", dir, err)
	}
	return sitePaths(), nil
}

// CheckSiteDir says what is in the way of a site in dir.
func CheckSiteDir(dir string) error {
	if _, err := freeFor(dir); err != nil {
		return fmt.Errorf("make site %s: %w", dir, err)
	}
	return nil
}

// all renders the files of a site with its secrets, in the order of their paths.
func (s *Site) all(vault SiteVault, random io.Reader) ([]siteFile, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	secrets, err := newSecrets(random)
	if err != nil {
		return nil, err
	}
	text, err := s.secretsFile(secrets)
	if err != nil {
		return nil, err
	}
	if !vault.Plain {
		if len(vault.Password) == 0 {
			return nil, errors.New("there is no password to encrypt the secrets with")
		}
		if text, err = encryptVault(random, vault.Password, text); err != nil {
			return nil, err
		}
	}
	files = append(files, siteFile{Path: VaultPath, Text: text, Mode: modeSecret})
	slices.SortFunc(files, func(a, b siteFile) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// freeFor looks whether the files can be put below dir, and whether dir is there.
func freeFor(dir string) (exists bool, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(dir); err == nil {
			return false, errors.New("it is a link to nothing")
		}
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return true, errors.New("it is a file")
	case info.Mode().Perm()&0o002 != 0:
		return true, errors.New("everybody may write in it, and in such a folder Ansible ignores ansible.cfg: chmod o-w it")
	}
	var taken []string
	for _, name := range sitePaths() {
		found, err := inTheWay(dir, name)
		if err != nil {
			return true, err
		}
		if found != "" && !slices.Contains(taken, found) {
			taken = append(taken, found)
		}
	}
	if len(taken) > 0 {
		return true, fmt.Errorf("%s %s there already, and nothing is ever overwritten: take another folder, or move it away",
			strings.Join(taken, ", "), map[bool]string{true: "is", false: "are"}[len(taken) == 1])
	}
	return true, nil
}

// inTheWay finds what keeps a file from its place: itself, or a folder above it
// that is none.
func inTheWay(dir, name string) (string, error) {
	words := strings.Split(name, "/")
	for n := range words {
		at := strings.Join(words[:n+1], "/")
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(at)))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if n == len(words)-1 || !info.IsDir() {
			return at, nil
		}
	}
	return "", nil
}

// placeSite puts the files below dir, by way of a folder on the same file system
// in which all of them are made first.
func placeSite(ctx context.Context, dir string, files []siteFile, exists bool) (err error) {
	above := dir
	if !exists {
		above = filepath.Dir(filepath.Clean(dir))
	}
	stage, err := os.MkdirTemp(above, ".pgbundle-init-")
	if err != nil {
		return err
	}
	defer func() {
		if rm := os.RemoveAll(stage); err == nil {
			err = rm
		}
	}()
	if err := stageFiles(ctx, stage, files); err != nil {
		return err
	}
	if exists {
		return moveIn(ctx, stage, dir, files)
	}
	if err := os.Rename(stage, dir); err != nil { // refuses a folder with something in it
		return err
	}
	return syncFolder(above)
}

// stageFiles makes all files in a folder of its own.
func stageFiles(ctx context.Context, stage string, files []siteFile) error {
	if err := os.Chmod(stage, modeFolder); err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := filepath.Join(stage, filepath.FromSlash(f.Path))
		if _, err := makeFolders(stage, f.Path); err != nil {
			return err
		}
		if f.Link != "" {
			if err := os.Symlink(f.Link, at); err != nil {
				return err
			}
		} else if err := writeNew(at, f); err != nil {
			return err
		}
	}
	return nil
}

// makeFolders makes those above a file that are missing, with our mode, and
// lists them from the top.
func makeFolders(dir, name string) ([]string, error) {
	var made []string
	words := strings.Split(name, "/")
	for n := range len(words) - 1 {
		at := filepath.Join(dir, filepath.Join(words[:n+1]...))
		err := os.Mkdir(at, modeFolder)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			made = append(made, at)
			err = os.Chmod(at, modeFolder) // whatever the umask is
		}
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

// writeNew writes a file that is not there yet, to the disk.
func writeNew(at string, f siteFile) error {
	file, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modeSecret)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Text)
	if err = errors.Join(err, file.Chmod(f.Mode), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(at))
	}
	return nil
}

// moveIn gives the files their names in a folder that exists. A link refuses
// to take the place of anything, which a rename does not.
func moveIn(ctx context.Context, stage, dir string, files []siteFile) (err error) {
	var made []string
	defer func() {
		if err != nil {
			for _, at := range slices.Backward(made) {
				err = errors.Join(err, os.Remove(at))
			}
		}
	}()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		folders, err := makeFolders(dir, f.Path)
		made = append(made, folders...)
		if err != nil {
			return err
		}
		at := filepath.Join(dir, filepath.FromSlash(f.Path))
		if f.Link != "" {
			err = os.Symlink(f.Link, at)
		} else {
			err = os.Link(filepath.Join(stage, filepath.FromSlash(f.Path)), at)
		}
		if err != nil {
			return err
		}
		made = append(made, at)
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// WriteVaultPassword writes a new password file for Ansible Vault, readable by
// its owner alone. It overwrites nothing.
func WriteVaultPassword(name, password string) error {
	err := writeNew(name, siteFile{Text: []byte(password + "\n"), Mode: modeSecret})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make vault password: %s is there already, and a password is never overwritten: leave out --generate-vault-password to use it", name)
	}
	if err != nil {
		return fmt.Errorf("make vault password: %w", err)
	}
	return nil
}
