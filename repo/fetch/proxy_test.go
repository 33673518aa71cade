package fetch_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pgbundle/repo/fetch"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{t, cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue makes a certificate for a host (server and client), as PEM.
func (a *authority) issue(host string, until time.Time) (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &private.PublicKey, a.key)
	must(a.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func (a *authority) pair(host string, until time.Time) tls.Certificate {
	cert, key := a.issue(host, until)
	pair, err := tls.X509KeyPair(cert, key)
	must(a.t, err)
	return pair
}

// proxy is what stands at the edge of many networks: it asks for a user and a
// password, takes TLS apart and signs it anew with its own authority. Behind
// it is one handler for all hosts, so that no name has to resolve.
type proxy struct {
	t        *testing.T
	ca       *authority
	user     string // asked for, with the password secret; "" for nobody
	origin   http.Handler
	clientCA *x509.CertPool // authority of the client certificates that the origin demands; nil for none
	until    time.Time      // end of the certificates it makes
	refuse   int            // status for every CONNECT; 0 for none

	mu    sync.Mutex
	hosts []string // of each request
}

func newProxy(t *testing.T, user string, origin http.Handler) (*proxy, string) {
	p := &proxy{t: t, ca: newAuthority(t, "Example Corp Proxy"), user: user, origin: origin, until: time.Now().Add(time.Hour)}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, s.URL
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.hosts = append(p.hosts, r.Method+" "+r.Host)
	p.mu.Unlock()
	expected := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+secret))
	if p.user != "" && r.Header.Get("Proxy-Authorization") != expected {
		w.Header().Set("Proxy-Authenticate", "Basic realm=x")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		r.Header.Del("Proxy-Authorization")
		p.origin.ServeHTTP(w, r)
		return
	}
	if p.refuse != 0 {
		w.WriteHeader(p.refuse)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.serveTLS(conn, r.Host)
}

// serveTLS answers the requests inside one tunnel.
func (p *proxy) serveTLS(conn net.Conn, host string) {
	name, _, _ := strings.Cut(host, ":")
	config := &tls.Config{Certificates: []tls.Certificate{p.ca.pair(name, p.until)}}
	if p.clientCA != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, p.clientCA
	}
	secure := tls.Server(conn, config)
	if secure.Handshake() != nil {
		return // the client does not trust us: that is what some tests are about
	}
	reader := bufio.NewReader(secure)
	for {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		req.TLS = new(tls.ConnectionState)
		*req.TLS = secure.ConnectionState()
		rec := httptest.NewRecorder()
		p.origin.ServeHTTP(rec, req)
		res := rec.Result()
		res.ContentLength = int64(rec.Body.Len())
		if res.Write(secure) != nil {
			return
		}
	}
}

func proxied(url, user, password string) fetch.Proxy {
	if user != "" {
		url = strings.Replace(url, "//", "//"+user+":"+password+"@", 1)
	}
	return fetch.Proxy{HTTP: url, HTTPS: url}
}

func TestProxy(t *testing.T) {
	data := content(40, 50_000)
	p, url := newProxy(t, "anna", bytesOf(data))
	tests := []struct {
		name    string
		options fetch.Options
		address string
		text    string // "": success
	}{
		{"https with its authority", fetch.Options{Proxy: proxied(url, "anna", secret), CACert: [][]byte{p.ca.pem}}, "https://repo.test/x", ""},
		{"https without", fetch.Options{Proxy: proxied(url, "anna", secret)}, "https://repo.test/x",
			"GET https://repo.test/x: the server's certificate is signed by an authority that this host does not know (CN=Example Corp Proxy): a proxy may re-sign TLS here: give its authority's certificate with --cacert FILE"},
		{"https with another authority", fetch.Options{Proxy: proxied(url, "anna", secret), CACert: [][]byte{newAuthority(t, "Other").pem}}, "https://repo.test/x", "--cacert FILE"},
		{"http", fetch.Options{Proxy: proxied(url, "anna", secret)}, "http://repo.test/x", ""},
		{"https, no password", fetch.Options{Proxy: proxied(url, "", ""), CACert: [][]byte{p.ca.pem}}, "https://repo.test/x",
			"407 Proxy Authentication Required: the proxy asks for a user and password: set HTTPS_PROXY"},
		{"http, no password", fetch.Options{Proxy: proxied(url, "", "")}, "http://repo.test/x",
			"407 Proxy Authentication Required: the proxy asks for a user and password: set HTTPS_PROXY"},
		{"https, wrong password", fetch.Options{Proxy: proxied(url, "anna", "nonsense-"+secret), CACert: [][]byte{p.ca.pem}}, "https://repo.test/x",
			"407 Proxy Authentication Required: the proxy does not accept the user and password in HTTPS_PROXY"},
		{"http, wrong password", fetch.Options{Proxy: proxied(url, "anna", "nonsense-"+secret)}, "http://repo.test/x",
			"407 Proxy Authentication Required: the proxy does not accept the user and password in HTTPS_PROXY"},
		{"a bare host and port", fetch.Options{Proxy: fetch.Proxy{HTTP: "anna:" + secret + "@" + strings.TrimPrefix(url, "http://")}}, "http://repo.test/x", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log strings.Builder
			dir := t.TempDir()
			test.options.CacheDir = dir
			test.options.Log = func(line string) { fmt.Fprintln(&log, line) }
			path, err := newClient(t, test.options).Fetch(context.Background(), want(data), []string{test.address}, nil)
			if test.text == "" {
				must(t, err)
				mustHold(t, path, data)
			} else if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v", err)
			}
			texts := fmt.Sprint(err, log.String()) + namesAndContents(t, dir)
			if strings.Contains(texts, secret) || strings.Contains(texts, "anna") {
				t.Errorf("the password is in: %s", texts)
			}
		})
	}
}

