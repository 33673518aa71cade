package sdist

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// project is what the files of an archive say about its build.
type project struct {
	*archive
	setup source // setup.py
	cfg   config // setup.cfg
	py    config // pyproject.toml
	egg   string // folder of the egg-info, "" without
}

// plan decides what the wheel holds, or why it cannot be told.
func (a *archive) plan() (*plan, error) {
	egg, hasEgg := a.eggInfo()
	metadata, depends, err := a.metadata(egg, hasEgg)
	if err != nil {
		return nil, err
	}
	p := &project{a, newSource(a.files["setup.py"]), parseCfg(a.files["setup.cfg"]), parseTOML(a.files["pyproject.toml"]), egg}
	out := &plan{metadata: metadata}
	h := parseHeaders(metadata)
	refuse := func(err error) (*plan, error) {
		if u, ok := err.(*Unsupported); ok {
			u.Metadata = metadata
			if depends == computed {
				u.Metadata = nil
			}
		}
		return nil, err
	}
	if err := out.normalise(h.get("name"), h.get("version")); err != nil {
		return refuse(err)
	}
	if err := p.check(depends, hasEgg); err != nil {
		return refuse(err)
	}
	if out.members, err = p.members(); err != nil {
		return refuse(err)
	}
	out.universal = p.universal()
	out.info = p.licenses(&h)
	out.info = append(out.info, p.eggFiles()...)
	return out, nil
}

// eggFiles are the files of the egg-info that go into dist-info as they are.
// Others are METADATA's matter, or a plug-in's.
func (p *project) eggFiles() []member {
	var out []member
	for _, name := range []string{"entry_points.txt", "top_level.txt", "zip-safe", "eager_resources.txt"} {
		content, ok := p.files[p.egg+"/"+name]
		if !ok {
			continue
		}
		if name == "entry_points.txt" {
			if !statesEntryPoints(content) {
				continue
			}
			content = append(bytes.TrimRight(content, "\r\n"), '\n')
		}
		out = append(out, member{name, content})
	}
	return out
}

// statesEntryPoints says whether there is more than comments.
func statesEntryPoints(content []byte) bool {
	for line := range bytes.Lines(content) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != ';' {
			return true
		}
	}
	return false
}

// universal says whether setup.cfg asks for a wheel for Python 2 and 3.
func (p *project) universal() bool {
	for _, section := range []string{"bdist_wheel", "wheel"} {
		if v, ok := p.cfg.get(section + ".universal"); ok {
			return v == "1" || strings.EqualFold(v, "true")
		}
	}
	return false
}

// compiled are the suffixes of files that a compiler reads or writes.
var compiled = []string{".c", ".cc", ".cpp", ".cxx", ".pyx", ".pxd", ".rs", ".f", ".f90", ".so", ".pyd", ".dylib", ".dll"}

// aside are folders whose files no build reads.
var aside = []string{"test", "tests", "doc", "docs", "example", "examples"}

// computes finds a setup.py that changes its requirements while it runs.
var computes = regexp.MustCompile(`(?i)requires?\w*\s*(\+=|\.(append|extend|insert|remove)\b)`)

// check refuses what only a build can tell.
func (p *project) check(depends dependencies, hasEgg bool) error {
	if err := checkBackend(p.py); err != nil {
		return err
	}
	if !hasEgg {
		return unsupported("it has no egg-info of setuptools")
	}
	for _, name := range p.lines(p.egg + "/SOURCES.txt") {
		if slices.Contains(compiled, strings.ToLower(path.Ext(name))) && !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return slices.Contains(aside, part) }) {
			return unsupported("it has code to compile: %s", name)
		}
	}
	if _, ok := p.files[p.egg+"/namespace_packages.txt"]; ok {
		return unsupported("it has namespace packages in the old style")
	}
	if err := p.checkSetup(); err != nil {
		return err
	}
	value, _ := p.setup.argument("install_requires")
	if depends == computed || depends == fromEgg && (computes.MatchString(string(p.setup)) || strings.Contains(value, " if ")) {
		return unsupported("its dependencies are computed by setup.py")
	}
	return nil
}

// needBuild are arguments of setup() that make a wheel hold what the archive
// does not, or not in the same place.
var needBuild = []string{"ext_modules", "cffi_modules", "rust_extensions", "libraries", "scripts", "data_files",
	"namespace_packages", "use_2to3", "distclass", "exclude_package_data", "pbr", "ext_package"}

func (p *project) checkSetup() error {
	for _, name := range needBuild {
		value, ok := p.setup.argument(name)
		if !ok {
			value, ok = p.cfg.get("options." + name)
		}
		if empty := strings.Trim(value, "[](){} ") == "" || value == "None" || value == "False"; ok && !empty {
			return unsupported("setup() has %s", name)
		}
	}
	if p.cfg.sections["options.data_files"] || p.cfg.sections["options.exclude_package_data"] ||
		p.py.sections["tool.setuptools.data-files"] || p.py.sections["tool.setuptools.exclude-package-data"] {
		return unsupported("it has data files outside of its packages")
	}
	if strings.Contains(string(p.setup), "setup(**") {
		return unsupported("the arguments of setup() are computed")
	}
	value, ok := p.setup.argument("cmdclass")
	if !ok {
		return nil
	}
	commands, literal := stringDict(value)
	if !literal {
		return unsupported("setup() has a computed cmdclass")
	}
	for command := range commands {
		for _, prefix := range []string{"build", "install", "bdist", "egg_info", "develop", "dist_info"} {
			if strings.HasPrefix(command, prefix) {
				return unsupported("setup() replaces the command %s", command)
			}
		}
	}
	return nil
}
