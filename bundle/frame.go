package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The framing of a gzip member (RFC 1952 section 2.3) of stored deflate blocks
// (RFC 1951 section 3.2.4), in bytes.
const (
	blockSize   = 65535                     // data in every block but the last: the most that one can hold
	blockHeader = 5                         // final bit, length, its complement
	framedBlock = blockHeader + blockSize   // a full block in the file
	trailerSize = 8                         // CRC-32 and length of the data
	frameBlocks = 16                        // blocks that are read or written at a time
	frameBuffer = frameBlocks*framedBlock + // the room for them
		len(gzipHeader) + trailerSize
)

// gzipHeader is the only header a member may have: deflate, no flags, no time,
// no extra flags, operating system unknown.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// rawLength is the length of a tar entry: its header, its payload and the
// padding to whole blocks.
func rawLength(size int64) int64 {
	return tarBlock + (size+tarBlock-1)/tarBlock*tarBlock
}

// framedLength is the length in the file of a member that holds raw bytes.
func framedLength(raw int64) int64 {
	return int64(len(gzipHeader)) + raw + blockHeader*((raw+blockSize-1)/blockSize) + trailerSize
}

// putBlockHeader writes the header of a stored block of n bytes.
func putBlockHeader(b []byte, n int, final bool) {
	b[0] = 0
	if final {
		b[0] = 1
	}
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	binary.LittleEndian.PutUint16(b[3:], ^uint16(n))
}

// isBlockHeader says whether b begins with exactly the header of such a block.
func isBlockHeader(b []byte, n int, final bool) bool {
	var want [blockHeader]byte
	putBlockHeader(want[:], n, final)
	return string(b[:blockHeader]) == string(want[:])
}

// putTrailer writes the trailer of a member of raw bytes.
func putTrailer(b []byte, crc uint32, raw int64) {
	binary.LittleEndian.PutUint32(b[0:], crc)
	binary.LittleEndian.PutUint32(b[4:], uint32(raw))
}

// frame returns raw as one member, for what is small enough to be in memory.
func frame(raw []byte) []byte {
	out := make([]byte, 0, framedLength(int64(len(raw))))
	out = append(out, gzipHeader...)
	for rest := raw; ; {
		n := min(len(rest), blockSize)
		var h [blockHeader]byte
		putBlockHeader(h[:], n, n == len(rest))
		out = append(append(out, h[:]...), rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	var t [trailerSize]byte
	putTrailer(t[:], crc32.ChecksumIEEE(raw), int64(len(raw)))
	return append(out, t[:]...)
}

// endMember closes every archive: two zero blocks.
func endMember() []byte { return frame(make([]byte, 2*tarBlock)) }

// errChecksum says that all of a member is framed well and its trailer wrong.
var errChecksum = errors.New("the checksum of its gzip member is wrong")

// errTruncated says that a file ends before a member does.
var errTruncated = errors.New("the archive ends within it")

// A scanner reads the member at off that holds raw bytes, in spans of whole
// blocks, and checks its framing while it goes. One buffer serves many members.
type scanner struct {
	r      io.ReaderAt
	buffer []byte // grows to frameBuffer bytes at most
}

// scan hands each block's data with its place in the raw bytes to use, which
// ends the scan by returning an error. Other errors tell why the framing is
// not canonical, or are those of reading.
func (s *scanner) scan(off, raw int64, use func(at int64, data []byte) error) error {
	if need := int(min(framedLength(raw), int64(frameBuffer))); len(s.buffer) < need {
		s.buffer = make([]byte, need)
	}
	var crc uint32
	for at := int64(0); at < raw; {
		todo := min(raw-at, frameBlocks*blockSize)
		blocks := (todo + blockSize - 1) / blockSize
		length := todo + blocks*blockHeader
		if at == 0 {
			length += int64(len(gzipHeader))
		}
		if at+todo == raw {
			length += trailerSize
		}
		span := s.buffer[:length]
		if err := readFull(s.r, span, off); err != nil {
			return err
		}
		off += length
		if at == 0 {
			if string(span[:len(gzipHeader)]) != gzipHeader {
				return errors.New("it does not begin with the gzip header of a pgbundle archive")
			}
			span = span[len(gzipHeader):]
		}
		for end := at + todo; at < end; {
			n := int(min(raw-at, blockSize))
			if !isBlockHeader(span, n, at+int64(n) == raw) {
				return fmt.Errorf("the framing of its gzip member is not canonical at byte %d", at)
			}
			data := span[blockHeader : blockHeader+n]
			crc = crc32.Update(crc, crc32.IEEETable, data)
			if err := use(at, data); err != nil {
				return err
			}
			at += int64(n)
			span = span[blockHeader+n:]
		}
		if at == raw {
			var want [trailerSize]byte
			putTrailer(want[:], crc, raw)
			if string(span) != string(want[:]) {
				return errChecksum
			}
		}
	}
	return nil
}

// readFull fills b from off.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errTruncated
	}
	return &readError{err}
}

// A readError is the failure of a disk, not of what is on it.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }
