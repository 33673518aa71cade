// Package rpm holds the metadata of dnf repositories as interned tables: a
// Pool of packages whose names, versions and dependencies are small integers,
// with the lists of what provides a capability. It knows how RPM compares
// versions and how libsolv matches capabilities. It must not know how metadata
// is written down (package repomd) nor how a closure is chosen (package solve).
package rpm

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"pgbundle/manifest"
)

// ID is a package of a Pool: its place in load order, which breaks ties when a
// closure is chosen. 0 is no package, System the machine itself.
type ID int32

// System is the package that is always installed; it provides rpmlib(...).
const System ID = 1

// RepoID is a repository of a Pool; 0 is the one that holds System.
type RepoID int32

// Repo is what a closure must know of a repository.
type Repo struct {
	ID             string
	Priority       int // 1 to 99, the lower is preferred; dnf's default is 99
	Cost           int // breaks ties of equal builds, the lower is preferred; dnf's default is 1000
	ModuleHotfixes bool
	Role           manifest.SourceRole
	Installed      bool // what a node has: dnf's @System; to be added before the others
}

// Why says for what reason a package is hidden.
type Why uint8

// The reasons to hide a package.
const (
	Visible         Why = iota
	Excluded            // an excludepkgs pattern of its repository matches
	NotIncluded         // no includepkgs pattern of its repository matches
	Modular             // an artifact of a module stream that is not active
	Shadowed            // a module stream that is active has packages of its name
	Locked              // a version lock is for another build
	NodeExcluded        // an excludepkgs pattern of the node matches
	NodeNotIncluded     // no includepkgs pattern of the node matches
	NotCarried          // the bundle does not carry it
)

// String gives dnf's words for the filter, where dnf has it.
func (w Why) String() string {
	switch w {
	case Excluded:
		return "excluded"
	case NotIncluded:
		return "not included"
	case Modular:
		return "modular"
	case Shadowed:
		return "shadowed"
	case Locked:
		return "locked"
	case NodeExcluded:
		return "excluded on the node"
	case NodeNotIncluded:
		return "not included on the node"
	case NotCarried:
		return "not carried"
	}
	return ""
}

// Package is one build. The dependency lists are in file order, without
// duplicates; Provides ends with `name = evr` when the file does not say it.
// A hidden package can not be chosen but still counts as a newer build.
type Package struct {
	Name, EVR, Arch Str
	Vendor          Str
	Repo            RepoID
	Hidden          bool
	HiddenWhy       Why
	HiddenBy        Str // the patterns, or the module stream NAME:STREAM

	Provides, Requires, Conflicts, Obsoletes    []Dep
	Recommends, Suggests, Supplements, Enhances []Dep

	Location     Str // relative to the repository
	Checksum     Str // lower-case hex; not interned: compare the strings
	ChecksumType Str // "sha256"
	SourceRPM    Str
	Size         int64 // bytes of the file
	Installed    int64 // bytes when installed
	BuildTime    int64 // Unix seconds
}

// packageChunk is how many packages are allocated at once: pointers into a
// chunk stay valid while the pool grows.
const packageChunk = 1024

// Pool holds the packages of several repositories. Loading, Prepare, Intern,
// Rel and ParseDep need the pool for themselves; after Prepare everything else
// may be called from many goroutines.
type Pool struct {
	texts
	rels   relTable
	evrKey []byte // scratch

	repos    []Repo
	packages [][]Package
	count    int
	deps     depArena

	files fileTable

	arch      string // of Prepare
	archScore map[Str]int
	index     providerIndex
}

// NewPool returns a pool that holds System alone.
func NewPool() *Pool {
	p := &Pool{texts: newTexts(maphash.MakeSeed()), count: 1}
	p.rels.init()
	p.packages = [][]Package{make([]Package, 1, packageChunk)}
	p.repos = []Repo{{ID: "@System"}}
	p.Add(Package{Name: p.InternString("system:system"), Arch: p.InternString("noarch")})
	return p
}

