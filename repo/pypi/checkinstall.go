package pypi

import (
	"archive/zip"
	"bufio"
	"slices"
	"strings"
)

// dataSchemes are the folders of NAME-VERSION.data that installers know (binary
// distribution format, "The .data directory").
var dataSchemes = []string{"purelib", "platlib", "headers", "scripts", "data"}

// data looks at what is to be placed elsewhere: pip installs no wheel with a file
// in a folder that it does not know.
func (c *wheelCheck) data(z *zip.Reader) {
	for _, f := range z.File {
		top, rest, _ := strings.Cut(f.Name, "/")
		if !strings.HasSuffix(top, ".data") || rest == "" || strings.HasSuffix(rest, "/") {
			continue
		}
		if scheme, _, below := strings.Cut(rest, "/"); !below || !slices.Contains(dataSchemes, scheme) {
			c.damaged("member %q: nothing says where it goes", f.Name)
		}
	}
}

// entryPoints looks at the scripts that installing makes: each has a name that
// stays in its folder, and names a callable (entry points specification). pip
// installs no wheel with another.
func (c *wheelCheck) entryPoints(z *zip.Reader, info string) {
	name := info + "/entry_points.txt"
	if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == name }) {
		return
	}
	data, err := readMember(z, name, maxMetadata)
	if err != nil {
		c.damaged("%s", err)
		return
	}
	scripts := false
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	lines.Buffer(nil, maxMetadata+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "", line[0] == '#', line[0] == ';':
		case line[0] == '[':
			scripts = line == "[console_scripts]" || line == "[gui_scripts]"
		case scripts:
			script, object, ok := strings.Cut(line, "=")
			object, _, _ = strings.Cut(object, "[") // extras
			_, callable, given := strings.Cut(object, ":")
			if script = strings.TrimSpace(script); !ok || !given || strings.TrimSpace(callable) == "" || !safeName(script) {
				c.damaged("its entry point %q is no script", line)
			}
		}
	}
}
