package build

import (
	"context"
	"errors"
	"fmt"

	"pgbundle/manifest"
)

// openNodes loads repositories beside each node of the options.
func openNodes(ctx context.Context, o Options, at *reached) ([]*nodeRPMs, error) {
	var list []*nodeRPMs
	var errs []error
	for _, n := range o.Nodes {
		rpms, err := o.load(ctx, at, n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, &nodeRPMs{rpms, n})
	}
	return list, errors.Join(errs...)
}

// eachNode asks the same for each of several nodes, and refuses what one of them
// cannot take or nobody allowed. All refusals are returned, those that come beside a
// transaction too; an error without one ends it.
func eachNode[N any](nodes []N, allowUpgrades bool, ask func(N) (*Transaction, error)) ([]*Transaction, error) {
	var list []*Transaction
	var errs []error
	for _, n := range nodes {
		t, err := ask(n)
		if t == nil {
			return nil, err
		}
		list = append(list, t)
		errs = append(errs, t.Err(allowUpgrades), err)
	}
	return list, joinRefusals(errs)
}

// checkNodes says what the artifacts of a lock would change on each node. As the
// node's dnf it follows weak dependencies.
func checkNodes(ctx context.Context, nodes []*nodeRPMs, lock *manifest.Lock, allowUpgrades bool) ([]*Transaction, error) {
	return eachNode(nodes, allowUpgrades, func(n *nodeRPMs) (*Transaction, error) {
		n.only(lock.Artifacts)
		return n.installing(ctx, lock)
	})
}

// ProveNodes says what installing a bundle would change on nodes, from the bundle
// alone, and proves that its wheels fit their interpreters. As the node's dnf it
// follows weak dependencies. With refusals the transactions come too; without them
// there is no answer.
func ProveNodes(ctx context.Context, tree Tree, lock *manifest.Lock, nodes []*Node, allowUpgrades bool) ([]*Transaction, error) {
	return eachNode(nodes, allowUpgrades, func(node *Node) (*Transaction, error) {
		r, err := openBundle(ctx, tree, lock, node)
		var t *Transaction
		if err == nil {
			t, err = (&nodeRPMs{r, node}).installing(ctx, lock)
		}
		if err != nil {
			return nil, fmt.Errorf("prove for node %s: %w", node.Name, err)
		}
		if t.Pythons, err = proveNodeWheels(ctx, tree, lock, node, t); err != nil && !errors.Is(err, manifest.ErrUnsolvable) {
			return nil, err
		}
		return t, err
	})
}

// installing says what the packages that a lock asks for would change.
func (n *nodeRPMs) installing(ctx context.Context, lock *manifest.Lock) (*Transaction, error) {
	job, _, err := n.job(ctx, wanted(lock.Requests, manifest.RPM, ""), true)
	if err != nil {
		return nil, err
	}
	t, _, err := n.transaction(ctx, job)
	return t, err
}

// ResolveForNodes says for each node of the options what installing some requests
// out of the repositories would change on it. With refusals the transactions come
// too.
func ResolveForNodes(ctx context.Context, o Options, requests []string, weak bool) ([]*Transaction, error) {
	at, err := o.reach(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := openNodes(ctx, o, at)
	if err != nil {
		return nil, err
	}
	return eachNode(nodes, o.Spec.AllowUpgrades, func(n *nodeRPMs) (*Transaction, error) {
		job, notes, err := n.job(ctx, requests, weak)
		if err != nil {
			return nil, err
		}
		for _, text := range notes {
			o.Progress.Note(text)
		}
		t, res, err := n.transaction(ctx, job)
		if res != nil {
			err = n.tellPassed(ctx, job, res, o.Progress.Note)
		}
		return t, err
	})
}
