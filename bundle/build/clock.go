package build

import (
	"sync"
	"time"
)

// newest keeps the newest time that any metadata names: the time of the lock,
// which is data and not the clock's.
type newest struct {
	mu   sync.Mutex
	time time.Time
}

func (n *newest) see(t time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.After(n.time) {
		n.time = t
	}
}
