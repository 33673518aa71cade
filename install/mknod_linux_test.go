package install

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// mknod makes the node of the null device; who may not makes a socket.
func mknod(path string, flag byte) error {
	kind := uint32(unix.S_IFCHR)
	if flag == '4' {
		kind = unix.S_IFBLK
	}
	err := unix.Mknod(path, kind|0o644, int(unix.Mkdev(1, 3)))
	if errors.Is(err, fs.ErrPermission) {
		return unix.Mknod(path, unix.S_IFSOCK|0o644, 0)
	}
	return err
}
