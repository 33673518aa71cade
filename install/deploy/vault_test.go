package deploy

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// errVaultPassword is answered for a file that another password encrypted, and
// for one that was changed since.
var errVaultPassword = errors.New("the password is another, or the file was changed")

// decryptVault reads what encryptVault, or ansible-vault without a vault id,
// has written.
func decryptVault(password, data []byte) ([]byte, error) {
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if string(bytes.TrimRight(head, vaultSpace)) != vaultHeader {
		return nil, fmt.Errorf("decrypt vault: the first line is not %s", vaultHeader)
	}
	inner, err := hex.DecodeString(string(bytes.Join(bytes.Fields(body), nil)))
	if err != nil {
		return nil, fmt.Errorf("decrypt vault: %w", err)
	}
	lines := bytes.Split(inner, []byte("\n"))
	if len(lines) != 3 {
		return nil, fmt.Errorf("decrypt vault: %d lines in it, not 3", len(lines))
	}
	var parts [3][]byte // salt, sum, ciphertext
	for n, line := range lines {
		if parts[n], err = hex.DecodeString(string(line)); err != nil {
			return nil, fmt.Errorf("decrypt vault: %w", err)
		}
	}
	keys, err := vaultKeysOf(password, parts[0])
	if err != nil {
		return nil, fmt.Errorf("decrypt vault: %w", err)
	}
	if !hmac.Equal(keys.sum(parts[2]), parts[1]) {
		return nil, fmt.Errorf("decrypt vault: %w", errVaultPassword)
	}
	text := parts[2]
	keys.stream.XORKeyStream(text, text)
	return unfill(text)
}

// unfill takes PKCS #7 padding off.
func unfill(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, errors.New("decrypt vault: it is empty")
	}
	fill := int(text[len(text)-1])
	if fill < 1 || fill > min(aes.BlockSize, len(text)) || !bytes.Equal(text[len(text)-fill:], bytes.Repeat([]byte{byte(fill)}, fill)) {
		return nil, errors.New("decrypt vault: its padding is wrong")
	}
	return text[:len(text)-fill], nil
}

// TestVaultOfAnsible reads a file that ansible-vault itself has encrypted: the
// reader here knows the format, not only what our own writer makes of it.
func TestVaultOfAnsible(t *testing.T) {
	data, err := os.ReadFile("testdata/ansible-vault.yml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := decryptVault([]byte("correct horse ✓"), data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "---\napp_db_password: \"ünïcode and more than one block of it\"\n"; string(text) != want {
		t.Errorf("decrypted %q, want %q", text, want)
	}
}

func TestVaultRoundTrip(t *testing.T) {
	for _, length := range []int{0, 1, 15, 16, 17, 31, 32, 5000} {
		text := bytes.Repeat([]byte("x"), length)
		data, err := encryptVault(rand.Reader, []byte("secret"), text)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
			if n == 0 && line != vaultHeader || len(line) > vaultColumns {
				t.Errorf("%d bytes: line %d is %q", length, n+1, line)
			}
		}
		again, err := decryptVault([]byte("secret"), data)
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%d bytes: %q, %v", length, again, err)
		}
		if _, err := decryptVault([]byte("Secret"), data); !errors.Is(err, errVaultPassword) {
			t.Errorf("%d bytes with another password: %v", length, err)
		}
		data[len(data)-4] ^= 1 // stays a hex digit of a hex digit
		if again, err := decryptVault([]byte("secret"), data); err == nil {
			t.Errorf("%d bytes, changed: decrypted %q", length, again)
		}
	}
}

// TestVaultIsSalted: the same text with the same password is another file each
// time, or two sites with one password would show it.
func TestVaultIsSalted(t *testing.T) {
	first, err := encryptVault(rand.Reader, []byte("secret"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := encryptVault(rand.Reader, []byte("secret"), []byte("text"))
	if err != nil || bytes.Equal(first, second) {
		t.Errorf("twice the same, %v", err)
	}
}

func TestVaultPassword(t *testing.T) {
	for name, c := range map[string]struct{ content, want, err string }{
		"plain":        {content: "secret", want: "secret"},
		"line":         {content: "secret\n", want: "secret"},
		"space around": {content: " \tsecret word\v\f\r\n\n", want: "secret word"},
		"two lines":    {content: "one\ntwo\n", want: "one\ntwo"}, // Ansible takes both
		"nbsp stays":   {content: "\u00a0secret\n", want: "\u00a0secret"},
		"empty":        {content: " \n", err: "empty"},
		"encrypted":    {content: "$ANSIBLE_VAULT;1.1;AES256\n3132", err: "encrypted itself"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := CheckVaultPassword([]byte(c.content))
			if c.err == "" && (err != nil || string(got) != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	seen := map[string]bool{}
	secrets, err := newSecrets(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		want := 24
		if s.Name == "keepalived_auth_pass" {
			want = 8
		}
		if len(s.Password) != want || strings.Trim(s.Password, alphanumeric) != "" || seen[s.Password] {
			t.Errorf("%s: %q", s.Name, s.Password)
		}
		seen[s.Password] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d secrets, want 10", len(seen))
	}
	if _, err := newSecrets(strings.NewReader("too little")); err == nil {
		t.Error("secrets without randomness")
	}
}

// TestSecretsAreFair counts the letters: none may come noticeably more often,
// as the first eight would without leaving bytes out.
func TestSecretsAreFair(t *testing.T) {
	all := make([]byte, 256)
	for n := range all {
		all[n] = byte(n)
	}
	word, err := newSecret(bytes.NewReader(all), 248)
	if err != nil {
		t.Fatal(err)
	}
	for _, letter := range alphanumeric {
		if n := strings.Count(word, string(letter)); n != 4 {
			t.Errorf("%c comes %d times of 248, want 4", letter, n)
		}
	}
}
