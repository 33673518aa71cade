package bundle

import (
	"fmt"
	"strings"
)

// tarBlock is the unit of a tar archive, in bytes.
const tarBlock = 512

// Widths of the two fields that a USTAR header keeps a name in.
const (
	nameField   = 100
	prefixField = 155
)

// splitName divides a name into the prefix and name fields of a USTAR header
// (POSIX.1-1988): at the first slash that leaves a name short enough.
func splitName(full string) (prefix, name string, err error) {
	if len(full) <= nameField {
		return "", full, nil
	}
	for i := len(full) - nameField - 1; i < len(full) && i <= prefixField; i++ {
		if full[i] == '/' && i > 0 && i < len(full)-1 {
			return full[:i], full[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("path %s: a tar header (USTAR) cannot hold it: %d bytes before a slash and %d after are the most",
		strings.TrimPrefix(full, TopFolder+"/"), prefixField, nameField)
}

// tarHeader returns the one USTAR header that an entry may have: a regular
// file of root, of a mode of permission bits and a time in seconds since 1970.
func tarHeader(path string, size int64, mode uint32, mtime int64) (h [tarBlock]byte, err error) {
	prefix, name, err := splitName(TopFolder + "/" + path)
	if err != nil {
		return h, err
	}
	copy(h[0:], name)
	octal(h[100:108], int64(mode))
	octal(h[108:116], 0) // uid
	octal(h[116:124], 0) // gid
	octal(h[124:136], size)
	octal(h[136:148], mtime)
	h[156] = '0' // a regular file
	copy(h[257:], "ustar\x0000")
	copy(h[265:], "root")
	copy(h[297:], "root")
	octal(h[329:337], 0) // device numbers
	octal(h[337:345], 0)
	copy(h[345:], prefix)
	sum := int64(8 * ' ') // the checksum field counts as spaces
	for _, b := range h {
		sum += int64(b)
	}
	octal(h[148:155], sum)
	h[155] = ' '
	return h, nil
}

// octal fills a field with digits and a NUL.
func octal(field []byte, n int64) {
	copy(field, fmt.Sprintf("%0*o", len(field)-1, n))
	field[len(field)-1] = 0
}

// headerSize reads the size field of a header, strictly: digits and a NUL. It
// is -1 when the field is anything else.
func headerSize(h []byte) int64 {
	field := h[124:136]
	if field[11] != 0 {
		return -1
	}
	var n int64
	for _, c := range field[:11] {
		if c < '0' || c > '7' {
			return -1
		}
		n = n<<3 | int64(c-'0')
	}
	return n
}

// headerName reads the name of a header, for messages.
func headerName(h []byte) string {
	name := cString(h[:nameField])
	if prefix := cString(h[345 : 345+prefixField]); prefix != "" {
		name = prefix + "/" + name
	}
	return name
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
