// Package install puts a bundle on a node: it looks whether the node fits,
// places a release, switches to it, and goes back. A release is built under its
// final name with a marker that is removed last; the one step that makes it
// the node's is the rename of a link. Whatever a power cut leaves behind bears
// our prefix or the marker, is ignored by every reader, and is gone after the
// next run.
//
// The package reaches no network and starts no RPM transaction: it knows
// bundles, the node (install/node) and what the node's own programs say of a
// release (install/proof, install/control, install/policy). It must not know
// where artifacts come from.
package install

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"pgbundle/install/node"
	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// DefaultBase is the link through which everything of a node finds the release
// that is active.
const DefaultBase = "/opt/patroni-airgap"

// Options say how to install. The zero value of all but Bundle and Roles is
// what most want.
type Options struct {
	Bundle     string           // archive or unpacked folder, a path of this host
	Roles      []manifest.Role  // what the node is; added to what it is already
	Keys       []sign.PublicKey // of which one has to have signed it; an image's own are added to them
	AllowOlder bool             // take a bundle older than the newest that was installed here
	Keep       int              // former bundles whose releases stay; 0: as last asked for, else DefaultKeep
	DryRun     bool             // look and prove, change nothing
	Jobs       int              // goroutines that read and write; 0: one for each processor
}

// plainPath is a path that dnf's files, fapolicyd's and a shebang take as it is.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9/._+-]*$`)

// DefaultKeep is how many former releases stay: the one to roll back to.
const DefaultKeep = 1

// Progress is told how the work goes on. Its methods may be called from
// several goroutines.
type Progress interface {
	Stage(name string, total int64) // a new stage of so many bytes; 0: unknown
	Add(n int64)                    // n more bytes of it
	Note(text string)               // something that a person should read
}

// Silent is the Progress that tells nobody.
type Silent struct{}

func (Silent) Stage(string, int64) {}
func (Silent) Add(int64)           {}
func (Silent) Note(string)         {}

// Installation is what is installed below one base of a node. It is not safe
// for several goroutines; against other processes it is (see node.Lock).
type Installation struct {
	node     *node.Node
	base     string // the node's own name of the link
	link     string // path of the link on this host
	releases string // path of the releases folder on this host
	program  string // version of pgbundle, for receipts
	now      func() time.Time
	progress Progress
	log      *log

	// Found by preflight.
	secureLacksLocal bool   // sudo does not look in /usr/local/bin
	interpreter      string // the node's path of the Python for the venv
}

// Config is what an Installation works with.
type Config struct {
	Node     *node.Node
	Base     string           // the node's path of the link; empty: where it is installed already, else DefaultBase
	Program  string           // version of pgbundle
	Now      func() time.Time // the clock
	Progress Progress         // nil: Silent
}

// New returns the installation below a base of a node. It changes nothing, and
// nothing need be installed there yet.
func New(c Config) (*Installation, error) {
	i := &Installation{node: c.Node, base: c.Base, program: c.Program, now: c.Now, progress: c.Progress, log: &log{}}
	c.Node.LogTo(i.log)
	if i.progress == nil {
		i.progress = Silent{}
	}
	if i.base == "" {
		i.base = i.foundBase()
	}
	if !plainPath.MatchString(i.base) || filepath.Clean(i.base) != i.base || i.base == "/" {
		return nil, manifest.Classify(manifest.ErrUsage, fmt.Errorf("base %q: takes an absolute path of letters, digits and ._+-/, as %s", i.base, DefaultBase))
	}
	link, err := c.Node.Path(i.base)
	if err != nil {
		return nil, fmt.Errorf("find the base: %w", err)
	}
	i.link, i.releases = link, link+".d"
	return i, nil
}

// Base returns the node's path of the link to the active release.
func (i *Installation) Base() string { return i.base }

// inRelease is the node's path of a file of a release, every link followed.
func (i *Installation) inRelease(release string, parts ...string) string {
	return filepath.Join(append([]string{i.node.Inside(i.releases), release}, parts...)...)
}
