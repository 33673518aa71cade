package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pgbundle/manifest"
)

// Run is one that was looked at and can be started, again and again.
type Run struct {
	p    *preparation
	args []string
	log  *os.File
	// Again says that it will be started once more, so that the passwords stay.
	Again  bool
	closed sync.Once
}

// Result is what came of a run.
type Result struct {
	Operation string            `json:"operation"`
	Offline   bool              `json:"offline"`
	Bundle    string            `json:"bundle,omitempty"` // id, when it is out of a bundle
	Stages    []Stage           `json:"stages"`
	Hosts     map[string]Counts `json:"hosts"`
	Failures  []Host            `json:"failures"`
	Answer    json.RawMessage   `json:"answer,omitempty"` // the playbook's, under the key pgbundle of set_stats
	Log       string            `json:"log,omitempty"`    // path
	Seconds   float64           `json:"seconds"`
	Listed    string            `json:"listed,omitempty"` // what --list-tasks and its kind print
}

// preflightStage is the stage that looks at the hosts and changes nothing.
const preflightStage = "preflight"

// run makes the Run out of what was looked at.
func (p *preparation) run() (*Run, error) {
	r := &Run{p: p}
	fail := func(err error) (*Run, error) { return nil, errors.Join(err, p.temp.close()) }
	var files []string
	for _, set := range []struct {
		name string
		vars map[string]any
	}{{"offline", p.offlineVars()}, {"operation", p.o.Operation.vars}} {
		if len(set.vars) == 0 {
			continue
		}
		data, err := json.Marshal(set.vars) // JSON is YAML
		if err != nil {
			return fail(fmt.Errorf("write variables: %w", err))
		}
		file, err := p.temp.write(set.name+".json", append(data, '\n'))
		if err != nil {
			return fail(fmt.Errorf("write variables: %w", err))
		}
		files = append(files, file)
	}
	r.args = p.o.arguments(files, p.asked)
	if p.o.Operation.unlogged {
		p.o.Observer.Note("no log is kept: the answer holds passwords")
		return r, r.openScratch()
	}
	log, err := openLog(p.o.LogFolder, p.o.Operation.Name, p.o.Now())
	if err != nil {
		return fail(err)
	}
	r.log = log
	return r, nil
}

// openScratch opens a log that goes when the run is closed.
func (r *Run) openScratch() error {
	path, err := r.p.temp.write("output", nil)
	if err == nil {
		r.log, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	}
	return err
}

func (p *preparation) offlineVars() map[string]any {
	if !p.o.Offline || !p.o.Operation.deploys {
		return nil
	}
	return p.release.offlineVars(p.inventory)
}

// Close removes passwords and closes the log; again it does nothing.
func (r *Run) Close() (err error) {
	r.closed.Do(func() { err = errors.Join(r.log.Close(), r.p.temp.close()) })
	return err
}

// Cluster is the name of the site's cluster.
func (r *Run) Cluster() string { return r.p.cluster() }

// Start runs the playbook. The Result is there also when it failed, but for a
// run that never began. The error is of class manifest.ErrUnsolvable when
// preflight refused the hosts.
func (r *Run) Start(ctx context.Context) (*Result, error) {
	o, p := r.p.o, r.p
	began := o.Now()
	if err := r.log.Truncate(0); err != nil { // of a run before this
		return nil, fmt.Errorf("write the log: %w", err)
	}
	fmt.Fprintf(r.log, "pgbundle %s: %s in %s\n+ %s %s\n", o.Program, o.Operation.Name, o.Site, p.release.ansible, shown(r.args))
	t := newTally(o.Observer, o.Now, func(h Host) string { return hintFor(h, p.sshCommand(h.Name)) })
	err := r.follow(ctx, t)
	t.end()
	res := &Result{
		Operation: o.Operation.Name, Offline: o.Offline, Stages: t.stages, Hosts: t.hosts, Failures: t.failures,
		Answer: t.custom["pgbundle"], Seconds: o.Now().Sub(began).Round(time.Millisecond).Seconds(),
	}
	if o.Offline {
		res.Bundle = p.release.id
	}
	if !o.Operation.unlogged {
		res.Log = r.log.Name()
	}
	if o.lists() && err == nil {
		res.Listed = r.spoken()
	}
	return res, r.judge(ctx, err, t)
}

