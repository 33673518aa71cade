package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
)

// A release whose receipt the disk does not give out may be whole, and the only
// one to roll back to: nothing is done beside it, but it can be uninstalled.
func TestNothingIsSweptUnread(t *testing.T) {
	s := newSite(t)
	first := s.install(t, Options{Bundle: pack(t, content("one"), nil).path, Roles: target})
	s.install(t, Options{Bundle: pack(t, content("two"), nil).path, Roles: target})
	i := s.open(t)
	state, err := i.read()
	must(t, err)
	r := state.find(first.Release)
	r.receipt, r.fault, r.unread = nil, &fs.PathError{Op: "read", Path: receiptName, Err: syscall.EIO}, true
	if err := i.sweep(state); err == nil || !strings.Contains(err.Error(), "read release "+r.name) {
		t.Errorf("sweep: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, receiptName)); err != nil {
		t.Errorf("it was removed: %v", err)
	}
	r.unread = false
	state.historyFault = &fs.PathError{Op: "read", Path: historyName, Err: syscall.EIO}
	if err := i.sweep(state); err == nil || errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("a history that cannot be read: %v", err)
	}
	must(t, i.sweepAll(state))
}

func TestDiskFault(t *testing.T) {
	for errno, want := range map[error]bool{
		syscall.EIO: true, syscall.EACCES: true, syscall.ESTALE: true,
		syscall.ENOENT: false, syscall.ENOTDIR: false, syscall.EINVAL: false, nil: false, fs.ErrInvalid: false,
	} {
		err := errno
		if errno != nil {
			err = &fs.PathError{Op: "open", Path: "x", Err: errno}
		}
		if got := diskFault(err); got != want {
			t.Errorf("%v: %v, want %v", errno, got, want)
		}
	}
}

// What could not be read has not drifted: to install the bundle again would not
// help.
func TestUnreadIsNoDrift(t *testing.T) {
	d := &drifter{}
	d.add("a", "it is not there")
	d.add("b", "%v", &fs.PathError{Op: "openat", Path: "b", Err: syscall.EIO})
	r := &release{name: "0123456789ab-target"}
	if err := r.refuse("roll back to", d.found); errors.Is(err, manifest.ErrDamaged) || err.Error() != "roll back to 0123456789ab-target: compare b: openat b: input/output error" {
		t.Error(err)
	}
	if err := r.refuse("roll back to", d.found[:1]); !errors.Is(err, manifest.ErrDamaged) {
		t.Error(err)
	}
}

// An exchange that ended before its step leaves a link, which is no folder that
// is kept already: the next run goes on.
func TestHalfAnExchangeIsSwept(t *testing.T) {
	s, b := newSite(t), pack(t, content("one"), nil)
	s.write(t, DefaultBase+"/rpms/old.rpm", "old")
	must(t, errors.Join(os.Mkdir(s.path(DefaultBase+".d"), 0o755), os.Symlink("patroni-airgap.d/"+b.id+"-target", s.path(DefaultBase+".d/"+legacyRelease))))
	if res := s.install(t, Options{Bundle: b.path, Roles: target}); res.Former != legacyRelease {
		t.Errorf("result %+v", res)
	}
	if got, err := os.ReadFile(s.path(DefaultBase + ".d/legacy/rpms/old.rpm")); err != nil || string(got) != "old" {
		t.Errorf("what older scripts placed: %q (%v)", got, err)
	}
}
