package build

import (
	"errors"
	"testing"

	"pgbundle/manifest"
)

// TestSpecFileSaysWhere holds the words for everything that a pgbundle.yaml can
// have wrong: its file, its line, its key and what that takes.
func TestSpecFileSaysWhere(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":  {"etcd: 3.5.16\npostgres: 16\n", `pgbundle.yaml:2: unknown key "postgres" (did you mean "postgresql"?)`},
		"twice":        {"etcd: 3.5.16\netcd: 3.5.17\n", `pgbundle.yaml:2: key "etcd" is there twice: first in line 1`},
		"not a list":   {"\npackages: haproxy\n", `pgbundle.yaml:2: packages: takes a list, such as [a, b], not "haproxy"`},
		"not a value":  {"etcd: [3.5.16]\n", `pgbundle.yaml:1: etcd: takes one value, not a list`},
		"not a switch": {"weak_deps: maybe\n", `pgbundle.yaml:1: weak_deps: takes true or false, not "maybe"`},
		"not a map":    {"repositories: [a]\n", `pgbundle.yaml:1: repositories: takes an id and an address a line, not a list`},
		"no keys":      {"- postgresql\n", `pgbundle.yaml:1: takes keys with values, such as postgresql: 16, not a list`},
		"only a word":  {"postgresql\n", `pgbundle.yaml:1: takes keys with values, such as postgresql: 16, not "postgresql"`},
		"two":          {"with: x\nweak_deps: [y]\n", "pgbundle.yaml:1: with: takes a list, such as [a, b], not \"x\"\npgbundle.yaml:2: weak_deps: takes true or false, not a list"},

		"postgresql": {"# ours\npostgresql: 9.6\n", `pgbundle.yaml:2: postgresql "9.6": takes 14, 15, 16 or 17`},
		"python":     {"python: 3.12\n", `pgbundle.yaml:1: control python "3.12": ansible-core 2.15 runs on 3.9, 3.10 and 3.11`},
		"with":       {"with:\n- pgbackrest\n- barman\n", `pgbundle.yaml:3: with "barman": the optional part is pgbackrest`},
		"ansible_core": {"ansible_core: abc\n",
			`pgbundle.yaml:1: ansible_core "abc": takes a version range such as >=2.15,<2.16 or ==2.15.13`},
		"ansible_core without an operator": {"ansible_core: 2.15.13\n",
			`pgbundle.yaml:1: ansible_core "2.15.13": takes a version range such as >=2.15,<2.16 or ==2.15.13`},
		"patroni": {"patroni: 2.1.0\n",
			`pgbundle.yaml:1: patroni "2.1.0": takes a version range such as >=3.0.3,<4 or ==3.3.2, or a whole requirement such as patroni[etcd3]>=3.0.3`},
		"another than patroni": {"patroni: patronix>=3.0.3\n",
			`pgbundle.yaml:1: patroni "patronix>=3.0.3": takes a version range such as >=3.0.3,<4 or ==3.3.2, or a whole requirement such as patroni[etcd3]>=3.0.3`},
		"old patroni": {"patroni: <3\n",
			`pgbundle.yaml:1: patroni "<3": below 3.0.3 it can lose acknowledged rows when a frozen leader thaws; ask for >=3.0.3`},
		"package": {"packages: ['']\n", `pgbundle.yaml:1: packages "": takes a name, a capability, a /path or a @group`},
		"wheel": {"wheels:\n  - good\n  - 'bad ='\n",
			`pgbundle.yaml:3: wheels "bad =": takes a requirement such as psycopg>=3 (parse requirement "bad =": parse specifier "=": no operator)`},
		"collection": {"collections: [posix]\n",
			`pgbundle.yaml:1: collections "posix": takes namespace.name or namespace.name:RANGE, such as community.general:>=8 (collection name "posix": takes namespace.name)`},

		"nothing":       {"", ""},
		"only comments": {"---\n# postgresql: 16\n\n", ""},
		"good":          {"postgresql: 16\npatroni: '>=3.2'\nansible_core: ~=2.15.0\nwheels: ['psycopg[c]>=3']\ncollections: ['ansible.posix:>=1.5']\netcd: v3.5.17\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ReadSpec("pgbundle.yaml", []byte(test.text))
			if err == nil {
				err = f.Check(f.Spec)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
			if err != nil && !errors.Is(err, manifest.ErrUsage) {
				t.Errorf("class of %v", err)
			}
		})
	}
}

// TestFlagsHaveNoLine: a value that a flag put over the file's is not blamed on
// the file.
func TestFlagsHaveNoLine(t *testing.T) {
	f, err := ReadSpec("pgbundle.yaml", []byte("postgresql: 9.6\nwith: [barman]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Spec
	s.PostgreSQL, s.With = "10", nil
	if err := f.Check(s); err == nil || err.Error() != `postgresql "10": takes 14, 15, 16 or 17` {
		t.Errorf("got %v", err)
	}
}
