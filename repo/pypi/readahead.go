package pypi

import (
	"context"
	"slices"
	"sync"
)

// readAhead asks an index for what the search will want next, while it goes on.
// What it reads is kept in the session; what fails is asked again and reported
// then.
type readAhead struct {
	running sync.WaitGroup
	slots   chan struct{}
	// of the search's goroutine only:
	seen  map[string]bool // projects
	tried map[string]int  // candidates by project
}

// readAheadJobs bounds what is read at once.
const readAheadJobs = 16

func newReadAhead() *readAhead {
	return &readAhead{slots: make(chan struct{}, readAheadJobs), seen: map[string]bool{}, tried: map[string]int{}}
}

// start runs a function as soon as there is a slot for it.
func (r *readAhead) start(ctx context.Context, read func()) {
	r.running.Go(func() {
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
			read()
		case <-ctx.Done():
		}
	})
}

// read asks for projects, and for the metadata of the file of each that is most
// likely the choice: the best one of the newest version.
func (r *readAhead) read(ctx context.Context, s *session, wants []*want) {
	for _, w := range wants {
		if w.exact != nil || w.id == pythonID || r.seen[w.name] {
			continue
		}
		r.seen[w.name] = true
		specifiers := append(w.specifiers[:len(w.specifiers):len(w.specifiers)], s.limits[w.name]...)
		r.start(ctx, func() {
			p, err := s.project(ctx, w.name)
			if err != nil || p == nil {
				return
			}
			if groups := p.allowed(specifiers, s.resolver.PreferWheels); len(groups) > 0 && groups[0][0].file.Wheel() {
				s.read(ctx, groups[0][0].file)
			}
		})
	}
}

// readNext asks for the metadata of older versions when the search goes back
// through those of a project: the more, the longer it has.
func (r *readAhead) readNext(ctx context.Context, s *session, c *candidate) {
	if c.base != nil || c.loaded {
		return
	}
	r.tried[c.name]++
	width := min(r.tried[c.name]-1, readAheadJobs) // the first is most often the last
	list := s.listed[c.name]
	at := slices.IndexFunc(list, func(o *candidate) bool { return o.plain() == c })
	if at < 0 {
		return
	}
	for _, next := range list[at+1 : min(at+1+width, len(list))] {
		if file := next.plain().files[0]; !next.plain().loaded && s.resolver.Index.Cheap(ctx, file) {
			r.start(ctx, func() { s.read(ctx, file) })
		}
	}
}

// wait ends when nothing is read any more.
func (r *readAhead) wait() { r.running.Wait() }
