package sdist

import (
	"path"
	"slices"
	"strings"
)

// data adds the files of packages that are not modules: those of the manifest
// when include_package_data is on, and those that package_data names.
func (p *project) data(folders map[string]string, files map[string]bool) error {
	included, err := p.includesData()
	if err != nil {
		return err
	}
	for _, file := range p.lines(p.egg + "/SOURCES.txt") {
		if _, ok := p.files[file]; ok && included && inPackage(file, folders) {
			files[file] = true
		}
	}
	patterns, err := p.packageData()
	if err != nil {
		return err
	}
	for _, file := range p.names() {
		for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
			name, ok := folders[dir]
			if !ok {
				continue
			}
			parts := strings.Split(strings.TrimPrefix(file, dir+"/"), "/")
			if anyGlob(patterns[""], parts) || anyGlob(patterns[name], parts) {
				files[file] = true
			}
		}
	}
	return nil
}

func anyGlob(patterns []string, parts []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return glob(strings.Split(pattern, "/"), parts) })
}

// inPackage says whether a file lies in the folder of a package or below.
func inPackage(file string, folders map[string]string) bool {
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if _, ok := folders[dir]; ok {
			return true
		}
	}
	return false
}

// includesData reads include_package_data. A project that is configured in
// pyproject.toml has it on by default.
func (p *project) includesData() (bool, error) {
	value, ok := p.setup.argument("include_package_data")
	if !ok {
		value, ok = p.cfg.get("options.include_package_data")
	}
	if !ok {
		value, ok = p.py.get("tool.setuptools.include-package-data")
	}
	switch {
	case !ok:
		return p.py.sections["project"] || p.py.sections["tool.setuptools"], nil
	case strings.EqualFold(value, "true") || value == "1":
		return true, nil
	case strings.EqualFold(value, "false") || value == "0" || value == "None":
		return false, nil
	}
	return false, unsupported("include_package_data is computed")
}

// packageData reads package_data: patterns by package, those of all by "".
func (p *project) packageData() (map[string][]string, error) {
	out := map[string][]string{}
	set := func(name string, list []string) {
		if name == "*" {
			name = ""
		}
		out[name] = append(out[name], list...)
	}
	if value, ok := p.setup.argument("package_data"); ok {
		dict, ok := stringDict(value)
		if !ok {
			return nil, unsupported("package_data in setup.py is computed")
		}
		for name, value := range dict {
			list, ok := stringList(value)
			if !ok {
				return nil, unsupported("package_data in setup.py is computed")
			}
			set(name, list)
		}
	}
	for key, value := range p.cfg.values {
		if name, ok := strings.CutPrefix(key, "options.package_data."); ok {
			set(name, cfgList(value))
		}
	}
	for key, value := range p.py.values {
		name, ok := strings.CutPrefix(key, "tool.setuptools.package-data.")
		if !ok {
			continue
		}
		list, ok := stringList(value)
		if !ok {
			return nil, unsupported("package-data in pyproject.toml cannot be read")
		}
		set(name, list)
	}
	for _, list := range out {
		for _, pattern := range list {
			if strings.Count(pattern, "**") > maxDeep {
				return nil, unsupported("package_data has the pattern %q", pattern)
			}
		}
	}
	return out, nil
}

// maxDeep bounds the "**" of one pattern, since each multiplies the work.
const maxDeep = 3

// glob matches the parts of a path with those of a pattern, where "**" stands
// for any number of folders and no wildcard matches a leading dot.
func glob(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	if pattern[0] == "**" {
		return glob(pattern[1:], parts) || len(parts) > 0 && !strings.HasPrefix(parts[0], ".") && glob(pattern, parts[1:])
	}
	if len(parts) == 0 || strings.HasPrefix(parts[0], ".") && !strings.HasPrefix(pattern[0], ".") {
		return false
	}
	ok, err := path.Match(pattern[0], parts[0])
	return ok && err == nil && glob(pattern[1:], parts[1:])
}
