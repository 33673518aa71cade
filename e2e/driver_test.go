//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// withDriverOfSystem builds the bundle again, for a site that wants no
// psycopg2-binary, and returns it unpacked.
func (s *site) withDriverOfSystem(t *testing.T) (archive, folder string) {
	t.Helper()
	dir := filepath.Join(s.work, "driver")
	s.must(t, command{name: "mkdir", args: []string{"mkdir", dir}})
	s.must(t, command{name: "build with the distribution's psycopg2", dir: s.work,
		args: append(s.wish("--psycopg", "rpm", "--with", "pgbackrest", "--sign", "site.key", "-q", "-o", dir), s.from()...)})
	archive = s.onlyBundle(t, dir)
	out := s.must(t, command{name: "inspect files", args: []string{s.pgbundle(), "inspect", archive, "files"}})
	if strings.Contains(out, "psycopg2_binary") || !strings.Contains(out, "/rpms/python3.11-psycopg2-") {
		t.Errorf("the driver is not the distribution's alone:\n%s", out)
	}
	s.must(t, command{name: "tar xzf", dir: dir, args: []string{"tar", "xzf", archive}})
	return archive, filepath.Join(dir, "airgap-bundle")
}

// driverOfSystem installs the wheels of such a bundle as the playbook does, beside
// the packages of the root, and connects.
func (s *site) driverOfSystem(t *testing.T) {
	_, folder := s.withDriverOfSystem(t)
	s.must(t, command{name: "carry its wheels", args: []string{"cp", "-r", filepath.Join(folder, "wheels", "target"), filepath.Join(s.root, "opt", "wheels-driver")}})
	venv := "/opt/venv-driver"
	s.must(t, command{name: "venv", cut: true, root: s.root, args: []string{"python3.11", "-m", "venv", "--system-site-packages", venv}})
	s.must(t, command{name: "pip install", cut: true, root: s.root, args: []string{venv + "/bin/pip", "install", "--ignore-installed", "--no-index",
		"--require-hashes", "--only-binary", ":all:", "--find-links", "/opt/wheels-driver", "-r", "/opt/wheels-driver/requirements.lock"}})
	for program, says := range map[string]string{"patroni --version": "patroni 3.", "patronictl version": "patronictl version 3."} {
		if out := s.must(t, command{name: program, cut: true, root: s.root, args: append([]string{"env", "PATH=" + venv + "/bin:/usr/bin"}, strings.Fields(program)...)}); !strings.Contains(out, says) {
			t.Errorf("%s says %q", program, out)
		}
	}
	where := s.must(t, command{name: "which psycopg2", cut: true, root: s.root, args: []string{venv + "/bin/python", "-c",
		"import psycopg2, yaml; print(psycopg2.__file__, psycopg2.extensions.libpq_version(), yaml.__file__)"}})
	if fields := strings.Fields(where); strings.HasPrefix(fields[0], venv) || !strings.HasPrefix(fields[2], venv) {
		t.Errorf("psycopg2 and yaml are %s", where)
	}
}

// usesDriverOfSystem holds that the Patroni that runs has loaded the
// distribution's psycopg2, and that there is no other.
func (c *cluster) usesDriverOfSystem(t *testing.T) {
	for _, n := range c.nodes {
		loaded := n.must(t, "root", "sh", "-c", "grep -o '/[^ ]*_psycopg[^ ]*' /proc/$(systemctl show --property=MainPID --value patroni)/maps | sort -u; find /opt -path '*/site-packages/psycopg*'")
		if !strings.HasPrefix(loaded, "/usr/lib") || strings.Contains(loaded, "/opt/") {
			t.Errorf("%s: %s", n.name, loaded)
		}
		if c.image == "" {
			n.must(t, "root", "rpm", "-q", "python3.11-psycopg2")
		}
	}
}
