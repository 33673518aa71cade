package node

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// inNamespace keeps the shell as the first process of the namespace. That one
// is deaf to signals without a handler and has to wait for orphans, which
// programs do not reckon with, so the program is its child. The subshell execs:
// no name is taken for a command of the shell's own.
const inNamespace = `umask 022; (exec "$@"); exit $?`

// ways are a namespace of processes, for root, and after that a process group.
// /proc stays as it is: its self is right in every namespace, and a fresh one
// would need mounts of its own. The signal reaches the first process although
// it is deaf: it comes from outside of the namespace.
func ways() []way {
	group := way{script: direct, attributes: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}}
	if os.Geteuid() != 0 {
		return []way{group}
	}
	namespace := way{script: inNamespace, refused: noNamespace, attributes: &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Setpgid: true, Cloneflags: syscall.CLONE_NEWPID,
	}}
	return []way{namespace, group}
}

// noNamespace says whether a program was not started since there are no
// namespaces (clone(2)): not for this root, not any more, or not in this kernel.
func noNamespace(err error) bool {
	return slices.ContainsFunc([]error{syscall.EPERM, syscall.ENOSPC, syscall.EUSERS, syscall.EINVAL, syscall.ENOSYS},
		func(errno error) bool { return errors.Is(err, errno) })
}

// endAll kills a program with its process group, which in a namespace takes
// everything with it.
func endAll(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func exitStatus(err *exec.ExitError) int {
	if status, ok := err.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return err.ExitCode()
}
