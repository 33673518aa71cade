package control

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// refusals are the lines by which pip tells why it did not install. Only whole
// lines of its own count: names of files and projects stand in others.
var refusals = []struct {
	line  *regexp.Regexp
	class error
}{
	{regexp.MustCompile(`(?m)^ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE\.`), manifest.ErrDamaged},
	{regexp.MustCompile(`(?m)^ERROR: Wheel '[^'\n]+' located at .+ is invalid\.$`), manifest.ErrDamaged},
	{regexp.MustCompile(`(?m)^ERROR: No matching distribution found for `), manifest.ErrUnsolvable},
}

// refused gives a failure of pip its class, if it has one.
func refused(out node.Output, err error) error {
	for _, r := range refusals {
		if r.line.MatchString(out.Stderr) {
			return manifest.Classify(r.class, err)
		}
	}
	return err
}

var (
	// uncompilable names a file that compileall could not compile. Its processes
	// write at once, so that another may go on in the same line.
	uncompilable = regexp.MustCompile(`\*\*\* Error compiling ('[^'\n]*'|"[^"\n]*")\.\.\.`)
	// otherPython is the reason that is no failure: no compiler of this version
	// ever takes such a file. All else is: no space, no memory, a worker killed.
	otherPython = regexp.MustCompile(`^(Sorry: )?((SyntaxError|IndentationError|TabError|UnicodeDecodeError): |ValueError: source code string cannot contain null bytes)`)
	warning     = regexp.MustCompile(`:[0-9]+: [A-Za-z]*Warning: `)
)

// someOf names at most ten.
func someOf(files []string) string {
	if len(files) > 10 {
		return fmt.Sprintf("%s and %d more", strings.Join(files[:10], ", "), len(files)-10)
	}
	return strings.Join(files, ", ")
}

// notThisPython returns the files below top, relative to it, that compileall
// left since their text is not of this Python. It is an error if there is any
// other reason, or none.
func notThisPython(out node.Output, top string) ([]string, error) {
	var files []string
	for _, match := range uncompilable.FindAllStringSubmatch(out.Stdout, -1) {
		name := match[1][1 : len(match[1])-1]
		if relative, err := filepath.Rel(top, name); err == nil {
			name = relative
		}
		files = append(files, name)
	}
	reasons := 0
	for line := range strings.Lines(uncompilable.ReplaceAllString(out.Stdout, "")) {
		switch line = strings.TrimRight(line, "\n"); {
		case otherPython.MatchString(line):
			reasons++
		case line != "" && line[0] != ' ': // the source, with a mark below, is indented
			return nil, fmt.Errorf("compileall: %s", line)
		}
	}
	for line := range strings.Lines(out.Stderr) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != ' ' && !warning.MatchString(line) {
			return nil, fmt.Errorf("compileall: %s", tail(out))
		}
	}
	if reasons != len(files) || reasons == 0 {
		return nil, fmt.Errorf("compileall: %d files were not compiled, for %d reasons:\n%s", len(files), reasons, tail(out))
	}
	return files, nil
}
