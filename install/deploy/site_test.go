package deploy

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"pgbundle/install/playbook"
	"pgbundle/manifest"
)

// three are the answers for a collocated cluster that need to be given.
func three() SiteAnswers {
	return SiteAnswers{Nodes: []string{"pg1=10.0.0.11", "pg2=10.0.0.12", "pg3=10.0.0.13"}, VIP: "10.0.0.10"}
}

// separated are those of a cluster whose etcd has nodes of its own.
func separated() SiteAnswers {
	return SiteAnswers{
		Nodes: []string{"pg1=10.0.0.11", "pg2=10.0.0.12"}, EtcdNodes: []string{"etcd1=10.1.0.21", "etcd2=10.1.0.22", "etcd3=10.1.0.23"},
		VIP: "10.0.0.10/24",
	}
}

func siteOf(t *testing.T, a SiteAnswers, r SiteRelease) *Site {
	t.Helper()
	s, findings := a.Site(r)
	if s == nil {
		t.Fatalf("findings: %v", findings)
	}
	return s
}

// TestSiteRefusals has each mistake with what is said about it, and nothing
// else: one mistake is one finding.
func TestSiteRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		from   SiteAnswers
		change func(a *SiteAnswers)
		want   []string
	}{
		"nothing":             {SiteAnswers{}, func(*SiteAnswers) {}, []string{"--node is missing", "--vip is missing"}},
		"nothing separated":   {SiteAnswers{Layout: Separated}, func(*SiteAnswers) {}, []string{"--node is missing", "--etcd is missing", "--vip is missing"}},
		"layout":              {three(), func(a *SiteAnswers) { a.Layout = "both" }, []string{`--layout "both": takes collocated or separated`}},
		"etcd in collocated":  {separated(), func(a *SiteAnswers) { a.Layout = Collocated; a.Nodes = three().Nodes }, []string{"--etcd means nothing in the layout collocated"}},
		"two collocated":      {three(), func(a *SiteAnswers) { a.Nodes = a.Nodes[:2] }, []string{"--node names 2 nodes, and etcd runs on all of them"}},
		"one collocated":      {three(), func(a *SiteAnswers) { a.Nodes = a.Nodes[:1] }, []string{"--node names 1 node, and etcd runs on all of them"}},
		"four collocated":     {three(), func(a *SiteAnswers) { a.Nodes = append(a.Nodes, "pg4=10.0.0.14") }, []string{"--node names 4 nodes"}},
		"even etcd":           {separated(), func(a *SiteAnswers) { a.EtcdNodes = append(a.EtcdNodes, "etcd4=10.1.0.24") }, []string{"--etcd names 4 nodes: etcd takes an odd number"}},
		"small etcd":          {separated(), func(a *SiteAnswers) { a.EtcdNodes = a.EtcdNodes[:1] }, []string{"--etcd names 1 node: etcd takes an odd number"}},
		"one database":        {separated(), func(a *SiteAnswers) { a.Nodes = a.Nodes[:1] }, []string{"--node names 1 node: there is nobody to take over"}},
		"too many databases":  {separated(), func(a *SiteAnswers) { a.Nodes = many(235); a.VIP = "10.0.0.10/16" }, []string{"--node names 235 nodes: VRRP's priorities tell 234 apart"}},
		"same name":           {three(), func(a *SiteAnswers) { a.Nodes[1] = "PG1=10.0.0.12" }, []string{`--node "PG1=10.0.0.12": the name is that of --node pg1=10.0.0.11`}},
		"same address":        {three(), func(a *SiteAnswers) { a.Nodes[1] = "pg2=10.0.0.11" }, []string{`--node "pg2=10.0.0.11": the address is that of --node pg1=10.0.0.11`}},
		"same name, etcd":     {separated(), func(a *SiteAnswers) { a.EtcdNodes[0] = "pg1=10.1.0.21" }, []string{`--etcd "pg1=10.1.0.21": the name is that of --node pg1=10.0.0.11`}},
		"same address, etcd":  {separated(), func(a *SiteAnswers) { a.EtcdNodes[0] = "etcd1=10.0.0.12" }, []string{`--etcd "etcd1=10.0.0.12": the address is that of --node pg2=10.0.0.12`}},
		"no pair":             {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1" }, []string{`--node "pg1": takes NAME=IP`}},
		"name with a dot":     {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg.1=10.0.0.11" }, []string{`"pg.1" is no name of a host`}},
		"name with hyphen":    {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1-=10.0.0.11" }, []string{`"pg1-" is no name of a host`}},
		"name too long":       {three(), func(a *SiteAnswers) { a.Nodes[0] = strings.Repeat("a", 64) + "=10.0.0.11" }, []string{"is no name of a host"}},
		"name with newline":   {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1\nx=10.0.0.11" }, []string{"is no name of a host"}},
		"name of YAML":        {three(), func(a *SiteAnswers) { a.Nodes[0] = "{pg1}=10.0.0.11" }, []string{"is no name of a host"}},
		"no name":             {three(), func(a *SiteAnswers) { a.Nodes[0] = "=10.0.0.11" }, []string{`"" is no name of a host`}},
		"number":              {three(), func(a *SiteAnswers) { a.Nodes[0] = "1=10.0.0.11" }, []string{`"1" is a number`}},
		"group":               {three(), func(a *SiteAnswers) { a.Nodes[0] = "etcd=10.0.0.11" }, []string{`"etcd" is the name of a group`}},
		"no address":          {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1=10.0.0.300" }, []string{`"10.0.0.300" is no IP address`}},
		"IPv6":                {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1=fd00::1" }, []string{"fd00::1 is no IPv4 address"}},
		"loopback":            {three(), func(a *SiteAnswers) { a.Nodes[0] = "pg1=127.0.0.1" }, []string{"127.0.0.1 is no address that another machine can reach"}},
		"VIP outside":         {three(), func(a *SiteAnswers) { a.VIP = "10.0.1.10" }, []string{"--vip 10.0.1.10: outside of its network 10.0.1.0/24 are pg1 (10.0.0.11), pg2 (10.0.0.12), pg3 (10.0.0.13)"}},
		"one outside":         {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.10/30" }, []string{"outside of its network 10.0.0.8/30 are pg2 (10.0.0.12), pg3 (10.0.0.13)"}},
		"VIP of a node":       {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.12" }, []string{"--vip 10.0.0.12: it is the address of pg2"}},
		"VIP of etcd":         {separated(), func(a *SiteAnswers) { a.EtcdNodes[0] = "etcd1=10.0.0.10" }, []string{"it is the address of etcd1"}},
		"VIP is network":      {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.0/24" }, []string{"the network's own address or its broadcast"}},
		"VIP is broadcast":    {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.255" }, []string{"the network's own address or its broadcast"}},
		"VIP bits":            {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.10/33" }, []string{"takes IP/BITS with 1 to 32 bits"}},
		"VIP bits with zero":  {three(), func(a *SiteAnswers) { a.VIP = "10.0.0.10/024" }, []string{"takes IP/BITS with 1 to 32 bits"}},
		"VIP IPv6":            {three(), func(a *SiteAnswers) { a.VIP = "fd00::10/64" }, []string{"no IPv4 address"}},
		"allow an address":    {three(), func(a *SiteAnswers) { a.Allow = []string{"10.0.0.5"} }, []string{`--allow "10.0.0.5": takes a network: write 10.0.0.5/32`}},
		"allow bits behind":   {three(), func(a *SiteAnswers) { a.Allow = []string{"10.0.0.5/24"} }, []string{"write 10.0.0.0/24 for the network, or 10.0.0.5/32 for the address"}},
		"allow words":         {three(), func(a *SiteAnswers) { a.Allow = []string{"everybody", "10.0.0.0/40"} }, []string{`"everybody": takes a network`, `"10.0.0.0/40": takes a network`}},
		"allow IPv6":          {three(), func(a *SiteAnswers) { a.Allow = []string{"fd00::/64"} }, []string{"takes an IPv4 network"}},
		"cluster":             {three(), func(a *SiteAnswers) { a.Cluster = "my cluster" }, []string{`--cluster-name "my cluster": takes letters`}},
		"interface":           {three(), func(a *SiteAnswers) { a.Interface = "an-interface-too-long" }, []string{"--vip-interface"}},
		"user":                {three(), func(a *SiteAnswers) { a.User = "-oProxyCommand=x" }, []string{"--user"}},
		"time zone":           {three(), func(a *SiteAnswers) { a.Timezone = "../etc" }, []string{"--timezone"}},
		"base":                {three(), func(a *SiteAnswers) { a.Base = "opt" }, []string{"--base-dir"}},
		"base not clean":      {three(), func(a *SiteAnswers) { a.Base = "/opt/../etc" }, []string{"--base-dir"}},
		"profile":             {three(), func(a *SiteAnswers) { a.Profile = "oltp" }, []string{`--profile "oltp": takes minimal, small, medium, large or xl`}},
		"PostgreSQL":          {three(), func(a *SiteAnswers) { a.Postgres = "13" }, []string{`--pg "13": takes 14, 15, 16 or 17`}},
		"router id 0":         {three(), func(a *SiteAnswers) { a.RouterID = "0" }, []string{`--virtual-router-id "0": takes 1 to 255`}},
		"router id 256":       {three(), func(a *SiteAnswers) { a.RouterID = "256" }, []string{"takes 1 to 255"}},
		"router id of a word": {three(), func(a *SiteAnswers) { a.RouterID = "VI_PG" }, []string{"takes 1 to 255"}},
		"all at once": {three(), func(a *SiteAnswers) {
			a.Nodes[0], a.VIP, a.Profile, a.RouterID = "pg1", "10.0.0.13", "huge", "999"
		}, []string{`"pg1": takes NAME=IP`, "it is the address of pg3", `"huge"`, "takes 1 to 255"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.from
			a.Nodes, a.EtcdNodes = slices.Clone(a.Nodes), slices.Clone(a.EtcdNodes)
			c.change(&a)
			s, findings := a.Site(SiteRelease{})
			if s != nil || len(findings) != len(c.want) {
				t.Fatalf("%d findings, want %d: %v", len(findings), len(c.want), findings)
			}
			for n, want := range c.want {
				if !strings.Contains(findings[n].String(), want) {
					t.Errorf("%q lacks %q", findings[n], want)
				}
			}
		})
	}
}

// many names n nodes in 10.0.0.0/16.
func many(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("pg%d=10.0.%d.%d", i+1, 1+i/200, 1+i%200)
	}
	return list
}

// TestPriorities: at any number of nodes no two are the same, each is one that
// VRRP has, also when a failing check has taken 20 off, and one is MASTER.
func TestPriorities(t *testing.T) {
	for n := 2; n <= maxNodes; n++ {
		a := separated()
		a.Nodes, a.VIP = many(n), "10.0.0.10/16"
		s := siteOf(t, a, SiteRelease{})
		before, masters := 255, 0
		for _, node := range s.Nodes {
			if node.Priority >= before || node.Priority-20 < 1 {
				t.Fatalf("%d nodes: %s has priority %d after %d", n, node.Name, node.Priority, before)
			}
			before = node.Priority
			if node.State == "MASTER" {
				masters++
			}
		}
		if masters != 1 || s.Nodes[0].State != "MASTER" {
			t.Fatalf("%d nodes: %d are MASTER", n, masters)
		}
		if n <= 20 && s.Nodes[0].Priority-before >= 20 {
			t.Errorf("%d nodes: priorities from %d to %d, further apart than a failing check takes off", n, s.Nodes[0].Priority, before)
		}
	}
	s := siteOf(t, three(), SiteRelease{})
	if got := []int{s.Nodes[0].Priority, s.Nodes[1].Priority, s.Nodes[2].Priority}; !slices.Equal(got, []int{110, 105, 100}) {
		t.Errorf("three nodes have priorities %v", got)
	}
}

// rendered are the files of a site by path.
func rendered(t *testing.T, s *Site) map[string]siteFile {
	t.Helper()
	files, err := s.all(SiteVault{Plain: true}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]siteFile{}
	for _, f := range files {
		list[f.Path] = f
	}
	if got := slices.Sorted(maps.Keys(list)); !slices.Equal(got, sitePaths()) || len(files) != len(got) {
		t.Errorf("files %v, and paths %v", got, sitePaths())
	}
	return list
}

func decoded(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

// TestSiteKeepsDefaults: what init was not told is as in the role defaults, and
// every variable that a site has is one of them.
func TestSiteKeepsDefaults(t *testing.T) {
	data, err := fs.ReadFile(playbook.FS, "roles/defaults/defaults/main.yml")
	if err != nil {
		t.Fatal(err)
	}
	defaults := decoded(t, data)
	told := []string{"cluster_vip", "postgresql_allowed_cidrs"}
	for name, value := range decoded(t, rendered(t, siteOf(t, three(), SiteRelease{}))["group_vars/all/main.yml"].Text) {
		want, ok := defaults[name]
		if !ok {
			t.Errorf("%s is no variable of the playbook", name)
		} else if diff := cmp.Diff(want, value); diff != "" && !slices.Contains(told, name) {
			t.Errorf("%s (-default +site):\n%s", name, diff)
		}
	}
	if defaults["patroni_python"] != defaultPython {
		t.Errorf("patroni_python is %v, not %s", defaults["patroni_python"], defaultPython)
	}
	profiles := slices.Sorted(maps.Keys(defaults["postgresql_tuning_profiles"].(map[string]any)))
	if ours := slices.Sorted(slices.Values(Profiles)); !slices.Equal(ours, profiles) {
		t.Errorf("profiles %v, the playbook has %v", ours, profiles)
	}
}

// TestSiteTakesAnswers: every answer comes out in the file that it is for.
func TestSiteTakesAnswers(t *testing.T) {
	a := separated()
	a.Interface, a.RouterID, a.Cluster, a.User, a.Timezone = "bond0.12", "77", "billing", "deploy", "Asia/Seoul"
	a.Allow, a.Profile, a.Postgres, a.Synchronous, a.Base = []string{"192.0.2.0/24", "127.0.0.1/32", "198.51.100.7/32"}, "large", "15", true, "/srv/pg"
	a.PasswordFile = "/root/.vault-pass"
	files := rendered(t, siteOf(t, a, SiteRelease{Postgres: "16", Etcd: "3.5.21", Python: "python3.11"}))
	got := decoded(t, files["group_vars/all/main.yml"].Text)
	for name, want := range map[string]any{
		"cluster_name": "billing", "system_timezone": "Asia/Seoul", "cluster_vip": "10.0.0.10", "cluster_vip_cidr": 24, "vip_interface": "bond0.12",
		"keepalived_virtual_router_id": 77, "offline_base_dir": "/srv/pg", "postgresql_version": "15", "etcd_version": "3.5.21", "patroni_python": "python3.11",
		"postgresql_allowed_cidrs": []any{"127.0.0.1/32", "192.0.2.0/24", "198.51.100.7/32"}, "postgresql_tuning_profile": "large", "patroni_synchronous_mode": true,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, want := range map[string]string{
		"ansible.cfg": "roles_path = /srv/pg/playbook/roles\n", "site.yml": "---\n- import_playbook: \"/srv/pg/playbook/site.yml\"\n",
		"playbooks/switchover.yml": "---\n- import_playbook: \"/srv/pg/playbook/playbooks/switchover.yml\"\n",
	} {
		if !strings.Contains(string(files[name].Text), want) {
			t.Errorf("%s lacks %q:\n%s", name, want, files[name].Text)
		}
	}
	if want := "vault_password_file = /root/.vault-pass\n"; !strings.Contains(string(files["ansible.cfg"].Text), want) {
		t.Errorf("ansible.cfg lacks %q", want)
	}
}

// TestInventory reads the inventory as Ansible would.
func TestInventory(t *testing.T) {
	type hosts struct {
		Hosts map[string]map[string]any `yaml:"hosts"`
	}
	var got struct {
		All struct {
			Vars     map[string]string `yaml:"vars"`
			Children map[string]hosts  `yaml:"children"`
		} `yaml:"all"`
	}
	text := rendered(t, siteOf(t, separated(), SiteRelease{}))["inventory/hosts.yml"].Text
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	type vars = map[string]any
	want := map[string]hosts{
		"etcd": {map[string]map[string]any{
			"etcd1": vars{"ansible_host": "10.1.0.21", "node_ip": "10.1.0.21"}, "etcd2": vars{"ansible_host": "10.1.0.22", "node_ip": "10.1.0.22"},
			"etcd3": vars{"ansible_host": "10.1.0.23", "node_ip": "10.1.0.23"},
		}},
		"patroni_cluster": {map[string]map[string]any{
			"pg1": vars{"ansible_host": "10.0.0.11", "node_ip": "10.0.0.11", "patroni_name": "pg1"},
			"pg2": vars{"ansible_host": "10.0.0.12", "node_ip": "10.0.0.12", "patroni_name": "pg2"},
		}},
		"pgbouncer": {map[string]map[string]any{"pg1": {}, "pg2": {}}},
		"haproxy": {map[string]map[string]any{
			"pg1": vars{"keepalived_state": "MASTER", "keepalived_priority": 110}, "pg2": vars{"keepalived_state": "BACKUP", "keepalived_priority": 105},
		}},
	}
	if diff := cmp.Diff(want, got.All.Children); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got.All.Vars["ansible_user"] != "root" {
		t.Errorf("vars: %v", got.All.Vars)
	}
}

// TestSiteSecrets: the vault and its example name the same variables, and the
// example's are placeholders that preflight refuses.
func TestSiteSecrets(t *testing.T) {
	files := rendered(t, siteOf(t, three(), SiteRelease{}))
	vault, example := decoded(t, files[VaultPath].Text), decoded(t, files["group_vars/vault.yml.example"].Text)
	if files[VaultPath].Mode != 0o600 {
		t.Errorf("mode of the vault: %o", files[VaultPath].Mode)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(siteSecrets)), slices.Sorted(maps.Keys(vault))); diff != "" {
		t.Errorf("vault:\n%s", diff)
	}
	for _, name := range siteSecrets {
		placeholder := fmt.Sprint(example[name])
		if !strings.HasPrefix(placeholder, "ChangeMe") && !strings.HasPrefix(placeholder, "ChgMe") {
			t.Errorf("%s: %q is no placeholder", name, placeholder)
		}
	}
	if n := len(fmt.Sprint(example[keepalivedSecret])); n != 8 {
		t.Errorf("placeholder of keepalived has %d characters", n)
	}
}

// TestSiteHasEveryPlaybook: a playbook that the release has and people run can
// be run in a site.
func TestSiteHasEveryPlaybook(t *testing.T) {
	names, err := fs.Glob(playbook.FS, "playbooks/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.Contains(sitePlaybooks, path.Base(name)) {
			t.Errorf("%s is in no site", name)
		}
	}
}

func TestQuoteYAML(t *testing.T) {
	for _, word := range []string{"", "yes", "1e5", "a: b # c", `"'\`, "{{ x }}", "\x7f\x00\n\t", "ünï ✓", strings.Repeat("long words ", 50), "0x10", "- a", "\u2028", "!tag", "&a", "*a"} {
		text, err := quoteYAML(word)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := yaml.Unmarshal([]byte("{ "+text+": "+text+" }"), &got); err != nil || got[word] != word {
			t.Errorf("%q became %s, which reads as %v, %v", word, text, got, err)
		}
	}
}

func TestSiteReleaseOf(t *testing.T) {
	m := &manifest.Manifest{Lock: manifest.Lock{
		Requests: []manifest.Request{
			{Kind: manifest.RPM, Want: "postgresql15-server"}, {Kind: manifest.RPM, Want: "haproxy"}, {Kind: manifest.Wheel, Want: "etcd==1"},
			{Kind: manifest.Release, Want: "etcd==3.5.21"},
		},
	}}
	want := SiteRelease{Postgres: "15", Etcd: "3.5.21", Python: "python3.11"}
	for _, python := range []string{"3.11", "3.11.7"} { // a lock of before may have a patch level
		m.Lock.Target.NodePython = python
		if got := SiteReleaseOf(m); got != want {
			t.Errorf("%s: %+v, want %+v", python, got, want)
		}
	}
}

func TestSiteNotes(t *testing.T) {
	a := separated()
	a.Allow, a.Postgres = []string{"0.0.0.0/0"}, "17"
	for n := range 8 {
		a.EtcdNodes = append(a.EtcdNodes, fmt.Sprintf("more%d=10.1.1.%d", n, n+1))
	}
	notes := strings.Join(siteOf(t, a, SiteRelease{Postgres: "16"}).Notes, "\n")
	for _, want := range []string{"no replica left after a failover", "11 members", "lets every address connect", "--pg 17: the bundle in /opt/patroni-airgap has PostgreSQL 16"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not among the notes:\n%s", want, notes)
		}
	}
}

// FuzzSite: whatever the answers are, they are refused or make files that read
// as what was answered.
func FuzzSite(f *testing.F) {
	f.Add("pg1=10.0.0.11", "pg2=10.0.0.12", "10.0.0.10/24", "10.0.0.0/24", "pg-ha-cluster", "root", "eth0", "Asia/Seoul", "/opt/patroni-airgap")
	f.Add("yes=10.0.0.11", "1e5=10.0.0.12", "10.0.0.10", "0.0.0.0/0", "null", "a@b", "bond0.1", "", "/srv/x+y")
	f.Fuzz(func(t *testing.T, first, second, vip, allow, cluster, user, iface, zone, base string) {
		a := SiteAnswers{
			Nodes: []string{first, second, "node3=10.0.0.13"}, VIP: vip, Allow: []string{allow}, Cluster: cluster, User: user, Interface: iface,
			Timezone: zone, Base: base,
		}
		s, findings := a.Site(SiteRelease{})
		if s == nil {
			for _, finding := range findings {
				if finding.Flag == "" || finding.Text == "" {
					t.Errorf("finding %+v", finding)
				}
			}
			return
		}
		files, err := s.files()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			switch file.Path {
			case "inventory/hosts.yml":
				var got struct {
					All struct {
						Vars     map[string]string
						Children map[string]struct{ Hosts map[string]any }
					}
				}
				if err := yaml.Unmarshal(file.Text, &got); err != nil {
					t.Fatal(err)
				}
				for _, n := range s.Nodes {
					if _, ok := got.All.Children["haproxy"].Hosts[n.Name]; !ok {
						t.Errorf("no node %q:\n%s", n.Name, file.Text)
					}
				}
				if got.All.Vars["ansible_user"] != s.User {
					t.Errorf("user %q, want %q", got.All.Vars["ansible_user"], s.User)
				}
			case "group_vars/all/main.yml":
				got := decoded(t, file.Text)
				if got["cluster_name"] != s.Cluster || got["vip_interface"] != s.Interface || got["system_timezone"] != s.Timezone || got["cluster_vip"] != s.VIP.Addr().String() {
					t.Errorf("%+v became:\n%s", s, file.Text)
				}
			}
		}
	})
}
