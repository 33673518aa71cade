package pkgfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// Bounds on a header block. rpm itself allows 65,535 entries and 256 MiB; the
// largest header of a real distribution is below 20 MiB.
const (
	maxEntries  = 0xffff
	maxStore    = 64 << 20
	leadSize    = 96
	introSize   = 16
	entrySize   = 16
	trailerSize = 16
)

// Types of header entries (rpm's rpmTagType).
const (
	typeChar        = 1
	typeInt8        = 2
	typeInt16       = 3
	typeInt32       = 4
	typeInt64       = 5
	typeString      = 6
	typeBinary      = 7
	typeStringArray = 8
	typeI18NString  = 9
)

// header is one header block: an index of entries and the store that they
// point into. After parseHeader every entry is known to lie in the store, so
// the getters need no bounds of their own.
type header struct {
	raw     []byte // the block as it stands in the file, without padding: what a header signature covers
	store   string
	entries map[uint32]entry
}

type entry struct {
	typ    uint32
	offset uint32
	count  uint32
	length uint32 // bytes in the store
}

var headerMagic = []byte{0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0}

// readHeader reads one header block. Part names it in errors; region is the tag
// of the region that must cover the whole block, 0 when it need not.
func readHeader(r io.Reader, part string, region uint32) (*header, error) {
	var intro [introSize]byte
	if _, err := io.ReadFull(r, intro[:]); err != nil {
		return nil, shortRead(part, err)
	}
	if !bytes.Equal(intro[:8], headerMagic) {
		return nil, damaged(part, "no header magic")
	}
	count := binary.BigEndian.Uint32(intro[8:])
	size := binary.BigEndian.Uint32(intro[12:])
	if count < 1 || count > maxEntries {
		return nil, damaged(part, "%d index entries, allowed are 1 to %d", count, maxEntries)
	}
	if size > maxStore {
		return nil, damaged(part, "store of %d bytes, allowed are %d", size, maxStore)
	}
	// The buffer grows with what arrives, so a lying size costs nothing.
	length := int64(count)*entrySize + int64(size)
	var buf bytes.Buffer
	buf.Grow(introSize + int(min(length, 1<<20)))
	buf.Write(intro[:])
	if n, err := io.CopyN(&buf, r, length); n < length {
		return nil, shortRead(part, err)
	}
	return parseHeader(buf.Bytes(), int(count), part, region)
}

// parseHeader checks the index as rpm's hdrblobVerifyInfo does: known types,
// aligned integers, terminated strings, data in the order of the index without
// overlap. An entry so checked costs memory in proportion to the store at most.
func parseHeader(raw []byte, count int, part string, region uint32) (*header, error) {
	index := raw[introSize : introSize+count*entrySize]
	store := raw[introSize+count*entrySize:]
	h := &header{raw: raw, store: string(store), entries: make(map[uint32]entry, count)}
	first := 0
	if tag := binary.BigEndian.Uint32(index); tag == regionSignatures || tag == regionImmutable {
		switch {
		case region != 0 && !coversAll(index, store, region):
			return nil, damaged(part, "entries outside of its signed region")
		case region == 0 && !closesItself(index, store, tag):
			return nil, damaged(part, "its region does not close")
		}
		first = 1
	}
	end := uint32(0)
	for i := first; i < count; i++ {
		ix := index[i*entrySize:]
		tag := binary.BigEndian.Uint32(ix)
		e := entry{
			typ:    binary.BigEndian.Uint32(ix[4:]),
			offset: binary.BigEndian.Uint32(ix[8:]),
			count:  binary.BigEndian.Uint32(ix[12:]),
		}
		if e.offset < end || e.offset > uint32(len(store)) {
			return nil, damaged(part, "data of tag %d overlaps or lies outside", tag)
		}
		length, ok := dataLength(h.store[e.offset:], e)
		if !ok {
			return nil, damaged(part, "data of tag %d does not fit its type", tag)
		}
		e.length = length
		end = e.offset + length
		if _, twice := h.entries[tag]; twice {
			return nil, damaged(part, "tag %d stands twice", tag)
		}
		h.entries[tag] = e
	}
	return h, nil
}

// coversAll tells whether the region entry that opens the index spans the whole
// block. rpm hashes the region alone, so nothing may lie beside it.
func coversAll(index, store []byte, region uint32) bool {
	offset := binary.BigEndian.Uint32(index[8:])
	if binary.BigEndian.Uint32(index) != region || binary.BigEndian.Uint32(index[4:]) != typeBinary ||
		binary.BigEndian.Uint32(index[12:]) != trailerSize || int64(offset)+trailerSize != int64(len(store)) {
		return false
	}
	trailer := store[offset:]
	return binary.BigEndian.Uint32(trailer) == region &&
		binary.BigEndian.Uint32(trailer[4:]) == typeBinary &&
		binary.BigEndian.Uint32(trailer[8:]) == uint32(-len(index)) &&
		binary.BigEndian.Uint32(trailer[12:]) == trailerSize
}

