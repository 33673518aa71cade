// Package solve finds what must be installed along with some requested packages:
// the closure of their requirements over a Pool, on an empty system or beside
// what a node has (the packages of a repository that is Installed). It takes the
// decisions that libsolv takes, in libsolv's order, so that the answer is dnf's
// and not merely a correct one. When there is no answer it says why, as a chain.
// It must not know where the metadata came from.
//
// NewSolver prepares a Pool, Solver.Solve answers a Job. What is learnt about a
// package is kept, so many jobs over one Pool are fast, from any number of
// goroutines.
package solve

import (
	"context"
	"sync"
	"sync/atomic"

	"pgbundle/repo/rpm"
)

// Job is one joint request.
type Job struct {
	// Requests are the words after `dnf install`: a name, name.arch, a glob, a
	// full or partial NEVRA, a capability ("perl(Foo)", "a >= 1") or a path.
	Requests []string
	// Groups are the packages of groups that are asked for besides.
	Groups []Group
	// Weak also follows Recommends and Supplements where they fit.
	Weak bool
	// Best refuses to take an older build of a request than the newest there is.
	Best bool
	// Pins fix the build of a name, "NAME=EVR": no other build of it is taken.
	// A release may be left out.
	Pins []string
	// KeepNode removes and downgrades no package that a node has: only newer builds
	// of its name may take its place. dnf lets older ones and what obsoletes it.
	KeepNode bool
}

// Solver answers jobs over one Pool, which must be prepared and must not change.
type Solver struct {
	pool   *rpm.Pool
	info   []info
	weakly []rpm.ID // installable packages with Supplements or Enhances, ascending
	there  []rpm.ID // packages that the node has, ascending

	compiled   []atomic.Pointer[compiled]
	traits     []atomic.Pointer[traits]
	wishOrders []atomic.Pointer[[]int]
	searches   sync.Pool

	obsoleters func() map[rpm.Str][]rpm.ID // by name: who obsoletes some version of it
	replacers  func() map[rpm.ID][]rpm.ID  // by package that the node has: who obsoletes it, ascending
	declined   func() map[rpm.ID]bool      // what no weak dependency brings
	uses       func() []uses               // by repository
	libraries  func() map[string][]string  // by stem: what there is of a shared library
}

// info is what the policy asks of a package all the time, close together.
type info struct {
	name, evr, arch rpm.Str
	score           int32 // of the architecture: 0 does not run, 1 noarch, above that lower is better
	priority, cost  int32 // lower is better
	colour          uint8 // bit 1: 32 bit, bit 2: 64 bit
	installable     bool
	multiversion    bool
	there           bool // the node has it
}

// class is the architecture class of a package: 0 is noarch.
func (i *info) class() int32 { return i.score >> 16 }

// installOnly are the capabilities whose providers may be installed in several
// versions side by side: dnf's installonlypkgs.
var installOnly = []string{
	"kernel", "kernel-PAE", "installonlypkg(kernel)", "installonlypkg(kernel-module)",
	"installonlypkg(vm)", "multiversion(kernel)",
}

// NewSolver returns a solver for a prepared pool.
func NewSolver(pool *rpm.Pool) *Solver {
	n := pool.Len()
	s := &Solver{
		pool:       pool,
		info:       make([]info, n),
		compiled:   make([]atomic.Pointer[compiled], n),
		traits:     make([]atomic.Pointer[traits], n),
		wishOrders: make([]atomic.Pointer[[]int], n),
	}
	s.obsoleters = sync.OnceValue(s.indexObsoleters)
	s.replacers = sync.OnceValue(s.indexReplacers)
	s.declined = sync.OnceValue(s.findDeclined)
	s.uses = sync.OnceValue(s.countUses)
	s.libraries = sync.OnceValue(s.indexLibraries)
	s.searches.New = func() any { return newSearch(s) }
	for id := rpm.System; int(id) < n; id++ {
		s.fillInfo(id)
	}
	for _, name := range installOnly {
		if str := pool.Lookup(name); str != 0 {
			for _, id := range pool.Providers(rpm.Dep(str)) {
				s.info[id].multiversion = true
			}
		}
	}
	return s
}

func (s *Solver) fillInfo(id rpm.ID) {
	pkg := s.pool.Package(id)
	repo := s.pool.Repo(pkg.Repo)
	score := int32(s.pool.ArchScore(pkg.Arch))
	s.info[id] = info{
		name: pkg.Name, evr: pkg.EVR, arch: pkg.Arch,
		score:    score,
		priority: int32(repo.Priority), cost: int32(repo.Cost),
		colour:      colourOf(s.pool.String(pkg.Arch)),
		installable: id == rpm.System || !pkg.Hidden && score > 0,
		there:       repo.Installed,
	}
	if repo.Installed {
		s.there = append(s.there, id)
	}
	if s.info[id].installable && len(pkg.Supplements)+len(pkg.Enhances) > 0 {
		s.weakly = append(s.weakly, id)
	}
}

// Solve answers one job on a pool; use a Solver for many.
func Solve(ctx context.Context, pool *rpm.Pool, job Job) (*Result, error) {
	return NewSolver(pool).Solve(ctx, job)
}

// Solve answers one job. It returns an *Unsolvable with every problem that was
// found when there is no answer; any other error comes from the context.
func (s *Solver) Solve(ctx context.Context, job Job) (*Result, error) {
	goal, problems := s.readJob(job)
	x := s.searches.Get().(*search)
	defer s.searches.Put(x)
	x.begin(ctx, goal)
	solved, err := x.run(job.Weak)
	if err != nil {
		return nil, err
	}
	if !solved {
		problems = append(problems, x.explain()...)
	}
	if len(problems) > 0 {
		return nil, &Unsolvable{Problems: problems}
	}
	return x.result(), nil
}
