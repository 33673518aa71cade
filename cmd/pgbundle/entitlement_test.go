package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgbundle/internal/fixture"
)

// issuer is an authority of client certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, name string) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return issuer{cert, key}
}

// entitle makes a certificate and its key in PEM, valid for a year until a day.
func (i issuer) entitle(t *testing.T, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "0123456789abcdef"},
		NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, i.cert, &private.PublicKey, i.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// cdn serves the world to who shows a certificate of the issuer, and a list of
// mirrors that names itself.
func cdn(t *testing.T, world http.Handler, customers issuer) (url string, authority []byte) {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutPrefix(r.URL.Path, "/mirrorlist/"); ok {
			fmt.Fprintf(w, "%s/rpm/%s/x86_64\n", server.URL, id)
			return
		}
		world.ServeHTTP(w, r)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(customers.cert)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are expected
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// TestEntitlement builds from repositories that want a client certificate, as
// Red Hat's CDN does, with .repo files as subscription-manager writes them.
func TestEntitlement(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, open := world.Start(t)
	customers := newIssuer(t, "Entitlements")
	url, authority := cdn(t, world.Handler(), customers)
	// Below /tmp, since another user reads it.
	dir, err := os.MkdirTemp("", "pgbundle-entitlement-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(programFolder(t), "pgbundle-linux-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key := customers.entitle(t, time.Now().AddDate(0, 1, 0))
	oldCert, oldKey := customers.entitle(t, time.Now().AddDate(0, 0, -3))
	lateCert, lateKey := customers.entitle(t, time.Now().AddDate(2, 0, 0))
	strangeCert, strangeKey := newIssuer(t, "Somebody").entitle(t, time.Now().AddDate(0, 1, 0))
	for name, data := range map[string][]byte{
		"pgbundle": program, "ca.pem": authority, "1.pem": cert, "1-key.pem": key, "both.pem": append(append([]byte{}, cert...), key...),
		"old.pem": oldCert, "old-key.pem": oldKey, "late.pem": lateCert, "late-key.pem": lateKey,
		"strange.pem": strangeCert, "strange-key.pem": strangeKey, "noise.pem": []byte("no PEM at all\n"), "root-key.pem": key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "root-key.pem"), 0); err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(string(world.RepoFile(url)), "enabled=1\n", "enabled=1\nsslcacert="+dir+"/ca.pem\n")
	registered := func(cert, key string) string {
		return strings.ReplaceAll(plain, "enabled=1\n", "enabled = 1\nsslverify = 1\nsslclientcert = "+dir+"/"+cert+"\nsslclientkey = "+dir+"/"+key+"\n")
	}
	const renew = "subscription-manager refresh writes new ones; on another host copy certificate and key from a registered node"
	for _, c := range []struct{ name, repos, want string }{
		{"no certificate", plain, "does this server ask for a client certificate"},
		{"missing", registered("none.pem", "none-key.pem"), "repository baseos: sslclientcert: open " + dir + "/none.pem: no such file or directory: " + renew},
		{"no key", registered("1.pem", "none-key.pem"), "repository baseos: sslclientkey: open " + dir + "/none-key.pem: no such file or directory: " + renew},
		{"not to be read", registered("1.pem", "root-key.pem"), "root-key.pem: permission denied: run as a user who may read it, or copy it to where this one may"},
		{"another's key", registered("1.pem", "old-key.pem"), "sslclientcert " + dir + "/1.pem with its key " + dir + "/old-key.pem: tls: private key does not match public key: " + renew},
		{"no PEM", registered("noise.pem", "1-key.pem"), "tls: failed to find any PEM data in certificate input"},
		{"expired", registered("old.pem", "old-key.pem"), "sslclientcert " + dir + "/old.pem expired on " + time.Now().AddDate(0, 0, -3).UTC().Format(time.DateOnly) + ": " + renew},
		{"not yet valid", registered("late.pem", "late-key.pem"), "is not valid before "},
		{"of another authority", registered("strange.pem", "strange-key.pem"), "or not accept the one that is given?"},
		{"key alone", strings.ReplaceAll(plain, "enabled=1\n", "enabled=1\nsslclientkey="+dir+"/1-key.pem\n"), "there is no sslclientcert to go with it"},
		{"no authority", strings.ReplaceAll(registered("1.pem", "1-key.pem"), dir+"/ca.pem", dir+"/noise.pem"), "sslcacert " + dir + "/noise.pem: there is no PEM certificate in it"},
		{"entitled", registered("1.pem", "1-key.pem"), ""},
		{"one file", strings.ReplaceAll(registered("both.pem", "both.pem"), "sslclientkey = "+dir+"/both.pem\n", ""), ""},
		{"one file, named twice", registered("both.pem", "both.pem"), ""},
		{"mirror list", strings.NewReplacer("baseurl="+url+"/rpm/", "mirrorlist="+url+"/mirrorlist/", "/$basearch", "").Replace(registered("1.pem", "1-key.pem")), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "redhat.repo"), []byte(c.repos), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := entitledBuild(dir, open)
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("%v\n%s", err, out)
			case c.want != "" && (err == nil || !strings.Contains(out, c.want)):
				t.Fatalf("%v\n%s\nwant %s", err, out, c.want)
			}
			kept := strings.Split(string(key), "\n")[1]
			shown := strings.Split(string(cert), "\n")[2]
			if strings.Contains(out, kept) || strings.Contains(out, shown) {
				t.Errorf("it prints a certificate or its key:\n%s", out)
			}
			notWithin(t, dir, kept, shown)
		})
	}
}

