//go:build oracle

package pkgfile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gnuPG is a home of gpg.
type gnuPG struct {
	t    *testing.T
	home string
}

func newGnuPG(t *testing.T) gnuPG {
	home := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	return gnuPG{t, home}
}

func (g gnuPG) run(args ...string) []byte {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %v: %v\n%s", args, err, stderr.String())
	}
	return out
}

// fingerprint of the primary key of a user.
func (g gnuPG) fingerprint(user string) string {
	g.t.Helper()
	fields := strings.Fields(strings.ReplaceAll(string(g.run("--with-colons", "--list-keys", user)), ":", " "))
	return fields[slices.Index(fields, "fpr")+1]
}

// sign signs a new package with rpmsign, which calls gpg with further arguments.
func (g gnuPG) sign(user string, more ...string) string {
	g.t.Helper()
	program, err := exec.LookPath("gpg")
	if err != nil {
		g.t.Fatal(err)
	}
	sample := filepath.Join(g.home, "sample.rpm")
	save(g.t, sample, takeApart(g.t, testPackage(g.t)).digests().bytes())
	args := []string{"--define", "_gpg_name " + user, "--define", "_gpg_path " + g.home, "--define", "__gpg " + program, "--addsign"}
	for _, m := range more {
		if m == "--rpmv3" {
			args = append(args, m)
		} else {
			args = append(args, "--define", "_gpg_sign_cmd_extra_args "+m)
		}
	}
	if out, err := exec.Command("rpmsign", append(args, sample)...).CombinedOutput(); err != nil {
		g.t.Fatalf("rpmsign: %v\n%s", err, out)
	}
	return sample
}

// TestGnuPG takes keys and signatures that gpg and rpmsign made, with signing
// subkeys and times of expiry.
func TestGnuPG(t *testing.T) {
	g := newGnuPG(t)
	data := filepath.Join(g.home, "repomd.xml")
	save(t, data, []byte("<repomd/>\n"))
	for _, kind := range []string{"rsa2048", "ed25519"} {
		user := kind + "@example.org"
		g.run("--quick-generate-key", user, kind, "cert", "5y")
		g.run("--quick-add-key", g.fingerprint(user), kind, "sign", "1y")
		sample := g.sign(user)
		for _, armour := range [][]string{{"--armor"}, nil} {
			ring, err := ParseKeys(g.run(append(armour, "--export", user)...))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := os.Open(sample)
			if err != nil {
				t.Fatal(err)
			}
			defer signed.Close()
			if v, err := Verify(signed, ring, Policy{Now: time.Now(), RefuseSHA1: true}); err != nil || v.Signer == nil {
				t.Errorf("%s: %v", kind, err)
			}
			key := filepath.Join(g.home, "ours.asc")
			save(t, key, []byte(ring.Keys[0].Armor))
			if out, err := rpmkeys(filepath.Join(g.home, "db"), "--import", key); err != nil {
				t.Errorf("rpm does not import our armor: %v\n%s", err, out)
			}
			for _, form := range [][]string{{"--detach-sign"}, {"--textmode", "--detach-sign"}} {
				args := append(append([]string{"-u", user, "-o", "-"}, armour...), form...)
				sig := g.run(append(args, data)...)
				if _, err := VerifyDetached([]byte("<repomd/>\n"), sig, ring, Policy{Now: time.Now(), RefuseSHA1: true}); err != nil {
					t.Errorf("%s %v %v: %v", kind, armour, form, err)
				}
			}
		}
	}
}

