package fetch

import (
	"errors"
	"strconv"
	"strings"
)

// contentRange is the value of Content-Range in a 206 (RFC 9110 section 14.4).
type contentRange struct {
	first, last int64 // both inclusive
	total       int64 // of the whole file; -1 when the server does not know
}

var errContentRange = errors.New("unusable Content-Range")

// parseContentRange reads "bytes first-last/total" with "*" for an unknown total.
func parseContentRange(value string) (contentRange, error) {
	unit, rest, ok := strings.Cut(strings.TrimSpace(value), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return contentRange{}, errContentRange
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return contentRange{}, errContentRange
	}
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return contentRange{}, errContentRange
	}
	r := contentRange{total: -1}
	var err1, err2, err3 error
	r.first, err1 = parseOffset(from)
	r.last, err2 = parseOffset(to)
	if size != "*" {
		r.total, err3 = parseOffset(size)
	}
	if err1 != nil || err2 != nil || err3 != nil || r.last < r.first || r.total >= 0 && r.last >= r.total {
		return contentRange{}, errContentRange
	}
	return r, nil
}

// parseOffset reads digits only: strconv alone would take a sign.
func parseOffset(s string) (int64, error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, errContentRange
	}
	return strconv.ParseInt(s, 10, 64)
}
