package fetch

import (
	"context"
	"fmt"
)

// Want says which file to fetch.
type Want struct {
	Name   string // for messages; "": the last part of the first address
	Size   int64  // bytes; 0 or less when it is not known
	SHA256 string // 64 lower-case hex digits
}

// Fetch brings a file into the cache and returns its path there; the name
// appears only once size and digest are right and the bytes are on disk. The
// addresses are mirrors, the preferred first. Several goroutines and processes
// may want the same file: one downloads, the others wait and share it.
//
// progress (nil for none) hears the bytes as they come, resumed and cached
// ones once at the start; a negative number takes back bytes that have to be
// fetched again. After success the sum is the size of the file. It is called
// from the goroutine of the call.
//
// A file that every mirror has wrongly is manifest.ErrDamaged; one that none
// has is fs.ErrNotExist.
func (c *Client) Fetch(ctx context.Context, want Want, urls []string, progress func(n int64)) (string, error) {
	if want.Name == "" {
		want.Name = nameOf(urls)
	}
	if progress == nil {
		progress = func(int64) {}
	}
	if c.cache == nil {
		return "", fmt.Errorf("fetch %s: %w", want.Name, errNoCache)
	}
	if !isDigest(want.SHA256) {
		return "", fmt.Errorf("fetch %s: its sha256 is not 64 lower-case hex digits", want.Name)
	}
	if path, ok := c.hit(want, progress); ok {
		return path, nil
	}
	if err := enter(ctx, c.fetches); err != nil {
		return "", fmt.Errorf("fetch %s: %w", want.Name, err)
	}
	defer func() { <-c.fetches }()
	p, err := c.cache.claim(ctx, "sha256-"+want.SHA256, func() {
		c.logf("%s: wait for another download of it", want.Name)
	})
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", want.Name, err)
	}
	defer p.close()
	if path, ok := c.hit(want, progress); ok { // by whom we waited for
		return path, p.drop()
	}
	d := c.newDownload(p, want.Name)
	d.digest, d.size, d.progress = want.SHA256, want.Size, progress
	if want.Size > 0 {
		d.limit = want.Size
	}
	return d.run(ctx, urls)
}

// hit gives a file that is in the cache already.
func (c *Client) hit(want Want, progress func(int64)) (string, bool) {
	size, ok := c.cache.has(want.SHA256, want.Size)
	if !ok {
		return "", false
	}
	progress(size)
	return c.cache.entry(want.SHA256), true
}

// run takes over what is there, downloads the rest and gives the file its name.
func (d *download) run(ctx context.Context, urls []string) (string, error) {
	if err := d.takeOver(); err != nil {
		return "", fmt.Errorf("fetch %s: %w", d.name, err)
	}
	if d.offset == 0 || d.sum() != d.digest { // else: killed just before the rename
		if d.offset == d.size {
			if err := d.restart(record{}); err != nil {
				return "", fmt.Errorf("fetch %s: %w", d.name, err)
			}
		}
		err := d.client.overMirrors(ctx, d.name, urls, func(loc location) (bool, error) { return d.attempt(ctx, loc) })
		if err != nil {
			return "", err
		}
	}
	path, err := d.partial.commit(d.digest)
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", d.name, err)
	}
	return path, nil
}

// FetchUnknown brings a file of at most maxBytes (0 or less: 8 GiB) whose
// digest nobody knows into the cache and tells its digest and size. The cache
// remembers what the address held: when the server says that nothing has
// changed, the file is not sent again.
func (c *Client) FetchUnknown(ctx context.Context, urls []string, maxBytes int64) (path, sha256 string, size int64, err error) {
	name := nameOf(urls)
	if c.cache == nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", name, errNoCache)
	}
	if len(urls) == 0 {
		return "", "", 0, fmt.Errorf("fetch %s: no address", name)
	}
	c.cache.sweepOnce()
	if err := enter(ctx, c.fetches); err != nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	defer func() { <-c.fetches }()
	first, err := parseLocation(urls[0])
	if err != nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	p, err := c.cache.claim(ctx, "url-"+keyOf(first), func() {
		c.logf("%s: wait for another download of it", name)
	})
	if err != nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	defer p.close()
	d := c.newDownload(p, name)
	if maxBytes > 0 {
		d.limit = maxBytes
	}
	if path, sha256, size, err = d.runUnknown(ctx, urls); err != nil {
		return "", "", 0, err
	}
	return path, sha256, size, nil
}

func (d *download) runUnknown(ctx context.Context, urls []string) (path, digest string, size int64, err error) {
	// Bytes of an earlier run cannot be trusted without a digest: a crash of
	// the host may have left holes.
	if err := d.restart(record{}); err != nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", d.name, err)
	}
	err = d.client.overMirrors(ctx, d.name, urls, func(loc location) (bool, error) { return d.attempt(ctx, loc) })
	if err != nil {
		return "", "", 0, err
	}
	cache := d.partial.cache
	if d.kept != "" {
		size, ok := cache.has(d.kept, 0)
		if !ok {
			return "", "", 0, fmt.Errorf("fetch %s: the cache lost it meanwhile: try again", d.name)
		}
		return cache.entry(d.kept), d.kept, size, d.partial.drop()
	}
	digest = d.sum()
	if path, err = d.partial.commit(digest); err == nil {
		err = cache.remember(d.record, digest)
	}
	if err != nil {
		return "", "", 0, fmt.Errorf("fetch %s: %w", d.name, err)
	}
	return path, digest, d.offset, nil
}