// spoken is what Ansible has said.
func (r *Run) spoken() string {
	text := said(r.log, 0)
	if at := strings.Index(text, "\n+ "); at >= 0 {
		_, text, _ = strings.Cut(text[at+1:], "\n")
	}
	return text
}

// follow runs ansible-playbook and reads its events until it has ended.
func (r *Run) follow(ctx context.Context, t *tally) error {
	p := r.p
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("run ansible-playbook: %w", err)
	}
	defer read.Close()
	cmd := exec.Command(p.release.ansible, r.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.o.Site, r.log, r.log
	cmd.ExtraFiles = []*os.File{write}
	cmd.Env = append(slices.Clone(p.env), "PGBUNDLE_EVENTS_FD=3")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		readEvents(read, func(e event) {
			if e.kind == "start" && !r.Again { // Ansible has read them
				_ = p.temp.remove(r.passwords()...)
			}
			t.add(e)
		}, func(err error) { fmt.Fprintf(r.log, "pgbundle: %v\n", err) })
	}()
	err = runAnsible(ctx, cmd, p.o.Kill, p.o.Observer.Note)
	write.Close()
	late := time.AfterFunc(waitDelay, func() { read.Close() }) // whatever was left behind may hold it open
	defer late.Stop()
	<-ended
	return err
}

// passwords are the files with the passwords that were asked for.
func (r *Run) passwords() []string {
	var list []string
	for _, path := range r.p.asked {
		list = append(list, path)
	}
	return list
}

// judge makes an error of how Ansible ended.
func (r *Run) judge(ctx context.Context, err error, t *tally) error {
	name := r.p.o.Operation.Name
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	status, ok := exitCode(err)
	switch {
	case !ok:
		return fmt.Errorf("%s: run ansible-playbook: %w", name, err)
	case status == 0:
		return nil
	case len(t.failures) == 0:
		text := complaint(r.spoken())
		err = fmt.Errorf("%s: ansible-playbook: exit status %d:\n%s", name, status, text)
		if hint := hintFor(Host{Message: text}, "ssh"); hint != "" {
			err = fmt.Errorf("%w\n%s", err, hint)
		}
		if usageMark(text) {
			return manifest.Classify(manifest.ErrUsage, err)
		}
		return err
	}
	failed := map[string]bool{}
	preflight := true
	for _, f := range t.failures {
		failed[f.Name] = true
		preflight = preflight && f.Stage == preflightStage && f.Status == Failed
	}
	err = fmt.Errorf("%s: %s failed:\n%s", name, count(len(failed), "host"), strings.Join(grouped(t.failures), "\n"))
	if preflight {
		return manifest.Classify(manifest.ErrUnsolvable, err)
	}
	return err
}

// grouped tells each failure once, with all hosts that it is of.
func grouped(failures []Host) []string {
	var lines []string
	for at, f := range failures {
		same := func(g Host) bool {
			return g.Stage == f.Stage && g.Task == f.Task && g.Message == f.Message && g.Status == f.Status
		}
		if slices.IndexFunc(failures, same) != at {
			continue
		}
		var hosts []string
		hint := f.Hint
		for _, g := range failures {
			if same(g) && !slices.Contains(hosts, g.Name) {
				hosts = append(hosts, g.Name)
			}
		}
		message := f.Message
		if message == "" {
			message = "the task hides what went wrong (no_log)"
		}
		task := f.Task
		if !strings.HasPrefix(task, f.Stage+" : ") { // a role of the stage's name says it already
			task = f.Stage + ": " + task
		}
		line := fmt.Sprintf("%s: %s: %s", strings.Join(hosts, ", "), task, strings.ReplaceAll(message, "\n", "\n  "))
		if f.Status == Unreachable {
			line = fmt.Sprintf("%s: unreachable: %s", strings.Join(hosts, ", "), strings.ReplaceAll(message, "\n", "\n  "))
		}
		if hint != "" {
			line += "\n  " + hint
		}
		lines = append(lines, line)
	}
	return lines
}

// SiteLogs is where the logs of runs by an ordinary user lie.
func SiteLogs(site string) string { return filepath.Join(site, ".pgbundle", "log") }
