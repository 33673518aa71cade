//go:build !linux

package node

import (
	"errors"
	"os"
	"os/exec"
)

// Nodes are Linux machines; elsewhere pgbundle only builds and reads bundles.
var errNotLinux = errors.New("a bundle is installed on Linux only")

func ways() []way                        { return []way{{script: direct}} }
func endAll(p *os.Process) error         { return p.Kill() }
func exitStatus(err *exec.ExitError) int { return err.ExitCode() }
func lockFolder(*os.File, bool) error    { return errNotLinux }
func syncFileSystem(*os.File) error      { return errNotLinux }
func exchange(string, string) error      { return errNotLinux }

// StartWriteback does nothing here.
func StartWriteback(*os.File) {}
