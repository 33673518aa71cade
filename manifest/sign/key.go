package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"aead.dev/minisign"

	"pgbundle/manifest"
)

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 4 << 10

// A PublicKey verifies signatures.
type PublicKey struct{ key minisign.PublicKey }

// ID returns the key's id, 16 upper-case hex digits as minisign prints them.
func (k PublicKey) ID() string { return keyID(k.key.ID()) }

// String returns the key as one line of base64, as `minisign -P` takes it.
func (k PublicKey) String() string { return k.key.String() }

// Equal says whether both are the same key, not merely of the same id.
func (k PublicKey) Equal(other PublicKey) bool { return k.key.Equal(other.key) }

// File returns the contents of a public key file.
func (k PublicKey) File() []byte {
	return fmt.Appendf(nil, "untrusted comment: minisign public key %s\n%s\n", k.ID(), k)
}

// ParsePublicKey reads a public key file, or the one line of base64 alone.
func ParsePublicKey(data []byte) (PublicKey, error) {
	line, err := keyLine(data)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	if raw, err := base64.StdEncoding.DecodeString(line); err == nil && len(raw) > 100 {
		return PublicKey{}, fmt.Errorf("read public key: this is a secret key (keep it secret): give the .pub file")
	}
	var k minisign.PublicKey
	if err := k.UnmarshalText([]byte(line)); err != nil {
		return PublicKey{}, fmt.Errorf("read public key: not a minisign public key: %s", reason(err))
	}
	return PublicKey{k}, nil
}

// A PrivateKey makes signatures.
type PrivateKey struct{ key minisign.PrivateKey }

// GenerateKey makes a key pair out of 40 bytes of random.
func GenerateKey(random io.Reader) (PrivateKey, error) {
	_, key, err := minisign.GenerateKey(random)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate key: %w", err)
	}
	return PrivateKey{key}, nil
}

// ID returns the key's id, the same as its public key's.
func (k PrivateKey) ID() string { return keyID(k.key.ID()) }

// Public returns the public key of the pair.
func (k PrivateKey) Public() PublicKey {
	return PublicKey{k.key.Public().(minisign.PublicKey)}
}

// File returns the contents of a secret key file. With a password the key is
// encrypted, by scrypt with libsodium's "sensitive" costs: that takes 1 GiB of
// memory and some seconds, on purpose. Without one it lies there in plain.
func (k PrivateKey) File(password string) ([]byte, error) {
	var text []byte
	var err error
	if password == "" {
		text, err = k.key.MarshalText()
	} else {
		text, err = minisign.EncryptKey(password, k.key)
	}
	if err != nil {
		return nil, fmt.Errorf("write secret key: %w", err)
	}
	return append(text, '\n'), nil
}

// ParsePrivateKey reads a secret key file. The password is asked for only when
// the file is encrypted; nil means that there is nobody to ask.
func ParsePrivateKey(data []byte, password func() (string, error)) (PrivateKey, error) {
	line, err := keyLine(data)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read secret key: %w", err)
	}
	var key minisign.PrivateKey
	if minisign.IsEncrypted([]byte(line)) {
		if password == nil {
			return PrivateKey{}, fmt.Errorf("read secret key: it is encrypted and there is no password")
		}
		word, err := password()
		if err != nil {
			return PrivateKey{}, fmt.Errorf("read secret key: %w", err)
		}
		if key, err = minisign.DecryptKey(word, []byte(line)); err != nil {
			return PrivateKey{}, fmt.Errorf("read secret key: %w", errPassword)
		}
	} else if err := key.UnmarshalText([]byte(line)); err != nil {
		return PrivateKey{}, fmt.Errorf("read secret key: not a minisign secret key: %s", reason(err))
	}
	k := PrivateKey{key}
	if !wellFormed(k) {
		return PrivateKey{}, fmt.Errorf("read secret key: damaged: its halves are not a pair")
	}
	return k, nil
}

// wellFormed says whether the public half of a key belongs to its secret half:
// a plain key file has no checksum, and signing with a broken pair could give
// the secret away.
func wellFormed(k PrivateKey) bool {
	text, err := k.key.MarshalText()
	if err != nil {
		return false
	}
	line, err := keyLine(text)
	if err != nil {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil || len(raw) < 62+ed25519.PrivateKeySize {
		return false
	}
	pair := raw[62 : 62+ed25519.PrivateKeySize]
	return bytes.Equal(ed25519.NewKeyFromSeed(pair[:ed25519.SeedSize]), pair)
}

// keyLine returns the one line of base64 of a key file: an untrusted comment
// may precede it, nothing but line ends may follow.
func keyLine(data []byte) (string, error) {
	if len(data) > maxKeyFile {
		return "", fmt.Errorf("more than %d bytes are no key file", maxKeyFile)
	}
	lines := strings.Split(strings.TrimRight(string(data), "\r\n"), "\n")
	if strings.HasPrefix(lines[0], "untrusted comment:") {
		lines = lines[1:]
	}
	if len(lines) != 1 {
		return "", errors.New("not a minisign key file: a comment and one line of base64 are expected")
	}
	return strings.TrimRight(lines[0], "\r"), nil
}

func reason(err error) string { return strings.TrimPrefix(err.Error(), "minisign: ") }

// TrustedKeys reads every *.pub file of a folder of trusted keys. A folder
// that is not there holds no key; one that cannot be read, and a file that is no
// key, are errors, since leaving them out would quietly weaken what the site
// meant. The error about a file that is no key is of class manifest.ErrUsage.
func TrustedKeys(folder fs.FS) ([]PublicKey, error) {
	entries, err := fs.ReadDir(folder, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read trusted keys: %w", err)
	}
	var keys []PublicKey
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".pub") {
			continue
		}
		data, err := readKey(folder, e.Name())
		if err != nil {
			return nil, fmt.Errorf("read trusted key %s: %w", e.Name(), err)
		}
		key, err := ParsePublicKey(data)
		if err != nil {
			return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("trusted key %s: %w", e.Name(), err))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// readKey reads no more of a file than a key file may have, and one byte to
// tell that it has more.
func readKey(folder fs.FS, name string) ([]byte, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKeyFile+1))
}
