//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Where things are on a node.
const (
	base     = "/opt/patroni-airgap"
	releases = "/opt/patroni-airgap.d"
	repoFile = "/etc/yum.repos.d/patroni-airgap.repo"
	program  = "/root/pgbundle" // as a site carries it: beside the archive
)

// placed is what pgbundle install --json says that these tests look at.
type placed struct {
	Release       string
	Authenticated bool
	Findings      []finding
	Placed        bool
	Switched      bool
	Former        string
	DryRun        bool `json:"dry_run"`
	Proof         nodeChanges
}

// nodeChanges are what dnf says, or verify foretells, that would become of a node's
// packages.
type nodeChanges struct {
	New, Upgraded, Reinstalled []change
	Replaced                   []change // as verify calls them
	Removed                    []change // as the node's dnf does
}

type change struct{ Name, Arch, EVR, From, Vendor string }

type finding struct{ Check, Severity, Detail, Hint string }

// standing is what pgbundle status --json says.
type standing struct {
	Base     string
	Active   string
	Releases []struct {
		Name, Path, By, Authentic string
		Roles                     []string
		Active, Authenticated     bool
		Drift                     []struct{ Path, Detail string }
	}
	Findings, Left []string
	Verified       bool
	Whole          bool
}

// release is the active one, of which status has to find nothing wrong.
func (n *node) release(t *testing.T, roles ...string) string {
	t.Helper()
	st := answer[standing](t, n, "alice", "sudo", "pgbundle", "status", "--verify", "--json")
	if !st.Whole || !st.Verified || len(st.Left) > 0 || st.Active == "" {
		t.Fatalf("status: %+v", st)
	}
	for _, r := range st.Releases {
		if r.Active && (r.Name != st.Active || len(roles) > 0 && !slices.Equal(r.Roles, roles)) {
			t.Errorf("active is %q with %v, want %v", r.Name, r.Roles, roles)
		}
	}
	return st.Active
}

// folder brings the unpacked bundle to alice's home, where no program can be run.
func (n *node) folder(t *testing.T) string {
	t.Helper()
	n.unpacked(t)
	n.copy(t, n.bundle, "/home/alice/")
	return "/home/alice/airgap-bundle"
}

// file brings an archive to the node, and the program that installs it.
func (n *node) file(t *testing.T, archive string) string {
	t.Helper()
	n.copy(t, archive, "/home/alice/")
	n.carry(t, program)
	return "/home/alice/" + filepath.Base(archive)
}

// carry brings the program alone to the node.
func (n *node) carry(t *testing.T, to string) {
	t.Helper()
	n.copy(t, n.pgbundle(), "/home/alice/carried")
	n.must(t, "alice", "sudo", "install", "-m", "755", "/home/alice/carried", to)
}

// listing is every file of the node with its mode, owner, size and time: what
// has to be the same where nothing was changed. What a login, a query of the
// rpmdb or the system's own services write is left out, and what alsoNot names.
func (n *node) listing(t *testing.T, alsoNot ...string) []string {
	t.Helper()
	not := append([]string{"/home/alice", "/var/log/lastlog", "/var/log/wtmp", "/var/log/btmp", "/var/lib/systemd", "/var/lib/rpm/rpmdb.sqlite-shm"}, alsoNot...)
	script := `find / -xdev \( -path ` + strings.Join(not, " -o -path ") + ` \) -prune -o -type d -printf '%p/ %m %u:%g\n' -o -printf '%p %y%m %u:%g %s %T@ %l\n' | sort`
	return strings.Split(n.must(t, "root", "sh", "-c", script), "\n")
}

// unchanged holds a node against an earlier listing.
func (n *node) unchanged(t *testing.T, before []string, alsoNot ...string) {
	t.Helper()
	after := n.listing(t, alsoNot...)
	if gone, new := minus(before, after), minus(after, before); len(gone) > 0 || len(new) > 0 {
		t.Errorf("changed, though nothing was to be:\nbefore %s\nafter %s", few(gone), few(new))
	}
}

// few are the first lines of many.
func few(lines []string) string {
	if len(lines) > 20 {
		lines = append(lines[:20:20], fmt.Sprintf("and %d more", len(lines)-20))
	}
	return strings.Join(lines, "\n       ")
}

// noKeys holds that nothing imported a key: a key in the rpmdb vouches for
// packages of any repository from then on.
func (n *node) noKeys(t *testing.T) {
	t.Helper()
	n.refused(t, "root", 1, []string{"gpg-pubkey is not installed"}, "rpm", "-q", "gpg-pubkey")
}

