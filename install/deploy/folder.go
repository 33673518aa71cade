package deploy

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// folder is a site directory as a run finds it.
type folder struct {
	path      string
	config    config
	base      string   // of the release whose playbook is imported; empty: unknown
	encrypted []string // files with something that needs the vault's password, relative
	groupVars []string // names below group_vars, with their extension
	unlinked  bool     // group_vars is not beside the inventory, as init has it
}

const importKey = "import_playbook"

// readFolder reads a site directory and refuses what Ansible would stumble over
// or silently pass over.
func readFolder(o *RunOptions, r *refusals) *folder {
	f := &folder{path: o.Site, config: config{}}
	if _, err := os.Stat(filepath.Join(o.Site, "site.yml")); errors.Is(err, fs.ErrNotExist) {
		r.usage("site", "pgbundle init writes one; --site DIR names another folder", "%s is no site directory: it has no site.yml", o.Site)
		return nil
	}
	data, err := readFile(filepath.Join(o.Site, "ansible.cfg"), maxConfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.unfit("ansible.cfg", "pgbundle init writes it", "it is missing in %s: Ansible would find neither inventory nor roles", o.Site)
	case err != nil:
		r.unfit("ansible.cfg", "", "%v", err)
	default:
		f.config = parseConfig(data)
	}
	f.findBase(o, r)
	f.checkRoles(r)
	f.lookThrough(r)
	return f
}

// findBase finds the release that the site's playbook is imported from.
func (f *folder) findBase(o *RunOptions, r *refusals) {
	site := f.imported("site.yml", "site.yml", r)
	f.base = site
	if o.Base != "" && site != "" && o.Base != site {
		r.unfit("base", "leave --base-dir out, or write the site anew: pgbundle init --base-dir "+quoted(o.Base),
			"site.yml imports the playbook below %s, and --base-dir is %s", site, o.Base)
	}
	if o.Operation.Playbook == "site.yml" || site == "" {
		return
	}
	if other := f.imported(o.Operation.Playbook, o.Operation.Playbook, r); other != "" && other != site {
		r.unfit("base", "import both from one release", "%s imports the playbook below %s, and site.yml the one below %s", o.Operation.Playbook, other, site)
	}
}

// imported returns the base below which the release's playbook lies that a file
// of the site imports.
func (f *folder) imported(name, want string, r *refusals) string {
	data, err := readFile(filepath.Join(f.path, name), maxConfig)
	if err != nil {
		r.unfit("site", "pgbundle init writes it", "%v", err)
		return ""
	}
	var plays []map[string]yaml.Node
	if err := yaml.Unmarshal(data, &plays); err != nil {
		r.unfit("site", "", "%s: %v", name, err)
		return ""
	}
	for _, play := range plays {
		for _, key := range []string{importKey, "ansible.builtin." + importKey} {
			path := play[key].Value
			if base, ok := strings.CutSuffix(path, "/playbook/"+want); ok && filepath.IsAbs(base) {
				return filepath.Clean(base)
			}
		}
	}
	r.unfit("site", "pgbundle init writes such a line", "%s imports no playbook of a release: - import_playbook: /opt/patroni-airgap/playbook/%s", name, want)
	return ""
}

// checkRoles refuses a roles_path that leads into another release: half of the
// work would be that one's.
func (f *folder) checkRoles(r *refusals) {
	list := f.config["defaults"]["roles_path"]
	if list == "" || f.base == "" || strings.ContainsAny(list, "~${") {
		return
	}
	want := filepath.Join(f.base, "playbook", "roles")
	for _, path := range strings.Split(list, ":") {
		if !filepath.IsAbs(path) {
			path = filepath.Join(f.path, path)
		}
		if filepath.Clean(path) == want {
			return
		}
	}
	r.unfit("ansible.cfg", "set it to "+want, "roles_path is %s, and site.yml imports the playbook below %s", list, f.base)
}

// lookThrough looks for files of variables that Ansible passes over, and for
// those that the vault's password opens.
func (f *folder) lookThrough(r *refusals) {
	dirs := []string{"group_vars"}
	beside := filepath.Join("inventory", "group_vars")
	own, ownErr := os.Stat(filepath.Join(f.path, "group_vars"))
	other, err := os.Stat(filepath.Join(f.path, beside))
	if err == nil && (ownErr != nil || !os.SameFile(own, other)) {
		dirs = append(dirs, beside)
	}
	f.unlinked = ownErr == nil && err != nil
	for _, dir := range dirs {
		entries, err := os.ReadDir(filepath.Join(f.path, dir))
		if err != nil {
			continue // not there: nothing to say
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if dir == "group_vars" {
			f.groupVars = names
		}
		for _, name := range []string{"all.yml", "all.yaml", "all.json"} {
			if slices.Contains(names, "all") && slices.Contains(names, name) {
				r.unfit("variables", "move it: mv "+dir+"/"+name+" "+dir+"/all/"+otherName(f.path, dir, name),
					"Ansible reads the folder %s/all and passes over %s/%s", dir, dir, name)
			}
		}
	}
	for _, dir := range []string{"group_vars", "host_vars", "inventory"} {
		_ = filepath.WalkDir(filepath.Join(f.path, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // what cannot be read Ansible will tell of
			}
			if data, err := readFile(path, maxConfig); err == nil && needsVault(data) {
				relative, _ := filepath.Rel(f.path, path)
				f.encrypted = append(f.encrypted, relative)
			}
			return nil
		})
	}
}

// otherName is a name in the folder all that is still free.
func otherName(site, dir, name string) string {
	if _, err := os.Stat(filepath.Join(site, dir, "all", name)); err == nil {
		return "more-" + name
	}
	return name
}

// needsVault says whether a file is encrypted, or has a value that is.
func needsVault(data []byte) bool {
	return bytes.HasPrefix(data, []byte("$ANSIBLE_VAULT;")) || bytes.Contains(data, []byte("!vault"))
}

// checkVault refuses secrets where Ansible does not look for them, unless there
// is a group of that name.
func (f *folder) checkVault(groups map[string][]string, r *refusals) {
	if groups["vault"] != nil {
		return
	}
	for _, name := range []string{"vault", "vault.yml", "vault.yaml", "vault.json"} {
		if slices.Contains(f.groupVars, name) {
			r.unfit("secrets", "move it: mv group_vars/"+name+" group_vars/all/vault.yml",
				"Ansible passes over group_vars/%s: no group is called vault", name)
		}
	}
}
