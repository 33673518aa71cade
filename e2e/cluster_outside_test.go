//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// closedToStrangers comes from the hand: a host on the same net, in no group of
// the cluster and in no network that may connect. It tries what would give it
// the cluster, and as a control the same from where it is allowed.
func (c *cluster) closedToStrangers(t *testing.T) {
	outside, inside := c.Hand, c.nodes[0].namespace()
	for _, n := range c.targets() {
		for port, what := range map[int]string{2379: "etcd", 2380: "etcd's peers", 8008: "Patroni", 5432: "PostgreSQL", 6432: "PgBouncer",
			5000: "writes", 5001: "reads", 7000: "statistics"} {
			if err := touch(outside, fmt.Sprintf("%s:%d", n.address(), port)); err == nil {
				t.Errorf("%s of %s is open to a stranger", what, n.name)
			} else if !strings.Contains(err.Error(), "no route to host") {
				t.Errorf("%s of %s: not the firewall refuses: %v", what, n.name, err)
			}
		}
	}
	t.Run("etcdctl put", func(t *testing.T) {
		const put = `{"key":"L3NlcnZpY2UveA==","value":"eA=="}` // /service/x
		for _, n := range c.etcd {
			c.refusesHTTP(t, outside, "POST", "http://"+n.address()+":2379/v3/kv/put", put)
		}
		// from inside the door is open, and etcd asks who it is
		status, err := send(inside, "POST", "http://"+c.etcd[0].address()+":2379/v3/kv/put", put)
		if err != nil || status == http.StatusOK {
			t.Errorf("a put without a name, from a node: %d, %v", status, err)
		}
	})
	t.Run("PATCH config", func(t *testing.T) {
		const patch = `{"postgresql":{"parameters":{"archive_command":"touch /tmp/owned"}}}`
		for _, n := range c.nodes {
			c.refusesHTTP(t, outside, "PATCH", "http://"+n.address()+":8008/config", patch)
		}
		status, err := send(inside, "PATCH", "http://"+c.nodes[0].address()+":8008/config", patch)
		if err != nil || status != http.StatusUnauthorized {
			t.Errorf("a PATCH without a name, from a node: %d, %v", status, err)
		}
		status, err = send(inside, "GET", "http://"+c.nodes[0].address()+":8008/config", "")
		if err != nil || status != http.StatusOK {
			t.Errorf("a GET from a node: %d, %v", status, err)
		}
	})
	t.Run("replication", func(t *testing.T) {
		for _, n := range c.nodes {
			way := client{namespace: outside, address: n.address(), port: 5432, user: "replicator", password: c.secrets["postgres_replication_password"],
				database: "postgres", parameters: map[string]string{"replication": "database"}}
			if rows, err := way.ask("IDENTIFY_SYSTEM"); err == nil {
				t.Errorf("a stranger with the right password replicates from %s: %v", n.name, rows)
			}
			// an application may come to the port, and not replicate
			way.namespace, way.parameters = c.control.namespace(), map[string]string{"replication": "true"}
			if _, err := way.ask("IDENTIFY_SYSTEM"); err == nil || !strings.Contains(err.Error(), "pg_hba.conf") {
				t.Errorf("an application host replicates from %s: %v", n.name, err)
			}
			way.namespace = c.nodes[0].namespace()
			if _, err := way.ask("IDENTIFY_SYSTEM"); err != nil {
				t.Errorf("a node cannot replicate from %s: %v", n.name, err)
			}
		}
	})
	if _, err := c.through().ask("select 1"); err != nil {
		t.Errorf("the application's own way: %v", err)
	}
}

func (c *cluster) refusesHTTP(t *testing.T, namespace, method, url, body string) {
	t.Helper()
	if status, err := send(namespace, method, url, body); err == nil {
		t.Errorf("%s %s is answered to a stranger: %d", method, url, status)
	}
}

func send(namespace, method, url, body string) (status int, err error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := httpIn(namespace, 3*time.Second).Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// touch opens a TCP connection.
func touch(namespace, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := dialIn(namespace)(ctx, "tcp4", address)
	if err == nil {
		conn.Close()
	}
	return err
}
