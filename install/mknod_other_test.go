//go:build !linux

package install

import "syscall"

// mknod makes a pipe: a bundle is installed on Linux only.
func mknod(path string, _ byte) error { return syscall.Mkfifo(path, 0o644) }
