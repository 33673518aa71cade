package build

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/rpm/pkgfile"
)

// maxRefused is how many packages a refusal names that holds for many.
const maxRefused = 3

// signatureRefusal says that the signatures of packages of a source do not hold,
// all for one reason.
type signatureRefusal struct {
	paths  []string
	source string
	err    error // of the first
}

func (e *signatureRefusal) Unwrap() error { return e.err }

func (e *signatureRefusal) Error() string {
	if len(e.paths) == 1 {
		return fmt.Sprintf("check signature of %s from %s: %s", e.paths[0], e.source, withRemedy(e.err))
	}
	reason, _ := errors.AsType[*pkgfile.SignatureError](e.err)
	named := e.paths[:min(len(e.paths), maxRefused)]
	text := strings.Join(named, ", ")
	if more := len(e.paths) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("check signatures of %d packages from %s: %s\n  %s", len(e.paths), e.source, withRemedy(reason), text)
}

// alike reports whether two refusals have the same reason.
func (e *signatureRefusal) alike(other *signatureRefusal) bool {
	a, ok := errors.AsType[*pkgfile.SignatureError](e.err)
	b, also := errors.AsType[*pkgfile.SignatureError](other.err)
	return ok && also && e.source == other.source && *a == *b
}

// joinRefused is errors.Join, and tells once what many packages are refused for: a
// key that is missing refuses all of a repository.
func joinRefused(errs []error) error {
	var list []error
	var refusals []*signatureRefusal
	for _, err := range errs {
		e, ok := err.(*signatureRefusal)
		if !ok {
			list = append(list, err)
			continue
		}
		if i := slices.IndexFunc(refusals, e.alike); i >= 0 {
			refusals[i].paths = append(refusals[i].paths, e.paths...)
			continue
		}
		refusals = append(refusals, &signatureRefusal{slices.Clone(e.paths), e.source, e.err})
	}
	for _, e := range refusals {
		slices.Sort(e.paths)
	}
	slices.SortFunc(refusals, func(a, b *signatureRefusal) int {
		return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.paths[0], b.paths[0]))
	})
	for _, e := range refusals {
		list = append(list, e)
	}
	return errors.Join(list...)
}
