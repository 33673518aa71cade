package deploy

import (
	"strings"
)

// option is one option of ansible-playbook, under the first of its names.
type option struct{ name, value string }

// ansibleOptions are the options of ansible-playbook (ansible-core 2.15): every
// name, and whether a value follows.
var ansibleOptions = []struct {
	names []string
	value bool
}{
	{[]string{"--extra-vars", "-e"}, true},
	{[]string{"--inventory", "--inventory-file", "-i"}, true},
	{[]string{"--limit", "-l"}, true},
	{[]string{"--tags", "-t"}, true},
	{[]string{"--skip-tags"}, true},
	{[]string{"--start-at-task"}, true},
	{[]string{"--vault-id"}, true},
	{[]string{"--vault-password-file", "--vault-pass-file"}, true},
	{[]string{"--become-password-file", "--become-pass-file"}, true},
	{[]string{"--connection-password-file", "--conn-pass-file"}, true},
	{[]string{"--private-key", "--key-file"}, true},
	{[]string{"--user", "-u"}, true},
	{[]string{"--connection", "-c"}, true},
	{[]string{"--timeout", "-T"}, true},
	{[]string{"--forks", "-f"}, true},
	{[]string{"--module-path", "-M"}, true},
	{[]string{"--become-method"}, true},
	{[]string{"--become-user"}, true},
	{[]string{"--ssh-common-args"}, true},
	{[]string{"--ssh-extra-args"}, true},
	{[]string{"--scp-extra-args"}, true},
	{[]string{"--sftp-extra-args"}, true},
	{[]string{"--ask-vault-password", "--ask-vault-pass", "-J"}, false},
	{[]string{"--ask-become-pass", "-K"}, false},
	{[]string{"--ask-pass", "-k"}, false},
	{[]string{"--become", "-b"}, false},
	{[]string{"--check", "-C"}, false},
	{[]string{"--diff", "-D"}, false},
	{[]string{"--verbose", "-v"}, false},
	{[]string{"--force-handlers"}, false},
	{[]string{"--flush-cache"}, false},
	{[]string{"--list-hosts"}, false},
	{[]string{"--list-tags"}, false},
	{[]string{"--list-tasks"}, false},
	{[]string{"--syntax-check"}, false},
	{[]string{"--step"}, false},
	{[]string{"--version"}, false},
	{[]string{"--help", "-h"}, false},
}

// findOption finds an option by its name, or by the beginning of a long one as
// argparse does. A beginning that several share is the first of them: what is
// looked for here is what must not be there.
func findOption(name string) (canonical string, value, ok bool) {
	for _, o := range ansibleOptions {
		for _, n := range o.names {
			if n == name {
				return o.names[0], o.value, true
			}
		}
	}
	if !strings.HasPrefix(name, "--") || len(name) < 3 {
		return "", false, false
	}
	for _, o := range ansibleOptions {
		for _, n := range o.names {
			if strings.HasPrefix(n, name) {
				return o.names[0], o.value, true
			}
		}
	}
	return "", false, false
}

// readWords reads words as ansible-playbook's argparse would: its options, and
// the words that are none.
func readWords(words []string) (options []option, operands []string) {
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case word == "--":
			return options, append(operands, words...)
		case strings.HasPrefix(word, "--"):
			name, value, joined := strings.Cut(word, "=")
			canonical, takes, ok := findOption(name)
			if !ok {
				canonical = name
			}
			if takes && !joined && len(words) > 0 {
				value, words = words[0], words[1:]
			}
			options = append(options, option{canonical, value})
		case len(word) > 1 && word[0] == '-':
			options, words = readLetters(options, word[1:], words)
		default:
			operands = append(operands, word)
		}
	}
	return options, operands
}

// readLetters reads letters that share one dash: "vvKe" and then a value, in
// the same word or in the next.
func readLetters(options []option, letters string, words []string) ([]option, []string) {
	for n := 0; n < len(letters); n++ {
		canonical, takes, ok := findOption("-" + letters[n:n+1])
		if !ok {
			canonical = "-" + letters[n:n+1]
		}
		if !takes {
			options = append(options, option{canonical, ""})
			continue
		}
		value := strings.TrimPrefix(letters[n+1:], "=")
		if n+1 == len(letters) && len(words) > 0 {
			value, words = words[0], words[1:]
		}
		return append(options, option{canonical, value}), words
	}
	return options, words
}

// values are the values of an option, in order.
func values(options []option, name string) []string {
	var list []string
	for _, o := range options {
		if o.name == name {
			list = append(list, o.value)
		}
	}
	return list
}

// given says whether an option is there at all.
func given(options []option, names ...string) bool {
	for _, o := range options {
		for _, name := range names {
			if o.name == name {
				return true
			}
		}
	}
	return false
}
