package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/install/deploy"
	"pgbundle/manifest"
)

// siteVault is how the secrets of a new site are kept, as the flags say.
type siteVault struct {
	plain    bool
	file     string // absolute path of the password file; "": none
	regular  bool   // it is a file that can be read again
	generate bool
	password []byte
}

// vaultOf reads the flags about the vault, and the password where there is one.
func vaultOf(c *cli.Context, _ host, dir string) (*siteVault, error) {
	v := &siteVault{plain: c.Bool("plain-vault"), generate: c.Bool("generate-vault-password")}
	name := c.String("vault-password-file")
	switch {
	case v.plain && (name != "" || v.generate):
		return nil, &usageError{"--plain-vault contradicts --vault-password-file and --generate-vault-password", "pgbundle init --help"}
	case v.generate && name == "":
		return nil, &usageError{"--generate-vault-password needs to know the file to write", "--vault-password-file FILE --generate-vault-password"}
	case name == "":
		return v, nil
	}
	var err error
	if v.file, err = filepath.Abs(name); err != nil {
		return nil, fmt.Errorf("--vault-password-file: %w", err)
	}
	if v.generate {
		return v, v.newPassword(dir)
	}
	if err := v.readPassword(); err != nil {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("--vault-password-file %s: %w", name, err))
	}
	return v, nil
}

// newPassword makes a password; the file is written with the site.
func (v *siteVault) newPassword(dir string) error {
	site, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(site, v.file); err == nil && below != ".." && !strings.HasPrefix(below, "../") {
		return &usageError{fmt.Sprintf("--vault-password-file %s would lie in the site directory, beside what it decrypts", v.file), "--vault-password-file ~/.vault-pass"}
	}
	if _, err := os.Lstat(v.file); err == nil {
		return fmt.Errorf("make vault password: %s is there already, and a password is never overwritten: leave out --generate-vault-password to use it", v.file)
	}
	word, err := deploy.NewVaultPassword(rand.Reader)
	v.password, v.regular = []byte(word), true
	return err
}

// readPassword takes the password from the file, as Ansible will.
func (v *siteVault) readPassword() error {
	info, err := os.Stat(v.file)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such file: --generate-vault-password makes it")
	}
	if err != nil {
		return err
	}
	v.regular = info.Mode().IsRegular()
	if v.regular && info.Mode().Perm()&0o111 != 0 {
		return errors.New("it is executable: Ansible would run it instead of reading it; chmod a-x it")
	}
	data, err := os.ReadFile(v.file)
	if err != nil {
		return err
	}
	v.password, err = deploy.CheckVaultPassword(data)
	return err
}

// named is the password file for ansible.cfg.
func (v *siteVault) named() string {
	if v.regular && plainWord.MatchString(v.file) {
		return v.file
	}
	return ""
}

// unsaid reports that nothing says how the secrets are kept.
func (v *siteVault) unsaid() bool { return !v.plain && v.file == "" }

// ask asks for the password twice, where nothing else gives it.
func (v *siteVault) ask(c *cli.Context, h host) error {
	for v.unsaid() && v.password == nil {
		first, err := askSecret(c.Context, h, "password to encrypt the secrets with", "--vault-password-file FILE")
		if err != nil {
			return err
		}
		word, err := deploy.CheckVaultPassword([]byte(first))
		if err != nil {
			fmt.Fprintf(h.stderr, "  the password was not taken: %v\n", err)
			continue
		}
		again, err := askSecret(c.Context, h, "the same again", "--vault-password-file FILE")
		if err != nil {
			return err
		}
		if again != first {
			fmt.Fprintln(h.stderr, "  the two passwords differ")
			continue
		}
		v.password = word
	}
	return nil
}

// write makes the password file, when it is a new one, and then the site; a
// site that failed leaves no password behind.
func (v *siteVault) write(site func() ([]string, error)) ([]string, error) {
	if v.generate {
		if err := deploy.WriteVaultPassword(v.file, string(v.password)); err != nil {
			return nil, err
		}
	}
	files, err := site()
	if err != nil && v.generate {
		err = errors.Join(err, os.Remove(v.file))
	}
	return files, err
}
