package facts

import (
	"fmt"

	"golang.org/x/sys/unix"

	"pgbundle/manifest"
)

// space is statfs(2) of a path of this host.
func space(path string) (manifest.Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return manifest.Space{}, fmt.Errorf("ask for the space of the file system: %w", err)
	}
	block := int64(s.Frsize)
	if block == 0 {
		block = int64(s.Bsize)
	}
	return manifest.Space{
		Size: int64(s.Blocks) * block, Free: int64(s.Bavail) * block,
		Inodes: int64(s.Files), FreeInodes: int64(s.Ffree),
	}, nil
}

// clockSet asks the kernel as timedatectl does: its clock is synchronised while
// the error it reckons with stays below 16 s (NTP_PHASE_LIMIT).
func clockSet() (bool, error) {
	var t unix.Timex // asks for no change
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, fmt.Errorf("ask the kernel for its clock: %w", err)
	}
	return t.Maxerror < 16_000_000, nil
}
