//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dnfWith is dnf on a root below the work folder that knows the given
// repositories and no other; a verb and packages follow.
func (s *site) dnfWith(t *testing.T, root, repoFile string) []string {
	t.Helper()
	repos := filepath.Join(s.work, root+".repos.d")
	if err := os.MkdirAll(repos, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repos, "test.repo"), []byte(repoFile), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"dnf", "-y", "--noplugins", "--installroot=" + filepath.Join(s.work, root), "--releasever=9", "--setopt=reposdir=" + repos,
		"--setopt=cachedir=" + filepath.Join(s.work, root+".cache"), "--setopt=install_weak_deps=False", "--setopt=best=True",
		"--setopt=module_platform_id=platform:el9", "--setopt=skip_if_unavailable=False", "--setopt=tsflags=nodocs"}
}

// bundleRepo is the repository file of a node, for the packages in a folder
// and the keys of the bundle.
func (s *site) bundleRepo(rpms string) string {
	keys, err := filepath.Glob(filepath.Join(s.bundle, "rpms/keys/*"))
	if err != nil || len(keys) == 0 {
		return ""
	}
	return "[patroni-airgap]\nname=bundle\nbaseurl=file://" + rpms + "\ngpgcheck=1\nmodule_hotfixes=1\nmetadata_expire=1\n" +
		"gpgkey=file://" + strings.Join(keys, " file://") + "\n"
}

// install is dnf installing packages into a root from one folder alone.
func (s *site) install(t *testing.T, root, rpms string, packages ...string) []string {
	t.Helper()
	return append(append(s.dnfWith(t, root, s.bundleRepo(rpms)), "install"), packages...)
}

// dnf makes a node: all roots, signatures checked, nothing but the bundle.
// Every package of the bundle has to be needed for that.
func (s *site) dnf(t *testing.T) {
	s.must(t, command{name: "dnf install", cut: true, args: s.install(t, "root", filepath.Join(s.bundle, "rpms"), s.roots()...)})
	out := s.must(t, command{name: "rpm -qa", cut: true, args: []string{"rpm", "--root", s.root, "-qa", "--qf", "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n"}})
	installed, carried := rpmNames(out), names(t, filepath.Join(s.bundle, "rpms", "*.rpm"))
	if unused, extra := minus(carried, installed), minus(installed, carried); len(unused) > 0 || len(extra) > 0 {
		t.Errorf("installed and carried differ: only carried %v, only installed %v", unused, extra)
	}
}

// rpmNames leaves out the keys that dnf imported, which rpm lists as packages.
func rpmNames(out string) []string {
	var list []string
	for _, name := range strings.Fields(out) {
		if !strings.HasPrefix(name, "gpg-pubkey-") {
			list = append(list, name)
		}
	}
	return list
}

// missingPackage, like the parts after it, holds that dnf could have failed.
func (s *site) missingPackage(t *testing.T) {
	s.must(t, command{name: "a repository without one RPM", dir: s.work, args: []string{"sh", "-c",
		"mkdir less && cp airgap-bundle/rpms/*.rpm less/ && rm less/libevent-*.rpm && createrepo_c --quiet less"}})
	s.refused(t, command{name: "dnf without one RPM", cut: true, args: s.install(t, "without", filepath.Join(s.work, "less"), s.roots()...)}, "nothing provides")
	s.remove(t, "less", "without")
}

func (s *site) strangersPackage(t *testing.T) {
	s.must(t, command{name: "a package signed by a stranger", dir: s.work, args: []string{"sh", "-c",
		`mkdir strange && cp airgap-bundle/rpms/*.rpm strange/ && rpmsign --define "_gpg_path $1/gnupg" --define "__gpg /usr/bin/gpg" \
			--define "_gpg_name stranger@testbed.invalid" --resign strange/acl-*.rpm && gpgconf --homedir "$1/gnupg" --kill gpg-agent && createrepo_c --quiet strange`,
		"sh", s.Keys}})
	s.refused(t, command{name: "dnf with a stranger's package", cut: true, args: s.install(t, "strangers", filepath.Join(s.work, "strange"), "acl")}, "GPG")
	s.remove(t, "strange", "strangers")
}

// changedPackage changes one byte of a package's payload and nothing else: the
// metadata of the bundle has to give it away.
func (s *site) changedPackage(t *testing.T) {
	changed := filepath.Join(s.work, "changed")
	s.must(t, command{name: "a copy of the bundle's repository", args: []string{"cp", "-r", filepath.Join(s.bundle, "rpms"), changed}})
	found, err := filepath.Glob(filepath.Join(changed, "acl-*.rpm"))
	if err != nil || len(found) != 1 {
		t.Fatalf("acl: %v (%v)", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-100] ^= 1
	if err := os.WriteFile(found[0], data, 0o644); err != nil {
		t.Fatal(err)
	}
	s.refused(t, command{name: "dnf with a changed package", cut: true, args: s.install(t, "changes", changed, "acl")}, "checksum")
	s.remove(t, "changed", "changes")
}
