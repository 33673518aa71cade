package install

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// testKeys are some key pairs.
func testKeys(t *testing.T, n byte) (secret []sign.PrivateKey, public []sign.PublicKey) {
	t.Helper()
	for seed := range n {
		key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed + 7}, 256)))
		must(t, err)
		secret, public = append(secret, key), append(public, key.Public())
	}
	return secret, public
}

// What an image's own keys would refuse on the booted node is not put into it.
func TestKeysOfAnImage(t *testing.T) {
	secret, public := testKeys(t, 3)
	b := pack(t, content("one"), &secret[0])
	unsigned := pack(t, content("one"), nil)
	for name, c := range map[string]struct {
		bundle made
		image  []sign.PublicKey // its own
		here   []sign.PublicKey
		want   string // of the error; empty: installed by a trusted key
	}{
		"the image's":           {b, public[:1], nil, ""},
		"both":                  {b, public[:2], public[:1], ""},
		"a stranger's":          {b, public[1:2], nil, "signed by key " + public[0].ID() + ", which is not a trusted key: trusted here: " + public[1].ID()},
		"unsigned":              {unsigned, public[1:2], nil, "it is not signed: trusted here: " + public[1].ID()},
		"not the image's":       {b, public[1:3], public[:2], "which is not a trusted key: trusted here: " + public[1].ID() + ")"},
		"not trusted here":      {b, public[:2], public[1:3], "which is not a trusted key: trusted here: " + public[1].ID() + ")"},
		"none that both trust":  {b, public[1:2], public[:1], "no key is trusted both here (" + public[0].ID() + ") and by /etc/pgbundle/trusted-keys.d of the image (" + public[1].ID() + ")"},
		"none of the image's":   {b, nil, public[:1], ""},
		"none, and a stranger":  {b, nil, public[1:2], "which is not a trusted key"},
		"the image's is no key": {b, []sign.PublicKey{{}}, nil, "read the image's keys"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			for _, k := range c.image {
				text := string(k.File())
				if k.Equal(sign.PublicKey{}) {
					text = "no key"
				}
				s.write(t, TrustedKeys+"/"+k.ID()+".pub", text)
			}
			before := s.listing(t)
			res, err := s.open(t).Install(t.Context(), Options{Bundle: c.bundle.path, Roles: target, Keys: c.here})
			if c.want == "" {
				if err != nil || !res.Authenticated || res.By != public[0].ID() {
					t.Fatalf("%+v, %v", res, err)
				}
				st, err := s.open(t).Status(t.Context(), StatusOptions{Verify: true})
				must(t, err)
				if len(c.image) > 0 && st.Releases[0].Authentic != "signed by "+public[0].ID() {
					t.Errorf("status: %+v", st.Releases[0])
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || len(c.here) > 0 && !errors.Is(err, manifest.ErrSignature) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if after := s.listing(t); !slices.Equal(before, after) {
				t.Errorf("changed:\n%v\n%v", before, after)
			}
		})
	}
}

// Links are followed as the node would follow them, never out of the image, and
// nothing waits for a pipe.
func TestKeysOfAnImageLeadNowhere(t *testing.T) {
	secret, public := testKeys(t, 2)
	b := pack(t, content("one"), &secret[0])
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "other.pub"), public[1].File(), 0o644))
	folder := filepath.Dir(TrustedKeys)

	s := newSite(t)
	must(t, os.MkdirAll(s.path(folder), 0o755))
	must(t, os.Symlink(outside, s.path(TrustedKeys)))
	if res := s.install(t, Options{Bundle: b.path, Roles: target}); res.Authenticated {
		t.Errorf("keys were read outside of the image: %+v", res)
	}

	s = newSite(t)
	s.write(t, "/srv/keys/site.pub", string(public[0].File()))
	must(t, os.MkdirAll(s.path(folder), 0o755))
	must(t, os.Symlink("/srv/keys", s.path(TrustedKeys)))
	if res := s.install(t, Options{Bundle: b.path, Roles: target}); !res.Authenticated {
		t.Errorf("a link in the image was not followed: %+v", res)
	}
	must(t, os.Remove(s.path("/srv/keys/site.pub")))
	must(t, syscall.Mkfifo(s.path("/srv/keys/site.pub"), 0o644))
	if _, err := s.open(t).Install(t.Context(), Options{Bundle: b.path, Roles: target}); err == nil || !strings.Contains(err.Error(), "read trusted key site.pub") {
		t.Errorf("a pipe for a key: %v", err)
	}
}
