//go:build oracle

package bundle

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest/sign"
)

// run runs a tool that must succeed without a word on stderr.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil || messages.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, messages.String())
	}
	return out.String()
}

// longFiles have names in both fields of a header.
func longFiles() map[string][]byte {
	files := edgeFiles()
	files["collections/"+strings.Repeat("d", 80)+"/"+strings.Repeat("n", 99)] = []byte("long")
	return files
}

func TestStockToolsReadABundle(t *testing.T) {
	key := secret(t, 1)
	s := pack(t, longFiles(), 8).signed(t, key)
	dir := t.TempDir()
	path := filepath.Join(dir, "b.tar.gz")
	if err := os.WriteFile(path, s.archive, 0o644); err != nil {
		t.Fatal(err)
	}
	members, _ := s.parts(t)
	var want strings.Builder
	for _, m := range members {
		fmt.Fprintf(&want, "%s/%s\n", TopFolder, m.path)
	}
	run(t, dir, "gzip", "-t", path)
	run(t, dir, "pigz", "-t", path)
	const list = "import tarfile,sys\nfor m in tarfile.open(sys.argv[1]): print(m.name)"
	for name, args := range map[string][]string{
		"GNU tar":  {"tar", "tzf", path},
		"bsdtar":   {"bsdtar", "tf", path},
		"busybox":  {"busybox", "tar", "tzf", path},
		"python":   {"python3", "-W", "error", "-c", list, path},
		"pipe":     {"sh", "-c", "cat " + path + " | tar xzf - --to-stdout --show-transformed-names -v 2>&1 >/dev/null"},
		"gzip tar": {"sh", "-c", "gzip -dc " + path + " | tar tf -"},
	} {
		if got := run(t, dir, args[0], args[1:]...); got != want.String() {
			t.Errorf("%s lists\n%s\nwant\n%s", name, got, want.String())
		}
	}
	for name, args := range map[string][]string{
		"gnu":     {"tar", "xzf", path},
		"bsd":     {"bsdtar", "xf", path},
		"busybox": {"busybox", "tar", "xzf", path},
	} {
		into := filepath.Join(dir, name)
		if err := os.Mkdir(into, 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, into, args[0], args[1:]...)
		top := filepath.Join(into, TopFolder)
		report, err := Verify(t.Context(), top, VerifyOptions{Keys: []sign.PublicKey{key.Public()}})
		if err != nil || report.Err() != nil {
			t.Errorf("unpacked by %s: %v, %v", name, report.Err(), err)
		}
		run(t, top, "sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS")
	}
}

// What we sign stock minisign verifies, and the reverse, with plain and
// encrypted keys, prehashed and legacy.
func TestStockMinisign(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(file(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	s := pack(t, smallFiles(), 1)
	write("manifest.yaml", s.raw)

	t.Run("ours", func(t *testing.T) {
		key := secret(t, 1)
		signature, err := sign.Manifest(key, s.raw)
		if err != nil {
			t.Fatal(err)
		}
		write("manifest.yaml.minisig", signature)
		write("ours.pub", key.Public().File())
		out := run(t, dir, "minisign", "-V", "-p", "ours.pub", "-m", "manifest.yaml")
		if want := "Trusted comment: pgbundle " + s.written.ID; !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
		run(t, dir, "minisign", "-V", "-P", key.Public().String(), "-m", "manifest.yaml")
		for name, password := range map[string]string{"plain.key": "", "encrypted.key": "a pass word"} {
			data, err := key.File(password)
			if err != nil {
				t.Fatal(err)
			}
			write(name, data)
			stockSign(t, dir, password, "-s", name, "-m", "manifest.yaml", "-x", "stock.minisig")
			if _, _, err := sign.Verify([]sign.PublicKey{key.Public()}, s.raw, read("stock.minisig")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	for name, password := range map[string]string{"plain": "", "encrypted": "a pass word"} {
		t.Run("stock key, "+name, func(t *testing.T) {
			args := []string{"-G", "-f", "-p", name + ".pub", "-s", name + "-stock.key"}
			if password == "" {
				args = append(args, "-W")
			}
			stockSign(t, dir, password, args...)
			public, err := sign.ParsePublicKey(read(name + ".pub"))
			if err != nil {
				t.Fatal(err)
			}
			key, err := sign.ParsePrivateKey(read(name+"-stock.key"), func() (string, error) { return password, nil })
			if err != nil || !key.Public().Equal(public) {
				t.Fatalf("%v", err)
			}
			if password != "" {
				if _, err := sign.ParsePrivateKey(read(name+"-stock.key"), func() (string, error) { return "wrong", nil }); err == nil {
					t.Error("a wrong password was taken")
				}
			}
			for _, mode := range []string{"-H", "-l"} {
				stockSign(t, dir, password, "-S", mode, "-s", name+"-stock.key", "-m", "manifest.yaml", "-x", "stock.minisig", "-t", "told")
				signature := read("stock.minisig")
				_, comment, err := sign.Verify([]sign.PublicKey{public}, s.raw, signature)
				if err != nil || comment != "told" {
					t.Errorf("%s: %q, %v", mode, comment, err)
				}
				parsed, err := sign.ParseSignature(signature)
				if err != nil || parsed.Prehashed != (mode == "-H") {
					t.Errorf("%s: %+v, %v", mode, parsed, err)
				}
				c := s.content()
				c.Signature = signature
				var archive bytes.Buffer
				if _, err := Write(t.Context(), &archive, c, WriteOptions{}); err != nil {
					t.Fatal(err)
				}
				report := verify(t, archive.Bytes(), VerifyOptions{Keys: []sign.PublicKey{public}})
				if report.Err() != nil || !report.Authenticated {
					t.Errorf("%s: %v", mode, report.Err())
				}
			}
			signature, err := sign.Manifest(key, s.raw)
			if err != nil {
				t.Fatal(err)
			}
			write("manifest.yaml.minisig", signature)
			run(t, dir, "minisign", "-V", "-p", name+".pub", "-m", "manifest.yaml")
		})
	}
}

// stockSign runs minisign with a password, once to give and once to confirm,
// on its stdin. It speaks on stderr when it asks.
func stockSign(t *testing.T, dir, password string, args ...string) {
	t.Helper()
	if !slices.Contains(args, "-G") && !slices.Contains(args, "-S") {
		args = append([]string{"-S"}, args...)
	}
	cmd := exec.Command("minisign", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(password + "\n" + password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("minisign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// A bundle that stock tools unpack under any umask verifies; its modes are
// those of the manifest where the umask lets them.
func TestUnpackUnderAnUmask(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	for _, umask := range []string{"077", "022", "002"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "b.tar.gz"), s.archive, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, dir, "sh", "-c", "umask "+umask+" && tar xzf b.tar.gz --no-same-permissions")
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil || report.Err() != nil {
			t.Errorf("umask %s: %v, %v", umask, report.Err(), err)
		}
	}
}
