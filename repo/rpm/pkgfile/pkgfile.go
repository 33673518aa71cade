// Package pkgfile reads RPM package files: the lead, the signature header and
// the header, as rpm's format version 3 and 4 packages have them, and checks
// their digests and OpenPGP signatures. Most readers need [Read] for what a
// package says of itself and [Verify] for whether it may be believed; keys come
// from [ParseKeys].
//
// Packages come from the network, so every count and size is bounded and a
// header is refused where rpm would refuse it. The package knows nothing of
// repositories and never unpacks a payload.
package pkgfile

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Package is what a package's header says, unfiltered and in the order of the
// header. The strings are as they stand there, of no promised encoding.
type Package struct {
	Name    string
	Epoch   uint32
	Version string
	Release string
	Arch    string // "src" for a source package
	Source  bool   // a source package

	Summary     string
	Description string
	URL         string
	License     string
	Vendor      string
	Group       string
	BuildHost   string
	SourceRPM   string
	Packager    string

	BuildTime     int64  // seconds since 1970
	InstalledSize uint64 // bytes of all files
	ArchiveSize   uint64 // bytes of the payload, uncompressed

	HeaderStart int64 // offset of the header in the file
	HeaderEnd   int64 // offset of the payload

	Provides    []Dependency
	Requires    []Dependency
	Conflicts   []Dependency
	Obsoletes   []Dependency
	Recommends  []Dependency
	Suggests    []Dependency
	Supplements []Dependency
	Enhances    []Dependency

	Files      []File
	Changelogs []Changelog // newest first
}

// Dependency is one capability that is provided, required and so on. A rich
// one has the whole expression as its name.
type Dependency struct {
	Name    string
	Flags   uint32 // the Sense bits
	Version string // [epoch:]version[-release], or ""
}

// Bits of Dependency.Flags (rpm's rpmsenseFlags) that have a meaning outside of rpm.
const (
	SenseLess       = 1 << 1
	SenseGreater    = 1 << 2
	SenseEqual      = 1 << 3
	SensePrereq     = 1 << 6
	SenseScriptPre  = 1 << 9
	SenseScriptPost = 1 << 10
	SenseMissingOK  = 1 << 19
)

// File is one path that a package owns.
type File struct {
	Dir   string // ends in a slash
	Base  string
	Mode  uint16 // as in struct stat
	Flags uint32
}

// Path returns the absolute path.
func (f File) Path() string { return f.Dir + f.Base }

// IsDir tells whether the path is a directory.
func (f File) IsDir() bool { return f.Mode&0o170000 == 0o040000 }

// IsGhost tells whether the package owns the path without carrying it.
func (f File) IsGhost() bool { return f.Flags&(1<<6) != 0 }

// Changelog is one entry of a package's changelog.
type Changelog struct {
	Time   int64 // seconds since 1970
	Author string
	Text   string
}

// NEVRA returns name-[epoch:]version-release.arch, the epoch only when it is not 0.
func (p *Package) NEVRA() string {
	epoch := ""
	if p.Epoch != 0 {
		epoch = fmt.Sprintf("%d:", p.Epoch)
	}
	return p.Name + "-" + epoch + p.Version + "-" + p.Release + "." + p.Arch
}

// Read reads a package up to its payload, where it leaves r. It believes what
// it reads: digests and signatures are Verify's. A package that rpm would call
// malformed is a *DamageError.
func Read(r io.Reader) (*Package, error) {
	b, err := readBlocks(r)
	if err != nil {
		return nil, err
	}
	return newPackage(b)
}

// ReadFile reads the package at a path like Read.
func ReadFile(path string) (*Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return p, nil
}

// ReadFiles reads many packages, jobs at a time, and returns them in the order
// of the paths. The first failure ends it.
func ReadFiles(ctx context.Context, paths []string, jobs int) ([]*Package, error) {
	pkgs := make([]*Package, len(paths))
	errs := make([]error, len(paths))
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range min(max(jobs, 1), len(paths)) {
		wg.Go(func() {
			for !failed.Load() && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return
				}
				if pkgs[i], errs[i] = ReadFile(paths[i]); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return pkgs, nil
}
