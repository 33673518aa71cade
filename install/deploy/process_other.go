//go:build !linux

package deploy

import "syscall"

// alone gives a program a session of its own. Only Linux tells it of our death.
func alone(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
