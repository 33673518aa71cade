package build

import (
	"fmt"
	"os"
	"strings"

	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi"
)

// Network says how a build reaches its sources. What the sources themselves ask
// for, credentials and client certificates, stands in Sources.
type Network struct {
	CacheDir  string // what was fetched is kept here
	Jobs      int    // requests at once
	UserAgent string
	CACert    [][]byte // PEM certificates trusted beside the system's
	Netrc     []byte   // content of a .netrc file
	Proxy     Proxy
}

// Proxy names the proxies of this host.
type Proxy = fetch.Proxy

// PipHost is how to ask this host what pip is set up for.
type PipHost = pypi.PipHost

// Connect makes the client that reaches the sources of the options. Its errors
// are of class manifest.ErrUsage, or name a file that cannot be read.
func (o *Options) Connect(n Network) error {
	identities, err := o.Sources.identities(o.Now)
	if err != nil {
		return err
	}
	o.Fetch, err = fetch.New(fetch.Options{
		CacheDir: n.CacheDir, Jobs: n.Jobs, UserAgent: n.UserAgent, Log: o.Progress.Note,
		Credentials: o.Sources.Credentials, Identities: identities,
		CACert: n.CACert, Netrc: n.Netrc, Proxy: n.Proxy,
	})
	return err
}

// AskPip takes the places that pip on this host is set up for, and returns the
// certificates (PEM) that pip trusts there, if it names any. Where no index is
// found, the error comes when one is needed.
func (o *Options) AskPip(host PipHost) (roots []byte, err error) {
	pip, err := pypi.ConfigurePip("", host)
	if err != nil {
		o.Sources.NoIndex = err
		return nil, nil
	}
	o.Sources.HostPip = HostPip{IndexURL: o.Sources.clean(pip.IndexURL), ExtraIndexURLs: each(pip.ExtraIndexURLs, o.Sources.clean)}
	for _, address := range pip.FindLinks {
		if _, err := os.Stat(address); err != nil && !strings.Contains(address, "://") {
			o.Notes = append(o.Notes, fmt.Sprintf("find-links %s, which pip is set up with, is not there, and is passed over", address))
			continue
		}
		o.Sources.HostPip.FindLinks = append(o.Sources.HostPip.FindLinks, o.Sources.withoutUser(address))
	}
	if pip.Cert != "" {
		if roots, err = host.ReadFile(pip.Cert); err != nil {
			return nil, fmt.Errorf("read the certificates that pip is set up with: %w", err)
		}
	}
	return roots, nil
}
