package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrBusy says that another run holds the lock.
var ErrBusy = errors.New("another pgbundle is at work on this node")

// askTries and askPause are how often and how far apart Lock tries again: who
// asks whether a folder is Locked must keep no run from its work.
const askTries, askPause = 10, 10 * time.Millisecond

// Lock takes the lock of a folder, or returns ErrBusy without waiting for the
// run that has it. It is on the folder itself: no lock file is made, and none
// can be left behind. It is held until the file is closed and every program
// that inherited it has ended.
func Lock(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	err = lockFolder(f, false)
	for n := 0; n < askTries && errors.Is(err, ErrBusy); n++ {
		time.Sleep(askPause)
		err = lockFolder(f, false)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	return f, nil
}

// Locked says whether a run holds the lock of a folder. It takes the lock for a
// moment, together with all others that ask. Where there is no folder there is
// no run.
func Locked(folder string) (bool, error) {
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", folder, err)
	}
	defer f.Close()
	err = lockFolder(f, true)
	if errors.Is(err, ErrBusy) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", folder, err)
	}
	return false, nil
}
