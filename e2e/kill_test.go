//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// operation is something that pgbundle does to a node and that may be killed.
type operation struct {
	name    string
	image   string     // of the bed
	after   *operation // undisturbed, it makes the node that this one is done to; nil: a fresh one
	before  []string   // and then this command
	words   []string   // the command
	points  bool       // it is killed at its fault points
	moments int        // its share of the random moments

	active []string           // names of the releases of which one may be active while it goes on
	start  string             // snapshot of the node before it
	end    string             // and after it
	want   state              // what lies there when nothing disturbs it
	whole  map[string][]state // releases, as undisturbed runs place them
	faults []string           // the names of its fault points, in order
	took   time.Duration      // undisturbed
}

// operations are those of a target's life and, with a venv, a control node's.
// They are rerun word by word, so rollback names its release: without a name it
// goes back and forth.
func operations(one string) []*operation {
	install := func(role, bundle string) []string {
		return []string{"/srv/pgbundle", "install", "--quiet", "--role", role, "--bundle", "/srv/" + bundle + ".tar.gz"}
	}
	older := []string{"sh", "-c", `umask 022; mkdir -p /opt/patroni-airgap/rpms; echo old >/opt/patroni-airgap/rpms/a
printf '[patroni-airgap]\ngpgcheck=0\n' >/etc/yum.repos.d/patroni-airgap.repo`}
	intoImage := []string{"image", "srv/pgbundle", "install", "--quiet", "--root", ".", "--role", "target", "--bundle", "srv/a.tar.gz"}
	a, b, c := install("target", "a"), install("target", "b"), install("target", "c")
	first := &operation{name: "first install", image: "target", words: a, points: true, moments: 4}
	second := &operation{name: "install over another", image: "target", after: first, words: b, points: true, moments: 4}
	return []*operation{
		{name: "control node", image: "control", words: install("control", "a")},
		{name: "adding a role", image: "control", before: a, words: install("control", "a"), points: true},
		first, second,
		{name: "install that removes the oldest", image: "target", after: second, words: c, points: true, moments: 2},
		{name: "install of what is here", image: "target", after: second, words: a, points: true, moments: 4},
		{name: "install over older scripts", image: "target", before: older, words: a, points: true},
		{name: "finish", image: "target", before: intoImage, words: []string{"/srv/pgbundle", "install", "--quiet", "--finish"}, points: true},
		{name: "rollback", image: "target", after: second, words: []string{"/srv/pgbundle", "rollback", "--quiet", "--to", one}, points: true, moments: 4},
		{name: "uninstall", image: "target", after: second, words: []string{"/srv/pgbundle", "uninstall", "--quiet"}, points: true, moments: 4},
		{name: "uninstall with purge", image: "target", after: first, words: []string{"/srv/pgbundle", "uninstall", "--quiet", "--purge"}, points: true},
	}
}

// at are the operations that stand on so many others.
func at(all []*operation, depth int) (found []*operation) {
	for _, o := range all {
		d := 0
		for under := o.after; under != nil; under = under.after {
			d++
		}
		if d == depth {
			found = append(found, o)
		}
	}
	return found
}

// fully is how many moments stand for the whole: then each fault point is tried.
const fully = 200

// try is one kill: at a fault point, or so long after the start.
type try struct {
	*operation
	at    int     // 0: at a moment
	share float64 // of the time that it takes, from 0 to 1
}

func (t try) String() string {
	if t.at > 0 {
		return fmt.Sprintf("%s, killed at point %d (%s)", t.name, t.at, t.faults[t.at-1])
	}
	return fmt.Sprintf("%s, killed after %.4f of its time", t.name, t.share)
}

// kills is a run of TestKill.
type kills struct {
	*site
	dir   string // in memory
	carry string

	images map[string]string

	mu    sync.Mutex
	tally map[string]*tally // by operation
	left  time.Duration     // the longest that something lived on
}

// tally is what became of the kills of one operation.
type tally struct {
	Points  int      `json:"faultPoints"`   // that it has
	AtPoint int      `json:"killedAtPoint"` // runs
	Moments int      `json:"killedAtMoment"`
	Ended   int      `json:"endedBefore"` // runs that were faster than the one before, and done again
	Old     int      `json:"asBefore"`    // active after the kill
	New     int      `json:"asAfter"`
	Seconds float64  `json:"secondsUndisturbed"`
	Failed  []string `json:"failed"`
}

