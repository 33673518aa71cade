//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// member is what a node's Patroni says of one of the cluster (GET /cluster).
type member struct {
	Name     string
	Role     string // leader, replica, sync_standby
	State    string // running, streaming
	Timeline int
	Lag      any // bytes, or "unknown"
}

// own is what a node's Patroni says of its own PostgreSQL (GET /patroni).
type own struct {
	State            string
	Role             string // master or primary, replica
	ReplicationState string `json:"replication_state"`
}

// rest asks the node's Patroni, from the node itself: its address is open to
// the cluster alone, and a node that is cut off can still be asked.
func (n *node) rest(path string, into any) error {
	resp, err := httpIn(n.namespace(), time.Second).Get("http://" + n.address() + ":8008" + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if into == nil {
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s of %s: %s", path, n.name, resp.Status)
		}
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (n *node) members() ([]member, error) {
	var answer struct{ Members []member }
	err := n.rest("/cluster", &answer)
	return answer.Members, err
}

// leads says whether the node is a leader now in its own eyes.
func (n *node) leads() bool { return n.rest("/primary", nil) == nil }

// leader is the one node that leads, among all but except.
func (c *cluster) leader(except ...*node) *node {
	for _, n := range c.nodes {
		if !slices.Contains(except, n) && n.leads() {
			return n
		}
	}
	return nil
}

// vipHolder is the one node that has the VIP, among all but except.
func (c *cluster) vipHolder(except ...*node) *node {
	for _, n := range c.nodes {
		if !slices.Contains(except, n) && n.holds(c.vip) {
			return n
		}
	}
	return nil
}

// settled is nil when every node, asked itself, tells of the same whole cluster:
// one leader, everybody else streaming without lag, on one timeline, and a
// synchronous standby where there has to be one.
func (c *cluster) settled() error {
	leader, timeline := "", 0
	for _, n := range c.nodes {
		members, err := n.members()
		if err != nil {
			return err
		}
		said, err := whole(members, len(c.nodes), c.synchronous)
		if err != nil {
			return fmt.Errorf("%s says: %w", n.name, err)
		}
		if leader == "" {
			leader, timeline = said.Name, said.Timeline
		}
		if said.Name != leader || said.Timeline != timeline {
			return fmt.Errorf("%s says that %s leads on timeline %d, not %s on %d", n.name, said.Name, said.Timeline, leader, timeline)
		}
		var self own
		if err := n.rest("/patroni", &self); err != nil {
			return err
		}
		if replica := self.Role == "replica"; replica != (n.name != leader) || self.State != "running" || replica && self.ReplicationState != "streaming" {
			return fmt.Errorf("%s says of itself: %+v", n.name, self)
		}
	}
	return nil
}

// whole judges one list of members; the answer is the leader.
func whole(members []member, count int, synchronous bool) (leader member, err error) {
	if len(members) != count {
		return leader, fmt.Errorf("%d members: %+v", len(members), members)
	}
	leaders, standbys := 0, 0
	for _, m := range members {
		switch {
		case m.Role == "leader" && m.State == "running":
			leader = m
			leaders++
		case m.State != "streaming" && m.State != "running":
			return leader, fmt.Errorf("%s is %s", m.Name, m.State)
		case m.Lag != float64(0):
			return leader, fmt.Errorf("%s lags by %v", m.Name, m.Lag)
		case m.Role == "sync_standby":
			standbys++
		}
	}
	if leaders != 1 {
		return leader, fmt.Errorf("%d leaders: %+v", leaders, members)
	}
	for _, m := range members {
		if m.Timeline != leader.Timeline {
			return leader, fmt.Errorf("%s is on timeline %d, %s on %d", m.Name, m.Timeline, leader.Name, leader.Timeline)
		}
	}
	if synchronous && standbys == 0 {
		return leader, errors.New("no synchronous standby")
	}
	return leader, nil
}

// settles waits until the cluster is settled.
func (c *cluster) settles(t *testing.T, limit time.Duration) (after time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		err := c.settled()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("after %s the cluster is not settled: %v\n%s", limit, err, c.told())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// told is what every node says of the cluster, for a message.
func (c *cluster) told() string {
	var text strings.Builder
	for _, n := range c.nodes {
		members, err := n.members()
		fmt.Fprintf(&text, "%s: %+v", n.name, members)
		if err != nil {
			fmt.Fprintf(&text, " (%v)", err)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// until waits for something that a poll of it sees.
func until(t *testing.T, limit time.Duration, what string, is func() bool) (after time.Duration) {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > limit {
			t.Fatalf("after %s: not yet %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// TestWhole holds the judge of member lists against lists that are not whole.
func TestWhole(t *testing.T) {
	leader, standby, replica := member{"n1", "leader", "running", 3, nil}, member{"n2", "sync_standby", "streaming", 3, 0.0}, member{"n3", "replica", "streaming", 3, 0.0}
	for _, c := range []struct {
		name    string
		members []member
		says    string
	}{
		{"whole", []member{leader, standby, replica}, ""},
		{"a member is missing", []member{leader, standby}, "2 members"},
		{"two leaders", []member{leader, {"n2", "leader", "running", 3, nil}, replica}, "2 leaders"},
		{"none", []member{standby, replica, {"n1", "replica", "running", 3, 0.0}}, "0 leaders"},
		{"no standby", []member{leader, replica, {"n2", "replica", "streaming", 3, 0.0}}, "no synchronous standby"},
		{"lags", []member{leader, standby, {"n3", "replica", "streaming", 3, 16.0}}, "n3 lags by 16"},
		{"lag unknown", []member{leader, standby, {"n3", "replica", "running", 3, "unknown"}}, "n3 lags by unknown"},
		{"another history", []member{leader, standby, {"n3", "replica", "running", 2, 0.0}}, "n3 is on timeline 2"},
		{"stopped", []member{leader, standby, {"n3", "replica", "stopped", 3, 0.0}}, "n3 is stopped"},
	} {
		got, err := whole(c.members, 3, true)
		if c.says == "" && (err != nil || got.Name != "n1") || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}
