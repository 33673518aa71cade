package fetch_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgbundle/repo/fetch"
)

// The test binary runs itself as another process that fetches one file:
// "CACHE URL SHA256 SIZE LIMIT", where LIMIT bounds the size of files (0: no).
const childMark = "PGBUNDLE_FETCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		os.Exit(child(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// child prints "at N" for the bytes that are there, "log LINE", and at last
// "done PATH" or "failed ERROR".
func child(args []string) int {
	size, _ := strconv.ParseInt(args[3], 10, 64)
	if limit, _ := strconv.ParseUint(args[4], 10, 64); limit > 0 {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Println("failed", err)
			return 1
		}
	}
	c, err := fetch.New(fetch.Options{
		CacheDir: args[0], Timeouts: quick,
		Log: func(line string) { fmt.Println("log", line) },
	})
	if err != nil {
		fmt.Println("failed", err)
		return 1
	}
	var sum int64
	path, err := c.Fetch(context.Background(), fetch.Want{Name: "file.rpm", SHA256: args[2], Size: size}, []string{args[1]}, func(n int64) {
		sum += n
		fmt.Println("at", sum)
	})
	if err != nil {
		fmt.Println("failed", err)
		return 1
	}
	fmt.Println("done", path)
	return 0
}

// process is a child that is read line by line.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, cache, url string, data []byte, limit int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], cache, url, digest(data), fmt.Sprint(len(data)), fmt.Sprint(limit))
	cmd.Env = append(os.Environ(), childMark+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &process{t, cmd, bufio.NewScanner(out)}
}

// until reads up to a line that begins so, and gives the rest of it.
func (p *process) until(prefix string) string {
	p.t.Helper()
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
		if strings.HasPrefix(p.lines.Text(), "failed") && prefix != "failed" {
			p.t.Fatal(p.lines.Text())
		}
	}
	p.t.Fatalf("it ended before it said %q", prefix)
	return ""
}

func (p *process) kill() {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(syscall.SIGKILL))
	p.cmd.Wait()
}

// hold makes an origin stop after n bytes of each whole file until it is let go.
func (o *origin) hold(n int) (letGo func()) {
	gate := make(chan struct{})
	o.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Etag", o.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(o.data)))
		w.Write(o.data[:n])
		w.(http.Flusher).Flush()
		select {
		case <-gate:
			w.Write(o.data[n:])
		case <-r.Context().Done():
		}
		return true
	})
	return sync.OnceFunc(func() { close(gate) })
}

func TestGoroutinesShareADownload(t *testing.T) {
	data := content(50, 300_000)
	o := newOrigin(t, data)
	letGo := o.hold(100_000)
	defer letGo()
	waiting := make(chan struct{}, 100)
	c := newClient(t, fetch.Options{Log: func(line string) {
		if strings.Contains(line, "wait for another download") {
			waiting <- struct{}{}
		}
	}})
	const many = 8
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			var sum int64
			path, err := c.Fetch(context.Background(), want(data), []string{o.url}, func(n int64) { sum += n })
			if err != nil || sum != int64(len(data)) {
				t.Errorf("%s, %d bytes, %v", path, sum, err)
			}
		})
	}
	for range many - 1 {
		<-waiting
	}
	letGo()
	group.Wait()
	if o.ranges() != "-" {
		t.Errorf("asked for %q", o.ranges())
	}
}

func TestProcessesShareADownload(t *testing.T) {
	data := content(51, 300_000)
	o := newOrigin(t, data)
	letGo := o.hold(100_000)
	defer letGo()
	dir := t.TempDir()
	first := start(t, dir, o.url, data, 0)
	first.until("at 100000")
	second := start(t, dir, o.url, data, 0)
	second.until("log file.rpm: wait for another download")
	letGo()
	path := first.until("done")
	if got := second.until("done"); got != path {
		t.Errorf("paths %s and %s", path, got)
	}
	mustHold(t, path, data)
	mustBeTidy(t, dir)
	if o.ranges() != "-" {
		t.Errorf("asked for %q", o.ranges())
	}
}

// TestKilledWhileAnotherWaits: the lock of a killed process is free at once,
// and who waited goes on where it ended.
func TestKilledWhileAnotherWaits(t *testing.T) {
	data := content(52, 300_000)
	o := newOrigin(t, data)
	defer o.hold(100_000)()
	dir := t.TempDir()
	first := start(t, dir, o.url, data, 0)
	first.until("at 100000")
	second := start(t, dir, o.url, data, 0)
	second.until("log file.rpm: wait for another download")
	first.kill()
	mustHold(t, second.until("done"), data)
	if o.ranges() != "- 100000-299999" {
		t.Errorf("asked for %q", o.ranges())
	}
}

// TestKill: SIGKILL at several places of a download leaves a partial file that
// the next run resumes; what was finished before is never asked for again.
func TestKill(t *testing.T) {
	finished, data := content(53, 50_000), content(54, 400_000)
	dir := t.TempDir()
	before := newOrigin(t, finished)
	start(t, dir, before.url, finished, 0).until("done")
	o := newOrigin(t, data)
	at := []int{600, 32_768, 100_000, 399_999}
	for i, n := range at {
		o.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
			from := 0
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("Etag", o.etag)
			w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
				w.WriteHeader(206)
			}
			w.Write(data[from:n])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		})
		p := start(t, dir, o.url, data, 0)
		p.until(fmt.Sprintf("at %d", n))
		p.kill()
		if _, err := os.Stat(filepath.Join(dir, "sha256", digest(data)[:2], digest(data))); err == nil {
			t.Fatalf("kill %d: it has its final name", i)
		}
	}
	o.answerWith(nil)
	mustHold(t, start(t, dir, o.url, data, 0).until("done"), data)
	mustHold(t, start(t, dir, o.url, data, 0).until("done"), data)
	start(t, dir, before.url, finished, 0).until("done")
	mustBeTidy(t, dir)
	if got := o.ranges(); got != "- 600-399999 32768-399999 100000-399999 399999-399999" {
		t.Errorf("asked for %q", got)
	}
	if got := before.ranges(); got != "-" {
		t.Errorf("the finished file was asked for %q", got)
	}
}

// TestFileLimit: the disk takes no more. The message says so, nothing has a
// final name, no mirror is tried in vain, and the next run resumes.
func TestFileLimit(t *testing.T) {
	data := content(55, 400_000)
	o := newOrigin(t, data)
	dir := t.TempDir()
	text := start(t, dir, o.url, data, 250_000).until("failed")
	if !strings.Contains(text, "fetch file.rpm: write file.rpm in the cache: ") || !strings.Contains(text, "file too large: raise the limit on file sizes") {
		t.Errorf("error %s", text)
	}
	mustHold(t, start(t, dir, o.url, data, 0).until("done"), data)
	if !strings.HasPrefix(o.ranges(), "- ") || strings.Count(o.ranges(), "-") != 2 || strings.HasSuffix(o.ranges(), " -") {
		t.Errorf("asked for %q", o.ranges())
	}
}

func TestCacheIsNoFolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cache")
	must(t, os.WriteFile(name, nil, 0o644))
	data := content(56, 10)
	_, err := newClient(t, fetch.Options{CacheDir: name}).Fetch(context.Background(), want(data), []string{"http://127.0.0.1:1/x"}, nil)
	if err == nil || !strings.Contains(err.Error(), "fetch file.rpm: make a folder in the cache: ") {
		t.Errorf("error %v", err)
	}
}
