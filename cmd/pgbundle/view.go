package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"pgbundle/install/deploy"
)

// view tells how a playbook goes on; Close ends what is drawn.
type view interface {
	deploy.Observer
	Close()
}

// newView chooses how: not at all when quiet, JSON lines for machines, one line
// that lives on a terminal, lines per stage in a log.
func newView(h host, quiet bool, format string) (view, error) {
	switch {
	case format != "auto" && format != "plain" && format != "json":
		return nil, &usageError{fmt.Sprintf("--log-format %q: takes auto, plain or json", format), ""}
	case quiet:
		return quietView{}, nil
	case format == "json":
		return &jsonView{w: h.stderr}, nil
	case h.terminal && format != "plain":
		return newLiveView(h.stderr, time.Now, terminalWidth), nil
	default:
		return &lineView{w: h.stderr}, nil
	}
}

type quietView struct{ deploy.Silent }

func (quietView) Close() {}

// terminalWidth is how many characters a line of the terminal has.
func terminalWidth() int {
	if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// lineView writes a line when a stage begins, one when it ends, and one for each
// host that fails.
type lineView struct {
	w  io.Writer
	mu sync.Mutex
}

func (v *lineView) print(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintln(v.w, text)
}

func (v *lineView) Note(text string)     { v.print("note: " + text) }
func (v *lineView) Stage(s deploy.Stage) { v.print(stageBegins(s)) }
func (v *lineView) Task(string, string)  {}
func (v *lineView) Done(s deploy.Stage)  { v.print(stageEnded(s)) }
func (v *lineView) Close()               {}
func (v *lineView) Host(h deploy.Host, _ deploy.Stage) {
	if line := hostFailed(h); line != "" {
		v.print(line)
	}
}

func stageBegins(s deploy.Stage) string {
	if s.Hosts == 0 {
		return s.Name
	}
	return fmt.Sprintf("%s: %d hosts", s.Name, s.Hosts)
}

func stageEnded(s deploy.Stage) string {
	return fmt.Sprintf("%s: %s in %s", s.Name, stageCounts(s), span(s.Seconds))
}

// stageCounts are the hosts of a stage by what became of them.
func stageCounts(s deploy.Stage) string {
	text := fmt.Sprintf("%d ok, %d changed, %d failed", s.OK, s.Changed, s.Failed)
	if s.Unreachable > 0 {
		text += fmt.Sprintf(", %d unreachable", s.Unreachable)
	}
	return text
}

// hostFailed is a line about a host that goes no further; empty for others.
func hostFailed(h deploy.Host) string {
	if h.Status != deploy.Failed && h.Status != deploy.Unreachable {
		return ""
	}
	message, _, _ := strings.Cut(h.Message, "\n")
	if h.Status == deploy.Unreachable {
		return fmt.Sprintf("unreachable: %s: %s", h.Name, message)
	}
	return fmt.Sprintf("failed: %s: %s: %s", h.Name, h.Task, message)
}

// jsonView writes one object a line: {"event":"stage",…}.
type jsonView struct {
	w  io.Writer
	mu sync.Mutex
}

func (v *jsonView) write(value any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = writeLine(v.w, value) // stderr: nobody is left to tell
}

type stageEvent struct {
	Event string `json:"event"` // "stage" or "done"
	deploy.Stage
}

func (v *jsonView) Note(text string) { v.write(map[string]string{"event": "note", "text": text}) }
func (v *jsonView) Stage(s deploy.Stage) {
	v.write(map[string]any{"event": "stage", "stage": s.Name, "hosts": s.Hosts})
}
func (v *jsonView) Task(stage, name string) {
	v.write(map[string]string{"event": "task", "stage": stage, "task": name})
}
func (v *jsonView) Host(h deploy.Host, _ deploy.Stage) {
	v.write(struct {
		Event string `json:"event"`
		deploy.Host
	}{"host", h})
}
func (v *jsonView) Done(s deploy.Stage) { v.write(stageEvent{"done", s}) }
func (v *jsonView) Close()              {}

// liveView keeps one line about the stage up to date, and leaves a line about
// each that has ended.
type liveView struct {
	w     io.Writer
	now   func() time.Time
	width func() int

	mu    sync.Mutex
	stage *deploy.Stage
	task  string
	began time.Time
	drawn bool
	stop  chan struct{}
	once  sync.Once
}

// redrawEvery is how often the seconds move while nothing else does.
const redrawEvery = time.Second

func newLiveView(w io.Writer, now func() time.Time, width func() int) *liveView {
	v := &liveView{w: w, now: now, width: width, stop: make(chan struct{})}
	go func() {
		tick := time.NewTicker(redrawEvery)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.mu.Lock()
				v.draw()
				v.mu.Unlock()
			}
		}
	}()
	return v
}

// clear takes the line away.
func (v *liveView) clear() {
	if v.drawn {
		fmt.Fprint(v.w, "\r\x1b[K")
		v.drawn = false
	}
}

// draw writes the line anew, no longer than the terminal is wide.
func (v *liveView) draw() {
	if v.stage == nil {
		return
	}
	line := fmt.Sprintf("%-10s %7s  %s  %s", v.stage.Name, span(v.now().Sub(v.began).Seconds()), stageCounts(*v.stage), v.task)
	if limit := v.width() - 1; utf8.RuneCountInString(line) > limit {
		line = string([]rune(line)[:max(0, limit)])
	}
	fmt.Fprint(v.w, "\r\x1b[K"+line)
	v.drawn = true
}

// leave writes a line that stays.
func (v *liveView) leave(text string) {
	v.clear()
	fmt.Fprintln(v.w, text)
	v.draw()
}

func (v *liveView) Note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leave("note: " + text)
}

func (v *liveView) Stage(s deploy.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stage, v.task, v.began = &s, "", v.now()
	v.draw()
}

func (v *liveView) Task(_, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.task = name
	v.draw()
}

func (v *liveView) Host(h deploy.Host, s deploy.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stage = &s
	if line := hostFailed(h); line != "" {
		v.leave(line)
		return
	}
	v.draw()
}

func (v *liveView) Done(s deploy.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clear()
	v.stage = nil
	fmt.Fprintf(v.w, "%-10s %7s  %s\n", s.Name, span(s.Seconds), stageCounts(s))
}

func (v *liveView) Close() {
	v.once.Do(func() { close(v.stop) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clear()
	v.stage = nil
}
