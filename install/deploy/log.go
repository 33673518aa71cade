package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// openLog makes the log of a run, which nobody but its user can read: what
// Ansible says may be secret. The folder is made when it is missing.
func openLog(folder, operation string, now time.Time) (*os.File, error) {
	name := now.UTC().Format("20060102T150405.000Z") + "-" + strings.ReplaceAll(operation, " ", "-") + ".log"
	f, err := createIn(folder, name)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// createIn makes a new file in a folder of ours, and the folder too.
func createIn(folder, name string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
		return nil, errors.Join(err, fmt.Errorf("%s is no folder: move it away", folder))
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
}

const maxSaid = 256 << 10 // bytes of a program's last words that are read back

// said is what a program wrote into the log behind an offset: the end of it.
func said(log *os.File, from int64) string {
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil || size <= from {
		return ""
	}
	from = max(from, size-maxSaid)
	data := make([]byte, size-from)
	n, err := log.ReadAt(data, from)
	if err != nil && err != io.EOF {
		return ""
	}
	return string(bytes.ToValidUTF8(data[:n], []byte("?")))
}

// complaint is the part of Ansible's last words that says why it gave up before
// any host did anything.
func complaint(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for at := len(lines) - 1; at >= 0; at-- {
		switch {
		case strings.HasPrefix(lines[at], "ERROR!"):
			return cleaned(strings.Join(lines[at:], "\n"), maxMessage)
		case usageMark(lines[at]): // what follows is all of its help
			return cleaned(lines[at], maxMessage)
		}
	}
	return cleaned(strings.Join(lines[max(0, len(lines)-10):], "\n"), maxMessage)
}

// usageMark says whether a line is one by which argparse refuses a command line.
func usageMark(line string) bool {
	program, _, ok := strings.Cut(line, ": error: ")
	return ok && strings.HasPrefix(program, "ansible")
}
