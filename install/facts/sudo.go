package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// sudo tells the secure_path that holds for everybody. Nothing else of sudoers
// is taken note of: who may do what is nobody's business. Only root may read it.
func (c *collector) sudo() {
	s := sudoers{read: c.read, list: func(name string) ([]fs.DirEntry, error) { return fs.ReadDir(c.FS, name) }}
	if err := s.file("etc/sudoers", 0); err != nil {
		c.unknown("sudo.secure_path", err)
		return
	}
	for dir := range strings.SplitSeq(s.path, ":") {
		if dir != "" {
			c.node.Sudo.SecurePath = append(c.node.Sudo.SecurePath, dir)
		}
	}
}

// maxSudoers bounds the files of a sudoers policy, which may include each other.
const maxSudoers = 128

// sudoers is one reading of sudoers(5) and what it includes.
type sudoers struct {
	read  func(name string) ([]byte, error)
	list  func(name string) ([]fs.DirEntry, error)
	files int
	path  string // secure_path so far
}

// file reads one file of the policy; a later setting replaces an earlier one.
func (s *sudoers) file(name string, depth int) error {
	if s.files++; s.files > maxSudoers || depth > maxSudoers {
		return fmt.Errorf("/%s: more than %d files, do they include each other?", name, maxSudoers)
	}
	data, err := s.read(name)
	if err != nil {
		return err
	}
	for _, line := range sudoersLines(data) {
		verb, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		rest = strings.TrimSpace(rest)
		switch verb {
		case "@include", "#include":
			err = s.include(unquote(rest), depth)
		case "@includedir", "#includedir":
			err = s.folder(unquote(rest), depth)
		case "Defaults":
			s.defaults(rest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sudoers) include(name string, depth int) error {
	at, err := sudoersPath(name)
	if err != nil {
		return err
	}
	return s.file(at, depth+1)
}

// folder reads the files of a folder in the order of their names, but for those
// that packages leave behind: with a dot in the name or a tilde at its end.
func (s *sudoers) folder(name string, depth int) error {
	at, err := sudoersPath(name)
	if err != nil {
		return err
	}
	entries, err := s.list(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return renamed(err, at)
	}
	for _, e := range entries {
		if e.IsDir() || strings.Contains(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") {
			continue
		}
		if err := s.file(at+"/"+e.Name(), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// sudoersPath is where an included file or folder lies. Names that hold the
// host's name are not looked for: it is not asked.
func sudoersPath(name string) (string, error) {
	if strings.Contains(name, "%") {
		return "", fmt.Errorf("/etc/sudoers includes %s, which depends on the host's name", name)
	}
	if !strings.HasPrefix(name, "/") {
		name = "/etc/" + name
	}
	if name = path.Clean(name); name == "/" {
		return "", errors.New("/etc/sudoers includes a file without a name")
	}
	return name[1:], nil
}

// defaults reads the settings of a Defaults line without user, host, command or
// run-as user, which would stand behind the word without a space between.
func (s *sudoers) defaults(settings string) {
	for _, setting := range splitSettings(settings) {
		name, value, _ := strings.Cut(setting, "=")
		switch strings.TrimSpace(name) {
		case "secure_path":
			s.path = unquote(strings.TrimSpace(value))
		case "!secure_path":
			s.path = ""
		}
	}
}

// splitSettings splits at commas outside of quotes; a backslash takes the
// meaning of the next byte away.
func splitSettings(s string) []string {
	var list []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			list = append(list, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(list, strings.TrimSpace(s[start:]))
}

// sudoersLines joins lines that a backslash continues and drops comments: a
// number sign begins one unless it is an include or a user id.
func sudoersLines(data []byte) []string {
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\\\n", " ")
	var list []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#include ") && !strings.HasPrefix(line, "#includedir ") {
			line = uncomment(line)
		}
		if line != "" {
			list = append(list, line)
		}
	}
	return list
}

// uncomment cuts a line at a number sign that is neither quoted nor escaped.
func uncomment(line string) string {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '#' && !quoted:
			return strings.TrimSpace(line[:i])
		}
	}
	return line
}
