package deploy

import "syscall"

// alone gives a program a session of its own, and the signal that it gets when
// we die.
func alone(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: death}
}
