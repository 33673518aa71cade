package deploy

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const someEvents = `{"event": "start"}
{"event": "play", "stage": "preflight", "name": "preflight: look", "hosts": 2}
{"event": "task", "stage": "preflight", "name": "look"}
{"event": "host", "host": "n1", "task": "look", "status": "ok"}
{"event": "host", "host": "n2", "task": "look", "status": "skipped"}
{"event": "play", "stage": "etcd", "name": "etcd: start", "hosts": 1}
{"event": "host", "host": "n1", "task": "start it", "status": "retry", "msg": "2 tries left"}
{"event": "host", "host": "n1", "task": "start it", "status": "changed"}
{"event": "host", "host": "n1", "task": "look at it", "status": "ignored", "msg": "no"}
{"event": "play", "stage": "etcd", "name": "etcd: start", "hosts": 1}
{"event": "host", "host": "n2", "task": "start it", "status": "rescued", "msg": "no"}
{"event": "host", "host": "n2", "task": "start it", "status": "failed", "msg": "Missing sudo password"}
not an event
{"event": "later", "hosts": "anything"}
{"event": "stats", "hosts": {"n1": {"ok": 3, "changed": 1}, "n2": {"ok": 0, "failed": 1}}, "custom": {"pgbundle": {"text": "all\u001b[31m well", "n": 1}}}
`

// told is an Observer that remembers.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (o *told) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

func (o *told) Note(text string)        { o.say("note %s", text) }
func (o *told) Stage(s Stage)           { o.say("stage %s %d", s.Name, s.Hosts) }
func (o *told) Task(stage, name string) { o.say("task %s %s", stage, name) }
func (o *told) Host(h Host, s Stage) {
	o.say("host %s %s %s: %d %d %d", h.Name, h.Status, h.Hint, s.OK, s.Changed, s.Failed)
}
func (o *told) Done(s Stage) {
	o.say("done %s %d: %d %d %d %d in %.0f", s.Name, s.Hosts, s.OK, s.Changed, s.Failed, s.Unreachable, s.Seconds)
}

// clock moves a second each time it is asked.
func clock() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time { now = now.Add(time.Second); return now }
}

func TestTally(t *testing.T) {
	o := &told{}
	tl := newTally(o, clock(), func(h Host) string { return hintFor(h, "ssh x") })
	bad := 0
	readEvents(strings.NewReader(someEvents), tl.add, func(error) { bad++ })
	want := []string{
		"stage preflight 2", "task preflight look", "host n1 ok : 1 0 0", "host n2 skipped : 2 0 0", "done preflight 2: 2 0 0 0 in 1",
		"stage etcd 1", "host n1 retry : 0 0 0", "host n1 changed : 0 1 0", "host n1 ignored : 0 1 0",
		"host n2 rescued : 0 2 0", "host n2 failed sudo asks for a password there: give -K, or --become-password-file FILE: 0 1 1", "done etcd 2: 0 1 1 0 in 1",
	}
	if diff := cmp.Diff(want, o.lines); diff != "" {
		t.Error(diff)
	}
	if bad != 1 || !tl.whole || len(tl.failures) != 1 || tl.failures[0].Task != "start it" || tl.hosts["n1"].OK != 3 || len(tl.stages) != 2 {
		t.Errorf("%d bad, %+v", bad, tl)
	}
	res := Result{Answer: tl.custom["pgbundle"]}
	if res.Text() != "all?[31m well" {
		t.Errorf("%q", res.Text())
	}
}

// TestTallyCutOff counts by itself what a playbook that never ended did.
func TestTallyCutOff(t *testing.T) {
	tl := newTally(Silent{}, clock(), func(Host) string { return "" })
	readEvents(strings.NewReader(someEvents[:strings.Index(someEvents, `{"event": "stats"`)]), tl.add, func(error) {})
	tl.end()
	want := map[string]Counts{"n1": {OK: 3, Changed: 1, Ignored: 1}, "n2": {Skipped: 1, Rescued: 1, Failed: 1}}
	if diff := cmp.Diff(want, tl.hosts); diff != "" || tl.whole || len(tl.stages) != 2 {
		t.Error(diff)
	}
}

func TestParseEventRefuses(t *testing.T) {
	for _, line := range []string{
		"", "x", "{}", "[]", `{"event": "play", "hosts": "x"}`, `{"event": "play", "hosts": -1}`, `{"event": "host", "host": "a", "status": "odd"}`,
		`{"event": "host", "status": "ok"}`, `{"event": "stats", "hosts": 3}`, `{"event": "task", "name": "` + strings.Repeat("x", maxEvent) + `"}`,
	} {
		if e, err := parseEvent([]byte(line)); err == nil {
			t.Errorf("%.60s: %+v", line, e)
		}
	}
}

func TestReadEventsPassesOverTooLongLines(t *testing.T) {
	long := `{"event": "task", "name": "` + strings.Repeat("x", 3*maxEvent) + "\"}\n"
	tasks, bad := 0, 0
	readEvents(strings.NewReader(long+`{"event": "task", "name": "y"}`), func(event) { tasks++ }, func(error) { bad++ })
	if tasks != 1 || bad != 1 {
		t.Errorf("%d tasks, %d bad", tasks, bad)
	}
}

func FuzzEvent(f *testing.F) {
	for line := range strings.Lines(someEvents) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseEvent(line)
		if err != nil {
			return
		}
		for _, text := range []string{e.stage, e.name, e.host, e.msg} {
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r\x07") || utf8.RuneCountInString(text) > maxMessage {
				t.Errorf("%q", text)
			}
		}
		for _, raw := range e.custom {
			if !json.Valid(raw) {
				t.Errorf("%q is no JSON", raw)
			}
		}
		tl := newTally(Silent{}, clock(), func(h Host) string { return hintFor(h, "ssh") })
		tl.add(e)
		tl.end()
	})
}

func TestHints(t *testing.T) {
	for message, want := range map[string]string{
		"Missing sudo password":                        "-K",
		"MODULE FAILURE: sudo: a password is required": "-K",
		"Failed to connect to the host via ssh: @@@ REMOTE HOST IDENTIFICATION HAS CHANGED!":    "another key",
		"u@10.0.0.1: Permission denied (publickey).":                                            "try ssh n1 true; -u USER",
		"Attempting to decrypt but no vault secrets found":                                      "--ask-vault-pass",
		"connect to host 10.0.0.1 port 22: No route to host":                                    "try ssh n1 true",
		"to use the 'ssh' connection type with passwords, you must install the sshpass program": "sshpass",
	} {
		if hint := hintFor(Host{Status: Unreachable, Message: message}, "ssh n1"); !strings.Contains(hint, want) {
			t.Errorf("%s: %q, want %q", message, hint, want)
		}
	}
	if hint := hintFor(Host{Status: Failed, Message: "strange"}, "ssh n1"); hint != "" {
		t.Error(hint)
	}
}
