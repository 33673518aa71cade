//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	probeEvery   = 100 * time.Millisecond
	probeAnswers = 100 * time.Millisecond // an insert that is acknowledged in this time counts
	probeGivesUp = time.Second
)

// probe inserts into every node ten times a second, directly and from the node
// itself, so that a node which nobody else reaches is seen as well. At no time
// may two of them acknowledge.
type probe struct {
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu    sync.Mutex
	polls int
	acks  map[int][]string // poll → the nodes that acknowledged in time
}

// startProbe makes the table and starts polling.
func (c *cluster) startProbe(t *testing.T) *probe {
	t.Helper()
	if _, err := c.through().ask("create table if not exists probe (node text not null, poll int not null); truncate probe"); err != nil {
		t.Fatalf("make the table of the probe: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &probe{stop: cancel, acks: map[int][]string{}}
	var ways []*probed
	for _, n := range c.nodes {
		way := c.app(n.address(), 5432)
		way.namespace = n.namespace()
		ways = append(ways, &probed{name: n.name, client: way})
	}
	p.ended.Go(func() { p.poll(ctx, ways) })
	t.Cleanup(p.end)
	return p
}

func (p *probe) end() {
	p.stop()
	p.ended.Wait()
}

// probed is one node of a probe and its connection. One that has not answered
// yet is not asked again.
type probed struct {
	name   string
	client client
	busy   atomic.Bool
	conn   *pgconn.PgConn
}

func (p *probe) poll(ctx context.Context, ways []*probed) {
	var asking sync.WaitGroup
	defer func() {
		asking.Wait()
		for _, way := range ways {
			way.drop()
		}
	}()
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.mu.Lock()
		p.polls++
		p.mu.Unlock()
		began := time.Now()
		for _, way := range ways {
			if !way.busy.CompareAndSwap(false, true) {
				continue
			}
			asking.Go(func() {
				defer way.busy.Store(false)
				if way.insert(n) == nil && time.Since(began) <= probeAnswers {
					p.mu.Lock()
					p.acks[n] = append(p.acks[n], way.name)
					p.mu.Unlock()
				}
			})
		}
	}
}

func (w *probed) insert(poll int) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeGivesUp)
	defer cancel()
	if w.conn == nil {
		conn, err := w.client.connect(ctx)
		if err != nil {
			return err
		}
		w.conn = conn
	}
	_, err := w.conn.Exec(ctx, fmt.Sprintf("insert into probe values ('%s', %d)", w.name, poll)).ReadAll()
	if w.conn.IsClosed() || w.conn.IsBusy() {
		w.drop()
	}
	return err
}

func (w *probed) drop() {
	if w.conn != nil {
		w.conn.Close(context.Background())
		w.conn = nil
	}
}

// seen is what the probe found.
type seen struct {
	Polls int            `json:"polls"`
	Acked map[string]int `json:"acknowledged"` // node → polls
	Two   []string       `json:"twoAtOnce,omitempty"`
}

// found sums up; the probe has to be over.
func (p *probe) found() seen {
	s := seen{Polls: p.polls, Acked: map[string]int{}}
	for n, nodes := range p.acks {
		for _, name := range nodes {
			s.Acked[name]++
		}
		if len(nodes) > 1 {
			slices.Sort(nodes)
			s.Two = append(s.Two, fmt.Sprintf("poll %d: %s", n, strings.Join(nodes, " and ")))
		}
	}
	slices.Sort(s.Two)
	return s
}
