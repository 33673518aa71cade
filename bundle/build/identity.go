package build

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"pgbundle/repo/fetch"
	"pgbundle/repo/rpm/dnfconf"
)

// identities reads the client certificates and authorities that .repo files
// name, as RHEL's do, for the addresses of their repositories.
func (src *Sources) identities(now time.Time) ([]fetch.Identity, error) {
	var list []fetch.Identity
	var errs []error
	for _, r := range src.Repos {
		id, err := identity(r, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("repository %s: %w", r.ID, err))
			continue
		}
		for _, scope := range scopes(r) {
			if strings.HasPrefix(scope, "https://") && (id.Cert != nil || id.CA != nil) {
				id.Scope = scope
				list = append(list, id)
			}
		}
	}
	return list, errors.Join(errs...)
}

// scopes are the addresses that get to see what a repository's configuration
// shows of us: its own, its keys on the same hosts, and whatever a list of
// mirrors may name on the host of the list.
func scopes(r dnfconf.Repo) []string {
	var list []string
	for _, address := range append([]string{r.Metalink, r.Mirrorlist}, r.BaseURLs...) {
		if address != "" {
			list = append(list, address)
		}
	}
	hosts := make([]string, len(list))
	for i, address := range list {
		hosts[i] = originOf(address)
	}
	for _, key := range r.GPGKeys {
		if slices.Contains(hosts, originOf(key)) {
			list = append(list, key)
		}
	}
	for _, address := range []string{r.Metalink, r.Mirrorlist} {
		if origin := originOf(address); origin != "" {
			list = append(list, origin)
		}
	}
	return list
}

// originOf is scheme and host of an address, "" of a folder.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/"
}

// The ways out when a certificate is of no use.
const (
	renew = "subscription-manager refresh writes new ones; on another host copy certificate and key from a registered node and name them in a .repo file"
	mayNo = "run as a user who may read it, or copy it to where this one may and name it in a .repo file"
)

// identity is what the servers of one repository want to see, read and checked.
// No error quotes what is in a file.
func identity(r dnfconf.Repo, now time.Time) (fetch.Identity, error) {
	var id fetch.Identity
	var err error
	if r.SSLCACert != "" {
		if id.CA, err = readPEM("sslcacert", r.SSLCACert); err != nil {
			return id, err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(id.CA) {
			return id, fmt.Errorf("sslcacert %s: there is no PEM certificate in it", r.SSLCACert)
		}
	}
	switch {
	case r.SSLClientCert == "" && r.SSLClientKey != "":
		return id, fmt.Errorf("sslclientkey %s: there is no sslclientcert to go with it", r.SSLClientKey)
	case r.SSLClientCert == "":
		return id, nil
	}
	if id.Cert, err = readPEM("sslclientcert", r.SSLClientCert); err != nil {
		return id, err
	}
	// As in curl, a file may hold both.
	if id.Key, err = readPEM("sslclientkey", cmp.Or(r.SSLClientKey, r.SSLClientCert)); err != nil {
		return id, err
	}
	pair, err := tls.X509KeyPair(id.Cert, id.Key)
	if err != nil {
		return id, fmt.Errorf("sslclientcert %s with its key %s: %w: %s", r.SSLClientCert, cmp.Or(r.SSLClientKey, r.SSLClientCert), err, renew)
	}
	switch {
	case now.After(pair.Leaf.NotAfter):
		return id, fmt.Errorf("sslclientcert %s expired on %s: %s", r.SSLClientCert, pair.Leaf.NotAfter.UTC().Format(time.DateOnly), renew)
	case now.Before(pair.Leaf.NotBefore):
		return id, fmt.Errorf("sslclientcert %s is not valid before %s: is this host's clock right?", r.SSLClientCert, pair.Leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	return id, nil
}

func readPEM(option, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w: %s", option, err, renew)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %w: %s", option, err, mayNo)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	return data, nil
}
