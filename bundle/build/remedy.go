package build

import (
	"errors"
	"fmt"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/dnfconf"
	"pgbundle/repo/rpm/solve"
)

// Problems are what a failure to resolve packages is made of: of a refusal all
// problems, of nodes those of each, of a strict spec's those of the builds that
// were passed over. They are written in JSON as docs/formats.md says. Any other
// error has none.
func Problems(err error) []*solve.Problem {
	if refused, ok := errors.AsType[*solve.Unsolvable](err); ok {
		return refused.Problems
	}
	list := blockedProblems(err)
	if strict, ok := errors.AsType[*StrictError](err); ok {
		for _, p := range strict.PassedOver {
			list = append(list, p.problem)
		}
	}
	return list
}

// blockedProblems gathers the problems of all nodes in an error.
func blockedProblems(err error) []*solve.Problem {
	if blocked, ok := err.(*BlockedError); ok {
		return blocked.Problems
	}
	var list []*solve.Problem
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return blockedProblems(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			list = append(list, blockedProblems(inner)...)
		}
	}
	return list
}

// remedies knows the ways out of a refusal.
type remedies struct {
	target manifest.Target
	repos  []dnfconf.Repo // those that were loaded; none: there is no way to add one
}

// addTo gives the reasons of a refusal their ways out. Any other error is left as
// it is.
func (r *remedies) addTo(pool *rpm.Pool, err error) error {
	for _, p := range Problems(err) {
		r.add(pool, p)
	}
	return err
}

func (r *remedies) add(pool *rpm.Pool, p *solve.Problem) {
	for reason := range p.Chain() {
		switch {
		case reason.Kind == solve.Missing && !reason.InPart:
			if hint := r.usually(pool.DepString(reason.Dep)); hint != "" {
				reason.Hints = []string{hint} // better than what there is instead
			}
		case reason.Kind == solve.NoMatch && len(reason.Packages) == 0:
			if hint := r.usually(reason.Request); hint != "" {
				reason.Hints = append(reason.Hints, hint)
			}
		case reason.Kind == solve.Filtered && reason.Filter == rpm.Modular:
			reason.Hints = append(reason.Hints, "enable it with --enable-module "+reason.By)
		case reason.Kind == solve.Filtered && reason.Filter == rpm.Shadowed:
			repo := pool.Repo(pool.Package(reason.Packages[0]).Repo).ID
			reason.Hints = append(reason.Hints, fmt.Sprintf("module_hotfixes=1 for repository %s in its .repo file takes it all the same", repo))
		}
	}
}

// usually names the repository that a capability is usually in and how to add it,
// "" when nothing is known.
func (r *remedies) usually(capability string) string {
	if len(r.repos) == 0 {
		return ""
	}
	usual, ok := dnfconf.UsuallyIn(capability, r.target, r.repos)
	if !ok {
		return ""
	}
	return fmt.Sprintf("usually in %s, which is not among the repositories: add %s", usual.Name, usual.Add)
}
