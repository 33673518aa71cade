package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/internal/fixture"
	"pgbundle/manifest"
)

// TestInterrupt stops a build in each of its stages, by Ctrl-C and by SIGKILL.
// Nothing may stand under the final name; the same command again succeeds, asks
// for no artifact that was finished, and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	world, err := fixture.New("", fixture.Options{Bulk: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"resolve", "fetch", "prove", "pack", "verify"} {
		for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL} {
			t.Run(stage+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := newInterrupted(t, world)
				b.stopIn(t, stage, signal)
				b.runAgain(t)
			})
		}
	}
}

// interrupted is a build in a folder of its own, against a server of its own.
type interrupted struct {
	dir, bundle string
	server      *fixture.Server
	world       *fixture.World
	args        []string
}

func newInterrupted(t *testing.T, world *fixture.World) *interrupted {
	dir := t.TempDir()
	server, url := world.Start(t)
	repos := filepath.Join(dir, "world.repo")
	if err := os.WriteFile(repos, world.RepoFile(url), 0o644); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "out", "bundle.tar.gz")
	if err := os.Mkdir(filepath.Dir(bundle), 0o755); err != nil {
		t.Fatal(err)
	}
	return &interrupted{dir: dir, bundle: bundle, server: server, world: world, args: []string{
		filepath.Join(programFolder(t), "pgbundle-linux-amd64"), "build", "--repos", repos, "--index-url", url + "/simple", "--galaxy-url", url + "/galaxy",
		"--etcd-url", url + "/etcd", "--cache", filepath.Join(dir, "cache"), "--log-format", "json", "-o", bundle,
	}}
}

func (b *interrupted) command() *exec.Cmd {
	cmd := exec.Command(b.args[0], b.args[1:]...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "HOME="+b.dir)
	return cmd
}

// stopIn sends a signal once the build is in a stage. Where the network is
// busy the server stands still first, so that something is half done.
func (b *interrupted) stopIn(t *testing.T, stage string, signal syscall.Signal) {
	t.Helper()
	switch stage {
	case "resolve":
		b.server.Inject(fixture.Fault{Path: "/rpm/appstream/x86_64/repodata/*-primary.xml.xz", Stall: 100})
	case "fetch":
		b.server.Inject(fixture.Fault{Path: "/etcd/v3.5.16/etcd-v3.5.16-linux-amd64.tar.gz", Skip: 1, Stall: 1 << 20})
	}
	cmd := b.command()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		var event struct{ Event, Stage string }
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Event == "stage" && event.Stage == stage {
			if stage == "resolve" || stage == "fetch" {
				time.Sleep(700 * time.Millisecond) // until all but the one that stands still are done
			}
			if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if err == nil {
		if stage == "verify" || stage == "pack" || stage == "prove" {
			return // it was faster than the signal: the bundle is whole, as running again shows
		}
		t.Fatalf("the build ended well in spite of %s in stage %s", signal, stage)
	}
	if signal == syscall.SIGINT {
		if status := cmd.ProcessState.ExitCode(); status != 130 || !strings.Contains(strings.Join(said, "\n"), `{"event":"error","text":"interrupted`) {
			t.Errorf("exit status %d after Ctrl-C:\n%s", status, strings.Join(said, "\n"))
		}
	}
	if _, err := os.Stat(b.bundle); err == nil {
		t.Error("a bundle stands there after the build was stopped")
	}
}

// runAgain runs the same command to its end.
func (b *interrupted) runAgain(t *testing.T) {
	t.Helper()
	finished := b.finished(t)
	b.server.Clear()
	b.server.Forget()
	if out, err := b.command().CombinedOutput(); err != nil {
		t.Fatalf("the build again: %v\n%s", err, out)
	}
	for path := range b.server.Requests() {
		if digest := manifest.Digest(b.world.File(strings.TrimPrefix(path, "/"))); finished[digest] && isArtifact(path) {
			t.Errorf("%s was finished before, and was asked for again", path)
		}
	}
	if out, err := exec.Command(b.args[0], "verify", "-q", b.bundle).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "out", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// finished lists the digests of the files that are whole in the cache.
func (b *interrupted) finished(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "cache", "sha256", "??", "*"))
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]bool{}
	for _, file := range files {
		digests[filepath.Base(file)] = true
	}
	return digests
}

func isArtifact(path string) bool {
	for _, suffix := range []string{".rpm", ".whl", ".tar.gz"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}
