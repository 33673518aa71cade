//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Operations of a file system that a fault can hit, in three groups: those that
// take room, those that change something, those that only read.
var (
	takes   = []string{"create", "write", "mkdir", "symlink", "link", "rename", "fsync"}
	changes = append([]string{"unlink", "rmdir", "setattr", "fsync folder"}, takes...)
	reads   = []string{"lookup", "open", "read", "open folder", "read folder", "read link"}
)

// fault is what goes wrong in a file system, and when.
type fault struct {
	Operations []string      `json:"-"`
	Error      syscall.Errno `json:"-"`
	At         int           `json:"at"`   // the operation that fails, counted from 1 among Operations; 0: none
	Once       bool          `json:"once"` // only this one; else everything from it on
}

// failing passes a folder on, and fails as it is told to.
type failing struct {
	fuse.RawFileSystem
	mu    sync.Mutex
	fault fault
	count int
	hits  []string // what failed
}

// mountFailing mounts dir at mountpoint with a fault in it, until unmount.
func mountFailing(t *testing.T, dir, mountpoint string, what fault) (f *failing, unmount func()) {
	t.Helper()
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	f = &failing{RawFileSystem: fs.NewNodeFS(root, &fs.Options{}), fault: what}
	server, err := fuse.NewServer(f, mountpoint, &fuse.MountOptions{
		FsName: "failing", DirectMountStrict: true, DisableReadDirPlus: true, DisableXAttrs: true,
		DisabledCapabilities: fuse.CAP_PASSTHROUGH, // else the kernel reads and writes behind our back
	})
	if err != nil {
		t.Fatalf("mount a file system of our own (needs root and /dev/fuse): %v", err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	unmount = func() {
		once.Do(func() {
			if err := syscall.Unmount(mountpoint, 0); err != nil {
				t.Errorf("unmount: %v", err)
				syscall.Unmount(mountpoint, syscall.MNT_DETACH)
			}
			server.Wait()
		})
	}
	t.Cleanup(unmount)
	return f, unmount
}

// try counts an operation and says whether it fails.
func (f *failing) try(operation, name string, node uint64) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.fault.Operations, operation) {
		return fuse.OK
	}
	f.count++
	if at := f.fault.At; at == 0 || f.count < at || f.fault.Once && f.count > at {
		return fuse.OK
	}
	if name == "" {
		name = fmt.Sprintf("inode %d", node)
	}
	f.hits = append(f.hits, operation+" "+name)
	return fuse.Status(f.fault.Error)
}

func (f *failing) Create(c <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := f.try("create", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Create(c, in, name, out)
}

func (f *failing) Write(c <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := f.try("write", "", in.NodeId); !s.Ok() {
		return 0, s
	}
	return f.RawFileSystem.Write(c, in, data)
}

// Writev and CopyFileRange are not there: Write is asked for instead.
func (f *failing) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

func (f *failing) CopyFileRange(<-chan struct{}, *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

func (f *failing) Mkdir(c <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.try("mkdir", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Mkdir(c, in, name, out)
}

func (f *failing) Symlink(c <-chan struct{}, in *fuse.InHeader, to, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.try("symlink", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Symlink(c, in, to, name, out)
}

func (f *failing) Link(c <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.try("link", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Link(c, in, name, out)
}

func (f *failing) Rename(c <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if s := f.try("rename", to, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Rename(c, in, from, to)
}

func (f *failing) Unlink(c <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if s := f.try("unlink", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Unlink(c, in, name)
}

func (f *failing) Rmdir(c <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if s := f.try("rmdir", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Rmdir(c, in, name)
}

func (f *failing) SetAttr(c <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := f.try("setattr", "", in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.SetAttr(c, in, out)
}

func (f *failing) Fsync(c <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := f.try("fsync", "", in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Fsync(c, in)
}

// FsyncDir does no more than count: what is below is no disk that could lose its
// power here, and the loopback of go-fuse has none.
func (f *failing) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return f.try("fsync folder", "", in.NodeId)
}

func (f *failing) Lookup(c <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.try("lookup", name, in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Lookup(c, in, name, out)
}

func (f *failing) Open(c <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.try("open", "", in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Open(c, in, out)
}

func (f *failing) Read(c <-chan struct{}, in *fuse.ReadIn, buffer []byte) (fuse.ReadResult, fuse.Status) {
	if s := f.try("read", "", in.NodeId); !s.Ok() {
		return nil, s
	}
	return f.RawFileSystem.Read(c, in, buffer)
}

func (f *failing) OpenDir(c <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.try("open folder", "", in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.OpenDir(c, in, out)
}

func (f *failing) ReadDir(c <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := f.try("read folder", "", in.NodeId); !s.Ok() {
		return s
	}
	return f.RawFileSystem.ReadDir(c, in, out)
}

func (f *failing) Readlink(c <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	if s := f.try("read link", "", in.NodeId); !s.Ok() {
		return nil, s
	}
	return f.RawFileSystem.Readlink(c, in)
}
