package sdist

import (
	"path"
	"slices"
	"strings"
)

// members lists the files of site-packages: the modules of the packages, single
// modules and package data, sorted.
func (p *project) members() ([]member, error) {
	root, err := p.root()
	if err != nil {
		return nil, err
	}
	packages, modules, err := p.contents(root)
	if err != nil {
		return nil, err
	}
	files := map[string]bool{}
	folders := map[string]string{} // of packages, in the archive, to their names
	for _, name := range packages {
		folder := path.Join(root, strings.ReplaceAll(name, ".", "/"))
		folders[folder] = name
	}
	for _, file := range p.names() {
		_, ok := folders[path.Dir(file)]
		if ok && (strings.HasSuffix(file, ".py") || path.Base(file) == "py.typed" || strings.HasSuffix(file, ".pyi")) {
			files[file] = true
		}
	}
	for _, name := range modules {
		file := path.Join(root, strings.ReplaceAll(name, ".", "/")+".py")
		if _, ok := p.files[file]; !ok {
			return nil, unsupported("its module %s is not in the archive", file)
		}
		files[file] = true
	}
	if err := p.data(folders, files); err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, unsupported("no package or module is found in it")
	}
	var out []member
	for file := range files {
		name := file
		if root != "" {
			name = strings.TrimPrefix(file, root+"/")
		}
		out = append(out, member{name, p.files[file]})
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// root returns the folder that packages lie in, "" for the top.
func (p *project) root() (string, error) {
	root := path.Dir(p.egg)
	if root == "." {
		root = ""
	}
	dirs := map[string]string{}
	if value, ok := p.setup.argument("package_dir"); ok {
		if dirs, ok = stringDict(value); !ok {
			return root, nil // setuptools put the egg-info there
		}
		for key, value := range dirs {
			dirs[key], _ = stringLiteral(value)
		}
	} else if value, ok := p.cfg.get("options.package_dir"); ok {
		for _, line := range cfgList(value) {
			key, dir, _ := strings.Cut(line, "=")
			dirs[strings.TrimSpace(key)] = strings.TrimSpace(dir)
		}
	}
	if p.py.sections["tool.setuptools.package-dir"] {
		for key, value := range p.py.values {
			if name, ok := strings.CutPrefix(key, "tool.setuptools.package-dir."); ok {
				dirs[name], _ = stringLiteral(value)
			}
		}
	}
	for key, dir := range dirs {
		if key != "" && path.Join(root, strings.ReplaceAll(key, ".", "/")) == path.Clean(dir) {
			continue
		}
		if key != "" {
			return "", unsupported("its package %s lies in a folder of another name", key)
		}
		if clean := strings.Trim(path.Clean(dir), "/."); clean != strings.Trim(root, "/.") {
			return "", unsupported("its packages lie in %s, its egg-info in %s", dir, root)
		}
	}
	return root, nil
}

// contents finds the names of packages and of single modules, in whichever file
// states them.
func (p *project) contents(root string) (packages, modules []string, err error) {
	value, inSetup := p.setup.argument("packages")
	single, hasSingle := p.setup.argument("py_modules")
	if inSetup || hasSingle {
		if hasSingle {
			list, ok := stringList(single)
			if !ok {
				return nil, nil, unsupported("py_modules in setup.py is computed")
			}
			modules = list
		}
		if inSetup {
			packages, err = p.packagesOf(root, value)
		}
		return packages, modules, err
	}
	if value, ok := p.cfg.get("options.py_modules"); ok {
		modules = cfgList(value)
	}
	if value, ok := p.cfg.get("options.packages"); ok {
		f := finder{include: []string{"*"}}
		if list, ok := p.cfg.get("options.packages.find.include"); ok {
			f.include = cfgList(list)
		}
		if list, ok := p.cfg.get("options.packages.find.exclude"); ok {
			f.exclude = cfgList(list)
		}
		switch strings.TrimSpace(value) {
		case "find:":
			packages = f.find(p.archive, root, false)
		case "find_namespace:":
			packages = f.find(p.archive, root, true)
		default:
			packages = cfgList(value)
		}
		return packages, modules, nil
	}
	if len(modules) > 0 {
		return nil, modules, nil
	}
	return p.discovered(root)
}

// packagesOf reads the packages argument of setup().
func (p *project) packagesOf(root, value string) ([]string, error) {
	if list, ok := stringList(value); ok {
		return list, nil
	}
	// A name stands for what it was set to.
	if isName(value) {
		if set, ok := p.setup.argument(value); ok && set != value {
			return p.packagesOf(root, set)
		}
	}
	value = strings.TrimPrefix(value, "setuptools.")
	for _, call := range []string{"find_packages", "find_namespace_packages"} {
		rest, ok := strings.CutPrefix(value, call)
		args, whole := brackets(rest, "()")
		if !ok || !whole {
			continue
		}
		f := finder{include: []string{"*"}}
		if !f.arguments(args, root) {
			return nil, unsupported("the arguments of %s in setup.py are computed", call)
		}
		return f.find(p.archive, root, call == "find_namespace_packages"), nil
	}
	return nil, unsupported("packages in setup.py is computed")
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r > 127 || !isWord(byte(r)) })
}

