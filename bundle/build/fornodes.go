package build

import (
	"context"
	"errors"
	"fmt"

	"pgbundle/manifest"
)

// openNodes loads the repositories beside each node of the options.
func openNodes(ctx context.Context, o Options) ([]*nodeRPMs, error) {
	var list []*nodeRPMs
	var errs []error
	for _, n := range o.Nodes {
		rpms, err := OpenRPMs(ctx, o, n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, &nodeRPMs{rpms, n})
	}
	return list, errors.Join(errs...)
}

// checkNodes says what the artifacts of a lock would change on each node, and
// refuses what a node cannot take or nobody allowed. As the node's dnf it follows
// weak dependencies. All refusals are returned.
func checkNodes(ctx context.Context, nodes []*nodeRPMs, lock *manifest.Lock, allowUpgrades bool) ([]*Transaction, error) {
	var list []*Transaction
	var errs []error
	for _, n := range nodes {
		n.only(lock.Artifacts)
		job, _, err := n.job(ctx, wanted(lock.Requests, manifest.RPM, ""), true)
		if err != nil {
			return nil, err
		}
		t, _, err := n.transaction(ctx, n.node, job)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
		errs = append(errs, t.Err(allowUpgrades))
	}
	return list, joinRefusals(errs)
}

// ProveNode says what installing a bundle would change on a node, from the bundle
// alone. As the node's dnf it follows weak dependencies. An error says that the
// question has no answer; whether the node takes it is for Transaction.Err.
func ProveNode(ctx context.Context, tree Tree, lock *manifest.Lock, n *Node) (*Transaction, error) {
	r, err := openBundle(ctx, tree, lock, n)
	if err != nil {
		return nil, fmt.Errorf("prove for node %s: %w", n.Name, err)
	}
	job, _, err := r.job(ctx, wanted(lock.Requests, manifest.RPM, ""), true)
	if err != nil {
		return nil, fmt.Errorf("prove for node %s: %w", n.Name, err)
	}
	t, _, err := r.transaction(ctx, n, job)
	return t, err
}

// ProveNodes is ProveNode for several, with all refusals by Transaction.Err.
func ProveNodes(ctx context.Context, tree Tree, lock *manifest.Lock, nodes []*Node, allowUpgrades bool) ([]*Transaction, error) {
	var list []*Transaction
	var errs []error
	for _, n := range nodes {
		t, err := ProveNode(ctx, tree, lock, n)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
		errs = append(errs, t.Err(allowUpgrades))
	}
	return list, joinRefusals(errs)
}

// ResolveForNodes says for each node of the options what installing some requests
// out of the repositories would change on it. With refusals the transactions come
// too.
func ResolveForNodes(ctx context.Context, o Options, requests []string, weak bool) ([]*Transaction, error) {
	nodes, err := openNodes(ctx, o)
	if err != nil {
		return nil, err
	}
	var list []*Transaction
	var errs []error
	for _, n := range nodes {
		job, notes, err := n.job(ctx, requests, weak)
		if err != nil {
			return nil, err
		}
		for _, text := range notes {
			o.Progress.Note(text)
		}
		t, res, err := n.transaction(ctx, n.node, job)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
		errs = append(errs, t.Err(o.Spec.AllowUpgrades))
		if res != nil {
			errs = append(errs, n.tellPassed(ctx, job, res, o.Progress.Note))
		}
	}
	return list, joinRefusals(errs)
}
