package node

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder takes a lock of an open folder: a shared one stands beside other
// shared ones.
func lockFolder(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}

func syncFileSystem(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// StartWriteback asks the kernel to begin writing a file to its disk, so that
// the sync at the end has less to wait for. That it cannot is no failure.
func StartWriteback(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
