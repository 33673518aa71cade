package rpm

import (
	"bytes"
	"strings"
)

// Compare compares two segments of a version as rpmvercmp does: -1, 0 or 1.
// Runs of digits or letters are compared one by one, anything else separates;
// a tilde sorts before the end of the text, a caret after the end but before
// more text (rpm's lib/rpmvercmp and its test table tests/rpmvercmp.at).
func Compare(a, b string) int { return vercmp(bytesOf(a), bytesOf(b)) }

// vercmp is Compare over bytes.
func vercmp(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	for len(a) > 0 || len(b) > 0 {
		a, b = skipSeparators(a), skipSeparators(b)
		aMark, bMark := mark(a), mark(b)
		if aMark == '~' || bMark == '~' {
			if aMark != bMark {
				return sign(bMark == '~')
			}
			a, b = a[1:], b[1:]
			continue
		}
		if aMark == '^' || bMark == '^' {
			switch {
			case len(a) == 0:
				return -1
			case len(b) == 0:
				return 1
			case aMark != bMark:
				return sign(bMark == '^')
			}
			a, b = a[1:], b[1:]
			continue
		}
		if len(a) == 0 || len(b) == 0 {
			break
		}
		digits := isDigit(a[0])
		var aRun, bRun []byte
		aRun, a = cutRun(a, digits)
		bRun, b = cutRun(b, digits)
		if len(bRun) == 0 { // digits are newer than letters
			return sign(digits)
		}
		if c := compareRuns(aRun, bRun, digits); c != 0 {
			return c
		}
	}
	switch {
	case len(a) > 0:
		return 1
	case len(b) > 0:
		return -1
	}
	return 0
}

// compareRuns compares two runs of digits as numbers of any length, or two
// runs of letters as text.
func compareRuns(a, b []byte, digits bool) int {
	if digits {
		a, b = bytes.TrimLeft(a, "0"), bytes.TrimLeft(b, "0")
		if len(a) != len(b) {
			return sign(len(a) > len(b))
		}
	}
	return bytes.Compare(a, b)
}

func sign(greater bool) int {
	if greater {
		return 1
	}
	return -1
}

func skipSeparators(s []byte) []byte {
	i := 0
	for i < len(s) && !isDigit(s[i]) && !isLetter(s[i]) && s[i] != '~' && s[i] != '^' {
		i++
	}
	return s[i:]
}

func mark(s []byte) byte {
	if len(s) > 0 && (s[0] == '~' || s[0] == '^') {
		return s[0]
	}
	return 0
}

func cutRun(s []byte, digits bool) (run, rest []byte) {
	i := 0
	for i < len(s) && (digits && isDigit(s[i]) || !digits && isLetter(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// SplitEVR cuts `[epoch:]version[-release]`. An epoch or a release that is not
// there is "".
func SplitEVR(s string) (epoch, version, release string) {
	if hasEpoch(bytesOf(s)) {
		epoch, s, _ = strings.Cut(s, ":")
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// CompareEVR compares two full versions: -1, 0 or 1. A missing epoch is 0, a
// missing release is older than any.
func CompareEVR(a, b string) int {
	switch c := compareEVR(bytesOf(a), bytesOf(b)); {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}

// CompareEVR compares two interned versions, as the function of this name.
func (p *Pool) CompareEVR(a, b Str) int {
	if a == b {
		return 0
	}
	return CompareEVR(p.String(a), p.String(b))
}

// compareEVR compares [epoch:]version[-release]; 2 and -2 say that only the
// release makes the difference, and that b or a has none.
func compareEVR(a, b []byte) int {
	aEpoch, a := cutEpoch(a)
	bEpoch, b := cutEpoch(b)
	if c := compareRuns(aEpoch, bEpoch, true); c != 0 {
		return c
	}
	if bytes.Equal(a, b) {
		return 0
	}
	aVersion, aRelease, aHas := cutRelease(a)
	bVersion, bRelease, bHas := cutRelease(b)
	if c := vercmp(aVersion, bVersion); c != 0 {
		return c
	}
	switch {
	case aHas && bHas:
		return vercmp(aRelease, bRelease)
	case aHas:
		return 2
	case bHas:
		return -2
	}
	return 0
}

// cutEpoch cuts the digits before a colon.
func cutEpoch(s []byte) (epoch, rest []byte) {
	for i, c := range s {
		if c == ':' && i > 0 {
			return s[:i], s[i+1:]
		}
		if !isDigit(c) {
			break
		}
	}
	return nil, s
}

func cutRelease(s []byte) (version, release []byte, has bool) {
	if i := bytes.LastIndexByte(s, '-'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, nil, false
}
