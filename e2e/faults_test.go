//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

// patient is an image whose file system fails, with bundles to install in it.
type patient struct {
	checkout string
	work     string
	bundles  map[string]string   // word → archive
	ids      map[string]string   // word → id
	starts   map[string]string   // scenario → folder with what is there before
	counts   map[string]int      // operations of a scenario with nothing wrong
	ends     map[string][]string // scenario → listing afterwards, with nothing wrong
	d        *rand.Rand
	points   []point
}

// scenario is something that is done to a node while its disk fails.
type scenario struct {
	name   string
	before [][]string // command lines that lead to the state before
	args   []string
	again  []string // what is called when the fault is gone; nil: args
	from   string   // release that is active before; empty: none
	to     string   // and after
	spare  string   // release that is removed, if all goes well
	legacy bool     // what older scripts made is there before, in the link's place
}

// point is one fault and what came of it.
type point struct {
	Scenario string `json:"scenario"`
	Kind     string `json:"kind"`
	fault
	Of      int    `json:"of"`  // operations of that kind in a run without a fault
	Hit     string `json:"hit"` // the first operation that failed
	Status  int    `json:"status"`
	Error   string `json:"error"`
	Active  string `json:"active"` // afterwards, seen without the fault
	Outcome string `json:"outcome"`
}

// faultKinds are how a file system fails.
var faultKinds = []struct {
	name string
	fault
}{
	{"full", fault{Operations: takes, Error: syscall.ENOSPC}},
	{"I/O error on every change", fault{Operations: changes, Error: syscall.EIO}},
	{"full once", fault{Operations: takes, Error: syscall.ENOSPC, Once: true}},
	{"I/O error on one change", fault{Operations: changes, Error: syscall.EIO, Once: true}},
	{"I/O error on one read", fault{Operations: reads, Error: syscall.EIO, Once: true}},
	{"I/O error on every read", fault{Operations: reads, Error: syscall.EIO}},
}

// TestFaults lets the disk of a node be full or broken while pgbundle works on
// it: PGBUNDLE_FAULT_POINTS moments of it, else a few. Afterwards one whole
// release is active, the old or the new one, and the same command again, on a
// sound disk, does what it was to do.
func TestFaults(t *testing.T) {
	if !inOwnNamespace(t) {
		return
	}
	began := time.Now().UTC()
	points := times(t, "PGBUNDLE_FAULT_POINTS", 20)
	seed := rand.Uint64()
	if text := os.Getenv("PGBUNDLE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("PGBUNDLE_SEED=%q: takes a number", text)
		}
	}
	t.Logf("PGBUNDLE_SEED=%d", seed)
	x := newPatient(t, seed)
	scenarios := x.scenarios()
	large := scenario{name: "install a large one", args: []string{"install", "--role", "target", "--bundle", x.bundles["large"]}, to: x.ids["large"] + "-target"}
	full := x.fullDisks(t, large)
	first := x.d.IntN(len(scenarios) * len(faultKinds)) // a short run is another part of all pairs each time
	for i := first; i < first+points; i++ {
		x.point(t, scenarios[i%len(scenarios)], faultKinds[(i/len(scenarios)+i%len(scenarios))%len(faultKinds)].name)
	}
	outcomes := map[string]int{}
	for _, p := range x.points {
		outcomes[p.Kind+": "+p.Outcome]++
	}
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%3d × %s", outcomes[o], o)
	}
	e := evidence{
		World:   "a file system of our own (FUSE) over a folder, a tmpfs and an ext4 image on a loop device; role target and control into an image (--root), so that the node's programs are not run",
		NotRun:  []string{"syncfs that fails: the kernel does not pass it to FUSE", "a disk whose write-back fails later"},
		Started: began, Tools: map[string]string{},
		Facts: map[string]any{"seed": strconv.FormatUint(seed, 10), "points": x.points, "outcomes": outcomes, "fullDisks": full},
	}
	if dir := os.Getenv("PGBUNDLE_TESTBED"); dir != "" {
		e.write(t, filepath.Join(dir, "evidence"), "faults.json")
	}
}