// closesItself tells whether the region entry that opens the index points at a
// trailer that points back, as rpm demands of a signature header too. Entries may
// lie beside such a region.
func closesItself(index, store []byte, region uint32) bool {
	offset := binary.BigEndian.Uint32(index[8:])
	if binary.BigEndian.Uint32(index[4:]) != typeBinary || binary.BigEndian.Uint32(index[12:]) != trailerSize ||
		int64(offset)+trailerSize > int64(len(store)) {
		return false
	}
	trailer := store[offset:]
	tag, back := binary.BigEndian.Uint32(trailer), -binary.BigEndian.Uint32(trailer[8:])
	// Packages of rpm 3 have the tag of another region in this trailer.
	return (tag == region || tag == regionImage) && binary.BigEndian.Uint32(trailer[4:]) == typeBinary &&
		binary.BigEndian.Uint32(trailer[12:]) == trailerSize &&
		back%entrySize == 0 && back >= entrySize && int64(back) <= int64(len(index))
}

// dataLength returns how many bytes of data an entry spans, and whether they
// are there and aligned.
func dataLength(data string, e entry) (uint32, bool) {
	width := uint32(1)
	switch e.typ {
	case typeChar, typeInt8, typeBinary:
	case typeInt16:
		width = 2
	case typeInt32:
		width = 4
	case typeInt64:
		width = 8
	case typeString, typeStringArray, typeI18NString:
		return stringsLength(data, e)
	default:
		return 0, false
	}
	length := uint64(width) * uint64(e.count)
	return uint32(length), length > 0 && length <= uint64(len(data)) && e.offset%width == 0
}

func stringsLength(data string, e entry) (uint32, bool) {
	if e.count < 1 || uint64(e.count) > uint64(len(data)) || e.typ == typeString && e.count != 1 {
		return 0, false
	}
	at := 0
	for range e.count {
		n := strings.IndexByte(data[at:], 0)
		if n < 0 {
			return 0, false
		}
		at += n + 1
	}
	return uint32(at), true
}

func (h *header) has(tag uint32) bool {
	_, ok := h.entries[tag]
	return ok
}

// text returns the string of a tag, or its first one: for a translated string
// that is the untranslated one. Empty when the tag is absent or no string.
func (h *header) text(tag uint32) string {
	e, ok := h.entries[tag]
	if !ok || !isText(e.typ) {
		return ""
	}
	s := h.store[e.offset : e.offset+e.length]
	return s[:strings.IndexByte(s, 0)]
}

// texts returns the strings of a tag, nil when it is absent or no string.
func (h *header) texts(tag uint32) []string {
	e, ok := h.entries[tag]
	if !ok || !isText(e.typ) {
		return nil
	}
	list := make([]string, e.count)
	s := h.store[e.offset : e.offset+e.length]
	for i := range list {
		n := strings.IndexByte(s, 0)
		list[i], s = s[:n], s[n+1:]
	}
	return list
}

// bytes returns the data of a binary tag, nil when it is absent or another type.
func (h *header) bytes(tag uint32) []byte {
	e, ok := h.entries[tag]
	if !ok || e.typ != typeBinary {
		return nil
	}
	return []byte(h.store[e.offset : e.offset+e.length])
}

// number returns the first integer of a tag.
func (h *header) number(tag uint32) (uint64, bool) {
	n := h.numbers(tag)
	if n.len() == 0 {
		return 0, false
	}
	return n.at(0), true
}

// numbers returns the integers of a tag, empty when it is absent or no integer.
func (h *header) numbers(tag uint32) numbers {
	e, ok := h.entries[tag]
	if !ok || e.typ < typeChar || e.typ > typeInt64 {
		return numbers{}
	}
	width := 1 << max(int(e.typ)-typeInt8, 0)
	return numbers{data: h.store[e.offset : e.offset+e.length], width: width}
}

func isText(typ uint32) bool {
	return typ == typeString || typ == typeStringArray || typ == typeI18NString
}

// numbers is an array of unsigned big-endian integers, read in place.
type numbers struct {
	data  string
	width int
}

func (n numbers) len() int {
	if n.width == 0 {
		return 0
	}
	return len(n.data) / n.width
}

func (n numbers) at(i int) uint64 {
	v := uint64(0)
	for _, b := range []byte(n.data[i*n.width : (i+1)*n.width]) {
		v = v<<8 | uint64(b)
	}
	return v
}

// shortRead turns the end of the input into damage and leaves other failures of
// the reader as they are: those are not the package's fault.
func shortRead(part string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(part, "the file ends in it")
	}
	return err
}
