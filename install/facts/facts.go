// Package facts finds out what a machine is like, as far as a bundle's install
// or a build for that machine needs to know. It reads the machine's files and
// runs a few of its programs that only tell; it writes nothing, opens no
// connection, needs no root, and knows no bundle. What it cannot find out it
// names with the reason; it never guesses.
package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Host is the machine that facts are collected of.
type Host struct {
	FS      fs.FS       // its files, from / on
	Run     node.Runner // nil for an image: nothing is run, and what only a running system tells is unknown
	User    int         // effective user id of who collects
	Program string      // who collects: "pgbundle 0.3.0"
	Time    time.Time   // when
	Brief   bool        // of packages no more than what they are: who looks whether they are there needs no more

	Space     func(path string) (manifest.Space, error) // statvfs(3) of an absolute path of the machine
	Addresses func() (map[string][]netip.Prefix, error) // of its interfaces, by name
	ClockSet  func() (bool, error)                      // whether the kernel holds its clock for synchronised: adjtimex(2)
}

// maxFile bounds what is read of one file, in bytes.
const maxFile = 16 << 20

// programTime bounds how long one program may take: an rpm that waits for a
// lock makes its facts unknown, not the whole document late.
const programTime = time.Minute

// Collect finds out everything that Node has room for. Its error says that ctx
// ended; everything else that goes wrong stands in the document.
func Collect(ctx context.Context, host Host) (*manifest.Node, error) {
	c := &collector{Host: host, ctx: ctx}
	c.node.Version = manifest.NodeVersion
	c.node.Collected = manifest.Collected{
		By: host.Program, Time: host.Time.UTC().Truncate(time.Second), Root: host.User == 0, Booted: host.Run != nil,
	}
	for _, theme := range []func(){
		c.system, c.hardware, c.disks, c.interfaces, c.ports, c.security, c.sudo, c.services, c.pythons, c.packages, c.dnf,
	} {
		theme()
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("collect facts: %w", err)
		}
	}
	clean(reflect.ValueOf(&c.node).Elem())
	return &c.node, nil
}

// collector is one run of Collect. Each theme fills its part of the node.
type collector struct {
	Host
	ctx  context.Context
	node manifest.Node
}

// errImage is why an image does not tell what only a running system does.
var errImage = errors.New("the system is not booted")

// unknown notes that a fact could not be found out.
func (c *collector) unknown(fact string, err error) {
	c.node.Unknown = append(c.node.Unknown, manifest.UnknownFact{Fact: fact, Why: reason(err)})
}

// reason says why a file could not be read in the words of the node, whose
// paths begin with a slash.
func reason(err error) string {
	path, ok := err.(*fs.PathError) // from read; wrapped in another it is a program's
	if !ok {
		return err.Error()
	}
	name := "/" + strings.TrimPrefix(path.Path, "/")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name + " does not exist"
	case errors.Is(err, fs.ErrPermission):
		return name + " may not be read by this user"
	}
	return fmt.Sprintf("%s %s: %v", path.Op, name, path.Err)
}

// booted says whether the node runs; if not, the facts are noted as unknown.
func (c *collector) booted(facts ...string) bool {
	if c.Run != nil {
		return true
	}
	for _, fact := range facts {
		c.unknown(fact, errImage)
	}
	return false
}

// read returns a whole file of the node.
func (c *collector) read(name string) ([]byte, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, renamed(err, name)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, renamed(err, name)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("/%s holds more than %d bytes", name, maxFile)
	}
	return data, nil
}

// renamed lets an error speak of the file by the node's name: that of an image
// lies elsewhere on this host, which is nobody's business.
func renamed(err error, name string) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: path.Op, Path: name, Err: path.Err}
	}
	return err
}

// word returns the only word of a file that holds one.
func (c *collector) word(name string) (string, error) {
	data, err := c.read(name)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(data)), nil
}

// has says whether there is a file.
func (c *collector) has(name string) bool {
	_, err := fs.Stat(c.FS, name)
	return err == nil
}

// run runs a program that tells something.
func (c *collector) run(args ...string) (node.Output, error) {
	ctx, cancel := context.WithTimeout(c.ctx, programTime)
	defer cancel()
	out, err := c.Run.Run(ctx, node.Command{Args: args})
	if errors.Is(err, context.DeadlineExceeded) {
		return out, fmt.Errorf("%s did not answer within %s", args[0], programTime)
	}
	return out, err
}

// failure says how a program ended that did not tell what it was asked.
func failure(program string, out node.Output) error {
	first, _, _ := strings.Cut(strings.TrimSpace(out.Stderr), "\n")
	if first == "" {
		first = "it said nothing"
	}
	return fmt.Errorf("%s ended with status %d: %s", program, out.Status, first)
}

// clean makes every text of the document fit to be written: names of mounts,
// vendors of packages and the like come from outside.
func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(manifest.CleanText(v.String()))
	case reflect.Slice:
		for i := range v.Len() {
			clean(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clean(v.Field(i))
			}
		}
	}
}
