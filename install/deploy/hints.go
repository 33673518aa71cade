package deploy

import (
	"regexp"
	"strings"
)

// hints are what helps against messages that are seen often. SSH stands for a
// command that reaches the host as Ansible does.
var hints = []struct {
	message *regexp.Regexp
	hint    string
}{
	{regexp.MustCompile(`Missing sudo password|sudo: a password is required|a terminal is required to authenticate`),
		"sudo asks for a password there: give -K, or --become-password-file FILE"},
	{regexp.MustCompile(`Incorrect sudo password|Sorry, try again|incorrect password attempt`), "that was not the password for sudo there"},
	{regexp.MustCompile(`Duplicate become password prompt|waiting for privilege escalation prompt`), "sudo did not answer as expected: try SSH sudo -v"},
	{regexp.MustCompile(`is not in the sudoers file|not allowed to (execute|run)`), "the user may not use sudo there: give another with -u"},
	{regexp.MustCompile(`REMOTE HOST IDENTIFICATION HAS CHANGED`),
		"the host shows another key than before: find out why; if it was set up anew: ssh-keygen -R ADDRESS, then again"},
	{regexp.MustCompile(`Host key verification failed`), "its key is not in known_hosts: pgbundle deploy without --limit tells its fingerprint"},
	{regexp.MustCompile(`sshpass`), "ssh with a password needs the program sshpass here: a key does not (ssh-copy-id)"},
	{regexp.MustCompile(`Permission denied|Too many authentication failures|invalid format|error in libcrypto`),
		"ssh is not let in: try SSH true; -u USER and --private-key FILE name another user and key, and a key with a passphrase has to be in ssh-agent"},
	{regexp.MustCompile(`Attempting to decrypt but no vault secrets found`), "give --ask-vault-pass, or --vault-password-file FILE"},
	{regexp.MustCompile(`Decryption failed`), "that was not the password of the vault"},
	{regexp.MustCompile(`No space left on device`), "make room there: df -h"},
	{regexp.MustCompile(`Waiting for process with pid|Failed to obtain the transaction lock|lockfile is held`), "another dnf is at work there: wait for it, then again"},
	{regexp.MustCompile(`Failed to download metadata for repo|Cannot download repomd|Could not resolve host`), "its repositories cannot be reached: --offline installs out of the bundle"},
	{regexp.MustCompile(`No package .* available|No match for argument|Depsolve Error`), "the bundle on that host may be another one: there, pgbundle status; pgbundle install --role target"},
	{regexp.MustCompile(`(?i)python[0-9.]*: (not found|No such file)|interpreter was not found|/usr/bin/python3: No such file`), "there is no /usr/bin/python3 on it"},
	{regexp.MustCompile(`couldn't resolve module/action`),
		"this Ansible has not all collections: ansible-galaxy collection install -r requirements.yml, or pgbundle install --role control"},
	{regexp.MustCompile(`' is undefined|has no attribute`), "a variable is not set: compare group_vars/all with what pgbundle init writes"},
	{regexp.MustCompile(`fapolicyd|Operation not permitted`), "a policy there may forbid it: ausearch -m avc,fanotify -ts recent"},
}

// hintFor says what may help a host that failed.
func hintFor(h Host, ssh string) string {
	for _, known := range hints {
		if known.message.MatchString(h.Message) {
			return strings.ReplaceAll(known.hint, "SSH", ssh)
		}
	}
	if h.Status == Unreachable {
		return "try " + ssh + " true"
	}
	return ""
}
