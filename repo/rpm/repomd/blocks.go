package repomd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	blockSize  = 256 << 10
	blockAhead = 3        // blocks that wait for the parser
	maxElement = 64 << 20 // bytes of one package; the largest kernels have 3 MB
)

// blocks reads ahead in a goroutine of its own, so that unpacking and parsing
// run on two cores, and cuts the text behind an end tag: a block holds whole
// elements.
type blocks struct {
	ready chan block
	free  chan []byte
	stop  context.CancelFunc
}

// block is a piece of text; the last one of a stream carries its error or io.EOF.
type block struct {
	text []byte
	err  error
}

// readBlocks starts to read; cut is the end tag.
func readBlocks(ctx context.Context, r io.Reader, cut string) *blocks {
	ctx, stop := context.WithCancel(ctx)
	b := &blocks{make(chan block, blockAhead), make(chan []byte, blockAhead+2), stop}
	go b.run(ctx, r, []byte(cut))
	return b
}

// next returns the next block. Its text is valid until it is given back.
func (b *blocks) next() block {
	bl, ok := <-b.ready
	if !ok {
		return block{err: context.Canceled}
	}
	return bl
}

// giveBack lets the reader use a block's memory again.
func (b *blocks) giveBack(bl block) {
	select {
	case b.free <- bl.text:
	default:
	}
}

// close ends the reading and returns when nothing is read any more.
func (b *blocks) close() {
	b.stop()
	for range b.ready {
	}
}

func (b *blocks) run(ctx context.Context, r io.Reader, cut []byte) {
	defer close(b.ready)
	buf, held := make([]byte, blockSize), 0
	for {
		n, err := io.ReadFull(r, buf[held:])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		from := max(0, held-len(cut)) // there is no end tag before
		held += n
		end := held
		if err == nil {
			end = from + bytes.LastIndex(buf[from:held], cut) + len(cut)
			if end < from+len(cut) { // no end tag yet
				buf, err = enlarge(buf)
				if err == nil {
					continue
				}
				end = held
			}
		}
		var next []byte
		if err == nil {
			next = b.buffer(held - end)
			held = copy(next, buf[end:held])
		}
		select {
		case b.ready <- block{buf[:end], err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		buf = next
	}
}

// buffer returns memory for a block that begins with n bytes kept from the last.
func (b *blocks) buffer(n int) []byte {
	select {
	case buf := <-b.free:
		if buf = buf[:cap(buf)]; len(buf) > n {
			return buf
		}
	default:
	}
	return make([]byte, max(blockSize, 2*n))
}

func enlarge(buf []byte) ([]byte, error) {
	if len(buf) >= maxElement {
		return buf, damaged(fmt.Errorf("one element is larger than %d bytes", maxElement))
	}
	return append(buf, make([]byte, len(buf))...), nil
}

// last tells whether a block is the last of a whole stream.
func (bl block) last() bool { return errors.Is(bl.err, io.EOF) }
