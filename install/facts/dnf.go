package facts

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// dnf tells what its configuration hides or holds: module streams, excludes and
// version locks. It is read from the files, since dnf itself would ask its
// repositories.
func (c *collector) dnf() {
	c.modules()
	c.excludes()
	c.versionLock()
}

// modules reads the streams that somebody decided about.
func (c *collector) modules() {
	for _, name := range c.files("etc/dnf/modules.d", ".module", "modules") {
		data, err := c.read(name)
		if err != nil {
			c.unknown("modules", err)
			continue
		}
		c.node.Modules = append(c.node.Modules, parseModules(data)...)
	}
	slices.SortFunc(c.node.Modules, func(a, b manifest.Module) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Stream, b.Stream))
	})
}

// parseModules reads a file of /etc/dnf/modules.d as libdnf does: a state that
// is neither enabled nor disabled leaves the choice to the repositories.
func parseModules(data []byte) []manifest.Module {
	var list []manifest.Module
	for _, s := range parseINI(data) {
		m := manifest.Module{Name: cmp.Or(s.value("name"), s.name), Stream: s.value("stream"), State: "default", Profiles: words(s.value("profiles"))}
		switch strings.ToLower(s.value("state")) {
		case "enabled", "true", "1":
			m.State = "enabled"
		case "disabled", "false", "0":
			m.State = "disabled"
		}
		if m.Name != "" {
			list = append(list, m)
		}
	}
	return list
}

// excludes reads the patterns that dnf hides packages by, of dnf.conf and of
// every repository. Of repositories nothing but their ids is taken note of:
// their addresses may hold credentials.
func (c *collector) excludes() {
	names := []string{"etc/dnf/dnf.conf"}
	for _, dir := range []string{"etc/yum.repos.d", "etc/yum/repos.d", "etc/distro.repos.d"} {
		names = append(names, c.files(dir, ".repo", "excludes")...)
	}
	for _, name := range names {
		data, err := c.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			c.unknown("excludes", err)
			continue
		}
		c.node.Excludes = append(c.node.Excludes, parseExcludes(data)...)
	}
}

// parseExcludes reads dnf.conf(5) or a .repo file. exclude is the old name of
// excludepkgs; both append.
func parseExcludes(data []byte) []manifest.Exclude {
	var list []manifest.Exclude
	for _, s := range parseINI(data) {
		for _, option := range []struct {
			name string
			keys []string
		}{{"excludepkgs", []string{"exclude", "excludepkgs"}}, {"includepkgs", []string{"includepkgs"}}} {
			var patterns []string
			for _, p := range s.pairs {
				if slices.Contains(option.keys, p.key) {
					patterns = append(patterns, words(p.value)...)
				}
			}
			if len(patterns) > 0 && s.name != "" {
				list = append(list, manifest.Exclude{Where: s.name, Option: option.name, Patterns: patterns})
			}
		}
	}
	return list
}

// versionLock reads the patterns of the plugin versionlock, when it is there
// and switched on.
func (c *collector) versionLock() {
	data, err := c.read("etc/dnf/plugins/versionlock.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		c.unknown("versionlock", err)
		return
	}
	list := "/etc/dnf/plugins/versionlock.list"
	for _, s := range parseINI(data) {
		if s.name != "main" {
			continue
		}
		if slices.Contains([]string{"0", "no", "false", "off"}, strings.ToLower(s.value("enabled"))) {
			return
		}
		list = cmp.Or(s.value("locklist"), list)
	}
	data, err = c.read(strings.TrimPrefix(path.Clean("/"+list), "/"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.unknown("versionlock", err)
	}
	c.node.VersionLock = parseLocks(data)
}

// parseLocks reads a lock list: a pattern of a NEVRA a line, "!" before one
// that is excluded, comments after a number sign.
func parseLocks(data []byte) []string {
	var list []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// files lists the files of a folder whose names end so, in the order of their
// names. A folder that is not there has none.
func (c *collector) files(dir, suffix, fact string) []string {
	entries, err := fs.ReadDir(c.FS, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.unknown(fact, renamed(err, dir))
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
			names = append(names, dir+"/"+e.Name())
		}
	}
	return names
}

// words splits a list of dnf's configuration: commas, spaces or lines between.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

// section is one section of a configuration file of dnf, with its settings in
// order.
type section struct {
	name  string
	pairs []pair
}

type pair struct{ key, value string }

// value returns the last value of a key, which is the one that counts.
func (s section) value(key string) string {
	for _, p := range slices.Backward(s.pairs) {
		if p.key == key {
			return strings.TrimSpace(p.value)
		}
	}
	return ""
}

// parseINI reads the form that dnf's files share (libdnf's ConfigParser): a
// line that begins with a space goes on with the value before it.
func parseINI(data []byte) []section {
	var list []section
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		switch {
		case text == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, ok := strings.Cut(text[1:], "]")
			if ok {
				list = append(list, section{name: name})
			}
		case len(list) == 0:
		case line[0] == ' ' || line[0] == '\t':
			if pairs := list[len(list)-1].pairs; len(pairs) > 0 {
				pairs[len(pairs)-1].value += "\n" + text
			}
		default:
			if key, value, ok := strings.Cut(text, "="); ok {
				s := &list[len(list)-1]
				s.pairs = append(s.pairs, pair{strings.TrimSpace(key), strings.TrimSpace(value)})
			}
		}
	}
	return list
}
