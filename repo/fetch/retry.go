package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mirror is one address of a file and how it has fared.
type mirror struct {
	loc   location
	err   error
	tries int
	ready time.Duration // pauses taken in all before it may be asked again
	out   bool
}

// overMirrors asks each address in turn until attempt succeeds. An address
// whose failure cannot pass is left out at once; one whose failure may pass is
// asked again after a pause, when all others have been asked. attempt tells
// with moved that it got further than any try before, which clears its count:
// a line that breaks every few megabytes still brings a large file.
func (c *Client) overMirrors(ctx context.Context, name string, urls []string, attempt func(location) (moved bool, err error)) error {
	mirrors := parseMirrors(urls)
	if len(mirrors) == 0 {
		return fmt.Errorf("fetch %s: no address", name)
	}
	var waited time.Duration
	for {
		for _, m := range mirrors {
			if m.out || m.ready > waited {
				continue
			}
			moved, err := attempt(m.loc)
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("fetch %s: %w", name, context.Cause(ctx))
			}
			if final(ctx, err) {
				return fmt.Errorf("fetch %s: %w", name, err)
			}
			c.note(m, moved, err, waited)
		}
		next := soonest(mirrors)
		if next == nil {
			return failure(name, mirrors)
		}
		if d := next.ready - waited; d > 0 {
			c.logf("%v: try again in %s", next.err, d.Round(100*time.Millisecond))
			if err := c.pause(ctx, d); err != nil {
				return fmt.Errorf("fetch %s: %w", name, err)
			}
			waited = next.ready
		}
	}
}

func parseMirrors(urls []string) []*mirror {
	var mirrors []*mirror
	for _, raw := range urls {
		loc, err := parseLocation(raw)
		mirrors = append(mirrors, &mirror{loc: loc, err: err, out: err != nil})
	}
	return mirrors
}

// note books a failure: it sets when the mirror may be asked again, or puts it out.
func (c *Client) note(m *mirror, moved bool, err error, waited time.Duration) {
	m.err = err
	if moved {
		m.tries = 0
	}
	m.tries++
	wait := c.backoff(m.tries)
	var status *StatusError
	if errors.As(err, &status) && status.Wait > 0 {
		// Asking sooner than the server wants would only prolong its trouble.
		if status.Wait > c.opts.Timeouts.RetryAfter {
			m.out = true
			return
		}
		wait = max(wait, status.Wait)
	}
	m.ready = waited + wait
	m.out = !passes(err) || m.tries > c.opts.Retries
}

// backoff is the pause after the given number of failures: it doubles, and its
// upper half is random so that many clients do not come back together.
func (c *Client) backoff(tries int) time.Duration {
	t := c.opts.Timeouts
	d := t.BackoffMax
	if shift := tries - 1; shift < 30 && t.Backoff<<shift < d {
		d = t.Backoff << shift
	}
	return d/2 + rand.N(d/2+1)
}

func soonest(mirrors []*mirror) *mirror {
	var first *mirror
	for _, m := range mirrors {
		if !m.out && (first == nil || m.ready < first.ready) {
			first = m
		}
	}
	return first
}

func failure(name string, mirrors []*mirror) error {
	e := &MirrorsError{Name: name}
	for _, m := range mirrors {
		e.Causes = append(e.Causes, m.err)
	}
	return e
}

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), seconds or a date. A
// date is taken against the Date of the same answer: the server's clock, not
// ours, says how long it means. 0 when there is none or it makes no sense.
func retryAfter(h http.Header) time.Duration {
	const most = 365 * 24 * time.Hour // keeps the arithmetic far from overflow
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		if seconds > uint64(most/time.Second) {
			return most
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), most)
}
