//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// etcdVersion is the release that the bed compiles.
const etcdVersion = "3.5.16"

// TestBundle builds a bundle in the world and uses it in a network of its own:
// each part stands on the ones before it.
func TestBundle(t *testing.T) {
	s := newSite(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"build", s.build},
		{"dnf chooses the same packages", s.sameChoice},
		{"verify", s.verify},
		{"verify finds one flipped bit", s.flippedBit},
		{"same bytes from the lock", s.again},
		{"unpack", s.unpack},
		{"repodata as createrepo_c", s.repodata},
		{"dnf installs the roots", s.dnf},
		{"dnf misses a package", s.missingPackage},
		{"dnf refuses a stranger's package", s.strangersPackage},
		{"dnf refuses a changed package", s.changedPackage},
		{"pip installs both wheelhouses", s.pip},
		{"ansible-galaxy installs the collections", s.collections},
		{"the programs run", s.programs},
		{"Patroni runs with the distribution's psycopg2", s.driverOfSystem},
		{"PostgreSQL runs", s.postgres},
		{"ansible-galaxy downloads from the server", s.galaxyDownload},
	} {
		if !t.Run(part.name, part.run) {
			t.Fatalf("stopped: %q failed, and what follows stands on it", part.name)
		}
	}
}

// sameChoice holds the resolver against dnf: out of the whole distribution, on
// an empty root, both have to choose the same packages.
func (s *site) sameChoice(t *testing.T) {
	chosen := filepath.Join(s.work, "chosen")
	s.must(t, command{name: "dnf's choice", args: append(s.dnfWith(t, "chosen.root", s.repoFile()), append([]string{"--downloadonly", "--downloaddir=" + chosen, "install"}, s.roots()...)...)})
	out := s.must(t, command{name: "inspect files", args: []string{s.pgbundle(), "inspect", s.archive, "files"}})
	theirs, ours := names(t, filepath.Join(chosen, "*.rpm")), rpmsListed(out)
	if !slices.Equal(ours, theirs) {
		t.Errorf("the bundle and dnf's choice differ:\nonly in the bundle %v\nonly dnf %v", minus(ours, theirs), minus(theirs, ours))
	}
	s.evidence.Facts["rpms"] = len(ours)
	s.remove(t, "chosen", "chosen.root")
}

// rpmsListed are the file names of the RPMs among paths, one a line.
func rpmsListed(paths string) []string {
	var rpms []string
	for _, name := range strings.Fields(paths) {
		if strings.Contains(name, "/rpms/") && strings.HasSuffix(name, ".rpm") {
			rpms = append(rpms, filepath.Base(name))
		}
	}
	slices.Sort(rpms)
	return rpms
}

func names(t *testing.T, glob string) []string {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: nothing there (%v)", glob, err)
	}
	for i, file := range files {
		files[i] = filepath.Base(file)
	}
	slices.Sort(files)
	return files
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
}

func (s *site) verify(t *testing.T) {
	out := s.must(t, command{name: "verify", dir: s.work, args: []string{s.pgbundle(), "verify", "--pubkey", "site.pub", s.archive}})
	for _, want := range []string{"authenticated: signed by", "whole and closed by itself"} {
		if !strings.Contains(out, want) {
			t.Errorf("verify does not say %q:\n%s", want, out)
		}
	}
	s.must(t, command{name: "sha256sum -c", dir: s.work, args: []string{"sha256sum", "-c", filepath.Base(s.archive) + ".sha256"}})
}

