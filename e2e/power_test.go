//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// outage is something that pgbundle does while the power goes.
type outage struct {
	name   string
	before [][]string // what was done to the disk before, in whole
	words  []string   // of pgbundle
}

func outages(one string) []outage {
	install := func(bundle string) []string {
		return []string{"install", "--quiet", "--role", "target", "--bundle", bundle + ".tar.gz"}
	}
	return []outage{
		{"first install", nil, install("a")},
		{"install over another", [][]string{install("a")}, install("b")},
		{"rollback", [][]string{install("a"), install("b")}, []string{"rollback", "--quiet", "--to", one}},
		{"uninstall", [][]string{install("a"), install("b")}, []string{"uninstall", "--quiet"}},
	}
}

// power is a run of TestPower.
type power struct {
	*site
	node   string // root of a node of the bed
	dir    string // in memory, with the bundles, the disk and where it is mounted
	random *rand.Rand
	tally  map[string]*losses
}

// losses is what became of the cuts of one operation.
type losses struct {
	Cuts    int            `json:"cuts"`
	After   int            `json:"cutsAfterSuccess"` // pgbundle had said that it was done
	Ways    map[string]int `json:"ways"`             // what the disk lost
	Old     int            `json:"asBefore"`
	New     int            `json:"asAfter"`
	Writes  int            `json:"writes"` // recorded, over all recordings
	Flushes int            `json:"flushes"`
	Bad     []string       `json:"bad"`
}

// TestPower cuts the power while pgbundle works on an ext4 of its own, which
// holds a whole image (--root: /etc, /usr and /opt), and judges what the disk
// holds then, after e2fsck and a mount: one whole release is active, the old one
// or the new one, and the new one once pgbundle has said that it is done; the
// same command again succeeds, and leaves what an undisturbed run leaves.
//
// A copy of the disk's file while it is written would be a state that no disk
// ever had. So the file is one that records every write and every flush (disk),
// and each cut is made from the record: all writes up to the last flush, and of
// those after it all, none, or any. The journal is committed every second, so
// that the file system, too, writes at moments that nobody chose.
//
// The control is the same program that syncs nothing (tag nosync): this test has
// to catch it. PGBUNDLE_CUTS is how many cuts are made.
func TestPower(t *testing.T) {
	if !apart(t) {
		return
	}
	n := times(t, "PGBUNDLE_CUTS", 20)
	s := newSite(t)
	s.build(t)
	p := &power{site: s, random: s.lot(t), node: s.image(t, "target"), dir: memory(t), tally: map[string]*losses{}}
	p.compile(t, "nosync", p.dir)
	for _, name := range []string{"a", "b"} {
		p.must(t, command{name: "bundle " + name, args: []string{"mv", p.small(t, name), filepath.Join(p.dir, name+".tar.gz")}})
	}
	began := time.Now()
	all := outages(p.one(t))
	p.cuts(t, all, p.pgbundle(), n, time.Second)
	for name, l := range p.tally {
		for _, bad := range l.Bad {
			t.Errorf("%s: %s", name, bad)
		}
	}
	s.evidence.Facts["cuts"], p.tally = p.tally, map[string]*losses{}
	p.cuts(t, all[1:3], filepath.Join(p.dir, "nosync/pgbundle"), max(10, n/5), 3*time.Second)
	s.evidence.Facts["control"] = p.tally
	s.evidence.Facts["seconds"] = time.Since(began).Seconds()
	caught, broken := 0, 0
	for _, l := range p.tally {
		for _, bad := range l.Bad {
			caught++
			if strings.Contains(bad, "status says") { // what is active is not whole
				broken++
			}
		}
	}
	s.evidence.Facts["controlCaught"], s.evidence.Facts["controlBroken"] = caught, broken
	if caught == 0 {
		t.Error("a program that syncs nothing was not caught: this test proves nothing")
	}
}

