package deploy

import (
	"maps"
	"slices"
	"strings"
)

// checkSecrets refuses placeholders, and secrets that a deploy needs and the
// site does not set. Their values are told to nobody.
func (p *preparation) checkSecrets() {
	var missing, placeholders []string
	for _, name := range siteSecrets {
		for host := range p.inventory.hosts {
			text, ok := p.inventory.text(host, name)
			if ok && (strings.HasPrefix(text, "ChangeMe") || strings.HasPrefix(text, "ChgMe")) && !slices.Contains(placeholders, name) {
				placeholders = append(placeholders, name)
			}
			if !p.inventory.has(host, name) && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	if p.o.Operation.deploys && len(placeholders) > 0 {
		p.unfit("secrets", "put passwords of your own into group_vars/all/vault.yml", "placeholders: %s", strings.Join(placeholders, ", "))
	}
	if p.o.Operation.deploys && len(missing) > 0 {
		hint := "group_vars/vault.yml.example lists them all; they belong into group_vars/all/vault.yml"
		if p.folder.unlinked {
			hint = "variables are read beside the inventory: ln -s ../group_vars inventory/group_vars"
		}
		p.unfit("secrets", hint, "not set: %s", strings.Join(missing, ", "))
	}
}

// checkOffline takes a site that says offline_mode at its word, and refuses
// versions that the bundle does not have.
func (p *preparation) checkOffline() {
	all := p.inventory.names()
	if yes, _ := truth(p.inventory.common(all, "offline_mode")); yes && !p.o.Offline && p.o.Operation.deploys {
		p.o.Observer.Note("offline_mode is true in the site: everything comes out of the bundle, as with --offline")
		p.o.Offline = true
		p.release.readBundle(p.o, "pgbundle install --role control"+baseFlag(p.release.base), &p.refusals)
	}
	if !p.o.Offline || p.release.manifest == nil {
		return
	}
	defaults := p.release.defaults()
	has := p.release.versions()
	for _, name := range slices.Sorted(maps.Keys(has)) {
		for _, host := range all {
			want, ok := p.inventory.text(host, name)
			if !ok && !p.inventory.has(host, name) {
				want, ok = defaults[name], defaults[name] != ""
			}
			if ok && want != has[name] {
				p.unfit("version", "set "+name+" in group_vars/all/main.yml to it, or install a bundle built with the other",
					"%s is %s in the site, and the bundle %s has %s", name, want, p.release.id, has[name])
				break
			}
		}
	}
}
