package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/solve"
)

// Node is a machine that a bundle is to fit, known by its facts.
type Node struct {
	manifest.LockNode
	Facts *manifest.Node
}

// ReadNode reads what pgbundle facts wrote, at most manifest.MaxYAML bytes of it.
// The node is named after the file.
func ReadNode(path string) (*Node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("read facts of a node: %w", err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxYAML+1))
	if err != nil {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("read facts of a node: %w", err))
	}
	n := &Node{}
	if n.Facts, err = manifest.ParseNode(data); err != nil {
		return nil, fmt.Errorf("%s: %w\n  (pgbundle facts -o FILE, run on the node, writes it)", path, err)
	}
	sum := sha256.Sum256(data)
	n.Name, n.SHA256 = nodeName(path), hex.EncodeToString(sum[:])
	if reason, unknown := n.Facts.Why("packages"); unknown || len(n.Facts.Packages) == 0 {
		return nil, manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("%s: its packages are not known: %s", path, cmp.Or(reason, "none is listed")))
	}
	return n, nil
}

// ReadNodes reads the facts of several nodes, which must have different names.
func ReadNodes(paths []string) ([]*Node, error) {
	var nodes []*Node
	var errs []error
	for _, path := range paths {
		n, err := ReadNode(path)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.ContainsFunc(nodes, func(have *Node) bool { return have.Name == n.Name }):
			errs = append(errs, manifest.Classify(manifest.ErrUsage, fmt.Errorf("%s: there are facts of a node %s already: nodes are named after their files", path, n.Name)))
		default:
			nodes = append(nodes, n)
		}
	}
	return nodes, errors.Join(errs...)
}

// maxName is the longest name that a lock holds, in bytes.
const maxName = 128

// nodeName makes a plain word of a file's name.
func nodeName(path string) string {
	base := filepath.Base(path)
	name := cmp.Or(strings.TrimSuffix(base, filepath.Ext(base)), base)
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), maxName)]
}

// fits checks that the node is of the kind that the target is.
func (n *Node) fits(target manifest.Target) error {
	wrong := func(what, is, want string) error {
		return manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("node %s: its %s is %s, the target's is %s", n.Name, what, is, want))
	}
	switch facts := n.Facts; {
	case facts.Arch != target.Arch:
		return wrong("architecture", facts.Arch, target.Arch)
	case facts.OS.Family != target.OS:
		return wrong("system", cmp.Or(facts.OS.Name, facts.OS.Family), target.OS)
	case major(facts.OS.Release) != major(target.Release):
		return wrong("release", facts.OS.Release, target.Release)
	}
	return nil
}

func major(release string) string {
	before, _, _ := strings.Cut(release, ".")
	return before
}

// enter adds the node's packages to an empty pool, with the paths that assumed
// packages of their names own.
func (n *Node) enter(pool *rpm.Pool, target manifest.Target, assumed []manifest.Package) error {
	if err := n.fits(target); err != nil {
		return err
	}
	type build struct{ name, arch string }
	paths := map[build][]string{}
	for _, a := range assumed {
		paths[build{a.Name, a.Arch}] = append(paths[build{a.Name, a.Arch}], a.Files...)
	}
	packages := slices.Clone(n.Facts.Packages)
	for i, p := range packages {
		packages[i].Files = slices.Concat(p.Files, paths[build{p.Name, p.Arch}])
	}
	pool.AddInstalled(packages)
	return nil
}

// apply hides what the node's own dnf would not take: out of the bundle, and out of
// the repositories that the node reaches itself.
func (n *Node) apply(pool *rpm.Pool) {
	for id := range rpm.RepoID(pool.Repos()) {
		repo := pool.Repo(id)
		if id == 0 || repo.Installed {
			continue
		}
		var include, exclude []string
		for _, e := range n.Facts.Excludes {
			switch {
			case e.Where != "main" && (e.Where != repo.ID || repo.Role != manifest.Present): // another repository's
			case e.Option == "includepkgs":
				include = append(include, e.Patterns...)
			default:
				exclude = append(exclude, e.Patterns...)
			}
		}
		pool.FilterForNode(id, include, exclude)
	}
	pool.LockVersions(n.Facts.VersionLock)
}

