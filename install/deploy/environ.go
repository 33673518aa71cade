package deploy

import (
	"path/filepath"
	"slices"
	"strings"
)

// keptAnsible are the variables of Ansible's that a run takes over from the
// caller: they name files with secrets, which is how unattended jobs hand them
// over. All others are dropped. What holds for a site stands in its ansible.cfg,
// and does not depend on who deploys.
var keptAnsible = []string{"ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_BECOME_PASSWORD_FILE", "ANSIBLE_CONNECTION_PASSWORD_FILE"}

// surprising says whether a variable of the caller's environment is not for
// Ansible: it would change what runs, its language, or open a window to ask.
func surprising(name string) bool {
	switch {
	case slices.Contains(keptAnsible, name):
		return false
	case strings.HasPrefix(name, "ANSIBLE_"), strings.HasPrefix(name, "PYTHON"), strings.HasPrefix(name, "LC_"), strings.HasPrefix(name, "PGBUNDLE_"):
		return true
	}
	return slices.Contains([]string{"LANG", "LANGUAGE", "VIRTUAL_ENV", "DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "BASH_ENV", "ENV", "PWD", "OLDPWD"}, name)
}

// environment is what Ansible runs with: the caller's without surprises, and
// what makes it this site's. Dropped are the variables of Ansible's that were
// left out.
func environment(caller []string, site string, cfg config, rel *release) (env, dropped []string) {
	for _, e := range caller {
		name, _, ok := strings.Cut(e, "=")
		switch {
		case !ok || name == "PATH":
		case !surprising(name):
			env = append(env, e)
		case strings.HasPrefix(name, "ANSIBLE_"):
			dropped = append(dropped, name)
		}
	}
	defaults := cfg["defaults"]
	callbacks := join(",", "pgbundle_events", defaults["callbacks_enabled"], defaults["callback_enabled"], defaults["callback_whitelist"])
	plugins := join(":", filepath.Join(rel.base, callbackFolder), defaults["callback_plugins"])
	slices.Sort(dropped)
	return append(env,
		"PATH="+join(":", filepath.Dir(rel.ansible), lookup(caller, "PATH")),
		"PWD="+site, "LC_ALL=C.UTF-8",
		"PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", // a release stays as it was installed, also when root uses it
		"ANSIBLE_CONFIG="+filepath.Join(site, "ansible.cfg"), // Ansible looks for none in a folder that all may write to
		"ANSIBLE_CALLBACKS_ENABLED="+callbacks,
		"ANSIBLE_CALLBACK_PLUGINS="+plugins,
		"ANSIBLE_NOCOLOR=1",
	), dropped
}

func join(by string, list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), by)
}
