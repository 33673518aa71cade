//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// secretFiles are where a secret has to stand in clear on a node, and who may read
// it there: nobody but its service.
var secretFiles = regexp.MustCompile(`^/(etc/patroni/(patroni\.yml|\.pgpass)|etc/etcd/root\.env|etc/pgbouncer/userlist\.txt|etc/haproxy/haproxy\.cfg` +
	`|etc/keepalived/keepalived\.conf|home/bob/\.(sudo|vault)-pass)$`)

// watched are places on a node where a secret could be left.
const watched = "/dev/shm /etc /home /opt /root /run /srv /tmp /usr/local /usr/libexec /var"

// deploysWatched makes the cluster as chattily as Ansible can, while the command
// lines of all processes on all nodes are read ten times a second. What is found
// is judged by keepsSecrets.
func (c *cluster) deploysWatched(t *testing.T) {
	sampled := c.sampleCommandLines()
	d := c.deploy(t, "--diff --log-format json -- -vvv")
	samples, found := sampled()
	c.leaks = found
	c.deployedIn(d)
	c.evidence.fact("commandLineSamples", samples)
	if rate := float64(samples) / d.Seconds; rate < 5 {
		t.Errorf("command lines were read %.1f times a second, which is not often enough to say anything", rate)
	}
	c.settles(t, time.Minute)
}

// hidden are all secrets: name → value.
func (c *cluster) hidden(t *testing.T) map[string]string {
	t.Helper()
	all := maps.Clone(c.secrets)
	all["the password for sudo"] = c.Password
	all["the password of the vault"] = strings.TrimSpace(c.rawly(t, c.control, "cat", vaultPass))
	return all
}

// rawly runs a command as root on a node, beside the evidence: secrets are in it.
func (c *cluster) rawly(t *testing.T, n *node, words ...string) string {
	t.Helper()
	out, err := c.rawCommand(n, words...).Output()
	if err != nil {
		t.Fatalf("%s on %s: %v", words[0], n.name, err)
	}
	return string(out)
}

func (c *cluster) rawCommand(n *node, words ...string) *exec.Cmd {
	args := n.bed("exec", words...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = c.checkout, append(os.Environ(), "PYTHONPATH=scripts/testbed")
	return cmd
}

// sampleCommandLines reads every process of the machine, those of the nodes
// among them, until its answer is called: how often it did, and what it saw.
func (c *cluster) sampleCommandLines() func() (samples int, found []string) {
	stop, done := make(chan struct{}), make(chan struct{})
	seen, samples := map[string]bool{}, 0
	secrets := maps.Clone(c.secrets)
	secrets["the password for sudo"] = c.Password
	go func() {
		defer close(done)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			samples++
			for _, line := range commandLines() {
				for name, secret := range secrets {
					if bytes.Contains(line, []byte(secret)) {
						seen[name+": "+strings.ReplaceAll(strings.ReplaceAll(string(line), "\x00", " "), secret, "SECRET")] = true
					}
				}
			}
		}
	}()
	return func() (int, []string) {
		close(stop)
		<-done
		return samples, slices.Sorted(maps.Keys(seen))
	}
}

func commandLines() (lines [][]byte) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		if line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline")); err == nil && len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// keepsSecrets looks for every secret where it must not be: command lines, what
// pgbundle printed, its log, journals, and every file of every node.
func (c *cluster) keepsSecrets(t *testing.T) {
	for _, leak := range c.leaks {
		t.Errorf("on a command line: %s", leak)
	}
	secrets := c.hidden(t)
	for _, n := range c.all() {
		said := c.rawly(t, n, "journalctl", "--no-pager", "--output=export", "--all")
		for name, secret := range secrets {
			if at := strings.Index(said, secret); at >= 0 {
				t.Errorf("%s is in the journal of %s: …%s…", name, n.name, strings.ReplaceAll(said[max(0, at-200):min(len(said), at+200)], secret, "SECRET"))
			}
		}
		for _, path := range c.filesWith(t, n, secrets) {
			mode := strings.TrimSpace(c.rawly(t, n, "stat", "-c", "%a", path))
			switch {
			case !secretFiles.MatchString(path):
				t.Errorf("a secret is in %s of %s (mode %s)", path, n.name, mode)
			case !strings.HasSuffix(mode, "0"):
				t.Errorf("%s of %s is for everybody to read: mode %s", path, n.name, mode)
			}
		}
	}
	// the search is not blind
	if files := c.filesWith(t, c.nodes[0], secrets); !slices.Contains(files, "/etc/patroni/patroni.yml") {
		t.Errorf("the search does not find the secrets of /etc/patroni/patroni.yml, only %v", files)
	}
	c.control.must(t, "bob", "sh", "-c", "test -s deploy.err && ls -l "+siteDir+"/.pgbundle/log && test -z \"$(find "+siteDir+"/.pgbundle/log -perm /077)\"")
	events := c.control.must(t, "bob", "sh", "-c", "grep -c '\"event\"' deploy.err")
	c.evidence.fact("eventsSearched", strings.TrimSpace(events))
}

// filesWith are the files of a node that hold one of the secrets. What pgbundle
// printed and logged is among them: it lies in bob's home.
func (c *cluster) filesWith(t *testing.T, n *node, secrets map[string]string) []string {
	t.Helper()
	cmd := c.rawCommand(n, "sh", "-c", "exec grep --recursive --files-with-matches --text --fixed-strings --file=- --devices=skip "+watched+" 2>/dev/null")
	cmd.Stdin = strings.NewReader(strings.Join(slices.Sorted(maps.Values(secrets)), "\n") + "\n")
	out, _ := cmd.Output() // 1: nothing found; 2: a file went away meanwhile
	return strings.Fields(string(out))
}

// TestCommandLines holds that the sampling sees a secret that is there for a
// tenth of a second or two.
func TestCommandLines(t *testing.T) {
	c := &cluster{site: &site{bed: &bed{Password: "no such thing"}}, secrets: map[string]string{"one": "Xq7pL2mZ9sentinel"}}
	sampled := c.sampleCommandLines()
	if err := exec.Command("sh", "-c", "sleep 0.3; : Xq7pL2mZ9sentinel").Run(); err != nil {
		t.Fatal(err)
	}
	samples, found := sampled()
	said, _ := json.Marshal(found)
	if samples < 2 || len(found) == 0 || strings.Contains(string(said), "Xq7pL2mZ9") {
		t.Errorf("%d samples saw %s", samples, said)
	}
}
