package facts

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

// pythonDirs are where interpreters are looked for, in the order of the PATH
// that the node's programs are run with.
var pythonDirs = []string{"usr/local/bin", "usr/bin"}

var (
	pythonName    = regexp.MustCompile(`^python3\.([0-9]{1,3})$`)
	pythonVersion = regexp.MustCompile(`^3\.[0-9]{1,3}\.[0-9]{1,3}$`)
)

// askPython prints the version of an interpreter, then a line for each module
// that it lacks of those that make a venv with pip in it. -I keeps the
// environment and the user's own modules out, -B keeps it from writing.
const askPython = `import sys
print("%d.%d.%d" % sys.version_info[:3])
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        print(name)
`

// pythons lists the interpreters that bear their version in their name.
func (c *collector) pythons() {
	for _, dir := range pythonDirs {
		entries, err := fs.ReadDir(c.FS, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			c.unknown("pythons", renamed(err, dir))
			continue
		}
		minors := map[string]int{}
		var names []string
		for _, e := range entries {
			if match := pythonName.FindStringSubmatch(e.Name()); match != nil {
				minors[e.Name()], _ = strconv.Atoi(match[1])
				names = append(names, e.Name())
			}
		}
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(minors[a], minors[b]) })
		for _, name := range names {
			p, err := c.python(dir, name)
			if err != nil {
				c.unknown("pythons /"+dir+"/"+name, err)
				continue
			}
			c.node.Pythons = append(c.node.Pythons, p)
		}
	}
}

func (c *collector) python(dir, name string) (manifest.Python, error) {
	if c.Run == nil {
		return c.pythonOfImage(dir, name), nil
	}
	out, err := c.run("/"+dir+"/"+name, "-I", "-B", "-c", askPython)
	if err != nil {
		return manifest.Python{}, err
	}
	if out.Status != 0 {
		return manifest.Python{}, failure(name, out)
	}
	p, err := parsePython(out.Stdout)
	p.Path = "/" + dir + "/" + name
	return p, err
}

// parsePython reads what askPython prints.
func parsePython(stdout string) (manifest.Python, error) {
	words := strings.Fields(stdout)
	if len(words) == 0 || !pythonVersion.MatchString(words[0]) {
		return manifest.Python{}, fmt.Errorf("it said %.40q instead of its version", stdout)
	}
	p := manifest.Python{Version: words[0]}
	for _, word := range words[1:] {
		if word != "venv" && word != "ensurepip" {
			return manifest.Python{}, fmt.Errorf("it said %.40q", word)
		}
		p.Lacks = append(p.Lacks, word)
	}
	return p, nil
}

// pythonOfImage tells what an interpreter's files do: no patch level, and
// modules by their folders.
func (c *collector) pythonOfImage(dir, name string) manifest.Python {
	p := manifest.Python{Path: "/" + dir + "/" + name, Version: strings.TrimPrefix(name, "python")}
	prefix := strings.TrimSuffix(dir, "bin")
	for _, module := range []string{"venv", "ensurepip"} {
		file := "/" + name + "/" + module + "/__init__.py"
		if !c.has(prefix+"lib64"+file) && !c.has(prefix+"lib"+file) {
			p.Lacks = append(p.Lacks, module)
		}
	}
	return p
}
