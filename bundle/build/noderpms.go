package build

import (
	"context"
	"errors"
	"fmt"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// nodeRPMs are repositories beside a node.
type nodeRPMs struct {
	*RPMs
	node *Node
}

// job makes one job of requests. What the node has is kept.
func (n *nodeRPMs) job(ctx context.Context, requests []string, weak bool) (job solve.Job, notes []string, err error) {
	job, notes, err = n.RPMs.job(ctx, requests, weak)
	job.KeepNode = true
	return job, notes, err
}

// transaction solves beside the node's packages and sorts what changes. The
// second result is nil when there is no solution, which is then told as blocked.
func (n *nodeRPMs) transaction(ctx context.Context, job solve.Job) (*Transaction, *solve.Result, error) {
	t := &Transaction{Node: n.node.Name}
	res, err := n.solveNewest(ctx, job)
	if unsolvable, ok := errors.AsType[*solve.Unsolvable](err); ok {
		t.Problems = unsolvable.Problems
		for _, p := range unsolvable.Problems {
			t.Blocked = append(t.Blocked, p.String())
		}
		return t, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	heirs := map[rpm.ID]bool{} // that take the place of an older build
	for _, g := range res.Gone {
		if n.sortGone(t, g) {
			heirs[g.By] = true
		}
	}
	for _, id := range res.Packages {
		if !heirs[id] {
			t.New = append(t.New, n.change(id))
		}
	}
	return t, res, nil
}

// sortGone enters a package that makes room; false when no build of its name takes
// its place, which KeepNode does not let happen.
func (n *nodeRPMs) sortGone(t *Transaction, g solve.Gone) bool {
	if g.By == 0 || n.pool.Package(g.By).Name != n.pool.Package(g.Package).Name {
		t.Blocked = append(t.Blocked, n.pool.NEVRA(g.Package)+" would be removed")
		return false
	}
	old, c := n.change(g.Package), n.change(g.By)
	c.From, c.FromVendor = old.EVR, old.Vendor
	if c.EVR != c.From {
		t.Upgraded = append(t.Upgraded, c)
	} else {
		t.Reinstalled = append(t.Reinstalled, c)
	}
	if c.Vendor != c.FromVendor {
		t.VendorChanged = append(t.VendorChanged, c)
	}
	return true
}

// only hides every package that would go into a bundle and is not among some
// artifacts: the bundle as a node will see it.
func (n *nodeRPMs) only(artifacts []manifest.Artifact) {
	carried := map[string]bool{}
	for _, a := range artifacts {
		carried[a.From.Source+" "+a.From.Path] = true
	}
	for id := rpm.System + 1; int(id) < n.pool.Len(); id++ {
		pkg := n.pool.Package(id)
		repo := n.pool.Repo(pkg.Repo)
		if !repo.Installed && repo.Role == manifest.Provides && !carried[repo.ID+" "+n.pool.String(pkg.Location)] {
			n.pool.Hide(id, rpm.NotCarried, 0)
		}
	}
	n.prepare()
}

// tellPassed notes the newer builds that the node cannot meet. Under strict there
// must be none.
func (n *nodeRPMs) tellPassed(ctx context.Context, job solve.Job, res *solve.Result, note func(string)) error {
	passed, err := n.passedOver(ctx, job, res)
	if err != nil {
		return err
	}
	for _, p := range passed {
		note(fmt.Sprintf("node %s: %s", n.node.Name, p))
	}
	if n.strict && len(passed) > 0 {
		return fmt.Errorf("resolve packages for node %s: %w", n.node.Name, &StrictError{passed})
	}
	return nil
}