func (s *site) flippedBit(t *testing.T) {
	data, err := os.ReadFile(s.archive)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	flipped := filepath.Join(s.work, "flipped.tar.gz")
	if err := os.WriteFile(flipped, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, status := s.run(t, command{name: "verify one flipped bit", dir: s.work, args: []string{s.pgbundle(), "verify", flipped}}); status != 3 {
		t.Errorf("a flipped bit: exit status %d, want 3\n%s", status, out)
	}
	s.remove(t, "flipped.tar.gz")
}

// again builds from the lock in the bundle, in other circumstances.
func (s *site) again(t *testing.T) {
	args := append([]string{"sh", "-c", `umask 077; mkdir other; export TZ=Asia/Tokyo LC_ALL=C; exec "$@"`, "sh", s.pgbundle(), "build",
		"--lock", s.archive, "--jobs", "1", "--sign", "site.key", "-q", "-o", "other/"}, s.from()...)
	s.must(t, command{name: "build again", dir: s.work, args: args})
	s.must(t, command{name: "cmp", dir: s.work, args: []string{"cmp", s.archive, filepath.Join("other", filepath.Base(s.archive))}})
	s.remove(t, "other")
}

// unpack is the first step on site: from here on the network is cut. That it is
// cut is tried with the bed itself, which answers in the open.
func (s *site) unpack(t *testing.T) {
	s.must(t, command{name: "the bed in the open", args: s.reachBed()})
	s.refused(t, command{name: "the bed with the network cut", cut: true, args: s.reachBed()}, "refused")
	if out := s.must(t, command{name: "tar xzf", dir: s.work, cut: true, args: []string{"tar", "xzf", s.archive}}); out != "" {
		t.Errorf("tar says: %s", out)
	}
	s.must(t, command{name: "sha256sum -c SHA256SUMS", dir: s.bundle, cut: true, args: []string{"sha256sum", "-c", "--quiet", "SHA256SUMS"}})
	s.must(t, command{name: "minisign -V", dir: s.bundle, cut: true, args: []string{"minisign", "-V", "-q", "-p", "../site.pub", "-m", "manifest.yaml"}})
	out := s.must(t, command{name: "the program in the bundle", dir: s.bundle, cut: true, args: []string{"./pgbundle", "verify", "--pubkey", "../site.pub", "."}})
	if !strings.Contains(out, "whole and closed by itself") {
		t.Error(out)
	}
}

func (s *site) repodata(t *testing.T) {
	theirs := filepath.Join(s.work, "theirs")
	s.must(t, command{name: "createrepo_c", dir: s.work, cut: true, args: []string{"sh", "-c",
		"mkdir theirs && cp airgap-bundle/rpms/*.rpm theirs/ && createrepo_c --quiet --no-database --general-compress-type=gz theirs"}})
	canon := filepath.Join(s.checkout, "scripts", "oracle", "canon_repodata.py")
	mine := s.must(t, command{name: "our metadata", args: []string{"/usr/bin/python3", canon, filepath.Join(s.bundle, "rpms")}})
	real := s.must(t, command{name: "createrepo_c's metadata", args: []string{"/usr/bin/python3", canon, theirs}})
	if mine != real {
		t.Errorf("our metadata and createrepo_c's differ:\n%s", firstDifference(mine, real))
	}
	s.evidence.Facts["repodataLinesCompared"] = strings.Count(real, "\n")
	s.remove(t, "theirs")
}

func firstDifference(a, b string) string {
	mine, real := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(mine), len(real)) {
		if mine[i] != real[i] {
			return "ours   " + mine[i] + "\ntheirs " + real[i]
		}
	}
	return "one is longer"
}

