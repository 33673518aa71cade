package deploy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Ansible Vault, format 1.1 (Ansible's user guide, "Format of files encrypted
// with Ansible Vault"): a header line, then in lines of 80 columns the hex form
// of three lines, which are the hex forms of the salt, of an HMAC-SHA256 of the
// ciphertext, and of the ciphertext.
const (
	vaultHeader     = "$ANSIBLE_VAULT;1.1;AES256"
	vaultIterations = 10_000
	vaultSalt       = 32 // bytes
	vaultColumns    = 80
)

// vaultSpace is what Ansible takes off both ends of a password.
const vaultSpace = " \t\n\r\v\f"

// encryptVault encrypts text for everybody who knows the password. The salt is
// taken from random.
func encryptVault(random io.Reader, password, text []byte) ([]byte, error) {
	salt := make([]byte, vaultSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("encrypt vault: %w", err)
	}
	keys, err := vaultKeysOf(password, salt)
	if err != nil {
		return nil, fmt.Errorf("encrypt vault: %w", err)
	}
	fill := aes.BlockSize - len(text)%aes.BlockSize // PKCS #7, RFC 5652 section 6.3
	sealed := append(bytes.Clone(text), bytes.Repeat([]byte{byte(fill)}, fill)...)
	keys.stream.XORKeyStream(sealed, sealed)

	inner := hex.EncodeToString(salt) + "\n" + hex.EncodeToString(keys.sum(sealed)) + "\n" + hex.EncodeToString(sealed)
	outer := hex.EncodeToString([]byte(inner))
	var b bytes.Buffer
	b.WriteString(vaultHeader + "\n")
	for len(outer) > 0 {
		line := outer[:min(vaultColumns, len(outer))]
		outer = outer[len(line):]
		b.WriteString(line + "\n")
	}
	return b.Bytes(), nil
}

// vaultKeys are what a password and a salt make.
type vaultKeys struct {
	stream cipher.Stream
	mac    []byte
}

func vaultKeysOf(password, salt []byte) (*vaultKeys, error) {
	derived, err := pbkdf2.Key(sha256.New, string(password), salt, vaultIterations, 32+32+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		return nil, err
	}
	return &vaultKeys{stream: cipher.NewCTR(block, derived[64:]), mac: derived[32:64]}, nil
}

func (k *vaultKeys) sum(sealed []byte) []byte {
	h := hmac.New(sha256.New, k.mac)
	h.Write(sealed)
	return h.Sum(nil)
}

// CheckVaultPassword takes from the content of a password file what Ansible
// would take from it: all of it but the space around.
func CheckVaultPassword(content []byte) ([]byte, error) {
	if bytes.HasPrefix(content, []byte("$ANSIBLE_VAULT;")) {
		return nil, errors.New("it is encrypted itself")
	}
	password := bytes.Trim(content, vaultSpace)
	if len(password) == 0 {
		return nil, errors.New("it is empty")
	}
	return password, nil
}
