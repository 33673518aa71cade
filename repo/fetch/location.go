package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// location is an address taken apart: a remote one, whose user part has been
// moved out of the URL so that it cannot slip into a text, or a local path.
type location struct {
	url  *url.URL      // http or https, without user part; nil for a local file
	user *url.Userinfo // nil when the URL names none
	path string        // local file
}

// parseLocation takes an address apart. Its errors do not quote the address
// beyond the host: net/url's own texts repeat pieces of a password.
func parseLocation(raw string) (location, error) {
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		if raw == "" {
			return location{}, hopeless{errors.New("empty address")}
		}
		return location{path: filepath.Clean(raw)}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return location{}, hopeless{fmt.Errorf("invalid %s URL (is a special character in its user, password or path not percent-encoded?)", printable(scheme))}
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return location{}, hopeless{fmt.Errorf("%s URL without a host", u.Scheme)}
		}
		user := u.User
		u.User = nil
		u.Fragment, u.RawFragment = "", ""
		return location{url: u, user: user}, nil
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return location{}, hopeless{fmt.Errorf("file URL names the host %s: write file:///path", printable(u.Hostname()))}
		}
		if u.Path == "" {
			return location{}, hopeless{errors.New("file URL without a path")}
		}
		return location{path: filepath.Clean(u.Path)}, nil
	}
	return location{}, hopeless{fmt.Errorf("URL scheme %q is not known: use http, https or file", printable(scheme))}
}

// String is the address as it may be shown.
func (l location) String() string {
	if l.url != nil {
		return redact(l.url)
	}
	return l.path
}

// redact writes a URL without what may be secret: user part, query, fragment.
func redact(u *url.URL) string {
	text := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		text += "?…"
	}
	return text
}

// Redact returns an address as it may be shown in a text: without the user
// part, the query and the fragment of a URL.
func Redact(address string) string {
	loc, err := parseLocation(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, "://")
		return printable(scheme) + "://…"
	}
	return loc.String()
}

// printable shortens text from outside for an error.
func printable(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '@' {
			return '?'
		}
		return r
	}, s)
}

// scope is a part of the web: an origin (scheme, host, port) and a prefix of
// whole path segments. The zero scope holds everything.
type scope struct {
	origin string
	path   string // begins and ends with "/"
}

// parseScope takes the origin and the path of a URL; what else it has does not
// narrow the scope.
func parseScope(raw string) (scope, error) {
	loc, err := parseLocation(raw)
	if err != nil {
		return scope{}, err
	}
	if loc.url == nil {
		return scope{}, errors.New("a scope is an http or https URL")
	}
	path := loc.url.EscapedPath()
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return scope{origin: origin(loc.url), path: path}, nil
}

func (s scope) holds(u *url.URL) bool {
	if s.origin == "" {
		return true
	}
	path := u.EscapedPath()
	// A server would resolve dot segments and leave the prefix.
	if strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") {
		return false
	}
	return s.origin == origin(u) && strings.HasPrefix(path+"/", s.path)
}

// origin is scheme, host and port (RFC 6454 section 4), the port always written.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
