//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// client is how somebody comes to a database of the cluster.
type client struct {
	namespace      string // where from
	address        string // numeric
	port           uint16
	user, password string
	database       string
	parameters     map[string]string
}

func (c client) connect(ctx context.Context) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("sslmode=disable") // TLS is a later item
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.User, config.Password, config.Database = c.address, c.port, c.user, c.password, c.database
	config.RuntimeParams, config.Fallbacks = c.parameters, nil
	config.DialFunc = dialIn(c.namespace)
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	return pgconn.ConnectConfig(ctx, config)
}

// ask runs statements and answers the rows of the last one, tab between columns.
func (c client) ask(sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	last := results[len(results)-1]
	rows := make([]string, len(last.Rows))
	for i, row := range last.Rows {
		rows[i] = string(joined(row))
	}
	return rows, last.Err
}

func joined(row [][]byte) (line []byte) {
	for i, column := range row {
		if i > 0 {
			line = append(line, '\t')
		}
		line = append(line, column...)
	}
	return line
}

// app is the application: from the control node, which is an allowed address.
func (c *cluster) app(address string, port uint16) client {
	return client{namespace: c.control.namespace(), address: address, port: port, user: "appuser", password: c.secrets["app_db_password"], database: "appdb"}
}

// through is the application's way to the leader.
func (c *cluster) through() client { return c.app(c.vip, 5000) }

// load is writers that insert rows through the VIP at a steady rate, each row by
// itself, and remember which were acknowledged.
type load struct {
	client client
	pause  time.Duration
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	acked  []ack
	unsure []int64        // sent and never answered: there or not, both are right
	errors map[string]int // how often which
}

// ack is a row that somebody was told is safe.
type ack struct {
	id int64
	at time.Time
}

const (
	writers     = 4
	insertLimit = 2 * time.Second // that an application waits for an answer
	retryAfter  = 100 * time.Millisecond
)

// startLoad empties the table and starts the writers.
func (c *cluster) startLoad(t *testing.T) *load {
	t.Helper()
	_, err := c.through().ask("create table if not exists load (id bigint primary key, at timestamptz not null default clock_timestamp()); truncate load")
	if err != nil {
		t.Fatalf("make the table of the load: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{client: c.through(), pause: 2 * time.Millisecond, stop: cancel, errors: map[string]int{}}
	for w := range int64(writers) {
		l.ended.Go(func() { l.write(ctx, (w+1)*1_000_000_000) })
	}
	t.Cleanup(l.end)
	return l
}

// end stops the writers and waits for them.
func (l *load) end() {
	l.stop()
	l.ended.Wait()
}

// write inserts id, id+1, … until ctx ends. An id is never tried twice.
func (l *load) write(ctx context.Context, id int64) {
	var conn *pgconn.PgConn
	defer func() {
		if conn != nil {
			conn.Close(context.Background())
		}
	}()
	for ctx.Err() == nil {
		if conn == nil {
			conn = l.connect(ctx)
			continue
		}
		id++
		// ends by its own limit, not with ctx: the last rows are answered too
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), insertLimit)
		_, err := conn.Exec(limit, "insert into load (id) values ("+strconv.FormatInt(id, 10)+")").ReadAll()
		cancel()
		l.note(id, err)
		if err != nil {
			conn.Close(context.Background())
			conn = nil
			time.Sleep(retryAfter)
			continue
		}
		time.Sleep(l.pause)
	}
}

func (l *load) connect(ctx context.Context) *pgconn.PgConn {
	limit, cancel := context.WithTimeout(ctx, insertLimit)
	defer cancel()
	conn, err := l.client.connect(limit)
	if err != nil && ctx.Err() == nil {
		l.mu.Lock()
		l.errors[short(err)]++
		l.mu.Unlock()
		time.Sleep(retryAfter)
	}
	if err != nil {
		return nil
	}
	return conn
}

func (l *load) note(id int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.acked = append(l.acked, ack{id, time.Now()})
		return
	}
	l.unsure = append(l.unsure, id)
	l.errors[short(err)]++
}

// short is an error without what differs from one time to the next.
func short(err error) string {
	text := err.Error()
	if _, reason, ok := strings.Cut(text, "database=appdb`: "); ok {
		text = reason
	}
	first, _, _ := strings.Cut(text, "\n")
	return first[:min(len(first), 120)]
}

// flows says whether rows were acknowledged all through the second before now.
func (l *load) flows(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var tenths [10]bool
	for i := len(l.acked) - 1; i >= 0; i-- {
		ago := now.Sub(l.acked[i].at)
		if ago >= time.Second {
			break
		}
		tenths[max(0, ago)/(100*time.Millisecond)] = true
	}
	return !slices.Contains(tenths[:], false)
}

