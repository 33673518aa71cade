package dnfconf

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Vars are the variables of repository files, by name without the dollar.
type Vars map[string]string

// basearches maps RPM's architecture to dnf's $basearch where they differ.
var basearches = map[string]string{
	"i386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "athlon": "i386",
	"amd64": "x86_64", "ia32e": "x86_64", "armv7hl": "armhfp",
}

// NewVars returns the variables that dnf sets itself, for a release ("9" or
// "9.4") and an architecture in RPM's word.
func NewVars(release, arch string) Vars {
	base, ok := basearches[arch]
	if !ok {
		base = arch
	}
	major, minor, _ := strings.Cut(release, ".")
	return Vars{
		"releasever": release, "releasever_major": major, "releasever_minor": minor,
		"arch": arch, "basearch": base,
	}
}

const maxVar = 64 << 10 // bytes of a file in /etc/dnf/vars

// Read adds the variables of a folder such as /etc/dnf/vars: every file is one,
// named by the file, with the first line as its value. What is set already, such
// as releasever for another target, stays. A folder that is not there has none.
func (v Vars) Read(dir fs.FS) error {
	entries, err := fs.ReadDir(dir, ".")
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read dnf variables: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if _, set := v[name]; set || e.IsDir() || !isName(name) {
			continue
		}
		value, err := readLine(dir, name)
		if err != nil {
			return fmt.Errorf("read dnf variable %s: %w", name, err)
		}
		v[name] = value
	}
	return nil
}

func readLine(dir fs.FS, name string) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxVar))
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line), err
}

// isName reports whether a text can be a variable's name.
func isName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) }) < 0
}

func isNameRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// Expand replaces $name and ${name}, and of the forms of newer dnf
// ${name:-word} (word when name is not set) and ${name:+word} (word when it
// is). A variable that is not set stays as it is, as in dnf.
func (v Vars) Expand(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		value, length := v.reference(s)
		b.WriteString(value)
		s = s[length:]
	}
}

// reference returns what the reference at the start of s stands for, and its
// length.
func (v Vars) reference(s string) (value string, length int) {
	if strings.HasPrefix(s, "${") {
		return v.braced(s)
	}
	end := 1
	for end < len(s) && isNameRune(rune(s[end])) {
		end++
	}
	if value, ok := v[s[1:end]]; ok {
		return value, end
	}
	return s[:end], end
}

func (v Vars) braced(s string) (value string, length int) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return s, len(s)
	}
	name, word, operator := s[2:end], "", ""
	for _, op := range []string{":-", ":+"} {
		if n, w, ok := strings.Cut(s[2:end], op); ok && isName(n) {
			name, word, operator = n, w, op
			break
		}
	}
	value, set := v[name]
	switch {
	case operator == ":+" && set && value != "":
		return word, end + 1
	case operator == ":+":
		return "", end + 1
	case operator == ":-" && (!set || value == ""):
		return word, end + 1
	case set:
		return value, end + 1
	}
	return s[:end+1], end + 1
}

// unset returns the first variable that is still in a text.
func unset(s string) string {
	i := strings.IndexByte(s, '$')
	if i < 0 {
		return ""
	}
	s = s[i:]
	if strings.HasPrefix(s, "${") {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return s[:end+1]
		}
	}
	end := 1
	for end < len(s) && isNameRune(rune(s[end])) {
		end++
	}
	return s[:end]
}
