package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"pgbundle/bundle"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

func keygenCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "keygen",
		Usage:     "make a key pair that signs bundles",
		ArgsUsage: "NAME",
		Description: `Writes NAME.key, which signs and stays with you, and NAME.pub, which goes to every
site by another way than the bundles. Both are minisign's: its own program reads
them. The secret key is encrypted with a password that is asked for, or taken
from the first line of --password-file; --no-password leaves it in plain.

Examples:
   pgbundle keygen site
   pgbundle keygen --no-password ci`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-password", Usage: "do not encrypt the secret key"},
			&cli.StringFlag{Name: "password-file", Usage: "take the password from the first line of `FILE`"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runKeygen(c, h) },
	}
}

func runKeygen(c *cli.Context, h host) error {
	name, err := operand(c, "NAME")
	if err != nil {
		return err
	}
	secret, public := name+".key", name+".pub"
	for _, file := range []string{secret, public} {
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("make key pair: %s is already there, and a key is never overwritten", file)
		}
	}
	password := ""
	if c.Bool("no-password") && c.IsSet("password-file") {
		return &usageError{"--no-password and --password-file contradict each other", "pgbundle keygen --help"}
	}
	if !c.Bool("no-password") {
		if password, err = newPassword(c, h); err != nil {
			return err
		}
	}
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	text, err := key.File(password)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(secret, text, 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write secret key: %w", err)
	}
	if err := renameio.WriteFile(public, key.Public().File(), 0o644, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write public key: %w", err)
	}
	if c.Bool("json") {
		return writeJSON(h.stdout, keyPair{Secret: secret, Public: public, Key: key.ID()})
	}
	fmt.Fprintf(h.stdout, "%s  secret: keep it, and a copy of it\n%s  public: give it to every site, apart from the bundles\nkey %s\n",
		secret, public, key.ID())
	return nil
}

// keyPair is the result of keygen.
type keyPair struct {
	Secret string `json:"secret"` // file
	Public string `json:"public"` // file
	Key    string `json:"key"`    // its id
}

// signature is the result of sign.
type signature struct {
	Bundle string `json:"bundle"`
	SHA256 string `json:"sha256,omitempty"` // of the archive; an unpacked bundle has none
	Key    string `json:"key"`              // the id of the key that signed
}

func signCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "sign",
		Usage:     "sign a bundle that was built without a key",
		ArgsUsage: "BUNDLE",
		Description: `Puts a minisign signature of the manifest into the archive, in place of one that
is there. The bundle is checked first, written anew beside itself and appears
only complete; its .sha256 is renewed. Of an unpacked bundle only the signature
file is written.

Examples:
   pgbundle sign --key site.key patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "the secret key `FILE`", Required: true},
			&cli.StringFlag{Name: "password-file", Usage: "take the password of the key from the first line of `FILE`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` instead of the bundle itself"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runSign(c, h) },
	}
}

func runSign(c *cli.Context, h host) error {
	path, err := operand(c, "BUNDLE")
	if err != nil {
		return err
	}
	key, err := secretKey(c, h, c.String("key"))
	if err != nil {
		return err
	}
	if err := whole(c.Context, path); err != nil {
		return err
	}
	to := c.String("output")
	if to == "" {
		to = path
	}
	written, err := bundle.SignFile(c.Context, path, to, func(raw []byte) ([]byte, error) { return sign.Manifest(key, raw) })
	if err != nil {
		return fmt.Errorf("sign %s: %w", path, err)
	}
	if c.Bool("json") {
		return writeJSON(h.stdout, signature{Bundle: to, SHA256: written.SHA256, Key: key.ID()})
	}
	fmt.Fprintf(h.stdout, "bundle  %s\n", to)
	if written.SHA256 != "" {
		fmt.Fprintf(h.stdout, "sha256  %s\n", written.SHA256)
	}
	fmt.Fprintf(h.stdout, "signed  by %s\n", key.ID())
	return nil
}

// whole refuses to sign what is not a bundle any more: a signature over a good
// manifest would lend its name to damaged files.
func whole(ctx context.Context, path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return &usageError{path + " is a link: signing would put a file in its place", "pgbundle sign the file that it leads to"}
	}
	if err := notBundle(path, func(name string) string { return "pgbundle sign --key KEY " + name }); err != nil {
		return err
	}
	report, err := bundle.Verify(ctx, path, bundle.VerifyOptions{Jobs: runtime.NumCPU()})
	if err == nil {
		err = report.Damage()
	}
	if err != nil {
		return fmt.Errorf("sign %s: %w", path, err)
	}
	return nil
}

// signerOf makes the signer of --sign, before any work is done for nothing.
func signerOf(c *cli.Context, h host) (func([]byte, string) ([]byte, error), error) {
	if !c.IsSet("sign") {
		return nil, nil
	}
	key, err := secretKey(c, h, c.String("sign"))
	if err != nil {
		return nil, err
	}
	return func(raw []byte, _ string) ([]byte, error) { return sign.Manifest(key, raw) }, nil
}

func secretKey(c *cli.Context, h host, name string) (sign.PrivateKey, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return sign.PrivateKey{}, fmt.Errorf("read secret key: %w", err)
	}
	key, err := sign.ParsePrivateKey(data, func() (string, error) { return password(c, h, "password of "+name) })
	if err != nil {
		return sign.PrivateKey{}, manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s: %w", name, err))
	}
	return key, nil
}

// password takes a password from the file, else asks for it on the terminal.
func password(c *cli.Context, h host, prompt string) (string, error) {
	if name := c.String("password-file"); name != "" {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	return askSecret(c.Context, h, prompt, "--password-file FILE")
}

// readPassword reads a line from a terminal without showing it, until the
// context ends; then the terminal is as it was before.
func readPassword(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	type answer struct {
		word []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		word, err := term.ReadPassword(fd)
		answers <- answer{word, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	case a := <-answers:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read password: %w", a.err)
		}
		return string(a.word), nil
	}
}

// newPassword asks twice, unless a file gives it.
func newPassword(c *cli.Context, h host) (string, error) {
	first, err := password(c, h, "password for the secret key")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", &usageError{"the password is empty", "pgbundle keygen --no-password NAME"}
	}
	if c.String("password-file") != "" {
		return first, nil
	}
	again, err := password(c, h, "the same again")
	if err != nil {
		return "", err
	}
	if again != first {
		return "", &usageError{"the two passwords differ", ""}
	}
	return first, nil
}
