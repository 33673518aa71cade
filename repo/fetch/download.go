package fetch

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
)

const (
	// maxUnsized bounds a file whose size no one has told.
	maxUnsized = 8 << 30
	// enoughMoved is the progress that makes a broken try no failure.
	enoughMoved = 256 << 10
	copyBuffer  = 128 << 10
)

// download is one file on its way into the cache. Its bytes are in the partial
// file, hash and offset always agree with it.
type download struct {
	client   *Client
	name     string
	digest   string // "" while it is not known
	size     int64  // 0 or less while it is not known
	limit    int64  // most bytes that are taken
	progress func(n int64)

	partial *partial
	hash    hash.Hash
	offset  int64
	record  record // of whom the bytes are
	joined  bool   // the bytes are of more than one answer
	high    int64  // the furthest that any try got
	buffer  []byte

	noRange map[string]bool // addresses, by key, that answered a range wrongly
	kept    string          // digest of a cached file that the server says is current
}

func (c *Client) newDownload(p *partial, name string) *download {
	return &download{
		client: c, name: name, limit: maxUnsized, partial: p, hash: sha256.New(),
		progress: func(int64) {}, buffer: make([]byte, copyBuffer), noRange: map[string]bool{},
	}
}

// takeOver goes on from the bytes that an earlier run has left.
func (d *download) takeOver() error {
	size, err := d.partial.size()
	if err != nil || size == 0 {
		return err
	}
	if size > d.limit {
		return d.restart(record{})
	}
	n, err := io.CopyBuffer(d.hash, d.partial.file, d.buffer)
	if err != nil {
		return disk("read a partial file", err)
	}
	d.offset, d.high, d.joined = n, n, true
	d.record = readRecord(d.partial.cache.state(d.partial.key))
	d.progress(n)
	return nil
}

// restart drops all bytes; those that come next are what r says.
func (d *download) restart(r record) error {
	if d.offset > 0 {
		d.progress(-d.offset)
	}
	d.hash.Reset()
	d.offset, d.joined, d.record = 0, false, r
	return d.partial.restart(r, d.digest != "")
}

// sum is the digest of the bytes that are there.
func (d *download) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// attempt brings the rest of the file from one address. moved tells whether it
// got well beyond all tries before.
func (d *download) attempt(ctx context.Context, loc location) (moved bool, err error) {
	if loc.url == nil {
		err = d.fromFolder(ctx, loc)
	} else {
		err = d.fromServer(ctx, loc)
	}
	if err != nil && !final(ctx, err) && d.size > 0 && d.offset == d.size {
		err = nil // the line broke after the last byte: this address is to be judged by what it sent
	}
	if err == nil && d.kept == "" {
		err = d.check(loc)
	}
	moved = d.offset >= d.high+enoughMoved
	d.high = max(d.high, d.offset)
	return moved, err
}

// check compares the whole file with what is known of it.
func (d *download) check(loc location) error {
	if d.size > 0 && d.offset < d.size {
		return fmt.Errorf("GET %s: it ended after %d of %d bytes", loc, d.offset, d.size)
	}
	got := d.sum()
	if d.digest == "" || got == d.digest {
		return nil
	}
	joined := d.joined
	if err := d.restart(record{}); err != nil {
		return err
	}
	if joined {
		// Not the fault of this address before it has sent the whole file itself.
		return fmt.Errorf("GET %s: the resumed file has the sha256 %s, not %s: starting again", loc, got, d.digest)
	}
	return damaged("GET %s: its sha256 is %s, not %s", loc, got, d.digest)
}

func (d *download) fromFolder(ctx context.Context, loc location) error {
	f, size, err := openLocal(loc.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.checkSize(loc, size); err != nil {
		return err
	}
	if err := d.restart(record{}); err != nil {
		return err
	}
	return d.copy(ctx, loc, f)
}

func (d *download) fromServer(ctx context.Context, loc location) error {
	header := d.conditions(loc)
	res, err := d.client.get(ctx, loc, header, http.StatusPartialContent, http.StatusNotModified)
	if err != nil {
		return d.afterStatus(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && header.Get("Range") == "" && len(header) > 0:
		d.kept = readRecord(d.partial.cache.known(keyOf(loc))).SHA256
		return nil
	case res.StatusCode == http.StatusPartialContent && header.Get("Range") != "":
		return d.resume(ctx, loc, res)
	case res.StatusCode == http.StatusOK:
		return d.whole(ctx, loc, res)
	}
	return hopeless{&StatusError{Code: res.StatusCode, URL: redact(res.url), Sent: res.sent}}
}

// conditions are the header fields that spare bytes which are here already.
func (d *download) conditions(loc location) http.Header {
	header := http.Header{}
	same := d.record.Source == keyOf(loc)
	validator := d.record.validator()
	switch {
	case d.offset == 0 && d.digest == "":
		d.client.unlessChanged(header, loc)
	case d.offset == 0 || d.noRange[keyOf(loc)]:
	case same && validator != "":
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.offset))
		header.Set("If-Range", validator)
	case d.digest != "":
		// Another mirror, or one without validators: the digest will tell
		// whether the parts fit.
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.offset))
	}
	return header
}

