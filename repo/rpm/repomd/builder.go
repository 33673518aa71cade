package repomd

import (
	"bytes"
	"fmt"
	"strconv"

	"pgbundle/repo/rpm"
)

// list is one of the eight dependency lists of a package.
type list int

const (
	provides list = iota
	requires
	conflicts
	obsoletes
	recommends
	suggests
	supplements
	enhances
	listCount
)

// listOf finds the list of an element's name without its prefix.
var listOf = map[string]list{
	"provides": provides, "requires": requires, "conflicts": conflicts, "obsoletes": obsoletes,
	"recommends": recommends, "suggests": suggests, "supplements": supplements, "enhances": enhances,
}

// field is a text of a package.
type field int

const (
	nameText field = iota
	archText
	checksumText
	vendorText
	sourceText
	pathText
)

// builder puts one package together and adds it to a pool. Both readers of
// primary metadata drive it, so they differ in nothing but how they read XML.
// The bytes given to it are copied or interned at once.
type builder struct {
	pool  *rpm.Pool
	repo  rpm.RepoID
	added int

	pkg    rpm.Package
	lists  [listCount][]rpm.Dep
	inside bool   // the location is inside the repository
	files  []byte // paths, one after another
	ends   []int
}

func newBuilder(pool *rpm.Pool, id rpm.RepoID) *builder {
	return &builder{pool: pool, repo: id}
}

// start begins a package.
func (b *builder) start() {
	b.pkg, b.inside = rpm.Package{Repo: b.repo}, true
	for i := range b.lists {
		b.lists[i] = b.lists[i][:0]
	}
	b.files, b.ends = b.files[:0], b.ends[:0]
}

// text sets a field.
func (b *builder) text(f field, s []byte) {
	switch f {
	case nameText:
		b.pkg.Name = b.pool.Intern(s)
	case archText:
		b.pkg.Arch = b.pool.Intern(s)
	case vendorText:
		b.pkg.Vendor = b.pool.Intern(s)
	case sourceText:
		b.pkg.SourceRPM = b.pool.Intern(s)
	case checksumText:
		b.pkg.Checksum = b.pool.AddText(s)
	case pathText:
		b.files = append(b.files, s...)
		b.ends = append(b.ends, len(b.files))
	}
}

func (b *builder) checksumType(s []byte) { b.pkg.ChecksumType = b.pool.Intern(s) }

func (b *builder) location(href []byte) {
	b.inside = isInside(href)
	b.pkg.Location = b.pool.AddText(href)
}

// isInside reports whether a location does not leave its repository.
func isInside(href []byte) bool {
	if len(href) > 0 && (href[0] == '/' || bytes.IndexByte(href, '\\') >= 0 || bytes.IndexByte(href, 0) >= 0) {
		return false
	}
	if !bytes.Contains(href, []byte("..")) {
		return true
	}
	for part := range bytes.SplitSeq(href, []byte("/")) {
		if string(part) == ".." {
			return false
		}
	}
	return true
}

func (b *builder) version(epoch, ver, rel []byte) {
	b.pkg.EVR = b.pool.InternEVR(epoch, ver, rel)
}

func (b *builder) sizes(pkg, installed []byte) {
	b.pkg.Size, b.pkg.Installed = number(pkg), number(installed)
}

func (b *builder) buildTime(s []byte) { b.pkg.BuildTime = number(s) }

// number reads a count of bytes or seconds; nonsense is 0, as in libsolv.
func number(s []byte) int64 {
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// entry adds a dependency to a list.
func (b *builder) entry(l list, name, flags, epoch, ver, rel []byte) {
	if len(name) == 0 {
		return
	}
	b.lists[l] = append(b.lists[l], b.pool.Capability(name, compareFlag(flags), epoch, ver, rel))
}

// compareFlag reads the flags attribute; 0 when there is none.
func compareFlag(flags []byte) rpm.Op {
	switch string(flags) {
	case "EQ":
		return rpm.EQ
	case "GE":
		return rpm.GT | rpm.EQ
	case "LE":
		return rpm.LT | rpm.EQ
	case "GT":
		return rpm.GT
	case "LT":
		return rpm.LT
	case "NE":
		return rpm.LT | rpm.GT
	}
	return 0
}

// end adds the package to the pool.
func (b *builder) end() error {
	if b.pkg.Name == 0 || b.pkg.Arch == 0 || b.pkg.EVR == 0 {
		return damaged(fmt.Errorf("package %d has no name, version or architecture", b.added+1))
	}
	p := &b.pkg
	if !b.inside {
		return damaged(fmt.Errorf("package %s: location %q is outside the repository", b.pool.String(p.Name), b.pool.String(p.Location)))
	}
	p.Provides, p.Requires, p.Conflicts, p.Obsoletes = b.lists[provides], b.lists[requires], b.lists[conflicts], b.lists[obsoletes]
	p.Recommends, p.Suggests, p.Supplements, p.Enhances = b.lists[recommends], b.lists[suggests], b.lists[supplements], b.lists[enhances]
	id := b.pool.Add(*p)
	from := 0
	for _, to := range b.ends {
		b.pool.AddFile(id, b.files[from:to])
		from = to
	}
	b.added++
	return nil
}
