package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// repoID is the name that the playbook knows the repository by, too.
const repoID = "patroni-airgap"

// repoFile is the repository as dnf is told of it here. What a hardened node
// may set for all repositories is set back: the metadata has no signature of
// its own, it is vouched for by the bundle's manifest. Signatures are asked for
// as in the installed one, also when no package has any and the key file is not
// there: dnf reads it when it installs, and refuses a repository that names none.
func (p *prover) repoFile() string {
	return "[" + repoID + "]\nname=" + repoID + "\nbaseurl=file://" + p.Folder + "\nenabled=1\n" +
		"gpgcheck=1\nrepo_gpgcheck=0\ngpgkey=file://" + p.Keys + "\nskip_if_unavailable=0\nmodule_hotfixes=1\nmetadata_expire=1\n"
}

// resolve asks dnf to install the roots from the folder alone, on this node,
// and to stop before it does.
func (p *prover) resolve(ctx context.Context) (*table, error) {
	repos, err := p.scratch("repos")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(repos, repoID+".repo"), []byte(p.repoFile()), 0o600); err != nil {
		return nil, fmt.Errorf("ask dnf: %w", err)
	}
	out, err := p.run.Run(ctx, p.command(p.dnf(repos)...))
	if err != nil {
		return nil, fmt.Errorf("ask dnf: %w", err)
	}
	return read(out)
}

// nodeRepos is where a node's own repositories are configured.
const nodeRepos = "/etc/yum.repos.d"

// dnf is the command line. Of the plugins only version locks take part in the
// answer; others write to the node or ask servers. persistdir is where dnf
// keeps its history, logdir its logs, cachedir its metadata and locks.
func (p *prover) dnf(repos string) []string {
	at := func(name string) string { return filepath.Join(p.Scratch, name) }
	only := []string{"--disablerepo=*"}
	if p.Others {
		repos, only = repos+","+nodeRepos, nil
	}
	return slices.Concat([]string{"dnf", "--disableplugin=*", "--enableplugin=versionlock",
		"--setopt=reposdir=" + repos, "--setopt=cachedir=" + at("cache"), "--setopt=logdir=" + at("log"), "--setopt=persistdir=" + at("persist"),
		"--setopt=strict=True", "--setopt=best=True"}, only, []string{"--enablerepo=" + repoID, "--refresh", "--assumeno", "install"}, p.Roots)
}

// read judges what dnf said. With --assumeno its exit status says nothing: 1 is
// both "the answer was no" and any failure.
func read(out node.Output) (*table, error) {
	switch {
	case out.Status == 0 && hasLine(out.Stdout, "Nothing to do."):
		return &table{present: present(out.Stdout)}, nil
	case out.Status == 1 && hasLine(out.Stderr, "Operation aborted."):
		t, err := parseTable(out.Stdout)
		if err != nil {
			return nil, fmt.Errorf("read dnf's table: %w", err)
		}
		t.present = present(out.Stdout)
		return t, nil
	}
	return nil, failure(out)
}

func hasLine(text, want string) bool {
	return slices.Contains(strings.Split(text, "\n"), want)
}

// failure is dnf's failure with its text: what it says before "Error:" names
// the argument or the file, what follows names the reason.
func failure(out node.Output) error {
	var findings []string
	for line := range strings.Lines(out.Stdout) {
		if strings.HasPrefix(line, "No match for argument") || strings.HasPrefix(line, "All matches were filtered out") {
			findings = append(findings, strings.TrimSpace(line))
		}
	}
	relevant := false
	for line := range strings.Lines(out.Stderr) {
		line = strings.TrimSpace(line)
		relevant = relevant || strings.HasPrefix(line, "Error") // "Errors during downloading metadata", too
		if line = strings.TrimSpace(strings.TrimPrefix(line, "Error:")); relevant && line != "" {
			findings = append(findings, line)
		}
	}
	if len(findings) == 0 {
		return fmt.Errorf("ask dnf: exit status %d: %s", out.Status, out.Text())
	}
	err := errors.New("ask dnf:" + lines(findings))
	text := strings.Join(findings, "\n")
	for _, c := range failures {
		if strings.Contains(text, c.words) {
			return manifest.Classify(c.class, err)
		}
	}
	return err
}

// failures are the words by which dnf's failures are told apart.
var failures = []struct {
	words string
	class error
}{
	{"Failed to download metadata", manifest.ErrDamaged},
	{"downloading metadata for repo", manifest.ErrDamaged},
	{"No match for argument", manifest.ErrUnsolvable},
	{"All matches were filtered out", manifest.ErrUnsolvable},
	{"Unable to find a match", manifest.ErrUnsolvable},
	{"Problem", manifest.ErrUnsolvable},
}
