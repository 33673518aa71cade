package dnfconf

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

const (
	maxFile = 4 << 20 // bytes of a configuration file
	maxLine = 1 << 20
)

// section is one [name] of an INI file.
type section struct {
	name   string
	line   int
	values map[string]string // the last one of a key; continuation lines joined by a newline
}

// parseINI reads the INI dialect of dnf: `key = value` or `key=value`, comments
// at the start of a line behind # or ;, and lines that begin with a space go on
// with the value above. A percent sign means nothing.
func parseINI(r io.Reader) ([]section, error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxLine)
	var sections []section
	key := ""
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		text := strings.TrimSpace(line)
		switch {
		case text == "" || line[0] == '#' || line[0] == ';':
			if text == "" {
				key = ""
			}
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, fmt.Errorf("line %d: it goes on with a value, but there is none above", n)
			}
			sections[len(sections)-1].values[key] += "\n" + text
		case line[0] == '[':
			end := strings.IndexByte(text, ']')
			if end < 2 {
				return nil, fmt.Errorf("line %d: want [name]", n)
			}
			sections, key = append(sections, section{text[1:end], n, map[string]string{}}), ""
		default:
			name, value, ok := strings.Cut(text, "=")
			name = strings.TrimSpace(name)
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d: want KEY=VALUE", n)
			}
			if len(sections) == 0 {
				return nil, fmt.Errorf("line %d: %s stands before the first [name]", n, name)
			}
			key = name
			sections[len(sections)-1].values[key] = strings.TrimSpace(value)
		}
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return sections, lines.Err()
}
