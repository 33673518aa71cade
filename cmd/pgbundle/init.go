package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"pgbundle/install"
	"pgbundle/install/deploy"
	"pgbundle/manifest"
)

func initCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "write a site directory: inventory, variables, generated secrets",
		ArgsUsage: "[DIR]",
		Description: `Writes what describes one cluster, for pgbundle deploy and for ansible-playbook, into
DIR or the current folder: ansible.cfg, inventory/hosts.yml, group_vars/, site.yml and
playbooks/ that import those of the release on this control node. Nothing that exists
is overwritten. On a terminal it asks for what no flag says; elsewhere all that is
missing or cannot work is told at once.

In the layout collocated everything runs on each of 3, 5 or 7 nodes; in the layout
separated etcd has 3, 5 or 7 nodes of its own, and 2 database nodes are enough. The
first --node holds the virtual address at first.

The passwords of the cluster are generated, and encrypted as ansible-vault does it. The
password for that is taken from a file, which ansible.cfg then names, or asked for.

Examples:
   pgbundle init site
   pgbundle init --node pg1=10.0.0.11 --node pg2=10.0.0.12 --node pg3=10.0.0.13 --vip 10.0.0.10/24 \
       --vault-password-file ~/.vault-pass --generate-vault-password site
   pgbundle init --layout separated --node pg1=10.0.0.11 --node pg2=10.0.0.12 --etcd etcd1=10.0.0.21 \
       --etcd etcd2=10.0.0.22 --etcd etcd3=10.0.0.23 --vip 10.0.0.10 --vault-password-file ~/.vault-pass site`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "layout", Usage: "`LAYOUT` collocated or separated (default: separated with --etcd, else collocated)"},
			&cli.StringSliceFlag{Name: "node", Usage: "a database node as `NAME=IP`, its name and IPv4 address; once for each"},
			&cli.StringSliceFlag{Name: "etcd", Usage: "a node of etcd as `NAME=IP`, in the layout separated; once for each"},
			&cli.StringFlag{Name: "vip", Usage: "the virtual address that applications connect to as `IP[/BITS]`, with the length of its network (default: /24)"},
			&cli.StringFlag{Name: "vip-interface", Usage: "attach it to the network interface `NAME` of the nodes (default: eth0)"},
			&cli.StringFlag{Name: "virtual-router-id", Usage: "VRRP's `ID`, 1 to 255, one of its own on a shared network (default: 51)"},
			&cli.StringFlag{Name: "cluster-name", Usage: "`NAME` of the cluster (default: pg-ha-cluster)"},
			&cli.StringFlag{Name: "user", Usage: "`USER` that Ansible logs in as, root or one with sudo (default: root)"},
			&cli.StringSliceFlag{Name: "allow", Usage: "a network that may connect as `CIDR`; once for each (default: that of the virtual address)"},
			&cli.StringFlag{Name: "profile", Usage: "tuning `PROFILE`: minimal, small, medium, large or xl (default: minimal)"},
			&cli.StringFlag{Name: "pg", Usage: "PostgreSQL `MAJOR` (default: that of the release, else 16)"},
			&cli.BoolFlag{Name: "synchronous", Usage: "turn synchronous replication on"},
			&cli.StringFlag{Name: "timezone", Usage: "set the nodes to the time zone `NAME` (default: leave theirs)"},
			&cli.StringFlag{Name: "base-dir", Usage: "the release is below `DIR`", Value: install.DefaultBase},
			&cli.StringFlag{Name: "vault-password-file", Usage: "encrypt the secrets with the password in `FILE`"},
			&cli.BoolFlag{Name: "generate-vault-password", Usage: "make that file, with a new password"},
			&cli.BoolFlag{Name: "plain-vault", Usage: "leave the secrets unencrypted"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runInit(c, h) },
	}
}

func runInit(c *cli.Context, h host) error {
	dir, err := siteOperand(c)
	if err != nil {
		return err
	}
	if err := deploy.CheckSiteDir(dir); err != nil {
		return err
	}
	vault, err := vaultOf(c, h, dir)
	if err != nil {
		return err
	}
	site, err := siteOf(c, h, vault)
	if err != nil {
		return err
	}
	if err := vault.ask(c, h); err != nil {
		return err
	}
	files, err := vault.write(func() ([]string, error) {
		return site.Write(c.Context, dir, deploy.SiteVault{Password: vault.password, Plain: vault.plain}, rand.Reader)
	})
	if err != nil {
		return err
	}
	made := madeSite{Dir: dir, Files: files, Encrypted: !vault.plain, Notes: site.Notes, Next: nextSteps(dir, site, vault)}
	if vault.regular {
		made.PasswordFile = vault.file
	}
	if !hasVenv(site.Base) {
		made.Notes = append(made.Notes, fmt.Sprintf("there is no release for a control node at %s, which this site uses: pgbundle install --role control", site.Base))
	}
	if c.Bool("json") {
		return writeJSON(h.stdout, made)
	}
	writeSite(h.stdout, made)
	return nil
}

// siteOperand is where the site goes. An empty one is refused: a variable of a
// script that is not set must not become a default.
func siteOperand(c *cli.Context) (string, error) {
	if c.NArg() > 1 {
		return "", &usageError{fmt.Sprintf("init takes one DIR, not %d", c.NArg()), "pgbundle init --help"}
	}
	if c.NArg() == 1 && c.Args().First() == "" {
		return "", &usageError{"DIR is empty: is a variable not set?", "pgbundle init ."}
	}
	return cmp.Or(c.Args().First(), "."), nil
}

