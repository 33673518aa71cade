package rpm

import "strings"

// IsGlob reports whether a text has a glob's characters.
func IsGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// Match reports whether a shell pattern matches a whole text, as fnmatch(3)
// without flags does: * ? [a-z] [!a-z] and a backslash before what is meant as
// it stands. A pattern that is no glob matches itself.
func Match(pattern, s string) bool {
	if !IsGlob(pattern) {
		return pattern == s
	}
	retryPattern, retryText := "", ""
	star := false
	for len(s) > 0 {
		if strings.HasPrefix(pattern, "*") {
			pattern = pattern[1:]
			retryPattern, retryText, star = pattern, s, true
			continue
		}
		if rest, ok := matchOne(pattern, s[0]); ok {
			pattern, s = rest, s[1:]
			continue
		}
		if !star {
			return false
		}
		retryText = retryText[1:]
		pattern, s = retryPattern, retryText
	}
	return strings.Trim(pattern, "*") == ""
}

// matchOne matches one byte with the head of a pattern and returns its tail.
func matchOne(pattern string, c byte) (tail string, ok bool) {
	switch {
	case pattern == "":
		return "", false
	case pattern[0] == '?':
		return pattern[1:], true
	case pattern[0] == '[':
		if set, tail, closed := strings.Cut(pattern[1:], "]"); closed && set != "" {
			return tail, inSet(set, c)
		}
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[1:], pattern[0] == c
}

// inSet reports whether a byte is in the inside of a bracket expression.
func inSet(set string, c byte) bool {
	negated := set[0] == '!' || set[0] == '^'
	if negated {
		set = set[1:]
	}
	found := false
	for len(set) > 0 {
		if len(set) > 2 && set[1] == '-' {
			found = found || set[0] <= c && c <= set[2]
			set = set[3:]
			continue
		}
		found = found || set[0] == c
		set = set[1:]
	}
	return found != negated
}