// TestKill kills pgbundle with SIGKILL at its fault points (a program built with
// the tag faults ends itself there) and at random moments (the program as it is
// shipped, by its process id). After each kill exactly one whole release is
// active, or none where none was; the same command again succeeds; and then the
// node is what it is when nothing disturbs the command, to the byte. The steps
// are the real ones: rpmkeys and dnf of the node, its Python's venv.
//
// PGBUNDLE_KILLS is how many moments are drawn; from 200 on every fault point
// is tried once, else as many of all as moments.
func TestKill(t *testing.T) {
	if !apart(t) {
		return
	}
	n := times(t, "PGBUNDLE_KILLS", 20)
	s := newSite(t)
	s.build(t)
	random := s.lot(t)
	k := &kills{site: s, dir: memory(t), images: map[string]string{"target": s.image(t, "target"), "control": s.image(t, "control")}, tally: map[string]*tally{}}
	k.prepare(t)
	all := operations(k.releaseOf(t, "a"))
	if n < fully {
		all = slices.DeleteFunc(all, func(o *operation) bool { return o.name == "control node" })
	}
	for depth := 0; len(at(all, depth)) > 0; depth++ {
		if each(t, at(all, depth), k.undisturbed); t.Failed() {
			return
		}
	}
	began := time.Now()
	each(t, draw(random, all, n), k.try)
	s.evidence.Facts["kills"] = k.tally
	s.evidence.Facts["seconds"] = time.Since(began).Seconds()
	s.evidence.Facts["longestAliveMilliseconds"] = k.left.Milliseconds()
}

// draw chooses what is tried: see TestKill. Moments are drawn from the whole
// time that the operation takes undisturbed.
func draw(random *rand.Rand, all []*operation, n int) []try {
	var tries, seldom []try
	for _, o := range all {
		for at := 1; o.points && at <= len(o.faults); at++ {
			if o.image == "control" {
				seldom = append(seldom, try{operation: o, at: at})
			} else {
				tries = append(tries, try{operation: o, at: at})
			}
		}
	}
	if n < fully { // a venv takes its time
		random.Shuffle(len(tries), func(i, j int) { tries[i], tries[j] = tries[j], tries[i] })
		tries = append([]try{seldom[random.IntN(len(seldom))]}, tries[:min(n-1, len(tries))]...)
	} else {
		tries = append(seldom, tries...)
	}
	var target, control []*operation
	for _, o := range all {
		target = append(target, slices.Repeat([]*operation{o}, o.moments)...)
		if !o.points {
			control = append(control, o)
		}
	}
	for i := range n + len(control)*n/20 {
		o := target[i%len(target)]
		if i >= n {
			o = control[i%len(control)]
		}
		tries = append(tries, try{operation: o, share: random.Float64()})
	}
	return tries
}

