package sdist

import (
	"slices"
	"strings"
)

// config is a setup.cfg or the part of a pyproject.toml that matters here: the
// values of keys by "section.key", in the words of setup.cfg.
type config struct {
	values   map[string]string
	sections map[string]bool
}

func (c config) get(key string) (string, bool) {
	v, ok := c.values[key]
	return v, ok
}

// parseCfg reads setup.cfg as Python's configparser does: keys in sections,
// continuation lines indented.
func parseCfg(text []byte) config {
	c := config{map[string]string{}, map[string]bool{}}
	section, key := "", ""
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			c.values[key] += "\n" + trimmed
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			section, key = strings.TrimSpace(trimmed[1:len(trimmed)-1]), ""
			c.sections[section] = true
		default:
			i := strings.IndexAny(trimmed, "=:")
			if i < 0 {
				continue
			}
			name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:i])), "-", "_")
			if section == "options.package_data" {
				name = strings.TrimSpace(trimmed[:i])
			}
			key = section + "." + name
			c.values[key] = strings.TrimSpace(trimmed[i+1:])
		}
	}
	return c
}

// cfgList reads a list of setup.cfg: one item a line, or with commas.
func cfgList(value string) []string {
	var out []string
	for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '\n' || r == ',' }) {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// parseTOML reads tables and keys of a pyproject.toml. Values stay text, with
// the lines of an array joined. What it does not understand it leaves out; the
// caller refuses what it needs and does not find.
func parseTOML(text []byte) config {
	c := config{map[string]string{}, map[string]bool{}}
	src := string(newSource([]byte(strings.ReplaceAll(string(text), "\r\n", "\n"))))
	section := ""
	for src != "" {
		line, rest, _ := strings.Cut(src, "\n")
		trimmed := strings.TrimSpace(line)
		name, _, assigned := strings.Cut(trimmed, "=")
		switch {
		case strings.HasPrefix(trimmed, "["):
			section = strings.Trim(trimmed, "[] ")
			c.sections[section] = true
		case assigned:
			at := strings.Index(src, "=") + 1
			value := upTo(src[at:], "\n")
			c.values[section+"."+strings.Trim(strings.TrimSpace(name), `"'`)] = strings.TrimSpace(value)
			rest = strings.TrimPrefix(src[at+len(value):], "\n")
		}
		src = rest
	}
	return c
}

// harmless are the build requirements that add nothing to a pure wheel.
var harmless = []string{"setuptools", "wheel", "setuptools-scm", "pip"}

// checkBackend refuses a build by anything but setuptools (PEP 517).
func checkBackend(py config) error {
	if _, ok := py.get("build-system.backend-path"); ok {
		return unsupported("its build backend is its own")
	}
	if value, ok := py.get("build-system.build-backend"); ok {
		backend, _ := stringLiteral(value)
		if backend != "setuptools.build_meta" && backend != "setuptools.build_meta:__legacy__" {
			return unsupported("its build backend is %s, not setuptools", value)
		}
	}
	value, ok := py.get("build-system.requires")
	if !ok {
		return nil
	}
	requires, ok := stringList(value)
	if !ok {
		return unsupported("its build requirements cannot be read")
	}
	for _, r := range requires {
		if name := requirementName(r); !slices.Contains(harmless, name) {
			return unsupported("its build needs %s", r)
		}
	}
	return nil
}

func requirementName(r string) string {
	end := strings.IndexAny(r, " \t<>=!~[;(@")
	if end < 0 {
		end = len(r)
	}
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(r[:end]), "_", "-"))
}
