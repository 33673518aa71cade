package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cache is a folder that any number of processes share:
//
//	sha256/ab/<hex>       finished files, under their digest; nothing else stands here
//	partial/<key>         bytes that have come so far; key is "sha256-<hex>", or "url-<hex>" while the digest is unknown
//	partial/<key>.state   what the server said of them (record)
//	url/<hex>             what an address without a digest held last (record)
//
// A download holds flock on its partial file, which the final rename moves
// into place; there are no lock files that could be left over. What a kill
// leaves is a partial file, which the next run resumes.
type cache struct {
	dir  string
	mu   sync.Mutex
	busy map[string]chan struct{} // keys held in this process; closed when free

	sweepOnce func()
}

func newCache(dir string) *cache {
	c := &cache{dir: dir, busy: map[string]chan struct{}{}}
	c.sweepOnce = sync.OnceFunc(c.sweep)
	return c
}

func (c *cache) entry(digest string) string {
	return filepath.Join(c.dir, "sha256", digest[:2], digest)
}

func (c *cache) partial(key string) string { return filepath.Join(c.dir, "partial", key) }
func (c *cache) state(key string) string   { return c.partial(key) + ".state" }
func (c *cache) known(key string) string   { return filepath.Join(c.dir, "url", key) }

// has tells whether a file of the given size is there (0 or less: of any), and
// its size.
func (c *cache) has(digest string, size int64) (int64, bool) {
	info, err := os.Lstat(c.entry(digest))
	if err != nil || !info.Mode().IsRegular() || size > 0 && info.Size() != size {
		return 0, false
	}
	return info.Size(), true
}

// Cached gives the path of a file that is in the cache. The content was
// verified before it got its name and is not hashed again here: who reads the
// file hashes it anyway, and calls Evict if it does not fit any more.
func (c *Client) Cached(sha256 string) (path string, ok bool) {
	if c.cache == nil || !isDigest(sha256) {
		return "", false
	}
	if _, ok := c.cache.has(sha256, 0); !ok {
		return "", false
	}
	return c.cache.entry(sha256), true
}

// Evict removes a file from the cache: its content is not what its name says.
// It is no error when it is not there.
func (c *Client) Evict(sha256 string) error {
	if c.cache == nil || !isDigest(sha256) {
		return nil
	}
	if err := os.Remove(c.cache.entry(sha256)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk("evict "+sha256, err)
	}
	return nil
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// claim opens and locks the partial file of a key, and waits while another
// goroutine or process has it. waiting is called once when that is so.
func (c *cache) claim(ctx context.Context, key string, waiting func()) (*partial, error) {
	waiting = sync.OnceFunc(waiting)
	if err := c.reserve(ctx, key, waiting); err != nil {
		return nil, err
	}
	f, err := c.lock(ctx, key, waiting)
	if err != nil {
		c.free(key)
		return nil, err
	}
	return &partial{cache: c, key: key, file: f}, nil
}

// reserve keeps other goroutines of this process out.
func (c *cache) reserve(ctx context.Context, key string, waiting func()) error {
	for {
		c.mu.Lock()
		other, taken := c.busy[key]
		if !taken {
			c.busy[key] = make(chan struct{})
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		waiting()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-other:
		}
	}
}

func (c *cache) free(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.busy[key])
	delete(c.busy, key)
}

// lock keeps other processes out. It asks again and again, since a blocking
// flock does not hear of a cancelled context.
func (c *cache) lock(ctx context.Context, key string, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(c.dir, "partial"), 0o755); err != nil {
		return nil, disk("make a folder", err)
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		f, err := c.tryLock(key)
		if f != nil || err != nil {
			return f, err
		}
		waiting()
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// tryLock gives nil without an error when another process has the key.
func (c *cache) tryLock(key string) (*os.File, error) {
	name := c.partial(key)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, disk("open a partial file", err)
	}
	err = flock(f)
	if err == nil && !isStill(f, name) {
		// Its holder renamed or removed it after we opened it.
		err = unix.EWOULDBLOCK
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, disk("lock "+name, fmt.Errorf("%w (is the cache on a file system without locks?)", err))
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			return err
		}
	}
}

// isStill tells whether name is the open file.
func isStill(f *os.File, name string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(name)
	return err == nil && os.SameFile(mine, there)
}
