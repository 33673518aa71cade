//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
)

// TestInstallRefused has a bundle for another machine, a full disk and a second
// run at the same time: everything is told at once, and nothing is touched.
func TestInstallRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n6", "target")
	foreign := n.file(t, s.remake(t, "foreign", func(_ *testing.T, _ string, m *manifest.Manifest) {
		m.Lock.Target = manifest.Target{OS: "rhel", Release: "8.10", Arch: "aarch64", ControlPython: "3.9", NodePython: "3.9"}
	}))
	n.must(t, "root", "sh", "-c", "umask 022; mkdir -p /srv/full/airgap.d && mount -t tmpfs -o size=20m,mode=755 tmpfs /srv/full/airgap.d")
	n.carry(t, "/srv/pgbundle")
	fresh := n.listing(t)
	install := []string{"install", "--role", "both", "--bundle", foreign, "--base-dir", "/srv/full/airgap"}

	t.Run("as root", func(t *testing.T) {
		n.tellsAll(t, append([]string{"sudo", program}, install...), "release", "arch", "python", "space")
		n.unchanged(t, fresh)
	})
	t.Run("as an ordinary user", func(t *testing.T) {
		n.tellsAll(t, append([]string{"/srv/pgbundle"}, install...), "user", "release", "arch", "python", "space")
		n.unchanged(t, fresh)
	})
	t.Run("where no program can run", func(t *testing.T) {
		n.must(t, "root", "mount", "-o", "remount,noexec", "/srv/full/airgap.d")
		n.tellsAll(t, append([]string{"sudo", program}, install...), "mount", "release")
		n.unchanged(t, fresh)
	})
	t.Run("while another install is at work", func(t *testing.T) { n.secondRun(t, n.file(t, s.archive), foreign) })
}

// tellsAll holds that an install is refused for all of these reasons, each told
// to a person with its way out, and to a program.
func (n *node) tellsAll(t *testing.T, words []string, checks ...string) {
	t.Helper()
	out := n.refused(t, "alice", 5, nil, words...)
	json := n.refused(t, "alice", 5, nil, "sh", "-c", quoted(words)+" --json 2>/dev/null")
	said := read[placed](t, json)
	for _, check := range checks {
		i := slices.IndexFunc(said.Findings, func(f finding) bool { return f.Check == check && f.Severity == "error" })
		if i < 0 || said.Findings[i].Hint == "" || !strings.Contains(out, "\n  "+check+": "+said.Findings[i].Detail+": "+said.Findings[i].Hint) {
			t.Errorf("%s is not told to both, with a way out:\n%s\n%s", check, out, json)
		}
	}
}

// secondRun stops an install in the middle, starts another below a base that
// nothing is there of yet, and lets the first go on.
func (n *node) secondRun(t *testing.T, good, foreign string) {
	t.Helper()
	out := n.must(t, "root", "sh", "-c", `
`+program+` install --quiet --role target --bundle "$1" --base-dir "$0" & first=$!
until [ -e "$0".d/*/.incomplete ]; do kill -0 $first || exit 1; sleep 0.01; done
kill -STOP $first
`+program+` install --role both --bundle "$2" --base-dir /srv/new/other; echo second $?
kill -CONT $first; wait $first; echo first $?`, base, good, foreign)
	for _, want := range []string{"\n  running: ", "\n  release: ", "\n  arch: ", "second 5\n", "first 0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the two runs do not say %q:\n%s", want, tail(out))
		}
	}
	n.release(t, "target")
	n.must(t, "alice", "sudo", "pgbundle", "uninstall", "--purge")
}

