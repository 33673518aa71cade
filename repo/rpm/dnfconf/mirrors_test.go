package dnfconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
)

const metalink = `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="Mon, 13 Jan 2025 09:46:00 GMT"
 generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="other"><resources><url>https://a.example.org/other</url></resources></file>
  <file name="repomd.xml">
   <mm0:timestamp>1736761580</mm0:timestamp>
   <size>4000</size>
   <verification>
    <hash type="md5">0123</hash>
    <hash type="sha1">aa</hash>
    <hash type="sha256">BB</hash>
    <hash type="sha512">cc</hash>
   </verification>
   <mm0:alternates>
    <mm0:alternate><mm0:timestamp>1</mm0:timestamp><size>1</size><verification><hash type="sha256">dd</hash></verification></mm0:alternate>
    <mm0:alternate><size>1</size><verification><hash type="md5">ee</hash></verification></mm0:alternate>
   </mm0:alternates>
   <resources maxconnections="1">
    <url protocol="http" type="http" location="US" preference="100">http://plain.example.org/epel/9/repodata/repomd.xml</url>
    <url protocol="rsync" type="rsync" location="US" preference="100">rsync://r.example.org/epel/9/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="US" preference="90">https://b.example.org/epel/9/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="99">https://a.example.org/epel/9/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="99">https://a.example.org/elsewhere</url>
   </resources>
  </file>
 </files>
</metalink>
`

func TestParseMetalink(t *testing.T) {
	m, err := ParseMetalink([]byte(metalink))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"https://a.example.org/epel/9", "https://b.example.org/epel/9", "http://plain.example.org/epel/9"}; !slices.Equal(m.URLs, want) {
		t.Errorf("URLs: got %q, want %q", m.URLs, want)
	}
	if got, want := fmt.Sprint(m.Checksums), "[{sha512 cc} {sha256 dd}]"; got != want {
		t.Errorf("checksums: got %s, want %s", got, want)
	}
}

func TestParseMetalinkRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"<html>login</html>": "it is an HTML page: does a login or a proxy answer at that address?",
		"":                   "EOF",
		"<metalink/>":        "it does not say where repomd.xml is",
		"<metalink><files><file name='repomd.xml'/></files></metalink>": "it names no http or https mirror",
		metalink[:900]: "XML syntax error on line 19: unexpected EOF",
	} {
		_, err := ParseMetalink([]byte(text))
		if err == nil || err.Error() != want || !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestParseMirrorlist(t *testing.T) {
	got, err := ParseMirrorlist([]byte("# comment\n\nhttps://a.example.org/$basearch/os/\nftp://b.example.org/\n http://c.example.org \n"), testVars())
	if want := []string{"https://a.example.org/x86_64/os", "http://c.example.org"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	for text, want := range map[string]string{
		"<!DOCTYPE HTML><html>":                 "it is an HTML page: does a login or a proxy answer at that address?",
		"Invalid release/repo/arch combination": `it says "Invalid release/repo/arch combination" where a URL should be`,
		"# nothing\n":                           "it names no http or https mirror",
	} {
		_, err := ParseMirrorlist([]byte(text), nil)
		if err == nil || err.Error() != want || !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzMetalink(f *testing.F) {
	f.Add([]byte(metalink))
	f.Add([]byte("# mirrors\nhttps://a.example.org/$basearch\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseMetalink(data); err == nil {
			checkMirrors(t, m.URLs)
		}
		if urls, err := ParseMirrorlist(data, testVars()); err == nil {
			checkMirrors(t, urls)
		}
	})
}

func checkMirrors(t *testing.T, urls []string) {
	if len(urls) == 0 {
		t.Error("no mirror and no error")
	}
	for _, u := range urls {
		if !strings.HasPrefix(u, "http") {
			t.Errorf("mirror %q", u)
		}
	}
}

func TestBuiltin(t *testing.T) {
	describe := func(repos []Repo) string {
		var s strings.Builder
		for _, r := range repos {
			fmt.Fprintln(&s, r.ID, r.Fingerprints[0][:8], r.MetadataSignatures, strings.Join(r.BaseURLs, " "))
			if err := r.check(); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
		return s.String()
	}
	for _, c := range []struct {
		set, release, arch, want string
	}{
		{"rocky", "9", "x86_64", `baseos 21CB256A off https://dl.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os
appstream 21CB256A off https://dl.rockylinux.org/pub/rocky/9/AppStream/x86_64/os
crb 21CB256A off https://dl.rockylinux.org/pub/rocky/9/CRB/x86_64/os
epel FF8AD134 off https://dl.fedoraproject.org/pub/epel/9/Everything/x86_64
pgdg-common D4BF08AE required https://download.postgresql.org/pub/repos/yum/common/redhat/rhel-9-x86_64
pgdg16 D4BF08AE required https://download.postgresql.org/pub/repos/yum/16/redhat/rhel-9-x86_64 https://yum-archive.postgresql.org/16/redhat/rhel-9-x86_64
`},
		{"alma", "9.4", "aarch64", `baseos BF18AC28 off https://repo.almalinux.org/almalinux/9.4/BaseOS/aarch64/os https://vault.almalinux.org/9.4/BaseOS/aarch64/os
appstream BF18AC28 off https://repo.almalinux.org/almalinux/9.4/AppStream/aarch64/os https://vault.almalinux.org/9.4/AppStream/aarch64/os
crb BF18AC28 off https://repo.almalinux.org/almalinux/9.4/CRB/aarch64/os https://vault.almalinux.org/9.4/CRB/aarch64/os
epel FF8AD134 off https://dl.fedoraproject.org/pub/archive/epel/9.4/Everything/aarch64 https://dl.fedoraproject.org/pub/epel/9/Everything/aarch64
pgdg-common B031F89F required https://download.postgresql.org/pub/repos/yum/common/redhat/rhel-9.4-aarch64 https://download.postgresql.org/pub/repos/yum/common/redhat/rhel-9-aarch64
pgdg16 B031F89F required https://download.postgresql.org/pub/repos/yum/16/redhat/rhel-9.4-aarch64 https://download.postgresql.org/pub/repos/yum/16/redhat/rhel-9-aarch64 https://yum-archive.postgresql.org/16/redhat/rhel-9-aarch64
`},
	} {
		repos, err := BuiltinSet(c.set, manifest.Target{Release: c.release, Arch: c.arch}, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(repos); got != c.want {
			t.Errorf("%s %s:\ngot\n%s\nwant\n%s", c.set, c.release, got, c.want)
		}
	}
	for _, c := range []struct{ set, release, arch, want string }{
		{"rocky", "8.10", "x86_64", `repositories for release "8.10" are not built in, only those for 9: name others with --repos`},
		{"rocky", "9", "s390x", `repositories for "s390x" are not built in, only those for x86_64 and aarch64: name others with --repos`},
		{"centos", "9", "x86_64", `the repository set "centos" is not built in, only rocky and alma`},
	} {
		_, err := BuiltinSet(c.set, manifest.Target{Release: c.release, Arch: c.arch}, 16)
		if err == nil || err.Error() != c.want || !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