// siteOf makes a checked site of the flags, and of answers on a terminal where
// something is missing.
func siteOf(c *cli.Context, h host, vault *siteVault) (*deploy.Site, error) {
	answers := deploy.SiteAnswers{
		Layout: c.String("layout"), Nodes: c.StringSlice("node"), EtcdNodes: c.StringSlice("etcd"), VIP: c.String("vip"),
		Interface: c.String("vip-interface"), RouterID: c.String("virtual-router-id"), Cluster: c.String("cluster-name"), User: c.String("user"),
		Allow: c.StringSlice("allow"), Profile: c.String("profile"), Postgres: c.String("pg"), Synchronous: c.Bool("synchronous"),
		Timezone: c.String("timezone"), Base: plainBase(c.String("base-dir")), PasswordFile: vault.named(),
	}
	release, err := siteRelease(answers.Base)
	if err != nil {
		return nil, err
	}
	terminal := terminalOf(h)
	site, findings := answers.Site(release)
	if terminal != nil && missing(findings) {
		if wrong := wrongAlready(c, findings); len(wrong) > 0 {
			return nil, refuseSite(wrong)
		}
		if answers, err = answers.Ask(c.Context, terminal, c.IsSet, release); err != nil {
			return nil, err
		}
		site, findings = answers.Site(release)
	}
	if terminal == nil && vault.unsaid() {
		findings = append(findings, deploy.SiteFinding{
			Flag: "vault-password-file", Missing: true,
			Text: "takes the file with the password to encrypt the secrets with, which --generate-vault-password makes; or --plain-vault leaves them unencrypted",
		})
	}
	if len(findings) > 0 {
		return nil, refuseSite(findings)
	}
	return site, nil
}

// siteRelease reads what the release on this control node was made for.
func siteRelease(base string) (deploy.SiteRelease, error) {
	data, err := os.ReadFile(filepath.Join(base, manifest.ManifestName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return deploy.SiteRelease{}, nil
	}
	if err != nil {
		return deploy.SiteRelease{}, fmt.Errorf("read what is installed: %w", err)
	}
	m, err := manifest.ParseManifest(data)
	if err != nil {
		return deploy.SiteRelease{}, fmt.Errorf("read what is installed in %s: %w", base, err)
	}
	return deploy.SiteReleaseOf(m), nil
}

func missing(findings []deploy.SiteFinding) bool {
	for _, f := range findings {
		if f.Missing {
			return true
		}
	}
	return false
}

// wrongAlready are the findings that no answer can settle.
func wrongAlready(c *cli.Context, findings []deploy.SiteFinding) []deploy.SiteFinding {
	var wrong []deploy.SiteFinding
	for _, f := range findings {
		if c.IsSet(f.Flag) && !f.Open() {
			wrong = append(wrong, f)
		}
	}
	return wrong
}

// refuseSite tells all that speaks against a site at once.
func refuseSite(findings []deploy.SiteFinding) error {
	lines := make([]string, len(findings))
	for n, f := range findings {
		lines[n] = f.String()
	}
	return &usageError{strings.Join(lines, "\n"), "pgbundle init --help"}
}

// madeSite is the result of init.
type madeSite struct {
	Dir          string   `json:"dir"`
	Files        []string `json:"files"` // below Dir
	Encrypted    bool     `json:"encrypted"`
	PasswordFile string   `json:"vault_password_file,omitempty"`
	Notes        []string `json:"notes,omitempty"`
	Next         []string `json:"next"` // commands
}

func nextSteps(dir string, site *deploy.Site, vault *siteVault) []string {
	var steps []string
	if filepath.Clean(dir) != "." {
		steps = append(steps, "cd "+shellWord(dir))
	}
	ask := ""
	switch {
	case vault.plain || site.PasswordFile != "":
	case vault.file != "":
		ask = " --vault-password-file " + shellWord(vault.file)
	default:
		ask = " --ask-vault-pass"
	}
	sudo := ""
	if site.User != "root" {
		sudo = " --ask-become-pass"
	}
	if hasVenv(site.Base) {
		steps = append(steps, "source "+activate(site.Base))
	}
	return append(steps, "ansible all -m ping"+ask, "pgbundle deploy --offline"+ask+sudo)
}

// activate is what puts the release's Ansible on the PATH of a shell.
func activate(base string) string { return filepath.Join(base, "venv", "bin", "activate") }

func hasVenv(base string) bool {
	_, err := os.Stat(activate(base))
	return err == nil
}

func writeSite(w io.Writer, made madeSite) {
	for _, name := range made.Files {
		fmt.Fprintf(w, "wrote    %s\n", filepath.Join(made.Dir, name))
	}
	secrets := filepath.Join(made.Dir, deploy.VaultPath)
	switch {
	case !made.Encrypted:
		fmt.Fprintf(w, "secrets  %s: NOT ENCRYPTED, whoever reads the file has every password (ansible-vault encrypt encrypts it)\n", secrets)
	case made.PasswordFile != "":
		fmt.Fprintf(w, "secrets  %s, encrypted with the password in %s: keep it, and a copy of it\n", secrets, made.PasswordFile)
	default:
		fmt.Fprintf(w, "secrets  %s, encrypted: without the password they are lost\n", secrets)
	}
	for _, note := range made.Notes {
		fmt.Fprintf(w, "note     %s\n", note)
	}
	fmt.Fprintln(w, "next:")
	for _, step := range made.Next {
		fmt.Fprintf(w, "   %s\n", step)
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._+=:@-]+$`)

// shellWord is a word as a shell takes it.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
