package dnfconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"pgbundle/manifest"
)

const rockyFile = `# rocky.repo
[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://mirrors.example.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://dl.example.org/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
countme=1
metadata_expire=6h
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9

[${basearch}-all]
name = All options
baseurl = https://user:p%40ss@one.example.org/a/
  https://two.example.org/${releasever_major}/$releasever_minor/,
  file:///srv/${missing:-mirror}
metalink = https://mirrors.example.org/metalink?repo=x
enabled = True
gpgcheck = no
repo_gpgcheck = 1
gpgkey = https://example.org/a https://example.org/b,https://example.org/c
priority = 10
cost = 500
module_hotfixes = yes
skip_if_unavailable = 1
excludepkgs = kernel*, foo
exclude = bar
includepkgs = a b
proxy = http://me:secret@proxy.example.org:3128
sslverify = 0
sslcacert = /etc/rhsm/ca/redhat-uep.pem
sslclientcert = /etc/pki/entitlement/1.pem
sslclientkey = /etc/pki/entitlement/1-key.pem
password = pa$basearch%
; a comment
[off]
enabled=0
baseurl=ftp://$nowhere/
[direct]
baseurl=/srv/repo
proxy=_none_
`

func testVars() Vars {
	v := NewVars("9.4", "x86_64")
	v["rltype"], v["contentdir"] = "", "pub/rocky"
	return v
}

func TestParse(t *testing.T) {
	got, err := Parse(strings.NewReader(rockyFile), testVars())
	if err != nil {
		t.Fatal(err)
	}
	base := Repo{Enabled: true, Signatures: manifest.SignatureRequired, MetadataSignatures: manifest.SignatureOff, SSLVerify: true, Priority: 99, Cost: 1000, Role: manifest.Provides}
	baseos, all, off, direct := base, base, base, base
	baseos.ID, baseos.Name = "baseos", "Rocky Linux 9.4 - BaseOS"
	baseos.Mirrorlist = "https://mirrors.example.org/mirrorlist?arch=x86_64&repo=BaseOS-9.4"
	baseos.GPGKeys = []string{"file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9"}
	all = Repo{
		ID: "x86_64-all", Name: "All options", Enabled: true,
		BaseURLs:   []string{"https://one.example.org/a", "https://two.example.org/9/4", "file:///srv/mirror"},
		Metalink:   "https://mirrors.example.org/metalink?repo=x",
		GPGKeys:    []string{"https://example.org/a", "https://example.org/b", "https://example.org/c"},
		Signatures: manifest.SignatureOff, MetadataSignatures: manifest.SignatureRequired, Priority: 10, Cost: 500, ModuleHotfixes: true, SkipIfUnavailable: true,
		Exclude: []string{"kernel*", "foo", "bar"}, Include: []string{"a", "b"},
		Proxy: "http://proxy.example.org:3128", SSLCACert: "/etc/rhsm/ca/redhat-uep.pem",
		SSLClientCert: "/etc/pki/entitlement/1.pem", SSLClientKey: "/etc/pki/entitlement/1-key.pem",
		Credentials: Credentials{"user", "p@ss", "me", "secret"}, Role: manifest.Provides,
	}
	off.ID, off.Name, off.Enabled, off.BaseURLs = "off", "off", false, []string{"ftp://$nowhere"}
	direct.ID, direct.Name, direct.BaseURLs, direct.NoProxy = "direct", "direct", []string{"/srv/repo"}, true
	for i, want := range []Repo{baseos, all, off, direct} {
		if !reflect.DeepEqual(normal(got[i]), normal(want)) {
			t.Errorf("repository %d:\ngot  %#v\nwant %#v", i, normal(got[i]), normal(want))
		}
	}
	if all := got[1].Credentials; all != (Credentials{"user", "p@ss", "me", "secret"}) {
		t.Errorf("credentials: %q %q %q %q", all.Username, all.Password, all.ProxyUsername, all.ProxyPassword)
	}
}

// normal makes nil of empty lists.
func normal(r Repo) Repo {
	for _, list := range []*[]string{&r.BaseURLs, &r.GPGKeys, &r.Exclude, &r.Include} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return r
}

