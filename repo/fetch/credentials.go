package fetch

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Credential is what one scope asks for: a user and password, or a token.
type Credential struct {
	// Scope is the URL that the credential is for: scheme, host and port must
	// be the same, and the path must lie below. The longest scope wins.
	Scope    string
	User     string
	Password string
	Bearer   string // a token, instead of user and password
	Token    string // the same in the scheme "Token", which Galaxy servers ask for
}

// authority decides which request carries which credentials.
type authority struct {
	given []givenCredential
	netrc netrc
}

type givenCredential struct {
	scope  scope
	header string // value of Authorization
}

func newAuthority(credentials []Credential, netrcFile []byte) (*authority, error) {
	a := &authority{}
	for _, c := range credentials {
		s, err := parseScope(c.Scope)
		if err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", Redact(c.Scope), err)
		}
		header, err := c.header()
		if err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", Redact(c.Scope), err)
		}
		a.given = append(a.given, givenCredential{s, header})
	}
	var err error
	if a.netrc, err = parseNetrc(netrcFile); err != nil {
		return nil, fmt.Errorf("read .netrc: %w", err)
	}
	return a, nil
}

// header is the value of Authorization (RFC 7617, RFC 6750).
func (c Credential) header() (string, error) {
	given := 0
	for _, is := range []bool{c.User != "" || c.Password != "", c.Bearer != "", c.Token != ""} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return "", fmt.Errorf("neither a user nor a token is given")
	case given > 1:
		return "", fmt.Errorf("both a user and a token are given, or two tokens")
	case c.Bearer != "":
		return withToken("Bearer", c.Bearer)
	case c.Token != "":
		return withToken("Token", c.Token)
	case strings.Contains(c.User, ":"):
		return "", fmt.Errorf("a user name holds no colon")
	}
	return basic(c.User, c.Password), nil
}

func withToken(scheme, token string) (string, error) {
	for _, r := range token {
		if r <= ' ' || r >= 0x7f {
			return "", fmt.Errorf("the token holds a space, a line break or a character that is not ASCII")
		}
	}
	return scheme + " " + token, nil
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// apply sets the credentials of one request and tells whether there were any.
// What stands in the URL or in .netrc is for the origin that was asked first:
// a redirect to another one goes without. A scope names its origin itself.
func (a *authority) apply(req *http.Request, first location) bool {
	header := a.lookup(req.URL, first)
	if header == "" {
		return false
	}
	req.Header.Set("Authorization", header)
	return true
}

func (a *authority) lookup(u *url.URL, first location) string {
	home := origin(u) == origin(first.url)
	if home && first.user != nil {
		if password, ok := first.user.Password(); ok {
			return basic(first.user.Username(), password)
		}
	}
	best, header := -1, ""
	for _, g := range a.given {
		if g.scope.holds(u) && len(g.scope.path) > best {
			best, header = len(g.scope.path), g.header
		}
	}
	if header != "" || !home {
		return header
	}
	user := ""
	if first.user != nil {
		user = first.user.Username()
	}
	if m, ok := a.netrc.find(u.Hostname(), user); ok {
		return basic(m.login, m.password)
	}
	if user != "" {
		return basic(user, "")
	}
	return ""
}
