package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseNetrc(t *testing.T) {
	tests := []struct {
		name, text string
		want       netrc
		err        string
	}{
		{"one line", "machine h login u password p", netrc{{"h", "u", "p"}}, ""},
		{"many lines", "machine h\n\tlogin u\r\n\tpassword p\n\nmachine i password q", netrc{{"h", "u", "p"}, {"i", "", "q"}}, ""},
		{"default", "machine h login u\ndefault login v password w", netrc{{"h", "u", ""}, {"", "v", "w"}}, ""},
		{"account", "machine h account a login u", netrc{{"h", "u", ""}}, ""},
		{"comments", "# machine x\n  # login y\nmachine h login #u password p#", netrc{{"h", "#u", "p#"}}, ""},
		{"quotes", `machine "h" login "a b" password "q\"\\\n\t\rz"`, netrc{{"h", "a b", "q\"\\\n\t\rz"}}, ""},
		{"backslash outside of quotes", `machine h password a\b"c`, netrc{{"h", "", `a\b"c`}}, ""},
		{"macro", "machine h login u\nmacdef init\ncd /\nmachine no\n\nmachine i login v", netrc{{"h", "u", ""}, {"i", "v", ""}}, ""},
		{"macro to the end", "macdef init\nmachine no", nil, ""},
		{"keyword as a value", "machine machine login login password password", netrc{{"machine", "login", "password"}}, ""},
		{"empty", " \n\n", nil, ""},
		{"no machine", "login u", nil, "line 1: login before any machine"},
		{"no value", "machine h\nlogin", nil, "line 2: login without a value"},
		{"empty machine", `machine ""`, nil, "line 1: machine with an empty name"},
		{"a word too many", "machine h password my secret", nil, "line 1: a word that is no keyword"},
		{"open quote", "machine h\npassword \"secret\n", nil, "line 2: a quote is not closed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseNetrc([]byte(test.text))
			if test.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if _, err := parseNetrc(make([]byte, netrcMaxBytes+1)); err == nil {
		t.Error("a large file is read")
	}
	if _, err := parseNetrc([]byte(strings.Repeat("default\n", netrcMaxMachines+1))); err == nil {
		t.Error("very many machines are read")
	}
}

// FuzzNetrc: whatever it reads, it can find again, and no text of an error
// holds more than a line's number and a keyword.
func FuzzNetrc(f *testing.F) {
	for _, seed := range []string{
		"machine h login u password p", "default login a\n", "machine \"a\\\"b\" password \"\\n\"", "macdef x\na\n\nmachine h",
		"# c\nmachine h account a", "machine h password \"x", "login", "machine h password my secret",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		machines, err := parseNetrc(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") && !strings.HasPrefix(err.Error(), "it ") || len(err.Error()) > 120 {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, m := range machines {
			found, ok := machines.find(m.name, m.login)
			if ok && m.login != "" && found.login != m.login {
				t.Errorf("%q found as %q", m, found)
			}
		}
	})
}

func TestParseContentRange(t *testing.T) {
	for value, want := range map[string]contentRange{
		"bytes 0-0/1":                    {0, 0, 1},
		"bytes 5-9/10":                   {5, 9, 10},
		"BYTES 5-9/*":                    {5, 9, -1},
		" bytes 0-9223372036854775806/*": {0, math.MaxInt64 - 1, -1},
		"bytes 1-2/9223372036854775807":  {1, 2, math.MaxInt64},
		"bytes 9-5/10":                   {},
		"bytes 5-10/10":                  {},
		"bytes */10":                     {},
		"bytes -5/10":                    {},
		"bytes +1-5/10":                  {},
		"bytes 1--5/10":                  {},
		"bytes 1-5/":                     {},
		"bytes 1-5":                      {},
		"items 1-5/10":                   {},
		"bytes 1-99999999999999999999/*": {},
		"":                               {},
		"bytes 0-1/2, bytes 5-6/10":      {},
	} {
		got, err := parseContentRange(value)
		if (err != nil) != (want == contentRange{}) || got != want {
			t.Errorf("parseContentRange(%q) = %v, %v", value, got, err)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes */10", "bytes 1-99999999999999999999/*", "items 1-2/3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, err := parseContentRange(value)
		if err == nil && (r.first < 0 || r.last < r.first || r.total >= 0 && r.total <= r.last) {
			t.Errorf("parseContentRange(%q) = %v", value, r)
		}
	})
}

func TestRetryAfterValue(t *testing.T) {
	const date = "Fri, 31 Dec 2027 23:59:59 GMT"
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{" 120 ", "", 2 * time.Minute},
		{"99999999999", "", 365 * 24 * time.Hour},
		{"-1", "", 0},
		{"1.5", "", 0},
		{"", date, 0},
		{"Sat, 01 Jan 2028 00:00:29 GMT", date, 30 * time.Second},
		{"Saturday, 01-Jan-28 00:00:29 GMT", date, 30 * time.Second},
		{"Fri, 31 Dec 2027 23:00:00 GMT", date, 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", date, 365 * 24 * time.Hour},
		{"Sat, 01 Jan 2028 00:00:29 GMT", "", 0},
		{"soon", date, 0},
	}
	for _, test := range tests {
		h := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
		if got := retryAfter(h); got != test.want {
			t.Errorf("%q at %q: %v, want %v", test.value, test.date, got, test.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Sat, 01 Jan 2028 00:00:29 GMT", "Fri, 31 Dec 2027 23:59:59 GMT")
	f.Add("Sat, 01 Jan 0001 00:00:29 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		d := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}})
		if d < 0 || d > 365*24*time.Hour {
			t.Errorf("%q at %q: %v", value, date, d)
		}
	})
}

// FuzzCacheState: a record that is read can be sent as a header, and is
// written as it was read.
func FuzzCacheState(f *testing.F) {
	source := `{"source":"` + strings.Repeat("a", 64) + `"`
	for _, seed := range []string{
		source + `}`, source + `,"etag":"\"x\""}`, source + `,"last_modified":"Fri, 31 Dec 2027 23:59:59 GMT"}`,
		source + `,"sha256":"` + strings.Repeat("0", 64) + `"}`, source + `,"etag":"W/\"x\""}`, source + `,"etag":"\"\r\n\""}`,
		`{}`, `[]`, source + `}{}`, source + `,"more":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		if strings.ContainsFunc(r.validator(), func(c rune) bool { return c < ' ' || c >= 0x7f }) {
			t.Errorf("validator %q", r.validator())
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseRecord(again); err != nil || back != r {
			t.Errorf("%s becomes %v, %v", again, back, err)
		}
	})
}

func TestNewRecord(t *testing.T) {
	const date, before = "Fri, 31 Dec 2027 23:59:59 GMT", "Fri, 31 Dec 2027 23:59:58 GMT"
	loc := location{path: "/x"}
	tests := []struct {
		name, etag, modified, date, want string
	}{
		{"strong tag", `"a"`, "", date, `"a"`},
		{"strong tag first", `"a"`, before, date, `"a"`},
		{"weak tag", `W/"a"`, before, date, before},
		{"tag without quotes", `a`, "", date, ""},
		{"tag with a quote", `"a"b"`, "", date, ""},
		{"modified a second ago", "", before, date, before},
		{"modified just now", "", date, date, ""},
		{"no date", "", before, "", ""},
		{"no time", "", "yesterday", date, ""},
	}
	for _, test := range tests {
		h := http.Header{"Etag": {test.etag}, "Last-Modified": {test.modified}, "Date": {test.date}}
		if got := newRecord(loc, h).validator(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"https://u:secret@h:1/p?q#f", "http://u:sec/ret@h/", "file:///a%20b", "file://localhost/a", "/a/b", "", "a://b", "http://[::1]:80/x", "http://[", "//u:secret@h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := parseLocation(raw)
		if err != nil {
			return
		}
		if (loc.url == nil) == (loc.path == "") {
			t.Errorf("%q is both or neither remote and local", raw)
		}
		if loc.url != nil && (loc.url.User != nil || loc.url.Host == "" || strings.Contains(loc.String(), "#")) {
			t.Errorf("%q becomes %s", raw, loc)
		}
	})
}

func TestBackoff(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for tries, most := range map[int]time.Duration{
		1: 500 * time.Millisecond, 2: time.Second, 4: 4 * time.Second, 7: 30 * time.Second, 40: 30 * time.Second, 100: 30 * time.Second,
	} {
		for range 100 {
			if d := c.backoff(tries); d < most/2 || d > most {
				t.Fatalf("after %d failures: %v", tries, d)
			}
		}
	}
}

func TestDiskErrors(t *testing.T) {
	for cause, text := range map[error]string{
		syscall.ENOSPC: "write x in the cache: write /c/p: no space left on device: free some space or use another cache folder; what is there will be resumed",
		syscall.EDQUOT: "free some space or use another cache folder",
		syscall.EACCES: "use a cache folder that this user may write",
		syscall.EFBIG:  "raise the limit on file sizes",
		syscall.EIO:    "write x in the cache: write /c/p: input/output error",
	} {
		err := disk("write x", &fs.PathError{Op: "write", Path: "/c/p", Err: cause})
		if !strings.Contains(err.Error(), text) || !errors.Is(err, cause) || !final(t.Context(), err) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if disk("write", nil) != nil {
		t.Error("no error becomes one")
	}
}

// TestDiskFull writes to the device that is always full.
func TestDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer full.Close()
	c, err := New(Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := c.newDownload(&partial{cache: c.cache, key: "x", file: full}, "file.rpm")
	err = d.copy(t.Context(), location{path: "/x"}, strings.NewReader("content"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "write file.rpm in the cache: ") {
		t.Errorf("error %v", err)
	}
	if d.offset != 0 {
		t.Errorf("%d bytes count as written", d.offset)
	}
}

// TestRetryAfterIsWaited: the pause is what the server asks for when that is
// longer than ours, and the other mirror is asked meanwhile.
func TestRetryAfterIsWaited(t *testing.T) {
	c, err := New(Options{Retries: 1})
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	c.pause = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	var asked []string
	err = c.overMirrors(t.Context(), "x", []string{"http://a/", "http://b/"}, func(loc location) (bool, error) {
		asked = append(asked, loc.url.Host)
		e := &StatusError{Code: 503, URL: loc.String()}
		if loc.url.Host == "a" {
			e.Wait = 90 * time.Second
		}
		return false, e
	})
	if err == nil || strings.Join(asked, " ") != "a b b a" {
		t.Errorf("asked %v, error %v", asked, err)
	}
	if len(pauses) != 2 || pauses[0] > time.Second || pauses[0]+pauses[1] != 90*time.Second {
		t.Errorf("pauses %v", pauses)
	}
}

func TestProxyFunction(t *testing.T) {
	proxy, err := Proxy{HTTP: "proxy:3128", HTTPS: "http://u:p@secure:3129", No: "direct.test, .inside.test,10.0.0.0/8,port.test:8443"}.function()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"http://repo.test/":        "http://proxy:3128",
		"https://repo.test/":       "http://u:p@secure:3129",
		"https://direct.test/":     "",
		"https://sub.direct.test/": "",
		"https://a.inside.test/":   "",
		"https://inside.test/":     "http://u:p@secure:3129",
		"https://10.1.2.3/":        "",
		"https://11.1.2.3/":        "http://u:p@secure:3129",
		"https://port.test:8443/":  "",
		"https://port.test/":       "http://u:p@secure:3129",
		"https://localhost/":       "",
		"https://127.0.0.1:5000/":  "",
		"https://[::1]/":           "",
	} {
		loc, err := parseLocation(address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if u, err := proxy(loc.url); err != nil {
			t.Error(err)
		} else if u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%s by %q, want %q", address, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "repo.test", Path: "/x"}
	for text, err := range map[string]error{
		"GET https://repo.test/x: lookup repo.test: no such host (is the name right? if this network wants a proxy, set HTTPS_PROXY)":                                            &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "repo.test", IsNotFound: true}},
		"GET https://repo.test/x: this host has no certificates of authorities: install ca-certificates or give them with --cacert FILE":                                         x509.SystemRootsError{},
		"GET https://repo.test/x: the server's certificate is signed by an unknown authority: a proxy may re-sign TLS here: give its authority's certificate with --cacert FILE": x509.UnknownAuthorityError{},
		"GET https://repo.test/x: remote error: tls: bad certificate (does this server ask for a client certificate, or not accept the one that is given?)":                      &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")},
	} {
		got := explain(err, u)
		if got.Error() != text || passes(got) {
			t.Errorf("%v, may pass: %v", got, passes(got))
		}
	}
	if err := explain(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}, u); !passes(err) {
		t.Errorf("a resolver in trouble is final: %v", err)
	}
}

// TestLastByteThenSilence: a server that does not close after the last byte
// stalls the line, and yet the file is whole; if it is the wrong one, that
// server is to blame and not the next mirror.
func TestLastByteThenSilence(t *testing.T) {
	silent := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(text))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	sum := sha256.Sum256([]byte("content"))
	want := Want{Size: 7, SHA256: hex.EncodeToString(sum[:])}
	good, wrong := silent("content"), silent("CONTENT")
	for _, urls := range [][]string{{good}, {wrong, good}} {
		c, err := New(Options{CacheDir: t.TempDir(), Timeouts: Timeouts{Stall: 200 * time.Millisecond, Backoff: time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := c.Fetch(t.Context(), want, urls, nil); err != nil {
			t.Error(err)
		}
	}
}
