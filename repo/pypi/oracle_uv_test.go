//go:build oracle

package pypi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// uvTargets are interpreters of EL 9, most of which are not on this host.
var uvTargets = []Target{
	{Python: "3.9.18", Arch: "x86_64"}, {Python: "3.9.18", Arch: "aarch64"},
	{Python: "3.11.7", Arch: "x86_64"}, {Python: "3.11.7", Arch: "aarch64"},
	{Python: "3.12.1", Arch: "x86_64"}, {Python: "3.12.1", Arch: "aarch64"},
}

// uvOracle is uv with a cache and the index of this host's pip.
type uvOracle struct {
	folder string
	env    []string
}

func newUv(t *testing.T) *uvOracle {
	t.Helper()
	o := &uvOracle{folder: t.TempDir()}
	venv := filepath.Join(o.folder, "venv")
	for _, args := range [][]string{{"python3", "-m", "venv", venv}, {filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "-q", "-U", "pip", "uv"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = pipEnv()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	config := pipConfig(t)
	o.env = append(os.Environ(), "UV_DEFAULT_INDEX="+config.IndexURL, "UV_CACHE_DIR="+filepath.Join(o.folder, "cache"), "UV_NO_CONFIG=1", "UV_CONCURRENT_BUILDS=1")
	if config.Cert != "" {
		o.env = append(o.env, "SSL_CERT_FILE="+config.Cert)
	}
	return o
}

func (o *uvOracle) program(name string) string { return filepath.Join(o.folder, "venv", "bin", name) }

// resolve returns "name==version" for each project, or an error for no solution.
func (o *uvOracle) resolve(ctx context.Context, set paritySet, target Target) ([]string, error) {
	args := []string{"pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--no-strip-extras",
		"--python", o.program("python"), "--python-version", target.Python, "--python-platform", target.Arch + "-manylinux_2_34"}
	if len(set.constraints) > 0 {
		name := filepath.Join(o.folder, fmt.Sprintf("constraints-%x.txt", strings.Join(set.constraints, " ")))
		if err := os.WriteFile(name, []byte(strings.Join(set.constraints, "\n")+"\n"), 0o644); err != nil {
			return nil, err
		}
		args = append(args, "--constraint", name)
	}
	cmd := exec.CommandContext(ctx, o.program("uv"), args...)
	cmd.Env = o.env
	cmd.Stdin = strings.NewReader(strings.Join(set.requirements, "\n") + "\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := stderr.String(); !strings.Contains(text, "No solution found") {
			return nil, fmt.Errorf("uv: %.200s", text)
		}
		return nil, errNoSolution
	}
	var out []string
	for line := range strings.Lines(stdout.String()) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), "==")
		if !ok {
			return nil, fmt.Errorf("uv says %q", line)
		}
		name, _, _ = strings.Cut(name, "[")
		out = append(out, name+"=="+version)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// platforms are the tags of PEP 600 and its forerunners for glibc 2.34, the
// preferred first.
func (o *uvOracle) platforms(arch string) []string {
	older := map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
	last := 5
	if arch != "x86_64" {
		last = 17
	}
	var out []string
	for minor := 34; minor >= last; minor-- {
		out = append(out, "--platform", fmt.Sprintf("manylinux_2_%d_%s", minor, arch))
		if name := older[minor]; name != "" {
			out = append(out, "--platform", name+"_"+arch)
		}
	}
	return append(out, "--platform", "linux_"+arch)
}

// files returns the wheels that pip takes for pins on a target: which files
// there are for a version, uv does not tell.
func (o *uvOracle) files(ctx context.Context, pins []string, target Target) ([]string, error) {
	args := []string{"-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--no-deps", "--only-binary", ":all:",
		"--target", filepath.Join(o.folder, "nowhere"), "--implementation", "cp", "--python-version", target.Python}
	cmd := exec.CommandContext(ctx, o.program("python"), append(append(args, o.platforms(target.Arch)...), pins...)...)
	cmd.Env = pipEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		text := stderr.String()
		return nil, fmt.Errorf("pip: %s", text[max(len(text)-400, 0):])
	}
	return reportedFiles(stdout)
}

// longest bounds one set: some go back through hundreds of versions, and read
// the metadata of each, as pip does, where uv needs few.
const longest = time.Minute

// pin is what one set gives on a target.
type pin struct{ project, version, filename string }