// Change is what would become of one package of a node.
type Change struct {
	Name       string `json:"name"`
	Arch       string `json:"arch"`
	EVR        string `json:"evr"`            // [epoch:]version-release: the new one
	From       string `json:"from,omitempty"` // the one that is there
	Vendor     string `json:"vendor,omitempty"`
	FromVendor string `json:"from_vendor,omitempty"`
}

// Transaction is what installing would do to a node: dnf's answer beside its
// packages, out of what the bundle carries.
type Transaction struct {
	Node          string           `json:"node"`
	New           []Change         `json:"new,omitempty"`
	Upgraded      []Change         `json:"upgraded,omitempty"`
	VendorChanged []Change         `json:"vendor_changed,omitempty"` // other vendors' builds in the place of what is there
	Reinstalled   []Change         `json:"reinstalled,omitempty"`    // another build of the very version
	Blocked       []string         `json:"blocked,omitempty"`        // why there is no way without a removal or an older build: a chain each
	Problems      []*solve.Problem `json:"problems,omitempty"`       // the same as data
	Pythons       []string         `json:"pythons,omitempty"`        // the node's, with patch level, that the wheels were proven for: before, and after if it is upgraded
}

// OnlyNew reports whether the node loses and changes nothing.
func (t *Transaction) OnlyNew() bool {
	return len(t.Upgraded)+len(t.VendorChanged)+len(t.Reinstalled)+len(t.Blocked) == 0
}

// Err is nil when the node can take the transaction: nothing is blocked, and it
// only adds packages, unless upgrades are allowed.
func (t *Transaction) Err(allowUpgrades bool) error {
	switch {
	case len(t.Blocked) > 0:
		return manifest.Classify(manifest.ErrUnsolvable, &BlockedError{Problems: t.Problems, told: told{[]string{t.Node}, t.Blocked}})
	case allowUpgrades || t.OnlyNew():
		return nil
	}
	return manifest.Classify(manifest.ErrUnsolvable, &UpgradeError{told{[]string{t.Node}, t.changes()}})
}

// changes says in lines what of the node's own would change.
func (t *Transaction) changes() []string {
	var lines []string
	for _, c := range t.Upgraded {
		lines = append(lines, fmt.Sprintf("%s.%s goes from %s to %s", c.Name, c.Arch, c.From, c.EVR))
	}
	for _, c := range t.VendorChanged {
		lines = append(lines, fmt.Sprintf("%s.%s %s is %s's, %s is %s's", c.Name, c.Arch, c.From, cmp.Or(c.FromVendor, "nobody"), c.EVR, cmp.Or(c.Vendor, "nobody")))
	}
	for _, c := range t.Reinstalled {
		lines = append(lines, fmt.Sprintf("%s-%s.%s gives way to another build of that version", c.Name, c.EVR, c.Arch))
	}
	return lines
}

// String sums a transaction up in a line.
func (t *Transaction) String() string {
	if len(t.Blocked) > 0 {
		return "blocked"
	}
	text := fmt.Sprintf("%d new, %d upgraded", len(t.New), len(t.Upgraded))
	if n := len(t.Reinstalled); n > 0 {
		text += fmt.Sprintf(", %d reinstalled", n)
	}
	if n := len(t.VendorChanged); n > 0 {
		text += fmt.Sprintf("; %d of them of another vendor", n)
	}
	if len(t.Pythons) > 0 {
		text += "; the wheels fit its Python " + inWords(t.Pythons)
	}
	return text
}

func (r *RPMs) change(id rpm.ID) Change {
	pkg := r.pool.Package(id)
	return Change{Name: r.pool.String(pkg.Name), Arch: r.pool.String(pkg.Arch), EVR: r.pool.String(pkg.EVR), Vendor: r.pool.String(pkg.Vendor)}
}