// TestRepositoryPassword builds from repositories that ask for a user and a
// password, given in the .repo file as options or in the address.
func TestRepositoryPassword(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, open := world.Start(t)
	served := world.Handler()
	const password = "pa$$w0rd%of-the-site"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, ok := r.BasicAuth(); !ok || user != "site" || given != password {
			w.Header().Set("WWW-Authenticate", "Basic realm=mirror")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		served.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	plain := string(world.RepoFile(server.URL))
	for _, c := range []struct{ name, repos, want string }{
		{"none", plain, "401 Unauthorized: the server asks for credentials"},
		{"wrong", strings.ReplaceAll(plain, "enabled=1\n", "enabled=1\nusername=site\npassword=no\n"), "the server does not accept the credentials given for it"},
		{"options", strings.ReplaceAll(plain, "enabled=1\n", "enabled=1\nusername=site\npassword="+password+"\n"), ""},
		{"address", strings.ReplaceAll(plain, "baseurl=http://", "baseurl=http://site:"+strings.NewReplacer("%", "%25", "$", "%24").Replace(password)+"@"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "site.pem") // passed over by the search for what leaked
			if err := os.WriteFile(file, []byte(c.repos), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(programFolder(t), "pgbundle-linux-amd64"), "build", "--repos", "site.pem", "--index-url", open+"/simple",
				"--galaxy-url", open+"/galaxy", "--etcd-url", open+"/etcd", "--cache", "cache", "-o", "out.tar.gz", "--log-format", "plain")
			cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.want == "") || !strings.Contains(string(out), c.want) {
				t.Fatalf("%v\n%s\nwant %s", err, out, c.want)
			}
			if strings.Contains(string(out), password) || strings.Contains(string(out), "w0rd") {
				t.Errorf("it prints the password:\n%s", out)
			}
			notWithin(t, dir, password, "w0rd%25of")
		})
	}
}

// entitledBuild runs a build as somebody who is not root, with an empty cache.
func entitledBuild(dir, open string) (string, error) {
	for _, name := range []string{"cache", "pgbundle.lock", "out.tar.gz"} {
		os.RemoveAll(filepath.Join(dir, name))
	}
	cmd := exec.Command(filepath.Join(dir, "pgbundle"), "build", "--repos", "redhat.repo", "--index-url", open+"/simple",
		"--galaxy-url", open+"/galaxy", "--etcd-url", open+"/etcd", "--cache", "cache", "-o", "out.tar.gz", "--log-format", "plain")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// notWithin holds that no file that a build wrote has any of some texts.
func notWithin(t *testing.T, dir string, texts ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(path) == ".pem" {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if strings.Contains(string(data), text) {
				t.Errorf("a certificate or its key is in %s", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
