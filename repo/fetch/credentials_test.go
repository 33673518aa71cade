package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// secret is what must not be seen anywhere but in the header that is made for it.
const secret = "pa55-W0RD-t0ken"

// guard asks for a user and notes the headers it has seen.
type guard struct {
	url  string
	user string // asked for; "" lets everybody in
	next http.HandlerFunc

	mu   sync.Mutex
	seen []http.Header
}

func newGuard(t *testing.T, user string, next http.HandlerFunc) *guard {
	g := &guard{user: user, next: next}
	g.url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.seen = append(g.seen, r.Header.Clone())
		g.mu.Unlock()
		user, password, _ := r.BasicAuth()
		if g.user != "" && (user != g.user || password != secret) && !slices.Contains([]string{"Bearer " + secret, "Token " + secret}, r.Header.Get("Authorization")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		g.next(w, r)
	})
	return g
}

func (g *guard) authorizations() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, h := range g.seen {
		out = append(out, h.Get("Authorization"))
	}
	return out
}

func withUser(t *testing.T, address, user, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	u.User = url.UserPassword(user, password)
	return u.String()
}

func TestCredentials(t *testing.T) {
	data := content(30, 1000)
	g := newGuard(t, "anna", bytesOf(data))
	host := strings.TrimPrefix(g.url, "http://")
	name, _, _ := strings.Cut(host, ":")
	tests := []struct {
		name    string
		options fetch.Options
		url     string
		ok      bool
	}{
		{"none", fetch.Options{}, g.url + "/a/x", false},
		{"in the URL", fetch.Options{}, withUser(t, g.url+"/a/x", "anna", secret), true},
		{"wrong in the URL", fetch.Options{}, withUser(t, g.url+"/a/x", "anna", "no"), false},
		{"for the origin", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url, User: "anna", Password: secret}}}, g.url + "/a/x", true},
		{"for a query too", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url + "/a/x?q=1", User: "anna", Password: secret}}}, g.url + "/a/x?q=2", true},
		{"for another path", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url + "/b", User: "anna", Password: secret}}}, g.url + "/a/x", false},
		{"for half a segment", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url + "/a", User: "anna", Password: secret}}}, g.url + "/ab/x", false},
		{"for another port", fetch.Options{Credentials: []fetch.Credential{{Scope: "http://" + name + ":1", User: "anna", Password: secret}}}, g.url + "/a/x", false},
		{"for another scheme", fetch.Options{Credentials: []fetch.Credential{{Scope: "https://" + host, User: "anna", Password: secret}}}, g.url + "/a/x", false},
		{"out of the path by dots", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url + "/a", User: "anna", Password: secret}}}, g.url + "/a/../b", false},
		{"the longest scope", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url, User: "x", Password: "y"}, {Scope: g.url + "/a/", User: "anna", Password: secret}, {Scope: g.url + "/", User: "x", Password: "y"}}}, g.url + "/a/x", true},
		{"a token of Galaxy's", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url, Token: secret}}}, g.url + "/a/x", true},
		{"a token", fetch.Options{Credentials: []fetch.Credential{{Scope: g.url, Bearer: secret}}}, g.url + "/a/x", true},
		{"netrc", fetch.Options{Netrc: []byte("machine other login x password y\nmachine " + name + " login anna password " + secret)}, g.url + "/a/x", true},
		{"netrc, default", fetch.Options{Netrc: []byte("default login anna password " + secret)}, g.url + "/a/x", true},
		{"netrc, by the user of the URL", fetch.Options{Netrc: []byte("machine " + name + " login x password y\nmachine " + name + " login anna password " + secret)}, strings.Replace(g.url, "//", "//anna@", 1) + "/a/x", true},
		{"netrc, another machine", fetch.Options{Netrc: []byte("machine other login anna password " + secret)}, g.url + "/a/x", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log strings.Builder
			test.options.Log = func(line string) { fmt.Fprintln(&log, line) }
			res, err := newClient(t, test.options).Get(context.Background(), []string{test.url}, fetch.GetOptions{})
			if (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("the password is in a text: %v %s", err, log.String())
			}
			if res != nil && strings.Contains(res.URL, secret) {
				t.Errorf("the password is in the URL of the answer: %s", res.URL)
			}
		})
	}
}

