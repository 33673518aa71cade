package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/install/playbook"
	"pgbundle/manifest"
)

// optionsOf gathers what a build works with: the places that the spec names or
// this host is set up for, and a client that reaches them.
func optionsOf(c *cli.Context, h host, spec build.Spec, progress build.Progress) (build.Options, error) {
	o := build.Options{Spec: spec, Playbook: playbook.FS, Progress: progress, Now: time.Now(), Jobs: c.Int("jobs")}
	var err error
	if o.Epoch, err = epoch(h); err != nil {
		return o, err
	}
	if o.Nodes, err = build.ReadNodes(c.StringSlice("node")); err != nil {
		return o, err
	}
	host := hostOf()
	host.None = !needsRepos(c)
	if o.Sources, o.Notes, err = build.FindSources(spec, host); err != nil {
		return o, err
	}
	token, err := galaxyToken(c, h)
	if err == nil {
		err = o.Sources.SetGalaxyToken(token)
	}
	if err != nil {
		return o, err
	}
	var roots []byte
	if o.Sources.IndexURL == "" && needsIndex(c) {
		if roots, err = o.AskPip(pipOf(c, h)); err != nil {
			return o, err
		}
	}
	network, err := networkOf(c, h, roots)
	if err != nil {
		return o, err
	}
	if err := o.Connect(network); err != nil {
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
	// dnf lets a variable of /etc/dnf/vars win over one of the same name in /etc/yum/vars.
	host := build.Host{
		Conf: os.DirFS("/etc/dnf"), Vars: []fs.FS{os.DirFS("/etc/dnf/vars"), os.DirFS("/etc/yum/vars")},
		Repos: []fs.FS{os.DirFS("/etc/yum.repos.d"), os.DirFS("/etc/yum/repos.d"), os.DirFS("/etc/distro.repos.d")},
	}
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

// pipOf says how to ask this host about pip.
func pipOf(c *cli.Context, h host) build.PipHost {
	return build.PipHost{
		Env:      func(name string) (string, bool) { value := h.getenv(name); return value, value != "" },
		ReadFile: os.ReadFile, Darwin: runtime.GOOS == "darwin",
		Help: func() ([]byte, error) {
			pip := exec.CommandContext(c.Context, "python3", "-m", "pip", "install", "--help")
			pip.Env = append(os.Environ(), "COLUMNS=1000")
			return pip.Output()
		},
	}
}

// networkOf takes from the flags and the environment how to reach the world.
// Roots are further certificates to trust.
func networkOf(c *cli.Context, h host, roots []byte) (build.Network, error) {
	n := build.Network{
		Jobs: c.Int("jobs"), UserAgent: "pgbundle/" + programVersion(),
		Proxy: build.Proxy{
			HTTP: firstOf(h, "http_proxy", "HTTP_PROXY"), HTTPS: firstOf(h, "https_proxy", "HTTPS_PROXY"), No: firstOf(h, "no_proxy", "NO_PROXY"),
		},
	}
	var err error
	if n.CacheDir, err = cacheDir(c, h); err != nil {
		return n, err
	}
	if name := c.String("cacert"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return n, fmt.Errorf("read certificates: %w", err)
		}
		n.CACert = append(n.CACert, pem)
	}
	if roots != nil {
		n.CACert = append(n.CACert, roots)
	}
	if n.Netrc, err = netrcOf(c, h); err != nil {
		return n, fmt.Errorf("read credentials: %w", err)
	}
	return n, nil
}

// galaxyToken takes the token of the Galaxy server from --galaxy-token-file or
// from the environment: a flag with the token itself would show it to everybody
// who lists processes.
func galaxyToken(c *cli.Context, h host) (string, error) {
	name := c.String("galaxy-token-file")
	if name == "" {
		return h.getenv("ANSIBLE_GALAXY_TOKEN"), nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", manifest.Classify(manifest.ErrUsage, fmt.Errorf("--galaxy-token-file: %w", err))
	}
	token, err := build.ParseGalaxyToken(data)
	if err != nil {
		return "", fmt.Errorf("--galaxy-token-file %s: %w", name, err)
	}
	return token, nil
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
