package sdist

import (
	"path"
	"slices"
)

// usualLicenses are the names that setuptools looks for when nothing is stated.
var usualLicenses = []string{"LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*"}

// licenses finds the files that setuptools puts into dist-info: those that
// PKG-INFO names, those that the configuration names, or those with the usual
// names.
func (p *project) licenses(h *headers) []member {
	named := h.all("license-file")
	if len(named) == 0 {
		for _, pattern := range p.licensePatterns() {
			for _, name := range p.names() {
				if ok, _ := path.Match(pattern, name); ok && !slices.Contains(named, name) {
					named = append(named, name)
				}
			}
		}
	}
	var out []member
	for _, name := range named {
		if content, ok := p.files[path.Clean(name)]; ok {
			out = append(out, member{"licenses/" + path.Clean(name), content})
		}
	}
	return out
}

func (p *project) licensePatterns() []string {
	var out []string
	for _, key := range []string{"license_file", "license_files"} {
		if value, ok := p.cfg.get("metadata." + key); ok {
			out = append(out, cfgList(value)...)
		}
		if value, ok := p.setup.argument(key); ok {
			if one, ok := stringLiteral(value); ok {
				out = append(out, one)
			} else if list, ok := stringList(value); ok {
				out = append(out, list...)
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	return usualLicenses
}
