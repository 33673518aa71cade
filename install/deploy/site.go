package deploy

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"text/template"

	"gopkg.in/yaml.v3"

	"pgbundle/install"
	"pgbundle/install/playbook"
	"pgbundle/manifest"
)

// The two layouts of a cluster.
const (
	Collocated = "collocated" // etcd runs on the database nodes
	Separated  = "separated"  // etcd has nodes of its own
)

// sitePostgres are those that a bundle can be built with.
var sitePostgres = []string{"14", "15", "16", "17"}

// What holds when nobody says otherwise, as in the role defaults.
const (
	defaultCluster   = "pg-ha-cluster"
	defaultInterface = "eth0"
	defaultBits      = 24
	defaultRouterID  = "51"
	defaultPostgres  = "16"
	defaultEtcd      = "3.5.16"
	defaultPython    = "python3.9"
	defaultUser      = "root"
)

// SiteAnswers are what init was told, word for word. An empty one takes its
// default; only Nodes, VIP and, for the layout Separated, EtcdNodes have none.
type SiteAnswers struct {
	Layout           string   // Collocated or Separated; "": Separated when there are EtcdNodes
	Nodes, EtcdNodes []string // NAME=IP; the first of Nodes holds the VIP at first
	VIP              string   // IP or IP/BITS
	Interface        string
	RouterID         string // VRRP's virtual router id
	Cluster, User    string
	Allow            []string // networks; none: that of the VIP
	Profile          string
	Postgres         string
	Synchronous      bool
	Timezone         string
	Base             string
	PasswordFile     string // absolute path that ansible.cfg names; "": none
}

// SiteRelease is what the release on the control node was made for. The zero
// value is no release.
type SiteRelease struct {
	Postgres string // "16"
	Etcd     string // "3.5.16"
	Python   string // of the nodes: "python3.9"
}

// SiteReleaseOf reads from a manifest what a site has to say the same as the
// bundle. It fits the nodes only with these versions.
func SiteReleaseOf(m *manifest.Manifest) SiteRelease {
	var r SiteRelease
	for _, q := range m.Lock.Requests {
		if version, ok := strings.CutPrefix(q.Want, "etcd=="); ok && q.Kind == manifest.Release {
			r.Etcd = version
		}
		name, isServer := strings.CutSuffix(q.Want, "-server")
		if major, ok := strings.CutPrefix(name, "postgresql"); ok && isServer && q.Kind == manifest.RPM {
			r.Postgres = major
		}
	}
	if python := m.Lock.Target.Python(manifest.TargetNode); python != "" {
		r.Python = "python" + python
	}
	return r
}

// withDefaults fills in what was not said.
func (a SiteAnswers) withDefaults(r SiteRelease) SiteAnswers {
	if a.Layout == "" {
		a.Layout = Collocated
		if len(a.EtcdNodes) > 0 {
			a.Layout = Separated
		}
	}
	a.Interface = cmp.Or(a.Interface, defaultInterface)
	a.RouterID = cmp.Or(a.RouterID, defaultRouterID)
	a.Cluster = cmp.Or(a.Cluster, defaultCluster)
	a.User = cmp.Or(a.User, defaultUser)
	a.Profile = cmp.Or(a.Profile, Profiles[0])
	a.Postgres = cmp.Or(a.Postgres, r.Postgres, defaultPostgres)
	a.Base = cmp.Or(a.Base, install.DefaultBase)
	return a
}

// Site is a checked set of answers.
type Site struct {
	Layout           string
	Cluster, User    string
	Nodes, EtcdNodes []SiteNode
	VIP              netip.Prefix // the address, with the length of its network
	Interface        string
	RouterID         int
	Allow            []netip.Prefix
	Profile          string
	Postgres, Etcd   string
	Python           string // of the nodes, where the release's is not the default; else ""
	Synchronous      bool
	Timezone         string
	Base             string
	PasswordFile     string
	Notes            []string // what is allowed and yet to be known
}

