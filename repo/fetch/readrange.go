package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrNoRanges says that a server sends whole files only.
var ErrNoRanges = errors.New("the server does not send parts of a file")

// Piece is a part of a file.
type Piece struct {
	Bytes  []byte
	Offset int64 // of the first byte
	Size   int64 // of the whole file; -1 when the server does not tell
}

const maxPiece = 64 << 20

// ReadRange reads n bytes (at most 64 MiB) from offset off, fewer when the file
// ends before; off -1 means the last n bytes. Where no mirror sends parts,
// errors.Is(err, ErrNoRanges) holds and the whole file is to be fetched.
func (c *Client) ReadRange(ctx context.Context, urls []string, off, n int64) (*Piece, error) {
	if n <= 0 || n > maxPiece || off < -1 {
		return nil, fmt.Errorf("read a part of %s: %d bytes at %d cannot be asked for", nameOf(urls), n, off)
	}
	var piece *Piece
	err := c.overMirrors(ctx, nameOf(urls), urls, func(loc location) (bool, error) {
		var err error
		if loc.url == nil {
			piece, err = pieceOfFile(loc, off, n)
		} else {
			piece, err = c.pieceOf(ctx, loc, off, n)
		}
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return piece, nil
}

func pieceOfFile(loc location, off, n int64) (*Piece, error) {
	f, size, err := openLocal(loc.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if off < 0 {
		off = max(size-n, 0)
	}
	if off >= size {
		return nil, hopeless{fmt.Errorf("read %s: it has only %d bytes", loc, size)}
	}
	b := make([]byte, min(n, size-off))
	if _, err := f.ReadAt(b, off); err != nil {
		return nil, hopeless{err}
	}
	return &Piece{Bytes: b, Offset: off, Size: size}, nil
}

func (c *Client) pieceOf(ctx context.Context, loc location, off, n int64) (*Piece, error) {
	header := http.Header{}
	if off < 0 {
		header.Set("Range", fmt.Sprintf("bytes=-%d", n))
	} else {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	res, err := c.get(ctx, loc, header, http.StatusPartialContent)
	if err != nil {
		return nil, unsatisfiable(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		// A file no longer than the part may come whole.
		if off > 0 || res.ContentLength < 0 || res.ContentLength > n {
			return nil, hopeless{fmt.Errorf("GET %s: %w", loc, ErrNoRanges)}
		}
		body, err := readBounded(res.Body, res.ContentLength, n, loc)
		return &Piece{Bytes: body, Size: res.ContentLength}, err
	}
	r, err := parseContentRange(res.Header.Get("Content-Range"))
	if err != nil || r.last-r.first >= n || off >= 0 && r.first != off || off < 0 && (r.total < 0 || r.last != r.total-1) {
		return nil, hopeless{fmt.Errorf("GET %s: another part came than was asked for: %w", loc, ErrNoRanges)}
	}
	body, err := readBounded(res.Body, r.last-r.first+1, r.last-r.first+1, loc)
	if err == nil && int64(len(body)) != r.last-r.first+1 {
		err = fmt.Errorf("GET %s: %w", loc, io.ErrUnexpectedEOF)
	}
	return &Piece{Bytes: body, Offset: r.first, Size: r.total}, err
}

// unsatisfiable makes 416 final: here it is about the caller's offset, not
// about a partial file.
func unsatisfiable(err error) error {
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable {
		return hopeless{err}
	}
	return err
}
