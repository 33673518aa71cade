//go:build oracle

package deploy

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestVaultAgainstAnsible has ansible-vault read what we write, and reads what
// ansible-vault writes.
func TestVaultAgainstAnsible(t *testing.T) {
	dir := t.TempDir()
	password, file := filepath.Join(dir, "password"), filepath.Join(dir, "vault.yml")
	ansible := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("ansible-vault", append(args, "--vault-password-file", password)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ansible-vault %v: %v\n%s", args, err, out)
		}
		return out
	}
	for _, word := range []string{"secret", "with space, ✓ and \" quotes '", "one\ntwo"} {
		if err := os.WriteFile(password, []byte(" "+word+" \r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := CheckVaultPassword([]byte(" " + word + " \r\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []int{1, 15, 16, 17, 1000} {
			text := bytes.Repeat([]byte("ä"), length)
			data, err := encryptVault(rand.Reader, key, text)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			ansible("decrypt", file)
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
				t.Errorf("password %q, %d letters: ansible-vault read %q, %v", word, length, got, err)
			}
			ansible("encrypt", file)
			if data, err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
			if got, err := decryptVault(key, data); err != nil || !bytes.Equal(got, text) {
				t.Errorf("password %q, %d letters: read %q of ansible-vault's, %v", word, length, got, err)
			}
		}
	}
}