// TestParityWithUv resolves for targets that are not this host, natively and
// with uv, and compares versions; then it asks pip which files of these
// versions a target takes. A source archive that is refused here counts as the
// same when uv chose it too.
func TestParityWithUv(t *testing.T) {
	index := oracleIndex(t)
	uv := newUv(t)
	all := paritySets(t)
	compared, reasons := 0, map[string]int{}
	for i, target := range uvTargets {
		if !strings.Contains(target.String(), os.Getenv("PGBUNDLE_TARGET")) {
			continue // PGBUNDLE_TARGET takes the targets that hold its words
		}
		sets := uvSets(all, i)
		var mu sync.Mutex
		var same, listed, broken int
		pins := map[pin]bool{}
		each(sets, func(set paritySet) {
			name := set.String()
			want, uvErr := uv.resolve(t.Context(), set, target)
			r := &Resolver{Index: index, Target: target, Constraints: set.constraints}
			ctx, cancel := context.WithTimeout(t.Context(), longest)
			resolution, err := r.Resolve(ctx, set.requirements)
			cancel()
			got, agreed := versions(resolution, err, want)
			_, unsolvable := errors.AsType[*Unsolvable](err)
			mu.Lock()
			defer mu.Unlock()
			reason := uvDiffers[name]
			switch {
			case uvErr == nil && agreed, errors.Is(uvErr, errNoSolution) && unsolvable:
				same++
				for _, f := range filesOf(resolution) {
					pins[pin{f.Name, f.Version, f.Filename}] = true
				}
			case uvErr != nil && !errors.Is(uvErr, errNoSolution), errors.Is(err, context.DeadlineExceeded):
				broken++
				t.Logf("%s: %s: %v; here: %.300v", target, name, uvErr, err)
			case reason != "":
				listed++
				reasons[name+": "+reason]++
			default:
				t.Errorf("%s: %s\n only uv:   %v %v\n only here: %v %v", target, name, minus(want, got), uvErr, minus(got, want), err)
			}
		})
		compared += len(sets) - broken
		files := uv.compareFiles(t, pins, target)
		t.Logf("%s: %d sets, %d the same, %d differ for a reason, %d failed in uv or took too long; %d files as pip takes them", target, len(sets), same, listed, broken, files)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%d× %s", reasons[name], name)
		total += reasons[name]
	}
	if whole := os.Getenv("PGBUNDLE_PARITY") == ""; whole && total*100 > compared {
		t.Errorf("%d of %d differ: more than one in a hundred", total, compared)
	}
}

// uvSets are the sets for the i-th target: the default ones, and every third of
// the others, so that each is compared for two interpreters. PGBUNDLE_PARITY
// takes all that hold its words instead.
func uvSets(all []paritySet, i int) (out []paritySet) {
	only := os.Getenv("PGBUNDLE_PARITY")
	for j, set := range all {
		if only == "" && (strings.HasSuffix(set.section, "by default.") || j%3 == i%3) || only != "" && strings.Contains(set.String(), only) {
			out = append(out, set)
		}
	}
	return out
}

func (s paritySet) String() string {
	return strings.Join(s.requirements, " ") + strings.Join(append([]string{""}, s.constraints...), " -c ")
}

// each runs a function on all sets, two at a time.
func each(sets []paritySet, run func(paritySet)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, set := range sets {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			run(set)
		})
	}
	running.Wait()
}

func filesOf(r *Resolution) []Chosen {
	if r == nil {
		return nil
	}
	return r.Files
}

// versions returns an answer as uv writes it, and whether it is the wanted one.
// Of a refusal it is the archives that are refused: uv wants those too.
func versions(r *Resolution, err error, want []string) (got []string, agreed bool) {
	for _, f := range filesOf(r) {
		got = append(got, f.Name+"=="+f.Version)
	}
	slices.Sort(got)
	refused, ok := errors.AsType[*Unbuildable](err)
	if !ok {
		return got, slices.Equal(got, want)
	}
	for _, a := range refused.Archives {
		got = append(got, a.Name+"=="+a.Version)
	}
	return got, len(minus(got, want)) == 0
}

// compareFiles asks pip for all pins whose version has a wheel for a platform,
// each project once in a call, and compares file names.
func (o *uvOracle) compareFiles(t *testing.T, pins map[pin]bool, target Target) int {
	t.Helper()
	rounds := map[string][]pin{}
	most := 0
	for p := range pins {
		if strings.HasSuffix(p.filename, ".whl") && !strings.HasSuffix(p.filename, "-none-any.whl") {
			rounds[p.project] = append(rounds[p.project], p)
			most = max(most, len(rounds[p.project]))
		}
	}
	compared := 0
	for i := range most {
		var asked, want []string
		for _, all := range rounds {
			if i < len(all) {
				asked = append(asked, all[i].project+"=="+all[i].version)
				want = append(want, all[i].filename)
			}
		}
		slices.Sort(asked)
		slices.Sort(want)
		got, err := o.files(t.Context(), asked, target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		compared += len(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: only pip %v, only here %v", target, minus(got, want), minus(want, got))
		}
	}
	return compared
}

// uvDiffers are the sets on which uv and pip differ, and why.
var uvDiffers = map[string]string{
	"patroni[aws]": "the order of the search: uv keeps the newest python-dateutil, which patroni asks for first, and goes back to a boto3 of 2014; pip keeps boto3",
}
