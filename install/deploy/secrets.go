package deploy

import (
	"fmt"
	"io"
)

// siteSecrets names the variables that hold the passwords of a cluster. They have
// no default; init generates them into group_vars/all/vault.yml.
var siteSecrets = []string{
	"postgres_superuser_password", "postgres_replication_password", "patroni_rewind_password", "app_db_password",
	"patroni_restapi_password", "pgbouncer_admin_password", "haproxy_stats_password", keepalivedSecret,
	"etcd_root_password", "etcd_patroni_password",
}

const keepalivedSecret = "keepalived_auth_pass"

const (
	secretLength     = 24
	keepalivedLength = 8 // VRRP's authentication holds no more
	vaultLength      = 32
)

// alphanumeric is what every file, URL and shell that a password goes through
// takes as it is.
const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newSecret makes a password of n letters and digits, each equally likely.
func newSecret(random io.Reader, n int) (string, error) {
	const fair = 256 - 256%len(alphanumeric) // bytes from here on would favour the first letters
	secret, b := make([]byte, 0, n), make([]byte, 1)
	for len(secret) < n {
		if _, err := io.ReadFull(random, b); err != nil {
			return "", fmt.Errorf("make password: %w", err)
		}
		if int(b[0]) < fair {
			secret = append(secret, alphanumeric[int(b[0])%len(alphanumeric)])
		}
	}
	return string(secret), nil
}

// NewVaultPassword makes a password to encrypt a vault with.
func NewVaultPassword(random io.Reader) (string, error) { return newSecret(random, vaultLength) }

// sitePassword is a variable with its password.
type sitePassword struct{ Name, Password string }

func newSecrets(random io.Reader) ([]sitePassword, error) {
	list := make([]sitePassword, len(siteSecrets))
	for i, name := range siteSecrets {
		length := secretLength
		if name == keepalivedSecret {
			length = keepalivedLength
		}
		password, err := newSecret(random, length)
		if err != nil {
			return nil, err
		}
		list[i] = sitePassword{name, password}
	}
	return list, nil
}
