package deploy

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SiteFinding is one thing that speaks against what init was told.
type SiteFinding struct {
	Flag    string // of pgbundle init, without the dashes
	Text    string
	Missing bool // nothing was said, and there is no default

	count bool // more nodes of the same can settle it
}

func (f SiteFinding) String() string {
	if f.Missing {
		return "--" + f.Flag + " is missing: " + f.Text
	}
	return "--" + f.Flag + " " + f.Text
}

// Open reports that a further node, or another layout, can settle it.
func (f SiteFinding) Open() bool { return f.Missing || f.count }

// maxNodes is how many nodes priorities of VRRP, 1 to 254, tell apart while a
// failing check takes 20 off.
const maxNodes = 234

var (
	hostLabel     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`) // RFC 1123, section 2.1
	clusterName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
	interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`) // IFNAMSIZ
	userName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$`)
	zoneName      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*$`)
	plainBase     = regexp.MustCompile(`^/[A-Za-z0-9/._+-]*$`)
	letter        = regexp.MustCompile(`[A-Za-z]`)
)

// reservedNames are names that Ansible takes for something else.
var reservedNames = []string{"all", "ungrouped", "localhost", "etcd", "patroni_cluster", "pgbouncer", "haproxy"}

// siteCheck turns answers into a site, and gathers what speaks against them.
type siteCheck struct {
	answers  SiteAnswers
	site     Site
	findings []SiteFinding
}

func (c *siteCheck) add(flag, format string, args ...any) {
	c.findings = append(c.findings, SiteFinding{Flag: flag, Text: fmt.Sprintf(format, args...)})
}

func (c *siteCheck) missing(flag, text string) {
	c.findings = append(c.findings, SiteFinding{Flag: flag, Text: text, Missing: true})
}

// few says that the number of nodes is wrong.
func (c *siteCheck) few(flag, format string, args ...any) {
	c.findings = append(c.findings, SiteFinding{Flag: flag, Text: fmt.Sprintf(format, args...), count: true})
}

// Site makes a site of the answers. Where an answer is empty the default holds,
// or that of the release. Everything that speaks against them is told, and then
// there is no site.
func (a SiteAnswers) Site(r SiteRelease) (*Site, []SiteFinding) {
	c := &siteCheck{answers: a.withDefaults(r)}
	c.site = Site{
		Cluster: c.answers.Cluster, User: c.answers.User, Interface: c.answers.Interface,
		Profile: c.answers.Profile, Postgres: c.answers.Postgres, Timezone: c.answers.Timezone, Base: c.answers.Base,
		Synchronous: c.answers.Synchronous, Etcd: cmp.Or(r.Etcd, defaultEtcd), PasswordFile: c.answers.PasswordFile,
	}
	if r.Python != defaultPython { // not said, the next bundle may have another
		c.site.Python = r.Python
	}
	c.layout()
	c.nodes()
	c.vip()
	c.allow()
	c.words()
	if len(c.findings) > 0 {
		return nil, c.findings
	}
	c.notes(r)
	return &c.site, nil
}

func (c *siteCheck) layout() {
	switch c.answers.Layout {
	case Separated:
		c.site.Layout = Separated
	case Collocated:
		c.site.Layout = Collocated
		if len(c.answers.EtcdNodes) > 0 {
			c.add("etcd", "means nothing in the layout %s, where etcd runs on the database nodes: leave it out, or take --layout %s", Collocated, Separated)
		}
	default:
		c.add("layout", "%q: takes %s or %s", c.answers.Layout, Collocated, Separated)
	}
}

// nodes reads the nodes of both flags; names and addresses are one's alone.
func (c *siteCheck) nodes() {
	seen := &seenNodes{names: map[string]string{}, addresses: map[netip.Addr]string{}}
	c.site.Nodes = c.nodesOf("node", c.answers.Nodes, seen)
	count := len(c.answers.Nodes)
	collocated := c.answers.Layout != Separated
	switch {
	case count == 0 && collocated:
		c.missing("node", "takes NAME=IP, once for each node; 3, 5 or 7 of them, since etcd runs on all of them")
	case count == 0:
		c.missing("node", "takes NAME=IP, once for each database node; 2 or more, better 3")
	case collocated && (count < 3 || count%2 == 0):
		c.few("node", "names %d %s, and etcd runs on all of them: it takes an odd number of at least 3, so that a majority is left when one dies; or --layout %s with etcd on nodes of its own", count, nodeWord(count), Separated)
	case count < 2:
		c.few("node", "names 1 node: there is nobody to take over when it dies; it takes 2 or more")
	case count > maxNodes:
		c.add("node", "names %d nodes: VRRP's priorities tell %d apart", count, maxNodes)
	}
	rank(c.site.Nodes)
	if collocated {
		c.site.EtcdNodes = c.site.Nodes
		return
	}
	c.site.EtcdNodes = c.nodesOf("etcd", c.answers.EtcdNodes, seen)
	switch count := len(c.answers.EtcdNodes); {
	case count == 0:
		c.missing("etcd", "takes NAME=IP, once for each node of etcd; 3, 5 or 7 of them")
	case count < 3 || count%2 == 0:
		c.few("etcd", "names %d %s: etcd takes an odd number of at least 3, so that a majority is left when one dies", count, nodeWord(count))
	}
}

