package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadWords(t *testing.T) {
	for line, want := range map[string]struct {
		options  []option
		operands []string
	}{
		"-vvv":                      {options: []option{{"--verbose", ""}, {"--verbose", ""}, {"--verbose", ""}}},
		"-e a=b -ec=d -vve e=f":     {options: []option{{"--extra-vars", "a=b"}, {"--extra-vars", "c=d"}, {"--verbose", ""}, {"--verbose", ""}, {"--extra-vars", "e=f"}}},
		"--extra-vars=a=b":          {options: []option{{"--extra-vars", "a=b"}}},
		"--extra a=b --ex=c=d":      {options: []option{{"--extra-vars", "a=b"}, {"--extra-vars", "c=d"}}},
		"--ask-become -Kk":          {options: []option{{"--ask-become-pass", ""}, {"--ask-become-pass", ""}, {"--ask-pass", ""}}},
		"--start-at-task x y.yml":   {options: []option{{"--start-at-task", "x"}}, operands: []string{"y.yml"}},
		"--unheard-of x":            {options: []option{{"--unheard-of", ""}}, operands: []string{"x"}},
		"-i":                        {options: []option{{"--inventory", ""}}},
		"-- -e x":                   {operands: []string{"-e", "x"}},
		"--conn-pass-file f -l a,b": {options: []option{{"--connection-password-file", "f"}, {"--limit", "a,b"}}},
	} {
		options, operands := readWords(strings.Fields(line))
		if !slices.Equal(options, want.options) || !slices.Equal(operands, want.operands) {
			t.Errorf("%s: %v %v, want %v", line, options, operands, want)
		}
	}
}

func TestSecretsIn(t *testing.T) {
	for value, want := range map[string][]string{
		"@vault.yml":                        nil,
		"target_leader=pg-node-2":           nil,
		"show_passwords=true":               nil,
		"app_db_password=x":                 {"app_db_password"},
		`a=1 keepalived_auth_pass="x y"`:    {"keepalived_auth_pass"},
		`{"app_db_password": "x"}`:          {"app_db_password"},
		`{a: {ansible_become_pass : x}}`:    {"ansible_become_pass"},
		`{"p":{"password_encryption":"x"}}`: nil,
		"dsn='host=x password=y'":           {"password"},
		"my_Secret=1 my_Secret=2":           {"my_Secret"},
		"ansible_ssh_private_key_file=k":    nil,
		"pgbouncer_admin_user=x":            nil,
	} {
		if got := secretsIn(value); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", value, got, want)
		}
	}
	for _, name := range secretNames {
		if secretsIn(name+"=x") == nil {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
}

// TestArguments holds that words behind -- stay as they are, and come last.
func TestArguments(t *testing.T) {
	o := RunOptions{
		Operation: Deploy(), Inventory: []string{"a", "b"}, Tags: []string{"etcd"}, Limit: "n1", Check: true, Diff: true, ExtraVars: []string{"@x.yml"},
		User: "u", PrivateKey: "k", Forks: 3, BecomePasswordFile: "f", More: []string{"-vvv", "--start-at-task", "etcd : start it"},
	}
	want := []string{"site.yml", "--extra-vars", "@/tmp/offline.json", "--vault-password-file", "/tmp/v", "--inventory", "a", "--inventory", "b", "--tags", "etcd",
		"--limit", "n1", "--user", "u", "--private-key", "k", "--become-password-file", "f", "--extra-vars", "@x.yml", "--forks", "3", "--check", "--diff",
		"-vvv", "--start-at-task", "etcd : start it"}
	if diff := cmp.Diff(want, o.arguments([]string{"/tmp/offline.json"}, map[string]string{"--vault-password-file": "/tmp/v"})); diff != "" {
		t.Error(diff)
	}
}

func TestShown(t *testing.T) {
	if got, want := shown([]string{"-e", "@x.yml", "it's", ""}), `-e @x.yml 'it'\''s' ''`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSplitWords(t *testing.T) {
	got := splitWords(`-o "a b"  -o 'c "d"' e\ f ""`)
	if want := []string{"-o", "a b", "-o", `c "d"`, "e f", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseConfig(t *testing.T) {
	c := parseConfig([]byte("# c\n[defaults]\nRoles_Path = /a:\n   /b ; why\ncallbacks_enabled=x\n\n[ssh_connection]\nssh_args: -o A=b\n"))
	want := config{"defaults": {"roles_path": "/a:\n/b", "callbacks_enabled": "x"}, "ssh_connection": {"ssh_args": "-o A=b"}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}
