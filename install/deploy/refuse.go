package deploy

import (
	"errors"
	"fmt"
	"strings"

	"pgbundle/manifest"
)

// refusals gathers everything that speaks against a run, so that a person can
// mend all of it at once.
type refusals struct {
	lines []string
	other bool // at least one is not about how the command was given
}

func (r *refusals) any() bool { return len(r.lines) > 0 }

func (r *refusals) add(check, hint, format string, args ...any) {
	line := check + ": " + fmt.Sprintf(format, args...)
	switch {
	case hint != "" && strings.Contains(line, "\n"):
		line += "\n  " + hint
	case hint != "":
		line += ": " + hint
	}
	r.lines = append(r.lines, line)
}

// usage refuses what another command line would mend.
func (r *refusals) usage(check, hint, format string, args ...any) {
	r.add(check, hint, format, args...)
}

// unfit refuses what something else would mend: the site, the node, the hosts.
func (r *refusals) unfit(check, hint, format string, args ...any) {
	r.other = true
	r.add(check, hint, format, args...)
}

// err is everything that was refused; nil when nothing was. Its class is
// manifest.ErrUsage when the command line alone is at fault, else
// manifest.ErrUnsolvable.
func (r *refusals) err(operation string) error {
	if !r.any() {
		return nil
	}
	class := manifest.ErrUsage
	if r.other {
		class = manifest.ErrUnsolvable
	}
	return manifest.Classify(class, errors.New(operation+" was not started, and nothing was changed:\n"+strings.Join(r.lines, "\n")))
}