// TestInstallTarget puts the unpacked bundle on a node from a folder where no
// program can run, takes it away, puts it there again and uses it.
func TestInstallTarget(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n1", "target")
	script := n.folder(t) + "/airgap-install.sh"
	fresh := n.listing(t)

	n.refused(t, "alice", 126, []string{"Permission denied"}, script, "--role", "target")
	n.must(t, "alice", "sudo", "sh", script, "--role", "target", "--dry-run")
	n.unchanged(t, fresh)
	out := n.must(t, "alice", "sh", "-c", "sudo sh "+script+" --role target 2>/dev/null")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); !strings.Contains(lines[0], "not authenticated") || !strings.Contains(lines[len(lines)-1], "not authenticated") {
		t.Errorf("neither first nor last line says that nobody vouches for the bundle:\n%s", out)
	}
	name := n.release(t, "target")
	n.noKeys(t)

	t.Run("it lies as promised", n.liesAsPromised)
	t.Run("a second run changes nothing", func(t *testing.T) {
		// the history is written again: the same words
		not := []string{"/var/log/pgbundle", releases + "/history.yaml"}
		before, history := n.listing(t, not...), n.must(t, "root", "cat", not[1])
		again := answer[placed](t, n, "alice", "sudo", "sh", script, "--role", "target", "--json")
		if again.Placed || again.Switched || again.Release != name {
			t.Errorf("%+v", again)
		}
		n.unchanged(t, before, not...)
		if now := n.must(t, "root", "cat", not[1]); now != history {
			t.Errorf("the history was %s\nand is %s", history, now)
		}
	})
	t.Run("uninstall leaves the logs", func(t *testing.T) {
		n.must(t, "alice", "sudo", "pgbundle", "uninstall")
		if out := n.must(t, "root", "sh", "-c", "stat -c %a /var/log/pgbundle /var/log/pgbundle/* | sort -u"); out != "600\n700\n" {
			t.Errorf("modes of the logs: %q", out)
		}
		n.unchanged(t, fresh, "/var/log/pgbundle", releases+"/history.yaml", releases)
		n.must(t, "alice", "sudo", "sh", script, "--role", "target")
		n.must(t, "alice", "sudo", "pgbundle", "uninstall", "--purge")
		n.unchanged(t, fresh)
	})
	t.Run("dnf installs from it", func(t *testing.T) {
		n.must(t, "alice", "sudo", "sh", script, "--role", "target")
		n.usesIt(t)
	})
}

// liesAsPromised looks at what an install writes, as an ordinary user: root's
// umask of 077 must not show.
func (n *node) liesAsPromised(t *testing.T) {
	for _, fact := range []struct{ script, says string }{
		{"readlink " + base + " | cut -d/ -f1", "patroni-airgap.d\n"},
		{"command -v pgbundle; sudo sh -c 'command -v pgbundle'", "/usr/local/bin/pgbundle\n/bin/pgbundle\n"},
		{"grep -E '^(enabled|gpgcheck|module_hotfixes|metadata_expire|baseurl)=' " + repoFile,
			"baseurl=file://" + base + "/rpms\nenabled=0\ngpgcheck=1\nmodule_hotfixes=1\nmetadata_expire=1\n"},
		{"cd " + base + " && ls -d rpms wheels/target etcd wheels/control venv collections 2>/dev/null", "etcd\nrpms\nwheels/target\n"},
		{"cd " + base + " && sha256sum --quiet --ignore-missing -c SHA256SUMS && echo whole", "whole\n"},
		{"find -L " + base + "/ ! -perm -o=r -o -perm /022 -o ! -user root", ""},
		{"find " + releases + "/ -name '.*'", ""},
	} {
		if out, _ := n.run(t, "alice", "sh", "-c", fact.script); out != fact.says {
			t.Errorf("%s says %q, want %q", fact.script, out, fact.says)
		}
	}
}

// usesIt installs a cluster's packages with the node's own dnf.
func (n *node) usesIt(t *testing.T) {
	t.Helper()
	n.must(t, "alice", "sudo", "dnf", "-y", "--disablerepo=*", "--enablerepo=patroni-airgap", "install",
		"postgresql"+n.PG+"-server", "pgbouncer", "haproxy", "keepalived")
	if out := n.must(t, "postgres", "/usr/pgsql-"+n.PG+"/bin/postgres", "--version"); !strings.HasPrefix(out, "postgres (PostgreSQL) "+n.PG+".") {
		t.Errorf("postgres says %q", out)
	}
	keys := strings.Fields(n.must(t, "root", "rpm", "-q", "gpg-pubkey"))
	if len(keys) != 2 {
		t.Errorf("dnf checked signatures with %v, want the distribution's and PGDG's key", keys)
	}
}

