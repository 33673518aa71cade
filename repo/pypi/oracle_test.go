//go:build oracle

package pypi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgbundle/repo/fetch"
)

// The set of an oracle: requirements and constraints, in the file
// testdata/parity.txt as "REQ REQ… [-c CONSTRAINT]…", below a comment that names
// their section.
type paritySet struct {
	requirements, constraints []string
	section                   string
}

func paritySets(t *testing.T) []paritySet {
	data, err := os.ReadFile("testdata/parity.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []paritySet
	section := ""
	for line := range strings.Lines(string(data)) {
		line, comment, _ := strings.Cut(line, "#")
		if line == "" {
			section = strings.TrimSpace(comment)
		}
		set := paritySet{section: section}
		fields := strings.Fields(line)
		for i := 0; i < len(fields); i++ {
			if fields[i] == "-c" && i+1 < len(fields) {
				i++
				set.constraints = append(set.constraints, fields[i])
			} else {
				set.requirements = append(set.requirements, fields[i])
			}
		}
		if len(set.requirements) > 0 {
			out = append(out, set)
		}
	}
	return out
}

// pipOracle is an interpreter with a recent pip in a virtual environment.
type pipOracle struct {
	python, folder string
	target         Target
	version        string
}

func newPip(t *testing.T, interpreter string) *pipOracle {
	t.Helper()
	o := &pipOracle{folder: t.TempDir()}
	o.python = filepath.Join(o.folder, "venv", "bin", "python")
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Env = pipEnv()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run(interpreter, "-m", "venv", filepath.Join(o.folder, "venv"))
	run(o.python, "-m", "pip", "install", "-q", "-U", "pip")
	o.target = Target{
		Python: run(o.python, "-c", "import platform; print(platform.python_version())"),
		Arch:   run(o.python, "-c", "import platform; print(platform.machine())"),
		Glibc:  run(o.python, "-c", "import platform; print(platform.libc_ver()[1])"),
	}
	o.version = run(o.python, "-c", "import pip; print(pip.__version__)")
	return o
}

// pipEnv is the environment without folders that would change pip's answer.
func pipEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PIP_FIND_LINKS=") })
}

// resolve returns "name==version file" lines, or an error for no solution.
func (o *pipOracle) resolve(ctx context.Context, set paritySet) ([]string, error) {
	args := []string{"-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"}
	if len(set.constraints) > 0 {
		name := filepath.Join(o.folder, fmt.Sprintf("constraints-%x.txt", strings.Join(set.constraints, " ")))
		if err := os.WriteFile(name, []byte(strings.Join(set.constraints, "\n")+"\n"), 0o644); err != nil {
			return nil, err
		}
		args = append(args, "-c", name)
	}
	cmd := exec.CommandContext(ctx, o.python, append(args, set.requirements...)...)
	cmd.Env = pipEnv()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		text := stderr.String()
		if strings.Contains(text, "ResolutionImpossible") || strings.Contains(text, "No matching distribution") {
			return nil, errNoSolution
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		return nil, fmt.Errorf("pip: %s", lines[len(lines)-1])
	}
	return reportedFiles(stdout.Bytes())
}

// reportedFiles are the sorted names of the files in a report of pip.
func reportedFiles(data []byte) ([]string, error) {
	var report struct {
		Install []struct {
			Download struct {
				URL string `json:"url"`
			} `json:"download_info"`
			Metadata struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"metadata"`
		} `json:"install"`
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, err
	}
	var out []string
	for _, i := range report.Install {
		u, err := url.Parse(i.Download.URL)
		if err != nil {
			return nil, err
		}
		out = append(out, path.Base(u.Path))
	}
	slices.Sort(out)
	return out, nil
}

var errNoSolution = errors.New("no solution")

// pipConfig is where pip on this host looks for packages.
func pipConfig(t *testing.T) *PipConfig {
	t.Helper()
	config, err := ConfigurePip("", PipHost{Env: os.LookupEnv, ReadFile: os.ReadFile, Help: func() ([]byte, error) {
		cmd := exec.Command("python3", "-m", "pip", "install", "--help")
		cmd.Env = append(pipEnv(), "COLUMNS=1000")
		return cmd.Output()
	}})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// oracleIndex is the index that pip on this host uses.
func oracleIndex(t *testing.T) Index {
	t.Helper()
	config := pipConfig(t)
	options := fetch.Options{CacheDir: t.TempDir()}
	if config.Cert != "" {
		if pem, err := os.ReadFile(config.Cert); err == nil {
			options.CACert = [][]byte{pem}
		}
	}
	client, err := fetch.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	index, err := Open(client, config.IndexURL)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// interpreters are the Pythons to compare with: PGBUNDLE_PYTHONS, paths
// separated by colons, or the one called python3.
func interpreters() []string {
	if list := os.Getenv("PGBUNDLE_PYTHONS"); list != "" {
		return filepath.SplitList(list)
	}
	return []string{"python3"}
}

// filenames are those of the archives that were refused.
func (e *Unbuildable) filenames() (list []string) {
	for _, a := range e.Archives {
		list = append(list, a.Filename)
	}
	return list
}

// TestParityWithPip resolves every set with the newest pip of each interpreter
// and natively, on the same index, and compares file by file. Of a refusal it is
// the archives that are refused, which pip has to choose too.
func TestParityWithPip(t *testing.T) {
	index := oracleIndex(t)
	sets := paritySets(t)
	if only := os.Getenv("PGBUNDLE_PARITY"); only != "" {
		sets = slices.DeleteFunc(sets, func(s paritySet) bool { return !strings.Contains(strings.Join(s.requirements, " "), only) })
	}
	for _, interpreter := range interpreters() {
		pip := newPip(t, interpreter)
		var mu sync.Mutex
		var same, refused, differ, broken int
		var running sync.WaitGroup
		slots := make(chan struct{}, 2)
		for _, set := range sets {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				name := strings.Join(slices.Concat(set.requirements, set.constraints), " ")
				want, pipErr := pip.resolve(t.Context(), set)
				r := &Resolver{Index: index, Target: pip.target, Constraints: set.constraints}
				resolution, err := r.Resolve(t.Context(), set.requirements)
				var got []string
				if err == nil {
					for _, f := range resolution.Files {
						got = append(got, f.Filename)
					}
					slices.Sort(got)
				}
				unbuildable, _ := errors.AsType[*Unbuildable](err)
				_, unsolvable := errors.AsType[*Unsolvable](err)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case unbuildable != nil && (pipErr != nil || len(minus(unbuildable.filenames(), want)) == 0):
					refused++
					t.Logf("%s: refused: %v; pip: %v", name, err, pipErr)
				case pipErr == nil && slices.Equal(got, want), errors.Is(pipErr, errNoSolution) && unsolvable:
					same++
				case pipErr != nil && !errors.Is(pipErr, errNoSolution):
					broken++
					t.Logf("%s: %v; here: %v %v", name, pipErr, got, err)
				default:
					differ++
					t.Errorf("Python %s: %s\n only pip:  %v %v\n only here: %v %v", pip.target.Python, name, minus(want, got), pipErr, minus(got, want), err)
				}
			})
		}
		running.Wait()
		t.Logf("Python %s, pip %s: %d sets, %d the same, %d differ, %d refused here for a source archive, %d failed in pip", pip.target.Python, pip.version, len(sets), same, differ, refused, broken)
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
