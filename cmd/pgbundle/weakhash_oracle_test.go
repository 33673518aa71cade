//go:build oracle

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/internal/fixture"
)

// TestWeakHashOracle builds with a package that rpmsign signed in ways that EL 9
// refuses: over SHA-1, and by a key that SHA-1 alone binds to its owner. The same
// package, signed as the message says, is taken.
func TestWeakHashOracle(t *testing.T) {
	world, err := fixture.New("", fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, url := world.Start(t)
	for _, c := range []struct {
		name          string
		keyArgs       []string
		signArguments string
		want          string
	}{
		{"a signature over SHA-1", nil, "--digest-algo SHA1", "is over SHA-1, which the target refuses: take a build that is signed with RSA over SHA-256, or sign this one so"},
		{"a key over SHA-1", []string{"--cert-digest-algo", "SHA1"}, "--digest-algo SHA256", "is bound to its owner by SHA-1 alone, which the target refuses: take a build"},
		{"RSA over SHA-256", nil, "--digest-algo SHA256", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(name string, args ...string) string {
				t.Helper()
				cmd := exec.Command(name, args...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s %v: %v\n%s", name, args, err, out)
				}
				return string(out)
			}
			for _, folder := range []string{"gnupg", "extra"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", filepath.Join(dir, "gnupg"), "--kill", "all").Run() })
			for name, data := range map[string][]byte{
				"world.repo":                       world.RepoFile(url),
				"extra/acl-2.4.0-1.el9.x86_64.rpm": world.File("rpm/bad-unsigned/x86_64/Packages/a/acl-2.4.0-1.el9.x86_64.rpm"),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			gpg := append([]string{"--homedir", "gnupg", "--batch", "--passphrase", "", "--pinentry-mode", "loopback"}, c.keyArgs...)
			run("gpg", append(gpg, "--quick-generate-key", "own@example.org", "rsa2048", "sign", "5y")...)
			run("gpg", "--homedir", "gnupg", "--armor", "--output", "own.asc", "--export", "own@example.org")
			program, err := exec.LookPath("gpg")
			if err != nil {
				t.Fatal(err)
			}
			run("rpmsign", "--define", "_gpg_name own@example.org", "--define", "_gpg_path "+dir+"/gnupg", "--define", "__gpg "+program,
				"--define", "_gpg_sign_cmd_extra_args "+c.signArguments, "--resign", "extra/acl-2.4.0-1.el9.x86_64.rpm")
			run("createrepo_c", "--quiet", "extra")
			cmd := exec.Command(filepath.Join(programFolder(t), "pgbundle-linux-amd64"), "build", "-q", "--repos", "world.repo", "--repo", "extra=extra", "--key", "own.asc",
				"--index-url", url+"/simple", "--galaxy-url", url+"/galaxy", "--etcd-url", url+"/etcd", "--cache", "cache", "-o", "out.tar.gz")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.want == "") || !strings.Contains(string(out), c.want) {
				t.Fatalf("%v\n%s\nwant %s", err, out, c.want)
			}
			if c.want != "" && cmd.ProcessState.ExitCode() != 4 {
				t.Errorf("exit status %d, want 4", cmd.ProcessState.ExitCode())
			}
		})
	}
}