func TestProxyRefuses(t *testing.T) {
	p, url := newProxy(t, "", bytesOf(nil))
	p.refuse = 403
	_, err := newClient(t, fetch.Options{Proxy: proxied(url, "", "")}).Get(context.Background(), []string{"https://repo.test/x"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden: the proxy does not allow this host") {
		t.Errorf("error %v", err)
	}
	p.refuse = 502
	before := len(p.hosts)
	_, err = newClient(t, fetch.Options{Proxy: proxied(url, "", ""), Retries: 2}).Get(context.Background(), []string{"https://repo.test/x"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "502 Bad Gateway") || len(p.hosts)-before != 3 {
		t.Errorf("%d requests, error %v", len(p.hosts)-before, err)
	}
	_, err = newClient(t, fetch.Options{Proxy: fetch.Proxy{HTTPS: "http://anna:" + secret + "@127.0.0.1:1"}, Retries: -1}).
		Get(context.Background(), []string{"https://repo.test/x"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}

// TestNoProxy: loopback is reached directly.
func TestNoProxy(t *testing.T) {
	data := content(41, 1000)
	p, url := newProxy(t, "", bytesOf(data))
	direct := serve(t, bytesOf(data))
	c := newClient(t, fetch.Options{Proxy: proxied(url, "", "")})
	if _, err := c.Get(context.Background(), []string{direct}, fetch.GetOptions{}); err != nil {
		t.Error(err)
	}
	if len(p.hosts) != 0 {
		t.Errorf("the proxy was asked for %v", p.hosts)
	}
}

// TestTLS: what is wrong with a certificate decides what the message says.
func TestTLS(t *testing.T) {
	p, url := newProxy(t, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://repo.test/plain", http.StatusFound)
	}))
	c := newClient(t, fetch.Options{Proxy: proxied(url, "", ""), CACert: [][]byte{p.ca.pem}})
	_, err := c.Get(context.Background(), []string{"https://repo.test/x"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "redirects to plain http (http://repo.test/plain), which is refused") {
		t.Errorf("downgrade: %v", err)
	}
	c.Close()
	p.until = time.Now().Add(-time.Hour)
	_, err = c.Get(context.Background(), []string{"https://repo.test/x"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "certificate has expired") || strings.Contains(err.Error(), "--cacert") {
		t.Errorf("expired: %v", err)
	}
}

// TestIdentity: a client certificate goes to its scope, as Red Hat's CDN wants
// it, and to nobody else; the scope's own authority is trusted there alone.
func TestIdentity(t *testing.T) {
	customers := newAuthority(t, "Entitlements")
	cert, key := customers.issue("customer", time.Now().Add(time.Hour))
	p, url := newProxy(t, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	p.clientCA = x509.NewCertPool()
	p.clientCA.AddCert(customers.cert)
	o := fetch.Options{
		Proxy: proxied(url, "", ""), Retries: -1,
		Identities: []fetch.Identity{
			{Scope: "https://cdn.test/content/eus", CA: p.ca.pem},
			{Scope: "https://cdn.test/content?x=y", Cert: cert, Key: key, CA: p.ca.pem},
		},
	}
	c := newClient(t, o)
	res, err := c.Get(context.Background(), []string{"https://cdn.test/content/dist/repomd.xml"}, fetch.GetOptions{})
	must(t, err)
	if !bytes.Equal(res.Body, []byte("customer")) {
		t.Errorf("the server saw %q", res.Body)
	}
	_, err = c.Get(context.Background(), []string{"https://cdn.test/content/eus/repomd.xml"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "does this server ask for a client certificate, or") {
		t.Errorf("without certificate: %v", err)
	}
	_, err = c.Get(context.Background(), []string{"https://cdn.test/other"}, fetch.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "--cacert FILE") {
		t.Errorf("outside of the scope: %v", err)
	}
}
