//go:build oracle

package deploy

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSiteByAnsible has Ansible itself read a site: the variables reach the
// plays of a release that lies elsewhere, through site.yml and through a
// playbook of the folder playbooks, and so do names that YAML takes for others.
func TestSiteByAnsible(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	site, base, password := filepath.Join(top, "site"), filepath.Join(top, "base"), filepath.Join(top, "password")
	play := `- name: "site: what arrives"
  hosts: patroni_cluster
  gather_facts: false
  tasks:
    - name: Say it
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ patroni_name }} {{ node_ip }} {{ keepalived_priority }} {{ cluster_name }} {{ keepalived_auth_pass | length }}"
`
	for _, name := range append([]string{"../site.yml"}, sitePlaybooks...) {
		at := filepath.Join(base, "playbook/playbooks", name)
		if err := errJoin(os.MkdirAll(filepath.Join(base, "playbook/playbooks"), 0o755), os.WriteFile(at, []byte(play), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	a := three()
	a.Nodes, a.Cluster, a.Base, a.PasswordFile = []string{"yes=10.0.0.11", "1e5=10.0.0.12", "pg-3=10.0.0.13"}, "0x10", base, password
	if err := WriteVaultPassword(password, "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := siteOf(t, a, SiteRelease{}).Write(context.Background(), site, SiteVault{Password: []byte("secret")}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"site.yml", "playbooks/switchover.yml"} {
		cmd := exec.Command("ansible-playbook", name)
		cmd.Dir = site
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+top, "ANSIBLE_LOCAL_TEMP="+top)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, want := range []string{"yes yes 10.0.0.11 110 0x10 8", "1e5 1e5 10.0.0.12 105 0x10 8", "pg-3 pg-3 10.0.0.13 100 0x10 8"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, out)
			}
		}
	}
}
