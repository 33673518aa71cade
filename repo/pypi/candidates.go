package pypi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep440"
	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/sdist"
	"pgbundle/repo/pypi/tags"
)

// link is a file that the target could use.
type link struct {
	file    *File
	version pep440.Version
	rank    int // of the wheel's tags; source archives come after all wheels
	build   tags.Build
	order   int        // in the listing
	base    *candidate // made when it is first the best of its version
}

// skippedFile is a file that the target cannot use, kept to explain why
// nothing is left.
type skippedFile struct {
	file    *File
	version pep440.Version
	why     skipReason
}

type skipReason int

const (
	otherPlatform skipReason = iota
	otherPython
	tooNew
)

// project is what the target can use of an index page.
type project struct {
	name    string
	links   []*link // the preferred first
	skipped []skippedFile
}

// sourceRank is behind every tag of every target.
const sourceRank = 1 << 20

// newProject sorts out a page as pip's finder does: files that do not run on
// the target are dropped before versions are compared. The error is that of a
// file without upload time, when before asks for it.
func newProject(page *Page, m *machine, before time.Time) (*project, error) {
	p := &project{name: page.Name}
	pythons := map[string]bool{"": true}
	for i, file := range page.Files {
		name, version, wheel, err := identify(file.Filename, page.Name)
		if err != nil || name != page.Name {
			continue // an installer, an egg, another project's
		}
		l := &link{file: file, version: version, rank: sourceRank, order: i}
		if wheel != nil {
			var ok bool
			if l.rank, ok = m.tags.Rank(wheel); !ok {
				p.skipped = append(p.skipped, skippedFile{file, version, otherPlatform})
				continue
			}
			l.build = wheel.Build
		}
		switch {
		case before.IsZero() || file.local():
		case file.UploadTime.IsZero():
			return nil, noUploadTime(file)
		case !file.UploadTime.Before(before):
			p.skipped = append(p.skipped, skippedFile{file, version, tooNew})
			continue
		}
		runs, known := pythons[file.RequiresPython]
		if !known {
			runs = m.runs(file.RequiresPython)
			pythons[file.RequiresPython] = runs
		}
		if !runs {
			p.skipped = append(p.skipped, skippedFile{file, version, otherPython})
			continue
		}
		p.links = append(p.links, l)
	}
	slices.SortFunc(p.links, compareLinks)
	return p, nil
}

func noUploadTime(f *File) error {
	return manifest.Classify(manifest.ErrUsage, fmt.Errorf(
		"%s does not say when %s was uploaded: leave --exclude-newer out, or take an index that has upload times in its JSON (PEP 700)",
		cmp.Or(f.Source, "the index"), f.Filename))
}

// compareLinks puts the preferred first: the newer version, then the better
// tags, the higher build, the later in the listing.
func compareLinks(a, b *link) int {
	return cmp.Or(
		b.version.Compare(a.version),
		cmp.Compare(a.rank, b.rank),
		b.build.Compare(a.build),
		cmp.Compare(b.order, a.order),
	)
}

// allowed returns the links that specifiers allow, one group for each version,
// the newest first. Yanked files count only when a version is pinned that has
// no others (PEP 592).
func (p *project) allowed(specifiers pep440.Specifiers, preferWheels bool) [][]*link {
	links := pep440.Filter(specifiers, p.links, func(l *link) pep440.Version { return l.version })
	yanked := func(l *link) bool { return l.file.Yanked }
	allYanked := !slices.ContainsFunc(links, func(l *link) bool { return !yanked(l) })
	if !allYanked || !specifiers.Pinned() {
		links = slices.DeleteFunc(slices.Clone(links), yanked)
	}
	var groups [][]*link
	for _, l := range links {
		last := len(groups) - 1
		if last >= 0 && groups[last][0].version.Compare(l.version) == 0 {
			groups[last] = append(groups[last], l)
		} else {
			groups = append(groups, []*link{l})
		}
	}
	if preferWheels {
		slices.SortStableFunc(groups, func(a, b []*link) int {
			return cmp.Compare(min(a[0].rank/sourceRank, 1), min(b[0].rank/sourceRank, 1))
		})
	}
	return groups
}

// candidate is one version of a project, or of a project with extras, as the
// search decides on it. With extras it is a name of its own that depends on the
// very same candidate without.
type candidate struct {
	id      string // "name" or "name[extra,extra]"
	name    string
	extras  []string
	version pep440.Version

	base *candidate            // of a candidate with extras, else nil
	more map[string]*candidate // by id: the same with extras

	files []*File // the preferred first
	file  *File   // the one whose metadata counts, once loaded
	meta  *Metadata

	requires []*pep508.Requirement // of meta

	refused *sdist.Unsupported // why file, a source archive, cannot become a wheel

	loaded  bool
	loadErr error
	depends []*want
	depErr  error
	known   bool // depends and depErr are set
}

func newCandidate(name string, group []*link) *candidate {
	c := &candidate{id: name, name: name, version: group[0].version}
	for _, l := range group {
		c.files = append(c.files, l.file)
	}
	return c
}

// otherBytes warns of places that have another file under the name of the one
// that is taken.
func (c *candidate) otherBytes() (warnings []string) {
	for _, f := range c.files {
		if f.Filename == c.file.Filename && f.SHA256 != "" && c.file.SHA256 != "" && f.SHA256 != c.file.SHA256 {
			warnings = append(warnings, fmt.Sprintf("%s of %s is taken, and that of %s has other bytes", f.Filename, c.file.Source, f.Source))
		}
	}
	return warnings
}

// with returns the candidate with extras.
func (c *candidate) with(id string, extras []string) *candidate {
	if len(extras) == 0 {
		return c
	}
	if c.more == nil {
		c.more = map[string]*candidate{}
	}
	e := c.more[id]
	if e == nil {
		e = &candidate{id: id, name: c.name, extras: extras, version: c.version, base: c}
		c.more[id] = e
	}
	return e
}

// plain returns the candidate without extras.
func (c *candidate) plain() *candidate {
	if c.base != nil {
		return c.base
	}
	return c
}

func (c *candidate) String() string { return fmt.Sprintf("%s %s", c.id, c.version) }

// identifier names a project with extras.
func identifier(name string, extras []string) string {
	if len(extras) == 0 {
		return name
	}
	return name + "[" + strings.Join(extras, ",") + "]"
}