// prepare carries the programs and three bundles to where the boxes see them.
func (k *kills) prepare(t *testing.T) {
	k.carry = filepath.Join(k.work, "carry")
	if err := os.Mkdir(k.carry, 0o755); err != nil {
		t.Fatal(err)
	}
	k.compile(t, "faults", k.carry)
	k.must(t, command{name: "carry the program", args: []string{"install", "-m", "755", k.pgbundle(), k.carry}})
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Rename(k.small(t, name), filepath.Join(k.carry, name+".tar.gz")); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(k.carry, "a.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	k.evidence.Facts["bundle"] = map[string]any{"name": "a.tar.gz", "size": info.Size()}
}

// releaseOf is the release that a bundle becomes on a target.
func (k *kills) releaseOf(t *testing.T, name string) string {
	t.Helper()
	out := k.must(t, command{name: "the id of " + name, args: []string{"sh", "-c", `tar xzOf "$1" airgap-bundle/manifest.yaml | sha256sum`, "sh", filepath.Join(k.carry, name+".tar.gz")}})
	return out[:12] + "-target"
}

// each does all items, two at a time, and goes on after one that fails.
func each[T any](t *testing.T, items []T, do func(worker int, item T) error) {
	queue := make(chan T)
	var group sync.WaitGroup
	for worker := range 2 {
		group.Go(func() {
			for item := range queue {
				if err := do(worker, item); err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	group.Wait()
}

func (k *kills) box(worker int, o *operation) *box {
	return &box{image: k.images[o.image], carry: k.carry, dir: filepath.Join(k.dir, fmt.Sprint("box", worker))}
}

// undisturbed finds out what an operation does when nothing disturbs it.
func (k *kills) undisturbed(worker int, o *operation) error {
	b := k.box(worker, o)
	under := ""
	if o.after != nil {
		under = o.after.end
	}
	if err := b.reset(under); err != nil {
		return err
	}
	if len(o.before) > 0 {
		if _, err := b.must(o.before...); err != nil {
			return fmt.Errorf("before %s: %w", o.name, err)
		}
	}
	o.start, o.end, o.whole = filepath.Join(k.dir, "before "+o.name), filepath.Join(k.dir, "after "+o.name), map[string][]state{}
	if err := b.keep(o.start); err != nil {
		return err
	}
	if err := o.stand(b); err != nil {
		return fmt.Errorf("before %s: %w", o.name, err)
	}
	words := append([]string{"PGBUNDLE_FAULTS=/run/points", faulty}, o.words[1:]...)
	r, err := b.must(words...)
	if err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	o.took = r.took
	points, err := os.ReadFile(filepath.Join(b.dir, "upper/run/points"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(points)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		o.faults = append(o.faults, name)
	}
	if err := o.stand(b); err != nil {
		return fmt.Errorf("after %s: %w", o.name, err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(b.dir, "upper/run")), b.keep(o.end)); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tally[o.name] = &tally{Points: len(o.faults), Seconds: o.took.Seconds(), Failed: []string{}}
	return nil
}

// faulty is the program that ends itself at a fault point.
const faulty = "/srv/faults/pgbundle"

// stand notes a node that nothing disturbed: its releases, the active one, and
// as the wanted state the last that was noted.
func (o *operation) stand(b *box) error {
	v, err := b.status()
	if err != nil {
		return err
	}
	if o.want, err = b.state(); err != nil {
		return err
	}
	if left := o.want.unfinished(); len(left) > 0 {
		return fmt.Errorf("left, though nothing disturbed it: %v", left)
	}
	o.active = append(o.active, v.Active)
	o.want.wholeIn(o.whole)
	return nil
}

// try kills an operation once and judges what is left, and what a second run
// makes of it.
func (k *kills) try(worker int, t try) error {
	b := k.box(worker, t.operation)
	r, v, err := t.judged(b)
	k.mu.Lock()
	defer k.mu.Unlock()
	tally := k.tally[t.name]
	if t.at > 0 {
		tally.AtPoint++
	} else {
		tally.Moments++
	}
	if r != nil {
		k.left = max(k.left, r.left)
		tally.Ended += r.ended
	}
	if v != nil && v.Active == t.active[len(t.active)-1] {
		tally.New++
	} else if v != nil {
		tally.Old++
	}
	if err != nil {
		tally.Failed = append(tally.Failed, t.String())
		return fmt.Errorf("%v: %w", t, err)
	}
	return nil
}

// kill does the operation until it is killed. A machine with more to do takes
// longer: a run that ended before its moment gives a better measure for another.
func (t try) kill(b *box) (*ran, error) {
	if t.at > 0 {
		if err := b.reset(t.start); err != nil {
			return nil, err
		}
		return b.run(-1, append([]string{fmt.Sprint("PGBUNDLE_KILL_AT=", t.at), faulty}, t.words[1:]...)...)
	}
	took, share := t.took, t.share
	for ended := 0; ; ended++ {
		if err := b.reset(t.start); err != nil {
			return nil, err
		}
		r, err := b.run(time.Duration(share*float64(took)), t.words...)
		if err != nil || r.status != 0 || ended == 20 {
			if r != nil {
				r.ended = ended
			}
			return r, err
		}
		took = r.took
		share *= 0.97 // one run is faster than the next by more than the end of it takes
	}
}

func (t try) judged(b *box) (*ran, *verdict, error) {
	r, err := t.kill(b)
	if err != nil {
		return r, nil, err
	}
	if r.status != -1 {
		return r, nil, fmt.Errorf("it was not killed: exit status %d\n%s", r.status, tail(r.out+r.err))
	}
	v, err := b.status()
	if err != nil {
		return r, v, err
	}
	found, err := b.state()
	if err == nil {
		err = found.vouched(v, t.active, t.whole)
	}
	if err != nil {
		return r, v, err
	}
	if _, err := b.must(t.words...); err != nil {
		return r, v, fmt.Errorf("again: %w", err)
	}
	if found, err = b.state(); err != nil {
		return r, v, err
	}
	if err := found.differs(t.want); err != nil {
		return r, v, fmt.Errorf("again: %w", err)
	}
	return r, v, nil
}
