//go:build oracle

package pypi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// randomWorlds is how many indexes are made: about two minutes.
const randomWorlds = 400

// TestRandomIndexesLikePip compares answers over small indexes that are made by
// chance, the same in each run. PGBUNDLE_SEED=N makes the one of a seed alone,
// PGBUNDLE_SEED=N+M those of M seeds. A world that is answered differently is
// shown without what it does not need.
func TestRandomIndexesLikePip(t *testing.T) {
	first, many := 1, randomWorlds
	if seed := os.Getenv("PGBUNDLE_SEED"); seed != "" {
		many = 1
		if n, err := fmt.Sscanf(seed, "%d+%d", &first, &many); n == 0 {
			t.Fatal(err)
		}
	}
	oracle := newPip(t, interpreters()[0])
	pip := startPip(t, oracle)
	counts := map[verdict]int{}
	for seed := first; seed < first+many; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			w := newRandomWorld(uint64(seed))
			verdict, _ := pip.judge(t, w)
			if counts[verdict]++; verdict != different {
				return
			}
			for i := 0; i < len(w.smaller()); i++ {
				if smaller := w.smaller()[i]; pip.differs(t, smaller) {
					w, i = smaller, -1
				}
			}
			_, answers := pip.judge(t, w)
			t.Errorf("%s\n%s", w, answers)
		})
	}
	t.Logf("Python %s, pip %s: %v", oracle.target.Python, oracle.version, counts)
}

// verdict says how two answers compare.
type verdict string

const (
	same      verdict = "the same"
	none      verdict = "no solution for both"
	here      verdict = "solved here where pip gives up" // backtrack searches on
	stumbled  verdict = "pip stumbled"                   // over a cycle that it had given up
	different verdict = "different"
)

// pipProcess is a pip that answers one question after the other.
type pipProcess struct {
	target Target
	in     io.Writer
	out    *bufio.Reader
}

// pipDriver answers each line of arguments with a line: what pip would install.
const pipDriver = `
import contextlib, io, json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from pip._internal.commands import create_command
for line in sys.stdin:
    errors, report = io.StringIO(), None
    with contextlib.redirect_stderr(errors):
        code = create_command("install").main(["--isolated", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries", "0",
            "--dry-run", "--ignore-installed", "--report", sys.argv[1]] + json.loads(line))
    if code == 0:
        with open(sys.argv[1], encoding="utf-8") as f:
            report = json.load(f)
    json.dump({"errors": errors.getvalue(), "report": report}, out)
    print(file=out, flush=True)
`

func startPip(t *testing.T, o *pipOracle) *pipProcess {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), o.python, "-c", pipDriver, filepath.Join(t.TempDir(), "report.json"))
	cmd.Env = append(pipEnv(), "PIP_CONFIG_FILE=/dev/null")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &pipProcess{o.target, in, bufio.NewReader(out)}
}

// ask returns the sorted names of files that pip would install, or what it says
// of its failure.
func (p *pipProcess) ask(t *testing.T, args []string) ([]string, error) {
	t.Helper()
	line, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Errors string
		Report json.RawMessage
	}
	if line, err = p.out.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatal(err)
	}
	if string(answer.Report) == "null" {
		return nil, errors.New(answer.Errors)
	}
	files, err := reportedFiles(answer.Report)
	if err != nil {
		t.Fatal(err)
	}
	return files, nil
}

func (p *pipProcess) differs(t *testing.T, w *randomWorld) bool {
	t.Helper()
	verdict, _ := p.judge(t, w)
	return verdict == different
}

// judge asks both about a world.
func (p *pipProcess) judge(t *testing.T, w *randomWorld) (how verdict, answers string) {
	t.Helper()
	server := w.serve()
	defer server.Close()
	address := server.URL + "/simple"
	args := []string{"--index-url", address}
	if len(w.constraints) > 0 {
		folder := t.TempDir()
		write(t, folder, "constraints.txt", []byte(strings.Join(w.constraints, "\n")))
		args = append(args, "-c", filepath.Join(folder, "constraints.txt"))
	}
	want, pipErr := p.ask(t, append(args, w.requirements...))

	index, err := Open(testClient(t), address)
	if err != nil {
		t.Fatal(err)
	}
	r := &Resolver{Index: index, Target: p.target, Constraints: w.constraints}
	resolution, err := r.Resolve(t.Context(), w.requirements)
	var got []string
	if err == nil {
		for _, f := range resolution.Files {
			got = append(got, f.Filename)
		}
		slices.Sort(got)
	}
	_, unsolvable := errors.AsType[*Unsolvable](err)
	gaveUp := pipErr != nil && slices.ContainsFunc([]string{"No matching distribution", "ResolutionImpossible", "different Python"}, func(part string) bool {
		return strings.Contains(pipErr.Error(), part)
	})
	switch {
	case pipErr == nil && err == nil && slices.Equal(got, want):
		how = same
	case gaveUp && unsolvable:
		how = none
	case gaveUp && err == nil:
		how = here
	case pipErr != nil && strings.Contains(pipErr.Error(), "RecursionError") && (err == nil || unsolvable):
		how = stumbled
	default:
		how = different
	}
	return how, fmt.Sprintf("pip:  %v %v\nhere: %v %v", want, pipErr, got, err)
}