// rate is acknowledged rows per second since.
func (l *load) rate(since time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := len(l.acked) - 1; i >= 0 && l.acked[i].at.After(since); i-- {
		n++
	}
	return float64(n) / time.Since(since).Seconds()
}

// gap is the longest time without an acknowledged row that ended after from and
// began before to.
func (l *load) gap(from, to time.Time) (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return longestGap(l.acked, from, to)
}

func longestGap(acked []ack, from, to time.Time) (longest time.Duration) {
	for i := 1; i < len(acked); i++ {
		before, after := acked[i-1].at, acked[i].at
		if after.After(from) && before.Before(to) {
			longest = max(longest, after.Sub(before))
		}
	}
	return longest
}

// counted is what became of the rows.
type counted struct {
	Acked            int            `json:"acked"`
	Lost             int            `json:"lost"` // acknowledged and not there
	UnackedButThere  int            `json:"unackedButThere"`
	Errors           map[string]int `json:"errors,omitempty"`
	FirstLost        []string       `json:"firstLost,omitempty"`
	PerSecond        float64        `json:"rowsPerSecond"`
	DifferOnReplicas string         `json:"differOnReplicas,omitempty"`
}

// count compares what the writers were told with what is in the table. The load
// has to be over.
func (c *cluster) count(t *testing.T, l *load) counted {
	t.Helper()
	rows, err := c.through().ask("select id from load")
	if err != nil {
		t.Fatalf("count the rows: %v", err)
	}
	there := make(map[int64]bool, len(rows))
	for _, row := range rows {
		id, err := strconv.ParseInt(row, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		there[id] = true
	}
	sum := tallied(l, there)
	sum.DifferOnReplicas = c.differ(len(rows))
	return sum
}

func tallied(l *load, there map[int64]bool) counted {
	slices.SortFunc(l.acked, func(a, b ack) int { return a.at.Compare(b.at) })
	sum := counted{Acked: len(l.acked), Errors: l.errors}
	if len(l.acked) > 1 {
		sum.PerSecond = float64(len(l.acked)) / l.acked[len(l.acked)-1].at.Sub(l.acked[0].at).Seconds()
	}
	for _, a := range l.acked {
		if there[a.id] {
			continue
		}
		sum.Lost++
		if len(sum.FirstLost) < 5 {
			sum.FirstLost = append(sum.FirstLost, fmt.Sprintf("%d at %s", a.id, a.at.UTC().Format("15:04:05.000")))
		}
	}
	for _, id := range l.unsure {
		if there[id] {
			sum.UnackedButThere++
		}
	}
	return sum
}

// differ is empty once every node has that many rows.
func (c *cluster) differ(rows int) string {
	var said string
	for range 50 {
		said = ""
		for _, n := range c.nodes {
			got, err := c.app(n.address(), 5432).ask("select count(*) from load")
			if err != nil || len(got) != 1 || got[0] != strconv.Itoa(rows) {
				said += fmt.Sprintf("%s has %v, not %d (%v); ", n.name, got, rows, err)
			}
		}
		if said == "" {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	return said
}

// TestTallied holds the counter of lost rows and the measure of outages against
// a load whose story is known.
func TestTallied(t *testing.T) {
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	l := &load{acked: []ack{{1, at(0)}, {2, at(1)}, {3, at(1.5)}, {4, at(9)}, {5, at(9.5)}}, unsure: []int64{6, 7}}
	sum := tallied(l, map[int64]bool{1: true, 2: true, 4: true, 5: true, 7: true, 8: true})
	if sum.Acked != 5 || sum.Lost != 1 || sum.UnackedButThere != 1 {
		t.Errorf("%+v", sum)
	}
	for _, c := range []struct{ from, to, want float64 }{{1.2, 8, 7.5}, {0, 1.2, 1}, {9.2, 20, 0.5}, {1.7, 1.8, 7.5}} {
		if got := longestGap(l.acked, at(c.from), at(c.to)).Seconds(); cmp.Compare(got, c.want) != 0 {
			t.Errorf("between %v and %v: %v s, want %v", c.from, c.to, got, c.want)
		}
	}
	for i := range 20 {
		l.acked = append(l.acked, ack{int64(100 + i), at(20 + float64(i)/20)})
	}
	if !l.flows(at(21)) || l.flows(at(21.2)) || l.flows(at(20.5)) {
		t.Error("flows")
	}
}
