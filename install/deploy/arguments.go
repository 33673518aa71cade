package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// secretNames are the variables that hold the site's secrets. They have no
// default, so each has to be set.
var secretNames = []string{
	"postgres_superuser_password", "postgres_replication_password", "patroni_rewind_password", "app_db_password",
	"patroni_restapi_password", "pgbouncer_admin_password", "haproxy_stats_password", "keepalived_auth_pass",
	"etcd_root_password", "etcd_patroni_password",
}

var (
	// secretName matches names that a password hides behind, also Ansible's own
	// (ansible_become_pass).
	secretName = regexp.MustCompile(`(?i)passw|passphrase|secret|auth_pass|token_key|_pass$`)
	// innocent are names that only sound like it.
	innocent = []string{"show_passwords", "password_encryption"}
	// assigned finds the names in name=value, and in JSON and YAML of one line.
	assigned = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)["']?\s*[=:]`)
)

// secretsIn lists the variables in the value of an -e that name a secret.
func secretsIn(value string) []string {
	if strings.HasPrefix(value, "@") {
		return nil
	}
	var names []string
	for _, match := range assigned.FindAllStringSubmatch(value, -1) {
		if name := match[1]; secretName.MatchString(name) && !slices.Contains(innocent, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// options are all options that ansible-playbook gets, but for what the run
// itself adds: first those that have a field, then the words that go through.
func (o *RunOptions) options() []option {
	var list []option
	all := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				list = append(list, option{name, v})
			}
		}
	}
	all("--inventory", o.Inventory...)
	all("--tags", o.Tags...)
	all("--skip-tags", o.SkipTags...)
	all("--limit", o.Limit)
	all("--user", o.User)
	all("--private-key", o.PrivateKey)
	all("--vault-password-file", o.VaultPasswordFiles...)
	all("--become-password-file", o.BecomePasswordFile)
	all("--connection-password-file", o.ConnectionPasswordFile)
	all("--extra-vars", o.ExtraVars...)
	if o.Forks > 0 {
		all("--forks", strconv.Itoa(o.Forks))
	}
	for _, s := range []struct {
		name string
		set  bool
	}{{"--check", o.Check}, {"--diff", o.Diff}} {
		if s.set {
			list = append(list, option{s.name, ""})
		}
	}
	more, _ := readWords(o.More)
	return append(list, more...)
}

// arguments is the command line of ansible-playbook behind its name: the
// options that have a field, files of extra variables that come before the
// user's so that his win, and the words that go through unchanged.
func (o *RunOptions) arguments(varsFiles []string, asked map[string]string) []string {
	args := []string{o.Operation.Playbook}
	for _, file := range varsFiles {
		args = append(args, "--extra-vars", "@"+file)
	}
	for _, name := range []string{"--vault-password-file", "--become-password-file", "--connection-password-file"} {
		if file := asked[name]; file != "" {
			args = append(args, name, file)
		}
	}
	own := *o
	own.More = nil
	for _, opt := range own.options() {
		args = append(args, opt.name)
		if opt.value != "" {
			args = append(args, opt.value)
		}
	}
	return append(args, o.More...)
}

// checkArguments refuses what must not be on a command line, and what could
// not work from here.
func (o *RunOptions) checkArguments(r *refusals) {
	opts := o.options()
	for _, value := range values(opts, "--extra-vars") {
		for _, name := range secretsIn(value) {
			r.usage("extra-vars", "put it into a file that only you can read, and give -e @FILE",
				"-e %s=…: everybody who lists processes would see it", name)
		}
	}
	more, operands := readWords(o.More)
	for _, p := range []struct{ name, flag string }{
		{"--ask-become-pass", "-K"}, {"--ask-pass", "-k"}, {"--ask-vault-password", "--ask-vault-pass"},
	} {
		if given(more, p.name) {
			r.usage("prompt", "give it before the --", "%s behind --: Ansible has no terminal to ask on, pgbundle has", p.flag)
		}
	}
	if given(more, "--step") {
		r.usage("prompt", "run ansible-playbook itself in the site directory", "--step: Ansible has no terminal to ask on")
	}
	for _, id := range values(opts, "--vault-id") {
		if strings.HasSuffix(id, "@prompt") || id == "prompt" {
			r.usage("prompt", "give --ask-vault-pass, or LABEL@FILE", "--vault-id %s: Ansible has no terminal to ask on", id)
		}
	}
	for _, word := range operands {
		r.usage("playbook", "pgbundle "+o.Operation.Name+" runs "+o.Operation.Playbook+" of the site and nothing else", "%q is no option of ansible-playbook", word)
	}
	if o.Forks < 0 {
		r.usage("forks", "", "-f %d: takes 1 or more", o.Forks)
	}
}

// lists says whether ansible-playbook is asked to print something instead of
// running anything.
func (o *RunOptions) lists() bool {
	more, _ := readWords(o.More)
	return given(more, "--list-hosts", "--list-tags", "--list-tasks", "--syntax-check", "--version", "--help")
}

// shown is a command line as a person would type it.
func shown(args []string) string {
	words := make([]string, len(args))
	for n, word := range args {
		words[n] = quoted(word)
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
