package main

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/internal/fixture"
)

const proxyPassword = "s3cret-of-the-proxy"

// edge is what stands between many sites and the internet: a proxy that asks
// for a password, and behind which every TLS connection is signed by an
// authority of the site's own. All hosts are one server.
func edge(t *testing.T, world http.Handler) (proxyURL string, authority []byte) {
	t.Helper()
	inside := httptest.NewTLSServer(world)
	t.Cleanup(inside.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if user, password, ok := r.BasicAuth(); !ok || user != "operator" || password != proxyPassword {
			w.Header().Set("Proxy-Authenticate", "Basic realm=edge")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		tunnel(t, w, inside.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	return strings.TrimPrefix(proxy.URL, "http://"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: inside.Certificate().Raw})
}

func tunnel(t *testing.T, w http.ResponseWriter, to string) {
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer far.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(far, near) }()
	_, _ = io.Copy(near, far)
}

// TestBehindAProxy builds through such an edge. mirror.example.com resolves
// nowhere: what succeeds went through the proxy.
func TestBehindAProxy(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	proxy, authority := edge(t, world.Handler())
	const base = "https://mirror.example.com"
	for name, data := range map[string][]byte{"world.repo": world.RepoFile(base), "site-ca.pem": authority} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(password string, args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(programFolder(t), "pgbundle-linux-amd64"), append([]string{"build", "--repos", "world.repo", "--index-url", base + "/simple",
			"--galaxy-url", base + "/galaxy", "--etcd-url", base + "/etcd", "--cache", "cache"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "NO_PROXY=", "no_proxy=", "https_proxy=",
			"HTTPS_PROXY=http://operator:"+password+"@"+proxy)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run(proxyPassword, "-o", "no.tar.gz")
	if err == nil || !strings.Contains(out, "--cacert") {
		t.Errorf("without the site's authority: %v\n%s", err, out)
	}
	if out, err := run("wrong", "--cacert", "site-ca.pem", "-o", "no.tar.gz"); err == nil || !strings.Contains(out, "407") {
		t.Errorf("with a wrong password: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "no.tar.gz")); err == nil {
		t.Error("a failed build left a bundle")
	}
	if out, err := run(proxyPassword, "--cacert", "site-ca.pem", "-o", "out.tar.gz"); err != nil {
		t.Errorf("with both: %v\n%s", err, out)
	} else if strings.Contains(out, proxyPassword) {
		t.Errorf("the password is in what was printed:\n%s", out)
	}
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data)+path, proxyPassword) {
			t.Errorf("the password is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
