//go:build oracle

package pkgfile

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVerifyOracle holds rpmkeys against Verify on every case. Where a case says
// that rpm is of another mind, its policy is why: rpm as such looks at neither
// expiry nor revocation nor what EL 9's crypto policy refuses. Debian's rpm does
// not import keys with a critical subpacket that it does not know, and so none of
// those made here that expire, are revoked or have subkeys.
func TestVerifyOracle(t *testing.T) {
	for _, c := range verifyCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			db := filepath.Join(dir, "db")
			for i, e := range c.keys(t) {
				path := filepath.Join(dir, "key"+string(rune('0'+i)))
				save(t, path, publicKey(t, e))
				out, err := rpmkeys(db, "--import", path)
				if (err != nil) != (c.rpm == "key") {
					t.Fatalf("import: %v\n%s", err, out)
				}
				if err != nil {
					return
				}
			}
			path := filepath.Join(dir, "sample.rpm")
			save(t, path, c.build(t))
			out, err := rpmkeys(db, "-Kv", path)
			want := c.rpm
			if want == "" {
				want = map[bool]string{true: "good", false: "bad"}[c.want == ""]
			}
			if got := map[bool]string{true: "good", false: "bad"}[err == nil]; got != want {
				t.Errorf("rpm says %s, want %s\n%s", got, want, out)
			}
		})
	}
}

func save(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func rpmkeys(db string, args ...string) (string, error) {
	out, err := exec.Command("rpmkeys", append([]string{"--dbpath", db}, args...)...).CombinedOutput()
	return string(out), err
}

// TestReadOracle compares what Read finds with rpm's own query.
func TestReadOracle(t *testing.T) {
	for _, path := range dataPackages(t) {
		p, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		const format = `%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{ARCH}|%{SUMMARY}|%{DESCRIPTION}|%{URL}|%{LICENSE}|` +
			`%{GROUP}|%{BUILDHOST}|%{SOURCERPM}|%{BUILDTIME}|%{LONGSIZE}|%{LONGARCHIVESIZE}|` +
			`[R%{REQUIRES} %{REQUIREFLAGS} %{REQUIREVERSION}\n][P%{PROVIDES} %{PROVIDEFLAGS} %{PROVIDEVERSION}\n]` +
			`[F%{FILENAMES} %{FILEMODES} %{FILEFLAGS}\n][C%{CHANGELOGTIME} %{CHANGELOGNAME} %{CHANGELOGTEXT}\n]`
		cmd := exec.Command("rpm", "-qp", "--nosignature", "--qf", format, path)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := queried(p); got != string(want) {
			t.Errorf("%s:\n%s\nrpm:\n%s", path, got, want)
		}
	}
}

// queried prints a package as the query of TestReadOracle does.
func queried(p *Package) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%d|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%d|%d|%d|", p.Name, p.Epoch, p.Version, p.Release, p.Arch,
		p.Summary, p.Description, p.URL, p.License, p.Group, p.BuildHost, p.SourceRPM, p.BuildTime, p.InstalledSize, p.ArchiveSize)
	for _, d := range p.Requires {
		fmt.Fprintf(&b, "R%s %d %s\n", d.Name, d.Flags, d.Version)
	}
	for _, d := range p.Provides {
		fmt.Fprintf(&b, "P%s %d %s\n", d.Name, d.Flags, d.Version)
	}
	for _, f := range p.Files {
		fmt.Fprintf(&b, "F%s %d %d\n", f.Path(), f.Mode, f.Flags)
	}
	for _, c := range p.Changelogs {
		fmt.Fprintf(&b, "C%d %s %s\n", c.Time, c.Author, c.Text)
	}
	return b.String()
}

// TestOurKeysImport checks that rpm takes the armor that ParseKeys writes.
func TestOurKeysImport(t *testing.T) {
	dir := t.TempDir()
	for _, key := range ringOf(t, testKeys["good"](t), testKeys["eddsa"](t), testKeys["sha1"](t)).Keys {
		path := filepath.Join(dir, "key")
		save(t, path, []byte(key.Armor))
		if out, err := rpmkeys(filepath.Join(dir, "db"), "--import", path); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestGnuPG takes keys and signatures that gpg and rpmsign made, with signing
// subkeys and times of expiry.
func TestGnuPG(t *testing.T) {
	home := t.TempDir()
	program, err := exec.LookPath("gpg")
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	data := filepath.Join(home, "repomd.xml")
	save(t, data, []byte("<repomd/>\n"))
	for _, kind := range []string{"rsa2048", "ed25519"} {
		user := kind + "@example.org"
		gpg("--quick-generate-key", user, kind, "cert", "5y")
		keys := bytes.Fields(bytes.ReplaceAll(gpg("--with-colons", "--list-keys", user), []byte(":"), []byte(" ")))
		at := slices.IndexFunc(keys, func(f []byte) bool { return string(f) == "fpr" })
		gpg("--quick-add-key", string(keys[at+1]), kind, "sign", "1y")
		sample := filepath.Join(home, "sample.rpm")
		save(t, sample, takeApart(t, testPackage(t)).digests().bytes())
		out, err := exec.Command("rpmsign", "--define", "_gpg_name "+user, "--define", "_gpg_path "+home, "--define", "__gpg "+program, "--addsign", sample).CombinedOutput()
		if err != nil {
			t.Fatalf("rpmsign: %v\n%s", err, out)
		}
		for _, armour := range [][]string{{"--armor"}, nil} {
			ring, err := ParseKeys(gpg(append(armour, "--export", user)...))
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
			key := filepath.Join(home, "ours.asc")
			save(t, key, []byte(ring.Keys[0].Armor))
			if out, err := rpmkeys(filepath.Join(home, "db"), "--import", key); err != nil {
				t.Errorf("rpm does not import our armor: %v\n%s", err, out)
			}
			for _, form := range [][]string{{"--detach-sign"}, {"--textmode", "--detach-sign"}} {
				args := append(append([]string{"-u", user, "-o", "-"}, armour...), form...)
				sig := gpg(append(args, data)...)
				if _, err := VerifyDetached([]byte("<repomd/>\n"), sig, ring, Policy{Now: time.Now(), RefuseSHA1: true}); err != nil {
					t.Errorf("%s %v %v: %v", kind, armour, form, err)
				}
			}
		}
	}
}
