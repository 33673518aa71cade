// Package backtrack finds one version for each name so that all requirements
// hold, trying the preferred candidate first and going back when it cannot
// work. It is the algorithm of resolvelib 1.2, which pip and ansible-galaxy
// both use, so that callers reach the answers of these tools. That algorithm
// may give up although there is a solution, or lose a requirement; then a slower search that misses
// nothing has the last word. The package owns the search and nothing else: what a name, a requirement or a candidate is, where
// candidates come from and in which order, the Provider says.
package backtrack

import (
	"context"
	"fmt"
)

// Provider answers what the search asks. R is a requirement, C a candidate:
// one version of one name. Both are values that equal only themselves (pointers,
// say); the zero value of C stands for the root and is never a candidate. Answers must not
// change during one search; two calls with the same arguments return equal
// candidates. The search is sequential, so a provider needs no locks.
type Provider[R, C comparable] interface {
	// Identify names what a requirement is for.
	Identify(requirement R) string
	// IdentifyCandidate names what a candidate is of.
	IdentifyCandidate(candidate C) string
	// Candidates lists what may stand for identifier, the preferred first:
	// everything that satisfies all of requirements(identifier) and is not in
	// incompatible. Requirements of other identifiers can be asked for. None is
	// not an error but a conflict; an error ends the search.
	Candidates(ctx context.Context, identifier string, requirements func(identifier string) []R, incompatible []C) ([]C, error)
	// Dependencies lists what a candidate requires. An *Unusable error passes
	// over this one candidate; any other error ends the search.
	Dependencies(ctx context.Context, candidate C) ([]R, error)
	// Satisfied says whether a candidate of the identifier of requirement
	// meets it.
	Satisfied(requirement R, candidate C) bool
	// Preference ranks an open identifier: the lowest is decided next. Ranks
	// are compared element by element, then by identifier.
	Preference(identifier string, view View[R, C]) []int
}

// Narrower is met by a provider that wants only some of the open identifiers
// ranked. It returns a subset that is not empty.
type Narrower[R, C comparable] interface {
	Narrow(open []string, view View[R, C]) []string
}

// Information is one requirement and the candidate that has it. Parent is the
// zero value for a requirement of the caller.
type Information[R, C comparable] struct {
	Requirement R
	Parent      C
}

// Root says that the caller asked, no candidate.
func (i Information[R, C]) Root() bool {
	var zero C
	return i.Parent == zero
}

// View is the state of a search, to be read during the call that it is passed
// to.
type View[R, C comparable] struct {
	state *state[R, C]
}

// Pinned returns the candidate that stands for an identifier now.
func (v View[R, C]) Pinned(identifier string) (C, bool) {
	c, ok := v.state.pins[identifier]
	return c, ok
}

// Information lists what is required of an identifier now.
func (v View[R, C]) Information(identifier string) []Information[R, C] {
	if c := v.state.criteria[identifier]; c != nil {
		return c.information
	}
	return nil
}

// Causes lists the requirements that made the search go back last.
func (v View[R, C]) Causes() []Information[R, C] { return v.state.causes }

// Unusable is the error of Dependencies for a candidate that cannot be used
// whatever the others are, so the next one is tried.
type Unusable struct{ Err error }

func (e *Unusable) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Unusable) Unwrap() error { return e.Err }

// Impossible is the error of a search without a solution. Causes are the
// requirements that could not be met together in the last attempt. Proven says
// that every combination is excluded; it is false when the search was cut short.
type Impossible[R, C comparable] struct {
	Causes []Information[R, C]
	Proven bool
}

func (e *Impossible[R, C]) Error() string {
	return fmt.Sprintf("no solution: %d requirements cannot be met together", len(e.Causes))
}

// TooDeep is the error of a search that took more rounds than it may.
type TooDeep struct{ Rounds int }

func (e *TooDeep) Error() string {
	return fmt.Sprintf("no solution within %d rounds: narrow the requirements", e.Rounds)
}

// Inconsistent is the error of a provider that lists a candidate which does
// not satisfy a requirement it was listed for. It is a fault of the provider.
type Inconsistent struct{ Identifier string }

func (e *Inconsistent) Error() string {
	return fmt.Sprintf("candidate of %s does not satisfy its own requirements", e.Identifier)
}

// Result is a solution.
type Result[R, C comparable] struct {
	// Pins holds the candidate of each identifier that the requirements lead to.
	Pins map[string]C
	// Information holds, for each identifier in Pins, what was required of it.
	Information map[string][]Information[R, C]
}
