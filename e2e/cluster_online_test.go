//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// mirror is what the nodes of a site with a way out install from.
type mirror struct {
	URL    string
	Folder string       // rpm, debian and pgdg-apt, as they are served
	Image  string       // of a Debian node
	asked  atomic.Int64 // how many requests it answered
}

// makeMirror makes what the nodes need.
func (s *site) makeMirror(t *testing.T) *mirror {
	t.Helper()
	out := s.must(t, command{name: "mirror", dir: s.checkout, env: []string{"PYTHONPATH=scripts/testbed"},
		args: []string{"/usr/bin/python3", "-B", "-m", "bed", "--dir", s.dir, "mirror"}})
	m := &mirror{}
	if err := json.Unmarshal([]byte(out[strings.LastIndex(out, "{"):]), m); err != nil {
		t.Fatalf("bed mirror: %v\n%s", err, out)
	}
	return m
}

// serve serves it where the nodes reach it, with the bed's repositories and
// release, and the bundle's wheels as an index (PEP 503).
func (m *mirror) serve(t *testing.T, s *site) {
	t.Helper()
	s.unpacked(t)
	mux := http.NewServeMux()
	for path, folder := range map[string]string{"/": m.Folder, "/repositories/": s.Repositories, "/keys/": s.Keys, "/etcd/": s.Etcd} {
		mux.Handle("GET "+path, http.StripPrefix(strings.TrimSuffix(path, "/"), http.FileServer(http.Dir(folder))))
	}
	wheels := filepath.Join(s.bundle, "wheels", "target")
	mux.Handle("GET /wheels/", http.StripPrefix("/wheels", http.FileServer(http.Dir(wheels))))
	mux.HandleFunc("GET /simple/{project}/", func(w http.ResponseWriter, r *http.Request) {
		files, _ := filepath.Glob(filepath.Join(wheels, strings.ReplaceAll(r.PathValue("project"), "-", "?")+"-[0-9]*.whl"))
		if len(files) == 0 {
			http.NotFound(w, r)
		}
		for _, file := range files {
			fmt.Fprintf(w, "<a href=\"/wheels/%[1]s\">%[1]s</a>\n", filepath.Base(file))
		}
	})
	serveIn(t, s.Hand, strings.TrimPrefix(m.URL, "http://"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		mux.ServeHTTP(w, r)
	}))
}

// TestClusterOnline makes a cluster of nodes that know no bundle, out of a mirror,
// by pgbundle deploy without --offline: of EL nodes, and of Debian nodes. It is
// run by make e2e-faults.
func TestClusterOnline(t *testing.T) {
	if !thorough() {
		t.Skip("a deployment from the network is tried by make e2e-faults (PGBUNDLE_FAILOVERS)")
	}
	for _, family := range []struct {
		name     string
		image    func(*mirror) string
		pg       string
		prepares func(*cluster, *testing.T)
		refuses  func(*cluster, *testing.T)
	}{
		{"EL", func(*mirror) string { return "" }, "", (*cluster).knowsRepositories, nil},
		{"Debian", func(m *mirror) string { return m.Image }, "15", func(*cluster, *testing.T) {}, (*cluster).refusesDebianOffline},
	} {
		t.Run(family.name, func(t *testing.T) {
			c := newCluster(t)
			c.mirror = c.makeMirror(t)
			c.image = family.image(c.mirror)
			if family.pg != "" {
				b := *c.bed
				b.PG = family.pg
				c.bed = &b
			}
			c.bring(t, []string{"n1", "n2", "n3"}, nil)
			c.mirror.serve(t, c.site)
			parts := []part{
				{"init", c.init, needed},
				{"an unknown host is refused", c.acceptsHosts, needed},
			}
			if family.refuses != nil {
				parts = append(parts, part{"offline is refused", func(t *testing.T) { family.refuses(c, t) }, alone})
			}
			inTurn(t, append(parts, []part{
				{"the site names its mirror", c.namesMirror, needed},
				{"the nodes know theirs", func(t *testing.T) { family.prepares(c, t) }, needed},
				{"deploy", c.deploys, needed},
				{"it came from the mirror", c.cameFromMirror, alone},
				{"deploy again changes nothing", c.deploysAgain, alone},
				{"verify", c.verifies, needed},
				{"uninstall", c.uninstallsOnline, alone},
			}...))
		})
	}
}

