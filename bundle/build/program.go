package build

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pgbundle/manifest"
	"pgbundle/repo/fetch"
)

// Program is the pgbundle that goes into the bundle, for the nodes.
type Program struct {
	Path    string // of the file here
	Version string
}

const (
	programSource = "pgbundle" // its id in the lock
	maxProgram    = 256 << 20  // bytes
)

var (
	goArch     = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}
	elfMachine = map[string]elf.Machine{"x86_64": elf.EM_X86_64, "aarch64": elf.EM_AARCH64}
)

// FindProgram chooses the pgbundle for nodes of an architecture: the given
// file, or the one for them in the given folder of releases, or the running
// program when it fits. Anything that is not a static pgbundle for Linux on
// that architecture is refused, of class manifest.ErrUsage.
func FindProgram(arch, given, running, version string) (Program, error) {
	path := running
	if given != "" {
		path = given
		if info, err := os.Stat(given); err == nil && info.IsDir() {
			path = filepath.Join(given, programName(arch))
		}
	}
	p := Program{Path: path, Version: version}
	if err := checkProgram(path, arch); err != nil {
		if given != "" {
			return p, manifest.Classify(manifest.ErrUsage, fmt.Errorf("node binary %s: %w", path, err))
		}
		return p, manifest.Classify(manifest.ErrUsage, fmt.Errorf(
			"this pgbundle cannot go into the bundle: %w; make one and name it with --node-binary:\n"+
				"CGO_ENABLED=0 GOOS=linux GOARCH=%s go build -trimpath -o %s ./cmd/pgbundle",
			err, goArch[arch], programName(arch)))
	}
	if given != "" {
		p.Version = "unknown"
		if info, err := buildinfo.ReadFile(path); err == nil && info.Main.Version != "" && info.Main.Version != "(devel)" {
			p.Version = info.Main.Version
		}
	}
	return p, nil
}

func programName(arch string) string { return "pgbundle-linux-" + goArch[arch] }

// checkProgram reads the headers of an executable: 64-bit ELF for the machine,
// without an interpreter, built from this module.
func checkProgram(path, arch string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return checkELF(f, arch)
}

// checkELF is checkProgram on bytes.
func checkELF(f io.ReaderAt, arch string) error {
	binary, err := elf.NewFile(f)
	if err != nil {
		return fmt.Errorf("it is no Linux program (%s)", err)
	}
	if binary.Machine != elfMachine[arch] {
		return fmt.Errorf("it is for %s, not for %s", binary.Machine, arch)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("it is not static: build it with CGO_ENABLED=0")
		}
	}
	info, err := buildinfo.Read(f)
	if err != nil || info.Path != "pgbundle/cmd/pgbundle" {
		return fmt.Errorf("it is not pgbundle")
	}
	return nil
}

// artifact takes the program into the cache, so that what is packed later are
// the bytes that were looked at now.
func (p Program) artifact(ctx context.Context, client *fetch.Client, arch string) (manifest.Artifact, error) {
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return manifest.Artifact{}, fmt.Errorf("read program %s: %w", p.Path, err)
	}
	_, digest, size, err := client.FetchUnknown(ctx, []string{path}, maxProgram)
	if err != nil {
		return manifest.Artifact{}, fmt.Errorf("read program %s: %w", p.Path, err)
	}
	return manifest.Artifact{
		Path: "pgbundle", Kind: manifest.Program, Name: "pgbundle", Version: p.Version, Arch: arch,
		Size: size, SHA256: digest,
		From:     manifest.Origin{Source: programSource, Path: programName(arch), Size: size, SHA256: digest},
		Roles:    []manifest.Role{manifest.Control, manifest.TargetNode},
		WantedBy: []string{"pgbundle"},
	}, nil
}