// SiteNode is one machine of a cluster.
type SiteNode struct {
	Name     string
	IP       netip.Addr
	State    string // keepalived_state: one is MASTER, all others BACKUP
	Priority int    // keepalived_priority: 1 to 254, no two the same
}

// siteFile is a file of a site directory, or a link when Link is not empty.
type siteFile struct {
	Path string // slash-separated, below the directory
	Text []byte
	Link string
	Mode fs.FileMode
}

const (
	modeFolder = 0o750
	modeFile   = 0o640
	modeSecret = 0o600
)

// VaultPath is where the secrets lie in a site directory.
const VaultPath = "group_vars/all/vault.yml"

// sitePlaybooks are those of a release that people run.
var sitePlaybooks = []string{
	"apply-tuning.yml", "cluster-status.yml", "connection-info.yml", "restart-postgresql.yml", "switchover.yml",
	"uninstall.yml", "verify-cluster.yml",
}

// siteTemplates are the files of a site that have a template of the same name,
// with .tmpl behind it and without the dot that embedded files do not begin with.
var siteTemplates = []string{
	".gitignore", "ansible.cfg", "group_vars/all/main.yml", "group_vars/vault.yml.example", "inventory/hosts.yml", "requirements.yml",
}

// siteLinks make Ansible find the variables. It looks beside the inventory, and
// beside the playbook that runs, which is the release's and has none there.
var siteLinks = []string{"inventory/group_vars", "inventory/host_vars"}

// sitePaths are all files and links of a site, in order. They are the same
// whatever the answers are.
func sitePaths() []string {
	list := slices.Concat([]string{"host_vars/.gitkeep", "site.yml", VaultPath}, siteTemplates, siteLinks)
	for _, name := range sitePlaybooks {
		list = append(list, "playbooks/"+name)
	}
	slices.Sort(list)
	return list
}

// files renders everything but the secrets.
func (s *Site) files() ([]siteFile, error) {
	list := []siteFile{{Path: "host_vars/.gitkeep", Mode: modeFile}}
	for _, name := range siteTemplates {
		text, err := renderSite(strings.TrimPrefix(name, "."), s)
		if err != nil {
			return nil, err
		}
		list = append(list, siteFile{Path: name, Text: text, Mode: modeFile})
	}
	for _, name := range siteLinks {
		list = append(list, siteFile{Path: name, Link: "../" + path.Base(name)})
	}
	imports := []string{"site.yml"}
	for _, name := range sitePlaybooks {
		imports = append(imports, "playbooks/"+name)
	}
	for _, name := range imports {
		from, err := quoteYAML(s.Base + "/playbook/" + name)
		if err != nil {
			return nil, err
		}
		list = append(list, siteFile{Path: name, Text: fmt.Appendf(nil, "---\n- import_playbook: %s\n", from), Mode: modeFile})
	}
	return list, nil
}

// secretsFile renders group_vars/all/vault.yml, not encrypted.
func (s *Site) secretsFile(secrets []sitePassword) ([]byte, error) {
	return renderSite("group_vars/all/vault.yml", struct {
		*Site
		Secrets []sitePassword
	}{s, secrets})
}

// Placeholders are secrets that nobody may deploy with: preflight refuses what
// begins like them.
func (s *Site) Placeholders() []sitePassword {
	list := make([]sitePassword, len(siteSecrets))
	for i, name := range siteSecrets {
		list[i] = sitePassword{name, "ChangeMe_" + name}
		if name == keepalivedSecret {
			list[i].Password = "ChgMe_Ka"
		}
	}
	return list
}

func renderSite(name string, data any) ([]byte, error) {
	source, err := fs.ReadFile(playbook.FS, "site/"+name+".tmpl")
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	t, err := template.New(name).Funcs(template.FuncMap{"q": quoteYAML}).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// quoteYAML writes a value as a YAML string in double quotes, whatever is in it.
func quoteYAML(value any) (string, error) {
	text, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: fmt.Sprint(value)})
	return strings.TrimSuffix(string(text), "\n"), err
}
