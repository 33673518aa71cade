package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/repo/fetch"
	"pgbundle/repo/pypi"
)

// optionsOf gathers what a build works with: the places that the spec names or
// this host is set up for, and a client that reaches them.
func optionsOf(c *cli.Context, h host, spec build.Spec, progress build.Progress) (build.Options, error) {
	o := build.Options{Spec: spec, Progress: progress, Now: time.Now(), Jobs: c.Int("jobs")}
	var err error
	if o.Epoch, err = epoch(h); err != nil {
		return o, err
	}
	host := hostOf()
	host.None = !needsRepos(c)
	if o.Sources, o.Notes, err = build.FindSources(spec, host); err != nil {
		return o, err
	}
	var roots []byte
	if o.Sources.IndexURL == "" && needsIndex(c) {
		pip, err := pipOf(c, h)
		if err != nil {
			o.Sources.NoIndex = err
			pip = &pypi.PipConfig{}
		}
		o.Sources.SetHostIndex(pip.IndexURL)
		if len(pip.ExtraIndexURLs)+len(pip.FindLinks) > 0 {
			o.Notes = append(o.Notes, "pip's further indexes and folders (extra-index-url, find-links) are passed over")
		}
		if pip.Cert != "" {
			if roots, err = os.ReadFile(pip.Cert); err != nil {
				return o, fmt.Errorf("read the certificates that pip is set up with: %w", err)
			}
		}
	}
	if o.Fetch, err = clientOf(c, h, o.Sources, progress, roots); err != nil {
		return o, err
	}
	if c.Command.Name == "build" || c.Command.Name == "lock" {
		running, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find this program: %w", err)
		}
		o.Program, err = build.FindProgram(spec.Arch, c.String("node-binary"), running, programVersion())
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// needsIndex reports whether a command asks a package index for anything that
// its flags do not say.
func needsIndex(c *cli.Context) bool {
	switch c.Command.Name {
	case "wheel", "lock":
		return true
	case "build":
		return !c.IsSet("lock")
	}
	return false
}

// needsRepos reports whether a command asks dnf repositories that its flags need
// not name.
func needsRepos(c *cli.Context) bool {
	switch c.Command.Name {
	case "rpm", "lock":
		return true
	case "build":
		return !c.IsSet("lock")
	}
	return false
}

// hostOf says what this host is set up for.
func hostOf() build.Host {
	host := build.Host{Repos: os.DirFS("/etc/yum.repos.d"), Vars: os.DirFS("/etc/dnf/vars")}
	if data, err := os.ReadFile("/etc/os-release"); err == nil {
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "PLATFORM_ID="); ok {
				host.EL = strings.Trim(id, `"`) == "platform:el9"
			}
		}
	}
	return host
}

// pipOf finds what pip is set up for.
func pipOf(c *cli.Context, h host) (*pypi.PipConfig, error) {
	return pypi.ConfigurePip("", pypi.PipHost{
		Env:      func(name string) (string, bool) { value := h.getenv(name); return value, value != "" },
		ReadFile: os.ReadFile, Darwin: runtime.GOOS == "darwin",
		Help: func() ([]byte, error) {
			pip := exec.CommandContext(c.Context, "python3", "-m", "pip", "install", "--help")
			pip.Env = append(os.Environ(), "COLUMNS=1000")
			return pip.Output()
		},
	})
}

// clientOf makes the client from the flags and the environment.
func clientOf(c *cli.Context, h host, sources build.Sources, progress build.Progress, roots []byte) (*fetch.Client, error) {
	cache, err := cacheDir(c, h)
	if err != nil {
		return nil, err
	}
	o := fetch.Options{
		CacheDir: cache, Jobs: c.Int("jobs"), UserAgent: "pgbundle/" + programVersion(), Log: progress.Note,
		Credentials: sources.Credentials,
		Proxy: fetch.Proxy{
			HTTP: firstOf(h, "http_proxy", "HTTP_PROXY"), HTTPS: firstOf(h, "https_proxy", "HTTPS_PROXY"), No: firstOf(h, "no_proxy", "NO_PROXY"),
		},
	}
	if name := c.String("cacert"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		o.CACert = append(o.CACert, pem)
	}
	if roots != nil {
		o.CACert = append(o.CACert, roots)
	}
	if o.Netrc, err = netrcOf(c, h); err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if o.Identities, err = identitiesOf(sources); err != nil {
		return nil, err
	}
	return fetch.New(o)
}

func firstOf(h host, names ...string) string {
	for _, name := range names {
		if value := h.getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// netrcOf reads --netrc, $NETRC or ~/.netrc; only the first has to be there.
func netrcOf(c *cli.Context, h host) ([]byte, error) {
	if name := c.String("netrc"); name != "" {
		return os.ReadFile(name)
	}
	if name := h.getenv("NETRC"); name != "" {
		return readOptional(name)
	}
	if home := h.getenv("HOME"); home != "" {
		data, err := readOptional(filepath.Join(home, ".netrc"))
		if os.IsPermission(err) {
			return nil, nil // another user's home: nobody asked for that file
		}
		return data, err
	}
	return nil, nil
}

// identitiesOf reads the client certificates that .repo files name, as RHEL's
// do, for the addresses of their repositories.
func identitiesOf(sources build.Sources) ([]fetch.Identity, error) {
	var list []fetch.Identity
	var errs []error
	for _, r := range sources.Repos {
		if r.SSLClientCert == "" && r.SSLCACert == "" {
			continue
		}
		var id fetch.Identity
		for name, into := range map[string]*[]byte{r.SSLClientCert: &id.Cert, r.SSLClientKey: &id.Key, r.SSLCACert: &id.CA} {
			if name == "" {
				continue
			}
			pem, err := os.ReadFile(name)
			if err != nil {
				errs = append(errs, fmt.Errorf("certificates of repository %s: %w: copy them from a registered node, or run as a user who may read them", r.ID, err))
			}
			*into = pem
		}
		for _, scope := range append([]string{r.Metalink, r.Mirrorlist}, r.BaseURLs...) {
			if strings.HasPrefix(scope, "https://") {
				id.Scope = scope
				list = append(list, id)
			}
		}
	}
	return list, errors.Join(errs...)
}