// cuts makes n cuts, of each operation in turn, several of each recording. After
// the program has ended the kernel goes on writing for a while.
func (p *power) cuts(t *testing.T, all []outage, program string, n int, tail time.Duration) {
	perRecording := max(1, min(10, n/len(all)))
	for i := 0; n > 0; i++ {
		o := all[i%len(all)]
		if p.tally[o.name] == nil {
			p.tally[o.name] = &losses{Ways: map[string]int{}, Bad: []string{}}
		}
		p.recorded(t, o, program, min(n, perRecording), tail)
		if t.Failed() {
			return
		}
		n -= perRecording
	}
}

// one is the release that the first bundle becomes.
func (p *power) one(t *testing.T) string {
	out := p.must(t, command{name: "the id of a", args: []string{"sh", "-c", `tar xzOf "$1" airgap-bundle/manifest.yaml | sha256sum`, "sh", filepath.Join(p.dir, "a.tar.gz")}})
	return out[:12] + "-target"
}

// record is one operation, as the disk saw it.
type record struct {
	outage
	disk       *disk
	began, end int      // events when the program was started, and when it had succeeded
	active     []string // before and after
	want       state
	whole      map[string][]state
}

// recorded records an operation once, and makes so many cuts of it.
func (p *power) recorded(t *testing.T, o outage, program string, cuts int, tail time.Duration) {
	t.Helper()
	r := &record{outage: o, whole: map[string][]state{}}
	file, at := filepath.Join(p.dir, "disk"), filepath.Join(p.dir, "root")
	r.disk = newDisk(t, file, 160<<20)
	if err := p.perform(r, file, at, program, tail); err != nil {
		t.Fatalf("record %s: %v", o.name, err)
	}
	l := p.tally[o.name]
	for _, e := range r.disk.log {
		if e.data == nil {
			l.Flushes++
		} else {
			l.Writes++
		}
	}
	for i := range cuts {
		after, way := p.moment(r, i), []string{mixed, dropped, inOrder}[l.Cuts%3]
		l.Cuts++
		l.Ways[way]++
		if after >= r.end {
			l.After++
		}
		if err := p.judge(r, r.disk.cut(p.random, after, way), after, l); err != nil {
			l.Bad = append(l.Bad, fmt.Sprintf("cut after event %d of %d (done at %d), %s: %v", after, len(r.disk.log), r.end, way, err))
		}
	}
}

// moment draws when the power goes: by turns any event of all, most of which
// write files, and any event of one span between flushes, where the few that
// switch count as much.
func (p *power) moment(r *record, turn int) int {
	length := len(r.disk.log)
	if turn%2 == 0 {
		return r.began + p.random.IntN(length-r.began+1)
	}
	var flushes []int
	for i := r.began; i < length; i++ {
		if r.disk.log[i].data == nil {
			flushes = append(flushes, i)
		}
	}
	if len(flushes) == 0 {
		return length
	}
	n := p.random.IntN(len(flushes))
	from := r.began
	if n > 0 {
		from = flushes[n-1] + 1
	}
	return from + p.random.IntN(flushes[n]-from+1)
}

// perform makes the disk, does what comes before, and records the operation.
func (p *power) perform(r *record, file, at, program string, tail time.Duration) error {
	run := func(words ...string) error { return quietly(p.dir, words...) }
	pgbundle := func(program string, words []string) error {
		return run(append([]string{"sh", "-c", `umask 077; exec "$@"`, "sh", program}, append(words, "--root", at)...)...)
	}
	mount := func() error { return run("mount", "-o", "loop,commit=1", file, at) }
	err := errors.Join(os.MkdirAll(at, 0o755),
		run("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", file),
		mount(), p.likeImage(at))
	for _, words := range r.before {
		if err == nil {
			err = pgbundle(p.pgbundle(), words)
		}
	}
	if err == nil {
		err = r.stand(p, at)
	}
	if err := errors.Join(err, run("umount", at)); err != nil {
		return err
	}
	r.disk.record()
	if err := mount(); err != nil {
		return err
	}
	r.began = r.disk.length()
	err = pgbundle(program, r.words)
	r.end = r.disk.length()
	if err == nil {
		time.Sleep(tail)
		err = r.stand(p, at)
	}
	r.disk.freeze()
	return errors.Join(err, run("umount", at))
}

