package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pgbundle/internal/fixture"
	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
	"pgbundle/repo/rpm/solve"
)

// worldTree is a repository of the world.
type worldTree struct {
	world *fixture.World
	base  string
}

func (t worldTree) Open(_ context.Context, path string) (io.ReadCloser, error) {
	data := t.world.File(t.base + "/" + path)
	if data == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// nodeFacts writes the facts of a node that has what some requests pull in from
// the world's BaseOS and AppStream: node FILE REQUEST… [NAME=EVR]… [NAME:requires=DEP]… [NAME:vendor=WHO]… [exclude:GLOB] [python:VERSION]… [unknown:FACT]…
// The second form gives a package another version, the third one more requirement;
// exclude: excludes packages, as dnf.conf of the node would, python: is an
// interpreter, and unknown: a fact that could not be found out.
func nodeFacts(world *fixture.World) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		pool := rpm.NewPool()
		var inputs []repomd.Input
		for _, id := range []string{"baseos", "appstream"} {
			inputs = append(inputs, repomd.Input{Repo: rpm.Repo{ID: id, Priority: 99, Cost: 1000}, Tree: worldTree{world, "rpm/" + id + "/x86_64"}})
		}
		_, err := repomd.Load(context.Background(), pool, inputs, repomd.Options{})
		ts.Check(err)
		pool.Prepare("x86_64")
		var exclude []manifest.Exclude
		var pythons []manifest.Python
		var unknown []manifest.UnknownFact
		job, changes, wants, vendors := solve.Job{}, map[string]string{}, map[string]string{}, map[string]string{}
		for _, arg := range args[1:] {
			name, dep, isRequires := strings.Cut(arg, ":requires=")
			whose, vendor, isVendor := strings.Cut(arg, ":vendor=")
			other, evr, isChange := strings.Cut(arg, "=")
			glob, isExclude := strings.CutPrefix(arg, "exclude:")
			version, isPython := strings.CutPrefix(arg, "python:")
			fact, isUnknown := strings.CutPrefix(arg, "unknown:")
			switch {
			case isPython:
				pythons = append(pythons, manifest.Python{Path: "/usr/bin/python" + manifest.PythonMinor(version), Version: version})
			case isUnknown:
				unknown = append(unknown, manifest.UnknownFact{Fact: fact, Why: "it crashed"})
			case isExclude:
				exclude = append(exclude, manifest.Exclude{Where: "main", Option: "excludepkgs", Patterns: []string{glob}})
			case isVendor:
				vendors[whose] = vendor
			case isRequires:
				wants[name] = dep
			case isChange:
				changes[other] = evr
			default:
				job.Requests = append(job.Requests, arg)
			}
		}
		res, err := solve.Solve(context.Background(), pool, job)
		ts.Check(err)
		n := manifest.Node{
			Version:   manifest.NodeVersion,
			Collected: manifest.Collected{By: "a test", Time: time.Unix(1_700_000_000, 0), Booted: true},
			OS:        manifest.NodeOS{Family: "rhel", ID: "rocky", Release: "9.4", Name: "Rocky Linux 9.4"}, Arch: "x86_64", Excludes: exclude,
			Pythons: pythons, Unknown: unknown,
		}
		for _, id := range res.Packages {
			p := pool.Describe(id)
			if vendor := vendors[p.Name]; vendor != "" {
				p.Vendor = vendor
			}
			if evr := changes[p.Name]; evr != "" {
				for i, d := range p.Provides {
					p.Provides[i] = strings.Replace(d, " = "+p.EVR, " = "+evr, 1)
				}
				p.EVR = evr
			}
			if dep := wants[p.Name]; dep != "" {
				p.Requires = append(p.Requires, dep)
			}
			n.Packages = append(n.Packages, p)
		}
		slices.SortFunc(n.Packages, func(a, b manifest.Package) int { return strings.Compare(a.Name, b.Name) })
		data, err := n.Marshal()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
	}
}
