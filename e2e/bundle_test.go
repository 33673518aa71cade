//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// roots are what a node is asked to install, beside the PostgreSQL of the bed.
var roots = []string{"pgbouncer", "haproxy", "keepalived", "chrony", "acl", "tar", "python3-pip", "python3-psycopg2",
	"python3-libsemanage", "python3.11", "python3.11-pip", "pgbackrest"}

// TestBundle builds a bundle in the world and uses it in a network of its own:
// each step stands on the ones before it.
func TestBundle(t *testing.T) {
	b := openBed(t)
	work := t.TempDir()
	s := &site{bed: b, work: work, bundle: filepath.Join(work, "airgap-bundle"), root: filepath.Join(work, "root")}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"build", s.build},
		{"verify", s.verify},
		{"same bytes from the lock", s.again},
		{"unpack", s.unpack},
		{"repodata as createrepo_c", s.repodata},
		{"dnf installs the roots", s.dnf},
		{"dnf refuses", s.dnfRefuses},
		{"pip installs both wheelhouses", s.pip},
		{"ansible-galaxy installs the collections", s.collections},
		{"the programs run", s.programs},
		{"ansible-galaxy downloads from the server", s.galaxyDownload},
	} {
		if !t.Run(part.name, part.run) {
			t.Fatalf("stopped: %q failed, and what follows stands on it", part.name)
		}
	}
}

// site is a bundle on its way from one host to another.
type site struct {
	*bed
	work, archive, bundle, root string
}

func (s *site) pgbundle() string { return filepath.Join(s.bed.root, "bin", "pgbundle") }

// from are the flags that point a build at the bed.
func (s *site) from() []string {
	return []string{"--repos", "bed.repo", "--galaxy-url", s.url + "/galaxy", "--etcd-url", s.url + "/etcd", "--cache", "cache"}
}

func (s *site) build(t *testing.T) {
	if err := os.WriteFile(filepath.Join(s.work, "bed.repo"), []byte(s.repoFile()), 0o644); err != nil {
		t.Fatal(err)
	}
	s.must(t, command{name: "keygen", dir: s.work, args: []string{s.pgbundle(), "keygen", "--no-password", "site"}})
	args := append([]string{s.pgbundle(), "build", "--pg", s.PG, "--etcd", "3.5.16", "--target", "rhel9.4", "--python", "3.11",
		"--with", "pgbackrest", "--sign", "site.key", "-o", "."}, s.from()...)
	s.must(t, command{name: "build", dir: s.work, args: args})
	found, err := filepath.Glob(filepath.Join(s.work, "patroni-airgap-bundle-pg"+s.PG+"-*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("built %v (%v)", found, err)
	}
	s.archive = found[0]
}

func (s *site) verify(t *testing.T) {
	out := s.must(t, command{name: "verify", dir: s.work, args: []string{s.pgbundle(), "verify", "--pubkey", "site.pub", s.archive}})
	for _, want := range []string{"authenticated: signed by", "whole and closed by itself"} {
		if !strings.Contains(out, want) {
			t.Errorf("verify does not say %q:\n%s", want, out)
		}
	}
	s.must(t, command{name: "sha256sum -c", dir: s.work, args: []string{"sha256sum", "-c", filepath.Base(s.archive) + ".sha256"}})
	flipped := filepath.Join(s.work, "flipped.tar.gz")
	data, err := os.ReadFile(s.archive)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(flipped, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, status := s.run(t, command{name: "verify one flipped bit", dir: s.work, args: []string{s.pgbundle(), "verify", flipped}}); status != 3 {
		t.Errorf("a flipped bit: exit status %d, want 3\n%s", status, out)
	}
	if err := os.Remove(flipped); err != nil {
		t.Fatal(err)
	}
}

func (s *site) again(t *testing.T) {
	args := append([]string{"sh", "-c", `umask 077; mkdir other; TZ=Asia/Tokyo exec "$@"`, "sh", s.pgbundle(), "build", "--lock", s.archive, "--jobs", "1",
		"--sign", "site.key", "-q", "-o", "other/"}, s.from()...)
	s.must(t, command{name: "build again", dir: s.work, args: args})
	s.must(t, command{name: "cmp", dir: s.work, args: []string{"cmp", s.archive, filepath.Join("other", filepath.Base(s.archive))}})
	if err := os.RemoveAll(filepath.Join(s.work, "other")); err != nil {
		t.Fatal(err)
	}
}

func (s *site) unpack(t *testing.T) {
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
		"mkdir theirs && cp airgap-bundle/rpms/*.rpm theirs/ && createrepo_c --quiet --no-database theirs"}})
	canon := filepath.Join(s.bed.root, "scripts", "oracle", "canon_repodata.py")
	mine := s.must(t, command{name: "our metadata", args: []string{"/usr/bin/python3", canon, filepath.Join(s.bundle, "rpms")}})
	real := s.must(t, command{name: "createrepo_c's metadata", args: []string{"/usr/bin/python3", canon, theirs}})
	if mine != real {
		t.Errorf("our metadata and createrepo_c's differ:\n%s", firstDifference(mine, real))
	}
	if err := os.RemoveAll(theirs); err != nil {
		t.Fatal(err)
	}
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

