package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxy names the proxies in the form of the variables HTTP_PROXY, HTTPS_PROXY
// and NO_PROXY: URLs (http, https, socks5; a bare host:port means http), which
// may hold a user and password, and a list of hosts that are reached directly.
// Loopback addresses always are.
type Proxy struct {
	HTTP  string // for http addresses
	HTTPS string // for https addresses, by CONNECT
	No    string // comma-separated hosts, domains (".example.com"), addresses, CIDR blocks; "*" for all
}

// Identity is what a scope wants to see of us, and whom we trust in it: Red
// Hat's CDN knows its customers by certificate and signs its own by its own
// authority.
type Identity struct {
	Scope string // as Credential.Scope
	Cert  []byte // PEM, with the chain; nil for none
	Key   []byte // PEM
	CA    []byte // PEM, trusted in this scope beside all others; nil for none
}

// newRoutes makes a transport for each identity, the longest scope first, and
// one for everything else at the end.
func newRoutes(o Options) ([]route, error) {
	proxy, err := o.Proxy.function()
	if err != nil {
		return nil, err
	}
	var routes []route
	for _, id := range o.Identities {
		r, err := newRoute(o, id, proxy)
		if err != nil {
			return nil, fmt.Errorf("client certificate for %s: %w", Redact(id.Scope), err)
		}
		routes = append(routes, r)
	}
	slices.SortStableFunc(routes, func(a, b route) int { return len(b.scope.path) - len(a.scope.path) })
	roots, err := newRoots(o.CACert)
	if err != nil {
		return nil, err
	}
	return append(routes, route{transport: newTransport(o, proxy, &tls.Config{RootCAs: roots})}), nil
}

func newRoute(o Options, id Identity, proxy proxyFunc) (route, error) {
	s, err := parseScope(id.Scope)
	if err != nil {
		return route{}, err
	}
	pems := o.CACert
	if id.CA != nil {
		pems = append(slices.Clone(pems), id.CA)
	}
	config := &tls.Config{}
	if config.RootCAs, err = newRoots(pems); err != nil {
		return route{}, err
	}
	if id.Cert != nil {
		pair, err := tls.X509KeyPair(id.Cert, id.Key)
		if err != nil {
			return route{}, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return route{scope: s, transport: newTransport(o, proxy, config)}, nil
}

// newRoots adds certificates to the system's. nil stands for the system's alone.
func newRoots(pems [][]byte) (*x509.CertPool, error) {
	if len(pems) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a host without any: those given must do
	}
	for _, pem := range pems {
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("read the certificates to trust (--cacert): there is no PEM certificate in the file")
		}
	}
	return pool, nil
}

// newTransport makes one that speaks HTTP/1.1: one transfer per connection, so
// that a timeout hits the transfer that stalls and nothing else.
func newTransport(o Options, proxy proxyFunc, config *tls.Config) *http.Transport {
	config.MinVersion = tls.VersionTLS12
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  func(req *http.Request) (*url.URL, error) { return proxy(req.URL) },
		OnProxyConnectResponse: onConnect,
		DialContext:            (&net.Dialer{Timeout: o.Timeouts.Dial}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    o.Timeouts.TLS,
		ResponseHeaderTimeout:  o.Timeouts.Header,
		MaxResponseHeaderBytes: 1 << 20,
		MaxIdleConnsPerHost:    o.PerHost,
		IdleConnTimeout:        o.Timeouts.Stall,
		DisableCompression:     true, // Accept-Encoding is set by headerFor
		Protocols:              protocols,
	}
}

// onConnect turns a proxy's refusal into an error with its status.
func onConnect(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &StatusError{Code: res.StatusCode, Proxy: proxy.Host, Sent: proxy.User != nil, Wait: retryAfter(res.Header)}
}

type proxyFunc func(*url.URL) (*url.URL, error)

// function checks the proxies and decides by httpproxy's rules. httpproxy
// itself drops a URL that it cannot read and goes without.
func (p Proxy) function() (proxyFunc, error) {
	for _, raw := range []string{p.HTTP, p.HTTPS} {
		if err := checkProxy(raw); err != nil {
			return nil, err
		}
	}
	config := httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: p.No}
	return config.ProxyFunc(), nil
}

func checkProxy(raw string) error {
	if raw == "" {
		return nil
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("proxy: the address is no URL: write http://USER:PASSWORD@HOST:PORT with special characters percent-encoded")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return fmt.Errorf("proxy %s: scheme %q is not known: use http, https or socks5", printable(u.Host), printable(u.Scheme))
	}
	if u.Hostname() == "" {
		return errors.New("proxy: the address names no host: write http://HOST:PORT")
	}
	return nil
}
