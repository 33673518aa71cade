package pypi

import (
	"context"
	"sync"
)

// readAhead asks an index for what the search will want next, while it goes on.
// What it reads is kept in the session; what fails is asked again and reported
// then.
type readAhead struct {
	running sync.WaitGroup
	seen    map[string]bool // projects, asked from the search's goroutine only
	slots   chan struct{}
}

// readAheadJobs bounds the projects read at once.
const readAheadJobs = 16

func newReadAhead() *readAhead {
	return &readAhead{seen: map[string]bool{}, slots: make(chan struct{}, readAheadJobs)}
}

func (r *readAhead) read(ctx context.Context, s *session, wants []*want) {
	for _, w := range wants {
		if w.exact != nil || r.seen[w.name] {
			continue
		}
		r.seen[w.name] = true
		specifiers := append(w.specifiers[:len(w.specifiers):len(w.specifiers)], s.limits[w.name]...)
		r.running.Go(func() {
			select {
			case r.slots <- struct{}{}:
				defer func() { <-r.slots }()
			case <-ctx.Done():
				return
			}
			p, err := s.project(ctx, w.name)
			if err != nil || p == nil {
				return
			}
			// The best file of the newest version is most likely the choice.
			if groups := p.allowed(specifiers, s.resolver.PreferWheels); len(groups) > 0 && groups[0][0].file.Wheel() {
				s.read(ctx, groups[0][0].file)
			}
		})
	}
}

// wait ends when nothing is read any more.
func (r *readAhead) wait() { r.running.Wait() }
