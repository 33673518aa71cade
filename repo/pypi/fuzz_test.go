package pypi

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"
)

// checkPage holds what every page must, whatever an index sends.
func checkPage(t *testing.T, page *Page) {
	t.Helper()
	m, err := newMachine(el9)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range page.Files {
		if f.Project != "lib" || !safeName(f.Filename) || strings.Contains(f.Filename, "/") || f.Size < -1 || f.SHA256 != "" && !isSHA256(f.SHA256) {
			t.Fatalf("%+v", f)
		}
		u, err := url.Parse(f.URL)
		if err != nil || u.User != nil || u.Fragment != "" {
			t.Fatalf("address %q: %v", f.URL, err)
		}
	}
	p, err := newProject(page, m, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range p.allowed(nil, false) {
		if len(group) == 0 {
			t.Fatal("an empty group")
		}
	}
}

func FuzzSimpleHTML(f *testing.F) {
	f.Add([]byte(`<base href="/x/"><a href="lib-1-py3-none-any.whl#sha256=00" data-requires-python="&gt;=3" data-yanked data-core-metadata="true">x</a>`))
	f.Add([]byte(`<meta name="pypi:repository-version" content="1.0"><a href='../../lib-1.0.tar.gz'>`))
	f.Add([]byte(`<a href="//u:p@h/%2e%2e/lib-1.zip?x#&sha256=`))
	base, _ := url.Parse("https://index.example/simple/lib/")
	f.Fuzz(func(t *testing.T, data []byte) {
		if page, err := parseSimpleHTML(data, "lib", base); err == nil {
			checkPage(t, page)
		}
	})
}

func FuzzSimpleJSON(f *testing.F) {
	f.Add([]byte(`{"meta":{"api-version":"1.1"},"name":"lib","files":[{"filename":"lib-1-py3-none-any.whl","url":"x","hashes":{"sha256":"00"},"requires-python":">=3","yanked":"why","core-metadata":{"sha256":"x"},"size":1,"upload-time":"2024-01-01T00:00:00.5Z"}]}`))
	f.Add([]byte(`{"files":[{"filename":"lib-1.tar.gz","url":"//u:p@h/x","yanked":true,"dist-info-metadata":true,"size":null,"requires-python":null}]}`))
	base, _ := url.Parse("https://index.example/simple/lib/")
	f.Fuzz(func(t *testing.T, data []byte) {
		if page, err := parseSimpleJSON(data, "lib", base); err == nil {
			checkPage(t, page)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Dist: b;\n\textra == 'x'\nProvides-Extra: x\n\nbody"))
	f.Add([]byte("Name: a\r\nVersion: 1\r\nDescription: x\r\n        y\r\n"))
	f.Add([]byte(": \n\nName"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMetadata(data)
		if err != nil {
			return
		}
		for _, v := range append([]string{m.Name, m.Version, m.RequiresPython}, m.RequiresDist...) {
			if strings.ContainsAny(v, "\r\n") && !bytes.Contains(data, []byte("\r")) {
				t.Fatalf("%q has a line break", v)
			}
		}
	})
}

func FuzzCheckWheel(f *testing.F) {
	f.Add(makeWheel("lib-1-py3-none-any.whl", []byte("Name: lib\nVersion: 1\n"), nil))
	f.Add(rawWheel("lib-1.dist-info/METADATA", "Name: lib\nVersion: 1\n", "../x", "y", "lib-1.dist-info/RECORD", "a,b,c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		CheckWheel(bytes.NewReader(data), "lib-1-py3-none-any.whl", el9)
		wheelMetadata(bytes.NewReader(data), int64(len(data)), "lib-1-py3-none-any.whl")
	})
}

func FuzzPipConf(f *testing.F) {
	f.Add([]byte("[global]\nindex-url = https://h.example\nextra-index-url =\n  a\n  b\n"), []byte("--index-url <url> (default https://h.example/simple)"))
	f.Fuzz(func(t *testing.T, conf, help []byte) {
		for key := range parsePipConf(conf) {
			if !strings.Contains(key, ".") {
				t.Fatalf("key %q", key)
			}
		}
		if address := defaultIndex(help); strings.ContainsAny(address, " \n") {
			t.Fatalf("address %q", address)
		}
	})
}
