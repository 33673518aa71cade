package build

import (
	"context"
	"sync"

	"pgbundle/manifest"
	"pgbundle/repo/galaxy"
	"pgbundle/repo/pypi"
	"pgbundle/repo/pypi/pep508"
)

// Resolved is one file of an answer.
type Resolved struct {
	NEVRA    string   `json:"nevra,omitempty"` // packages only
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Arch     string   `json:"arch,omitempty"`
	File     string   `json:"file"`
	Size     int64    `json:"size"` // bytes; -1 when nobody tells
	SHA256   string   `json:"sha256"`
	Source   string   `json:"source,omitempty"`
	MadeFrom string   `json:"made_from,omitempty"` // the source archive that the wheel was made of here
	WantedBy []string `json:"wanted_by"`

	PassedOver *PassedOver `json:"passed_over,omitempty"` // packages only
}

// ResolveWheels resolves requirements for the spec's interpreter on the nodes.
func ResolveWheels(ctx context.Context, o Options, wants, constraints []string) ([]Resolved, error) {
	o.Progress.Stage("resolve", 0)
	places, before, err := o.openWheelPlaces()
	if err != nil {
		return nil, err
	}
	resolver := pypi.Resolver{
		Index: places.join(), Target: pythonTargets(o.Spec.MachineTarget(), manifest.TargetNode)[0], Constraints: constraints, Before: before,
	}
	res, err := resolver.Resolve(ctx, wants)
	if err != nil {
		return nil, err
	}
	for _, text := range res.Warnings {
		o.Progress.Note(text)
	}
	list := make([]Resolved, len(res.Files))
	for i, c := range res.Files {
		list[i] = Resolved{Name: c.Name, Version: c.Version, File: c.Filename, Size: c.Size, SHA256: c.SHA256, Source: c.Source, WantedBy: c.WantedBy}
	}
	return list, nil
}

// ResolveCollections resolves collections for an ansible-core.
func ResolveCollections(ctx context.Context, o Options, wants []string, core string) ([]Resolved, error) {
	server, err := galaxy.Open(ctx, o.Fetch, o.Sources.galaxy())
	if err != nil {
		return nil, err
	}
	res, err := galaxy.Resolve(ctx, server, wants, core)
	if err != nil {
		return nil, refusedByGalaxy(err)
	}
	for _, text := range res.Notes {
		o.Progress.Note(text)
	}
	list := make([]Resolved, len(res.Collections))
	for i, c := range res.Collections {
		list[i] = Resolved{Name: c.Name.String(), Version: c.Version, File: c.Filename, Size: c.Size, SHA256: c.SHA256, WantedBy: c.WantedBy}
	}
	return list, nil
}

// WhyResolved returns the chains from each file of a name up to a request.
func WhyResolved(list []Resolved, name string) [][]string {
	wants := make(map[string][]string, len(list))
	for _, r := range list {
		wants[r.Name] = r.WantedBy
	}
	var chains [][]string
	for _, r := range list {
		if r.Name == name || r.NEVRA == name || r.File == name || r.NEVRA == "" && r.Name == pep508.NormalizeName(name) {
			chains = append(chains, append([]string{r.Name + " " + r.Version}, chain(r.Name, wants, theRequest)...))
		}
	}
	return chains
}

// inOrder works on names with jobs goroutines and uses the results in the order
// of the names, each as soon as it and all before it are there.
func inOrder[T any](ctx context.Context, jobs int, names []string, work func(string) (T, error), use func(string, T, error) error) error {
	type result struct {
		value T
		err   error
	}
	jobs = max(jobs, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan chan result, 64*jobs)
	tasks := make(chan func())
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for task := range tasks {
				task()
			}
		})
	}
	go func() {
		defer close(slots)
		defer close(tasks)
		for _, name := range names {
			slot := make(chan result, 1)
			select {
			case slots <- slot:
			case <-ctx.Done():
				return
			}
			tasks <- func() {
				value, err := work(name)
				slot <- result{value, err}
			}
		}
	}()
	defer wg.Wait()
	i := 0
	for slot := range slots {
		r := <-slot
		if ctx.Err() != nil {
			continue // drain: the workers are about to stop
		}
		if err := use(names[i], r.value, r.err); err != nil {
			cancel()
			for rest := range slots {
				<-rest
			}
			return err
		}
		i++
	}
	return ctx.Err()
}
