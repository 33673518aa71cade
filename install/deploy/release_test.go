package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pgbundle/manifest"
)

func TestOfflineVars(t *testing.T) {
	rel := &release{id: "0123456789ab", manifest: &manifest.Manifest{Lock: manifest.Lock{
		Target:  manifest.Target{NodePython: "3.11"},
		Sources: []manifest.Source{{ID: "appstream", Role: manifest.Provides}},
		Artifacts: []manifest.Artifact{
			{Kind: manifest.RPM, Name: "postgresql17-server", Version: "17.2-1PGDG.rhel9"}, {Kind: manifest.RPM, Name: "postgresql17-server-devel"},
			{Kind: manifest.Release, Name: "etcd", Version: "3.5.16"},
		},
	}}}
	none := &inventory{hosts: map[string]map[string]any{"n1": {}}}
	want := map[string]any{"offline_mode": true, "pgbundle_bundle_id": "0123456789ab", "patroni_python": "python3.11"}
	if diff := cmp.Diff(want, rel.offlineVars(none)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"postgresql_version": "17", "etcd_version": "3.5.16"}, rel.versions()); diff != "" {
		t.Error(diff)
	}

	// The program's name has no patch level, whatever a lock of before says.
	rel.manifest.Lock.Target.NodePython = "3.11.7"
	if v := rel.offlineVars(none)["patroni_python"]; v != "python3.11" {
		t.Errorf("patroni_python is %v", v)
	}

	// A bundle that counts on the node's own repositories cannot have them shut.
	rel.manifest.Lock.Sources = append(rel.manifest.Lock.Sources, manifest.Source{ID: "baseos", Role: manifest.Present})
	if v := rel.offlineVars(none)["offline_repo_exclusive"]; v != false {
		t.Errorf("offline_repo_exclusive is %v", v)
	}
	own := &inventory{hosts: map[string]map[string]any{"n1": {"patroni_python": "python3.9", "offline_repo_exclusive": true}}}
	if diff := cmp.Diff(map[string]any{"offline_mode": true, "pgbundle_bundle_id": "0123456789ab"}, rel.offlineVars(own)); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironment(t *testing.T) {
	cfg := config{"defaults": {"callbacks_enabled": "profile_tasks", "callback_plugins": "plugins"}}
	env, dropped := environment([]string{
		"PATH=/usr/bin", "HOME=/h", "SSH_AUTH_SOCK=/a", "VAULT_ADDR=x", "ANSIBLE_VAULT_PASSWORD_FILE=/v", "ANSIBLE_HOST_KEY_CHECKING=False", "ANSIBLE_CONFIG=/etc/x",
		"PYTHONPATH=/p", "LC_ALL=ko_KR.UTF-8", "LANG=x", "DISPLAY=:0", "SSH_ASKPASS=/x", "PGBUNDLE_EVENTS_FD=9", "PWD=/else", "odd",
	}, "/site", cfg, &release{base: "/b", ansible: "/b/venv/bin/ansible-playbook"})
	want := []string{
		"HOME=/h", "SSH_AUTH_SOCK=/a", "VAULT_ADDR=x", "ANSIBLE_VAULT_PASSWORD_FILE=/v", "PATH=/b/venv/bin:/usr/bin", "PWD=/site", "LC_ALL=C.UTF-8",
		"PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "ANSIBLE_CONFIG=/site/ansible.cfg", "ANSIBLE_CALLBACKS_ENABLED=pgbundle_events,profile_tasks",
		"ANSIBLE_CALLBACK_PLUGINS=/b/playbook/plugins/callback:plugins", "ANSIBLE_NOCOLOR=1",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(dropped, []string{"ANSIBLE_CONFIG", "ANSIBLE_HOST_KEY_CHECKING"}) {
		t.Errorf("dropped %v", dropped)
	}
}

func TestComplaint(t *testing.T) {
	for text, want := range map[string]string{
		"x\nERROR! it is\nso\n":                       "ERROR! it is\nso",
		"usage: a\nansible-playbook: error: no\nhelp": "ansible-playbook: error: no",
		strings.Repeat("l\n", 30):                     strings.TrimSpace(strings.Repeat("l\n", 10)),
		"":                                            "",
	} {
		if got := complaint(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
