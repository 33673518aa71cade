package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// preparation is a run while it is looked at.
type preparation struct {
	refusals
	o         *RunOptions
	options   []option
	folder    *folder
	release   *release
	inventory *inventory
	env       []string
	temp      *tempFolder
	asked     map[string]string // option → file with the password
}

// Prepare looks at a run from all sides and refuses, all at once, what can be
// known to go wrong. Close has to be called in any case where it returns a Run.
func Prepare(ctx context.Context, o RunOptions) (*Run, error) {
	p := &preparation{o: &o, options: o.options(), asked: map[string]string{}}
	o.checkArguments(&p.refusals)
	p.folder = readFolder(&o, &p.refusals)
	if p.folder != nil && p.folder.base != "" {
		p.release = readRelease(&o, p.folder.base, &p.refusals)
		checkTags(&o, p.folder.base, &p.refusals)
	}
	if p.folder != nil {
		p.checkPasswordOfVault()
	}
	if p.folder == nil || p.release == nil || p.release.ansible == "" {
		return nil, p.refused()
	}
	var dropped []string
	p.env, dropped = environment(o.Environ, o.Site, p.folder.config, p.release)
	if len(dropped) > 0 {
		o.Observer.Note("not taken over from your environment: " + strings.Join(dropped, ", ") + "; what holds for the site stands in its ansible.cfg")
	}
	temp, err := newTempFolder(o.TempFolders)
	if err != nil {
		return nil, err
	}
	p.temp = temp
	if err = p.lookAtHosts(ctx); err == nil {
		err = p.refused()
	}
	if err != nil {
		return nil, errors.Join(err, temp.close())
	}
	return p.run()
}

func (p *preparation) refused() error { return p.err(p.o.Operation.Name) }

// checkPasswordOfVault refuses an encrypted site without a password.
func (p *preparation) checkPasswordOfVault() {
	if len(p.folder.encrypted) == 0 || p.o.AskVault || given(p.options, "--vault-password-file", "--vault-id") {
		return
	}
	defaults := p.folder.config["defaults"]
	if defaults["vault_password_file"] != "" || defaults["vault_identity_list"] != "" || lookup(p.o.Environ, "ANSIBLE_VAULT_PASSWORD_FILE") != "" {
		return
	}
	p.usage("vault", "give --ask-vault-pass, or --vault-password-file FILE", "%s is encrypted, and no password is given", p.folder.encrypted[0])
}

// lookAtHosts asks for passwords and reads the inventory, when nothing speaks
// against the run so far that would make asking vain, and holds it against the
// rest.
func (p *preparation) lookAtHosts(ctx context.Context) error {
	if p.any() && (p.o.AskVault || len(p.folder.encrypted) > 0) {
		p.folder.checkVault(nil, &p.refusals)
		return nil
	}
	for _, a := range p.o.asks() {
		if err := p.ask(ctx, a); err != nil {
			return err
		}
	}
	err := p.readInventory(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		p.folder.checkVault(nil, &p.refusals)
		p.unfit("inventory", hintFor(Host{Message: err.Error()}, "ssh"), "%v", err)
		return nil
	}
	p.folder.checkVault(p.inventory.groups, &p.refusals)
	hosts, unknown := p.inventory.selectHosts(last(values(p.options, "--limit")))
	for _, name := range unknown {
		p.usage("limit", "there are "+strings.Join(p.known(), ", "), "--limit: %q is neither a host nor a group", name)
	}
	p.checkSecrets()
	p.checkOffline()
	if check := p.o.Operation.check; check != nil {
		check(p)
	}
	if !p.o.lists() && len(unknown) == 0 {
		p.checkHostKeys(ctx, hosts)
	}
	return ctx.Err()
}

