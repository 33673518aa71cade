package rpm

import (
	"hash/maphash"
	"unsafe"
)

// Str is an interned string of a Pool: equal texts have equal ids. 0 is "".
type Str uint32

// textChunk is the size of a block of text. Blocks never move, so strings into
// them stay valid.
const textChunk = 256 << 10

// texts interns strings: the bytes lie in large blocks, an open-addressed table
// of hashes finds them. Nothing in it holds a pointer per string.
type texts struct {
	seed   maphash.Seed
	chunks [][]byte
	spans  []span     // by Str
	slots  []textSlot // length a power of two
	used   int
}

type span struct {
	chunk, off, n uint32
}

type textSlot struct {
	hash uint32
	str  Str // 0: free
}

func newTexts(seed maphash.Seed) texts {
	return texts{seed: seed, spans: make([]span, 1, 1024), slots: make([]textSlot, 4096)}
}

// Intern returns the id of a text; b is copied when it is new.
func (t *texts) Intern(b []byte) Str {
	if len(b) == 0 {
		return 0
	}
	h := uint32(maphash.Bytes(t.seed, b))
	i, found := t.find(h, b)
	if found {
		return t.slots[i].str
	}
	s := t.AddText(b)
	t.slots[i] = textSlot{h, s}
	t.used++
	if t.used*4 > len(t.slots)*3 {
		t.grow()
	}
	return s
}

// InternString is Intern for a string.
func (t *texts) InternString(s string) Str { return t.Intern(bytesOf(s)) }

// Lookup returns the id of a text that was interned, and 0 for any other. It
// changes nothing.
func (t *texts) Lookup(s string) Str {
	if s == "" {
		return 0
	}
	return t.lookup(bytesOf(s))
}

func (t *texts) lookup(b []byte) Str {
	i, found := t.find(uint32(maphash.Bytes(t.seed, b)), b)
	if !found {
		return 0
	}
	return t.slots[i].str
}

// find returns the slot of a text, or the free slot where it belongs.
func (t *texts) find(h uint32, b []byte) (int, bool) {
	mask := len(t.slots) - 1
	for i := int(h) & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot.str == 0 {
			return i, false
		}
		if slot.hash == h && string(t.bytes(slot.str)) == string(b) {
			return i, true
		}
	}
}

// AddText stores a text that will not be looked up, such as a file name: it
// gets an id of its own even when the same text has one already.
func (t *texts) AddText(b []byte) Str {
	if len(b) == 0 {
		return 0
	}
	last := len(t.chunks) - 1
	if last < 0 || cap(t.chunks[last])-len(t.chunks[last]) < len(b) {
		t.chunks = append(t.chunks, make([]byte, 0, max(textChunk, len(b))))
		last++
	}
	off := len(t.chunks[last])
	t.chunks[last] = append(t.chunks[last], b...)
	t.spans = append(t.spans, span{uint32(last), uint32(off), uint32(len(b))})
	return Str(len(t.spans) - 1)
}

// String returns the text of an id without copying it.
func (t *texts) String(s Str) string {
	b := t.bytes(s)
	return unsafe.String(unsafe.SliceData(b), len(b)) // text blocks are only ever appended to
}

func (t *texts) bytes(s Str) []byte {
	if s == 0 {
		return nil
	}
	sp := t.spans[s]
	return t.chunks[sp.chunk][sp.off : sp.off+sp.n]
}

func (t *texts) grow() {
	old := t.slots
	t.slots = make([]textSlot, 2*len(old))
	mask := len(t.slots) - 1
	for _, slot := range old {
		if slot.str == 0 {
			continue
		}
		i := int(slot.hash) & mask
		for t.slots[i].str != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = slot
	}
}

// bytesOf views a string as bytes that nobody writes to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
