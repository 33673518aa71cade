//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// failure is one way to disturb a cluster that writers are at work on.
type failure struct {
	name   string
	hits   func(*cluster) *node
	inject func(*testing.T, *cluster, *node)
	mend   func(*testing.T, *cluster, *node) // nil: it mends itself
	elects bool                              // another node has to become the leader
	moves  bool                              // the VIP has to move
	alone  bool                              // what is hit may not be the synchronous standby as well
	slow   bool                              // tried by make e2e-faults alone
	blocks bool                              // inject ends when all is over: no figure but the outage can be had
	hold   time.Duration                     // before it is mended, however well all goes
}

func onLeader(c *cluster) *node    { return c.leader() }
func onVIPHolder(c *cluster) *node { return c.vipHolder() }

func onStandby(c *cluster) *node {
	for _, n := range c.nodes {
		if n.rest("/sync", nil) == nil {
			return n
		}
	}
	return nil
}

func verbs(verb string, more ...string) func(*testing.T, *cluster, *node) {
	return func(t *testing.T, _ *cluster, n *node) {
		for _, v := range append([]string{verb}, more...) {
			n.verb(t, v)
		}
	}
}

func asRoot(line string) func(*testing.T, *cluster, *node) {
	return func(t *testing.T, _ *cluster, n *node) { n.must(t, "root", "sh", "-ec", line) }
}

var failuresKnown = []failure{
	{name: "leader loses power", hits: onLeader, inject: verbs("poweroff"), mend: verbs("up", "wait"), elects: true},
	{name: "leader is cut off", hits: onLeader, inject: verbs("cut"), mend: verbs("heal"), elects: true},
	{name: "leader freezes", hits: onLeader, inject: verbs("pause"), mend: verbs("resume"), elects: true},
	{name: "HAProxy dies under the VIP", hits: onVIPHolder, inject: asRoot("systemctl kill --signal=KILL haproxy"), moves: true},
	{name: "VIP holder loses power", hits: onVIPHolder, inject: verbs("poweroff"), mend: verbs("up", "wait"), moves: true, alone: true},
	{name: "synchronous standby loses power", hits: onStandby, inject: verbs("poweroff"), mend: verbs("up", "wait"), hold: 5 * time.Second, slow: true},
	{name: "etcd loses a member", hits: func(c *cluster) *node { return c.etcd[0] }, hold: 15 * time.Second,
		inject: asRoot("systemctl kill --signal=KILL etcd; systemctl stop etcd"), mend: asRoot("systemctl start etcd")},
	{name: "switchover", hits: onLeader, elects: true, blocks: true, inject: func(t *testing.T, c *cluster, n *node) {
		c.ops(t, "switchover --to "+c.standby(t))
	}},
	{name: "rolling restart", hits: onLeader, blocks: true, inject: func(t *testing.T, c *cluster, _ *node) { c.ops(t, "restart") }},
}

func failureNamed(name string) failure {
	return failuresKnown[slices.IndexFunc(failuresKnown, func(f failure) bool { return f.name == name })]
}

// standby is the synchronous standby, which alone may follow the leader.
func (c *cluster) standby(t *testing.T) string {
	t.Helper()
	var name string
	until(t, 30*time.Second, "a standby", func() bool {
		members, _ := c.nodes[0].members()
		for _, m := range members {
			if m.Role == "sync_standby" || !c.synchronous && m.Role == "replica" {
				name = m.Name
			}
		}
		return name != ""
	})
	return name
}

// tried is what came of one failure.
type tried struct {
	Target       string  `json:"target"`
	Leader       string  `json:"leader"`
	VIPHolder    string  `json:"vipHolder"`
	NewLeader    string  `json:"newLeader,omitempty"`
	NewVIPHolder string  `json:"newVIPHolder,omitempty"`
	Outage       float64 `json:"writeOutageSeconds"`
	LeaderAfter  float64 `json:"newLeaderAfterSeconds,omitempty"`
	VIPAfter     float64 `json:"vipMovedAfterSeconds,omitempty"`
	BackAfter    float64 `json:"whatFailedWasBackAfterSeconds"`
	OutageBack   float64 `json:"writeOutageWhenBackSeconds"` // a VIP that returns costs one more
	Rows         counted `json:"rows"`
	Probe        seen    `json:"probe"`
}

// failures tries every failure, PGBUNDLE_FAILOVERS times each. After one that
// ended badly the cluster is made anew.
func (c *cluster) failures(t *testing.T) {
	times := 1
	if text := os.Getenv("PGBUNDLE_FAILOVERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("PGBUNDLE_FAILOVERS=%q: takes 1 or more", text)
		}
		times = n
	}
	all := map[string][]tried{}
	for _, f := range failuresKnown {
		if f.slow && !thorough() {
			continue
		}
		for n := range times {
			ok := t.Run(f.name+map[bool]string{true: "", false: " " + strconv.Itoa(n+1)}[times == 1], func(t *testing.T) {
				all[f.name] = append(all[f.name], c.tryFailure(t, f))
			})
			c.evidence.fact("failures", all)
			c.evidence.fact("medians", medians(all))
			if !ok {
				t.Run("made anew", c.anew)
			}
		}
	}
	for name, median := range medians(all) {
		t.Logf("%-28s writes flow again after %5.1f s, it was back after %5.1f s", name, median["writeOutageSeconds"], median["whatFailedWasBackAfterSeconds"])
	}
}

