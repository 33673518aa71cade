package build

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// PassedOver is a newer build of a package than the one that was taken. The
// target cannot meet it.
type PassedOver struct {
	NEVRA       string   `json:"nevra"`
	Requirement string   `json:"requirement,omitempty"` // that nothing meets; packages may exclude each other instead
	Why         []string `json:"why"`                   // the chain, a line each

	taken   rpm.ID
	older   string // name and version of what is taken
	problem *solve.Problem
}

// String says in a line which build is taken, which is not, and why.
func (p *PassedOver) String() string {
	return fmt.Sprintf("package %s is taken; passed over is %s: %s", p.older, p.NEVRA, p.problem.Cause())
}

// StrictError says that a strict spec takes no older build than the newest.
type StrictError struct{ PassedOver []*PassedOver }

// Error names each newer build, with the chain of what keeps it out.
func (e *StrictError) Error() string {
	var b strings.Builder
	b.WriteString("strict takes no older build where the newest cannot be met")
	for _, p := range e.PassedOver {
		fmt.Fprintf(&b, "\npackage %s would do, the newest does not:\n  %s", p.older, strings.Join(p.Why, "\n  "))
	}
	return b.String()
}

// Unwrap makes the error manifest.ErrUnsolvable.
func (e *StrictError) Unwrap() error { return manifest.ErrUnsolvable }

// newest answers a job with the newest builds that work, along with the newer
// ones that do not. Under strict there must be none: a *StrictError.
func (r *RPMs) newest(ctx context.Context, job solve.Job) (*solve.Result, []*PassedOver, error) {
	res, err := r.solveNewest(ctx, job)
	if err != nil {
		return nil, nil, r.ways.addTo(r.pool, err)
	}
	list, err := r.passedOver(ctx, job, res)
	if err == nil && len(r.pool.NeedFiles()) > 0 { // a newer build asked for a path that only the file lists have
		if err := r.loadFiles(ctx, nil); err != nil {
			return nil, nil, err
		}
		return r.newest(ctx, job)
	}
	if err == nil && r.strict && len(list) > 0 {
		err = &StrictError{list}
	}
	return res, list, err
}

// solveNewest takes the newest build of each request, as dnf does, and only when
// that has no answer older ones.
func (r *RPMs) solveNewest(ctx context.Context, job solve.Job) (*solve.Result, error) {
	job.Pins, job.Best = r.pins, true
	res, err := r.solve(ctx, job)
	if errors.Is(err, manifest.ErrUnsolvable) {
		job.Best = false
		return r.solve(ctx, job)
	}
	return res, err
}

// passedOver lists the newer builds that cannot be met, of packages that nobody
// named too: an old library in a bundle is worth a line, and packages that were
// only the worse choice get none.
func (r *RPMs) passedOver(ctx context.Context, job solve.Job, res *solve.Result) ([]*PassedOver, error) {
	job.Pins = r.pins
	found, err := r.solver.PassedOver(ctx, job, res)
	if err != nil {
		return nil, err
	}
	var list []*PassedOver
	for _, p := range found {
		if p.Problem == nil {
			continue
		}
		r.ways.add(r.pool, p.Problem)
		taken := r.pool.Package(p.Taken)
		list = append(list, &PassedOver{
			NEVRA: r.pool.NEVRA(p.Newer), Requirement: p.Problem.Requirement(), Why: strings.Split(p.Problem.String(), "\n"),
			taken: p.Taken, older: r.pool.String(taken.Name) + ": " + r.pool.String(taken.EVR), problem: p.Problem,
		})
	}
	return list, nil
}