func (s *site) remove(t *testing.T, below ...string) {
	t.Helper()
	for _, name := range below {
		if err := os.RemoveAll(filepath.Join(s.work, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *site) pip(t *testing.T) {
	for _, role := range []string{"control", "target"} {
		venv, wheels := "/opt/venv-"+role, "/bundle/wheels/"+role
		s.must(t, command{name: "venv " + role, cut: true, root: s.root, args: []string{"python3.11", "-m", "venv", venv}})
		s.must(t, command{name: "pip install " + role, cut: true, root: s.root, args: []string{venv + "/bin/pip", "install", "--no-index",
			"--require-hashes", "--only-binary", ":all:", "--find-links", wheels, "-r", wheels + "/requirements.lock"}})
		s.must(t, command{name: "pip check " + role, cut: true, root: s.root, args: []string{venv + "/bin/pip", "check"}})
		listed := s.must(t, command{name: "pip list " + role, cut: true, root: s.root, args: []string{venv + "/bin/pip", "list", "--format=json"}})
		var packages []map[string]string
		if err := json.Unmarshal([]byte(listed[strings.Index(listed, "["):strings.LastIndex(listed, "]")+1]), &packages); err != nil {
			t.Errorf("pip list: %v", err)
		}
		s.evidence.Facts["wheels "+role] = packages
	}
}

// collections are installed as the bundle's own documents say: in their folder.
// ansible-core 2.15 cannot run the newest of them; the newest that it can run
// has to be there.
func (s *site) collections(t *testing.T) {
	s.must(t, command{name: "ansible-galaxy collection install", cut: true, root: s.root, args: []string{"sh", "-c",
		"cd /bundle/collections && /opt/venv-control/bin/ansible-galaxy collection install --offline -r requirements.yml -p /opt/collections"}})
	out := s.must(t, command{name: "ansible-galaxy collection list", cut: true, root: s.root,
		args: []string{"/opt/venv-control/bin/ansible-galaxy", "collection", "list", "-p", "/opt/collections", "--format", "json"}})
	installed := map[string]map[string]struct{ Version string }{}
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &installed); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := installed["/opt/collections/ansible_collections"]
	s.evidence.Facts["collections"] = got
	for name, version := range newestForCore215 {
		if got[name].Version != version {
			t.Errorf("%s: version %q, want %s", name, got[name].Version, version)
		}
	}
	if len(got) != len(newestForCore215) {
		t.Errorf("installed %v, want %v", got, newestForCore215)
	}
}

// newestForCore215 follows from requires_ansible of what the bed serves.
var newestForCore215 = map[string]string{"community.general": "10.7.6", "community.postgresql": "4.2.0", "ansible.posix": "1.6.2"}

func (s *site) programs(t *testing.T) {
	release := "etcd-v" + etcdVersion + "-linux-amd64"
	s.must(t, command{name: "unpack etcd", cut: true, root: s.root, args: []string{"tar", "xzf", "/bundle/etcd/" + release + ".tar.gz", "-C", "/opt"}})
	for _, program := range []struct{ path, word, says string }{
		{"/opt/venv-target/bin/patroni", "--version", "patroni 3."},
		{"/opt/venv-target/bin/patronictl", "version", "patronictl version 3."},
		{"/opt/venv-control/bin/ansible-playbook", "--version", "ansible-playbook [core 2.15."},
		{"/usr/pgsql-" + s.PG + "/bin/postgres", "--version", "postgres (PostgreSQL) " + s.PG + "."},
		{"/opt/" + release + "/etcd", "--version", "etcd Version: " + etcdVersion},
		{"/opt/" + release + "/etcdctl", "version", "etcdctl version: " + etcdVersion},
		{"/opt/" + release + "/etcdutl", "version", "etcdutl version: " + etcdVersion},
		{"/usr/sbin/haproxy", "-v", "HAProxy version"},
		{"/usr/sbin/keepalived", "--version", "Keepalived v"},
		{"/usr/sbin/pgbouncer", "--version", "PgBouncer"},
		{"/usr/sbin/chronyd", "--version", "chronyd"},
		{"/usr/bin/pgbackrest", "version", "pgBackRest"},
	} {
		out := s.must(t, command{name: filepath.Base(program.path), cut: true, root: s.root, args: []string{program.path, program.word}})
		if !strings.Contains(out, program.says) {
			t.Errorf("%s %s says %q, want %q", program.path, program.word, out, program.says)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
		s.evidence.Facts[filepath.Base(program.path)] = first
	}
}

// postgres holds that the packages are a whole PostgreSQL: a cluster is made,
// started and asked, with two extensions of contrib, as the user of the package.
func (s *site) postgres(t *testing.T) {
	const script = `set -e; bin=$1 data=$2
$bin/initdb -k -E UTF8 --locale=C.UTF-8 -D $data >/dev/null
$bin/pg_ctl -D $data -w -o '-c listen_addresses= -c unix_socket_directories=/tmp -c shared_preload_libraries=pg_stat_statements' -l /tmp/log start >/dev/null
$bin/psql -qAtX -h /tmp -d postgres -c 'create extension pg_stat_statements; create extension pgcrypto' \
	-c "select encode(digest('pgbundle', 'sha256'), 'hex')" -c 'select count(*) > 0 from pg_stat_statements' -c 'show server_version'
$bin/pg_ctl -D $data -w stop >/dev/null
$bin/pg_controldata -D $data | grep 'shut down'
$bin/pg_rewind --version && $bin/pg_basebackup --version`
	home := "/usr/pgsql-" + s.PG + "/bin"
	out := s.must(t, command{name: "a cluster", cut: true, root: s.root, args: []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
		"sh", "-c", script, "sh", home, "/var/lib/pgsql/" + s.PG + "/data"}})
	for _, want := range []string{"\nt\n" + s.PG + ".", "shut down", "pg_rewind (PostgreSQL) " + s.PG + ".", "pg_basebackup (PostgreSQL) " + s.PG + "."} {
		if !strings.Contains(out, want) {
			t.Errorf("the cluster does not say %q:\n%s", want, out)
		}
	}
}

// galaxyDownload holds the server of these tests against the real client: a
// server that only pgbundle can talk to would prove nothing.
func (s *site) galaxyDownload(t *testing.T) {
	args := []string{"/opt/venv-control/bin/ansible-galaxy", "collection", "download", "-s", s.url + "/galaxy/api/", "-p", "/opt/downloaded"}
	for name, version := range newestForCore215 {
		args = append(args, name+":<="+version)
	}
	s.must(t, command{name: "ansible-galaxy collection download", root: s.root, args: args})
	for _, name := range names(t, filepath.Join(s.root, "opt/downloaded/*.tar.gz")) {
		mine, err := os.ReadFile(filepath.Join(s.bundle, "collections", name))
		if err != nil {
			t.Errorf("downloaded %s: %v", name, err)
			continue
		}
		theirs, err := os.ReadFile(filepath.Join(s.root, "opt/downloaded", name))
		if err != nil || !bytes.Equal(mine, theirs) {
			t.Errorf("%s: not what the bundle has (%v)", name, err)
		}
	}
}