// medians are those of the figures of each failure.
func medians(all map[string][]tried) map[string]map[string]float64 {
	found := map[string]map[string]float64{}
	for name, list := range all {
		found[name] = map[string]float64{}
		for figure, of := range map[string]func(tried) float64{
			"writeOutageSeconds":            func(r tried) float64 { return r.Outage },
			"newLeaderAfterSeconds":         func(r tried) float64 { return r.LeaderAfter },
			"vipMovedAfterSeconds":          func(r tried) float64 { return r.VIPAfter },
			"whatFailedWasBackAfterSeconds": func(r tried) float64 { return r.BackAfter },
			"writeOutageWhenBackSeconds":    func(r tried) float64 { return r.OutageBack },
		} {
			var values []float64
			for _, r := range list {
				values = append(values, of(r))
			}
			slices.Sort(values)
			found[name][figure] = values[len(values)/2]
		}
	}
	return found
}

// apart gives the cluster a leader that does not hold the VIP, so that a failure
// hits one of the two.
func (c *cluster) apart(t *testing.T) {
	t.Helper()
	c.settles(t, 2*time.Minute)
	holder := 0
	until(t, 20*time.Second, "one node with the VIP", func() bool {
		holder = 0
		for _, n := range c.nodes {
			if n.holds(c.vip) {
				holder++
			}
		}
		return holder == 1
	})
	if c.leader() == c.vipHolder() {
		c.ops(t, "switchover --to "+c.standby(t))
		c.settles(t, time.Minute)
	}
	if c.leader() == c.vipHolder() {
		t.Fatalf("%s leads and has the VIP, after a switchover too", c.leader().name)
	}
}

// relieve makes another node the synchronous standby: writes wait for that one
// when it is lost, whatever else it was.
func (c *cluster) relieve(t *testing.T, n *node) {
	t.Helper()
	if onStandby(c) != n {
		return
	}
	n.must(t, "root", "systemctl", "stop", "patroni")
	until(t, time.Minute, "another synchronous standby", func() bool { s := onStandby(c); return s != nil && s != n })
	n.must(t, "root", "systemctl", "start", "patroni")
	c.settles(t, time.Minute)
}

const (
	flowLimit = 2 * time.Minute // until writes flow again
	backLimit = 2 * time.Minute // until what failed is a healthy member again
)

// tryFailure disturbs the cluster under load. What it reads as lost is counted
// only after the node is back and while the writers have been writing: a node
// that comes back with its own idea of who leads is the danger.
func (c *cluster) tryFailure(t *testing.T, f failure) (r tried) {
	c.apart(t)
	target := f.hits(c)
	if f.alone {
		c.relieve(t, target)
	}
	r.Target, r.Leader, r.VIPHolder = target.name, c.leader().name, c.vipHolder().name
	watch, writing := c.startProbe(t), c.startLoad(t)
	time.Sleep(3 * time.Second)
	if rate := writing.rate(time.Now().Add(-time.Second)); rate < 50 {
		t.Fatalf("%.0f rows a second before anything was done: no load to speak of", rate)
	}

	broken := time.Now()
	f.inject(t, c, target)
	until(t, flowLimit, "writes that flow again", func() bool {
		now := time.Now()
		if n := c.leader(target); n != nil && r.NewLeader == "" && n.name != r.Leader {
			r.NewLeader, r.LeaderAfter = n.name, seconds(now.Sub(broken))
		}
		if n := c.vipHolder(target); n != nil && r.NewVIPHolder == "" && n.name != r.VIPHolder {
			r.NewVIPHolder, r.VIPAfter = n.name, seconds(now.Sub(broken))
		}
		waited := now.Sub(broken) > max(3*time.Second, f.hold)
		return waited && writing.flows(now) && (!f.elects || r.NewLeader != "") && (!f.moves || r.NewVIPHolder != "")
	})
	if f.blocks {
		r.LeaderAfter, r.VIPAfter = 0, 0
	}
	mended := time.Now()
	r.Outage = seconds(writing.gap(broken, mended))
	if f.mend != nil {
		f.mend(t, c, target)
	}
	c.settles(t, backLimit)
	r.BackAfter = seconds(time.Since(mended))
	if f.moves {
		until(t, time.Minute, "a VIP that has returned to "+r.VIPHolder, func() bool { n := c.vipHolder(); return n != nil && n.name == r.VIPHolder })
	}
	time.Sleep(3 * time.Second)
	r.OutageBack = seconds(writing.gap(mended, time.Now()))
	writing.end()
	watch.end()
	c.settles(t, time.Minute)

	r.Rows, r.Probe = c.count(t, writing), watch.found()
	t.Logf("%+v", r)
	if r.Rows.Lost > 0 {
		t.Errorf("%d acknowledged rows are lost: %v", r.Rows.Lost, r.Rows.FirstLost)
	}
	if r.Rows.DifferOnReplicas != "" {
		t.Errorf("the nodes do not have the same rows: %s", r.Rows.DifferOnReplicas)
	}
	if len(r.Probe.Two) > 0 {
		t.Errorf("two nodes acknowledged at once: %v", r.Probe.Two)
	}
	if r.Probe.Acked[r.Leader] == 0 {
		t.Errorf("the probe never saw %s acknowledge, which led: %v", r.Leader, r.Probe)
	}
	return r
}
