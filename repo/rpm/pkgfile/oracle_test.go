//go:build oracle

package pkgfile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// TestDamageOracle flips bits of a signed package at random, and ends it early:
// rpm and Verify agree on every copy, but that rpm passes over a second signature
// whose algorithm it does not know, which is refused here.
func TestDamageOracle(t *testing.T) {
	dir := t.TempDir()
	db, key, sample := filepath.Join(dir, "db"), filepath.Join(dir, "key"), filepath.Join(dir, "sample.rpm")
	save(t, key, publicKey(t, testKeys["good"](t)))
	if out, err := rpmkeys(db, "--import", key); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data := (&verifyCase{make: bothSigs("good")}).build(t)
	ring := ringOf(t, testKeys["good"](t))
	random := rand.New(rand.NewPCG(1, 2))
	verdicts := map[bool]int{}
	compare := func(what string, data []byte) {
		t.Helper()
		save(t, sample, data)
		out, rpm := rpmkeys(db, "-K", sample)
		_, ours := Verify(bytes.NewReader(data), ring, now)
		passedOver := rpm == nil && asSignature(ours) == Unreadable && strings.Contains(ours.Error(), "unsupported")
		if (rpm == nil) != (ours == nil) && !passedOver {
			t.Errorf("%s: rpm says %s\nwe say %v", what, out, ours)
		}
		verdicts[ours == nil]++
	}
	for range 1000 {
		at, bit := leadSize+random.IntN(len(data)-leadSize), random.IntN(8)
		changed := bytes.Clone(data)
		changed[at] ^= 1 << bit
		compare(fmt.Sprintf("bit %d of byte %d", bit, at), changed)
	}
	for range 100 {
		n := random.IntN(len(data))
		compare(fmt.Sprintf("%d bytes of %d", n, len(data)), data[:n])
	}
	compare("whole", data)
	t.Logf("%d copies refused by both, %d taken by both", verdicts[false], verdicts[true])
}
