// Package proof asks a node's own programs whether the RPM repository of a
// release will serve: rpmkeys whether the bundle's keys, under this node's
// crypto policy, vouch for every package; dnf whether the roots can be
// installed from it alone, and what that would change. Nothing of the node is
// changed by asking: keys, metadata, logs and locks go to a scratch folder.
//
// dnf --assumeno resolves but looks at no signature and opens no package, so
// neither program's answer can stand for the other's.
package proof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Options say what is proven. All paths are the node's own, absolute and real.
type Options struct {
	Folder   string          // the repository: *.rpm and repodata/
	Keys     string          // the public keys of its packages, armoured, in one file; need not be there when all are in Unsigned
	Unsigned map[string]bool // names of files in Folder that came from a source without signatures
	Roots    []string        // what the playbook will ask dnf for: names, capabilities, paths that packages own
	Others   bool            // the node's own repositories have the rest: a delta for what they have
	Empty    bool            // Folder has no RPM, only metadata: a delta for nodes that lack none
	Scratch  string          // an empty folder that only root can enter; the caller removes it
}

// Change is what would become of one package of the node.
type Change struct {
	Name       string `json:"name"`
	Arch       string `json:"arch"`
	EVR        string `json:"evr"`            // [epoch:]version-release: the new one; of a package that would go, its own
	From       string `json:"from,omitempty"` // the one that is there
	Vendor     string `json:"vendor,omitempty"`
	FromVendor string `json:"from_vendor,omitempty"`
	By         string `json:"by,omitempty"` // of a package that would go: the name of the one that replaces it
}

// Result is what the node's programs said.
type Result struct {
	Signed        int      `json:"signed"`   // packages with good signatures
	Unsigned      int      `json:"unsigned"` // packages that were let pass without one
	New           []Change `json:"new,omitempty"`
	Upgraded      []Change `json:"upgraded,omitempty"`
	Reinstalled   []Change `json:"reinstalled,omitempty"`
	VendorChanged []Change `json:"vendor_changed,omitempty"` // those of Upgraded and Reinstalled that another vendor made
	Downgraded    []Change `json:"downgraded,omitempty"`
	Removed       []Change `json:"removed,omitempty"`
	Present       []string `json:"present,omitempty"` // roots that are there already, as name-[epoch:]version-release.arch
}

// Blocked says whether the node would lose something.
func (r *Result) Blocked() bool { return len(r.Downgraded)+len(r.Removed) > 0 }

// Prove asks the node. An error is of class manifest.ErrSignature when a key or
// a signature does not hold, manifest.ErrDamaged when packages or metadata are
// not whole, and manifest.ErrUnsolvable when dnf finds no way, or one that
// takes something from the node; with the last comes the Result as well.
func Prove(ctx context.Context, run node.Runner, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	files, err := o.packages()
	if err != nil {
		return nil, err
	}
	p := &prover{Options: o, run: run}
	if _, err := os.Stat(o.Keys); errors.Is(err, fs.ErrNotExist) {
		if signed := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return o.Unsigned[name] }); len(signed) > 0 {
			return nil, manifest.Classify(manifest.ErrSignature, fmt.Errorf("prove the packages: %s is not there, and %d packages need it:%s", o.Keys, len(signed), lines(signed)))
		}
	} else {
		p.vouched = true
	}
	result := &Result{}
	if result.Signed, result.Unsigned, err = p.signatures(ctx, files); err != nil {
		return nil, err
	}
	carried, err := p.headers(ctx, files)
	if err != nil {
		return nil, err
	}
	table, err := p.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.fill(ctx, result, table, carried); err != nil {
		return nil, err
	}
	return result, result.blocked()
}

type prover struct {
	Options
	run     node.Runner
	vouched bool // there are keys
}

// plainPath is a path that a .repo file, a list in an option of dnf and a macro
// of rpm all take as it is.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9/._+:@=~-]*$`)

// plainRoot is a name with more or less behind it, a capability that may have a
// version, or a path, each also as a pattern: what a build takes as a request.
var plainRoot = regexp.MustCompile(`^[A-Za-z0-9_*?\[/][!-~]*( *(<|<=|=|>=|>) *[A-Za-z0-9][!-~]*)?$`)

// isRoot keeps from dnf what it would not look for in the repository: options,
// groups and modules (@), addresses, which it would fetch, and files of the node
// (dnf.util._parse_specs). The roots come from a bundle that nobody may have
// vouched for.
func isRoot(root string) bool {
	scheme, _, found := strings.Cut(strings.ToLower(root), ":")
	address := found && slices.Contains([]string{"http", "https", "ftp", "file"}, scheme) || strings.Contains(root, "://")
	return plainRoot.MatchString(root) && !strings.HasSuffix(root, ".rpm") && !address
}