// inOwnNamespace runs a test again in a mount namespace of its own: what it
// mounts goes away with it, however it ends. It says whether this is that run.
func inOwnNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("PGBUNDLE_OWN_MOUNTS") != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root: it mounts file systems of its own")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=30m")
	cmd.Env = append(os.Environ(), "PGBUNDLE_OWN_MOUNTS=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Fatalf("in a mount namespace of its own: %v", err)
	}
	return false
}

func newPatient(t *testing.T, seed uint64) *patient {
	t.Helper()
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	x := &patient{
		checkout: checkout, work: t.TempDir(), bundles: map[string]string{}, ids: map[string]string{},
		starts: map[string]string{}, counts: map[string]int{}, ends: map[string][]string{}, d: rand.New(rand.NewPCG(seed, 0)),
	}
	for _, word := range []string{"one", "two", "three"} {
		x.bundles[word] = filepath.Join(x.work, word+".tar.gz")
		x.ids[word] = smallBundle(t, x.bundles[word], word, 0)
	}
	x.bundles["large"] = filepath.Join(x.work, "large.tar.gz")
	x.ids["large"] = smallBundle(t, x.bundles["large"], "large", 5<<20)
	return x
}

// smallBundle writes a bundle of some 2 MB, and size times a word, and returns its
// id. Its packages are none: no program of the node sees them.
func smallBundle(t *testing.T, path, word string, size int) string {
	t.Helper()
	files := map[string][]byte{
		"pgbundle": []byte("\x7fELF " + word), "airgap-install.sh": []byte("#!/bin/sh\n"),
		"rpms/repodata/repomd.xml": []byte("<repomd/>" + word), "rpms/keys/RPM-GPG-KEY-patroni-airgap": []byte("key"),
		"wheels/target/requirements.lock": []byte("patroni==3.3.11\n"), "wheels/target/patroni.whl": bytes.Repeat([]byte(word), 50_000),
		"wheels/target/large.whl": bytes.Repeat([]byte(word), size), "wheels/control/requirements.lock": []byte("ansible-core==2.15.13\n"), "wheels/control/ansible_core.whl": bytes.Repeat([]byte(word), 90_000),
		"collections/requirements.yml": []byte("collections: []\n"), "etcd/etcd-v3.5.16-linux-amd64.tar.gz": bytes.Repeat([]byte(word), 200_000),
	}
	for i := range 12 {
		files[fmt.Sprintf("rpms/package-%d-1.el9.x86_64.rpm", i)] = bytes.Repeat([]byte(word), 1+i*2_000)
	}
	m := &manifest.Manifest{Version: 1, Lock: manifest.Lock{
		Version: 1, Spec: strings.Repeat("5", 64), Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Target: manifest.Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.11", NodePython: "3.11"},
	}, Checked: []manifest.Check{{Name: "closure", Result: "closed"}}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode := uint32(0o644)
		if !strings.Contains(name, "/") {
			mode = 0o755
		}
		m.Files = append(m.Files, manifest.File{Path: name, Size: int64(len(files[name])), Mode: mode, SHA256: manifest.Digest(files[name])})
	}
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	written, err := bundle.Write(t.Context(), f, bundle.Content{Manifest: raw, Open: func(_ context.Context, path string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files[path])), nil
	}}, bundle.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return written.ID
}

func (x *patient) scenarios() []scenario {
	install := func(word, role string) []string {
		return []string{"install", "--role", role, "--bundle", x.bundles[word]}
	}
	one, two, three := x.ids["one"]+"-target", x.ids["two"]+"-target", x.ids["three"]+"-target"
	both := [][]string{install("one", "target"), install("two", "target")}
	return []scenario{
		{name: "install", args: install("one", "target"), to: one},
		{name: "install over another", before: both, args: install("three", "target"), from: two, to: three, spare: one},
		{name: "install over older scripts", args: install("one", "target"), to: one, legacy: true},
		{name: "add a role", before: both[:1], args: install("one", "control"), from: one, to: x.ids["one"] + "-both"},
		{name: "roll back", before: both, args: []string{"rollback"}, again: []string{"rollback", "--to", one}, from: two, to: one},
		{name: "uninstall", before: both, args: []string{"uninstall", "--purge"}, from: two},
	}
}

