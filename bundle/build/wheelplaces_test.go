package build

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/internal/fixture"
	"pgbundle/manifest"
)

// guarded is the server of the hermetic world behind a password.
func guarded(t *testing.T) (url string) {
	t.Helper()
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	handler := world.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "site" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestCredentialsOfWheelPlaces reaches places behind a password, whose files lie
// beside their pages, and holds that no address keeps it.
func TestCredentialsOfWheelPlaces(t *testing.T) {
	url := guarded(t)
	known := strings.Replace(url, "http://", "http://site:s3cret@", 1)
	netrc := []byte("machine 127.0.0.1 login site password s3cret\n")
	tests := []struct {
		name   string
		spec   Spec
		netrc  []byte
		source string // of ydiff; "": refused
	}{
		{"index in the URL", Spec{IndexURL: known + "/simple"}, nil, "pypi"},
		{"slash at its end", Spec{IndexURL: known + "/simple/"}, nil, "pypi"},
		{"extra index in the URL", Spec{IndexURL: t.TempDir(), ExtraIndexURLs: []string{known + "/simple"}}, nil, "extra-index-1"},
		{"page of links in the URL", Spec{IndexURL: t.TempDir(), FindLinks: []string{known + "/simple/ydiff/"}}, nil, "find-links-1"},
		{"all by netrc", Spec{IndexURL: url + "/simple", FindLinks: []string{url + "/simple/ydiff/"}, ExtraIndexURLs: []string{url + "/simple"}}, netrc, "extra-index-1"},
		{"nobody tells", Spec{IndexURL: t.TempDir(), ExtraIndexURLs: []string{url + "/simple"}}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Spec: tt.spec.WithDefaults(), Progress: Silent{}, Now: time.Now()}
			var err error
			if o.Sources, _, err = FindSources(o.Spec, Host{None: true}); err != nil {
				t.Fatal(err)
			}
			if err := o.Connect(Network{CacheDir: t.TempDir(), Netrc: tt.netrc}); err != nil {
				t.Fatal(err)
			}
			places, err := o.Sources.wheelPlaces()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range places {
				if strings.Contains(p.address, "s3cret") || strings.Contains(p.address, "site:") {
					t.Errorf("%s keeps a password: %s", p.id, p.address)
				}
			}
			got, err := ResolveWheels(t.Context(), o, []string{"ydiff"}, nil)
			if tt.source == "" {
				if err == nil || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || len(got) != 1 || got[0].Source != tt.source {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestWheelAddresses holds which places stand in for those of a lock.
func TestWheelAddresses(t *testing.T) {
	source := func(id string, urls ...string) manifest.Source {
		return manifest.Source{ID: id, Kind: manifest.Wheel, Role: manifest.Provides, URLs: urls}
	}
	lock := &manifest.Lock{Sources: []manifest.Source{
		source("extra-index-1", "https://host.example/one"), source("extra-index-10", "https://host.example/ten"), source("extra-index-2", "https://host.example/two"),
		source("find-links-1", "https://host.example/links?…"), source("pypi", "https://index.example/simple"),
		{ID: "baseos", Kind: manifest.RPM, URLs: []string{"https://rpm.example"}},
	}}
	tests := []struct {
		name    string
		sources Sources
		want    string
	}{
		{"nothing is named", Sources{}, "https://host.example/one https://host.example/two https://host.example/ten https://host.example/links?… https://index.example/simple"},
		{"a mirror of the index", Sources{IndexURL: "/m"}, "https://host.example/one https://host.example/two https://host.example/ten https://host.example/links?… /m"},
		{"mirrors of the last two", Sources{ExtraIndexURLs: []string{"/a", "/b"}}, "https://host.example/one /a /b https://host.example/links?… https://index.example/simple"},
		{"what the host knows more of", Sources{HostPip: HostPip{FindLinks: []string{"https://host.example/links?token=t"}}},
			"https://host.example/one https://host.example/two https://host.example/ten https://host.example/links?token=t https://index.example/simple"},
		{"too many", Sources{FindLinks: []string{"/a", "/b"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, err := (Options{Sources: tt.sources}).wheelAddresses(lock)
			if tt.want == "" {
				if !errors.Is(err, manifest.ErrUsage) {
					t.Errorf("got %v, %v", at, err)
				}
				return
			}
			var got []string
			for _, id := range []string{"extra-index-1", "extra-index-2", "extra-index-10", "find-links-1", "pypi"} {
				got = append(got, at[id])
			}
			if err != nil || len(at) != len(got) || !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// TestExcludeNewer holds what a date means, and that it is part of what is
// wanted, as is the number of places, and not where they are.
func TestExcludeNewer(t *testing.T) {
	for text, want := range map[string]string{
		"2025-01-31": "2025-02-01T00:00:00Z", "2024-02-28": "2024-02-29T00:00:00Z", "2025-01-31T12:00:00Z": "2025-01-31T12:00:00Z",
		"2025-01-31T12:00:00.5+02:00": "2025-01-31T10:00:00.5Z",
	} {
		if got, err := (Spec{ExcludeNewer: text}).excludeNewer(); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"2025-02-30", "2025", "2025-01-31T12:00:00", "P3D", " 2025-01-31"} {
		if got, err := (Spec{ExcludeNewer: text}).excludeNewer(); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
	digest := func(s Spec) string {
		sum, err := s.WithDefaults().Digest()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	if digest(Spec{ExtraIndexURLs: []string{"a"}, FindLinks: []string{"b"}}) != digest(Spec{ExtraIndexURLs: []string{"c"}, FindLinks: []string{"d"}}) {
		t.Error("the digest depends on where places are")
	}
	seen := map[string]bool{}
	for _, s := range []Spec{{}, {ExtraIndexURLs: []string{"a"}}, {FindLinks: []string{"a"}}, {ExtraIndexURLs: []string{"a", "b"}}, {ExcludeNewer: "2025-01-31"}, {ExcludeNewer: "2025-02-01"}} {
		if seen[digest(s)] {
			t.Errorf("%+v has the digest of another spec", s)
		}
		seen[digest(s)] = true
	}
}