// TestInstallArchive puts bundles on a node straight from their archives, with
// and without a trusted key, switches between two and goes back.
func TestInstallArchive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n2", "target")
	older := n.file(t, s.archive)
	newer := n.file(t, s.other(t))
	n.copy(t, filepath.Join(s.work, "site.pub"), "/home/alice/")
	n.copy(t, filepath.Join(s.work, "stranger.pub"), "/home/alice/")
	install := []string{"sudo", program, "install", "--role", "target", "--json", "--pubkey"}

	fresh := n.listing(t)
	n.refused(t, "alice", 4, nil, append(install, "/home/alice/stranger.pub", "--bundle", older)...)
	n.unchanged(t, fresh)
	foretold := s.foretells(t, n, s.archive)
	first := answer[placed](t, n, "alice", append(install, "/home/alice/site.pub", "--bundle", older)...)
	first.Proof.equal(t, foretold)
	second := answer[placed](t, n, "alice", append(install, "/home/alice/site.pub", "--bundle", newer)...)
	if !first.Authenticated || !second.Authenticated || second.Former != first.Release || n.release(t, "target") != second.Release {
		t.Fatalf("%+v\n%+v", first, second)
	}

	dnf := []string{"sudo", "dnf", "-y", "--disablerepo=*", "--enablerepo=patroni-airgap", "install", "pgbackrest"}
	n.refused(t, "alice", 1, []string{"Unable to find a match: pgbackrest"}, dnf...)
	out := n.must(t, "alice", "sudo", "pgbundle", "rollback")
	if !strings.Contains(out, "pgbundle deploy") {
		t.Errorf("rollback does not say what would change the packages:\n%s", out)
	}
	if now := n.release(t, "target"); now != first.Release {
		t.Errorf("after the rollback %s is active, want %s", now, first.Release)
	}
	n.must(t, "alice", dnf...)
	n.must(t, "alice", "pgbackrest", "version")
	n.must(t, "alice", "sudo", "pgbundle", "rollback")
	if now := n.release(t, "target"); now != second.Release {
		t.Errorf("after a second rollback %s is active, want %s", now, second.Release)
	}
}

// foretells asks pgbundle, away from the node, what a bundle would change on it.
func (s *site) foretells(t *testing.T, n *node, archive string) nodeChanges {
	t.Helper()
	facts := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(facts, []byte(n.must(t, "root", "sh", "-c", program+" facts 2>/dev/null")), 0o644); err != nil {
		t.Fatal(err)
	}
	out := s.must(t, command{name: "verify for a node", dir: s.work, args: []string{s.pgbundle(), "verify", "--quiet", "--json", "--allow-upgrades", "--node", facts, archive}})
	told := read[struct{ Nodes []nodeChanges }](t, out)
	if len(told.Nodes) != 1 || len(told.Nodes[0].New) == 0 {
		t.Fatalf("verify foretells nothing:\n%s", out)
	}
	return told.Nodes[0]
}

// equal holds what the node's own dnf said against what was foretold.
func (c nodeChanges) equal(t *testing.T, foretold nodeChanges) {
	t.Helper()
	for _, kind := range []struct {
		name      string
		got, want []change
	}{{"new", c.New, foretold.New}, {"upgraded", c.Upgraded, foretold.Upgraded}, {"reinstalled", c.Reinstalled, foretold.Reinstalled}} {
		sorted := func(list []change) []change {
			list = slices.Clone(list)
			slices.SortFunc(list, func(a, b change) int { return strings.Compare(a.Name+a.Arch, b.Name+b.Arch) })
			return list
		}
		if got, want := sorted(kind.got), sorted(kind.want); !slices.Equal(got, want) {
			t.Errorf("dnf on the node has as %s %v, foretold was %v", kind.name, got, want)
		}
	}
	if len(c.Removed) != len(foretold.Replaced) {
		t.Errorf("dnf on the node removes %v, foretold was %v", c.Removed, foretold.Replaced)
	}
	t.Logf("%d new, %d upgraded, %d reinstalled, as foretold", len(c.New), len(c.Upgraded), len(c.Reinstalled))
}

// TestInstallElsewhere puts a release where a site wants it, and finds it again
// without being told.
func TestInstallElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.build(t)
	n := s.boot(t, "n3", "target")
	archive := n.file(t, s.archive)
	fresh := n.listing(t)
	n.must(t, "alice", "sudo", program, "install", "--role", "target", "--bundle", archive, "--base-dir", "/srv/pg/airgap")
	n.release(t, "target")
	if st := answer[standing](t, n, "alice", "pgbundle", "status", "--json"); st.Base != "/srv/pg/airgap" {
		t.Errorf("status finds %q", st.Base)
	}
	n.must(t, "alice", "ls", "/srv/pg/airgap/rpms")
	n.must(t, "alice", "sudo", "pgbundle", "uninstall", "--purge")
	n.must(t, "alice", "sudo", "rmdir", "/srv/pg")
	n.unchanged(t, fresh)

	t.Run("what older scripts left", func(t *testing.T) {
		n.must(t, "alice", "sudo", "sh", "-c", "mkdir -p "+base+"/rpms && echo old >"+base+"/rpms/file && echo [old] >"+repoFile)
		n.must(t, "alice", "sudo", program, "install", "--role", "target", "--bundle", archive)
		n.release(t, "target")
		n.must(t, "alice", "sudo", "pgbundle", "rollback")
		if out := n.must(t, "root", "cat", base+"/rpms/file", repoFile); out != "old\n[old]\n" {
			t.Errorf("the older scripts' files are %q", out)
		}
	})
}