// likeImage makes the folders and words of an image that pgbundle looks at.
func (p *power) likeImage(at string) error {
	release, err := os.ReadFile(filepath.Join(p.node, "usr/lib/os-release"))
	if err != nil {
		return err
	}
	for _, folder := range []string{"etc/yum.repos.d", "usr/bin", "usr/local/bin", "opt", "var/log"} {
		if err := os.MkdirAll(filepath.Join(at, folder), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(at, "etc/os-release"), release, 0o644)
}

// stand notes a node that nothing disturbed.
func (r *record) stand(p *power, at string) error {
	v, err := p.status(at)
	if err != nil {
		return err
	}
	if r.want, err = stateOf(at); err != nil {
		return err
	}
	if left := r.want.unfinished(); len(left) > 0 {
		return fmt.Errorf("left, though nothing disturbed it: %v", left)
	}
	r.active = append(r.active, v.Active)
	r.want.wholeIn(r.whole)
	return nil
}

// status asks the program as it is shipped.
func (p *power) status(at string) (*verdict, error) {
	out, err := exec.Command(p.pgbundle(), "status", "--verify", "--json", "--root", at).Output()
	v := &verdict{}
	if jsonErr := json.Unmarshal(out, v); jsonErr != nil {
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, ended.Stderr)
		}
		return nil, fmt.Errorf("status: %w", errors.Join(err, jsonErr))
	}
	return v, nil
}

// judge starts the machine again: the disk as it is, checked as at every boot.
func (p *power) judge(r *record, image []byte, after int, l *losses) error {
	file, at := filepath.Join(p.dir, "cut"), filepath.Join(p.dir, "again")
	if err := errors.Join(os.WriteFile(file, image, 0o600), os.MkdirAll(at, 0o755)); err != nil {
		return err
	}
	if err := checked(file); err != nil {
		return err
	}
	if err := quietly(p.dir, "mount", "-o", "loop", file, at); err != nil {
		return err
	}
	err := p.restarted(r, at, after, l)
	return errors.Join(err, quietly(p.dir, "umount", at))
}

func (p *power) restarted(r *record, at string, after int, l *losses) error {
	v, err := p.status(at)
	if err != nil {
		return err
	}
	found, err := stateOf(at)
	if err != nil {
		return err
	}
	active := r.active
	if after >= r.end {
		active = active[1:]
	}
	if err := found.vouched(v, active, r.whole); err != nil {
		return err
	}
	if v.Active == r.active[1] {
		l.New++
	} else {
		l.Old++
	}
	if err := quietly(p.dir, append(append([]string{p.pgbundle()}, r.words...), "--root", at)...); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if found, err = stateOf(at); err != nil {
		return err
	}
	if err := found.differs(r.want); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	return nil
}

// harmless is what e2fsck may repair after a power cut, beside replaying the
// journal: the totals in the superblock, which ext4 does not journal since they
// follow from the groups, and orphans, which were removed and still open.
var harmless = regexp.MustCompile(`(?s)^(Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.\s+Fix\? yes\s+|Clearing orphaned inode[^\n]*\n|Pass \d: [^\n]*\n|e2fsck [^\n]*\n|[^\n]*: (recovering journal|\*+ FILE SYSTEM WAS MODIFIED \*+|\d+/\d+ files [^\n]*)\n|\s+)*$`)

// checked lets e2fsck repair the file system as at a boot, judges what there was
// to repair, and lets it look again.
func checked(file string) error {
	out, err := exec.Command("e2fsck", "-fy", file).CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 1 && harmless.Match(out) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("e2fsck -fy: %w\n%s", err, out)
	}
	if out, err := exec.Command("e2fsck", "-fn", file).CombinedOutput(); err != nil {
		return fmt.Errorf("e2fsck -fn after a repair: %w\n%s", err, out)
	}
	return nil
}

// quietly runs a command that has to succeed.
func quietly(dir string, words ...string) error {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, tail(string(out)))
	}
	return nil
}