// TestRedirectsLoseCredentials: whatever way credentials were given, another
// origin gets none of them: not another port of the same host, and not a
// header of the caller's.
func TestRedirectsLoseCredentials(t *testing.T) {
	data := content(31, 1000)
	for name, options := range map[string]fetch.Options{
		"url":   {},
		"netrc": {Netrc: []byte("default login anna password " + secret)},
		"scope": {Credentials: []fetch.Credential{{Scope: "ORIGIN", User: "anna", Password: secret}}},
		"token": {Credentials: []fetch.Credential{{Scope: "ORIGIN", Bearer: secret}}},
		"other": {Credentials: []fetch.Credential{{Scope: "ORIGIN", Token: secret}}},
	} {
		t.Run(name, func(t *testing.T) {
			stranger := newGuard(t, "", bytesOf(data))
			g := newGuard(t, "anna", nil)
			g.next = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/start" {
					http.Redirect(w, r, "/same", http.StatusFound)
					return
				}
				http.Redirect(w, r, stranger.url+"/file?token="+secret, http.StatusFound)
			}
			address := g.url + "/start"
			if name == "url" {
				address = withUser(t, address, "anna", secret)
			}
			for i := range options.Credentials {
				options.Credentials[i].Scope = g.url
			}
			_, err := newClient(t, options).Get(context.Background(), []string{address}, fetch.GetOptions{
				Header: http.Header{"X-Api-Key": {secret}, "Cookie": {secret}, "Accept": {"text/plain"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(g.authorizations()); n != 2 || g.authorizations()[1] == "" {
				t.Errorf("the same origin saw %d requests", n)
			}
			h := stranger.seen[0]
			if h.Get("Accept") != "text/plain" || h.Get("Authorization") != "" || h.Get("X-Api-Key") != "" || h.Get("Cookie") != "" || h.Get("Referer") != "" {
				t.Errorf("the other origin saw %v", h)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	tests := []struct {
		name, to, text string
	}{
		{"loop", "/loop", "more than 10 redirects"},
		{"to a file", "file:///etc/passwd", "unusable Location"},
		{"to another scheme", "ftp://host/x", `redirects to a "ftp" address`},
		{"nowhere", "", "unusable Location"},
		{"to rubbish", "http://[", "unusable Location"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", test.to)
				w.WriteHeader(http.StatusFound)
			})
			_, err := newClient(t, fetch.Options{}).Get(context.Background(), []string{url}, fetch.GetOptions{})
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestSecretsStayHidden lets requests fail in every way while passwords and
// tokens are in play, and looks for them in errors, logs and the cache.
func TestSecretsStayHidden(t *testing.T) {
	data := content(32, 100_000)
	echo := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://anna:"+secret+"@127.0.0.1:1/x?token="+secret+"#"+secret, http.StatusFound)
	}
	steps := map[string]step{
		"401": status(401), "404": status(404), "503": status(503), "page": page, "half": half(data),
		"wrong": bytesOf(content(1, 100_000)), "echo": echo, "ok": bytesOf(data),
	}
	for name, s := range steps {
		t.Run(name, func(t *testing.T) {
			url, _ := server(t, s)
			address := withUser(t, url, "anna", secret) + "?token=" + secret
			dir := t.TempDir()
			var log strings.Builder
			c := newClient(t, fetch.Options{CacheDir: dir, Retries: 1, Log: func(line string) { fmt.Fprintln(&log, line) }})
			_, err1 := c.Fetch(context.Background(), want(data), []string{address}, nil)
			_, _, _, err2 := c.FetchUnknown(context.Background(), []string{address}, 0)
			_, err3 := c.Get(context.Background(), []string{address}, fetch.GetOptions{SHA256: digest(data)})
			_, err4 := c.Open(context.Background(), []string{address})
			_, err5 := c.ReadRange(context.Background(), []string{address}, 5, 5)
			texts := fmt.Sprint(err1, err2, err3, err4, err5, log.String()) + namesAndContents(t, dir)
			if strings.Contains(texts, secret) || strings.Contains(texts, "token") {
				t.Errorf("a secret is in: %s", texts)
			}
		})
	}
}

// namesAndContents gives the names below dir and what the small files hold.
func namesAndContents(t *testing.T, dir string) string {
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		fmt.Fprintln(&b, path)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(&b, f, 4096)
		if err == io.EOF {
			err = nil
		}
		return err
	}))
	return b.String()
}

func TestOptionErrors(t *testing.T) {
	for name, o := range map[string]fetch.Options{
		"proxy":             {Proxy: fetch.Proxy{HTTPS: "http://anna:" + secret + "/@host:3128"}},
		"proxy scheme":      {Proxy: fetch.Proxy{HTTP: "ftp://anna:" + secret + "@host"}},
		"proxy host":        {Proxy: fetch.Proxy{HTTP: "http://anna:" + secret + "@"}},
		"scope":             {Credentials: []fetch.Credential{{Scope: "https://anna:" + secret + "/@host", User: "x"}}},
		"folder scope":      {Credentials: []fetch.Credential{{Scope: "/srv", User: "x"}}},
		"empty credentials": {Credentials: []fetch.Credential{{Scope: "https://host"}}},
		"colon":             {Credentials: []fetch.Credential{{Scope: "https://host", User: "a:b", Password: secret}}},
		"token break":       {Credentials: []fetch.Credential{{Scope: "https://host", Bearer: secret + "\r\nX: y"}}},
		"Galaxy's break":    {Credentials: []fetch.Credential{{Scope: "https://host", Token: secret + "\r\nX: y"}}},
		"two tokens":        {Credentials: []fetch.Credential{{Scope: "https://host", Bearer: secret, Token: secret}}},
		"both":              {Credentials: []fetch.Credential{{Scope: "https://host", Bearer: secret, User: "x"}}},
		"netrc":             {Netrc: []byte("machine h login a password \"" + secret)},
		"netrc word":        {Netrc: []byte("machine h login a password b " + secret)},
		"ca":                {CACert: [][]byte{[]byte(secret)}},
		"certificate":       {Identities: []fetch.Identity{{Scope: "https://host", Cert: []byte(secret), Key: []byte(secret)}}},
	} {
		_, err := fetch.New(o)
		if !errors.Is(err, manifest.ErrUsage) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://anna:pw@host:8443/a/b?sig=x#y": "https://host:8443/a/b?…",
		"https://host/a":                        "https://host/a",
		"https://anna:p/w@host/a":               "https://…",
		"/srv/mirror":                           "/srv/mirror",
		"file:///srv/mirror":                    "/srv/mirror",
	} {
		if got := fetch.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}
