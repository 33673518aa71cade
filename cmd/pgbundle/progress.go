package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"pgbundle/bundle/build"
	"pgbundle/manifest"
)

// newProgress chooses how progress is told: nothing when quiet, JSON lines for
// machines, bars on a terminal, sparse plain lines in a log.
func newProgress(h host, quiet bool, format string) (build.Progress, error) {
	switch {
	case format != "auto" && format != "plain" && format != "json":
		return nil, &usageError{fmt.Sprintf("--log-format %q: takes auto, plain or json", format), ""}
	case quiet:
		return build.Silent{}, nil
	case format == "json":
		return &jsonProgress{w: h.stderr}, nil
	case h.terminal && format != "plain":
		return &barProgress{w: h.stderr}, nil
	default:
		return &lineProgress{w: h.stderr, now: time.Now}, nil
	}
}

// resolveProgress is that of a command that says what would come: bars on a
// terminal, else no more than what a person should read.
func resolveProgress(h host) build.Progress {
	if h.terminal {
		return &barProgress{w: h.stderr}
	}
	return &notes{w: h.stderr}
}

// notes is a Progress that tells nothing but what a person should read.
type notes struct {
	build.Silent
	w  io.Writer
	mu sync.Mutex
}

func (p *notes) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, "note: "+text)
}

// closer is a Progress with something to finish before the summary.
type closer interface{ Close() }

func closeProgress(p build.Progress) {
	if c, ok := p.(closer); ok {
		c.Close()
	}
}

// barProgress draws one bar for the current stage, with rate and remaining
// time where the total is known.
type barProgress struct {
	w       io.Writer
	mu      sync.Mutex
	bar     *progressbar.ProgressBar
	spinner bool // nobody knows the total of the current stage
}

func (p *barProgress) Plan(plan build.Plan) { p.Close(); writePlan(p.w, plan) }

func (p *barProgress) Stage(name string, total int64) {
	p.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spinner = total == 0; p.spinner {
		total = -1
	}
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(fmt.Sprintf("%-8s", name)),
		progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true), progressbar.OptionSpinnerType(14),
		progressbar.OptionFullWidth(), progressbar.OptionSetRenderBlankState(true))
}

func (p *barProgress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Add64(n)
	}
}

func (p *barProgress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.w, "note: "+text)
}

// Close ends the bar of the current stage, if there is one.
func (p *barProgress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		return
	}
	if p.spinner {
		_ = p.bar.Finish() // else it turns on below the next bar
	} else {
		_ = p.bar.Exit()
	}
	fmt.Fprintln(p.w)
	p.bar = nil
}

// linesEvery is how far apart a log's lines about one stage are.
const linesEvery = 10 * time.Second

// lineProgress writes a line when a stage begins and one every linesEvery while
// it moves.
type lineProgress struct {
	w           io.Writer
	now         func() time.Time
	mu          sync.Mutex
	stage       string
	done, total int64
	began, last time.Time
}

func (p *lineProgress) Plan(plan build.Plan) { writePlan(p.w, plan) }

func (p *lineProgress) Stage(name string, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.done, p.total = name, 0, total
	p.began = p.now()
	p.last = p.began
	if total > 0 {
		fmt.Fprintf(p.w, "%s: %s\n", name, size(total))
	} else {
		fmt.Fprintf(p.w, "%s\n", name)
	}
}

func (p *lineProgress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	now := p.now()
	if now.Sub(p.last) < linesEvery {
		return
	}
	p.last = now
	rate := float64(p.done) / now.Sub(p.began).Seconds()
	line := fmt.Sprintf("%s: %s", p.stage, size(p.done))
	if p.total > 0 {
		line += fmt.Sprintf(" of %s, %d %%", size(p.total), 100*p.done/p.total)
	}
	line += fmt.Sprintf(", %s/s", size(int64(rate)))
	if p.total > p.done && rate > 0 {
		left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	fmt.Fprintln(p.w, line)
}

func (p *lineProgress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, "note: "+text)
}

// jsonProgress writes one object a line: {"event":"stage",…}.
type jsonProgress struct {
	w    io.Writer
	mu   sync.Mutex
	done int64
	last time.Time
	name string
	size int64
}

func (p *jsonProgress) write(event string, fields map[string]any) {
	fields["event"] = event
	line, err := json.Marshal(fields)
	if err == nil {
		fmt.Fprintf(p.w, "%s\n", line)
	}
}

func (p *jsonProgress) Plan(plan build.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write("plan", map[string]any{"plan": plan})
}

func (p *jsonProgress) Stage(name string, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.size, p.done, p.last = name, total, 0, time.Now()
	p.write("stage", map[string]any{"stage": name, "total": total})
}

func (p *jsonProgress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if now := time.Now(); now.Sub(p.last) >= time.Second {
		p.last = now
		p.write("progress", map[string]any{"stage": p.name, "done": p.done, "total": p.size})
	}
}

func (p *jsonProgress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write("note", map[string]any{"text": text})
}

// writePlan tells a person what is about to happen.
func writePlan(w io.Writer, p build.Plan) {
	fmt.Fprintf(w, "plan: %s\n", p.Name)
	fmt.Fprintf(w, "  for     %s %s %s, Python %s on nodes, %s on the control node\n",
		p.Target.OS, p.Target.Release, p.Target.Arch, build.PythonsOf(p.Target, manifest.TargetNode), build.PythonsOf(p.Target, manifest.Control))
	for _, g := range p.Groups {
		fmt.Fprintf(w, "  %-10s %4d  %9s\n", g.Kind, g.Count, size(g.Bytes))
	}
	fmt.Fprintf(w, "  %-10s %4s  %9s, of which %s are fetched now\n", "all", "", size(p.Bytes), size(p.ToFetch))
	for _, s := range p.Sources {
		if s.Count > 0 || s.Kind == manifest.Wheel { // who could have given wheels is to be seen
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  from    %-14s %4d  %9s  %s", s.ID, s.Count, size(s.Bytes), s.URL), " "))
			if s.Kind == manifest.RPM {
				fmt.Fprintf(w, "  signed  %-14s packages: %s, metadata: %s\n", s.ID, s.Signatures, s.MetadataSignatures)
			}
			for _, key := range s.Keys {
				fmt.Fprintf(w, "  key     %-14s %s\n", s.ID, key)
			}
		}
	}
	writeList(w, "changed", p.Changes)
	writeNodes(w, "  ", p.Nodes, otherChanges)
	writeList(w, "note", p.Notes)
}

func writeList(w io.Writer, word string, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(w, "  %-7s %s\n", word, strings.ReplaceAll(line, "\n", "\n          "))
	}
}

// size writes bytes as a person reads them: "12.3 MB".
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, next
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