// seenNodes are the nodes so far, each with the flag that named it.
type seenNodes struct {
	names     map[string]string // in lower case, as names of hosts are compared
	addresses map[netip.Addr]string
}

func (c *siteCheck) nodesOf(flag string, words []string, seen *seenNodes) []SiteNode {
	var list []SiteNode
	for _, word := range words {
		n, err := parseNode(word)
		if err != nil {
			c.add(flag, "%q: %v", word, err)
			continue
		}
		if other, ok := seen.names[strings.ToLower(n.Name)]; ok {
			c.add(flag, "%q: the name is that of %s", word, other)
		} else {
			seen.names[strings.ToLower(n.Name)] = fmt.Sprintf("--%s %s", flag, word)
		}
		if other, ok := seen.addresses[n.IP]; ok {
			c.add(flag, "%q: the address is that of %s", word, other)
		} else {
			seen.addresses[n.IP] = fmt.Sprintf("--%s %s", flag, word)
		}
		list = append(list, n)
	}
	return list
}

// parseNode reads NAME=IP.
func parseNode(word string) (SiteNode, error) {
	name, address, ok := strings.Cut(word, "=")
	if !ok {
		return SiteNode{}, fmt.Errorf("takes NAME=IP, such as pg1=10.0.0.11")
	}
	switch {
	case !hostLabel.MatchString(name):
		return SiteNode{}, fmt.Errorf("%q is no name of a host: it takes letters, digits and hyphens, 63 at most, and no hyphen at either end", name)
	case !letter.MatchString(name):
		return SiteNode{}, fmt.Errorf("%q is a number: a name takes a letter", name)
	case slices.Contains(reservedNames, strings.ToLower(name)):
		return SiteNode{}, fmt.Errorf("%q is the name of a group, or means something else to Ansible: choose another", name)
	}
	ip, err := parseAddress(address)
	return SiteNode{Name: name, IP: ip}, err
}

// parseAddress reads the IPv4 address of a machine.
func parseAddress(word string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(word)
	switch {
	case err != nil:
		return ip, fmt.Errorf("%q is no IP address", word)
	case !ip.Is4():
		return ip, fmt.Errorf("%s is no IPv4 address, and the cluster speaks no other", word)
	case ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.As4()[0] >= 240:
		return ip, fmt.Errorf("%s is no address that another machine can reach", word)
	}
	return ip, nil
}

// rank makes the first node the one that holds the VIP at first, and gives the
// others descending priorities, no two the same. The distances stay below 20
// where they can, since that is what a failing check has to take off at least.
func rank(nodes []SiteNode) {
	step := 5
	if len(nodes) > 4 {
		step = 1
	}
	top := max(110, len(nodes)+20)
	for n := range nodes {
		nodes[n].State, nodes[n].Priority = "BACKUP", top-n*step
		if n == 0 {
			nodes[n].State = "MASTER"
		}
	}
}

// vip checks the address that moves: it has to be free, and in the network of
// all nodes that can hold it.
func (c *siteCheck) vip() {
	word := c.answers.VIP
	if word == "" {
		c.missing("vip", "takes the address that applications connect to, free and in the network of the database nodes, such as 10.0.0.10/24")
		return
	}
	address, bits, ok := strings.Cut(word, "/")
	ip, err := parseAddress(address)
	if err != nil {
		c.add("vip", "%q: %v", word, err)
		return
	}
	length := defaultBits
	if ok {
		if length, err = strconv.Atoi(bits); err != nil || length < 1 || length > 32 || strconv.Itoa(length) != bits {
			c.add("vip", "%q: takes IP/BITS with 1 to 32 bits of the network, such as %s/%d", word, ip, defaultBits)
			return
		}
	}
	c.site.VIP = netip.PrefixFrom(ip, length)
	network := c.site.VIP.Masked()
	if length < 31 && (ip == network.Addr() || ip == broadcast(network)) {
		c.add("vip", "%s: it is the network's own address or its broadcast address, in %s", word, network)
	}
	var outside []string
	for _, n := range c.site.Nodes {
		if n.IP.IsValid() && !network.Contains(n.IP) {
			outside = append(outside, n.Name+" ("+n.IP.String()+")")
		}
	}
	if len(outside) > 0 {
		c.add("vip", "%s: outside of its network %s %s %s: the address moves between nodes of one network only; say how large that is with --vip %s/BITS",
			word, network, map[bool]string{true: "is", false: "are"}[len(outside) == 1], strings.Join(outside, ", "), ip)
	}
	for _, n := range slices.Concat(c.site.Nodes, c.site.EtcdNodes) {
		if n.IP == ip {
			c.add("vip", "%s: it is the address of %s: take one that nobody has", word, n.Name)
			break
		}
	}
}