// namesMirror sets every online URL of the site.
func (c *cluster) namesMirror(t *testing.T) {
	lines := []string{
		"online_pgdg_rpm_url: URL/rpm/pgdg-redhat-repo-latest.noarch.rpm",
		"online_pgdg_rpm_key_url: URL/keys/RPM-GPG-KEY-testbed-pgdg",
		"online_epel_rpm_url: URL/rpm/epel-release-latest-9.noarch.rpm",
		"online_epel_key_url: URL/keys/RPM-GPG-KEY-testbed-distribution",
		"online_pgdg_apt_url: URL/pgdg-apt",
		"online_pgdg_apt_key_url: URL/keys/RPM-GPG-KEY-testbed-pgdg",
		`online_etcd_url: "URL/etcd/v{{ etcd_version }}"`,
		"online_pypi_index_url: URL/simple",
		`postgresql_version: "` + c.PG + `"`,
	}
	if c.image != "" {
		lines = append(lines, "patroni_psycopg: rpm")
	}
	c.control.give(t, siteDir+"/group_vars/all/online.yml", "---\n"+strings.ReplaceAll(strings.Join(lines, "\n"), "URL", c.mirror.URL)+"\n")
	for _, n := range c.targets() {
		// as a site with an index without TLS has it
		n.must(t, "root", "sh", "-c", "printf '[global]\\ntrusted-host = 10.77.0.1\\n' >/etc/pip.conf; chmod 644 /etc/pip.conf")
	}
}

// knowsRepositories gives the nodes the distribution's own repositories, as every
// node with a way out has them.
func (c *cluster) knowsRepositories(t *testing.T) {
	text := ""
	for _, name := range []string{"baseos", "appstream"} {
		text += fmt.Sprintf("[%[1]s]\nname=%[1]s\nbaseurl=%[2]s/repositories/%[1]s\nenabled=1\ngpgcheck=1\ngpgkey=%[2]s/keys/RPM-GPG-KEY-testbed-distribution\n\n",
			name, c.mirror.URL)
	}
	local := filepath.Join(t.TempDir(), "rocky.repo")
	if err := os.WriteFile(local, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.targets() {
		n.copy(t, local, "/tmp/rocky.repo")
		n.must(t, "root", "cp", "/tmp/rocky.repo", "/etc/yum.repos.d/rocky.repo")
	}
}

// refusesDebianOffline holds that there is one refusal, that tells why.
func (c *cluster) refusesDebianOffline(t *testing.T) {
	out, status := c.at(t, c.deployLine("--offline 2>&1"))
	said := strings.Join(strings.Fields(out), " ")
	const want = "offline_mode is true, and n1 and n2 and n3 run Debian GNU/Linux 12 (bookworm): bundles are for RHEL 9"
	if status != 5 || !strings.Contains(said, want) {
		t.Errorf("exit status %d, want 5 and %q\n%s", status, want, tail(out))
	}
	if strings.Contains(said, "has no bundle") {
		t.Errorf("asks for a bundle that Debian cannot have:\n%s", tail(out))
	}
}

// cameFromMirror holds that the nodes have what the mirror gave, and no bundle.
func (c *cluster) cameFromMirror(t *testing.T) {
	if c.mirror.asked.Load() < 100 {
		t.Errorf("the mirror was asked %d times", c.mirror.asked.Load())
	}
	for _, n := range c.targets() {
		n.lacks(t, "ls -d /opt/patroni-airgap* /etc/yum.repos.d/patroni-airgap.repo")
		if c.image == "" {
			if out := n.must(t, "root", "dnf", "info", "--quiet", "--installed", "postgresql"+c.PG+"-server"); !strings.Contains(out, "pgdg"+c.PG) {
				t.Errorf("%s has PostgreSQL from elsewhere:\n%s", n.name, out)
			}
		}
	}
	if c.image != "" {
		c.usesDriverOfSystem(t)
	}
}

// uninstallsOnline takes the cluster away, and what an online deployment added.
func (c *cluster) uninstallsOnline(t *testing.T) {
	t.Log(c.ops(t, "uninstall --yes"))
	for _, n := range c.targets() {
		n.lacks(t, "ls -d /etc/patroni /opt/patroni* /var/lib/postgresql/*/data /var/lib/etcd /etc/apt/sources.list.d/pgdg.list /etc/yum.repos.d/pgdg-redhat-repo.repo /var/cache/pgbundle")
		n.lacks(t, "pgrep -x -l 'postgres|etcd|patroni|haproxy|keepalived|pgbouncer'")
	}
}

// lacks holds that a command finds nothing on the node.
func (n *node) lacks(t *testing.T, line string) {
	t.Helper()
	if out, _ := n.run(t, "root", "sh", "-c", line+" 2>/dev/null"); out != "" {
		t.Errorf("%s: %s finds\n%s", n.name, line, out)
	}
}
