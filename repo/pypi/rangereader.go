package pypi

import (
	"context"
	"fmt"
	"io"

	"pgbundle/repo/fetch"
)

// rangeReader reads a remote file by ranges: its end at once, the rest as it is
// asked for.
type rangeReader struct {
	ctx    context.Context
	client Getter
	url    string
	size   int64
	pieces []fetch.Piece
	asked  int
}

const (
	tailBytes = 64 << 10 // holds the directory and METADATA of most wheels
	moreBytes = 256 << 10
	// maxDirectory is as much as is read of a directory at once, in bytes.
	maxDirectory = 4 << 20
	// maxRanges bounds the requests for one file; a wheel that needs more is
	// cheaper to fetch.
	maxRanges = 24
)

func newRangeReader(ctx context.Context, client Getter, url string) (*rangeReader, error) {
	tail, err := client.ReadRange(ctx, []string{url}, -1, tailBytes)
	if err != nil {
		return nil, err
	}
	if tail.Size < 0 {
		return nil, fetch.ErrNoRanges
	}
	return &rangeReader{ctx: ctx, client: client, url: url, size: tail.Size, pieces: []fetch.Piece{*tail}}, nil
}

// ReadAt reads what was read before, or asks for more.
func (r *rangeReader) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		at := off + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		got := r.copy(b[n:], at)
		if got == 0 {
			if err := r.more(at, int64(len(b)-n)); err != nil {
				return n, err
			}
			continue
		}
		n += got
	}
	return n, nil
}

// copy takes from a piece that holds the byte at an offset.
func (r *rangeReader) copy(b []byte, at int64) int {
	for _, p := range r.pieces {
		if at >= p.Offset && at < p.Offset+int64(len(p.Bytes)) {
			return copy(b, p.Bytes[at-p.Offset:])
		}
	}
	return 0
}

// more asks for n bytes and for what is around them, but for nothing that is
// there after them. It is asked first for the directory, which goes on until the
// end that is there; before it is what was written last.
func (r *rangeReader) more(at, n int64) error {
	if r.asked++; r.asked > maxRanges {
		return fetch.ErrNoRanges
	}
	after := max(n, moreBytes)
	if r.asked == 1 {
		after = max(n, maxDirectory)
	}
	begin, end := max(at-moreBytes, 0), at+after
	for _, p := range r.pieces {
		if p.Offset > at {
			end = min(end, p.Offset)
		}
	}
	piece, err := r.client.ReadRange(r.ctx, []string{r.url}, begin, end-begin)
	if err != nil {
		return err
	}
	if piece.Offset != begin || begin+int64(len(piece.Bytes)) <= at {
		return fmt.Errorf("read a part of a wheel: %d bytes at %d came, not at %d", len(piece.Bytes), piece.Offset, begin)
	}
	r.pieces = append(r.pieces, *piece)
	return nil
}
