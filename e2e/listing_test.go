//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// state is what lies below a folder: path → kind, mode, owner and digest.
type state map[string]string

// stamp is what differs from run to run in what pgbundle writes by itself: times
// and the version of the program, which here is one with faults.
var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|(?m)^(program|made): .*$`)

// pending is what a receipt says of steps that wait for install --finish.
var pending = regexp.MustCompile(`(?m)^pending: .*$`)

// compiled is a line on byte code in a list of files. Python's marshal does not
// write the same bytes each time, for what is interned counts references.
var compiled = regexp.MustCompile(`(?m)^[0-9a-f]{64}  \S*\.pyc\n`)

// stateOf reads what lies below a folder. Logs are left out: each run leaves
// one. So is /run, which is empty after a boot.
func stateOf(dir string) (state, error) {
	found := state{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		if name == "/run" || name == "/lost+found" {
			return fs.SkipDir
		}
		if strings.HasPrefix(name, "/var/log/pgbundle/") || name == "" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sys := info.Sys().(*syscall.Stat_t)
		waits := ""
		text := fmt.Sprintf("%s %d:%d", info.Mode(), sys.Uid, sys.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		case info.Mode().IsRegular() && filepath.Ext(name) == ".pyc":
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			switch filepath.Base(name) {
			case "receipt.yaml", "history.yaml":
				data = stamp.ReplaceAll(data, nil)
				waits = string(pending.Find(data))
				data = pending.ReplaceAll(data, nil)
			case "venv.SHA256SUMS":
				data = compiled.ReplaceAll(data, nil)
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(data)) + waits
		}
		found[name] = text
		return nil
	})
	return found, err
}

// below is the part of a state that lies in a folder.
func (s state) below(folder string) state {
	part := state{}
	for name, text := range s {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			part[name] = text
		}
	}
	return part
}

// beforePending is a release but for which steps it says are pending, and for
// the next of its receipts that install --finish was writing.
func (s state) beforePending() state {
	rest := state{}
	for name, text := range s {
		if !strings.HasPrefix(filepath.Base(name), ".pgbundle-install-receipt.yaml.") {
			rest[name], _, _ = strings.Cut(text, "pending: ")
		}
	}
	return rest
}

// differs says how a state is not the one that is wanted.
func (s state) differs(want state) error {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if s[name] == "" {
			lines = append(lines, "missing "+name)
		} else if s[name] != want[name] {
			lines = append(lines, fmt.Sprintf("%s is %s, want %s", name, s[name], want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if want[name] == "" {
			lines = append(lines, "too much "+name)
		}
	}
	if len(lines) > 0 {
		return fmt.Errorf("%d paths differ from the run that nothing disturbed:\n       %s", len(lines), few(lines))
	}
	return nil
}

// unfinished are the names that only a run that is going on may have made.
func (s state) unfinished() []string {
	var names []string
	for name := range s {
		if base := filepath.Base(name); strings.HasPrefix(base, ".pgbundle-") || base == ".incomplete" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// vouched holds what status --verify says against what lies there: one whole
// release is active, by its name one of active, or none where that has the
// empty name; and what status does not call incomplete is byte for byte what an
// undisturbed run placed.
func (s state) vouched(st *verdict, active []string, whole map[string][]state) error {
	older := strings.HasPrefix(s["/opt/patroni-airgap"], "d") // a folder of older scripts, still in its place
	if !st.Verified || !st.Whole {
		return fmt.Errorf("status says of what is whole: %+v", st)
	}
	if !slices.Contains(active, st.Active) {
		return fmt.Errorf("active is %q, want one of %q", st.Active, active)
	}
	if link := s["/opt/patroni-airgap"]; (link == "" || older) != (st.Active == "") || !strings.HasSuffix(link, st.Active) {
		return fmt.Errorf("active is %q, and the link says %q", st.Active, link)
	}
	told := map[string]bool{}
	for _, r := range st.Releases {
		told[r.Name] = true
		marked := s[releases+"/"+r.Name+"/.incomplete"] != ""
		switch {
		case r.Fault != "" && r.Active:
			return fmt.Errorf("the active release %s is not complete: %s", r.Name, r.Fault)
		case r.Fault != "":
			continue
		case marked:
			return fmt.Errorf("release %s has the marker, and status calls it complete", r.Name)
		case whole[r.Name] == nil:
			return fmt.Errorf("release %s: no undisturbed run placed such a one", r.Name)
		}
		var err error
		for _, want := range whole[r.Name] {
			if err = s.below(releases + "/" + r.Name).beforePending().differs(want.beforePending()); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("release %s is called complete: %w", r.Name, err)
		}
	}
	if st.Active != "" && !told[st.Active] {
		return fmt.Errorf("the active release %s is not listed", st.Active)
	}
	return nil
}

// verdict is what pgbundle status --verify --json says.
type verdict struct {
	Active   string
	Releases []struct {
		Name, Fault string
		Active      bool
		Drift       []struct{ Path, Detail string }
	}
	Findings, Left  []string
	Verified, Whole bool
}

// wholeIn are the releases of a state that nothing disturbed, by name.
func (s state) wholeIn(into map[string][]state) {
	for path := range s {
		if filepath.Dir(path) == releases && strings.HasPrefix(s[path], "d") {
			name := filepath.Base(path)
			into[name] = append(into[name], s.below(path))
		}
	}
}
