package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"pgbundle/install"
	"pgbundle/manifest"
)

// release is what a run takes from the base: the playbook, and of a control
// node's release Ansible and the bundle's manifest.
type release struct {
	base     string
	ansible  string // absolute path of ansible-playbook
	id       string // of the bundle; empty: no release of a bundle
	manifest *manifest.Manifest
}

const callbackFolder = "playbook/plugins/callback"

// readRelease looks at the base. Offline everything has to come from a release
// for a control node; online a playbook is enough, with an Ansible of PATH.
func readRelease(o *RunOptions, base string, r *refusals) *release {
	way := "pgbundle install --role control" + baseFlag(base)
	rel := &release{base: base}
	if _, err := os.Stat(filepath.Join(base, ".incomplete")); err == nil {
		r.unfit("release", way, "the release at %s was not finished", base)
		return nil
	}
	for _, name := range []string{"playbook/" + o.Operation.Playbook, callbackFolder + "/pgbundle_events.py"} {
		if _, err := os.Stat(filepath.Join(base, name)); err != nil {
			r.unfit("release", way, "no playbook at %s: %v", base, err)
			return nil
		}
	}
	rel.readBundle(o, way, r)
	rel.findAnsible(o, way, r)
	return rel
}

func baseFlag(base string) string {
	if base == install.DefaultBase {
		return ""
	}
	return " --base-dir " + quoted(base)
}

// readBundle reads the receipt and the manifest, and holds one against the other.
func (rel *release) readBundle(o *RunOptions, way string, r *refusals) {
	refuse := func(format string, args ...any) {
		if o.Offline {
			r.unfit("release", way, format, args...)
		}
	}
	data, err := readFile(filepath.Join(rel.base, "receipt.yaml"), manifest.MaxYAML)
	if errors.Is(err, fs.ErrNotExist) {
		refuse("no release for a control node at %s", rel.base)
		return
	}
	var receipt *install.Receipt
	if err == nil {
		receipt, err = install.ParseReceipt(data)
	}
	if err != nil {
		refuse("the release at %s: %v", rel.base, err)
		return
	}
	control := false
	for _, role := range receipt.Roles {
		control = control || role == manifest.Control
	}
	if !control {
		refuse("the release at %s is for a target, not for a control node", rel.base)
		return
	}
	if data, err = readFile(filepath.Join(rel.base, manifest.ManifestName), manifest.MaxYAML); err == nil {
		if digest := manifest.Digest(data); digest != receipt.Manifest {
			err = errors.New("its manifest is not the one that was installed")
		}
	}
	if err == nil {
		rel.manifest, err = manifest.ParseManifest(data)
	}
	if err != nil {
		refuse("the release at %s: %v", rel.base, err)
		return
	}
	rel.id = receipt.Bundle
}

// findAnsible finds ansible-playbook: the release's, else online that of PATH.
func (rel *release) findAnsible(o *RunOptions, way string, r *refusals) {
	own := filepath.Join(rel.base, "venv", "bin", "ansible-playbook")
	info, err := os.Stat(own)
	switch {
	case err == nil && info.Mode()&0o111 != 0:
		rel.ansible = own
	case o.Offline:
		r.unfit("ansible", way, "no Ansible at %s", own)
	default:
		if rel.ansible = lookPath(o.Environ, "ansible-playbook"); rel.ansible == "" {
			r.unfit("ansible", way+`, or python3 -m pip install "ansible-core>=2.15"`, "no ansible-playbook at %s, and none in PATH", own)
		}
	}
}

// lookPath finds a program in the PATH of an environment; empty: nowhere.
func lookPath(environ []string, name string) string {
	for _, dir := range filepath.SplitList(lookup(environ, "PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// lookup is the value of a name in an environment.
func lookup(environ []string, name string) string {
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

var serverPackage = regexp.MustCompile(`^postgresql([0-9]+)-server$`)

// versions are the versions in the bundle of what a site sets versions of.
func (rel *release) versions() map[string]string {
	list := map[string]string{}
	for _, a := range rel.manifest.Lock.Artifacts {
		switch match := serverPackage.FindStringSubmatch(a.Name); {
		case a.Kind == manifest.RPM && match != nil:
			list["postgresql_version"] = match[1]
		case a.Kind == manifest.Release && a.Name == "etcd":
			list["etcd_version"] = a.Version
		}
	}
	return list
}

// offlineVars are the variables that a deploy out of the bundle sets, but for
// those that the site sets itself.
func (rel *release) offlineVars(inv *inventory) map[string]any {
	vars := map[string]any{
		"offline_mode":       true,
		"pgbundle_bundle_id": rel.id,
		"patroni_python":     "python" + rel.manifest.Lock.Target.Python(manifest.TargetNode),
	}
	for _, s := range rel.manifest.Lock.Sources {
		if s.Role == manifest.Present { // the node's own repositories have the rest
			vars["offline_repo_exclusive"] = false
		}
	}
	for _, name := range []string{"patroni_python", "offline_repo_exclusive"} {
		for host := range inv.hosts {
			if inv.has(host, name) {
				delete(vars, name)
			}
		}
	}
	return vars
}

// defaults are the variables of the playbook's role defaults that are plain.
func (rel *release) defaults() map[string]string {
	data, err := readFile(filepath.Join(rel.base, "playbook/roles/defaults/defaults/main.yml"), maxConfig)
	var nodes map[string]yaml.Node
	if err != nil || yaml.Unmarshal(data, &nodes) != nil {
		return nil
	}
	list := map[string]string{}
	for name, n := range nodes {
		if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "{{") {
			list[name] = n.Value
		}
	}
	return list
}