// discovered finds the packages of a project that leaves it to setuptools, or
// that states them in pyproject.toml.
func (p *project) discovered(root string) (packages, modules []string, err error) {
	if value, ok := p.py.get("tool.setuptools.py-modules"); ok {
		if modules, ok = stringList(value); !ok {
			return nil, nil, unsupported("py-modules in pyproject.toml cannot be read")
		}
	}
	if value, ok := p.py.get("tool.setuptools.packages"); ok {
		if packages, ok = stringList(value); !ok {
			return nil, nil, unsupported("packages in pyproject.toml cannot be read")
		}
		return packages, modules, nil
	}
	f := finder{include: []string{"*"}}
	stated := p.py.sections["tool.setuptools.packages.find"]
	namespaces := true
	for key, into := range map[string]*[]string{"include": &f.include, "exclude": &f.exclude} {
		if value, ok := p.py.get("tool.setuptools.packages.find." + key); ok {
			if *into, ok = stringList(value); !ok {
				return nil, nil, unsupported("packages.find in pyproject.toml cannot be read")
			}
		}
	}
	if value, ok := p.py.get("tool.setuptools.packages.find.namespaces"); ok {
		namespaces = value != "false"
	}
	if stated {
		return f.find(p.archive, root, namespaces), modules, nil
	}
	if len(modules) > 0 {
		return nil, modules, nil
	}
	// Automatic discovery: setuptools wrote down what it found.
	for _, name := range p.lines(p.egg + "/top_level.txt") {
		if _, ok := p.files[path.Join(root, name+".py")]; ok {
			modules = append(modules, name)
			continue
		}
		f.include = []string{name, name + ".*"}
		packages = append(packages, f.find(p.archive, root, true)...)
	}
	return packages, modules, nil
}

// finder is find_packages of setuptools.
type finder struct{ include, exclude []string }

// arguments reads those of a call; false when one is not literal.
func (f *finder) arguments(args, root string) bool {
	for i, arg := range items(args) {
		name, value, named := strings.Cut(arg, "=")
		name = strings.TrimSpace(name)
		if !named || !isName(name) {
			name, value = [...]string{"where", "exclude", "include", ""}[min(i, 3)], arg
		}
		switch name {
		case "where":
			where, ok := stringLiteral(value)
			if !ok || strings.Trim(path.Clean(where), "/.") != root {
				return false
			}
		case "include", "exclude":
			list, ok := stringList(value)
			if !ok {
				return false
			}
			if name == "include" {
				f.include = list
			} else {
				f.exclude = list
			}
		default:
			return false
		}
	}
	return true
}

// find lists the packages below root: folders with __init__.py all the way
// down, or any folders for namespaces.
func (f *finder) find(a *archive, root string, namespaces bool) []string {
	found := map[string]bool{}
	for _, file := range a.names() {
		folder := path.Dir(file)
		if root != "" {
			var ok bool
			if folder, ok = strings.CutPrefix(folder, root+"/"); !ok {
				continue
			}
		}
		if folder == "." {
			continue
		}
		at := ""
		for _, part := range strings.Split(folder, "/") {
			at = path.Join(at, part)
			_, regular := a.files[path.Join(root, at, "__init__.py")]
			if strings.Contains(part, ".") || !regular && !namespaces {
				break
			}
			found[strings.ReplaceAll(at, "/", ".")] = true
		}
	}
	var out []string
	for name := range found {
		if matches(f.include, name) && !matches(f.exclude, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// matches is Python's fnmatchcase with "*", "?" and sets, where "*" matches dots.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		// No name has a slash, so "*" of path.Match matches dots too.
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
