package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const maxRedirects = 10

var errStalled = errors.New("the body stalled")

// response is the head of an answer and its body, which must be closed.
type response struct {
	*http.Response
	url  *url.URL // where the last redirect led
	sent bool     // credentials went with the request

	release func() // gives the place in the limits back, at the latest on Close
}

// get sends one GET and follows redirects. A status that is not 200 is a
// StatusError unless it is among allowed. While the body is open it counts
// against the limits on requests.
func (c *Client) get(ctx context.Context, first location, header http.Header, allowed ...int) (*response, error) {
	u := first.url
	for range maxRedirects {
		res, err := c.hop(ctx, first, u, header)
		if err != nil {
			return nil, err
		}
		next, err := redirect(res.Response, u)
		if err != nil {
			res.Body.Close()
			return nil, err
		}
		if next == nil {
			return res, c.checkStatus(res, allowed)
		}
		drain(res)
		u = next
	}
	return nil, hopeless{fmt.Errorf("GET %s: more than %d redirects", first, maxRedirects)}
}

// hop sends one request and takes what its answer says no further.
func (c *Client) hop(ctx context.Context, first location, u *url.URL, header http.Header) (*response, error) {
	release, err := c.acquire(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		release()
		cancel(nil)
		return nil, hopeless{fmt.Errorf("GET %s: invalid URL", redact(u))}
	}
	req.Header = c.headerFor(header, origin(u) == origin(first.url))
	sent := c.auth.apply(req, first)
	res, err := c.transportFor(u).RoundTrip(req)
	if err != nil {
		release()
		cancel(nil)
		return nil, explain(err, u)
	}
	res.Body = newBody(ctx, cancel, release, res.Body, c.opts.Timeouts.Stall, redact(u))
	return &response{Response: res, url: u, sent: sent, release: release}, nil
}

// headerFor copies the caller's header. To another origin only what describes
// the file goes along: a token may bear any name.
func (c *Client) headerFor(header http.Header, home bool) http.Header {
	out := http.Header{}
	for name, values := range header {
		switch http.CanonicalHeaderKey(name) {
		case "Accept", "Accept-Encoding", "Accept-Language", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "Cache-Control":
		default:
			if !home {
				continue
			}
		}
		out[http.CanonicalHeaderKey(name)] = values
	}
	out.Set("User-Agent", c.opts.UserAgent)
	if out.Get("Accept-Encoding") == "" {
		out.Set("Accept-Encoding", "identity") // digests and ranges are those of the file as it is published
	}
	return out
}

func (c *Client) transportFor(u *url.URL) *http.Transport {
	for _, r := range c.routes {
		if r.scope.holds(u) {
			return r.transport
		}
	}
	panic("fetch: the last route holds every address")
}

// redirect gives the address that an answer points to, or nil.
func redirect(res *http.Response, from *url.URL) (*url.URL, error) {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	where := res.Header.Get("Location")
	to, err := from.Parse(where)
	if where == "" || err != nil || to.Host == "" {
		return nil, hopeless{fmt.Errorf("GET %s: %d with an unusable Location", redact(from), res.StatusCode)}
	}
	to.User = nil
	to.Fragment, to.RawFragment = "", ""
	switch {
	case to.Scheme == "http" && from.Scheme == "https":
		return nil, hopeless{fmt.Errorf("GET %s: it redirects to plain http (%s), which is refused", redact(from), redact(to))}
	case to.Scheme != "http" && to.Scheme != "https":
		return nil, hopeless{fmt.Errorf("GET %s: it redirects to a %q address", redact(from), printable(to.Scheme))}
	}
	return to, nil
}

// checkStatus closes the body when the status is none of those wanted.
func (c *Client) checkStatus(res *response, allowed []int) error {
	if res.StatusCode == http.StatusOK || slices.Contains(allowed, res.StatusCode) {
		return nil
	}
	drain(res)
	e := &StatusError{Code: res.StatusCode, URL: redact(res.url), Sent: res.sent, Wait: retryAfter(res.Header)}
	if e.Code == http.StatusProxyAuthRequired {
		e.Sent = c.proxyHasUser(res.url)
	}
	return e
}

func (c *Client) proxyHasUser(u *url.URL) bool {
	proxy, err := c.transportFor(u).Proxy(&http.Request{URL: u})
	return err == nil && proxy != nil && proxy.User != nil
}

// drain reads what little an answer without use may hold, so that its
// connection can serve the next request.
func drain(res *response) {
	if res.ContentLength >= 0 && res.ContentLength <= 16<<10 {
		io.Copy(io.Discard, res.Body) //nolint:errcheck // only the connection's reuse depends on it
	}
	res.Body.Close()
}

// body reads an answer, breaks it off when no byte comes for too long, and
// gives its place in the limits back when closed.
type body struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	release func()
	stall   time.Duration
	timer   *time.Timer
	name    string
}

func newBody(ctx context.Context, cancel context.CancelCauseFunc, release func(), rc io.ReadCloser, stall time.Duration, name string) *body {
	timer := time.AfterFunc(stall, func() { cancel(errStalled) })
	timer.Stop()
	return &body{rc, ctx, cancel, release, stall, timer, name}
}

// Read runs the timer only while it waits for the server: a caller may take
// all the time it wants between two reads.
func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(context.Cause(b.ctx), errStalled) {
		return n, fmt.Errorf("GET %s: no byte came for %s", b.name, b.stall)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("GET %s: the connection was closed in mid-file", b.name)
	}
	return n, fmt.Errorf("GET %s: %w", b.name, err)
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	b.release()
	return err
}

// explain names the request in an error of the transport and says the way out
// of those that a user can do something about.
func explain(err error, u *url.URL) error {
	var status *StatusError
	if errors.As(err, &status) {
		return status // a proxy's answer to CONNECT
	}
	name := redact(u)
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var roots x509.SystemRootsError
	var dns *net.DNSError
	var alert *net.OpError // crypto/tls reports what the other side says so
	switch {
	case errors.As(err, &unknown):
		return hopeless{fmt.Errorf("GET %s: %s: a proxy may re-sign TLS here: give its authority's certificate with --cacert FILE", name, signer(unknown))}
	case errors.As(err, &roots):
		return hopeless{fmt.Errorf("GET %s: this host has no certificates of authorities: install ca-certificates or give them with --cacert FILE", name)}
	case errors.As(err, &host), errors.As(err, &invalid):
		return hopeless{fmt.Errorf("GET %s: %w", name, err)}
	case errors.As(err, &dns) && dns.IsNotFound:
		return hopeless{fmt.Errorf("GET %s: %w (is the name right? if this network wants a proxy, set HTTPS_PROXY)", name, dns)}
	case errors.As(err, &alert) && alert.Op == "remote error":
		return hopeless{fmt.Errorf("GET %s: %w (does this server ask for a client certificate, or not accept the one that is given?)", name, err)}
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("GET %s: the server closed the connection without an answer", name)
	}
	return fmt.Errorf("GET %s: %w", name, err)
}

// signer says whose certificate nobody vouches for.
func signer(e x509.UnknownAuthorityError) string {
	if e.Cert == nil {
		return "the server's certificate is signed by an unknown authority"
	}
	return fmt.Sprintf("the server's certificate is signed by an authority that this host does not know (%s)", e.Cert.Issuer)
}