// known are the hosts and the groups that have some.
func (p *preparation) known() []string {
	var groups []string
	for name, hosts := range p.inventory.groups {
		if len(hosts) > 0 && name != "all" && name != "ungrouped" {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	return append(p.inventory.names(), groups...)
}

// ask asks for a password and puts it where Ansible will read it.
func (p *preparation) ask(ctx context.Context, a ask) error {
	if !a.wanted {
		return nil
	}
	word, err := p.o.Ask(ctx, a.prompt)
	if err != nil {
		return err
	}
	if word == "" && a.option == "--become-password-file" && p.asked["--connection-password-file"] != "" {
		p.asked[a.option] = p.asked["--connection-password-file"] // as Ansible takes it
		return nil
	}
	if word == "" {
		return manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s: it is empty", a.prompt))
	}
	path, err := p.temp.write(strings.TrimPrefix(a.option, "--"), []byte(word+"\n"))
	if err != nil {
		return fmt.Errorf("hand over the %s: %w", a.prompt, err)
	}
	p.asked[a.option] = path
	return nil
}

// readInventory asks Ansible itself for hosts and variables. They may be
// secrets, and go nowhere. The plays are the release's, so that variables are
// looked for beside its playbook and the inventory, not beside site.yml.
func (p *preparation) readInventory(ctx context.Context) error {
	program := filepath.Join(filepath.Dir(p.release.ansible), "ansible-inventory")
	args := []string{"--list", "--playbook-dir", filepath.Dir(filepath.Join(p.release.base, "playbook", p.o.Operation.Playbook))}
	if file := p.asked["--vault-password-file"]; file != "" {
		args = append(args, "--vault-password-file", file)
	}
	for _, opt := range p.options {
		switch opt.name {
		case "--inventory", "--vault-id", "--vault-password-file", "--extra-vars":
			args = append(args, opt.name, opt.value)
		}
	}
	out, err := p.tool(ctx, maxInventory, program, args...)
	if err != nil {
		return fmt.Errorf("ansible-inventory: %w", err)
	}
	if p.inventory, err = parseInventory(out); err != nil {
		return fmt.Errorf("read the answer of ansible-inventory: %w", err)
	}
	if len(p.inventory.hosts) == 0 {
		return errors.New("it has no hosts")
	}
	return nil
}

// tool runs a program that answers a question, in the site, with what Ansible
// runs with, and returns what it says. An exit status is an error with its last
// complaint.
func (p *preparation) tool(ctx context.Context, limit int, program string, args ...string) ([]byte, error) {
	path := program
	if !filepath.IsAbs(path) {
		path = lookPath(p.o.Environ, program)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	stdout, stderr := &bounded{limit: limit}, &bounded{limit: maxSaid}
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.o.Site, stdout, stderr
	cmd.Env = append(slices.Clone(p.env), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=True")
	cmd.WaitDelay = waitDelay
	if err := runTool(cmd); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return stdout.kept.Bytes(), &toolError{err, complaint(stderr.kept.String())}
	}
	if stdout.more {
		return nil, fmt.Errorf("it said more than %d bytes", limit)
	}
	return stdout.kept.Bytes(), nil
}

// toolError is the failure of a program with what it complained of.
type toolError struct {
	error
	text string
}

func (e *toolError) Unwrap() error { return e.error }
func (e *toolError) Error() string {
	if e.text == "" {
		return e.error.Error()
	}
	return e.error.Error() + ": " + e.text
}

// userOf is the user that Ansible logs in as; empty: ssh's own choice.
func (p *preparation) userOf(host string) string {
	for _, v := range []string{"ansible_user", "ansible_ssh_user"} {
		if user, ok := p.inventory.text(host, v); ok {
			return user
		}
	}
	if user := last(values(p.options, "--user")); user != "" {
		return user
	}
	return p.folder.config["defaults"]["remote_user"]
}

// sshCommand is how a person reaches a host as Ansible does.
func (p *preparation) sshCommand(host string) string {
	args := []string{"ssh"}
	if key := last(values(p.options, "--private-key")); key != "" {
		args = append(args, "-i", key)
	}
	for _, v := range []string{"ansible_port", "ansible_ssh_port"} {
		if port, ok := p.inventory.text(host, v); ok {
			args = append(args, "-p", port)
		}
	}
	address, ok := p.inventory.text(host, "ansible_host")
	if !ok {
		address = host
	}
	if user := p.userOf(host); user != "" {
		address = user + "@" + address
	}
	return shown(append(args, address))
}

// keep writes a file for a person beside the logs, and returns its path.
func (p *preparation) keep(name, text string) (string, error) {
	path := filepath.Join(p.o.LogFolder, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	f, err := createIn(p.o.LogFolder, name)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	return path, errors.Join(err, f.Close())
}