// dnfArgs installs packages into a root out of the bundle's repository alone.
func (s *site) dnfArgs(t *testing.T, root, rpms string, packages ...string) []string {
	t.Helper()
	repo := filepath.Join(s.work, filepath.Base(root)+".repos.d")
	if err := os.MkdirAll(repo, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "[patroni-airgap]\nname=bundle\nbaseurl=file://" + rpms + "\ngpgcheck=1\nmodule_hotfixes=1\nmetadata_expire=1\n" +
		"gpgkey=file://" + filepath.Join(s.bundle, "rpms/keys/RPM-GPG-KEY-patroni-airgap") + "\n"
	if err := os.WriteFile(filepath.Join(repo, "bundle.repo"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return append([]string{"dnf", "-y", "--noplugins", "--installroot=" + root, "--releasever=9", "--setopt=reposdir=" + repo,
		"--setopt=cachedir=" + filepath.Join(s.work, filepath.Base(root)+".cache"), "--setopt=install_weak_deps=False", "--setopt=best=True",
		"--setopt=module_platform_id=platform:el9", "--setopt=skip_if_unavailable=False", "--setopt=tsflags=nodocs", "install"}, packages...)
}

func (s *site) packages() []string {
	return append([]string{"postgresql" + s.PG + "-server", "postgresql" + s.PG + "-contrib"}, roots...)
}

func (s *site) dnf(t *testing.T) {
	rpms := filepath.Join(s.bundle, "rpms")
	s.must(t, command{name: "dnf install", cut: true, env: []string{"LC_ALL=C"}, args: s.dnfArgs(t, s.root, rpms, s.packages()...)})
	out := s.must(t, command{name: "postgres --version", cut: true, args: []string{"chroot", s.root, "/usr/pgsql-" + s.PG + "/bin/postgres", "--version"}})
	if !strings.Contains(out, "postgres (PostgreSQL) "+s.PG+".") {
		t.Error(out)
	}
}

// dnfRefuses holds that the check before could have failed.
func (s *site) dnfRefuses(t *testing.T) {
	less := filepath.Join(s.work, "less")
	s.must(t, command{name: "a repository without one RPM", dir: s.work, args: []string{"sh", "-c",
		"mkdir less && cp airgap-bundle/rpms/*.rpm less/ && rm less/libev4-*.rpm less/libevent-*.rpm 2>/dev/null; rm -f less/libjansson4-*.rpm; createrepo_c --quiet less"}})
	out, status := s.run(t, command{name: "dnf without one RPM", cut: true, env: []string{"LC_ALL=C"},
		args: s.dnfArgs(t, filepath.Join(s.work, "root2"), less, s.packages()...)})
	if status == 0 || !strings.Contains(out, "nothing provides") {
		t.Errorf("dnf installed without a package that is needed: exit status %d\n%s", status, out)
	}
	s.must(t, command{name: "a package signed by a stranger", dir: s.work, args: []string{"sh", "-c",
		`rm -rf less && mkdir less && cp airgap-bundle/rpms/acl-*.rpm airgap-bundle/rpms/*.rpm less/ &&
		rpmsign --define "_gpg_path $1/gnupg" --define "__gpg /usr/bin/gpg" --define "_gpg_name stranger@testbed.invalid" --resign less/acl-*.rpm &&
		gpgconf --homedir "$1/gnupg" --kill gpg-agent && createrepo_c --quiet less`, "sh", s.Keys}})
	out, status = s.run(t, command{name: "dnf with a stranger's package", cut: true, env: []string{"LC_ALL=C"},
		args: s.dnfArgs(t, filepath.Join(s.work, "root3"), less, "acl")})
	if status == 0 || !strings.Contains(out, "GPG") {
		t.Errorf("dnf took a package by a stranger: exit status %d\n%s", status, out)
	}
	for _, dir := range []string{"less", "root2", "root3"} {
		if err := os.RemoveAll(filepath.Join(s.work, dir)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *site) venv(role string) string { return filepath.Join(s.work, "venv-"+role) }

func (s *site) pip(t *testing.T) {
	for _, role := range []string{"control", "target"} {
		wheels := filepath.Join(s.bundle, "wheels", role)
		python := "python3.11"
		s.must(t, command{name: "venv " + role, cut: true, args: []string{python, "-m", "venv", s.venv(role)}})
		s.must(t, command{name: "pip install " + role, cut: true, env: []string{"PIP_FIND_LINKS=", "PIP_CONFIG_FILE=/dev/null"},
			args: []string{filepath.Join(s.venv(role), "bin/pip"), "install", "--no-index", "--require-hashes", "--only-binary", ":all:",
				"--find-links", wheels, "-r", filepath.Join(wheels, "requirements.lock")}})
		s.must(t, command{name: "pip check " + role, cut: true, args: []string{filepath.Join(s.venv(role), "bin/pip"), "check"}})
	}
}

func (s *site) collections(t *testing.T) {
	into := filepath.Join(s.work, "collections")
	s.must(t, command{name: "ansible-galaxy collection install", dir: filepath.Join(s.bundle, "collections"), cut: true,
		args: []string{filepath.Join(s.venv("control"), "bin/ansible-galaxy"), "collection", "install", "--offline", "-r", "requirements.yml", "-p", into}})
	for _, name := range []string{"community/general", "community/postgresql", "ansible/posix"} {
		if _, err := os.Stat(filepath.Join(into, "ansible_collections", name, "MANIFEST.json")); err != nil {
			t.Error(err)
		}
	}
}

func (s *site) programs(t *testing.T) {
	etcd := filepath.Join(s.work, "etcd-v3.5.16-linux-amd64")
	s.must(t, command{name: "unpack etcd", dir: s.work, cut: true, args: []string{"tar", "xzf", filepath.Join(s.bundle, "etcd/etcd-v3.5.16-linux-amd64.tar.gz")}})
	for _, program := range []struct{ path, says string }{
		{filepath.Join(s.venv("target"), "bin/patroni"), "patroni 3."},
		{filepath.Join(s.venv("target"), "bin/patronictl"), "patronictl version 3."},
		{filepath.Join(s.venv("control"), "bin/ansible-playbook"), "ansible-playbook [core 2.15."},
		{filepath.Join(etcd, "etcd"), "etcd Version: 3.5.16"},
	} {
		word := "--version"
		if strings.HasSuffix(program.path, "patronictl") {
			word = "version"
		}
		out := s.must(t, command{name: filepath.Base(program.path), cut: true, args: []string{program.path, word}})
		if !strings.Contains(out, program.says) {
			t.Errorf("%s %s says %q, want %q", program.path, word, out, program.says)
		}
	}
}

// galaxyDownload holds the server of these tests against the real client: a
// server that only we can talk to would prove nothing.
func (s *site) galaxyDownload(t *testing.T) {
	out := s.must(t, command{name: "ansible-galaxy collection download", dir: s.work, args: []string{
		filepath.Join(s.venv("control"), "bin/ansible-galaxy"), "collection", "download", "-s", s.url + "/galaxy/api/", "-p", "downloaded", "ansible.posix:<2.2"}})
	found, err := filepath.Glob(filepath.Join(s.work, "downloaded", "ansible-posix-*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("downloaded %v (%v)\n%s", found, err, out)
	}
	mine := filepath.Join(s.bundle, "collections", filepath.Base(found[0]))
	s.must(t, command{name: "the same collection", args: []string{"cmp", found[0], mine}})
}
