package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Open streams a file from the first address that has it. ctx governs the
// stream until it is closed. An open stream does not count against the limits
// on requests: its reader may be slow, or open others.
func (c *Client) Open(ctx context.Context, urls []string) (io.ReadCloser, error) {
	var opened io.ReadCloser
	err := c.overMirrors(ctx, nameOf(urls), urls, func(loc location) (bool, error) {
		var err error
		opened, err = c.openOnce(ctx, loc)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

func (c *Client) openOnce(ctx context.Context, loc location) (io.ReadCloser, error) {
	if loc.url == nil {
		f, _, err := openLocal(loc.path)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	res, err := c.get(ctx, loc, nil)
	if err != nil {
		return nil, err
	}
	s := &stream{client: c, ctx: ctx, loc: loc, record: newRecord(loc, res.Header)}
	s.attach(res)
	head, err := s.body.Peek(512)
	switch {
	case err != nil && err != io.EOF:
		s.Close()
		return nil, err
	case promisesOther(loc) && looksHTML(head):
		s.Close()
		return nil, errHTML(loc)
	}
	return s, nil
}

// stream reads an answer and goes on with another one when it breaks.
type stream struct {
	client *Client
	ctx    context.Context
	loc    location
	record record
	offset int64 // bytes handed out
	tries  int   // since the last byte
	body   *bufio.Reader
	closer io.Closer
}

func (s *stream) attach(res *response) {
	res.release()
	s.body, s.closer = bufio.NewReaderSize(res.Body, copyBuffer), res.Body
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.body.Read(p)
		s.offset += int64(n)
		if n > 0 {
			s.tries = 0
		}
		if err == nil || err == io.EOF || n > 0 {
			if err != io.EOF {
				err = nil // a failure comes again with the next read
			}
			return n, err
		}
		if err := s.reopen(err); err != nil {
			return 0, err
		}
	}
}

// reopen continues after a failure, or gives that failure back.
func (s *stream) reopen(broken error) error {
	s.closer.Close()
	for {
		if s.ctx.Err() != nil || s.record.validator() == "" || s.tries >= s.client.opts.Retries {
			return broken
		}
		s.tries++
		s.client.logf("%v: resume at byte %d", broken, s.offset)
		if err := s.client.pause(s.ctx, s.client.backoff(s.tries)); err != nil {
			return broken
		}
		err := s.rest()
		if err == nil {
			return nil
		}
		if !passes(err) {
			return fmt.Errorf("%w (and it cannot be resumed: %w)", broken, err)
		}
	}
}

func (s *stream) rest() error {
	header := http.Header{}
	header.Set("Range", fmt.Sprintf("bytes=%d-", s.offset))
	header.Set("If-Range", s.record.validator())
	res, err := s.client.get(s.ctx, s.loc, header, http.StatusPartialContent)
	if err != nil {
		return err
	}
	part, err := parseContentRange(res.Header.Get("Content-Range"))
	if res.StatusCode != http.StatusPartialContent || err != nil || part.first != s.offset || s.record.contradicts(res.Header) {
		res.Body.Close()
		return hopeless{errors.New("the server sends another part, or another file")}
	}
	s.attach(res)
	return nil
}

func (s *stream) Close() error { return s.closer.Close() }