// pgbundle runs the program on an image and returns what it says and its status.
func (x *patient) pgbundle(t *testing.T, root string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(x.checkout, "bin", "pgbundle"), append([]string{args[0], "--root", root}, args[1:]...)...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	runErr := cmd.Run()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("pgbundle %s: %v", strings.Join(args, " "), errors.Join(runErr, ctx.Err()))
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// legacyFile is what older scripts have put on a node.
const legacyFile = "opt/patroni-airgap/rpms/old.rpm"

// start copies what is there before a scenario to a new folder.
func (x *patient) start(t *testing.T, s scenario, to string) {
	t.Helper()
	from, ok := x.starts[s.name]
	if !ok {
		from = filepath.Join(x.work, "start "+s.name)
		if err := errors.Join(os.MkdirAll(filepath.Join(from, "etc"), 0o755), os.WriteFile(filepath.Join(from, "etc/os-release"),
			[]byte("ID=rhel\nID_LIKE=fedora\nVERSION_ID=\"9.4\"\nNAME=\"Red Hat Enterprise Linux\"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if s.legacy {
			if err := errors.Join(os.MkdirAll(filepath.Join(from, legacyFile, ".."), 0o755), os.WriteFile(filepath.Join(from, legacyFile), []byte("old"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range s.before {
			if _, stderr, status := x.pgbundle(t, from, args...); status != 0 {
				t.Fatalf("before %s: %v: exit status %d\n%s", s.name, args, status, stderr)
			}
		}
		x.starts[s.name] = from
	}
	if out, err := exec.Command("cp", "-a", "-T", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run does a scenario on a disk with a fault, and leaves the disk behind.
func (x *patient) run(t *testing.T, s scenario, what fault) (below string, f *failing, stderr string, status int) {
	t.Helper()
	dir, err := os.MkdirTemp(x.work, "disk")
	if err != nil {
		t.Fatal(err)
	}
	below, mountpoint := filepath.Join(dir, "below"), filepath.Join(dir, "mnt")
	x.start(t, s, below)
	if err := os.Mkdir(mountpoint, 0o755); err != nil {
		t.Fatal(err)
	}
	f, unmount := mountFailing(t, below, mountpoint, what)
	_, stderr, status = x.pgbundle(t, mountpoint, s.args...)
	unmount()
	return below, f, stderr, status
}

// point tries one moment of a scenario.
func (x *patient) point(t *testing.T, s scenario, kind string) {
	t.Helper()
	p := point{Scenario: s.name, Kind: kind}
	for _, k := range faultKinds {
		if k.name == kind {
			p.fault = k.fault
		}
	}
	if p.Of = x.counts[s.name+kind]; p.Of == 0 {
		below, f, stderr, status := x.run(t, s, p.fault)
		if status != 0 {
			t.Fatalf("%s with nothing wrong: exit status %d\n%s", s.name, status, stderr)
		}
		p.Of = f.count
		x.counts[s.name+kind] = f.count
		x.ends[s.name] = listing(t, below)
		os.RemoveAll(filepath.Dir(below))
	}
	p.At = 1 + x.d.IntN(p.Of)
	below, f, stderr, status := x.run(t, s, p.fault)
	defer os.RemoveAll(filepath.Dir(below))
	p.Status, p.Error = status, strings.ReplaceAll(lastLine(stderr), filepath.Dir(below), "")
	p.Hit = "nothing"
	if len(f.hits) > 0 {
		p.Hit = f.hits[0]
	}
	p.Outcome = x.judge(t, s, &p, below, stderr)
	x.points = append(x.points, p)
	t.Logf("%s, %s at %d of %d (%s): exit status %d, %s: %s", s.name, kind, p.At, p.Of, p.Hit, p.Status, p.Outcome, p.Error)
}

// named is an error as the style asks for: an operation, an object, the cause.
var named = regexp.MustCompile(`pgbundle: .*[a-z]+ .*(/|SHA256SUMS|-target|-control|-both|\.ya?ml|release|base|bundle|node|log).*(no space left on device|input/output error)`)

// judge looks at the disk without the fault: what is active, is it whole, and
// does the command do its work now.
func (x *patient) judge(t *testing.T, s scenario, p *point, below, stderr string) string {
	t.Helper()
	what := fmt.Sprintf("%s, %s at %d of %d (%s)", s.name, p.Kind, p.At, p.Of, p.Hit)
	if p.Hit == "nothing" && p.Status == 0 {
		return "not reached: another order of the same work"
	}
	if p.Status != 0 && p.Status != 1 {
		t.Errorf("%s: exit status %d, want 1\n%s", what, p.Status, stderr)
	}
	if p.Status != 0 && !named.MatchString(strings.ReplaceAll(stderr, "\n", " ")) {
		t.Errorf("%s: the error does not name operation, object and cause:\n%s", what, stderr)
	}
	st := x.status(t, what, below, s)
	p.Active = st.Active
	if st.Active != s.from && st.Active != s.to {
		t.Errorf("%s: active is %q, neither the old nor the new release", what, st.Active)
	}
	outcome := map[bool]string{true: "the new release is active", false: "the old release is active"}[st.Active == s.to]
	if p.Status == 0 {
		outcome = "done all the same"
		if now := listing(t, below); !slices.Equal(now, x.ends[s.name]) {
			t.Errorf("%s: called a success, but\n%s", what, difference(x.ends[s.name], now))
		}
	}
	again := s.args
	if s.again != nil {
		again = s.again
	}
	if _, stderr, status := x.pgbundle(t, below, again...); status != 0 {
		t.Errorf("%s: again, on a sound disk: exit status %d\n%s", what, status, stderr)
	}
	if st = x.status(t, what+", then again", below, s); st.Active != s.to {
		t.Errorf("%s: again: active is %q, want %q", what, st.Active, s.to)
	}
	// A run that has nothing to place removes no former release: one that the first
	// run could not remove stays, whole, until another bundle comes.
	if now := without(listing(t, below), s.spare); !slices.Equal(now, x.ends[s.name]) {
		t.Errorf("%s: again, on a sound disk:\n%s", what, difference(x.ends[s.name], now))
	}
	return outcome
}

// nodeStatus is what status --json says of a node, as far as it matters here.
type nodeStatus struct {
	Active   string
	Whole    bool
	Left     []string
	Notes    []string
	Releases []struct{ Name, Fault string }
}

// status asks what is on a disk, which has to be whole; what older scripts made
// is, when it is still in its place.
func (x *patient) status(t *testing.T, what, below string, s scenario) nodeStatus {
	t.Helper()
	stdout, stderr, status := x.pgbundle(t, below, "status", "--verify", "--json")
	var st nodeStatus
	err := json.Unmarshal([]byte(stdout), &st)
	if s.legacy && err == nil && st.Active == "" {
		if _, err := os.Stat(filepath.Join(below, legacyFile)); err != nil || status != 0 || !st.Whole || len(st.Notes) != 1 {
			t.Errorf("%s: status --verify: %v\n%s%s", what, err, stdout, stderr)
		}
		return st
	}
	if err != nil || status != 0 || !st.Whole {
		t.Errorf("%s: status --verify: exit status %d (%v)\n%s%s", what, status, err, stdout, stderr)
	}
	return st
}

// listing is every name on a disk with its type and mode, and where a link goes.
// The logs are left out: each run has its own.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(dir, "var") {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link, _ := os.Readlink(path)
		found = append(found, fmt.Sprintf("%s %s %s", strings.TrimPrefix(path, dir), info.Mode(), link))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// without is a listing without a release, if there is one.
func without(list []string, release string) []string {
	if release == "" {
		return list
	}
	return slices.DeleteFunc(list, func(line string) bool { return strings.HasPrefix(line, "/opt/patroni-airgap.d/"+release) })
}

// difference are the lines that one of two listings lacks.
func difference(want, got []string) string {
	return fmt.Sprintf("lacks %v\nhas also %v", minus(want, got), minus(got, want))
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// fullDisk is one real disk with so much room, and what came of it.
type fullDisk struct {
	Disk   string `json:"disk"`
	Status int    `json:"status"`
	Error  string `json:"error"`
}

// realDisks are file systems that really run full: mount makes one with room for
// everything, fill leaves so many KB of it (or inodes, for nr_inodes).
var realDisks = []struct {
	name, mount, fill string
	rooms             []int
}{
	{"tmpfs", `mount -t tmpfs -o size=48m,nr_inodes=4096 tmpfs "$1"`, `head -c 100m /dev/zero > "$1/filler" 2>/dev/null || true; truncate -s "-$2K" "$1/filler"`, []int{0, 3, 30, 700}},
	{"tmpfs, inodes", `mount -t tmpfs -o size=48m,nr_inodes=400 tmpfs "$1"`, `mkdir "$1/filler"; i=0; while touch "$1/filler/$i" 2>/dev/null; do i=$((i + 1)); done; cd "$1/filler"; ls | head -n "$2" | xargs -r rm`, []int{0, 2, 8, 15}},
	{"ext4", `truncate -s 64M "$1.img"; mkfs.ext4 -q -m 0 "$1.img"; mount -o loop "$1.img" "$1"`, `dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null || true; truncate -s "-$2K" "$1/filler"`, []int{0, 3, 30, 700}},
}

// fullDisks installs on real disks. One that is full before is refused by
// preflight; one that runs full meanwhile is an error of the disk. Neither leaves
// anything, and with room again the same command does its work.
func (x *patient) fullDisks(t *testing.T, s scenario) []fullDisk {
	t.Helper()
	var all []fullDisk
	for _, kind := range realDisks {
		for _, room := range kind.rooms {
			for _, meanwhile := range []bool{false, true} {
				all = append(all, x.fullDisk(t, s, kind.name, kind.mount, kind.fill, room, meanwhile))
			}
		}
	}
	return all
}

func (x *patient) fullDisk(t *testing.T, s scenario, kind, mount, fill string, room int, meanwhile bool) fullDisk {
	t.Helper()
	dir, err := os.MkdirTemp(x.work, "full")
	if err != nil {
		t.Fatal(err)
	}
	shell := func(script string) {
		x.system(t, "sh", "-c", "set -e; "+script, "sh", dir, strconv.Itoa(room))
	}
	shell(mount)
	defer x.system(t, "umount", dir)
	x.start(t, s, dir)
	what := fmt.Sprintf("%s with room for %d, full meanwhile: %v", kind, room, meanwhile)
	want, words := 5, "the node does not fit"
	var stderr string
	var status int
	if meanwhile {
		want, words = 1, "no space left on device"
		stderr, status = x.stopped(t, s, dir, func() { shell(fill) })
	} else {
		shell(fill)
		_, stderr, status = x.pgbundle(t, dir, s.args...)
	}
	if status != want || !strings.Contains(stderr, words) {
		t.Errorf("%s: exit status %d, want %d\n%s", what, status, want, stderr)
	}
	if want == 1 && !named.MatchString(strings.ReplaceAll(stderr, "\n", " ")) {
		t.Errorf("%s: the error does not name operation, object and cause:\n%s", what, stderr)
	}
	if st := x.status(t, what, dir, s); st.Active != "" || len(st.Releases) > 0 || len(st.Left) > 0 {
		t.Errorf("%s: there is %+v", what, st)
	}
	x.system(t, "rm", "-r", filepath.Join(dir, "filler"))
	if _, stderr, status := x.pgbundle(t, dir, s.args...); status != 0 {
		t.Errorf("%s, then with room: exit status %d\n%s", what, status, stderr)
	}
	if st := x.status(t, what+", then with room", dir, s); st.Active != s.to {
		t.Errorf("%s, then with room: %+v", what, st)
	}
	t.Logf("%s: exit status %d", what, status)
	return fullDisk{what, status, strings.ReplaceAll(lastLine(stderr), dir, "")}
}

// stopped does a scenario, halts it when a release has begun, and lets it go on
// after meanwhile.
func (x *patient) stopped(t *testing.T, s scenario, root string, meanwhile func()) (stderr string, status int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(x.checkout, "bin", "pgbundle"), append([]string{s.args[0], "--root", root}, s.args[1:]...)...)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for {
		if found, _ := filepath.Glob(filepath.Join(root, "opt/patroni-airgap.d/*/.incomplete")); len(found) > 0 {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("no release was begun within a minute")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("halt the program: %v: it was too fast for this test", err)
	}
	meanwhile()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	return out.String(), cmd.ProcessState.ExitCode()
}

func (x *patient) system(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