// broadcast is the highest address of a network.
func broadcast(network netip.Prefix) netip.Addr {
	b := network.Addr().As4()
	for bit := network.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(b)
}

// allow reads the networks that may connect. PgBouncer connects from the node
// itself, whatever else is allowed.
func (c *siteCheck) allow() {
	local := netip.MustParsePrefix("127.0.0.1/32")
	list := []netip.Prefix{local}
	for _, word := range c.answers.Allow {
		network, err := parseNetwork(word)
		if err != nil {
			c.add("allow", "%q: %v", word, err)
		} else if !slices.Contains(list, network) {
			list = append(list, network)
		}
	}
	if len(c.answers.Allow) == 0 && c.site.VIP.IsValid() {
		list = append(list, c.site.VIP.Masked())
	}
	c.site.Allow = list
}

// parseNetwork reads an IPv4 network without bits behind its length: tools
// differ in what they make of those.
func parseNetwork(word string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(word)
	if err != nil {
		if ip, err := netip.ParseAddr(word); err == nil && ip.Is4() {
			return network, fmt.Errorf("takes a network: write %s/32 for this one address", ip)
		}
		return network, fmt.Errorf("takes a network, such as 10.0.0.0/24")
	}
	if !network.Addr().Is4() {
		return network, fmt.Errorf("takes an IPv4 network: the cluster speaks no other")
	}
	if network != network.Masked() {
		return network, fmt.Errorf("has bits behind its length: write %s for the network, or %s/32 for the address", network.Masked(), network.Addr())
	}
	return network, nil
}

// words checks the answers that are one word each.
func (c *siteCheck) words() {
	for _, w := range []struct {
		flag, value string
		is          *regexp.Regexp
		takes       string
	}{
		{"cluster-name", c.answers.Cluster, clusterName, "letters, digits, hyphens and underscores, 63 at most"},
		{"vip-interface", c.answers.Interface, interfaceName, "the name of a network interface, such as eth0 (ip a)"},
		{"user", c.answers.User, userName, "the name of a user"},
	} {
		if !w.is.MatchString(w.value) {
			c.add(w.flag, "%q: takes %s", w.value, w.takes)
		}
	}
	if z := c.answers.Timezone; z != "" && !zoneName.MatchString(z) {
		c.add("timezone", "%q: takes a name as timedatectl list-timezones has it, such as Asia/Seoul", z)
	}
	if b := c.answers.Base; !plainBase.MatchString(b) || path.Clean(b) != b || b == "/" {
		c.add("base-dir", "%q: takes an absolute path of letters, digits and . _ + -", b)
	}
	if !slices.Contains(Profiles, c.answers.Profile) {
		c.add("profile", "%q: takes %s", c.answers.Profile, orList(Profiles))
	}
	if !slices.Contains(sitePostgres, c.answers.Postgres) {
		c.add("pg", "%q: takes %s", c.answers.Postgres, orList(sitePostgres))
	}
	id, err := strconv.Atoi(c.answers.RouterID)
	if err != nil || id < 1 || id > 255 {
		c.add("virtual-router-id", "%q: takes 1 to 255", c.answers.RouterID)
	}
	c.site.RouterID = id
}

// notes tells what is allowed and yet to be known.
func (c *siteCheck) notes(r SiteRelease) {
	note := func(format string, args ...any) { c.site.Notes = append(c.site.Notes, fmt.Sprintf(format, args...)) }
	if len(c.site.Nodes) == 2 {
		note("with 2 database nodes there is no replica left after a failover, until the other node is back")
	}
	if len(c.site.EtcdNodes) > 7 {
		note("etcd has %d members: every write waits for most of them, and more than 7 only make that slower", len(c.site.EtcdNodes))
	}
	for _, network := range c.site.Allow {
		if network.Bits() == 0 {
			note("--allow %s lets every address connect", network)
		}
	}
	if len(c.answers.Allow) == 0 {
		note("%s may connect, the network of the VIP: --allow, or postgresql_allowed_cidrs, narrows or widens that", c.site.VIP.Masked())
	}
	if r.Postgres != "" && r.Postgres != c.site.Postgres {
		note("--pg %s: the bundle in %s has PostgreSQL %s, and deploy --offline will refuse another", c.site.Postgres, c.site.Base, r.Postgres)
	}
}

func nodeWord(n int) string {
	if n == 1 {
		return "node"
	}
	return "nodes"
}

// orList is "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