// TestInstallProof holds that the node's own tools can say no: each bundle here
// is consistent in itself, and only they can find what is wrong with it.
func TestInstallProof(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n7", "target")
	archive := n.file(t, s.archive)
	n.must(t, "alice", "sudo", program, "install", "--role", "target", "--bundle", archive)
	name := n.release(t, "target")
	fresh := n.listing(t, "/var/log/pgbundle")

	sign := func(t *testing.T, verb, file string) {
		s.must(t, command{name: "rpmsign " + verb, args: []string{"rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", "_gpg_path " + s.Keys + "/gnupg",
			"--define", "_gpg_name stranger@testbed.invalid", verb, file}})
		s.must(t, command{name: "gpgconf --kill", args: []string{"gpgconf", "--homedir", s.Keys + "/gnupg", "--kill", "gpg-agent"}})
	}
	for _, fault := range []struct {
		name   string
		status int
		says   string
		change func(t *testing.T, dir string, m *manifest.Manifest)
	}{
		{"a wrong key", 4, "key", func(t *testing.T, dir string, _ *manifest.Manifest) {
			key, err := os.ReadFile(filepath.Join(s.Keys, "RPM-GPG-KEY-testbed-stranger"))
			if err == nil {
				err = os.WriteFile(one(t, dir, "rpms/keys/*"), key, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"a stranger's RPM", 4, "acl-", func(t *testing.T, dir string, _ *manifest.Manifest) {
			sign(t, "--resign", one(t, dir, "rpms/acl-*.rpm"))
			s.repodataOf(t, dir)
		}},
		{"an unsigned RPM", 4, "acl-", func(t *testing.T, dir string, _ *manifest.Manifest) {
			sign(t, "--delsign", one(t, dir, "rpms/acl-*.rpm"))
			s.repodataOf(t, dir)
		}},
		{"a missing RPM", 5, "libevent", func(t *testing.T, dir string, _ *manifest.Manifest) {
			if err := os.Remove(one(t, dir, "rpms/libevent-*.rpm")); err != nil {
				t.Fatal(err)
			}
			s.repodataOf(t, dir)
		}},
		{"a missing RPM that the metadata list", 3, "libevent", func(t *testing.T, dir string, _ *manifest.Manifest) {
			if err := os.Remove(one(t, dir, "rpms/libevent-*.rpm")); err != nil {
				t.Fatal(err)
			}
		}},
		{"deleted repodata", 5, "repodata", func(t *testing.T, dir string, _ *manifest.Manifest) {
			if err := os.RemoveAll(filepath.Join(dir, "rpms/repodata")); err != nil {
				t.Fatal(err)
			}
		}},
		{"metadata of other packages", 3, "primary.xml", func(t *testing.T, dir string, _ *manifest.Manifest) {
			if err := os.Rename(one(t, dir, "rpms/repodata/*-filelists.xml.gz"), one(t, dir, "rpms/repodata/*-primary.xml.gz")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			n.copy(t, s.remake(t, "faulty", fault.change), "/home/alice/")
			n.refused(t, "alice", fault.status, []string{fault.says}, "sudo", program, "install", "--role", "target", "--bundle", "/home/alice/faulty.tar.gz")
			n.noKeys(t)
			if now := n.release(t, "target"); now != name {
				t.Errorf("%s is active, want %s", now, name)
			}
			n.unchanged(t, fresh, "/var/log/pgbundle")
		})
	}
}

// TestFacts holds what pgbundle says of a node against what this bed made of it.
func TestFacts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n := s.boot(t, "n8", "target")
	n.carry(t, "/srv/pgbundle")
	fresh := n.listing(t)
	for _, user := range []string{"alice", "root"} {
		text := n.must(t, user, "sh", "-c", "/srv/pgbundle facts --json 2>/dev/null")
		for _, want := range []string{`"9.4"`, `"x86_64"`, `"noexec"`, `"rpm"`, `"dnf"`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s's facts do not hold %s:\n%s", user, want, text)
			}
		}
		for _, secret := range []string{"alice", "n8\"", "02:00:0a:4d"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s's facts hold %s:\n%s", user, secret, text)
			}
		}
		s.evidence.Facts[user] = withoutRelations(t, read[map[string]any](t, text))
	}
	n.unchanged(t, fresh)
}

// withoutRelations takes the megabytes out of facts: what the packages provide
// and require. Some packages have to have had them.
func withoutRelations(t *testing.T, facts map[string]any) map[string]any {
	t.Helper()
	provide, require, files := false, false, false
	for _, p := range facts["packages"].([]any) {
		p := p.(map[string]any)
		provide, require, files = provide || p["provides"] != nil, require || p["requires"] != nil, files || p["files"] != nil
		for _, kind := range []string{"provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances", "files"} {
			delete(p, kind)
		}
	}
	if !provide || !require || !files {
		t.Errorf("packages provide %v, require %v, have files %v", provide, require, files)
	}
	return facts
}
