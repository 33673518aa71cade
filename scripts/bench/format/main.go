// Command format packs a folder of files into a bundle, or verifies one, with
// the real packages, for scripts/bench-format.sh to time. It prints its own
// peak memory (VmHWM), in kB.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

const usage = `usage: format manifest FOLDER > manifest.yaml
       format pack FOLDER manifest.yaml BUNDLE
       format verify BUNDLE`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "format:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "manifest":
		return describe(args[1], out)
	case len(args) == 4 && args[0] == "pack":
		if err := pack(args[1], args[2], args[3]); err != nil {
			return err
		}
	case len(args) == 2 && args[0] == "verify":
		report, err := bundle.Verify(context.Background(), args[1], bundle.VerifyOptions{})
		if err != nil {
			return err
		}
		if err := report.Err(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s", usage)
	}
	return peak(out)
}

// describe writes the manifest of the files in a folder.
func describe(folder string, out io.Writer) error {
	m := manifest.Manifest{Version: manifest.Version, Lock: manifest.Lock{
		Version: manifest.Version, Spec: manifest.Digest(nil), Time: time.Unix(1714564800, 0),
		Target: manifest.Target{OS: "rhel", Release: "9", Arch: "x86_64", ControlPython: "3.9", NodePython: "3.9"},
	}}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		digest := sha256.New()
		size, err := io.Copy(digest, f)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, manifest.File{
			Path: filepath.ToSlash(name), Size: size, Mode: 0o644, SHA256: fmt.Sprintf("%x", digest.Sum(nil)),
		})
		return nil
	})
	if err != nil {
		return err
	}
	text, err := m.Marshal()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

func pack(folder, manifestFile, to string) error {
	raw, err := os.ReadFile(manifestFile)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = bundle.Write(context.Background(), f, bundle.Content{
		Manifest: raw,
		Open: func(_ context.Context, path string) (io.ReadCloser, error) {
			return os.Open(filepath.Join(folder, filepath.FromSlash(path)))
		},
	}, bundle.WriteOptions{})
	if err != nil {
		return err
	}
	return f.Close()
}

// peak prints the most memory that this process held.
func peak(out io.Writer) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			_, err := fmt.Fprintln(out, strings.Fields(line)[1])
			return err
		}
	}
	return fmt.Errorf("no VmHWM in /proc/self/status")
}
