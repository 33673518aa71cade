package pypi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// PipConfig is where pip on this host would look for packages.
type PipConfig struct {
	IndexURL       string // "" with NoIndex
	ExtraIndexURLs []string
	FindLinks      []string
	NoIndex        bool   // only FindLinks are looked at
	Cert           string // PEM file with the roots that pip trusts, or ""
	From           string // what set IndexURL, for messages
}

// PipHost is how to ask the host about pip; all of it is passed in.
type PipHost struct {
	Env      func(name string) (string, bool)  // os.LookupEnv
	ReadFile func(name string) ([]byte, error) // os.ReadFile
	Darwin   bool                              // the host is macOS
	Help     func() (stdout []byte, err error) // runs "python3 -m pip install --help", with COLUMNS=1000; nil: never
}

// ConfigurePip finds the index that pip is set up for: the flag's, else
// PIP_INDEX_URL, else that of pip's configuration files, else what an installed
// pip names as its default. A flag stands alone, without extra indexes.
func ConfigurePip(flag string, host PipHost) (*PipConfig, error) {
	if flag != "" {
		return &PipConfig{IndexURL: flag, From: "--index-url"}, nil
	}
	values, err := host.files()
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"index-url", "extra-index-url", "find-links", "no-index", "cert"} {
		name := "PIP_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		if v, ok := host.Env(name); ok && v != "" {
			values[key] = setting{v, name}
		}
	}
	c := &PipConfig{
		IndexURL: values["index-url"].value, From: values["index-url"].from,
		ExtraIndexURLs: strings.Fields(values["extra-index-url"].value),
		FindLinks:      host.homes(strings.Fields(values["find-links"].value)),
		Cert:           values["cert"].value,
	}
	if isTrue(values["no-index"].value) {
		if len(c.FindLinks) == 0 {
			return nil, fmt.Errorf("%w: no Python package index: %s sets no-index for pip, and nothing sets find-links: give --index-url", manifest.ErrUsage, values["no-index"].from)
		}
		return &PipConfig{FindLinks: c.FindLinks, NoIndex: true, Cert: c.Cert, From: values["no-index"].from}, nil
	}
	if c.IndexURL != "" {
		return c, nil
	}
	if host.Help != nil {
		if help, err := host.Help(); err == nil {
			c.IndexURL, c.From = defaultIndex(help), "the default of pip"
		}
	}
	if c.IndexURL == "" {
		return nil, fmt.Errorf("%w: no Python package index: give --index-url, set PIP_INDEX_URL or index-url in pip.conf, or install pip", manifest.ErrUsage)
	}
	return c, nil
}

// isTrue reads a switch as pip does.
func isTrue(value string) bool {
	return slices.Contains([]string{"y", "yes", "t", "true", "on", "1"}, strings.ToLower(value))
}

// homes puts the home folder for the "~" of folders.
func (h PipHost) homes(links []string) []string {
	home, ok := h.Env("HOME")
	for i, link := range links {
		if rest, tilde := strings.CutPrefix(link, "~/"); tilde && ok && home != "" {
			links[i] = path.Join(home, rest)
		}
	}
	return links
}

// setting is a value and what set it.
type setting struct{ value, from string }

// files reads pip's configuration files, later ones over earlier ones (pip
// documentation, "Configuration").
func (h PipHost) files() (map[string]setting, error) {
	bySection := map[string]setting{}
	for _, name := range h.paths() {
		data, err := h.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for key, value := range parsePipConf(data) {
			bySection[key] = setting{value, name}
		}
	}
	out := map[string]setting{}
	for _, section := range []string{"global", "install", "download"} {
		for key, s := range bySection {
			if bare, ok := strings.CutPrefix(key, section+"."); ok {
				out[bare] = s
			}
		}
	}
	return out, nil
}

// paths lists the files that pip may read, the weakest first.
func (h PipHost) paths() []string {
	env := func(name, otherwise string) string {
		if v, ok := h.Env(name); ok && v != "" {
			return v
		}
		return otherwise
	}
	own, hasOwn := h.Env("PIP_CONFIG_FILE")
	if hasOwn && own == "/dev/null" {
		return nil
	}
	var out []string
	if h.Darwin {
		out = append(out, "/Library/Application Support/pip/pip.conf")
	} else {
		for dir := range strings.SplitSeq(env("XDG_CONFIG_DIRS", "/etc/xdg"), ":") {
			out = append(out, path.Join(dir, "pip", "pip.conf"))
		}
	}
	out = append(out, "/etc/pip.conf")
	if home, ok := h.Env("HOME"); ok && home != "" {
		out = append(out, path.Join(home, ".pip", "pip.conf"))
		if h.Darwin {
			out = append(out, path.Join(home, "Library/Application Support/pip/pip.conf"))
		}
		out = append(out, path.Join(env("XDG_CONFIG_HOME", path.Join(home, ".config")), "pip", "pip.conf"))
	}
	if venv, ok := h.Env("VIRTUAL_ENV"); ok && venv != "" {
		out = append(out, path.Join(venv, "pip.conf"))
	}
	if hasOwn && own != "" {
		out = append(out, own)
	}
	return out
}

// parsePipConf reads "section.key" from an INI file as configparser does: keys
// without regard to case and with "_" for "-", values with their continuation
// lines.
func parsePipConf(data []byte) map[string]string {
	out := map[string]string{}
	section, key := "", ""
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		text := strings.TrimSpace(string(line))
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			out[key] = strings.TrimSpace(out[key] + "\n" + text)
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section, key = strings.ToLower(text[1:len(text)-1]), ""
		default:
			i := strings.IndexAny(text, "=:")
			if i < 0 || section == "" {
				key = ""
				continue
			}
			key = section + "." + strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text[:i])), "_", "-")
			out[key] = strings.TrimSpace(text[i+1:])
		}
	}
	return out
}

// defaultIndex reads "(default URL)" of --index-url off pip's help. The text
// may be wrapped anywhere, and a URL has no spaces. A default with hidden
// credentials is of no use.
func defaultIndex(help []byte) string {
	text := string(help)
	i := strings.Index(text, "--index-url <")
	if i < 0 {
		return ""
	}
	_, after, ok := strings.Cut(text[i:], "(default")
	if !ok {
		return ""
	}
	address, _, ok := strings.Cut(after, ")")
	address = strings.Join(strings.Fields(address), "")
	if !ok || !strings.Contains(address, "://") || strings.Contains(address, "****") {
		return ""
	}
	return address
}
