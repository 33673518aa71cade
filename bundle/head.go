package bundle

import (
	"errors"
	"fmt"
	"io"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A head is the beginning of an archive: what is read before the manifest is
// parsed, so that the signature over its raw bytes can be checked first.
type head struct {
	raw       []byte // of the manifest
	header    [tarBlock]byte
	signed    bool   // a signature member follows the manifest
	signature []byte // nil when there is none, or a damaged one
	// signatureErr says why the signature member could not be read.
	signatureErr error
	// claimed is the signature's size as its header says; 0 when unreadable.
	claimed int64
}

// readHead reads the manifest's member and the signature's, by their framing
// alone. The error is about the manifest: without it nothing can be read.
func readHead(r io.ReaderAt, size int64) (*head, error) {
	entry, err := readEntry(r, 0, size, manifest.MaxYAML)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifest.ManifestName, err)
	}
	h := &head{raw: entry.payload, header: entry.header}
	second := framedLength(rawLength(int64(len(h.raw))))
	peek := make([]byte, len(gzipHeader)+blockHeader+tarBlock)
	if second+int64(len(peek)) > size || readFull(r, peek, second) != nil {
		return h, nil // what is missing is found with the layout
	}
	name := peek[len(gzipHeader)+blockHeader:]
	if !looksSigned(name) {
		return h, nil
	}
	h.signed = true
	if n := headerSize(name); n > 0 && n <= sign.MaxSignature {
		h.claimed = n
	}
	entry, err = readEntry(r, second, size, sign.MaxSignature)
	if err == nil && len(entry.payload) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		h.signatureErr = err
		return h, nil
	}
	h.signature = entry.payload
	return h, nil
}

// looksSigned tells the header of a signature from that of SHA256SUMS by what
// it has more in common with: damage to some bytes must not turn one into the
// other, which would move every member behind it.
func looksSigned(header []byte) bool {
	likeness := func(name string) (n int) {
		want := make([]byte, nameField)
		copy(want, TopFolder+"/"+name)
		for i := range want {
			if header[i] == want[i] {
				n++
			}
		}
		return n
	}
	return likeness(manifest.SignatureName) > likeness(manifest.SumsName)
}

// An entry is a small member in memory.
type entry struct {
	header  [tarBlock]byte
	payload []byte
}

// readEntry reads the member at off by the size that its own tar header gives,
// of at most limit bytes of payload, and checks its framing.
func readEntry(r io.ReaderAt, off, size, limit int64) (*entry, error) {
	first := make([]byte, len(gzipHeader)+blockHeader+tarBlock)
	if err := readFull(r, first, off); err != nil {
		return nil, err
	}
	if string(first[:len(gzipHeader)]) != gzipHeader {
		return nil, errors.New("it does not begin with the gzip header of a pgbundle archive: is it another file, or was it packed again by another program?")
	}
	e := &entry{}
	copy(e.header[:], first[len(gzipHeader)+blockHeader:])
	length := headerSize(e.header[:])
	if length < 0 || length > limit {
		return nil, fmt.Errorf("its tar header gives no size of at most %d bytes", limit)
	}
	raw := rawLength(length)
	if off+framedLength(raw) > size {
		return nil, errTruncated
	}
	all := make([]byte, 0, raw)
	s := &scanner{r: r}
	if err := s.scan(off, raw, func(_ int64, data []byte) error {
		all = append(all, data...)
		return nil
	}); err != nil {
		return nil, err
	}
	e.payload = all[tarBlock : tarBlock+length : tarBlock+length]
	for _, b := range all[tarBlock+length:] {
		if b != 0 {
			return nil, errors.New("its padding is not zero")
		}
	}
	return e, nil
}

// parse reads the manifest and lays the archive out. It must come after the
// signature was checked, where there are keys to check it with.
func (h *head) parse(size int64) (*manifest.Manifest, *layout, error) {
	m, err := manifest.ParseManifest(h.raw)
	if err != nil {
		return nil, nil, err
	}
	l, err := newLayout(m, h.raw, h.signatureLength(m, size))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", manifest.ManifestName, err)
	}
	want, err := l.members[0].header()
	if err != nil {
		return nil, nil, err
	}
	if h.header != want {
		return nil, nil, fmt.Errorf("%s: its tar header is not the one that its bytes determine", manifest.ManifestName)
	}
	return m, l, nil
}

// signatureLength is the size of the signature's payload, 0 when there is
// none. Of a damaged one it is guessed: what makes the archive as long as it
// is, so that all other members are found where they are.
func (h *head) signatureLength(m *manifest.Manifest, size int64) int64 {
	switch {
	case !h.signed:
		return 0
	case h.signature != nil:
		return int64(len(h.signature))
	}
	unsigned, err := newLayout(m, h.raw, 0)
	if err != nil {
		return max(h.claimed, 1)
	}
	for n := int64(1); n <= sign.MaxSignature+tarBlock; n += tarBlock {
		if unsigned.total+framedLength(rawLength(n)) != size {
			continue
		}
		if rawLength(h.claimed) == rawLength(n) {
			return h.claimed
		}
		return n
	}
	return max(h.claimed, 1)
}
