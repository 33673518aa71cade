package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"pgbundle/bundle/build"
)

func resolveWheelCommand(h host) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "python", Usage: "the interpreter's `VERSION`", Value: "3.9"},
		&cli.StringFlag{Name: "arch", Usage: "the nodes' `ARCH`: x86_64 or aarch64", Value: "x86_64"},
		&cli.StringSliceFlag{Name: "constraint", Usage: "narrow a version: `REQ`"},
		&cli.StringFlag{Name: "download", Aliases: []string{"d"}, Usage: "also make a wheelhouse of them in `DIR`, as pip download would on the target"},
	}
	flags = append(flags, indexFlags()...)
	flags = append(flags, whyFlag(), jsonFlag())
	return &cli.Command{
		Name:      "wheel",
		Usage:     "resolve Python requirements for an interpreter on EL 9",
		ArgsUsage: "REQ…",
		Description: `Prints "name==version file sha256", one a line. No Python is needed here, and
none of this host's is asked.

With --download the files come too, into a folder that is not there yet: a
wheelhouse that is proven to resolve by itself, with wheels made of source archives
and a requirements.lock for pip install --no-index --require-hashes.

Examples:
   pgbundle resolve wheel --python 3.11 'ansible-core>=2.15,<2.16'
   pgbundle resolve wheel --python 3.12 --download wheels jmespath netaddr
   pgbundle resolve wheel --arch aarch64 --index-url https://pypi.example/simple patroni`,
		Flags:  append(flags, networkFlags()...),
		Action: func(c *cli.Context) error { return runResolveWheel(c, h) },
	}
}

func runResolveWheel(c *cli.Context, h host) error {
	names, err := namesOf(c, h)
	if err != nil {
		return err
	}
	spec := build.Spec{Arch: c.String("arch"), NodePython: c.String("python"), Constraints: c.StringSlice("constraint"),
		IndexURL: c.String("index-url"), ExtraIndexURLs: c.StringSlice("extra-index-url"), FindLinks: c.StringSlice("find-links"), ExcludeNewer: c.String("exclude-newer")}
	if err := spec.Check(); err != nil {
		return err
	}
	progress := resolveProgress(h)
	o, err := optionsOf(c, h, spec.WithDefaults(), progress)
	if err != nil {
		return err
	}
	var resolved []build.Resolved
	if folder := c.String("download"); folder != "" {
		resolved, err = build.Wheelhouse(c.Context, o, names, c.StringSlice("constraint"), folder)
	} else {
		resolved, err = build.ResolveWheels(c.Context, o, names, c.StringSlice("constraint"))
	}
	closeProgress(progress)
	if err != nil {
		return err
	}
	return writeResolved(h.stdout, c, resolved, func(r build.Resolved) string {
		return fmt.Sprintf("%s==%s %s %s", r.Name, r.Version, r.File, r.SHA256)
	})
}
