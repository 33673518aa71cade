package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"time"

	"pgbundle/manifest"
)

// StatusError is an answer other than success. 404 and 410 are
// fs.ErrNotExist; 401, 403 and 407 are fs.ErrPermission.
type StatusError struct {
	Code  int
	URL   string        // redacted; "" when a proxy refused to connect
	Proxy string        // host of the proxy that gave the answer, when it was one
	Sent  bool          // credentials went with the request
	Wait  time.Duration // what Retry-After asked for, or 0
}

func (e *StatusError) Error() string {
	var b strings.Builder
	switch {
	case e.Proxy != "" && e.URL == "":
		fmt.Fprintf(&b, "proxy %s: ", e.Proxy)
	default:
		fmt.Fprintf(&b, "GET %s: ", e.URL)
	}
	fmt.Fprintf(&b, "%d", e.Code)
	if text := http.StatusText(e.Code); text != "" {
		b.WriteString(" " + text)
	}
	if hint := e.hint(); hint != "" {
		b.WriteString(": " + hint)
	}
	return b.String()
}

func (e *StatusError) hint() string {
	switch {
	case e.Code == http.StatusProxyAuthRequired && e.Sent:
		return "the proxy does not accept the user and password in HTTPS_PROXY or HTTP_PROXY"
	case e.Code == http.StatusProxyAuthRequired:
		return "the proxy asks for a user and password: set HTTPS_PROXY and HTTP_PROXY to http://USER:PASSWORD@HOST:PORT"
	case e.Proxy != "" && e.Code == http.StatusForbidden:
		return "the proxy does not allow this host: have it allowed, or name it in NO_PROXY"
	case e.Code == http.StatusUnauthorized && e.Sent:
		return "the server does not accept the credentials given for it: check its line in .netrc"
	case e.Code == http.StatusUnauthorized:
		return "the server asks for credentials: add a line \"machine HOST login USER password PASSWORD\" to .netrc"
	case e.Code == http.StatusForbidden && e.Sent:
		return "the credentials given for this server do not reach this file"
	case e.Code == http.StatusForbidden:
		return "the server refuses this file: it may want credentials (.netrc) or a client certificate, or a filter on the way blocks it"
	case e.Code == http.StatusNetworkAuthenticationRequired:
		return "this network wants a login in a browser first"
	case e.Wait > 0:
		return "the server asks to come back in " + e.Wait.String()
	}
	return ""
}

// Is makes 404 and 410 fs.ErrNotExist, and refusals fs.ErrPermission.
func (e *StatusError) Is(target error) bool {
	switch e.Code {
	case http.StatusNotFound, http.StatusGone:
		return target == fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return target == fs.ErrPermission
	}
	return false
}

// passes tells whether the same request may succeed later.
func (e *StatusError) passes() bool {
	switch e.Code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusRequestedRangeNotSatisfiable: // the partial file was dropped: the next try asks for all
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return e.Code >= 500
}

// MirrorsError says why each address of a file failed.
type MirrorsError struct {
	Name   string  // the file
	Causes []error // one for each address, in their order; each names its address
}

func (e *MirrorsError) Error() string {
	if len(e.Causes) == 1 {
		return fmt.Sprintf("fetch %s: %v", e.Name, e.Causes[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "fetch %s: none of %d mirrors has it: ", e.Name, len(e.Causes))
	for i, cause := range e.Causes {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(cause.Error())
	}
	return b.String()
}

// Unwrap gives the causes. A file counts as absent only when every mirror says
// so: beside another failure, 404 means a mirror that lags behind.
func (e *MirrorsError) Unwrap() []error {
	var other []error
	for _, cause := range e.Causes {
		if !errors.Is(cause, fs.ErrNotExist) {
			other = append(other, cause)
		}
	}
	if len(other) > 0 {
		return other
	}
	return e.Causes
}

// hopeless marks a failure that another try at the same address cannot cure.
type hopeless struct{ error }

func (e hopeless) Unwrap() error { return e.error }

// damagedError is content that is not what its digest or its size says.
type damagedError struct{ text string }

func damaged(format string, args ...any) error {
	return hopeless{&damagedError{fmt.Sprintf(format, args...)}}
}

func (e *damagedError) Error() string { return e.text }
func (e *damagedError) Unwrap() error { return manifest.ErrDamaged }

// diskError is a failure of the cache folder: no mirror can cure it.
type diskError struct{ err error }

func disk(op string, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &diskError{fmt.Errorf("%s in the cache: %w: free some space or use another cache folder; what is there will be resumed", op, err)}
	case errors.Is(err, syscall.EFBIG):
		return &diskError{fmt.Errorf("%s in the cache: %w: raise the limit on file sizes (ulimit -f)", op, err)}
	case errors.Is(err, fs.ErrPermission):
		return &diskError{fmt.Errorf("%s in the cache: %w: use a cache folder that this user may write", op, err)}
	}
	return &diskError{fmt.Errorf("%s in the cache: %w", op, err)}
}

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// passes tells whether a failure may be gone at the next try.
func passes(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.passes()
	}
	var no hopeless
	if errors.As(err, &no) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return true
}

// final tells whether no other address can help either.
func final(ctx context.Context, err error) bool {
	var d *diskError
	return ctx.Err() != nil || errors.As(err, &d)
}
