// Package control makes the control node's part of a release run: a virtual
// environment at its final path (one that is moved is dead), with Ansible from
// the bundle's wheels and the collections inside it, readable by every user. It
// runs the node's Python and what it has made; it asks no network, and writes
// nothing outside of the release and a scratch folder.
package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Options say what is built. Paths are the node's own, absolute and real.
type Options struct {
	Release string // wheels/control and collections are in it, venv is made in it
	Python  string // "3.11"
	// Interpreter is the node's Python of that version to make the environment
	// with, as an absolute path; empty: the first that PATH has. Another of the
	// same name can lack what that takes.
	Interpreter string
	// Scratch is an empty folder that only root can enter, on a file system that
	// lets programs run; the caller removes it. It stands in for /tmp and for
	// the home, which on a hardened node can neither be trusted nor run from.
	Scratch string
	// Trust, when it is not nil, is called each time that files were made which
	// are to be run or loaded next: under fapolicyd a script that is not listed
	// cannot be opened, on sites with strict rules not even by root.
	Trust func(context.Context) error
	Note  func(text string) // what is no failure and yet to be known; may be nil
}

// The places in a release.
const (
	Venv        = "venv" // the only folder that Build makes
	wheels      = "wheels/control"
	lock        = "requirements.lock"
	collections = "collections"
	asked       = "requirements.yml"
)

// Build makes the environment and proves that it runs. What a Build that failed
// or was killed has left is of no use: the caller removes it with the release.
// An error is of class manifest.ErrDamaged when a wheel is not what the lock
// says, and manifest.ErrUnsolvable when the node's Python or the wheels for it
// are not there.
func Build(ctx context.Context, run node.Runner, o Options) error {
	b := &builder{Options: o, run: run}
	if _, err := os.Lstat(b.venv()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("build %s: it is there already (%v)", b.venv(), err)
	}
	if err := os.MkdirAll(b.tmp(), 0o700); err != nil {
		return fmt.Errorf("build %s: %w", b.venv(), err)
	}
	// Ansible takes no configuration from anywhere else when it is given a file.
	if err := os.WriteFile(b.config(), []byte("[defaults]\n"), 0o600); err != nil {
		return fmt.Errorf("build %s: %w", b.venv(), err)
	}
	for _, step := range []func(context.Context) error{
		b.environment, b.trust, b.wheels, b.trust, b.collections, b.compile, b.open, b.trust, b.prove,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("build %s: %w", b.venv(), err)
		}
	}
	return nil
}

type builder struct {
	Options
	run node.Runner
}

func (b *builder) venv() string { return filepath.Join(b.Release, Venv) }
func (b *builder) tmp() string  { return filepath.Join(b.Scratch, "tmp") }

func (b *builder) config() string { return filepath.Join(b.Scratch, "ansible.cfg") }

// program is a path in the environment.
func (b *builder) program(name string) string { return filepath.Join(b.venv(), "bin", name) }

// packages is where Python looks for modules, and Ansible for collections.
func (b *builder) packages() string {
	return filepath.Join(b.venv(), "lib", "python"+b.Python, "site-packages")
}

func (b *builder) trust(ctx context.Context) error {
	if b.Trust == nil {
		return nil
	}
	return b.Trust(ctx)
}

// do runs a program with everything that it might write beside its work kept in
// Scratch, and no configuration but ours. Ansible wants a locale of UTF-8.
func (b *builder) do(ctx context.Context, dir string, args ...string) (node.Output, error) {
	out, err := b.run.Run(ctx, node.Command{Args: args, Dir: dir, Env: []string{
		"HOME=" + b.Scratch, "TMPDIR=" + b.tmp(), "LC_ALL=C.UTF-8",
		"PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1",
		"PIP_CONFIG_FILE=/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1", "PIP_NO_CACHE_DIR=1",
		"ANSIBLE_CONFIG=" + b.config(), "ANSIBLE_HOME=" + filepath.Join(b.Scratch, "ansible"), "ANSIBLE_LOCAL_TEMP=" + b.tmp(),
		"ANSIBLE_NOCOLOR=1",
	}})
	if err != nil {
		return out, err
	}
	if out.Status != 0 {
		return out, fmt.Errorf("%s: exit status %d:\n%s", filepath.Base(args[0]), out.Status, tail(out))
	}
	return out, nil
}

// tail is the end of what a program said, its last lines.
func tail(out node.Output) string {
	lines := strings.Split(out.Text(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// environment makes the virtual environment, with the pip that the interpreter
// brings: the one that installs is the node's, not the bundle's.
func (b *builder) environment(ctx context.Context) error {
	python := cmp.Or(b.Interpreter, "python"+b.Python)
	out, err := b.do(ctx, b.Scratch, python, "-m", "venv", b.venv())
	if err != nil && out.Status == 127 {
		return manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("%s is not on this node", python))
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(b.packages()); err != nil {
		return fmt.Errorf("%s is not Python %s: %w", python, b.Python, err)
	}
	return nil
}

// wheels installs what the lock lists, from the bundle alone. Nothing that is
// installed runs here, and nothing is compiled: both need trust first.
func (b *builder) wheels(ctx context.Context) error {
	from := filepath.Join(b.Release, wheels)
	out, err := b.do(ctx, b.Scratch, b.program("python"), "-m", "pip", "install", "--no-index", "--require-hashes", "--only-binary", ":all:",
		"--no-compile", "--no-warn-script-location", "--progress-bar", "off", "--find-links", from, "-r", filepath.Join(from, lock))
	if err != nil {
		return refused(out, err)
	}
	return nil
}

// collections installs the collections where this Ansible finds them whoever
// runs it, from whatever folder: beside its own modules.
func (b *builder) collections(ctx context.Context) error {
	folder := filepath.Join(b.Release, collections)
	if _, err := os.Stat(filepath.Join(folder, asked)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := b.do(ctx, folder, b.program("ansible-galaxy"), "collection", "install", "--offline", "-r", asked, "-p", b.packages())
	return err
}

// compile makes the byte code of everything, all anew. It is never held against
// the sources again: an ordinary user could not renew it, and root would change
// the release by running it. Files that are not of this Python are let be, as
// pip does: collections may carry some for their tests.
func (b *builder) compile(ctx context.Context) error {
	out, err := b.do(ctx, b.Scratch, b.program("python"), "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash", b.packages())
	if err == nil && strings.Contains("\n"+out.Stdout, "\nCan't list ") { // a folder that it skips with status 0
		return fmt.Errorf("compileall: %s", tail(out))
	}
	if err == nil || out.Status != 1 {
		return err
	}
	files, err := notThisPython(out, b.packages())
	if err == nil && b.Note != nil {
		b.Note(fmt.Sprintf("files of the venv that are not for Python %s were left without byte code: %s", b.Python, someOf(files)))
	}
	return err
}

// open sets the modes that an ordinary user needs, whatever the wheels and
// collections came with.
func (b *builder) open(context.Context) error {
	return filepath.WalkDir(b.venv(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if d.IsDir() || info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		if info.Mode().Perm() == mode {
			return nil
		}
		return os.Chmod(path, mode)
	})
}
