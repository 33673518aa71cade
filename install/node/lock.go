package node

import (
	"errors"
	"fmt"
	"os"
)

// ErrBusy says that another run holds the lock.
var ErrBusy = errors.New("another pgbundle is at work on this node")

// Lock takes the lock of a folder, or returns ErrBusy at once. It is on the
// folder itself: no lock file is made, and none can be left behind. It is held
// until the file is closed and every program that inherited it has ended.
func Lock(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	if err := lockFolder(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	return f, nil
}
