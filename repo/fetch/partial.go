package fetch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// partial is a file of the cache on its way, locked.
type partial struct {
	cache *cache
	key   string
	file  *os.File
	gone  bool // renamed or removed: the name is no longer ours
}

// size is the number of bytes that have come so far.
func (p *partial) size() (int64, error) {
	info, err := p.file.Stat()
	if err != nil {
		return 0, disk("read a partial file", err)
	}
	return info.Size(), nil
}

// restart drops what has come and, if keep, remembers beside the file of whom
// the next bytes are. The record is replaced after the bytes are gone: a kill
// in between leaves an empty file, never bytes beside the record of others.
func (p *partial) restart(r record, keep bool) error {
	if err := p.file.Truncate(0); err != nil {
		return disk("empty a partial file", err)
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return disk("empty a partial file", err)
	}
	if !keep {
		return nil
	}
	return writeRecord(p.cache.state(p.key), r)
}

// commit makes the file durable and gives it its final name.
func (p *partial) commit(digest string) (string, error) {
	// Set, not inherited: another user's umask must not decide who can read it.
	if err := p.file.Chmod(0o644); err != nil {
		return "", disk("set the mode of a file", err)
	}
	if err := p.file.Sync(); err != nil {
		return "", disk("write to disk", err)
	}
	name := p.cache.entry(digest)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", disk("make a folder", err)
	}
	if err := os.Rename(p.cache.partial(p.key), name); err != nil {
		return "", disk("rename a finished file", err)
	}
	p.gone = true
	os.Remove(p.cache.state(p.key)) //nolint:errcheck // a record without its file is ignored
	return name, syncDir(filepath.Dir(name))
}

// drop removes the file and its record: they are not needed.
func (p *partial) drop() error {
	p.gone = true
	os.Remove(p.cache.state(p.key)) //nolint:errcheck // see commit
	return disk("remove a partial file", os.Remove(p.cache.partial(p.key)))
}

// close gives the lock back. An empty file is removed first; who waits for the
// lock sees that the name is gone and opens a new one.
func (p *partial) close() {
	if size, err := p.size(); !p.gone && err == nil && size == 0 {
		p.drop() //nolint:errcheck // an empty file is harmless
	}
	p.file.Close()
	p.cache.free(p.key)
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return disk("write a folder to disk", err)
	}
	defer d.Close()
	return disk("write a folder to disk", d.Sync())
}

// sweep removes what a kill can leave and nobody will resume: partial files of
// unknown digest (without it, their bytes cannot be trusted after a crash of
// the host) and records without a file. Files of known digest stay.
func (c *cache) sweep() {
	entries, err := os.ReadDir(filepath.Join(c.dir, "partial"))
	if err != nil {
		return
	}
	for _, entry := range entries {
		key, suffix, _ := strings.Cut(entry.Name(), ".")
		switch {
		case suffix == "" && strings.HasPrefix(key, "url-"):
			c.sweepPartial(key)
		case suffix != "":
			if _, err := os.Lstat(c.partial(key)); errors.Is(err, fs.ErrNotExist) {
				os.Remove(filepath.Join(c.dir, "partial", entry.Name())) //nolint:errcheck // tried again by the next run
			}
		}
	}
}

// sweepPartial removes a partial file unless someone is at it.
func (c *cache) sweepPartial(key string) {
	f, err := os.OpenFile(c.partial(key), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if flock(f) == nil && isStill(f, c.partial(key)) {
		os.Remove(c.partial(key)) //nolint:errcheck // tried again by the next run
	}
}
