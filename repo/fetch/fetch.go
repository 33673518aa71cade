// Package fetch moves bytes from where they are published to this disk: over
// HTTP from several mirrors, or out of a folder. It owns retries, timeouts,
// resuming, credentials, proxies, TLS roots and the content-addressed cache in
// which every finished file stands under its SHA-256.
//
// Most callers need New, Client.Get for metadata, Client.Fetch for a file whose
// digest is known, and Base, the repo.Locator over a base address.
//
// It must not know what is in the bytes: no repository format, no package
// name, no product's host. It never reads the environment, prints or exits;
// proxies, credentials and certificates are passed in.
//
// An address is an http, https or file URL, or the path of a file in the local
// file system. A secret (the user part or the query of a URL, a password, a
// token) never enters an error, a log line or the name of a file.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"pgbundle/manifest"
)

// Options say how a Client reaches the world. The zero value is a Client
// without cache, proxy and credentials, with the defaults named below.
type Options struct {
	CacheDir string // folder of the cache; "" for none: Get and Base only
	Jobs     int    // requests at once, to all hosts together; 0: 8
	PerHost  int    // requests at once to one host; 0: 4
	Retries  int    // further tries of one address after a failure that may pass; 0: 4, negative: none

	Timeouts Timeouts

	CACert      [][]byte     // PEM certificates trusted beside the system's
	Identities  []Identity   // client certificates, by scope
	Proxy       Proxy        // none when empty
	Credentials []Credential // users, passwords and tokens, by scope
	Netrc       []byte       // content of a .netrc file

	UserAgent string            // "pgbundle/1.2"; "": "pgbundle"
	Log       func(line string) // retries, restarts and waits, one line each; nil for none. Called from several goroutines
}

// Timeouts bound each phase of a request. There is none on a body that moves.
// Zero values mean the defaults.
type Timeouts struct {
	Dial   time.Duration // to connect, name look-up included; 15 s
	TLS    time.Duration // for the handshake; 15 s
	Header time.Duration // from the request to the head of the answer; 30 s
	Stall  time.Duration // a body that brings no byte for so long is broken off; 60 s

	Backoff    time.Duration // first pause before a retry, doubled each time; 500 ms
	BackoffMax time.Duration // longest pause of our own; 30 s
	RetryAfter time.Duration // longest pause that a server may ask for; 2 min
}

// Client fetches. It is safe for concurrent use and meant to be shared: its
// limits hold over all calls.
type Client struct {
	opts   Options
	cache  *cache
	auth   *authority
	routes []route

	jobs    chan struct{} // requests in flight
	fetches chan struct{} // downloads under way, so that open files stay few
	hosts   hostSlots

	// pause waits for d or until ctx ends; tests replace it.
	pause func(ctx context.Context, d time.Duration) error
}

// New makes a Client. The error is about the options: a certificate without
// PEM, a proxy or a scope that is no URL, a .netrc that cannot be read. It is
// manifest.ErrUsage and never quotes a secret.
func New(o Options) (*Client, error) {
	c, err := newClient(o.withDefaults())
	return c, manifest.Classify(manifest.ErrUsage, err)
}

func newClient(o Options) (*Client, error) {
	c := &Client{
		opts:    o,
		jobs:    make(chan struct{}, o.Jobs),
		fetches: make(chan struct{}, 4*o.Jobs),
		hosts:   hostSlots{limit: o.PerHost, slots: map[string]chan struct{}{}},
		pause:   pause,
	}
	var err error
	if c.auth, err = newAuthority(o.Credentials, o.Netrc); err != nil {
		return nil, err
	}
	if c.routes, err = newRoutes(o); err != nil {
		return nil, err
	}
	if o.CacheDir != "" {
		c.cache = newCache(o.CacheDir)
	}
	return c, nil
}

// Close drops idle connections. Calls under way go on.
func (c *Client) Close() {
	for _, r := range c.routes {
		r.transport.CloseIdleConnections()
	}
}

func (o Options) withDefaults() Options {
	setInt(&o.Jobs, 8)
	setInt(&o.PerHost, 4)
	switch {
	case o.Retries == 0:
		o.Retries = 4
	case o.Retries < 0:
		o.Retries = 0
	}
	t := &o.Timeouts
	setDuration(&t.Dial, 15*time.Second)
	setDuration(&t.TLS, 15*time.Second)
	setDuration(&t.Header, 30*time.Second)
	setDuration(&t.Stall, 60*time.Second)
	setDuration(&t.Backoff, 500*time.Millisecond)
	setDuration(&t.BackoffMax, 30*time.Second)
	setDuration(&t.RetryAfter, 2*time.Minute)
	if o.UserAgent == "" {
		o.UserAgent = "pgbundle"
	}
	return o
}

func setInt(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

func setDuration(v *time.Duration, def time.Duration) {
	if *v <= 0 {
		*v = def
	}
}

func (c *Client) logf(format string, args ...any) {
	if c.opts.Log != nil {
		c.opts.Log(fmt.Sprintf(format, args...))
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// hostSlots bounds the requests to each host.
type hostSlots struct {
	limit int
	mu    sync.Mutex
	slots map[string]chan struct{}
}

func (h *hostSlots) of(host string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.slots[host]
	if s == nil {
		s = make(chan struct{}, h.limit)
		h.slots[host] = s
	}
	return s
}

// acquire waits for a place in the host's limit, then in the global one: in
// this order a crowd at one host does not keep the others from working.
func (c *Client) acquire(ctx context.Context, host string) (release func(), err error) {
	slot := c.hosts.of(host)
	if err := enter(ctx, slot); err != nil {
		return nil, err
	}
	if err := enter(ctx, c.jobs); err != nil {
		<-slot
		return nil, err
	}
	return sync.OnceFunc(func() { <-c.jobs; <-slot }), nil
}

func enter(ctx context.Context, slot chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case slot <- struct{}{}:
		return nil
	}
}

var errNoCache = errors.New("no cache folder was given")

// route is the transport for the addresses in one scope: client certificates
// and roots belong to a transport, not to a request.
type route struct {
	scope     scope
	transport *http.Transport
}
