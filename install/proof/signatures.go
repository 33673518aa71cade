package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// signatures tries every package with rpmkeys against the bundle's keys alone,
// in a database of its own: no key gets into the node's.
func (p *prover) signatures(ctx context.Context, files []string) (signed, unsigned int, err error) {
	db, err := p.scratch("rpmdb")
	if err != nil {
		return 0, 0, err
	}
	if p.vouched {
		if err := p.importKeys(ctx, db); err != nil {
			return 0, 0, err
		}
	}
	said, err := p.each(ctx, files, []string{"rpmkeys", "--dbpath", db, "--checksig"})
	if err != nil {
		return 0, 0, err
	}
	return p.judge(files, said)
}

func (p *prover) importKeys(ctx context.Context, db string) error {
	out, err := p.run.Run(ctx, p.command("rpmkeys", "--dbpath", db, "--import", p.Keys))
	if err != nil {
		return fmt.Errorf("try the keys: %w", err)
	}
	if out.Status == missing {
		return fmt.Errorf("try the keys: %s", out.Text())
	}
	// Under FIPS or a strict crypto policy a key can be one that this node refuses.
	if out.Status != 0 || strings.Contains(out.Stderr, "error:") {
		return manifest.Classify(manifest.ErrSignature, fmt.Errorf("try the keys of %s: rpmkeys refuses them here: %s", p.Keys, out.Text()))
	}
	return nil
}

// missing is the status of a shell that finds no such program.
const missing = 127

// judge holds each file against what rpmkeys said of it: its exit status counts
// files, and one word stands for a good signature where another says none.
func (p *prover) judge(files []string, said []node.Output) (signed, unsigned int, err error) {
	verdicts := map[string]string{}
	var other []string
	for _, out := range said {
		for line := range strings.Lines(out.Stdout) {
			name, verdict, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "./"), ".rpm: ")
			if ok {
				verdicts[name+".rpm"] += verdict
			}
		}
		for line := range strings.Lines(out.Stderr) {
			other = append(other, strings.TrimSpace(line))
		}
	}
	var damaged, refused []string
	for _, name := range files {
		switch verdict := verdicts[name]; {
		case verdict == "digests signatures OK":
			signed++
		case verdict == "digests OK" && p.Unsigned[name]:
			unsigned++
		case verdict == "digests OK":
			refused = append(refused, name+": not signed")
		case verdict == "digests SIGNATURES NOT OK":
			refused = append(refused, name+": "+verdict)
		case verdict == "":
			damaged = append(damaged, name+": no answer")
		default:
			damaged = append(damaged, name+": "+verdict)
		}
	}
	switch {
	case len(damaged) > 0:
		return 0, 0, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("try the signatures in %s: rpmkeys refuses %d of %d:%s",
			p.Folder, len(damaged)+len(refused), len(files), lines(append(append(damaged, refused...), other...))))
	case len(refused) > 0:
		return 0, 0, manifest.Classify(manifest.ErrSignature, fmt.Errorf("try the signatures in %s: rpmkeys refuses %d of %d:%s",
			p.Folder, len(refused), len(files), lines(append(refused, other...))))
	}
	for _, out := range said {
		if out.Status != 0 {
			return 0, 0, fmt.Errorf("try the signatures in %s: rpmkeys: exit status %d: %s", p.Folder, out.Status, out.Stderr)
		}
	}
	return signed, unsigned, nil
}

const (
	batchFiles = 64       // in one call, so that both processors have work with few packages
	batchBytes = 64 << 10 // of names in one call; a page of arguments has to be left for the environment
	processes  = 2
)

// each runs a program over all files, some at a time, two at once, and returns
// what was said in the order of the files. The names are relative to Folder and
// begin with "./", so that none looks like an option or an address.
func (p *prover) each(ctx context.Context, files, program []string) ([]node.Output, error) {
	batches := batch(files)
	said, errs := make([]node.Output, len(batches)), make([]error, len(batches))
	next := make(chan int)
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			for i := range next {
				args := append([]string{}, program...)
				for _, name := range batches[i] {
					args = append(args, "./"+name)
				}
				said[i], errs[i] = p.run.Run(ctx, p.command(args...))
			}
		})
	}
	for i := range batches {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, out := range said {
		if errs[i] == nil && out.Status == missing {
			errs[i] = errors.New(out.Text())
		}
		if errs[i] != nil {
			return nil, fmt.Errorf("run %s over the packages: %w", program[0], errs[i])
		}
	}
	return said, nil
}

func batch(files []string) [][]string {
	var batches [][]string
	size, last := 0, []string(nil)
	for _, name := range files {
		if len(last) == batchFiles || size+len(name) > batchBytes {
			batches, last, size = append(batches, last), nil, 0
		}
		last, size = append(last, name), size+len(name)
	}
	if len(last) > 0 {
		batches = append(batches, last)
	}
	return batches
}
