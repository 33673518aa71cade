package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

const (
	maxEvent   = 4 << 20 // bytes of a line
	maxName    = 300     // characters of a name
	maxMessage = 4000    // characters of a message
)

// Status is how a task ended on a host.
type Status string

const (
	OK          Status = "ok"
	Changed     Status = "changed"
	Failed      Status = "failed"
	Unreachable Status = "unreachable"
	Skipped     Status = "skipped"
	Ignored     Status = "ignored" // failed or unreachable, and the playbook says that this is no matter
	Rescued     Status = "rescued" // failed, and the playbook deals with it
	Retry       Status = "retry"   // failed, and is tried again
)

var statuses = []Status{OK, Changed, Failed, Unreachable, Skipped, Ignored, Rescued, Retry}

// Counts are the tasks of a host by how they ended, as Ansible counts them: a
// task that changed something is among those that are ok too.
type Counts struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Failed      int `json:"failed"`
	Unreachable int `json:"unreachable"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// event is one line of the callback plugin (pgbundle_events.py). Which fields
// are set depends on the kind: start; play: stage, name, count; task: stage,
// name; host: host, task, status, msg; stats: hosts, custom.
type event struct {
	kind   string
	stage  string
	name   string // of the play or of the task
	count  int    // hosts of the play; 0: unknown
	host   string
	status Status
	msg    string
	hosts  map[string]Counts
	custom map[string]json.RawMessage // what set_stats has kept
}

// parseEvent reads one line. Of a kind that is unknown only that is returned: a
// newer playbook may tell more.
func parseEvent(line []byte) (event, error) {
	if len(line) > maxEvent {
		return event{}, fmt.Errorf("event of %d bytes: at most %d are read", len(line), maxEvent)
	}
	var raw struct {
		Event  string
		Stage  string
		Name   string
		Hosts  json.RawMessage
		Host   string
		Task   string
		Status Status
		Msg    string
		Custom map[string]json.RawMessage
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return event{}, fmt.Errorf("event: %w", err)
	}
	e := event{kind: raw.Event, stage: cleaned(raw.Stage, maxName), name: cleaned(raw.Name, maxName)}
	switch raw.Event {
	case "play":
		if err := json.Unmarshal(raw.Hosts, &e.count); err != nil || e.count < 0 {
			return event{}, errors.New("event play: hosts is no number")
		}
	case "host":
		e.host, e.name, e.msg, e.status = cleaned(raw.Host, maxName), cleaned(raw.Task, maxName), cleaned(raw.Msg, maxMessage), raw.Status
		if e.host == "" || !slices.Contains(statuses, raw.Status) {
			return event{}, fmt.Errorf("event host: host %q, status %q", e.host, cleaned(string(raw.Status), maxName))
		}
	case "stats":
		hosts := map[string]Counts{}
		if err := json.Unmarshal(raw.Hosts, &hosts); err != nil {
			return event{}, fmt.Errorf("event stats: %w", err)
		}
		e.hosts, e.custom = make(map[string]Counts, len(hosts)), raw.Custom
		for host, counts := range hosts {
			e.hosts[cleaned(host, maxName)] = counts
		}
	case "task", "start":
	case "":
		return event{}, errors.New("event: it has no kind")
	default:
		return event{kind: raw.Event}, nil
	}
	return e, nil
}

// cleaned is a text that a terminal can be given: what cannot be printed is a
// question mark, and what is too long is cut.
func cleaned(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit])
	}
	return strings.TrimSpace(text)
}

// readEvents reads events until the stream ends. A line that is no event is
// handed to bad, and reading goes on.
func readEvents(r io.Reader, each func(event), bad func(error)) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if len(bytes.TrimSpace(line)) > 0 {
			if e, parseErr := parseEvent(line); parseErr != nil {
				bad(parseErr)
			} else {
				each(e)
			}
		}
		if err != nil {
			return
		}
	}
}

// readLine reads a line and keeps as much of it as shows that it is too long.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line) <= maxEvent {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}
