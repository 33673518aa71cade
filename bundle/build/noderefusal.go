package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/rpm/solve"
)

// told is what a refusal says, of the nodes for which it says the same.
type told struct {
	nodes []string
	lines []string
}

func (t *told) text(refuse string) string {
	return fmt.Sprintf("%s %s:\n  %s", nodesInWords(t.nodes), refuse, strings.ReplaceAll(strings.Join(t.lines, "\n"), "\n", "\n  "))
}

// nodesInWords is "node a", or "nodes a and b".
func nodesInWords(names []string) string {
	if len(names) == 1 {
		return "node " + names[0]
	}
	return "nodes " + inWords(names)
}

// BlockedError says that nodes have no way to take the packages.
type BlockedError struct {
	Problems []*solve.Problem
	told
}

// Error lists the chains. The rule is named where a package of the node is in one.
func (e *BlockedError) Error() string {
	if strings.Contains(strings.Join(e.lines, "\n"), "(on the node)") {
		return e.text("cannot take the packages, since nothing that is there is removed or downgraded")
	}
	return e.text("cannot take the packages")
}

// UpgradeError says that a node's own packages would change, which nobody
// allowed.
type UpgradeError struct{ told }

// Error lists the changes.
func (e *UpgradeError) Error() string {
	if len(e.nodes) > 1 {
		return e.text("would have packages of their own changed")
	}
	return e.text("would have packages of its own changed")
}

// WheelsError says that the wheels of a bundle do not fit the Python of nodes.
type WheelsError struct {
	python string
	told
}

// Error lists what does not fit, with the way out.
func (e *WheelsError) Error() string {
	return e.text("cannot take the wheels on Python "+e.python) + "\n  build one with these facts (--node): then its wheels fit, or it says what keeps them from it"
}

// joinRefusals is errors.Join, and tells once what is the same on several nodes:
// those of a cluster are mostly alike.
func joinRefusals(errs []error) error {
	refusal := func(err error) *told {
		if e, ok := errors.AsType[*BlockedError](err); ok {
			return &e.told
		}
		if e, ok := errors.AsType[*UpgradeError](err); ok {
			return &e.told
		}
		if e, ok := errors.AsType[*WheelsError](err); ok {
			return &e.told
		}
		return nil
	}
	var list []error
	for _, err := range errs {
		t := refusal(err)
		i := slices.IndexFunc(list, func(have error) bool {
			other := refusal(have)
			return t != nil && other != nil && slices.Equal(t.lines, other.lines)
		})
		if i < 0 {
			list = append(list, err)
			continue
		}
		other := refusal(list[i])
		other.nodes = append(other.nodes, t.nodes...)
	}
	return errors.Join(list...)
}
