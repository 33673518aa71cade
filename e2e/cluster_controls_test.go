//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// controls are failures that must be seen: a counter of lost rows and a probe for
// two leaders that never fire would prove nothing.
func (c *cluster) controls(t *testing.T) {
	t.Run("rows are lost without synchronous replication", c.losesRows)
	t.Run("two leaders are seen", c.seesTwo)
	if !t.Failed() {
		return
	}
	t.Run("made anew", c.anew)
}

// losesRows turns synchronous replication off, keeps the replicas from receiving
// for two seconds, as a slow network does, and cuts the leader's power. What it
// acknowledged in the meantime was nowhere else.
func (c *cluster) losesRows(t *testing.T) {
	c.ops(t, "apply-tuning --synchronous off")
	c.synchronous = false
	c.apart(t)
	watch, writing := c.startProbe(t), c.startLoad(t)
	time.Sleep(3 * time.Second)
	leader := c.leader()
	replicas := func(signal, process string) {
		for _, n := range c.nodes {
			if n != leader {
				n.must(t, "root", "pkill", "--signal", signal, "--full", "^postgres: .*"+process)
			}
		}
	}
	// a walreceiver that is stopped still has what its socket took in; without the startup process none comes back
	replicas("STOP", "startup")
	replicas("TERM", "walreceiver")
	time.Sleep(2 * time.Second)
	leader.verb(t, "poweroff")
	replicas("CONT", "startup")
	until(t, flowLimit, "writes that flow again", func() bool { return c.leader(leader) != nil && writing.flows(time.Now()) })
	leader.verb(t, "up")
	leader.verb(t, "wait")
	c.settles(t, backLimit)
	writing.end()
	watch.end()
	c.settles(t, time.Minute)
	rows := c.count(t, writing)
	c.evidence.fact("control: asynchronous", rows)
	t.Logf("%+v", rows)
	if rows.Lost == 0 {
		t.Errorf("asynchronous replication lost none of %d rows: the counter is blind", rows.Acked)
	}
	if two := watch.found().Two; len(two) > 0 {
		t.Errorf("two nodes acknowledged at once: %v", two)
	}
	c.ops(t, "apply-tuning --synchronous on")
	c.synchronous = true
	c.settles(t, time.Minute)
}

// seesTwo makes a second leader by hand, out of Patroni's sight, and takes it
// back: a replica that is promoted while its Patroni is stopped.
func (c *cluster) seesTwo(t *testing.T) {
	c.settles(t, time.Minute)
	leader := c.leader()
	var other *node
	for _, n := range c.nodes {
		if n != leader && n.name != c.standby(t) {
			other = n
		}
	}
	watch := c.startProbe(t)
	bin, data := "/usr/pgsql-"+c.PG+"/bin", "/var/lib/postgresql/"+c.PG+"/data"
	other.must(t, "root", "systemctl", "kill", "--kill-whom=main", "--signal=STOP", "patroni")
	other.must(t, "postgres", bin+"/pg_ctl", "promote", "-w", "-D", data)
	time.Sleep(2 * time.Second)
	other.must(t, "postgres", bin+"/pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
	watch.end()
	found := watch.found()
	c.evidence.fact("control: two leaders", found)
	if len(found.Two) == 0 {
		t.Errorf("two leaders for two seconds were not seen: %+v", found)
	}
	other.must(t, "root", "systemctl", "kill", "--kill-whom=main", "--signal=CONT", "patroni")
	until(t, 30*time.Second, "a Patroni that answers", func() bool { return other.rest("/liveness", nil) == nil })
	c.mustAt(t, "ssh "+other.address()+" 'sudo -S -p \"\" patronictl -c /etc/patroni/patroni.yml reinit "+clusterName+" "+other.name+" --force --wait' <"+sudoPass)
	c.settles(t, 2*time.Minute)
}