// unlessChanged asks for a file of unknown digest only if it is not the one in
// the cache.
func (c *Client) unlessChanged(header http.Header, loc location) {
	r := readRecord(c.cache.known(keyOf(loc)))
	if r.Source != keyOf(loc) || r.SHA256 == "" {
		return
	}
	if _, ok := c.cache.has(r.SHA256, 0); !ok {
		return
	}
	if r.ETag != "" {
		header.Set("If-None-Match", r.ETag)
	} else if r.LastModified != "" {
		header.Set("If-Modified-Since", r.LastModified)
	}
}

// afterStatus drops a partial file that goes beyond the server's.
func (d *download) afterStatus(err error) error {
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable {
		if err := d.restart(record{}); err != nil {
			return err
		}
	}
	return err
}

// resume joins a part to the bytes that are there.
func (d *download) resume(ctx context.Context, loc location, res *response) error {
	r, err := parseContentRange(res.Header.Get("Content-Range"))
	switch {
	case err != nil, r.first != d.offset,
		d.size > 0 && r.total >= 0 && r.total != d.size,
		d.record.Source == keyOf(loc) && d.record.contradicts(res.Header):
		d.noRange[keyOf(loc)] = true
		return fmt.Errorf("GET %s: the server sent another part than was asked for", loc)
	}
	d.client.logf("%s: resume at byte %d from %s", d.name, d.offset, loc)
	d.joined = true
	return d.copy(ctx, loc, res.Body)
}

// whole takes a file from its first byte. What is there is dropped only when
// the answer looks right.
func (d *download) whole(ctx context.Context, loc location, res *response) error {
	body := bufio.NewReaderSize(res.Body, copyBuffer)
	if head, _ := body.Peek(512); looksHTML(head) && (d.digest != "" || promisesOther(loc)) {
		return errHTML(loc)
	}
	if err := d.checkSize(loc, res.ContentLength); err != nil {
		return err
	}
	if d.offset > 0 {
		d.client.logf("%s: start again: %s sends the whole file", d.name, loc)
	}
	if err := d.restart(newRecord(loc, res.Header)); err != nil {
		return err
	}
	return d.copy(ctx, loc, body)
}

// checkSize compares the size that a source announces (-1: none).
func (d *download) checkSize(loc location, size int64) error {
	if size < 0 {
		return nil
	}
	if d.size > 0 && size != d.size {
		return damaged("GET %s: it has %d bytes, not %d", loc, size, d.size)
	}
	if size > d.limit {
		return errTooLarge(loc, d.limit)
	}
	return nil
}

// copy appends all of r.
func (d *download) copy(ctx context.Context, loc location, r io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, readErr := r.Read(d.buffer)
		if d.offset+int64(n) > d.limit {
			return d.refuseExcess(loc)
		}
		if _, err := d.partial.file.Write(d.buffer[:n]); err != nil {
			return d.writeFailed(err)
		}
		d.hash.Write(d.buffer[:n])
		d.offset += int64(n)
		if n > 0 {
			d.progress(int64(n))
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

func (d *download) refuseExcess(loc location) error {
	if err := d.restart(record{}); err != nil {
		return err
	}
	if d.size > 0 {
		return damaged("GET %s: more bytes came than the %d it should have", loc, d.size)
	}
	return errTooLarge(loc, d.limit)
}

// writeFailed cuts a half-written block off, so that what stays can be resumed.
func (d *download) writeFailed(err error) error {
	d.partial.file.Truncate(d.offset) //nolint:errcheck // the write's own error is the news
	return disk("write "+d.name, err)
}
