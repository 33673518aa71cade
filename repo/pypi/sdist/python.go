package sdist

import (
	"strings"
)

// source is the text of a setup.py without its comments. Only literals are read
// off it: lists and dictionaries of strings, True and False, and calls of
// find_packages with such arguments.
type source string

// newSource blanks comments, which keeps quotes in them from confusing.
func newSource(text []byte) source {
	out := []byte(strings.ReplaceAll(string(text), "\\\n", "  "))
	for i := 0; i < len(out); {
		switch {
		case out[i] == '#':
			for i < len(out) && out[i] != '\n' {
				out[i] = ' '
				i++
			}
		case out[i] == '\'' || out[i] == '"':
			i += literalEnd(string(out[i:]))
		default:
			i++
		}
	}
	return source(out)
}

// literalEnd returns the length of the string literal that s starts with.
func literalEnd(s string) int {
	quote := s[:1]
	if strings.HasPrefix(s, quote+quote+quote) {
		quote = s[:3]
	}
	for i := len(quote); i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if strings.HasPrefix(s[i:], quote) {
			return i + len(quote)
		} else if s[i] == '\n' && len(quote) == 1 {
			return i
		}
	}
	return len(s)
}

// argument returns the expression that a keyword argument, or a variable, of a
// name is set to; ok is false when there is none.
func (s source) argument(name string) (value string, ok bool) {
	text := string(s)
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			i += literalEnd(text[i:])
		case isWord(c):
			end := i
			for end < len(text) && isWord(text[end]) {
				end++
			}
			if text[i:end] == name && (i == 0 || text[i-1] != '.') {
				after := strings.TrimLeft(text[end:], " \t\r\n")
				if strings.HasPrefix(after, "=") && !strings.HasPrefix(after, "==") {
					return strings.TrimSpace(upTo(strings.TrimSpace(after[1:]), ",)]}\n")), true
				}
			}
			i = end
		default:
			i++
		}
	}
	return "", false
}

func isWord(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// upTo is the prefix of s before the first of some bytes that stands outside of
// brackets and strings; all of s when there is none. A closing bracket among them
// is one that s did not open.
func upTo(s, ends string) string {
	depth := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\'' || c == '"' {
			i += literalEnd(s[i:])
			continue
		}
		if depth == 0 && strings.IndexByte(ends, c) >= 0 {
			return s[:i]
		}
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		i++
	}
	return s
}

// brackets returns what stands between the brackets that enclose all of an
// expression.
func brackets(value, pair string) (inner string, ok bool) {
	value = strings.TrimSpace(value)
	if len(value) < 2 || value[0] != pair[0] || value[len(value)-1] != pair[1] {
		return "", false
	}
	return value[1 : len(value)-1], true
}

// items cuts at the commas outside of brackets and strings.
func items(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		item := upTo(s, ",")
		out = append(out, strings.TrimSpace(item))
		s = strings.TrimPrefix(s[len(item):], ",")
	}
	return out
}

// stringLiteral reads one plain string.
func stringLiteral(value string) (string, bool) {
	value = strings.TrimSpace(value)
	value = strings.TrimPrefix(value, "u")
	if len(value) < 2 || value[0] != '\'' && value[0] != '"' || literalEnd(value) != len(value) {
		return "", false
	}
	n := 1
	if len(value) >= 6 && value[1] == value[0] && value[2] == value[0] {
		n = 3
	}
	inner := value[n : len(value)-n]
	return inner, !strings.Contains(inner, `\`)
}

// stringList reads a list or tuple of strings.
func stringList(value string) ([]string, bool) {
	inner, ok := brackets(value, "[]")
	if !ok {
		if inner, ok = brackets(value, "()"); !ok {
			return nil, false
		}
	}
	out := []string{}
	for _, item := range items(inner) {
		s, ok := stringLiteral(item)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// stringDict reads a dictionary with strings for keys; values stay expressions.
func stringDict(value string) (map[string]string, bool) {
	inner, ok := brackets(value, "{}")
	if !ok {
		return nil, false
	}
	out := map[string]string{}
	for _, item := range items(inner) {
		if item == "" {
			continue
		}
		if item[0] != '\'' && item[0] != '"' {
			return nil, false
		}
		end := literalEnd(item)
		key, ok := stringLiteral(item[:end])
		after, colon := strings.CutPrefix(strings.TrimSpace(item[end:]), ":")
		if !ok || !colon {
			return nil, false
		}
		out[key] = strings.TrimSpace(after)
	}
	return out, true
}