// AddRepo adds a repository. Repositories are to be added in order of priority,
// then cost, then configuration: the order of the ids decides ties.
func (p *Pool) AddRepo(r Repo) RepoID {
	p.repos = append(p.repos, r)
	return RepoID(len(p.repos) - 1)
}

// Repo returns a repository of the pool.
func (p *Pool) Repo(id RepoID) *Repo { return &p.repos[id] }

// Repos returns how many repositories there are, the one of System included:
// the ids are 0 to Repos()-1.
func (p *Pool) Repos() int { return len(p.repos) }

// Len returns the upper bound of the ids: packages are 1 to Len()-1.
func (p *Pool) Len() int { return p.count }

// Package returns a package of the pool; the pointer stays valid.
func (p *Pool) Package(id ID) *Package {
	return &p.packages[id/packageChunk][id%packageChunk]
}

// Add appends a package and returns its id. The dependency lists are copied,
// duplicates dropped and the self provide appended, so that the caller may use
// its slices again.
func (p *Pool) Add(pkg Package) ID {
	id := ID(p.count)
	last := len(p.packages) - 1
	if len(p.packages[last]) == packageChunk {
		p.packages = append(p.packages, make([]Package, 0, packageChunk))
		last++
	}
	self := Dep(0)
	if pkg.EVR != 0 && !p.isSource(pkg.Arch) {
		self = p.Rel(Dep(pkg.Name), EQ, Dep(pkg.EVR))
	}
	pkg.Provides = p.deps.keep(pkg.Provides, self)
	for _, list := range []*[]Dep{
		&pkg.Requires, &pkg.Conflicts, &pkg.Obsoletes,
		&pkg.Recommends, &pkg.Suggests, &pkg.Supplements, &pkg.Enhances,
	} {
		*list = p.deps.keep(*list, 0)
	}
	p.packages[last] = append(p.packages[last], pkg)
	p.count++
	return id
}

func (p *Pool) isSource(arch Str) bool {
	a := p.String(arch)
	return a == "src" || a == "nosrc"
}

// Hide marks a package as not to be chosen, because of a pattern or a module
// stream. The first reason stays.
func (p *Pool) Hide(id ID, why Why, by Str) {
	pkg := p.Package(id)
	if !pkg.Hidden {
		pkg.Hidden, pkg.HiddenWhy, pkg.HiddenBy = true, why, by
	}
}

// depArena keeps dependency lists in large blocks without pointers.
type depArena struct {
	block []Dep
	seen  []Dep // a set, open addressed; 0 is free
}

const (
	depBlock   = 16 << 10
	linearDeps = 16 // up to here a scan is faster than a set
)

// keep copies a list without its duplicates, with extra at the end when it is
// not 0 and not in the list.
func (a *depArena) keep(list []Dep, extra Dep) []Dep {
	if len(list) == 0 && extra == 0 {
		return nil
	}
	if cap(a.block)-len(a.block) < len(list)+1 {
		a.block = make([]Dep, 0, max(depBlock, len(list)+1))
	}
	start := len(a.block)
	isNew := func(d Dep) bool { return !slices.Contains(a.block[start:], d) }
	if len(list) > linearDeps {
		isNew = a.newSet(len(list) + 1)
	}
	for _, d := range list {
		if isNew(d) {
			a.block = append(a.block, d)
		}
	}
	if extra != 0 && isNew(extra) {
		a.block = append(a.block, extra)
	}
	return a.block[start:len(a.block):len(a.block)]
}

// newSet empties the set, makes room for n deps and returns what adds one and
// reports whether it was not there.
func (a *depArena) newSet(n int) func(Dep) bool {
	size := 2 << bits.Len(uint(n))
	if len(a.seen) < size {
		a.seen = make([]Dep, size)
	}
	set := a.seen[:size]
	clear(set)
	mask := uint32(size - 1)
	return func(d Dep) bool {
		i := uint32(d) * 0x9e3779b1 >> 7 & mask
		for ; set[i] != 0; i = (i + 1) & mask {
			if set[i] == d {
				return false
			}
		}
		set[i] = d
		return true
	}
}
