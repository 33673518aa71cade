//go:build e2e

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// disk is a disk with a volatile cache that remembers all that it was ever told:
// each write with its bytes, and each flush, in their order. It is a file system
// in user space (FUSE, kernel ABI 7.31) that is one regular file, for a loop
// device to stand on. The kernel gives a write to it before the loop device says
// that it is done, and a flush of the block device is an fsync of that file, so
// that the record is the one that dm-log-writes would have made.
type disk struct {
	fuse int

	mu    sync.Mutex
	bytes []byte // as the host reads them
	first []byte // before the record
	log   []event
	over  bool // the record
}

// event is a write to the disk, or a flush where data is nil.
type event struct {
	at   int64
	data []byte
}

// newDisk makes a disk of so many bytes and shows it as a file.
func newDisk(t *testing.T, file string, size int64) *disk {
	t.Helper()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open /dev/fuse: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0", fd, syscall.S_IFREG|0o600)
	if err := syscall.Mount("disk", file, "fuse", 0, options); err != nil {
		t.Fatalf("mount the disk: %v", err)
	}
	d := &disk{fuse: fd, bytes: make([]byte, size)}
	served := make(chan error, 1)
	go func() { served <- d.serve() }()
	t.Cleanup(func() {
		syscall.Unmount(file, syscall.MNT_DETACH)
		syscall.Close(fd)
		if err := <-served; err != nil {
			t.Errorf("the disk: %v", err)
		}
	})
	return d
}

// record begins a record anew.
func (d *disk) record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first, d.log = slices.Clone(d.bytes), nil
}

// freeze ends the record.
func (d *disk) freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
}

// note adds to the record.
func (d *disk) note(e event) {
	if !d.over {
		d.log = append(d.log, e)
	}
}

// length is how many events were recorded.
func (d *disk) length() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// The ways in which a disk loses its cache. What was flushed is there whatever
// the way.
const (
	inOrder = "all that was written" // a disk without a cache, or one that was lucky
	dropped = "only what was flushed"
	mixed   = "any part of the rest" // blocks of the cache go to the platter in whatever order
)

// block is what reaches the platter at once, of the cache; of the block that is
// written when the power goes, any number of sectors.
const block, sector = 4096, 512

// cut is what the disk holds when the power goes after so many events. With
// mixed each block since the last flush is there or not, and of the last one
// some sectors.
func (d *disk) cut(random *rand.Rand, after int, way string) []byte {
	flushed := after
	for flushed > 0 && d.log[flushed-1].data != nil {
		flushed--
	}
	image := slices.Clone(d.first)
	for i, e := range d.log[:after] {
		if i < flushed || way == inOrder {
			copy(image[e.at:], e.data)
		} else if way == mixed {
			for from := 0; from < len(e.data); from += block {
				part := e.data[from:min(from+block, len(e.data))]
				if i == after-1 && from+block >= len(e.data) {
					part = part[:random.IntN(len(part)/sector+1)*sector]
				} else if random.IntN(2) == 0 {
					continue
				}
				copy(image[e.at+int64(from):], part)
			}
		}
	}
	return image
}

// What the kernel asks (linux/fuse.h). Each request is a header of 40 bytes
// with length, operation and a number that the answer repeats, then its own words.
const (
	fuseGetattr = 3
	fuseSetattr = 4
	fuseOpen    = 14
	fuseRead    = 15
	fuseWrite   = 16
	fuseStatfs  = 17
	fuseRelease = 18
	fuseFsync   = 20
	fuseFlush   = 25
	fuseInit    = 26
	fuseForget  = 2
	fuseBatch   = 42

	fuseHeader   = 40
	fuseWords    = 40 // of a write, before its bytes
	fuseMaxWrite = 1 << 20
)

// serve answers one request after the other: the record has one order.
func (d *disk) serve() error {
	buffer := make([]byte, fuseMaxWrite+fuseHeader+fuseWords)
	for {
		n, err := syscall.Read(d.fuse, buffer)
		switch {
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOENT):
			continue
		case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EBADF):
			return nil // unmounted
		case err != nil:
			return err
		}
		operation := binary.NativeEndian.Uint32(buffer[4:])
		if operation == fuseForget || operation == fuseBatch {
			continue // wants no answer
		}
		answer, errno := d.answer(operation, buffer[fuseHeader:n])
		header := make([]byte, 16, 16+len(answer))
		binary.NativeEndian.PutUint32(header, uint32(16+len(answer)))
		binary.NativeEndian.PutUint32(header[4:], uint32(-int32(errno)))
		copy(header[8:], buffer[8:16])
		if _, err := syscall.Write(d.fuse, append(header, answer...)); err != nil && !errors.Is(err, syscall.ENOENT) {
			if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EBADF) {
				return nil
			}
			return err
		}
	}
}

// answer does what is asked, and returns the words of the answer.
func (d *disk) answer(operation uint32, asked []byte) ([]byte, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	w := words{}
	switch operation {
	case fuseInit:
		const bigWrites, maxPages = 1 << 5, 1 << 22
		w.u32(7, 31, u32(asked[8:]), bigWrites|maxPages)
		w.u16(16, 12)
		w.u32(fuseMaxWrite, 1)
		w.u16(fuseMaxWrite/4096, 0)
		w.u32(make([]uint32, 8)...)
	case fuseGetattr, fuseSetattr:
		w.u64(1, 0, 1, uint64(len(d.bytes)), uint64(len(d.bytes)/512), 0, 0, 0) // attributes stand for a second
		w.u32(0, 0, 0, syscall.S_IFREG|0o600, 1, 0, 0, 0, 4096, 0)
	case fuseOpen:
		w.u64(1, 0)
	case fuseStatfs:
		w.u32(make([]uint32, 20)...)
	case fuseRead:
		at, size := u64(asked[8:]), uint64(u32(asked[16:]))
		at = min(at, uint64(len(d.bytes)))
		w = slices.Clone(d.bytes[at:min(at+size, uint64(len(d.bytes)))])
	case fuseWrite:
		at, data := u64(asked[8:]), slices.Clone(asked[fuseWords:])
		if at+uint64(len(data)) > uint64(len(d.bytes)) {
			return nil, syscall.ENOSPC
		}
		copy(d.bytes[at:], data)
		d.note(event{int64(at), data})
		w.u32(uint32(len(data)), 0)
	case fuseFsync:
		d.note(event{})
	case fuseFlush, fuseRelease:
	default:
		return nil, syscall.ENOSYS // discards too: the kernel does without
	}
	return w, 0
}

// words are what an answer is made of.
type words []byte

func (w *words) u16(values ...uint16) {
	for _, v := range values {
		*w = binary.NativeEndian.AppendUint16(*w, v)
	}
}

func (w *words) u32(values ...uint32) {
	for _, v := range values {
		*w = binary.NativeEndian.AppendUint32(*w, v)
	}
}

func (w *words) u64(values ...uint64) {
	for _, v := range values {
		*w = binary.NativeEndian.AppendUint64(*w, v)
	}
}
