package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// maxConfig bounds the small files of a site, in bytes.
const maxConfig = 4 << 20

// config is an ansible.cfg: section, key, value, as Python's configparser reads
// them.
type config map[string]map[string]string

// parseConfig reads an ansible.cfg. It is lenient where Ansible is: what it does
// not understand it leaves to Ansible to refuse.
func parseConfig(data []byte) config {
	c := config{}
	section, key := "", ""
	for raw := range bytes.Lines(data) {
		line := strings.TrimRight(string(raw), "\r\n\t ")
		trimmed := strings.TrimLeft(line, " \t")
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && strings.Contains(trimmed, "]"):
			section, key = trimmed[1:strings.Index(trimmed, "]")], ""
		case trimmed != line && key != "" && c[section] != nil: // goes on
			c[section][key] += "\n" + withoutComment(trimmed)
		default:
			at := strings.IndexAny(trimmed, "=:")
			if at < 0 {
				continue
			}
			key = strings.ToLower(strings.TrimSpace(trimmed[:at]))
			if c[section] == nil {
				c[section] = map[string]string{}
			}
			c[section][key] = withoutComment(strings.TrimSpace(trimmed[at+1:]))
		}
	}
	return c
}

// withoutComment takes off what follows a blank and a semicolon, as Ansible has
// configparser do it.
func withoutComment(value string) string {
	if at := strings.Index(value, " ;"); at >= 0 {
		return strings.TrimSpace(value[:at])
	}
	return value
}

// truth is a word of YAML or of a configuration for true or false.
func truth(value string) (yes, known bool) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "yes", "on", "1", "y", "t":
		return true, true
	case "false", "no", "off", "0", "n", "f":
		return false, true
	}
	return false, false
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", limit)}
	}
	return data, err
}

// splitWords splits a text into words as a shell would, with quotes and
// backslashes and nothing else. An open quote goes to the end.
func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		at += size
		switch {
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote && quote != 0:
			quote = 0
		case r == '\\' && quote != '\'' && at < len(text):
			next, size := utf8.DecodeRuneInString(text[at:])
			at += size
			word.WriteRune(next)
		default:
			word.WriteRune(r)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
