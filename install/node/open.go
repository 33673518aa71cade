package node

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

var errNotPlain = errors.New("it is neither a file nor a folder")

// openPlain opens the file or the folder at path, a path of this host whose
// links are followed already. Anything else is an error: a pipe waits for its
// other end, and to open some devices is to use them.
func openPlain(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !plain(info) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	// By now another may be there.
	if info, err = f.Stat(); err == nil && !plain(info) {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func plain(info fs.FileInfo) bool { return info.Mode().IsRegular() || info.IsDir() }
