package manifest

import "errors"

// The classes of failure that a command's exit status tells apart. An error
// that is none of them is a plain failure, status 1.
var (
	ErrUsage      = errors.New("wrong usage")   // status 2: flags or spec
	ErrDamaged    = errors.New("damaged")       // status 3: not what its digest or its format says
	ErrSignature  = errors.New("not authentic") // status 4: unsigned, wrongly signed or signed by a stranger
	ErrUnsolvable = errors.New("no solution")   // status 5: nothing provides it, or the target does not fit
)

// Classify puts err into a class without changing its text: errors.Is finds
// both class and whatever err wraps. A nil err stays nil.
func Classify(class, err error) error {
	if err == nil {
		return nil
	}
	return &classified{class: class, err: err}
}

type classified struct{ class, err error }

func (c *classified) Error() string   { return c.err.Error() }
func (c *classified) Unwrap() []error { return []error{c.err, c.class} }