func (o Options) check() error {
	for _, p := range []string{o.Folder, o.Scratch, o.Keys} {
		if p != "" && !plainPath.MatchString(p) {
			return manifest.Classify(manifest.ErrUsage, fmt.Errorf("prove the packages: dnf and rpm cannot be given the path %q", p))
		}
	}
	if o.Folder == "" || o.Scratch == "" || o.Keys == "" {
		return errors.New("prove the packages: no folder, or no place for keys")
	}
	for _, root := range o.Roots {
		if !isRoot(root) {
			return manifest.Classify(manifest.ErrUsage, fmt.Errorf("prove the packages: %q is no package", root))
		}
	}
	return nil
}

// packages lists the names of the RPM files.
func (o Options) packages() ([]string, error) {
	entries, err := os.ReadDir(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("prove the packages: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".rpm") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 && !o.Empty {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("prove the packages: no RPM in %s", o.Folder))
	}
	return names, nil
}

// command is a program with what keeps it from writing outside of Scratch. Its
// HOME stays the runner's, since rpm reads ~/.rpmmacros.
func (p *prover) command(args ...string) node.Command {
	return node.Command{Args: args, Dir: p.Folder, Env: []string{"TMPDIR=" + p.Scratch, "PYTHONDONTWRITEBYTECODE=1"}}
}

func (p *prover) scratch(name string) (string, error) {
	dir := filepath.Join(p.Scratch, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("prove the packages: %w", err)
	}
	return dir, nil
}

// fill turns dnf's table into changes, with what rpm knows of both sides.
func (p *prover) fill(ctx context.Context, r *Result, t *table, carried map[string]header) error {
	there, err := p.installed(ctx, t)
	if err != nil {
		return err
	}
	var absent []string
	for _, row := range t.rows {
		c := Change{Name: row.name, Arch: row.arch, EVR: row.evr}
		if row.action == removed {
			r.Removed = append(r.Removed, c)
			continue
		}
		if h, ok := carried[row.nevra()]; ok {
			c.Vendor = h.vendor
		} else if row.repo == repoID {
			absent = append(absent, row.nevra())
		}
		if row.action != installed {
			was, err := there.find(row.name, row.arch)
			if err != nil {
				return err
			}
			c.From, c.FromVendor = was.evr, was.vendor
		}
		r.add(row.action, c)
		for _, gone := range row.replaces {
			r.Removed = append(r.Removed, Change{Name: gone.name, Arch: gone.arch, EVR: gone.evr, By: row.name})
		}
	}
	if len(absent) > 0 {
		return manifest.Classify(manifest.ErrDamaged, fmt.Errorf("prove the packages: the metadata names what is not in %s:%s", p.Folder, lines(absent)))
	}
	r.Present = slices.DeleteFunc(t.present, func(nevra string) bool {
		return slices.ContainsFunc(r.Upgraded, func(c Change) bool { return c.Name+"-"+c.From+"."+c.Arch == nevra })
	})
	return nil
}

func (r *Result) add(a action, c Change) {
	switch a {
	case installed:
		r.New = append(r.New, c)
	case upgraded:
		r.Upgraded = append(r.Upgraded, c)
	case reinstalled:
		r.Reinstalled = append(r.Reinstalled, c)
	case downgraded:
		r.Downgraded = append(r.Downgraded, c)
	}
	if (a == upgraded || a == reinstalled) && c.Vendor != c.FromVendor {
		r.VendorChanged = append(r.VendorChanged, c)
	}
}

func (r *Result) blocked() error {
	if !r.Blocked() {
		return nil
	}
	var list []string
	for _, c := range r.Downgraded {
		list = append(list, fmt.Sprintf("%s.%s would go from %s down to %s", c.Name, c.Arch, c.From, c.EVR))
	}
	for _, c := range r.Removed {
		text := fmt.Sprintf("%s-%s.%s would be removed", c.Name, c.EVR, c.Arch)
		if c.By != "" {
			text += ", replaced by " + c.By
		}
		list = append(list, text)
	}
	return manifest.Classify(manifest.ErrUnsolvable, fmt.Errorf("prove the packages: the node would lose something:%s", lines(list)))
}

// most bounds how many findings one error lists.
const most = 20

// lines sets findings below each other, one a line.
func lines(findings []string) string {
	var text strings.Builder
	for i, f := range findings {
		if i == most {
			fmt.Fprintf(&text, "\n  and %d more", len(findings)-most)
			break
		}
		text.WriteString("\n  " + f)
	}
	return text.String()
}