// TestLivesOfKeys holds EL 9's policy against the rpm at hand on keys that gpg
// made, at every turn of a key's life. Where the two differ, why says so: rpm 4
// without Sequoia looks at neither expiry nor revocation, EL 9's is older still
// than the one at hand, and its crypto policy is stricter.
func TestLivesOfKeys(t *testing.T) {
	year := []string{"--faked-system-time", "20200101T000000!"}
	then := "--faked-system-time 20200601T000000!"
	for _, c := range []struct {
		name  string
		make  func(g gnuPG, user string)
		sign  []string
		after func(g gnuPG, user string)
		want  Reason
		rpm   string // "good", "bad" or "key" for one that it does not import
		why   string
	}{
		{name: "RSA", make: func(g gnuPG, u string) { g.run("--quick-generate-key", u, "rsa2048", "sign", "5y") }, rpm: "good"},
		{name: "RSA, header and payload", sign: []string{"--rpmv3"},
			make: func(g gnuPG, u string) { g.run("--quick-generate-key", u, "rsa2048", "sign", "5y") }, rpm: "good"},
		{name: "RSA subkey", make: func(g gnuPG, u string) {
			g.run("--quick-generate-key", u, "rsa2048", "cert", "5y")
			g.run("--quick-add-key", g.fingerprint(u), "rsa2048", "sign", "1y")
		}, rpm: "good"},
		{name: "EdDSA", make: func(g gnuPG, u string) { g.run("--quick-generate-key", u, "ed25519", "sign", "5y") },
			want: RefusedKeyType, rpm: "good", why: "EL 9's rpm 4.16 on OpenSSL does not know Ed25519"},
		{name: "SHA-1", sign: []string{"--digest-algo SHA1"},
			make: func(g gnuPG, u string) { g.run("--quick-generate-key", u, "rsa2048", "sign", "5y") },
			want: WeakHash, rpm: "good", why: "EL 9's crypto policy refuses SHA-1"},
		{name: "self-signature of SHA-1", make: func(g gnuPG, u string) {
			g.run("--cert-digest-algo", "SHA1", "--quick-generate-key", u, "rsa2048", "sign", "5y")
		}, want: WeakHash, rpm: "good", why: "EL 9's crypto policy refuses SHA-1"},
		{name: "expired since it signed", sign: []string{then},
			make: func(g gnuPG, u string) {
				g.run(append(year, "--quick-generate-key", u, "rsa2048", "sign", "1y")...)
			}, want: KeyExpired, rpm: "good", why: "rpm does not look at expiry"},
		{name: "subkey expired since it signed", sign: []string{then},
			make: func(g gnuPG, u string) {
				g.run(append(year, "--quick-generate-key", u, "rsa2048", "cert", "never")...)
				g.run(append(year, "--quick-add-key", g.fingerprint(u), "rsa2048", "sign", "1y")...)
			}, want: KeyExpired, rpm: "good", why: "rpm does not look at expiry"},
		{name: "expired, then prolonged", sign: []string{then},
			make: func(g gnuPG, u string) {
				g.run(append(year, "--quick-generate-key", u, "rsa2048", "sign", "1y")...)
			},
			after: func(g gnuPG, u string) { g.run("--quick-set-expire", g.fingerprint(u), "5y") }, rpm: "good"},
		{name: "revoked since it signed",
			make: func(g gnuPG, u string) { g.run("--quick-generate-key", u, "rsa2048", "sign", "5y") },
			after: func(g gnuPG, u string) {
				name := filepath.Join(g.home, "openpgp-revocs.d", g.fingerprint(u)+".rev")
				text, err := os.ReadFile(name)
				if err != nil {
					g.t.Fatal(err)
				}
				save(g.t, name, bytes.ReplaceAll(text, []byte(":-----BEGIN"), []byte("-----BEGIN")))
				g.run("--import", name)
			}, want: KeyRevoked, rpm: "good", why: "rpm does not look at revocations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if (c.why == "") != ((c.want == "") == (c.rpm == "good")) {
				t.Fatal("a difference needs a reason, and only a difference")
			}
			g, user := newGnuPG(t), "life@example.org"
			c.make(g, user)
			sample := g.sign(user, c.sign...)
			if c.after != nil {
				c.after(g, user)
			}
			key := filepath.Join(g.home, "key.asc")
			save(t, key, g.run("--armor", "--export", user))
			got := "good"
			out, err := rpmkeys(filepath.Join(g.home, "db"), "--import", key)
			if err != nil {
				got = "key"
			} else if out, err = rpmkeys(filepath.Join(g.home, "db"), "-Kv", sample); err != nil {
				got = "bad"
			}
			if got != c.rpm {
				t.Errorf("rpm says %s, want %s\n%s", got, c.rpm, out)
			}
			armor, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			ring, err := ParseKeys(armor)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Verify(bytes.NewReader(data), ring, Policy{Now: time.Now(), RefuseSHA1: true, RefuseCurves: true})
			if reasonOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("we say %v, want %q", err, c.want)
			}
			if c.want != "" {
				return
			}
			exported, err := Export(ring.Keys[0], Policy{RefuseSHA1: true, RefuseCurves: true})
			if err != nil {
				t.Fatal(err)
			}
			save(t, key, []byte(exported.Armor))
			if out, err := rpmkeys(filepath.Join(g.home, "fresh"), "--import", key); err != nil {
				t.Errorf("rpm does not import our export: %v\n%s", err, out)
			}
			if out, err := rpmkeys(filepath.Join(g.home, "fresh"), "-Kv", sample); err != nil {
				t.Errorf("with our export: %v\n%s", err, out)
			}
		})
	}
}