func TestPasswordKeepsItsDollar(t *testing.T) {
	got, err := Parse(strings.NewReader("[a]\nbaseurl=https://e.org/\nusername=u\npassword=pa$basearch%"), testVars())
	if err != nil || got[0].Credentials.Password != "pa$basearch%" {
		t.Errorf("got %q, %v", got[0].Credentials.Password, err)
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	r := Repo{ID: "a", Credentials: Credentials{"user", "geheim", "proxyuser", "geheim2"}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("repository", "repo", r, "credentials", r.Credentials)
	js, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(r), fmt.Sprintf("%+v", r), fmt.Sprintf("%#v", r), log.String(), string(js)} {
		if strings.Contains(s, "geheim") || strings.Contains(s, "user") && strings.Contains(s, "proxyuser") {
			t.Errorf("it prints: %s", s)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no section", "baseurl=x", "line 1: baseurl stands before the first [name]"},
		{"no key", "[a]\nsome words", "line 2: want KEY=VALUE"},
		{"no end of the name", "[a\n", "line 1: want [name]"},
		{"nothing to go on with", "[a]\n  more", "line 2: it goes on with a value, but there is none above"},
		{"nowhere", "[a]\nname=x", "line 1: repository a: it has no baseurl, mirrorlist or metalink"},
		{"twice", "[a]\nbaseurl=/x\n[a]\nbaseurl=/y", "line 3: repository a is listed twice"},
		{"variable", "[a]\nbaseurl=https://e.org/$contentdir/x",
			"line 1: repository a: baseurl: the variable $contentdir is not set: give it in /etc/dnf/vars or write the value into the file"},
		{"scheme", "[a]\nbaseurl=ftp://e.org/", `line 1: repository a: baseurl: "ftp://e.org" is neither http, https, file nor an absolute path`},
		{"host", "[a]\nbaseurl=https:///x", `line 1: repository a: baseurl: "https:///x" has no host`},
		{"id", "[a b]\nbaseurl=/x", `line 1: repository a b: the id "a b" has other characters than letters, digits, -, _, . and colons`},
		{"flag", "[a]\nbaseurl=/x\ngpgcheck=maybe", "line 1: repository a: gpgcheck=maybe: want 1 or 0"},
		{"number", "[a]\nbaseurl=/x\npriority=high", "line 1: repository a: priority=high: want a number"},
		{"escape", "[a]\nbaseurl=https://u:%zz@e.org/", "line 1: repository a: baseurl: user or password is not well escaped"},
		{"all at once", "[a]\nname=x\n[b]\nname=y",
			"line 1: repository a: it has no baseurl, mirrorlist or metalink\nline 3: repository b: it has no baseurl, mirrorlist or metalink"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(c.text), NewVars("9", "x86_64"))
			if err == nil || err.Error() != c.want {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if !errors.Is(err, manifest.ErrUsage) {
				t.Error("it is not of class ErrUsage")
			}
		})
	}
}

func TestReadDir(t *testing.T) {
	dir := fstest.MapFS{
		"b.repo":   {Data: []byte("[one]\nbaseurl=/second\n[two]\nbaseurl=/two")},
		"a.repo":   {Data: []byte("[one]\nbaseurl=/first")},
		"x.rpmnew": {Data: []byte("not read")},
	}
	got, err := ReadDir(dir, NewVars("9", "x86_64"), Main{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].BaseURLs[0] != "/first" || got[1].ID != "two" {
		t.Errorf("got %+v", got)
	}
	dir["c.repo"] = &fstest.MapFile{Data: []byte("broken")}
	if _, err := ReadDir(dir, Vars{}, Main{}); err == nil || !strings.HasPrefix(err.Error(), "read c.repo: line 1:") {
		t.Errorf("got %v", err)
	}
}

// TestReadMain holds what repositories take over from dnf.conf.
func TestReadMain(t *testing.T) {
	dir := fstest.MapFS{
		"dnf.conf": {Data: []byte("[main]\ngpgcheck=0\nbest=True\npriority=1\nskip_if_unavailable=True\nexcludepkgs=kernel* $arch-tools\n" +
			"includepkgs=a\nproxy=http://p.example.org:1\nsslcacert=/etc/ca.pem\nusername=u\n[other]\nexclude=z\n")},
		"one.repo": {Data: []byte("[one]\nbaseurl=/one\n[two]\nbaseurl=/two\ngpgcheck=1\nskip_if_unavailable=0\nexclude=foo\nincludepkgs=b\n" +
			"proxy=_none_\nsslcacert=\nusername=v\n")},
	}
	main, err := ReadMain(dir, "dnf.conf")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadDir(dir, NewVars("9", "x86_64"), main)
	if err != nil {
		t.Fatal(err)
	}
	base := Repo{Enabled: true, MetadataSignatures: manifest.SignatureOff, SSLVerify: true, Priority: 99, Cost: 1000, Role: manifest.Provides}
	one, two := base, base
	one.ID, one.Name, one.BaseURLs, one.Signatures, one.SkipIfUnavailable = "one", "one", []string{"/one"}, manifest.SignatureOff, true
	one.Exclude, one.Include, one.Proxy, one.SSLCACert = []string{"kernel*", "x86_64-tools"}, []string{"a"}, "http://p.example.org:1", "/etc/ca.pem"
	one.Credentials.Username = "u"
	two.ID, two.Name, two.BaseURLs, two.Signatures = "two", "two", []string{"/two"}, manifest.SignatureRequired
	two.Exclude, two.Include, two.NoProxy = []string{"kernel*", "x86_64-tools", "foo"}, []string{"b", "a"}, true
	two.Credentials.Username = "v"
	for i, want := range []Repo{one, two} {
		if !reflect.DeepEqual(normal(got[i]), normal(want)) {
			t.Errorf("repository %d:\ngot  %#v\nwant %#v", i, normal(got[i]), normal(want))
		}
	}
	if none, err := ReadMain(fstest.MapFS{}, "dnf.conf"); err != nil || none.values != nil {
		t.Errorf("no dnf.conf: %v, %v", none, err)
	}
	if _, err := ReadMain(fstest.MapFS{"dnf.conf": {Data: []byte("best=1")}}, "dnf.conf"); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("broken dnf.conf: %v", err)
	}
}

func TestVars(t *testing.T) {
	v := NewVars("9.4", "i686")
	err := v.Read(fstest.MapFS{
		"contentdir": {Data: []byte("pub/rocky\nsecond line\n")},
		"releasever": {Data: []byte("8\n")},
		"sub/x":      {Data: []byte("1")},
		"bad-name":   {Data: []byte("1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"$releasever/$basearch/$arch":         "9.4/i386/i686", // what is set stays
		"$releasever_major.$releasever_minor": "9.4",
		"/$contentdir/":                       "/pub/rocky/",
		"${contentdir}x":                      "pub/rockyx",
		"$contentdirx $ ${ $$":                "$contentdirx $ ${ $$",
		"${none} ${none:-a} ${none:+b}":       "${none} a ",
		"${arch:-a} ${arch:+b}":               "i686 b",
		"":                                    "",
	} {
		if got := v.Expand(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if err := (Vars{}).Read(fstest.MapFS{}); err != nil {
		t.Error(err)
	}
}

func FuzzRepoFile(f *testing.F) {
	f.Add([]byte(rockyFile))
	f.Add([]byte("[a]\nbaseurl=https://u:p@e.org/\n  $x ${y} ${z:-1}\n"))
	f.Add([]byte("[a]\nbaseurl=/x\nproxy=http://a:b@c\n"))
	f.Add([]byte("[main]\nexcludepkgs=a*\nproxy=http://a:b@c\n[a]\nbaseurl=/x\nexclude=b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		main, err := parseMain(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		repos, err := parse(strings.NewReader(string(data)), testVars(), main)
		if err != nil {
			return
		}
		for _, r := range repos {
			if !r.Enabled {
				continue
			}
			if err := r.check(); err != nil {
				t.Errorf("an enabled repository is not usable: %v", err)
			}
			for _, u := range r.BaseURLs {
				host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://"), "/")
				if strings.HasPrefix(u, "http") && strings.Contains(host, "@") {
					t.Errorf("a URL holds a user: %q", u)
				}
			}
		}
	})
}
