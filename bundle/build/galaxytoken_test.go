package build

import (
	"errors"
	"testing"

	"pgbundle/manifest"
)

func TestParseGalaxyToken(t *testing.T) {
	for text, want := range map[string]string{
		"abc\n":                    "abc",
		"abc\r\nmore\n":            "abc",
		"token: abc\n":             "abc",
		"---\ntoken: 'abc'\n":      "abc",
		"token: abc\nserver: x\n":  "abc",
		"":                         "",
		"\n\n":                     "",
		"token:\n":                 "",
		"token: [unclosed secret}": "",
	} {
		got, err := ParseGalaxyToken([]byte(text))
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, manifest.ErrUsage) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestGalaxyScope holds which addresses of a server see its token.
func TestGalaxyScope(t *testing.T) {
	for server, want := range map[string]string{
		"https://galaxy.example/":                                "https://galaxy.example/api/",
		"https://galaxy.example":                                 "https://galaxy.example/api/",
		"https://hub.example/api":                                "https://hub.example/api/",
		"https://hub.example/api/galaxy/content/published/":      "https://hub.example/api/",
		"https://sat.example/pulp_ansible/galaxy/ORG/view/name/": "https://sat.example/pulp_ansible/galaxy/ORG/view/name/api/",
	} {
		if got := galaxyScope(server); got != want {
			t.Errorf("%s: %s, want %s", server, got, want)
		}
	}
}

// TestGalaxyTokenIsForItsServer gives the token to the server that is named, and
// to none that is not.
func TestGalaxyTokenIsForItsServer(t *testing.T) {
	for address, want := range map[string]string{"": galaxyServer + "api/", "https://hub.example": "https://hub.example/api/", "/srv/collections": "", "file:///srv/collections": ""} {
		src, _, err := FindSources(Spec{GalaxyURL: address}, Host{None: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := src.SetGalaxyToken("t"); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range src.Credentials {
			got += c.Scope
		}
		if got != want {
			t.Errorf("%q: the token is for %q, want %q", address, got, want)
		}
	}
}
