package deploy

import (
	"slices"
	"strings"
	"testing"
)

const twoNodes = `{
	"_meta": {"hostvars": {
		"pg1": {"ansible_host": "{{ node_ip }}", "node_ip": "10.0.0.1", "etcd_version": "3.5.16", "port": 22, "on": true, "deep": "{{ a }}{{ b }}", "loop": "{{ loop }}"},
		"pg2": {"etcd_version": "3.5.16", "vaulted": {"__ansible_vault": "x"}},
		"stranger": {"a": 1}
	}},
	"all": {"children": ["ungrouped", "db", "lb"]},
	"db": {"children": ["first", "second"]},
	"first": {"hosts": ["pg1"], "children": ["db"]},
	"second": {"hosts": ["pg2"]},
	"lb": {"hosts": ["pg2", "web1"]}
}`

func TestParseInventory(t *testing.T) {
	i, err := parseInventory([]byte(twoNodes))
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string][]string{"all": {"pg1", "pg2", "web1"}, "db": {"pg1", "pg2"}, "lb": {"pg2", "web1"}, "first": {"pg1", "pg2"}} {
		if !slices.Equal(i.groups[group], want) {
			t.Errorf("group %s: %v, want %v", group, i.groups[group], want)
		}
	}
	for name, want := range map[string]string{"ansible_host": "10.0.0.1", "port": "22", "on": "true", "deep": "", "loop": "", "none": ""} {
		if text, ok := i.text("pg1", name); text != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", name, text, ok, want)
		}
	}
	if i.common([]string{"pg1", "pg2"}, "etcd_version") != "3.5.16" || i.common(i.names(), "etcd_version") != "" {
		t.Error("common takes what is not everywhere, or not what is")
	}
	if !i.has("pg2", "vaulted") || i.has("pg2", "node_ip") {
		t.Error("has")
	}
	for name, text := range map[string]string{
		"no JSON": "ERROR!", "no meta": `{"all": {}}`, "a list": `[]`, "two": twoNodes + "{}", "a group that is text": `{"_meta": {}, "db": "x"}`,
		"variables that are a list": `{"_meta": {"hostvars": {"a": []}}, "db": {"hosts": ["a"]}}`,
	} {
		if _, err := parseInventory([]byte(text)); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestSelectHosts(t *testing.T) {
	i, err := parseInventory([]byte(twoNodes))
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]struct{ hosts, unknown string }{
		"":               {"pg1 pg2 web1", ""},
		"pg1":            {"pg1", ""},
		"db":             {"pg1 pg2", ""},
		"pg1,web1":       {"pg1 web1", ""},
		"pg1:web1":       {"pg1 web1", ""},
		"db:&lb":         {"pg2", ""},
		"all:!db":        {"web1", ""},
		"!pg1":           {"pg2 web1", ""},
		"pg*":            {"pg1 pg2", ""},
		"all:&db:&lb":    {"pg2", ""},
		"~pg[12]":        {"pg1 pg2 web1", ""},
		"db[0]":          {"pg1 pg2 web1", ""},
		"@failed":        {"pg1 pg2 web1", ""},
		"pg3,pg1":        {"pg1", "pg3"},
		"pg1:!nobody":    {"pg1", "nobody"},
		"localhost,pg1,": {"pg1", ""},
	} {
		hosts, unknown := i.selectHosts(limit)
		if got := strings.Join(hosts, " "); got != want.hosts || strings.Join(unknown, " ") != want.unknown {
			t.Errorf("%q: %q, unknown %q; want %q, %q", limit, got, unknown, want.hosts, want.unknown)
		}
	}
}

func FuzzInventory(f *testing.F) {
	f.Add([]byte(twoNodes), "pg1:&lb,!x")
	f.Fuzz(func(t *testing.T, data []byte, limit string) {
		i, err := parseInventory(data)
		if err != nil {
			return
		}
		hosts, _ := i.selectHosts(limit)
		for _, host := range hosts {
			if i.hosts[host] == nil {
				t.Errorf("%q is no host", host)
			}
			i.text(host, limit)
		}
		for group, list := range i.groups {
			for _, host := range list {
				if _, ok := i.hosts[host]; !ok {
					t.Errorf("%q in %q is no host", host, group)
				}
			}
		}
	})
}
