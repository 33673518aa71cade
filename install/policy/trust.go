package policy

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgbundle/install/node"
)

// TrustFile is our list among fapolicyd's.
const TrustFile = "/etc/fapolicyd/trust.d/patroni-airgap"

// entry is one line of a list: a file that may be run and loaded.
type entry struct {
	path   string
	size   int64
	sha256 string
}

func (e entry) line() string { return fmt.Sprintf("%s %d %s", e.path, e.size, e.sha256) }

// plain are the paths that mean the same in every version of fapolicyd: with
// the mark of its second format it reads % as an escape, without it a blank
// ends the path. One line that it cannot read ends its reading of the file.
var plain = regexp.MustCompile(`^/[A-Za-z0-9/._+:@=~,-]*$`)

// parse reads a list. fapolicyd-cli may have rewritten it, with a head of its
// own; comments are no part of it.
func parse(text string) ([]entry, error) {
	var list []entry
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, " ")
		if len(f) != 3 || !plain.MatchString(f[0]) {
			return nil, fmt.Errorf("the line %q is not expected", line)
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		sum, bad := hex.DecodeString(f[2])
		if err != nil || size < 0 || bad != nil || len(sum) != 32 {
			return nil, fmt.Errorf("the line %q is not expected", line)
		}
		list = append(list, entry{path: f[0], size: size, sha256: strings.ToLower(f[2])})
	}
	return list, nil
}

// format writes a list, in the order of the paths. The head must not be that of
// fapolicyd's second format.
func format(list []entry) []byte {
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	var text strings.Builder
	text.WriteString("# Written by pgbundle: what may be run and loaded of its releases.\n")
	for _, e := range slices.Compact(list) {
		text.WriteString(e.line() + "\n")
	}
	return []byte(text.String())
}

// change is what becomes of the lists of some releases.
type change int

const (
	keep  change = iota // known ones stay, new ones come, all others go
	renew               // these are made anew, all others stay
)

// applyTrust changes our list and makes fapolicyd read it.
func applyTrust(ctx context.Context, m Machine, releases []string, what change) (string, error) {
	running, enabled, err := fapolicyd(ctx, m)
	if err != nil || !running && !enabled {
		return NotActive, err
	}
	host, err := m.Path(TrustFile)
	if err != nil {
		return "", err
	}
	before, err := load(host)
	if err != nil {
		return "", err
	}
	after, fresh, err := merge(ctx, m, before, releases, what)
	if err != nil {
		return "", err
	}
	if err := store(host, after); err != nil {
		return "", err
	}
	if !running {
		return fmt.Sprintf("not running, to be started at boot: %d files listed", len(after)), nil
	}
	if err := notify(ctx, m); err != nil {
		return "", err
	}
	if len(fresh) > 0 {
		if err := await(ctx, m, fresh, pause); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d files listed", len(after)), nil
}

func load(host string) ([]entry, error) {
	data, err := os.ReadFile(host)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read fapolicyd's list: %w", err)
	}
	list, err := parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("read fapolicyd's list %s: %w", TrustFile, err)
	}
	return list, nil
}

// store writes the list; one without entries is no file. The daemon reads it as
// a user of its own.
func store(host string, list []entry) error {
	if len(list) == 0 {
		return node.Remove(host)
	}
	if err := node.MakeFolders(filepath.Dir(host)); err != nil {
		return fmt.Errorf("write fapolicyd's list: %w", err)
	}
	return node.WriteFile(host, format(list), 0o644)
}

// merge makes the new list. fresh are the entries that were not in it before.
func merge(ctx context.Context, m Machine, before []entry, releases []string, what change) (after, fresh []entry, err error) {
	known := map[string]bool{}
	for _, e := range before {
		i := slices.IndexFunc(releases, func(dir string) bool { return strings.HasPrefix(e.path, dir+"/") })
		if i >= 0 == (what == keep) {
			after = append(after, e)
		}
		if i >= 0 && what == keep {
			known[releases[i]] = true
		}
	}
	for _, dir := range releases {
		if known[dir] {
			continue
		}
		made, err := scan(ctx, m, dir)
		if err != nil {
			return nil, nil, err
		}
		fresh = append(fresh, made...)
	}
	return append(after, fresh...), fresh, nil
}

// loaded are the endings of files that an interpreter or the loader opens.
var loaded = regexp.MustCompile(`\.(py|pyc|so(\.[0-9.]+)?|sh|pl|rb|js|lua|awk|j2)$`)

// runnable are the parts of a release that things are run from. The rest are
// packages, archives and lists, which every rule lets be opened.
var runnable = []string{"pgbundle", "airgap-install.sh", "venv", "playbook"}

// scan lists what can be run or loaded of a release.
func scan(ctx context.Context, m Machine, release string) ([]entry, error) {
	var list []entry
	var odd []string
	for _, part := range runnable {
		top, err := m.Path(filepath.Join(release, part))
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(top, func(host string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && host == top {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			path := filepath.Join(release, part) + strings.TrimPrefix(host, top)
			switch needed := info.Mode()&0o111 != 0 || loaded.MatchString(path); {
			case needed && !plain.MatchString(path):
				odd = append(odd, strconv.Quote(path))
			case needed:
				list = append(list, entry{path: path, size: info.Size()})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list %s for fapolicyd: %w", release, err)
		}
	}
	if len(odd) > 0 {
		return nil, fmt.Errorf("list %s for fapolicyd: it cannot be told of %s", release, strings.Join(odd, ", "))
	}
	return list, digest(ctx, m, list)
}

// batchBytes bounds the names in one call.
const batchBytes = 64 << 10

// digest fills in the digests, with the node's own sha256sum: this program may
// be one that fapolicyd does not know yet, and so not be let open a script.
func digest(ctx context.Context, m Machine, list []entry) error {
	for start := 0; start < len(list); {
		args, size, end := []string{"sha256sum", "--"}, 0, start
		for ; end < len(list) && size < batchBytes; end++ {
			args, size = append(args, list[end].path), size+len(list[end].path)
		}
		out, err := m.Run(ctx, node.Command{Args: args})
		if err != nil {
			return fmt.Errorf("take digests for fapolicyd: %w", err)
		}
		lines := strings.Split(strings.TrimSuffix(out.Stdout, "\n"), "\n")
		if out.Status != 0 || len(lines) != end-start {
			return fmt.Errorf("take digests for fapolicyd: sha256sum: exit status %d, %d of %d files: %s", out.Status, len(lines), end-start, out.Stderr)
		}
		for i, line := range lines {
			sum, path, _ := strings.Cut(line, "  ")
			if e := &list[start+i]; path != e.path || len(sum) != 64 {
				return fmt.Errorf("take digests for fapolicyd: %s: sha256sum says %q", e.path, line)
			}
			list[start+i].sha256 = sum
		}
		start = end
	}
	return nil
}
