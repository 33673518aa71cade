package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

// Flags that several commands share. Each function returns fresh ones, since
// cli keeps what was parsed in them.

func messageFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "write the result as JSON to stdout"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "say nothing but errors and the result"},
		&cli.StringFlag{Name: "log-format", Usage: "progress on stderr as `FORMAT`: auto, plain or json", Value: "auto"},
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "write the result as JSON to stdout"}
}

func networkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cacert", Usage: "also trust the authorities in `FILE` (PEM), beside the system's"},
		&cli.StringFlag{Name: "netrc", Usage: "take credentials per host from `FILE` (default: ~/.netrc)"},
		&cli.StringFlag{Name: "cache", Usage: "keep what was fetched in `DIR` (default: ~/.cache/pgbundle)"},
		&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Usage: "fetch and hash `N` files at once", Value: max(4, runtime.NumCPU()),
			Action: func(c *cli.Context, n int) error {
				if n < 1 {
					return &usageError{fmt.Sprintf("--jobs %d: takes 1 or more", n), "pgbundle " + commandPath(c) + " --jobs 4"}
				}
				return nil
			}},
	}
}

func rpmFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "repos", Usage: "repositories: `SET` rocky, alma, host, or a .repo file"},
		&cli.StringSliceFlag{Name: "repo", Usage: "a repository by id: `ID=URL` or ID=FOLDER; alone it replaces the default set, with --repos the repository of that id"},
		&cli.StringSliceFlag{Name: "signatures", Usage: "ask signatures of a repository's packages: `ID=POLICY` required, if-present or off (default: what gpgcheck says; required)"},
		&cli.StringSliceFlag{Name: "metadata-signatures", Usage: "the same of its repomd.xml: `ID=POLICY` (default: what repo_gpgcheck says; off)"},
		&cli.StringSliceFlag{Name: "key", Usage: "trust the public keys in `FILE` (or at a URL) for the repositories given by --repo; FILE#FINGERPRINT trusts that one key of it"},
	}
}

// pinFlags say which builds of packages are taken.
func pinFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "pin", Usage: "take this build of an RPM: `NAME=EVR`, such as postgresql16-server=16.4; the release may be left out"},
		&cli.BoolFlag{Name: "strict", Usage: "refuse instead of taking an older RPM where the newest cannot be met"},
	}
}

// moduleFlags say which module streams are on.
func moduleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "enable-module", Usage: "take RPMs of this module stream: `NAME:STREAM`, such as postgresql:15"},
		&cli.StringSliceFlag{Name: "disable-module", Usage: "take no stream of the module `NAME`, its default stream neither"},
	}
}

// indexFlags say where wheels come from, in the words of pip and uv.
func indexFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "index-url", Usage: "Python package index: `URL` or folder (default: what pip is set up for)"},
		&cli.StringSliceFlag{Name: "extra-index-url", Usage: "a further Python package index: `URL` or folder; none goes before another"},
		&cli.StringSliceFlag{Name: "find-links", Usage: "take wheels also from this page of links or folder of files: `URL` or folder"},
		&cli.StringFlag{Name: "exclude-newer", Usage: "leave out wheels uploaded after `DATE`, such as 2025-01-31, the end of that day in UTC, or from a time on, such as 2025-01-31T12:00:00Z"},
	}
}

func galaxyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "galaxy-url", Usage: "Ansible Galaxy server: `URL` or folder"},
		&cli.StringFlag{Name: "galaxy-token-file", Usage: "take the token that the Galaxy server asks for from `FILE`, such as ~/.ansible/galaxy_token (default: $ANSIBLE_GALAXY_TOKEN)"},
	}
}

// cacheDir is where fetched files are kept.
func cacheDir(c *cli.Context, h host) (string, error) {
	if dir := c.String("cache"); dir != "" {
		return dir, nil
	}
	if dir := h.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pgbundle"), nil
	}
	if home := h.getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "pgbundle"), nil
	}
	return "", &usageError{"no place for the cache: HOME is not set", "pgbundle " + c.Command.Name + " --cache DIR"}
}

// pairs splits flags of a form such as ID=URL; example is one.
func pairs(flag, form string, values []string, example string) (map[string]string, error) {
	m := make(map[string]string, len(values))
	for _, v := range values {
		id, value, ok := strings.Cut(v, "=")
		if !ok || id == "" || value == "" {
			return nil, &usageError{fmt.Sprintf("--%s %q: takes %s", flag, v, form), "--" + flag + " " + example}
		}
		m[id] = value
	}
	return m, nil
}

// policiesOf puts the flags about signatures over the spec's.
func policiesOf(c *cli.Context, spec *build.Spec) error {
	for flag, field := range map[string]*map[string]manifest.SignaturePolicy{
		"signatures": &spec.Signatures, "metadata-signatures": &spec.MetadataSignatures,
	} {
		given, err := pairs(flag, "ID=POLICY", c.StringSlice(flag), "pgdg16=required")
		if err != nil {
			return err
		}
		for id, policy := range given {
			if *field == nil {
				*field = map[string]manifest.SignaturePolicy{}
			}
			(*field)[id] = manifest.SignaturePolicy(policy)
		}
	}
	return nil
}

// epoch reads SOURCE_DATE_EPOCH (reproducible-builds.org), seconds since 1970.
func epoch(h host) (time.Time, error) {
	text := h.getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, &usageError{fmt.Sprintf("SOURCE_DATE_EPOCH=%q: takes seconds since 1970", text), ""}
	}
	return time.Unix(n, 0).UTC(), nil
}

// readOptional reads a file that need not be there.
func readOptional(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil && os.IsNotExist(err) {
		return nil, nil
	}
	return data, err
}
