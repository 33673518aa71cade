package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pgbundle/install/node"
)

// LogFolder is where the node keeps the logs of what was done.
const LogFolder = "/var/log/pgbundle"

// log is the file that tells later what was done: every program that was run,
// with what it said. Until begin nothing is written, so that a run that is
// refused changes nothing.
type log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	file   *os.File
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return l.buffer.Write(p)
	}
	return l.file.Write(p)
}

// begin opens the log of an operation, readable by root alone, as what programs
// say may be.
func (l *log) begin(n *node.Node, operation string, now time.Time) error {
	folder, err := logFolder(n)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(node.MakeFolders(filepath.Dir(folder)), os.Mkdir(folder, 0o700))
	}
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer root.Close()
	name := fmt.Sprintf("%s-%s.log", operation, now.UTC().Format("20060102T150405.000Z"))
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file = f
	_, err = l.buffer.WriteTo(f)
	return err
}

// logFolder is where the logs lie on this host. A link in its place is an
// error: what it leads to is not ours.
func logFolder(n *node.Node) (string, error) {
	folder, err := n.Path(LogFolder)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(folder)
	if err == nil && !info.IsDir() {
		return folder, fmt.Errorf("%s is no folder: move it away", LogFolder)
	}
	return folder, err
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// logged opens the log of an operation and returns how to end it, with the
// error that the operation ended with. A log that cannot be written is told
// and hinders nothing.
func (i *Installation) logged(operation string) (end func(error)) {
	if err := i.log.begin(i.node, operation, i.now()); err != nil {
		i.progress.Note(err.Error())
	}
	fmt.Fprintf(i.log, "pgbundle %s: %s\n", i.program, operation)
	return func(err error) {
		if err != nil {
			fmt.Fprintf(i.log, "failed: %v\n", err)
		} else {
			fmt.Fprintln(i.log, "done")
		}
		i.log.close()
	}
}
