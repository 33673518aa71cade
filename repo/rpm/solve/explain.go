package solve

import (
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// Unsolvable says that a job has no answer, with every problem that was found.
type Unsolvable struct {
	Problems []*Problem
}

// Error gives the problems, one after the other.
func (u *Unsolvable) Error() string {
	var b strings.Builder
	for i, p := range u.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Unwrap makes the error manifest.ErrUnsolvable.
func (u *Unsolvable) Unwrap() error { return manifest.ErrUnsolvable }

type Problem struct{ Text string }

func (p *Problem) String() string { return p.Text }

func (s *Solver) unknown(request string, barred []rpm.ID) *Problem { return &Problem{"unknown " + request} }
func (s *Solver) unknownPin(pin string, builds []rpm.ID) *Problem { return &Problem{"pin " + pin} }
func (x *search) explain() *Unsolvable { return &Unsolvable{[]*Problem{{"unsolvable"}}} }
