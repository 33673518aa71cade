package deploy

import (
	"encoding/json"
	"time"
)

// Stage is a stage of the playbook, or as much of it as is done: all plays in a
// row whose names begin with the same word.
type Stage struct {
	Name        string  `json:"stage"`
	Hosts       int     `json:"hosts"`       // that take part; as many as have answered while that is unknown
	OK          int     `json:"ok"`          // hosts that nothing was changed on
	Changed     int     `json:"changed"`     // hosts that something was changed on
	Failed      int     `json:"failed"`      // hosts that failed
	Unreachable int     `json:"unreachable"` // hosts that could not be reached
	Seconds     float64 `json:"seconds"`
}

// Host is what a task did on a host.
type Host struct {
	Name    string `json:"host"`
	Stage   string `json:"stage"`
	Task    string `json:"task"`
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"` // why, of what failed; empty when the task hides it
	Hint    string `json:"hint,omitempty"`    // what may help, of what failed
}

// failed says whether a host goes no further.
func (h Host) failed() bool { return h.Status == Failed || h.Status == Unreachable }

// Observer is told how a run goes on. Its methods may be called from several
// goroutines.
type Observer interface {
	Note(text string)        // something that a person should read
	Stage(s Stage)           // a stage begins
	Task(stage, name string) // a task of it begins
	Host(h Host, s Stage)    // a task has ended on a host; s is the stage so far
	Done(s Stage)            // a stage has ended
}

// Silent is the Observer that tells nobody.
type Silent struct{}

func (Silent) Note(string)         {}
func (Silent) Stage(Stage)         {}
func (Silent) Task(string, string) {}
func (Silent) Host(Host, Stage)    {}
func (Silent) Done(Stage)          {}

// tally makes stages and results out of events.
type tally struct {
	observer Observer
	now      func() time.Time
	hint     func(Host) string

	stage    *Stage
	began    time.Time
	worst    map[string]Status // of each host in the stage
	stages   []Stage
	failures []Host
	hosts    map[string]Counts
	custom   map[string]json.RawMessage
	whole    bool // the playbook told its statistics: it came to an end
}

func newTally(observer Observer, now func() time.Time, hint func(Host) string) *tally {
	return &tally{observer: observer, now: now, hint: hint, hosts: map[string]Counts{}}
}

// add takes in one event.
func (t *tally) add(e event) {
	switch e.kind {
	case "play":
		t.play(e)
	case "task":
		if t.stage != nil {
			t.observer.Task(t.stage.Name, e.name)
		}
	case "host":
		t.host(e)
	case "stats":
		t.end()
		t.hosts, t.custom, t.whole = e.hosts, e.custom, true
	}
}

func (t *tally) play(e event) {
	if t.stage != nil && t.stage.Name == e.stage { // another batch, or another play of it
		t.stage.Hosts = max(t.stage.Hosts, e.count)
		return
	}
	t.end()
	t.stage = &Stage{Name: e.stage, Hosts: e.count}
	t.began, t.worst = t.now(), map[string]Status{}
	t.observer.Stage(*t.stage)
}

// end ends the stage, if there is one.
func (t *tally) end() {
	if t.stage == nil {
		return
	}
	t.stage.Seconds = t.now().Sub(t.began).Round(time.Millisecond).Seconds()
	t.stages = append(t.stages, *t.stage)
	t.observer.Done(*t.stage)
	t.stage = nil
}

func (t *tally) host(e event) {
	if t.stage == nil {
		t.play(event{})
	}
	h := Host{Name: e.host, Stage: t.stage.Name, Task: e.name, Status: e.status, Message: e.msg}
	c := t.hosts[e.host]
	for status, n := range map[Status]*int{
		OK: &c.OK, Changed: &c.Changed, Failed: &c.Failed, Unreachable: &c.Unreachable, Skipped: &c.Skipped, Rescued: &c.Rescued, Ignored: &c.Ignored,
	} {
		if status == e.status {
			*n++
		}
	}
	if e.status == Changed || e.status == Ignored {
		c.OK++
	}
	t.hosts[e.host] = c
	if h.failed() {
		h.Hint = t.hint(h)
		t.failures = append(t.failures, h)
	}
	t.count(h)
	t.observer.Host(h, *t.stage)
}

// count moves a host to the worst that it came to in this stage.
func (t *tally) count(h Host) {
	was, seen := t.worst[h.Name]
	is := h.Status
	switch {
	case is == Retry:
		return
	case is == Skipped, is == Ignored:
		is = OK
	case is == Rescued:
		is = Changed
	}
	rank := map[Status]int{OK: 1, Changed: 2, Failed: 3, Unreachable: 3}
	if rank[is] <= rank[was] {
		return
	}
	of := map[Status]*int{OK: &t.stage.OK, Changed: &t.stage.Changed, Failed: &t.stage.Failed, Unreachable: &t.stage.Unreachable}
	if seen {
		*of[was]--
	}
	t.worst[h.Name] = is
	*of[is]++
	t.stage.Hosts = max(t.stage.Hosts, len(t.worst))
}
