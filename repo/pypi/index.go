// Package pypi resolves the wheels of a wheelhouse for a declared target
// interpreter: exactly what pip on that target would install, from any host and
// without Python. It owns the simple index (PEP 503, 691), candidates and their
// order, and dependencies; versions, markers, tags, source archives and the
// search are packages beside it. It must not know what else is in a bundle.
package pypi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pgbundle/repo"
	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/tags"
)

// Index is a place that has Python packages: a simple index over HTTP, or a
// folder. As a repo.Locator it knows each file by "<project>/<filename>", the
// project's name normalised. It is safe for concurrent use.
type Index interface {
	repo.Locator
	// Project lists the files of a project, by its normalised name. For an
	// unknown one errors.Is(err, fs.ErrNotExist) holds.
	Project(ctx context.Context, name string) (*Page, error)
	// Metadata reads the METADATA of a wheel, or what a source archive says of
	// itself. For an archive that cannot become a wheel here, the error is a
	// *sdist.Unsupported, which holds the metadata that is known nevertheless.
	Metadata(ctx context.Context, file *File) ([]byte, error)
	// Cheap says whether Metadata reads little for a file: no more of it than the
	// metadata.
	Cheap(ctx context.Context, file *File) bool
	// Digest returns the sha256 and the size of a file that is listed without.
	Digest(ctx context.Context, file *File) (sha256 string, size int64, err error)
}

// Page is what an index has of one project, in its order.
type Page struct {
	Name  string // normalised
	Files []*File
}

// File is a wheel or a source archive as an index lists it.
type File struct {
	Project        string // normalised name
	Filename       string
	Source         string // id of the place that has it, where places are joined
	URL            string // without credentials; "" in a folder
	SHA256         string // lower-case hex digits, "" when the index does not tell
	Size           int64  // bytes, -1 when the index does not tell
	UploadTime     time.Time
	RequiresPython string
	Yanked         bool
	YankedReason   string
	// Metadata says that METADATA stands beside the wheel (PEP 658), and
	// MetadataSHA256 its digest when the index tells.
	Metadata       bool
	MetadataSHA256 string
	// link is the address of a file that no page lists: pip puts such files before
	// all others, in the falling order of their addresses.
	link string
}

// Path is the file's name as a file of the index.
func (f *File) Path() string { return f.Project + "/" + f.Filename }

// local says whether the file lies on this host.
func (f *File) local() bool { return f.URL == "" || strings.HasPrefix(f.URL, "file:") }

// Wheel says whether the file is a wheel.
func (f *File) Wheel() bool { return strings.HasSuffix(f.Filename, ".whl") }

// sourceSuffixes are the archives that pip takes for source archives.
var sourceSuffixes = []string{".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma", ".tlz", ".tar"}

// identify reads project and version off a file name. The name of a source
// archive can be cut in several places, so its project must be given; "" takes
// the last dash that a version follows.
func identify(filename, project string) (name string, version pep440.Version, wheel *tags.Wheel, err error) {
	if strings.HasSuffix(filename, ".whl") {
		if wheel, err = tags.ParseWheel(filename); err != nil {
			return "", version, nil, err
		}
		version, err = pep440.Parse(wheel.Version)
		return pep508.NormalizeName(wheel.Name), version, wheel, err
	}
	stem := ""
	for _, suffix := range sourceSuffixes {
		if s, ok := strings.CutSuffix(filename, suffix); ok {
			stem = s
			break
		}
	}
	if stem == "" {
		return "", version, nil, fmt.Errorf("%q is neither a wheel nor a source archive", filename)
	}
	for i := len(stem) - 1; i > 0; i-- {
		if stem[i] != '-' {
			continue
		}
		name = pep508.NormalizeName(stem[:i])
		if version, err = pep440.Parse(stem[i+1:]); err == nil && (project == "" || name == project) {
			return name, version, nil, nil
		}
	}
	return "", version, nil, fmt.Errorf("%q does not name a project and a version", filename)
}
